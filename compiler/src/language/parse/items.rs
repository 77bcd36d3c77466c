//! What stands at the top of a file: functions, optimizers, networks, each with its doc comment.

use super::expressions::assigned_name;
use super::statements::Site;
use super::tokens::Tokens;
use super::{FOREIGN, MISPLACED, Parsed, Parser, UNEXPECTED, error};
use crate::base::names::nearest;
use crate::language::ast::{Formal, Function, Item, Network, Optimizer, OptimizerLine, OptimizerLineKind};
use crate::language::source::{doc_text, line_of};
use proc_macro2::Delimiter;

impl Parser {
    /// All items of a file.
    pub(super) fn items(&mut self, tokens: &mut Tokens) -> Vec<Item> {
        let mut items = Vec::new();
        while !tokens.is_empty() && !self.is_exhausted() {
            let doc = self.doc(tokens);
            if tokens.is_empty() {
                break;
            }
            match self.item(tokens, doc) {
                Ok(item) => items.push(item),
                Err(slip) => {
                    self.report(slip);
                    step_over_item(tokens);
                }
            }
        }
        items
    }

    fn item(&mut self, tokens: &mut Tokens, doc: Vec<String>) -> Parsed<Item> {
        let start = tokens.here();
        let visibility = visibility(tokens);
        let Some(word) = tokens.word() else {
            return Err(tokens.expected("a network, `fn` or `optimizer`").into());
        };
        let behind = tokens.behind();
        if word.text == "fn" {
            return self.function(tokens, doc).map(Item::Function);
        }
        if word.text == "optimizer" && behind.word().is_some() {
            return self.optimizer(tokens, doc).map(Item::Optimizer);
        }
        if behind.at("!") {
            let message = "the text begins inside the braces of `network!`";
            return Err(error(FOREIGN, word.span, message).help("write what stands between the braces, `Name { … }`").into());
        }
        if behind.word().is_some() {
            let message = format!("`{}` begins nothing that may stand outside a network", word.text);
            let slip = error(MISPLACED, word.span, message);
            return Err(match nearest(&word.text, ["fn", "optimizer", "pub"]) {
                Some(near) => slip.write(near),
                None => slip.help("a network is written `Name { … }`").fix(word.span, ""),
            }
            .into());
        }
        let name = self.name(tokens)?;
        self.nothing_before_braces(tokens);
        match tokens.take_group(Delimiter::Brace) {
            Some((mut inside, braces)) => {
                let (statements, _) = self.statements(&mut inside, Site::Network);
                Ok(Item::Network(Network { doc, visibility, name, statements, span: start.to(braces) }))
            }
            None => Err(tokens.expected("`{` and the statements of the network").into()),
        }
    }

    /// Steps over `:`, `=` or `()` between the name of a network and its braces.
    fn nothing_before_braces(&mut self, tokens: &mut Tokens) {
        let behind = tokens.behind();
        let is_stray = tokens.at(":") || tokens.at("=") || tokens.at_group(Delimiter::Parenthesis);
        if is_stray && behind.at_group(Delimiter::Brace) {
            let slip = tokens.expected("`{` and the statements of the network");
            self.report(slip.help("take it away").fix(tokens.here(), "").into());
            *tokens = behind;
        }
    }

    fn function(&mut self, tokens: &mut Tokens, doc: Vec<String>) -> Parsed<Function> {
        let start = tokens.here();
        tokens.skip();
        let name = self.name(tokens)?;
        let parameters = self.formals(tokens)?;
        if tokens.at("->") {
            let message = "what a function returns follows from its body";
            let arrow = tokens.symbol_span();
            let slip = error(FOREIGN, tokens.here(), message).help("take `-> …` away");
            while !tokens.is_empty() && !tokens.at_group(Delimiter::Brace) {
                tokens.skip();
            }
            self.report(slip.fix(arrow.to(tokens.last()), "").into());
        }
        let Some((inside, braces)) = tokens.take_group(Delimiter::Brace) else {
            return Err(tokens.expected("`{` and the body of the function").into());
        };
        let example = parameters.first().map_or("0", |first| first.name.text.as_str()).to_owned();
        let body = self.body(inside, braces, &example)?;
        Ok(Function { doc, name, parameters, body, span: start.to(braces) })
    }

    fn optimizer(&mut self, tokens: &mut Tokens, doc: Vec<String>) -> Parsed<Optimizer> {
        let start = tokens.here();
        tokens.skip();
        let name = self.name(tokens)?;
        let parameters = self.formals(tokens)?;
        let Some((mut inside, braces)) = tokens.take_group(Delimiter::Brace) else {
            return Err(tokens.expected("`{` and the lines of the optimizer").into());
        };
        let mut lines = Vec::new();
        while !inside.is_empty() && !self.is_exhausted() {
            if inside.take(";").is_some() {
                continue;
            }
            self.stepped_over = false;
            let first = inside.here();
            match self.optimizer_line(&mut inside) {
                Ok(kind) => {
                    let span = first.to(inside.last());
                    lines.push(OptimizerLine { kind, span });
                    self.semicolon(&mut inside);
                }
                Err(slip) => {
                    self.report(slip);
                    inside.skip();
                    self.step_over(&mut inside);
                }
            }
        }
        Ok(Optimizer { doc, name, parameters, lines, span: start.to(braces) })
    }

    fn optimizer_line(&mut self, tokens: &mut Tokens) -> Parsed<OptimizerLineKind> {
        if let Some(name) = assigned_name(tokens) {
            tokens.skip();
            tokens.skip();
            let value = self.value(tokens);
            return Ok(OptimizerLineKind::Assign { name, value });
        }
        match tokens.word().map(|word| word.text).as_deref() {
            Some("at") => {
                tokens.skip();
                Ok(OptimizerLineKind::At(self.value(tokens)))
            }
            Some("state") => {
                let (name, value) = self.named_value(tokens)?;
                Ok(OptimizerLineKind::State { name, value })
            }
            Some("let") => {
                let (name, value) = self.named_value(tokens)?;
                Ok(OptimizerLineKind::Let { name, value })
            }
            _ => Err(tokens
                .expected("a line of an optimizer")
                .help("write `state m = zeros;`, `at …;`, `let name = …;` or `theta = …;`")
                .into()),
        }
    }

    /// `(x, width = 64)`
    fn formals(&mut self, tokens: &mut Tokens) -> Parsed<Vec<Formal>> {
        let Some((mut inside, _)) = tokens.take_group(Delimiter::Parenthesis) else {
            return Err(tokens.expected("`(` and the parameters").into());
        };
        let mut formals: Vec<Formal> = Vec::new();
        while !inside.is_empty() && !self.is_exhausted() {
            match self.formal(&mut inside) {
                Ok(mut formal) => {
                    self.check_formal(&formals, &mut formal);
                    formals.push(formal);
                }
                Err(slip) => {
                    self.report(slip);
                    self.step_to_comma(&mut inside);
                }
            }
            self.comma(&mut inside, "`,` or `)`");
        }
        Ok(formals)
    }

    fn formal(&mut self, inside: &mut Tokens) -> Parsed<Formal> {
        let name = self.name(inside)?;
        if inside.at(":") {
            let message = "a parameter has no type: it is what the call gives";
            let mut rest = *inside;
            while !rest.is_empty() && !rest.at(",") && !rest.at("=") {
                rest.skip();
            }
            let slip = error(FOREIGN, inside.here(), message).help(format!("write `{}`", name.text));
            self.report(slip.fix(inside.here().to(rest.last()), "").into());
            *inside = rest;
        }
        let default = match inside.take("=") {
            Some(_) => Some(self.expression(inside)?),
            None => None,
        };
        let span = name.span.to(inside.last());
        Ok(Formal { name, default, span })
    }

    fn check_formal(&mut self, earlier: &[Formal], formal: &mut Formal) {
        let name = &mut formal.name;
        if let Some(first) = earlier.iter().find(|other| other.name.text == name.text) {
            let message = format!("two parameters are named `{}`", name.text);
            let free = format!("{}_2", name.text);
            let slip = error(MISPLACED, name.span, message).because(first.name.span, "the first").write(free.as_str());
            self.report(slip.into());
            name.text = free;
        }
        let defaulted = earlier.iter().find(|other| other.default.is_some());
        if let (None, Some(first)) = (&formal.default, defaulted) {
            let message = "a parameter without default stands behind one with a default";
            let slip = error(MISPLACED, name.span, message).because(first.span, "defaults from here on");
            self.report(slip.into());
        }
    }

    /// Doc comments, one string a line; other attributes are reported.
    pub(super) fn doc(&mut self, tokens: &mut Tokens) -> Vec<String> {
        let mut doc = Vec::new();
        while tokens.at("#") {
            let start = tokens.here();
            tokens.skip();
            let is_inner = tokens.take("!").is_some();
            let Some((inside, span)) = tokens.take_group(Delimiter::Bracket) else {
                self.report(error(FOREIGN, start, "a comment begins with `//`").write("//").into());
                while !tokens.is_empty() && tokens.here().line == start.line {
                    tokens.skip();
                }
                continue;
            };
            let trees: Vec<_> = inside.rest().into_iter().take(4).collect();
            match doc_text(&trees) {
                Some(text) if !is_inner => doc.extend(text.split('\n').map(|line| line.trim_end().to_owned())),
                Some(_) => {
                    let message = "a doc comment is written before what it describes";
                    let slip = error(FOREIGN, start, message).help("write `///`, or `//` for a comment");
                    self.report(slip.into());
                }
                None => {
                    let message = "the language has no attributes";
                    let slip = error(FOREIGN, start.to(span), message)
                        .help("take it away; a lint is silenced with `allow(name);` in the network")
                        .fix(start.to(span), "");
                    self.report(slip.into());
                }
            }
        }
        if tokens.is_empty() && !doc.is_empty() {
            let message = "this doc comment describes nothing";
            self.report(error(UNEXPECTED, tokens.last(), message).into());
        }
        doc
    }
}

/// `pub`, `pub(crate)`, `pub(in crate::models)`, or nothing.
fn visibility(tokens: &mut Tokens) -> String {
    if tokens.take_word("pub").is_none() {
        return String::new();
    }
    match tokens.take_group(Delimiter::Parenthesis) {
        Some((inside, _)) => format!("pub({})", line_of(inside.rest())),
        None => "pub".to_owned(),
    }
}

/// Goes on behind the braces or the `;` that end an item, or before a line that begins one.
fn step_over_item(tokens: &mut Tokens) {
    let mut is_first = true;
    while !tokens.is_empty() {
        let begins_line = tokens.here().line > tokens.last().end_line;
        if !is_first && begins_line && begins_item(tokens) {
            return;
        }
        is_first = false;
        if tokens.take(";").is_some() || tokens.take_group(Delimiter::Brace).is_some() {
            return;
        }
        tokens.skip();
    }
}

fn begins_item(tokens: &Tokens) -> bool {
    let behind = tokens.behind();
    let is_network = tokens.word().is_some() && behind.at_group(Delimiter::Brace);
    let is_item = ["fn", "optimizer", "pub"].iter().any(|word| tokens.at_word(word));
    tokens.at("#") || is_item || is_network
}
