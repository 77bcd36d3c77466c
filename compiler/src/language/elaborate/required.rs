//! What every network states, and what its statements could be instead.

use super::Elaborator;
use super::fixes::{Change, before};
use super::value::Value;
use crate::base::diagnostics::Diagnostic;
use crate::base::place::Span;
use crate::graph::{Dim, Element, NodeId};
use crate::language::ast::{self, Expression, ExpressionKind, Name, Output, StatementKind};
use crate::language::print;
use crate::nn::fault::{NO_LOSS, NO_OPTIMIZER};

impl<'a> Elaborator<'a> {
    /// The part of a served value that needs no target.
    pub(super) fn without_targets(&self, span: Span) -> Option<Change> {
        let statements = self.written?.statements.iter();
        let mut outputs = statements.filter_map(|statement| match &statement.kind {
            StatementKind::Predict(outputs) => outputs.iter().find(|output| output.value.span == span),
            _ => None,
        });
        let value = &outputs.next()?.value;
        let is_target = |expression: &Expression| match &expression.kind {
            ExpressionKind::Name(name) => self.network.targets.iter().any(|target| target.name == name.text),
            _ => false,
        };
        let text = match &value.kind {
            ExpressionKind::Binary { left, right, .. } if is_target(right) => print::expression(left),
            ExpressionKind::Binary { left, right, .. } if is_target(left) => print::expression(right),
            _ => self.served_anyway()?.to_owned(),
        };
        Some(Change::write(span, text))
    }

    /// The latest value that needs no target.
    fn served_anyway(&self) -> Option<&'a str> {
        let is_real = |node: NodeId| self.network.builder.ty(node).element == Element::F32;
        let fits = |name: &&str| self.node_called(name).is_some_and(|node| is_real(node) && self.target_in(node).is_none());
        self.visible().into_iter().find(fits)
    }

    /// `softmax = logits.softmax()`: a value with a name that says what it is.
    pub(super) fn named_output(&self, output: &Output) -> String {
        let name = match &output.value.kind {
            ExpressionKind::Name(name) => &name.text,
            ExpressionKind::Call(call) | ExpressionKind::Method { call, .. } => &call.name.text,
            _ => "value",
        };
        let is_taken = self.network.predicts.iter().any(|(known, _)| known == name);
        let name = if is_taken { self.free_name(name) } else { name.to_owned() };
        format!("{name} = {}", print::expression(&output.value))
    }

    /// Offers another name for what is measured.
    pub(super) fn renamed(&self, mistake: Diagnostic, output: &Output, name: &Name) -> Diagnostic {
        let free = self.free_name(&name.text);
        let (span, text) = match &output.name {
            Some(written) => (written.span, free.clone()),
            None => (before(output.value.span), format!("{free} = ")),
        };
        mistake.help(format!("give it another name, such as `{free}`")).fix(span, text)
    }

    /// What every network states.
    pub(super) fn require_statements(&mut self, network: &'a ast::Network) {
        // Where the walk was given up, statements may stand below.
        if self.gave_up() {
            return;
        }
        let name = &network.name;
        let loss = self.some_loss();
        for (word, code, missing, value) in [
            ("minimize", NO_LOSS, "minimises nothing, so there is nothing to train for", loss),
            ("using", NO_OPTIMIZER, "has no optimizer to train by", Some("adam(rate = 1e-3)".to_owned())),
        ] {
            if !self.stated.contains_key(word) {
                let mistake = Diagnostic::error(code, name.span, format!("`{}` {missing}", name.text));
                let (line, column) = network.span.end();
                let closing = before(Span::new((line, column.saturating_sub(1)), (line, column)));
                self.report(match value {
                    Some(value) => mistake.help(format!("add `{word} {value};`")).fix(closing, format!("    {word} {value};\n")),
                    None => mistake.help(format!("add `{word} …;`")),
                });
            }
        }
    }

    /// A loss that the network's values and targets allow.
    pub(super) fn some_loss(&self) -> Option<String> {
        let shape = |node: NodeId| self.network.builder.graph().shape(node);
        let Some(target) = self.network.targets.last() else { return Some(format!("{}.mean()", self.any_value()?)) };
        let values = self.visible().into_iter().filter_map(|name| match self.find(name)?.value {
            Value::Tensor(node) => Some((name, node)),
            _ => None,
        });
        let mut values =
            values.filter(|(_, node)| self.network.builder.ty(*node).element == Element::F32 && *node != target.node);
        match target.ty.element {
            Element::Class(count) => {
                let fits = |(_, node): &(&str, NodeId)| {
                    shape(*node).0.split_last() == Some((&Dim::Fixed(count as usize), target.ty.shape.0.as_slice()))
                };
                let value = values.find(fits).map(|(name, _)| name.to_owned());
                let value = value.or_else(|| Some(format!("{}.dense({count})", self.any_value()?)))?;
                Some(format!("{value}.cross_entropy({})", target.name))
            }
            _ => {
                let (value, _) = values.find(|(_, node)| *shape(*node) == target.ty.shape)?;
                Some(format!("{value}.mean_squared_error({})", target.name))
            }
        }
    }
}
