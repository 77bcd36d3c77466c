//! Expressions, loosest binding first: comparisons, sums, products, `-`, then calls and fields.

use super::constants::is_constant;
use super::tokens::Tokens;
use super::{FOREIGN, NUMBER, Parsed, Parser, UNEXPECTED, error};
use crate::base::diagnostics::Diagnostic;
use crate::base::place::Span;
use crate::language::ast::{BinaryOperator, Expression, ExpressionKind, Name, Number, RustNumber, UnaryOperator};
use crate::language::print;
use crate::language::source::line_of;
use crate::nn::arguments::is_representable;
use proc_macro2::{Delimiter, Literal};

/// A literal longer than this is no number anybody means; converting one takes time.
const LONGEST_NUMBER: usize = 64;

impl Parser {
    /// An expression of any kind.
    pub(super) fn expression(&mut self, tokens: &mut Tokens) -> Parsed<Expression> {
        let value = self.operation(tokens, 1)?;
        match foreign_operator(tokens, &value) {
            Some(slip) => Err(slip.into()),
            None => Ok(value),
        }
    }

    /// Operands joined by operators that bind at least as tightly as `least`.
    fn operation(&mut self, tokens: &mut Tokens, least: u8) -> Parsed<Expression> {
        let mut left = self.signed(tokens)?;
        let mut height = self.height;
        let mut compared: Option<Span> = None;
        while let Some((operator, operator_span)) = operator_at(tokens) {
            if operator.precedence() < least {
                break;
            }
            if let (true, Some(first)) = (operator.is_comparison(), compared) {
                return Err(error(FOREIGN, operator_span, "comparisons do not chain")
                    .because(first, "compared here already")
                    .help("put one of them in parentheses")
                    .into());
            }
            compared = operator.is_comparison().then_some(operator_span);
            tokens.take(operator.symbol());
            let right = self.operation(tokens, operator.precedence() + 1)?;
            let span = left.span.to(right.span);
            self.raise(height.max(self.height), operator_span)?;
            height = self.height;
            left = Expression {
                kind: ExpressionKind::Binary { operator, operator_span, left: Box::new(left), right: Box::new(right) },
                span,
            };
        }
        self.height = height;
        Ok(left)
    }

    /// `-x`; signs are counted in a loop, so that a row of them needs no stack.
    fn signed(&mut self, tokens: &mut Tokens) -> Parsed<Expression> {
        let mut signs = Vec::new();
        while !tokens.at_group(Delimiter::None)
            && let Some(span) = tokens.take("-")
        {
            signs.push(span);
        }
        let mut value = self.postfix(tokens)?;
        for sign in signs.into_iter().rev() {
            self.raise(self.height, sign)?;
            let span = sign.to(value.span);
            value =
                Expression { kind: ExpressionKind::Unary { operator: UnaryOperator::Negate, operand: Box::new(value) }, span };
        }
        Ok(value)
    }

    /// A value and what follows it by points.
    fn postfix(&mut self, tokens: &mut Tokens) -> Parsed<Expression> {
        let mut value = self.primary(tokens)?;
        let mut height = self.height;
        while tokens.take(".").is_some() {
            for (name, is_word) in member(tokens)? {
                let start = value.span;
                let call = match is_word && tokens.at_group(Delimiter::Parenthesis) {
                    true => Some(self.call(tokens, name.clone())),
                    false => None,
                };
                let above = if call.is_some() { self.height } else { 0 };
                self.raise(height.max(above), name.span)?;
                height = self.height;
                let inner = Box::new(value);
                let (kind, end) = match call {
                    Some(call) => {
                        let end = call.span;
                        let receiver = inner;
                        (ExpressionKind::Method { receiver, call }, end)
                    }
                    None => {
                        let end = name.span;
                        (ExpressionKind::Field { value: inner, name }, end)
                    }
                };
                value = Expression { kind, span: start.to(end) };
            }
        }
        self.height = height;
        Ok(value)
    }

    fn primary(&mut self, tokens: &mut Tokens) -> Parsed<Expression> {
        self.height = 1;
        // A fragment of `macro_rules!` is one value, as if in parentheses.
        if let Some((inside, span)) = tokens.take_group(Delimiter::None) {
            return self.parenthesized(inside, span);
        }
        if let Some((literal, span)) = tokens.take_literal() {
            return self.literal(&literal, span);
        }
        if tokens.at("::") {
            return self.path(tokens, tokens.here());
        }
        if let Some((inside, span)) = tokens.take_group(Delimiter::Parenthesis) {
            return self.parenthesized(inside, span);
        }
        if let Some((inside, span)) = tokens.take_group(Delimiter::Bracket) {
            let kind = ExpressionKind::Array(self.list(inside)?);
            return Ok(Expression { kind, span });
        }
        if let Some((inside, span)) = tokens.take_group(Delimiter::Brace) {
            if inside.is_empty() {
                let message = "expected a Rust expression between the braces";
                return Err(error(UNEXPECTED, span, message).into());
            }
            return Ok(self.rust(line_of(inside.rest()), span));
        }
        match tokens.word() {
            Some(word) => self.word(tokens, word),
            None => Err(tokens.expected("a value").into()),
        }
    }

    fn word(&mut self, tokens: &mut Tokens, word: Name) -> Parsed<Expression> {
        if word.text == "if" {
            return self.training_value(tokens);
        }
        let behind = tokens.behind();
        let is_call = behind.at_group(Delimiter::Parenthesis);
        if behind.at("::") && (is_name(&word.text) || PATH_WORDS.contains(&word.text.as_str())) {
            return self.path(tokens, word.span);
        }
        if !is_call && is_constant(&word.text) && !self.declared.contains(&word.text) {
            tokens.skip();
            return Ok(self.rust(word.text, word.span));
        }
        let span = word.span;
        let kind = match word.text.as_str() {
            "true" => ExpressionKind::Boolean(true),
            "false" => ExpressionKind::Boolean(false),
            text if is_name(text) || (is_call && text == "where") => ExpressionKind::Name(word),
            text if !is_grammar(text) => {
                self.report(keyword_as_name("a value", &word).into());
                ExpressionKind::Name(free_name(word))
            }
            _ => return Err(tokens.expected("a value").into()),
        };
        tokens.skip();
        match kind {
            ExpressionKind::Name(name) if is_call => {
                let call = self.call(tokens, name);
                let span = call.span;
                self.raise(self.height, span)?;
                let kind = ExpressionKind::Call(call);
                Ok(Expression { kind, span })
            }
            kind => Ok(Expression { kind, span }),
        }
    }

    fn literal(&mut self, literal: &Literal, span: Span) -> Parsed<Expression> {
        let text = literal.to_string();
        if text.len() > LONGEST_NUMBER && text.starts_with(|c: char| c.is_ascii_digit()) {
            let message = format!("a number has at most {LONGEST_NUMBER} characters");
            return Err(error(NUMBER, span, message).into());
        }
        let (digits, suffix, integer) = match syn::Lit::new(literal.clone()) {
            syn::Lit::Str(text) => {
                let kind = ExpressionKind::Text(text.value());
                return Ok(Expression { kind, span });
            }
            syn::Lit::Int(number) => (number.base10_digits().to_owned(), number.suffix().to_owned(), true),
            syn::Lit::Float(number) => (number.base10_digits().to_owned(), number.suffix().to_owned(), false),
            _ => {
                let message = format!("expected a value, found `{text}`");
                let help = "numbers, \"strings\", `true` and `false` may stand here";
                return Err(error(UNEXPECTED, span, message).help(help).into());
            }
        };
        let mut text = text;
        if !suffix.is_empty() {
            text.truncate(text.len() - suffix.len());
            let message = format!("a number has no suffix here, found `{suffix}`");
            let slip = error(NUMBER, span, message).write(text.as_str());
            self.report(slip.into());
        }
        let value: f64 = digits.parse().unwrap_or(f64::INFINITY);
        if !is_representable(value) {
            let message = "this number is too large: numbers are f32, which end at 3.4e38";
            return Err(error(NUMBER, span, message).write("1e30").into());
        }
        if value != 0.0 && value as f32 == 0.0 {
            let message = "this number is too small: numbers are f32, which rounds it to 0";
            return Err(error(NUMBER, span, message).write("1e-30").into());
        }
        let number = Number::Literal { text, value, integer };
        let kind = ExpressionKind::Number(number);
        Ok(Expression { kind, span })
    }

    /// `crate::WIDTH`: a Rust constant.
    fn path(&mut self, tokens: &mut Tokens, start: Span) -> Parsed<Expression> {
        let mut text = String::new();
        loop {
            if tokens.take("::").is_some() {
                text.push_str("::");
            } else if !text.is_empty() {
                break;
            }
            match tokens.word() {
                Some(word) if is_name(&word.text) || PATH_WORDS.contains(&word.text.as_str()) => {
                    text.push_str(&word.text);
                    tokens.skip();
                }
                _ => return Err(tokens.expected("a name of the path").into()),
            }
        }
        let span = start.to(tokens.last());
        if tokens.at_group(Delimiter::Parenthesis) {
            let slip = error(FOREIGN, span, "a Rust function cannot be called here")
                .help(format!("write it in braces: `{{{text}(…)}}`"));
            let arguments = tokens.take_group(Delimiter::Parenthesis).map(|(inside, _)| line_of(inside.rest()));
            let call = format!("{{{text}({})}}", arguments.unwrap_or_default());
            return Err(slip.fix(span.to(tokens.last()), call).into());
        }
        Ok(self.rust(text, span))
    }

    fn rust(&mut self, text: String, span: Span) -> Expression {
        let index = self.rust.len();
        self.rust.push(RustNumber { text: text.clone(), span });
        let kind = ExpressionKind::Number(Number::Rust { text, index });
        Expression { kind, span }
    }

    /// The inside of `(…)` where a value may stand.
    fn parenthesized(&mut self, mut inside: Tokens, span: Span) -> Parsed<Expression> {
        if inside.is_empty() {
            return Err(error(UNEXPECTED, span, "expected a value between the parentheses").into());
        }
        let all = line_of(inside.rest());
        let value = self.expression(&mut inside)?;
        if inside.at(",") {
            let slip = error(FOREIGN, inside.here(), "the language has no tuples").help("a list is written `[a, b]`");
            return Err(slip.fix(span, format!("[{all}]")).into());
        }
        if !inside.is_empty() {
            return Err(inside.expected("`)`").into());
        }
        Ok(Expression { kind: value.kind, span })
    }
}

/// Words that begin a path and are no names.
const PATH_WORDS: [&str; 4] = ["crate", "self", "super", "Self"];

/// Whether a word may name something: no keyword of Rust, since the macro makes Rust names of them.
pub(super) fn is_name(word: &str) -> bool {
    !word.starts_with("r#") && !RUST_KEYWORDS.contains(&word)
}

/// Keywords of Rust that are words of the grammar: where they stand by mistake, no name is meant.
pub(super) fn is_grammar(word: &str) -> bool {
    ["const", "else", "false", "fn", "for", "if", "in", "let", "mut", "pub", "true", "where"].contains(&word)
}

/// A keyword where a name or a value should stand.
pub(super) fn keyword_as_name(what: &str, keyword: &Name) -> Diagnostic {
    let message = format!("expected {what}, found `{}`, a keyword of Rust", keyword.text);
    error(UNEXPECTED, keyword.span, message).write(free_name(keyword.clone()).text)
}

/// The name that stands in for a keyword.
pub(super) fn free_name(keyword: Name) -> Name {
    Name { text: format!("{}_", keyword.text.trim_start_matches("r#")), ..keyword }
}

/// Strict and reserved keywords of all editions (The Rust Reference, 'Keywords').
const RUST_KEYWORDS: [&str; 53] = [
    "_", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut",
    "override", "priv", "pub", "ref", "return", "self", "Self", "static", "struct", "super", "trait", "true", "try", "type",
    "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// The name before a single `=`.
pub(super) fn assigned_name(tokens: &Tokens) -> Option<Name> {
    let name = tokens.word().filter(|word| is_name(&word.text))?;
    tokens.behind().at("=").then_some(name)
}

/// The words behind a point, and whether one may be called: `weight`, or the turns of a loop in `h.0.1`.
fn member(tokens: &mut Tokens) -> Parsed<Vec<(Name, bool)>> {
    if let Some(name) = tokens.word()
        && (is_name(&name.text) || name.text == "where")
    {
        tokens.skip();
        return Ok(vec![(name, true)]);
    }
    let mut behind = *tokens;
    if let Some((literal, span)) = behind.take_literal() {
        let text = literal.to_string();
        let is_turns = text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if is_turns && !text.ends_with('.') && text.len() <= LONGEST_NUMBER {
            *tokens = behind;
            let turn = |text: &str| Name { text: text.to_owned(), span };
            return Ok(text.split('.').map(|text| (turn(text), false)).collect());
        }
    }
    Err(tokens.expected("a name behind the point").help("take the point away").fix(tokens.last(), "").into())
}

fn operator_at(tokens: &Tokens) -> Option<(BinaryOperator, Span)> {
    let (symbol, span, _) = tokens.symbol()?;
    let operator = BinaryOperator::ALL.iter().find(|operator| operator.symbol() == symbol)?;
    Some((*operator, span))
}

/// What Rust or mathematics would go on with behind a value, and what to write instead.
fn foreign_operator(tokens: &Tokens, left: &Expression) -> Option<Diagnostic> {
    if let (true, Some((inside, brackets))) = (tokens.at_group(Delimiter::Bracket), tokens.clone().take_group(Delimiter::Bracket))
    {
        let message = "a value is not indexed with brackets";
        let index: usize = inside.rest().to_string().parse().unwrap_or(0);
        let slip = error(FOREIGN, tokens.here(), message).help("write `.slice(axis, from, to)`");
        return Some(slip.fix(brackets, format!(".slice(-1, {index}, {})", index.saturating_add(1))));
    }
    let (symbol, span, _) = tokens.symbol()?;
    let arrow = if symbol == "|" && tokens.behind().at(">") { span.to(tokens.behind().symbol_span()) } else { span };
    if symbol == "->" || arrow != span {
        let slip = error(FOREIGN, arrow, "a layer follows its value behind a point: `x.dense(64)`");
        return Some(slip.help("write `.`").fix(arrow, "."));
    }
    let help = match symbol {
        "^" | "**" => "a square is `x * x`, any power `exp(a * log(x))`",
        "%" => "quotients are written with `/`",
        "&&" | "&" => "conditions choose: put one `where` within another",
        "||" | "|" => "conditions choose: put one `where` within another",
        "?" => "nothing fails here; take the `?` away",
        "@" => "a product of matrices is `a.matmul(b)`",
        _ => return None,
    };
    let message = format!("`{symbol}` is no operator of the language");
    let slip = error(FOREIGN, span, message).help(help);
    let behind = tokens.behind();
    // Two stars are two tokens.
    let behind = if symbol == "**" { behind.behind() } else { behind };
    let is_squared = behind.rest().into_iter().next().is_some_and(|tree| tree.to_string() == "2");
    Some(match symbol {
        "^" | "**" if is_squared && let Some(base) = whole_base(left) => slip.fix(span.to(behind.here()), format!("* {base}")),
        "%" => slip.fix(span, "/"),
        "?" => slip.fix(span, ""),
        "@" => match behind.word() {
            Some(right) => slip.fix(span.to(right.span), format!(".matmul({})", right.text)),
            None => slip,
        },
        _ => slip,
    })
}

/// The text of what a power belongs to; nothing for a sum's last term, which is not the sum.
fn whole_base(left: &Expression) -> Option<String> {
    let text = print::expression(left);
    match &left.kind {
        ExpressionKind::Binary { left: first, .. } if left.span.start() < first.span.start() => Some(format!("({text})")),
        ExpressionKind::Binary { .. } => None,
        _ => Some(text),
    }
}
