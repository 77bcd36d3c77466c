//! Statements of networks and of blocks.

use super::expressions::{assigned_name, free_name, is_grammar, is_name, keyword_as_name};
use super::foreign::{begins_nothing, foreign_loop, foreign_turn, several_names};
use super::tokens::Tokens;
use super::{FOREIGN, MISPLACED, Parsed, Parser, UNEXPECTED, error};
use crate::base::diagnostics::Diagnostic;
use crate::base::place::Span;
use crate::language::ast::{Expression, ExpressionKind, Name, Output, Statement, StatementKind};
use proc_macro2::Delimiter;

/// Where statements stand.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Site {
    /// Directly in a network: everything, and no value at the end.
    Network,
    /// In braces of a loop or an `if`: what computes, perhaps with a value at the end.
    Block,
    /// In braces of a function, which end in its value.
    Body,
}

impl Site {
    /// The words that begin a statement here.
    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        let own: &[&str] = if self == Site::Network { &NETWORK_WORDS } else { &[] };
        COMMON_WORDS.iter().chain(own).copied()
    }
}

/// Words that begin a statement in a network only.
pub(super) const NETWORK_WORDS: [&str; 8] = ["input", "target", "setting", "const", "predict", "minimize", "using", "report"];
/// Words that begin a statement anywhere.
const COMMON_WORDS: [&str; 6] = ["parameter", "let", "layer", "for", "if", "allow"];

/// Whether the next tokens can only be the beginning of a statement.
pub(super) fn begins_statement(tokens: &Tokens) -> bool {
    let Some(word) = tokens.word() else {
        return tokens.at("#");
    };
    let text = word.text.as_str();
    let is_word = NETWORK_WORDS.contains(&text) || COMMON_WORDS.contains(&text);
    is_word || assigned_name(tokens).is_some()
}

/// What was found where a statement may stand.
pub(super) enum Found {
    Statement(StatementKind),
    /// An expression at the end of a block.
    Value(Expression),
}

impl Parser {
    /// Statements up to the end of the level, and the value behind them.
    pub(super) fn statements(&mut self, tokens: &mut Tokens, site: Site) -> (Vec<Statement>, Option<Expression>) {
        let mut statements = Vec::new();
        let mut value = None;
        let mut height = 0;
        while !tokens.is_empty() && !self.is_exhausted() {
            if tokens.take(";").is_some() {
                continue;
            }
            self.stepped_over = false;
            let doc = self.doc(tokens);
            if tokens.is_empty() {
                break;
            }
            let word = tokens.here();
            self.height = 1;
            match self.statement(tokens, site) {
                Ok(Found::Statement(kind)) => {
                    let span = word.to(tokens.last());
                    if !ends_with_braces(&kind) {
                        self.semicolon(tokens);
                    }
                    statements.push(Statement { doc, kind, word, span });
                    // They are defined all the same, so that their uses are no mistakes.
                    for name in std::mem::take(&mut self.beside) {
                        let (span, value) = (name.span, Expression::invalid(name.span));
                        let kind = StatementKind::Let { mutable: true, name, value };
                        statements.push(Statement { doc: Vec::new(), kind, word: span, span });
                    }
                }
                Ok(Found::Value(expression)) => value = Some(expression),
                Err(slip) => {
                    self.report(slip);
                    // A word that is no statement's must not be found again.
                    if tokens.here() == word {
                        tokens.skip();
                    }
                    self.step_over(tokens);
                }
            }
            height = height.max(self.height);
        }
        self.height = height;
        (statements, value)
    }

    /// Takes the `;` behind a statement, or complains and goes on to the next.
    pub(super) fn semicolon(&mut self, tokens: &mut Tokens) {
        if tokens.take(";").is_some() {
            return;
        }
        if !self.stepped_over {
            // A word that only a statement begins with, in the same line too: what follows is the next statement, and is meant.
            let next_begins = begins_statement(tokens);
            let is_cut_off = tokens.is_empty() || next_begins;
            let slip = match is_cut_off {
                true => error(UNEXPECTED, tokens.after_last(), "expected `;` behind the statement")
                    .help("write `;` here")
                    .fix(tokens.gap(), ";"),
                false => {
                    let found = tokens.here();
                    let mut rest = *tokens;
                    while !rest.is_empty() && !rest.at(";") && !self.next_line_begins(&rest) {
                        rest.skip();
                    }
                    let slip = tokens.expected("`;`").help("end the statement here, or join the two");
                    slip.fix(found.to(rest.last()), "")
                }
            };
            self.report(slip.into());
            if next_begins {
                return;
            }
            self.step_over(tokens);
        }
        tokens.take(";");
    }

    fn statement(&mut self, tokens: &mut Tokens, site: Site) -> Parsed<Found> {
        if let Some(name) = assigned_name(tokens) {
            tokens.skip();
            tokens.skip();
            let value = self.value(tokens);
            return Ok(Found::Statement(StatementKind::Assign { name, value }));
        }
        let Some(word) = tokens.word() else {
            return self.bare_value(tokens, site);
        };
        let text = word.text.as_str();
        if site != Site::Network && NETWORK_WORDS.contains(&text) && tokens.behind().word().is_some() {
            let message = format!("`{text}` may stand in a network only, not in a block of it");
            return Err(error(MISPLACED, word.span, message).into());
        }
        let text = if begins_nothing(tokens, &word, site) { self.meant_statement(tokens, &word, site)? } else { text };
        let kind = match text {
            "let" => self.let_statement(tokens)?,
            "parameter" => self.parameter(tokens)?,
            "layer" => {
                let (name, value) = self.named_value(tokens)?;
                StatementKind::Layer { name, value }
            }
            "for" => self.for_statement(tokens)?,
            "if" => return self.if_statement(tokens, site),
            "while" | "loop" => return Err(foreign_loop(tokens).into()),
            "break" | "continue" if site != Site::Network => return Err(foreign_turn(tokens).into()),
            "return" if site == Site::Body => return self.returned(tokens),
            "allow" if tokens.behind().at_group(Delimiter::Parenthesis) => self.allow(tokens)?,
            _ if site != Site::Network => return self.bare_value(tokens, site),
            "input" => {
                let (name, tensor) = self.declaration(tokens)?;
                StatementKind::Input { name, tensor }
            }
            "target" => {
                let (name, tensor) = self.declaration(tokens)?;
                StatementKind::Target { name, tensor }
            }
            "setting" => {
                let (name, value) = self.named_value(tokens)?;
                StatementKind::Setting { name, value }
            }
            "const" => {
                let (name, value) = self.named_value(tokens)?;
                StatementKind::Const { name, value }
            }
            "predict" => StatementKind::Predict(self.outputs(tokens)),
            "report" => StatementKind::Report(self.outputs(tokens)),
            "minimize" => {
                self.word_before_value(tokens);
                StatementKind::Minimize(self.value(tokens))
            }
            "using" => {
                self.word_before_value(tokens);
                StatementKind::Using(self.value(tokens))
            }
            _ => return self.bare_value(tokens, site),
        };
        Ok(Found::Statement(kind))
    }

    /// Steps over `minimize` or its like, behind which the value stands at once.
    fn word_before_value(&mut self, tokens: &mut Tokens) {
        tokens.skip();
        if let Some(colon) = tokens.take(":") {
            let slip = error(UNEXPECTED, colon, "the value stands right behind the word, found `:`");
            self.report(slip.help("take the `:` away").fix(colon, "").into());
        }
    }

    fn let_statement(&mut self, tokens: &mut Tokens) -> Parsed<StatementKind> {
        let start = tokens.here();
        let mutable = tokens.behind().at_word("mut");
        if mutable {
            tokens.skip();
        }
        if let Some((slip, mut names)) = several_names(tokens, start, mutable) {
            let name = names.remove(0);
            self.beside = names;
            tokens.skip();
            let (name, value) = self.unreadable_value(tokens, name, slip);
            return Ok(StatementKind::Let { mutable: true, name, value });
        }
        let (name, value) = self.named_value(tokens)?;
        Ok(StatementKind::Let { mutable, name, value })
    }

    /// Behind a keyword: `name = value`.
    pub(super) fn named_value(&mut self, tokens: &mut Tokens) -> Parsed<(Name, Expression)> {
        tokens.skip();
        let name = self.name(tokens)?;
        if tokens.at(":") {
            let message = "the type of a value follows from what it is";
            let help = format!("write `{} = …`", name.text);
            let mut rest = *tokens;
            while !rest.is_empty() && !rest.at("=") && !rest.at(";") {
                rest.skip();
            }
            let slip = error(FOREIGN, tokens.here(), message).help(help).fix(tokens.here().to(rest.last()), "");
            return Ok(self.unreadable_value(tokens, name, slip));
        }
        match tokens.expect("=") {
            Ok(_) => {
                let value = self.value(tokens);
                Ok((name, value))
            }
            Err(slip) => Ok(self.unreadable_value(tokens, name, *slip.0)),
        }
    }

    /// The name is defined all the same, so that its uses are no mistakes.
    fn unreadable_value(&mut self, tokens: &mut Tokens, name: Name, slip: Diagnostic) -> (Name, Expression) {
        let span = slip.primary.span;
        self.report(slip.into());
        self.step_over(tokens);
        (name, Expression::invalid(span))
    }

    /// A name that may be defined.
    pub(super) fn name(&mut self, tokens: &mut Tokens) -> Parsed<Name> {
        match tokens.word() {
            Some(name) if is_name(&name.text) => {
                tokens.skip();
                Ok(name)
            }
            Some(keyword) => {
                let slip = keyword_as_name("a name", &keyword);
                if is_grammar(&keyword.text) {
                    return Err(slip.into());
                }
                self.report(slip.into());
                tokens.skip();
                Ok(free_name(keyword))
            }
            None if tokens.at("=") || tokens.at(":") => {
                let slip = tokens.expected("a name").help("write a name before it, such as `a`");
                Err(slip.fix(tokens.gap(), " a").into())
            }
            None => Err(tokens.expected("a name").into()),
        }
    }

    /// Takes the name before a single `=`, and that too.
    pub(super) fn label(&mut self, tokens: &mut Tokens) -> Option<Name> {
        let is_word = tokens.word().is_some_and(|word| !is_grammar(&word.text));
        let name = if is_word && tokens.behind().at("=") { self.name(tokens).ok() } else { None };
        if name.is_some() {
            tokens.skip();
        }
        name
    }

    /// Behind `predict` or `report`: values, with names or without.
    fn outputs(&mut self, tokens: &mut Tokens) -> Vec<Output> {
        self.word_before_value(tokens);
        let mut outputs = Vec::new();
        loop {
            let name = self.label(tokens);
            let value = self.output(tokens);
            let start = name.as_ref().map_or(value.span, |name| name.span);
            let span = start.to(value.span);
            outputs.push(Output { name, value, span });
            if tokens.take(",").is_none() {
                return outputs;
            }
        }
    }

    /// One value of a list without brackets: a slip in it leaves the others.
    fn output(&mut self, tokens: &mut Tokens) -> Expression {
        let start = tokens.here();
        match self.expression(tokens) {
            Ok(value) => value,
            Err(slip) => {
                self.report(slip);
                self.stepped_over = true;
                let is_end =
                    |parser: &Parser, tokens: &Tokens| tokens.at(",") || tokens.at(";") || parser.next_line_begins(tokens);
                while !tokens.is_empty() && !is_end(self, tokens) {
                    tokens.skip();
                }
                Expression::invalid(start.to(tokens.last()))
            }
        }
    }

    fn allow(&mut self, tokens: &mut Tokens) -> Parsed<StatementKind> {
        tokens.skip();
        let mut lints = Vec::new();
        if let Some((mut inside, span)) = tokens.take_group(Delimiter::Parenthesis) {
            if inside.is_empty() {
                return Err(error(UNEXPECTED, span, "expected the name of a lint").into());
            }
            while !inside.is_empty() {
                lints.push(self.name(&mut inside)?);
                self.comma(&mut inside, "`,` or `)`");
            }
        }
        Ok(StatementKind::Allow(lints))
    }

    /// An expression where a statement may stand: the value of a block, or a mistake.
    fn bare_value(&mut self, tokens: &mut Tokens, site: Site) -> Parsed<Found> {
        let value = self.expression(tokens)?;
        if site != Site::Network && tokens.is_empty() {
            return Ok(Found::Value(value));
        }
        if site == Site::Body && tokens.at(";") && tokens.behind().is_empty() {
            let semicolon = tokens.here();
            tokens.skip();
            let slip = error(UNEXPECTED, semicolon, "the value of a function is the expression at its end, without `;`");
            self.report(slip.help("take the `;` away").fix(semicolon, "").into());
            return Ok(Found::Value(value));
        }
        for assigning in ["+=", "-=", "*=", "/="] {
            if tokens.at(assigning) {
                let operator = &assigning[..1];
                let message = format!("`{assigning}` is no operator of the language");
                let slip = error(FOREIGN, tokens.here(), message);
                return Err(match &value.kind {
                    ExpressionKind::Name(Name { text, .. }) => {
                        let help = format!("write `{text} = {text} {operator} …`");
                        slip.help(help).fix(tokens.symbol_span(), format!("= {text} {operator}"))
                    }
                    _ => slip.help(format!("write `h = h {operator} …`")),
                }
                .into());
            }
        }
        if !tokens.at(";") && !tokens.is_empty() {
            return Err(tokens.expected("`;`").into());
        }
        let start = value.span.start();
        let slip = error(MISPLACED, value.span, "nothing uses this value").help("name it: `let name = …;`");
        Err(slip.fix(Span::new(start, start), "let name = ").into())
    }
}

fn ends_with_braces(kind: &StatementKind) -> bool {
    matches!(kind, StatementKind::For { .. } | StatementKind::Training { .. })
}
