//! Names that nothing uses.
//!
//! A name is used wherever the word stands as a value or is called; an assignment is no use. That is seen from the tree
//! alone, so that what only one of the two times needs is used. A function serves all networks of a text: it is used if a
//! way of calls leads to it from one of them.

use crate::base::diagnostics::Diagnostic;
use crate::language::ast::{
    Block, Call, Expression, ExpressionKind, File, Function, Item, Iteration, Name, Network, Output, Statement, StatementKind,
};
use std::collections::HashSet;

/// A warning for each unused input and value of a network and of the functions that it calls, and for each function and optimizer
/// that no network of the text needs; a name that begins with `_` may be unused.
pub(super) fn find(file: &File, network: &Network) -> Vec<Diagnostic> {
    let mut unused = Names::of(&network.statements).unused();
    let called = needed(file, used_in_statements(&network.statements));
    for function in functions(file).filter(|function| called.contains(function.name.text.as_str())) {
        let mut names = Names::default();
        names.block(&function.body);
        unused.extend(names.unused());
    }
    let networks = file.items.iter().filter_map(|item| match item {
        Item::Network(network) => Some(network),
        _ => None,
    });
    let needed = needed(file, networks.flat_map(|network| used_in_statements(&network.statements)).collect());
    let idle = |name: &&Name| !needed.contains(name.text.as_str()) && !name.text.starts_with('_');
    let named = file.items.iter().filter_map(|item| match item {
        Item::Function(function) => Some(&function.name),
        Item::Optimizer(optimizer) => Some(&optimizer.name),
        Item::Network(_) => None,
    });
    unused.extend(named.filter(idle).map(|name| warning(name, "function")));
    unused
}

fn functions(file: &File) -> impl Iterator<Item = &Function> {
    file.items.iter().filter_map(|item| match item {
        Item::Function(function) => Some(function),
        _ => None,
    })
}

/// These words and all that the functions among them use in turn.
fn needed<'a>(file: &'a File, mut words: HashSet<&'a str>) -> HashSet<&'a str> {
    let mut left: Vec<&Function> = functions(file).collect();
    while let Some(place) = left.iter().position(|function| words.contains(function.name.text.as_str())) {
        words.extend(used_in_block(&left.swap_remove(place).body));
    }
    words
}

fn used_in_statements(statements: &[Statement]) -> HashSet<&str> {
    Names::of(statements).used
}

/// Every word that a statement uses as a value or calls.
pub(super) fn used_in(kind: &StatementKind) -> HashSet<&str> {
    let mut names = Names::default();
    names.statement(kind);
    names.used
}

/// The same of a function's body.
pub(super) fn used_in_block(block: &Block) -> HashSet<&str> {
    let mut names = Names::default();
    names.block(block);
    names.used
}

/// `what` is the word that declared the name, empty for a value.
fn warning(name: &Name, what: &str) -> Diagnostic {
    let (lint, message) = match what {
        "" => ("unused_value", format!("nothing uses `{}`", name.text)),
        "function" => ("unused_function", format!("no network calls `{}`", name.text)),
        what => ("unused_input", format!("nothing uses the {what} `{}`", name.text)),
    };
    Diagnostic::warning(lint, name.span, message)
        .help(format!("remove it, or name it `_{}`", name.text))
        .fix(name.span, format!("_{}", name.text))
}

#[derive(Default)]
struct Names<'a> {
    defined: Vec<(&'a Name, &'static str)>,
    used: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(statements: &'a [Statement]) -> Names<'a> {
        let mut names = Names::default();
        names.statements(statements);
        names
    }

    fn unused(self) -> Vec<Diagnostic> {
        let Names { defined, used } = self;
        let unused = defined.into_iter().filter(|(name, _)| !used.contains(name.text.as_str()) && !name.text.starts_with('_'));
        unused.map(|(name, what)| warning(name, what)).collect()
    }

    fn statements(&mut self, statements: &'a [Statement]) {
        for statement in statements {
            self.statement(&statement.kind);
        }
    }

    fn statement(&mut self, kind: &'a StatementKind) {
        match kind {
            StatementKind::Input { name, tensor } => {
                self.defined.push((name, "input"));
                self.tensor(tensor);
            }
            StatementKind::Target { name, tensor } => {
                self.defined.push((name, "target"));
                self.tensor(tensor);
            }
            StatementKind::Parameter { name, tensor, init } => {
                self.defined.push((name, ""));
                self.tensor(tensor);
                self.expression(init);
            }
            StatementKind::Setting { name, value }
            | StatementKind::Const { name, value }
            | StatementKind::Let { name, value, .. }
            | StatementKind::Layer { name, value } => {
                self.defined.push((name, ""));
                self.expression(value);
            }
            StatementKind::Assign { value, .. } | StatementKind::Minimize(value) | StatementKind::Using(value) => {
                self.expression(value);
            }
            StatementKind::For { over, body, .. } => {
                match over {
                    Iteration::Range { from, to, .. } => {
                        self.expression(from);
                        self.expression(to);
                    }
                    Iteration::List { values, .. } => values.iter().for_each(|value| self.expression(value)),
                }
                self.block(body);
            }
            StatementKind::Training { then, otherwise } => {
                self.block(then);
                otherwise.iter().for_each(|block| self.block(block));
            }
            StatementKind::Predict(outputs) | StatementKind::Report(outputs) => {
                outputs.iter().for_each(|Output { value, .. }| self.expression(value));
            }
            StatementKind::Allow(_) => {}
        }
    }

    fn tensor(&mut self, tensor: &'a crate::language::ast::TensorType) {
        if let Some(crate::language::ast::Element { kind: crate::language::ast::ElementKind::Class(count), .. }) = &tensor.element
        {
            self.expression(count);
        }
        for dimension in tensor.shape.iter().flat_map(|shape| &shape.dimensions) {
            self.expression(dimension);
        }
    }

    fn block(&mut self, block: &'a Block) {
        self.statements(&block.statements);
        if let Some(value) = &block.value {
            self.expression(value);
        }
    }

    fn call(&mut self, call: &'a Call) {
        self.used.insert(&call.name.text);
        call.arguments.iter().for_each(|argument| self.expression(&argument.value));
    }

    fn expression(&mut self, expression: &'a Expression) {
        match &expression.kind {
            ExpressionKind::Number(_) | ExpressionKind::Text(_) | ExpressionKind::Boolean(_) => {}
            // What could not be read may have used anything; the mistake itself was reported.
            ExpressionKind::Invalid => {}
            ExpressionKind::Name(name) => {
                self.used.insert(&name.text);
            }
            ExpressionKind::Array(values) => values.iter().for_each(|value| self.expression(value)),
            ExpressionKind::Call(call) => self.call(call),
            ExpressionKind::Method { receiver, call } => {
                self.expression(receiver);
                self.call(call);
            }
            ExpressionKind::Field { value, .. } => self.expression(value),
            ExpressionKind::Unary { operand, .. } => self.expression(operand),
            ExpressionKind::Binary { left, right, .. } => {
                self.expression(left);
                self.expression(right);
            }
            ExpressionKind::Training { then, otherwise } => {
                self.block(then);
                self.block(otherwise);
            }
        }
    }
}
