//! Names: what they mean where, and what is said of one that means nothing.

use super::Elaborator;
use super::value::Value;
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::graph::{Element, NodeId};
use crate::language::ast::{Item, Name, Statement, StatementKind};
use crate::nn::fault::{NAME_TWICE, NAME_UNKNOWN};
use crate::nn::{self, initializers, penalties};
use std::collections::HashMap;

/// What a name means.
#[derive(Clone, Debug)]
pub(super) struct Binding<'a> {
    pub value: Value<'a>,
    /// Where it was defined.
    pub span: Span,
    pub is_mutable: bool,
    /// Path below which its layers' parameters are named.
    pub path: String,
}

/// Where a run stands, in formulas.
const RUN_WORDS: [&str; 3] = ["step", "steps", "epoch"];

/// One turn of a loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// From 0.
    pub index: usize,
    pub count: usize,
}

/// The names that can be seen: those of the network, or of one call of a function.
#[derive(Debug, Default)]
pub(super) struct Frame<'a> {
    /// Blocks within one another, innermost last.
    pub scopes: Vec<Vec<(&'a str, Binding<'a>)>>,
    /// Loops within one another, innermost last.
    pub turns: Vec<Turn>,
    /// The call that is being inlined, and what is called.
    pub call: Option<(Span, &'a str)>,
    /// Names that the statements of this frame define, now or later.
    pub defined: HashMap<&'a str, Span>,
    /// The statements themselves.
    pub statements: &'a [Statement],
}

impl<'a> Frame<'a> {
    pub(super) fn of_network(statements: &'a [Statement]) -> Frame<'a> {
        Frame { scopes: vec![Vec::new()], defined: definitions(statements), statements, ..Frame::default() }
    }

    pub(super) fn of_call(call: Span, name: &'a str, statements: &'a [Statement]) -> Frame<'a> {
        Frame { call: Some((call, name)), ..Frame::of_network(statements) }
    }

    fn find(&self, name: &str) -> Option<&Binding<'a>> {
        let all = self.scopes.iter().rev().flat_map(|scope| scope.iter().rev());
        all.into_iter().find(|(known, _)| *known == name).map(|(_, binding)| binding)
    }
}

/// The names that statements define, blocks left out: what stands in them is not seen outside.
fn definitions(statements: &[Statement]) -> HashMap<&str, Span> {
    let mut names = HashMap::new();
    for statement in statements {
        if let Some(name) = defined_name(&statement.kind) {
            names.entry(name.text.as_str()).or_insert(name.span);
        }
    }
    names
}

/// The name that a statement defines.
pub(super) fn defined_name(kind: &StatementKind) -> Option<&Name> {
    match kind {
        StatementKind::Input { name, .. }
        | StatementKind::Target { name, .. }
        | StatementKind::Parameter { name, .. }
        | StatementKind::Setting { name, .. }
        | StatementKind::Const { name, .. }
        | StatementKind::Let { name, .. }
        | StatementKind::Layer { name, .. } => Some(name),
        StatementKind::Assign { .. }
        | StatementKind::For { .. }
        | StatementKind::Training { .. }
        | StatementKind::Predict(_)
        | StatementKind::Minimize(_)
        | StatementKind::Using(_)
        | StatementKind::Report(_)
        | StatementKind::Allow(_) => None,
    }
}

impl<'a> Elaborator<'a> {
    pub(super) fn frame(&mut self) -> &mut Frame<'a> {
        self.frames.last_mut().expect("a frame is pushed before statements are walked and popped after them")
    }

    /// What a name means here.
    pub(super) fn find(&self, name: &str) -> Option<&Binding<'a>> {
        self.frames.last()?.find(name)
    }

    /// The same, to be changed.
    pub(super) fn find_mut(&mut self, name: &str) -> Option<&mut Binding<'a>> {
        let scopes = self.frames.last_mut()?.scopes.iter_mut().rev();
        let mut all = scopes.flat_map(|scope| scope.iter_mut().rev());
        all.find(|(known, _)| *known == name).map(|(_, binding)| binding)
    }

    /// Defines a name; a second definition is a mistake and is not seen.
    pub(super) fn define(&mut self, name: &'a Name, value: Value<'a>) {
        self.define_with(name, value, false, String::new());
    }

    pub(super) fn define_with(&mut self, name: &'a Name, value: Value<'a>, is_mutable: bool, path: String) {
        if name.text == "batch" {
            let mistake = Diagnostic::error(NAME_TWICE, name.span, "`batch` is the free dimension and no name to give");
            return self.report(mistake.write("rows"));
        }
        if let Some(first) = self.find(&name.text) {
            let is_assigned = first.is_mutable;
            let message = format!("`{}` is defined twice", name.text);
            let mut mistake = Diagnostic::error(NAME_TWICE, name.span, message).because(first.span, "defined here first");
            mistake = match self
                .statement_at(name.span)
                .filter(|statement| is_assigned && matches!(statement.kind, StatementKind::Let { .. }))
            {
                Some(statement) => {
                    let whole = Span::new(statement.word.start(), name.span.end());
                    mistake.help(format!("assign to it: `{} = …;`", name.text)).fix(whole, name.text.as_str())
                }
                None => {
                    let free = self.free_name(&name.text);
                    mistake.help(format!("give it another name, such as `{free}`")).fix(name.span, free)
                }
            };
            return self.report(mistake);
        }
        let binding = Binding { value, span: name.span, is_mutable, path };
        if let Some(scope) = self.frame().scopes.last_mut() {
            scope.push((&name.text, binding));
        }
    }

    /// The value of a name, or the mistake.
    pub(super) fn named(&mut self, name: &'a Name) -> Value<'a> {
        match self.find(&name.text) {
            Some(binding) => binding.value.clone(),
            None => {
                self.unknown_name(name);
                self.unknown()
            }
        }
    }

    /// Whether a name means nothing here, nor will below.
    pub(super) fn is_nothing(&self, name: &str) -> bool {
        let is_later = self.frames.last().is_some_and(|frame| frame.defined.contains_key(name));
        !is_later && self.find(name).is_none() && name != "batch" && !RUN_WORDS.contains(&name) && !Self::is_word(name)
    }

    /// Says that a name means nothing here.
    pub(super) fn unknown_name(&mut self, name: &Name) {
        let text = &name.text;
        if let Some(later) = self.frames.last().and_then(|frame| frame.defined.get(text.as_str())) {
            return self.used_before(name, *later);
        }
        let mistake = Diagnostic::error(NAME_UNKNOWN, name.span, format!("nothing is called `{text}` here"));
        let known: Vec<&str> = self.visible();
        let is_function = self.function(text).is_some() || nn::function(text).is_some();
        let near = nearest(text, known.iter().copied()).or_else(|| nearest(text, RUN_WORDS));
        self.report(match (near, known.first()) {
            (Some(near), _) => mistake.write(near),
            (None, None) => mistake,
            (None, Some(_)) if is_function => {
                let value = self.any_value().unwrap_or("x");
                let call = nn::function(text).map(|function| self.some_call(function, self.node_called(value)));
                let call = format!("{value}.{}", call.unwrap_or_else(|| format!("{text}()")));
                mistake.help(format!("call it on a value: `{call}`")).fix(name.span, call)
            }
            (None, Some(latest)) => {
                let mistake = mistake.help(format!("there are {}", listed(&known)));
                mistake.fix(name.span, self.any_value().unwrap_or(latest))
            }
        });
    }

    /// Every name that can be seen, the latest first.
    pub(super) fn visible(&self) -> Vec<&'a str> {
        let scopes = self.frames.last().into_iter().flat_map(|frame| frame.scopes.iter().rev());
        scopes.flat_map(|scope| scope.iter().rev().map(|(name, _)| *name)).collect()
    }

    /// The name of the latest value of the network that can be seen.
    pub(super) fn any_value(&self) -> Option<&'a str> {
        let is_value = |name: &&str| match self.find(name).map(|binding| &binding.value) {
            Some(Value::Tensor(node)) => self.network.builder.ty(*node).element == Element::F32 && self.is_computed(*node),
            _ => false,
        };
        self.visible().into_iter().find(is_value)
    }

    /// Whether it is neither a target nor a parameter.
    fn is_computed(&self, node: NodeId) -> bool {
        self.network.targets.iter().all(|target| target.node != node)
            && self.network.parameters.iter().all(|known| known.node != node)
    }

    /// `a_2` for an `a` that is taken.
    pub(super) fn free_name(&self, name: &str) -> String {
        let mut number = 2;
        loop {
            let free = format!("{name}_{number}");
            let is_defined = self.frames.last().is_some_and(|frame| frame.defined.contains_key(free.as_str()));
            if !is_defined && self.find(&free).is_none() && !self.measured.contains_key(free.as_str()) {
                return free;
            }
            number += 1;
        }
    }

    /// What a word is that is no value but something else of the language.
    pub(super) fn is_word(name: &str) -> bool {
        initializers::find(name).is_ok() || penalties::find(name).is_ok() || name == "none"
    }

    /// Two functions, or two optimizers, or two networks of one name.
    pub(super) fn check_items(&mut self) {
        let mut seen: HashMap<(u8, &str), Span> = HashMap::new();
        for item in &self.file.items {
            let (kind, name) = match item {
                Item::Function(function) => (0, &function.name),
                Item::Optimizer(optimizer) => (1, &optimizer.name),
                Item::Network(network) => (2, &network.name),
            };
            if let Some(first) = seen.insert((kind, &name.text), name.span) {
                let message = format!("`{}` is defined twice", name.text);
                let mistake = Diagnostic::error(NAME_TWICE, name.span, message).because(first, "defined here first");
                let free = format!("{}_2", name.text);
                self.report(mistake.help(format!("give it another name, such as `{free}`")).fix(name.span, free));
            }
        }
    }
}

/// `a`, `b` and `c`; of many the first few.
fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(6).rev().map(|name| format!("`{name}`")).collect();
    match shown.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
