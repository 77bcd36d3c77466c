//! The text of a declaration with defaults filled in: one statement or call a line, with its place behind it.

use super::Declaration;
use super::defaults::Filler;
use crate::base::place::Span;
use crate::language::ast::{
    BinaryOperator, Block, Call, Expression, ExpressionKind, Formal, Function, Item, Iteration, Network, Statement, StatementKind,
};
use crate::language::print;
use std::collections::BTreeSet;

/// Comments stand in one column unless the code before them is longer.
const WIDEST: usize = 100;

/// The text of the network that is meant, with the functions and optimizers beside it.
pub(super) fn of(declaration: &Declaration) -> String {
    let (network, _) = declaration.at(true, BTreeSet::new());
    let mut writer = Writer {
        declaration,
        filler: Filler::new(declaration, &network),
        formula: network.optimizer.map(|one| one.rule.formula(&one.call).to_owned()).unwrap_or_default(),
        lines: Vec::new(),
        level: 0,
    };
    for (index, item) in declaration.file.items.iter().enumerate() {
        if index > 0 && !matches!(item, Item::Network(_) if index != declaration.network) {
            writer.line("", String::new());
        }
        match item {
            Item::Function(function) => writer.function(function),
            Item::Optimizer(optimizer) => {
                let place = writer.place(optimizer.name.span);
                writer.lines(&print::item(item), place);
            }
            Item::Network(network) if index == declaration.network => writer.network(network),
            Item::Network(_) => {}
        }
    }
    writer.finish()
}

struct Line {
    code: String,
    comment: String,
}

struct Writer<'a> {
    declaration: &'a Declaration,
    filler: Filler<'a>,
    formula: String,
    lines: Vec<Line>,
    level: usize,
}

impl Writer<'_> {
    fn line(&mut self, code: &str, comment: String) {
        self.lines.push(Line { code: format!("{}{code}", "  ".repeat(self.level)).trim_end().to_owned(), comment });
    }

    /// Several lines of code, the comment behind the first.
    fn lines(&mut self, code: &str, mut comment: String) {
        for line in code.lines() {
            self.line(line, std::mem::take(&mut comment));
        }
    }

    fn place(&self, span: Span) -> String {
        if span.is_known() { self.declaration.source.place(span).to_string() } else { String::new() }
    }

    /// The place of a call and what was chosen for it.
    fn note(&self, call: &Call) -> String {
        let (place, reason) = (self.place(call.name.span), self.filler.reason(call));
        if reason.is_empty() { place } else { format!("{place}  {reason}") }
    }

    fn documentation(&mut self, lines: &[String]) {
        for line in lines {
            self.line(&format!("///{}", line.replace('\r', " ")), String::new());
        }
    }

    fn network(&mut self, network: &Network) {
        self.documentation(&network.doc);
        let place = self.place(network.name.span);
        self.line(format!("{} {} {{", network.visibility, network.name.text).trim_start(), place);
        self.level += 1;
        self.statements(&network.statements);
        self.level -= 1;
        self.line("}", String::new());
    }

    fn function(&mut self, function: &Function) {
        self.documentation(&function.doc);
        let formal = |formal: &Formal| match &formal.default {
            Some(default) => format!("{} = {}", formal.name.text, print::expression(&self.filler.expression(default))),
            None => formal.name.text.clone(),
        };
        let formals: Vec<String> = function.parameters.iter().map(formal).collect();
        let place = self.place(function.name.span);
        self.line(&format!("fn {}({}) {{", function.name.text, formals.join(", ")), place);
        self.level += 1;
        self.block(&function.body);
        self.level -= 1;
        self.line("}", String::new());
    }

    fn block(&mut self, block: &Block) {
        self.statements(&block.statements);
        if let Some(value) = &block.value {
            let filled = self.filler.expression(value);
            let place = self.place(value.span);
            self.value("", &filled, "", place);
        }
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.documentation(&statement.doc);
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        let place = self.place(statement.span);
        match &statement.kind {
            StatementKind::For { variable, over, body } => {
                self.line(&format!("for {} in {} {{", variable.text, self.iteration(over)), place);
                self.inner(body);
                return self.line("}", String::new());
            }
            StatementKind::Training { then, otherwise } => {
                self.line("if training {", place);
                self.inner(then);
                if let Some(otherwise) = otherwise {
                    self.line("} else {", String::new());
                    self.inner(otherwise);
                }
                return self.line("}", String::new());
            }
            _ => {}
        }
        let filled = self.filler.statement(statement);
        let (prefix, value) = match &filled.kind {
            StatementKind::Let { mutable: false, name, value } => (format!("let {} = ", name.text), value),
            StatementKind::Let { mutable: true, name, value } => (format!("let mut {} = ", name.text), value),
            StatementKind::Assign { name, value } => (format!("{} = ", name.text), value),
            StatementKind::Layer { name, value } => (format!("layer {} = ", name.text), value),
            StatementKind::Minimize(value) => return self.sum(value),
            StatementKind::Using(value) => {
                for line in std::mem::take(&mut self.formula).split(';').map(str::trim).filter(|line| !line.is_empty()) {
                    self.line(&format!("// {line}"), String::new());
                }
                ("using ".to_owned(), value)
            }
            _ => {
                let text = print::statement(&Statement { doc: Vec::new(), ..filled });
                return self.lines(&text, place);
            }
        };
        self.value(&prefix, value, ";", place);
    }

    fn inner(&mut self, block: &Block) {
        self.level += 1;
        self.block(block);
        self.level -= 1;
    }

    fn iteration(&self, over: &Iteration) -> String {
        let text = |value: &Expression| print::expression(&self.filler.expression(value));
        match over {
            Iteration::Range { from, to, inclusive, .. } => {
                format!("{}{}{}", text(from), if *inclusive { "..=" } else { ".." }, text(to))
            }
            Iteration::List { values, .. } => format!("[{}]", values.iter().map(text).collect::<Vec<_>>().join(", ")),
        }
    }

    /// What is minimised, each term on a line of its own.
    fn sum(&mut self, value: &Expression) {
        let mut terms = Vec::new();
        let mut at = value;
        while let ExpressionKind::Binary { operator: BinaryOperator::Add, left, right, .. } = &at.kind {
            terms.push(&**right);
            at = left;
        }
        terms.push(at);
        terms.reverse();
        for (index, term) in terms.iter().enumerate() {
            let is_sum = matches!(&term.kind, ExpressionKind::Binary { operator, .. } if operator.precedence() <= BinaryOperator::Add.precedence());
            let text = print::expression(term);
            let text = if is_sum && index > 0 { format!("({text})") } else { text };
            let end = if index + 1 == terms.len() { ";" } else { "" };
            let place = self.place(term.span);
            self.lines(&format!("{}{text}{end}", if index == 0 { "minimize " } else { "  + " }), place);
        }
    }

    /// A value; the calls of a chain each on a line of their own.
    fn value(&mut self, prefix: &str, value: &Expression, suffix: &str, place: String) {
        let (root, calls) = links(value);
        let begins = match &root.kind {
            ExpressionKind::Call(call) => Some(call),
            _ => None,
        };
        let only =
            begins.filter(|_| calls.is_empty()).or(calls.first().copied().filter(|_| begins.is_none() && calls.len() == 1));
        if let Some(only) = only {
            let note = self.note(only);
            return self.lines(&format!("{prefix}{}{suffix}", print::expression(value)), note);
        }
        match calls.as_slice() {
            [] => self.lines(&format!("{prefix}{}{suffix}", print::expression(value)), place),
            [.., last] => {
                let place = begins.map_or(place, |call| self.note(call));
                self.lines(&format!("{prefix}{}", receiver(root)), place);
                self.level += 1;
                for call in &calls {
                    let end = if std::ptr::eq(*call, *last) { suffix } else { "" };
                    let text = print::expression(&Expression { kind: ExpressionKind::Call((*call).clone()), span: call.span });
                    let note = self.note(call);
                    self.lines(&format!(".{text}{end}"), note);
                }
                self.level -= 1;
            }
        }
    }

    fn finish(self) -> String {
        let width = |line: &Line| line.code.chars().count();
        let commented = self.lines.iter().filter(|line| !line.comment.is_empty()).map(width);
        let column = commented.filter(|width| *width <= WIDEST).max().unwrap_or(0);
        let mut text = String::new();
        for line in &self.lines {
            match line.comment.is_empty() {
                true => text.push_str(&line.code),
                false => text.push_str(&format!("{:column$}  // {}", line.code, line.comment)),
            }
            text.push('\n');
        }
        text
    }
}

/// What a chain begins with, and its calls from the first to the last.
fn links(value: &Expression) -> (&Expression, Vec<&Call>) {
    let mut calls = Vec::new();
    let mut at = value;
    while let ExpressionKind::Method { receiver, call } = &at.kind {
        calls.push(call);
        at = receiver;
    }
    calls.reverse();
    (at, calls)
}

/// A value before a point, in parentheses where the point would tear it apart.
fn receiver(value: &Expression) -> String {
    let text = print::expression(value);
    match value.kind {
        ExpressionKind::Binary { .. }
        | ExpressionKind::Unary { .. }
        | ExpressionKind::Number(_)
        | ExpressionKind::Training { .. } => format!("({text})"),
        _ => text,
    }
}
