//! What is served, minimised, measured, and by which optimizer.

use super::fixes::Change;
use super::value::Value;
use super::{Elaborator, NEEDS_TARGET, PENALTY_PLACE, SERVED, WRONG_VALUE};
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::graph::NodeId;
use crate::language::ast::{self, BinaryOperator, Call, Expression, ExpressionKind, Name, Output};
use crate::language::print;
use crate::nn::fault::{NAME_TWICE, NAME_UNKNOWN, NO_LOSS, STATED_TWICE};
use crate::nn::{self, Argument, clips, groups, optimizers, penalties};
use crate::ops::Primitive;
use petgraph::visit::Dfs;

/// Name under which a single value is served.
pub const PREDICTION: &str = "prediction";

impl<'a> Elaborator<'a> {
    /// `predict class = logits.softmax(), depth = d;`
    pub(super) fn predict(&mut self, outputs: &'a [Output], word: Span) {
        for output in outputs {
            let value = self.below("predict", |this| this.expression(&output.value));
            let node =
                self.tensor(value, &output.value, "`predict` serves values of the network", self.any_value().map(str::to_owned));
            let is_alone = outputs.len() == 1 && !self.stated.contains_key("predict");
            let name = match &output.name {
                Some(name) => name.text.as_str(),
                None if is_alone => PREDICTION,
                // What it was to be was not read.
                None if matches!(output.value.kind, ExpressionKind::Invalid) => continue,
                None => {
                    let message = "of several values served each has a name";
                    let mistake = Diagnostic::error(SERVED, output.span, message);
                    self.report(mistake.write(self.named_output(output)));
                    continue;
                }
            };
            let Some(node) = node else { continue };
            match self.network.predict(name, node) {
                Ok(()) => self.served.push(output.value.span),
                Err(fault) => {
                    let span = output.name.as_ref().map_or(output.span, |name| name.span);
                    self.fault(fault, span);
                }
            }
        }
        self.stated.entry("predict").or_insert(word);
    }

    /// What is served is served where there are no targets.
    pub(super) fn check_served(&mut self) {
        for index in 0..self.network.predicts.len() {
            let Some(target) = self.target_in(self.network.predicts[index].1) else { continue };
            let Some(target) = self.network.targets.iter().find(|known| known.node == target) else { continue };
            let message = format!("`predict` cannot serve what needs the target `{}`: it is there in training only", target.name);
            let mut mistake = Diagnostic::error(NEEDS_TARGET, self.served[index], message);
            if let Some(made) = self.made.get(&target.node) {
                mistake = mistake.because(made.span, "declared as a target here");
            }
            let change = self.without_targets(self.served[index]);
            self.report_with(mistake, change);
        }
    }

    /// A target that a value is computed from.
    pub(super) fn target_in(&self, node: NodeId) -> Option<NodeId> {
        let graph = self.network.builder.graph();
        let mut walk = Dfs::new(graph, node);
        while let Some(id) = walk.next(graph) {
            if graph.node(id).primitive == Primitive::Target {
                return Some(id);
            }
        }
        None
    }

    /// The node of a value; another kind of value is a mistake.
    fn tensor(&mut self, value: Value<'a>, written: &'a Expression, rule: &str, instead: Option<String>) -> Option<NodeId> {
        match value {
            Value::Tensor(node) => Some(node),
            Value::Unknown | Value::Later => None,
            other => {
                let message = format!("{rule}; this is {}", other.kind());
                let mistake = Diagnostic::error(WRONG_VALUE, written.span, message);
                self.report_with(mistake, instead.map(|instead| Change::write(written.span, instead)));
                None
            }
        }
    }

    /// Notes a statement that may stand once; `false` at the second.
    fn states(&mut self, what: &'static str, word: Span, message: &str) -> bool {
        match self.stated.get(what) {
            Some(first) => {
                let mistake = Diagnostic::error(STATED_TWICE, word, message).because(*first, "the first is here");
                let change = self.statement_away(word);
                self.report_with(mistake, change);
                false
            }
            None => {
                self.stated.insert(what, word);
                true
            }
        }
    }

    /// `minimize loss + l2(1e-4);`
    pub(super) fn minimize(&mut self, value: &'a Expression, word: Span) {
        let is_first = self.states("minimize", word, "a network minimises one sum; join the two with `+`");
        let mut terms = Vec::new();
        let loss = self.below("minimize", |this| this.term(value, &mut terms).unwrap_or(Value::Unknown));
        let mut has_penalty = false;
        for term in terms {
            has_penalty = true;
            if is_first {
                self.penalty(term);
            }
        }
        let only_penalties = has_penalty && is_penalty_alone(value);
        if only_penalties && is_first {
            let mistake = Diagnostic::error(NO_LOSS, value.span, "a penalty alone is no loss: there is nothing to learn from");
            let sum = self.some_loss().map(|loss| format!("{loss} + {}", print::expression(value)));
            let change = sum.map(|sum| Change::write(value.span, sum));
            return self.report_with(mistake, change);
        }
        let instead = self.some_loss();
        let Some(node) = self.tensor(loss, value, "training lowers a value of the network", instead) else { return };
        if is_first && let Err(fault) = self.network.minimize(node) {
            self.fault_of(fault, value.span, Some(value));
        }
    }

    /// The value of a sum without its penalties, which are collected; nothing if it is penalties only.
    fn term(&mut self, written: &'a Expression, penalties: &mut Vec<Penalty<'a>>) -> Option<Value<'a>> {
        match &written.kind {
            ExpressionKind::Call(call) if self.is_penalty(call) => {
                penalties.push(Penalty { call, factors: Vec::new() });
                None
            }
            ExpressionKind::Binary { operator: BinaryOperator::Add, operator_span, left, right } => {
                let (a, b) = (self.term(left, penalties), self.term(right, penalties));
                match (a, b) {
                    (Some(a), Some(b)) => Some(self.binary(BinaryOperator::Add, *operator_span, (a, left), (b, right), written)),
                    (one, other) => one.or(other),
                }
            }
            ExpressionKind::Binary { operator: BinaryOperator::Multiply, left, right, .. } => {
                for (factor, term) in [(left, right), (right, left)] {
                    if is_penalty_alone(term)
                        && let ExpressionKind::Call(call) = &term.kind
                        && self.is_penalty(call)
                    {
                        let factor = self.expression(factor);
                        penalties.push(Penalty { call, factors: vec![factor] });
                        return None;
                    }
                }
                Some(self.expression(written))
            }
            _ => Some(self.expression(written)),
        }
    }

    fn is_penalty(&self, call: &Call) -> bool {
        let name = call.name.text.as_str();
        penalties::find(name).is_ok() && self.function(name).is_none() && self.find(name).is_none()
    }

    fn penalty(&mut self, term: Penalty<'a>) {
        let call = term.call;
        let Ok(penalty) = penalties::find(&call.name.text) else { return };
        let Some(mut arguments) = self.arguments(call, penalty.parameters, 0) else { return };
        match nn::arguments::resolve(penalty.name, penalty.parameters, &arguments) {
            Ok(resolved) => arguments = resolved,
            Err(fault) => {
                self.call_fault(fault, call, penalty.parameters, 0);
                return;
            }
        }
        self.at(call.name.span);
        for factor in term.factors {
            let Some((_, strength)) = arguments.arguments.iter_mut().find(|(name, _)| name == "strength") else { continue };
            let known = match (&factor, &*strength) {
                (Value::Number(factor), Argument::Number(strength)) => Some(Argument::Number(factor * strength)),
                _ => None,
            };
            let scalar = match &*strength {
                Argument::Number(value) => Some(self.network.builder.constant_f64(*value)),
                Argument::Tensor(node) => Some(*node),
                _ => None,
            };
            *strength = match (known, scalar, self.scalar_or_tensor(&factor)) {
                (Some(known), ..) => known,
                (None, Some(strength), Some(factor)) => match self.network.builder.mul(factor, strength) {
                    Ok(node) => Argument::Tensor(node),
                    Err(_) => continue,
                },
                _ => {
                    self.error(PENALTY_PLACE, call.span, "a penalty is multiplied by numbers");
                    return;
                }
            };
        }
        if let Err(fault) = self.network.penalize(&arguments) {
            self.call_fault(fault, call, penalty.parameters, 0);
        }
    }

    /// `using adam(rate = 1e-3).clip_global_norm(1.0);`
    pub(super) fn using(&mut self, value: &'a Expression, word: Span) {
        let is_first = self.states("using", word, "a network is trained by one optimizer");
        if matches!(value.kind, ExpressionKind::Invalid) {
            return;
        }
        let Some(chain) = value.chain() else {
            let mistake = Diagnostic::error(WRONG_VALUE, value.span, "expected an optimizer");
            return self.report(mistake.write("adam(rate = 1e-3)"));
        };
        let (first, rest) = (chain[0], &chain[1..]);
        let (groups, rest): (Vec<&Call>, Vec<&Call>) = rest.iter().partition(|call| call.name.text == groups::NAME);
        for group in groups {
            if let Some(arguments) = self.arguments(group, groups::PARAMETERS, 0) {
                self.groups.push((group, arguments));
            }
        }
        let clips: Vec<Option<nn::Call>> = rest.iter().map(|call| self.clip(call, first, value.span)).collect();
        let clips: Option<Vec<nn::Call>> = clips.into_iter().collect();
        if let Some(own) = self.own_optimizer(&first.name.text) {
            self.using_own(own, first, clips, is_first);
            return self.place_clips(&rest, is_first);
        }
        let optimizer = match optimizers::find(&first.name.text) {
            Ok(optimizer) => optimizer,
            Err(_) => return self.unknown_optimizer(first),
        };
        let Some(arguments) = self.arguments(first, optimizer.parameters, 0) else { return };
        self.at(first.name.span);
        if !self.argument_faults(optimizer.name, first, &arguments, optimizer.parameters, 0) {
            return;
        }
        let Some(clips) = clips else { return };
        if is_first && let Err(fault) = self.network.using(&arguments, &clips) {
            self.call_fault(fault, first, optimizer.parameters, 0);
        }
        self.place_clips(&rest, is_first);
    }

    /// Clips come from their own words, which may stand lines below their optimizer's.
    fn place_clips(&mut self, written: &[&Call], is_first: bool) {
        let clips = self.network.optimizer.iter_mut().filter(|_| is_first).flat_map(|optimizer| &mut optimizer.clips);
        for (clip, call) in clips.zip(written) {
            clip.place = self.source.place(call.name.span).to_string();
        }
    }

    /// Says beforehand which parameters groups freeze: `.group("stem.*", frozen = true)`.
    pub(super) fn announce_groups(&mut self, statements: &[ast::Statement]) {
        let using = statements.iter().filter_map(|statement| match &statement.kind {
            ast::StatementKind::Using(value) => value.chain(),
            _ => None,
        });
        for group in using.flatten().filter(|call| call.name.text == groups::NAME) {
            let frozen = group.arguments.iter().find_map(|argument| match (&argument.name, &argument.value.kind) {
                (Some(name), ExpressionKind::Boolean(flag)) if name.text == "frozen" => Some(*flag),
                _ => None,
            });
            let pattern = group.arguments.iter().find_map(|argument| match &argument.value.kind {
                ExpressionKind::Text(text) => Some(text),
                _ => None,
            });
            if let (Some(pattern), Some(frozen)) = (pattern, frozen) {
                self.network.announce(pattern, frozen);
            }
        }
    }

    /// What the optimizer does differently with some parameters, now that all are known.
    pub(super) fn apply_groups(&mut self) {
        if self.is_partial {
            return;
        }
        for (written, group) in std::mem::take(&mut self.groups) {
            self.at(written.name.span);
            if let Err(fault) = self.network.group(&group) {
                self.call_fault(fault, written, groups::PARAMETERS, 0);
            }
        }
    }

    fn unknown_optimizer(&mut self, call: &'a Call) {
        let name = &call.name.text;
        let mistake = Diagnostic::error(NAME_UNKNOWN, call.name.span, format!("no optimizer is called `{name}`"));
        let own = self.file.items.iter().filter_map(|item| match item {
            ast::Item::Optimizer(optimizer) => Some(optimizer.name.text.as_str()),
            _ => None,
        });
        let known = own.chain(optimizers::LIST.iter().map(|optimizer| optimizer.name));
        self.report(match nearest(name, known) {
            Some(near) => mistake.write(near),
            None => mistake.help("write `adam(rate = 1e-3)`").fix(call.span, "adam(rate = 1e-3)"),
        });
    }

    /// A clip behind an optimizer; `whole` is both.
    fn clip(&mut self, call: &'a Call, optimizer: &Call, whole: Span) -> Option<nn::Call> {
        let name = &call.name.text;
        let clip = match clips::find(name) {
            Ok(clip) => clip,
            Err(_) if penalties::find(name).is_ok() => {
                let message = format!("`{name}` is a penalty: it stands as a term of `minimize`");
                let mistake = Diagnostic::error(PENALTY_PLACE, call.name.span, message);
                let help = format!("take it away here, and add `+ {}` to what is minimised", print::call(call));
                let (line, column) = call.span.start();
                self.report(mistake.help(help).fix(Span::new((line, column.saturating_sub(1)), call.span.end()), ""));
                return None;
            }
            Err(_) if optimizers::find(name).is_ok() => {
                let message = format!("`{name}` is an optimizer itself, and stands in the place of `{}`", optimizer.name.text);
                let rate = optimizer.arguments.first().map_or("1e-3".to_owned(), |first| print::expression(&first.value));
                let mistake = Diagnostic::error(WRONG_VALUE, call.name.span, message);
                self.report(mistake.help(format!("write `{name}({rate})`")).fix(whole, format!("{name}({rate})")));
                return None;
            }
            Err(fault) => {
                self.fault(fault, call.name.span);
                return None;
            }
        };
        let arguments = self.arguments(call, clip.parameters, 0)?;
        self.argument_faults(clip.name, call, &arguments, clip.parameters, 0).then_some(arguments)
    }

    /// `report hit = accuracy(logits, digit), part = a;`
    pub(super) fn reports(&mut self, outputs: &'a [Output]) {
        for output in outputs {
            let value = self.below("report", |this| this.expression(&output.value));
            let node = self.tensor(value, &output.value, "`report` measures values of the network", self.some_loss());
            let Some(name) = report_name(output) else {
                if matches!(output.value.kind, ExpressionKind::Invalid) {
                    continue;
                }
                let mistake = Diagnostic::error(SERVED, output.span, "what is measured needs a name");
                self.report(mistake.write(self.named_output(output)));
                continue;
            };
            if name.text == "loss" {
                let message = "`loss` is measured always; another value needs another name";
                self.report(self.renamed(Diagnostic::error(NAME_TWICE, name.span, message), output, name));
                continue;
            }
            if let Some(first) = self.measured.get(name.text.as_str()).copied() {
                let message = format!("`{}` is measured twice", name.text);
                let mistake = Diagnostic::error(NAME_TWICE, name.span, message).because(first, "the first is here");
                self.report(self.renamed(mistake, output, name));
                continue;
            }
            self.measured.insert(&name.text, name.span);
            if let Some(node) = node
                && let Err(fault) = self.network.report(&name.text, node)
            {
                self.fault_of(fault, output.value.span, Some(&output.value));
            }
        }
    }

    /// `allow(minimized_mean_error);`
    pub(super) fn allow(&mut self, names: &'a [Name]) {
        for name in names {
            if super::LINTS.iter().all(|(lint, _)| *lint != name.text) {
                let mistake = Diagnostic::error(NAME_UNKNOWN, name.span, format!("no lint is called `{}`", name.text));
                let near =
                    nearest(&name.text, super::LINTS.iter().map(|(lint, _)| *lint)).map(|near| Change::write(name.span, near));
                let change = near.or_else(|| self.not_allowed(names, name));
                self.report_with(mistake, change);
            }
            self.allowed.insert(&name.text);
        }
    }

    /// A list of lints without one of them; an empty list is none.
    fn not_allowed(&self, names: &[Name], name: &Name) -> Option<Change> {
        let others: Vec<&str> = names.iter().filter(|other| other.span != name.span).map(|other| other.text.as_str()).collect();
        let (first, last) = (names.first()?, names.last()?);
        let taken = match others.is_empty() {
            true => self.statement_away(name.span)?,
            false => Change::write(first.span.to(last.span), others.join(", ")),
        };
        Some(Change { help: format!("{}; `gradc explain` lists the lints", taken.help), ..taken })
    }
}

/// A penalty among the terms of `minimize`, and what it is multiplied by.
struct Penalty<'a> {
    call: &'a Call,
    factors: Vec<Value<'a>>,
}

fn is_penalty_alone(written: &Expression) -> bool {
    match &written.kind {
        ExpressionKind::Call(call) => penalties::find(&call.name.text).is_ok(),
        ExpressionKind::Binary { operator: BinaryOperator::Add, left, right, .. } => {
            is_penalty_alone(left) && is_penalty_alone(right)
        }
        ExpressionKind::Binary { operator: BinaryOperator::Multiply, left, right, .. } => {
            is_penalty_alone(left) || is_penalty_alone(right)
        }
        _ => false,
    }
}

/// The name of a measured value: the one given, else that of the function or of the value.
pub fn report_name(output: &Output) -> Option<&Name> {
    match (&output.name, &output.value.kind) {
        (Some(name), _) | (None, ExpressionKind::Name(name)) => Some(name),
        (None, ExpressionKind::Call(call) | ExpressionKind::Method { call, .. }) => Some(&call.name),
        _ => None,
    }
}
