//! Names that nothing uses.
//!
//! A name is used wherever the word stands as a value or is called; an assignment is no use. That is seen from the tree
//! alone, so that what only one of the two times needs is used.

use crate::base::diagnostics::Diagnostic;
use crate::language::ast::{Block, Call, Expression, ExpressionKind, Iteration, Name, Network, Output, Statement, StatementKind};
use std::collections::HashSet;

/// A warning for each unused input and value of a network; a name that begins with `_` may be unused.
pub(super) fn find(network: &Network) -> Vec<Diagnostic> {
    let mut names = Names::default();
    names.statements(&network.statements);
    let Names { defined, used } = names;
    let unused = defined.into_iter().filter(|(name, _)| !used.contains(name.text.as_str()) && !name.text.starts_with('_'));
    unused.map(|(name, what)| warning(name, what)).collect()
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
    let (lint, what) = match what {
        "" => ("unused_value", String::new()),
        what => ("unused_input", format!("the {what} ")),
    };
    Diagnostic::warning(lint, name.span, format!("nothing uses {what}`{}`", name.text))
        .help(format!("remove it, or name it `_{}`", name.text))
        .fix(name.span, format!("_{}", name.text))
}

#[derive(Default)]
struct Names<'a> {
    defined: Vec<(&'a Name, &'static str)>,
    used: HashSet<&'a str>,
}

impl<'a> Names<'a> {
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
