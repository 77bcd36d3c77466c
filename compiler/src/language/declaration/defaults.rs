//! A tree with every default filled in.
//!
//! Arguments that were left out are written by name behind those that were given. An initialiser that nobody wrote is the one that
//! was chosen by what follows; whether a layer has a bias is as it turned out. Where one call of the text stands for several
//! layers (in a loop, in a function) that differ in this, it stays unsaid.

use super::Declaration;
use crate::base::place::{Source, Span};
use crate::language::ast::{
    Argument, Block, Call, Element, ElementKind, Expression, ExpressionKind, Item, Name, Number, Output, Shape, Statement,
    StatementKind, TensorType,
};
use crate::language::elaborate::matched;
use crate::language::parse::parse_expression;
use crate::nn::choice::Choices;
use crate::nn::network::Use;
use crate::nn::{Kind, Network, Parameter, SEMANTICS, arguments, clips, initializers, optimizers, penalties};
use std::collections::{HashMap, HashSet};

/// What was decided about the layers that one call of the text made.
#[derive(Clone, PartialEq, Debug)]
struct Decided {
    initializer: String,
    reason: String,
    bias: Option<bool>,
}

/// Fills in defaults.
pub(super) struct Filler<'a> {
    declaration: &'a Declaration,
    /// By place of the call; nothing where its layers differ.
    decided: HashMap<String, Option<Decided>>,
    /// Names of functions and layers of the user, which hide those of the catalogue.
    own: HashSet<&'a str>,
    own_optimizers: HashSet<&'a str>,
}

impl<'a> Filler<'a> {
    /// `network` is the declaration's, at training time.
    pub(super) fn new(declaration: &'a Declaration, network: &Network) -> Filler<'a> {
        let (mut own, mut own_optimizers) = (HashSet::new(), HashSet::new());
        for item in &declaration.file.items {
            match item {
                Item::Function(function) => {
                    own.insert(function.name.text.as_str());
                    layers(&function.body.statements, &mut own);
                }
                Item::Optimizer(optimizer) => {
                    own_optimizers.insert(optimizer.name.text.as_str());
                }
                Item::Network(network) => layers(&network.statements, &mut own),
            }
        }
        Filler { declaration, decided: decided(network), own, own_optimizers }
    }

    /// Why the initialiser of this call was chosen; empty if it was written or there is none.
    pub(super) fn reason(&self, call: &Call) -> &str {
        self.decision(call).map_or("", |decided| &decided.reason)
    }

    fn decision(&self, call: &Call) -> Option<&Decided> {
        self.decided.get(&self.declaration.source.place(call.name.span).to_string())?.as_ref()
    }

    pub(super) fn statement(&self, statement: &Statement) -> Statement {
        let kind = match &statement.kind {
            StatementKind::Input { name, tensor } => StatementKind::Input { name: name.clone(), tensor: self.tensor(tensor) },
            StatementKind::Target { name, tensor } => StatementKind::Target { name: name.clone(), tensor: self.tensor(tensor) },
            StatementKind::Parameter { name, tensor, init } => {
                StatementKind::Parameter { name: name.clone(), tensor: self.tensor(tensor), init: self.inner(init) }
            }
            StatementKind::Setting { name, value } => {
                StatementKind::Setting { name: name.clone(), value: self.replaced(name, value) }
            }
            StatementKind::Const { name, value } => {
                StatementKind::Const { name: name.clone(), value: self.replaced(name, value) }
            }
            StatementKind::Let { mutable, name, value } => {
                StatementKind::Let { mutable: *mutable, name: name.clone(), value: self.expression(value) }
            }
            StatementKind::Assign { name, value } => StatementKind::Assign { name: name.clone(), value: self.expression(value) },
            StatementKind::Layer { name, value } => StatementKind::Layer { name: name.clone(), value: self.chain(value) },
            StatementKind::Minimize(value) => StatementKind::Minimize(self.expression(value)),
            StatementKind::Using(value) => StatementKind::Using(self.optimizer(value)),
            StatementKind::Predict(outputs) => StatementKind::Predict(self.outputs(outputs)),
            StatementKind::Report(outputs) => StatementKind::Report(self.outputs(outputs)),
            // Their parts are filled one by one.
            StatementKind::For { .. } | StatementKind::Training { .. } | StatementKind::Allow(_) => statement.kind.clone(),
        };
        Statement { kind, ..statement.clone() }
    }

    pub(super) fn expression(&self, written: &Expression) -> Expression {
        let boxed = |inner: &Expression| Box::new(self.expression(inner));
        let kind = match &written.kind {
            ExpressionKind::Number(Number::Rust { index, .. }) => match self.declaration.rust.get(*index) {
                Some(Some(value)) => return literal(*value),
                _ => written.kind.clone(),
            },
            ExpressionKind::Array(values) => ExpressionKind::Array(values.iter().map(|value| self.expression(value)).collect()),
            ExpressionKind::Call(call) => ExpressionKind::Call(self.call(call, 1)),
            ExpressionKind::Method { receiver, call } => {
                ExpressionKind::Method { receiver: boxed(receiver), call: self.call(call, 0) }
            }
            ExpressionKind::Field { value, name } => ExpressionKind::Field { value: boxed(value), name: name.clone() },
            ExpressionKind::Unary { operator, operand } => ExpressionKind::Unary { operator: *operator, operand: boxed(operand) },
            ExpressionKind::Binary { operator, operator_span, left, right } => ExpressionKind::Binary {
                operator: *operator,
                operator_span: *operator_span,
                left: boxed(left),
                right: boxed(right),
            },
            ExpressionKind::Training { then, otherwise } => {
                ExpressionKind::Training { then: self.block(then), otherwise: self.block(otherwise) }
            }
            ExpressionKind::Number(_)
            | ExpressionKind::Text(_)
            | ExpressionKind::Boolean(_)
            | ExpressionKind::Name(_)
            | ExpressionKind::Invalid => written.kind.clone(),
        };
        Expression { kind, span: written.span }
    }

    fn block(&self, block: &Block) -> Block {
        Block {
            statements: block.statements.iter().map(|statement| self.statement(statement)).collect(),
            value: block.value.as_ref().map(|value| Box::new(self.expression(value))),
            span: block.span,
        }
    }

    fn outputs(&self, outputs: &[Output]) -> Vec<Output> {
        outputs.iter().map(|output| Output { value: self.expression(&output.value), ..output.clone() }).collect()
    }

    fn tensor(&self, tensor: &TensorType) -> TensorType {
        let element = tensor.element.as_ref().map(|element| match &element.kind {
            ElementKind::Class(count) => {
                Element { kind: ElementKind::Class(Box::new(self.expression(count))), span: element.span }
            }
            _ => element.clone(),
        });
        let shape = tensor.shape.as_ref().map(|shape| {
            let dimensions = shape.dimensions.iter().map(|dimension| self.expression(dimension)).collect();
            Shape { dimensions, span: shape.span }
        });
        TensorType { element, shape, span: tensor.span }
    }

    /// The value of a constant or setting, or the one that replaces it.
    fn replaced(&self, name: &Name, value: &Expression) -> Expression {
        self.declaration.sizes.get(&name.text).map_or_else(|| self.expression(value), |value| literal(*value))
    }

    /// `dense(64).relu()` behind `layer`: its first call has no receiver.
    fn chain(&self, written: &Expression) -> Expression {
        self.links(written, &|this, call, _| this.call(call, 0))
    }

    /// `adam(1e-3).clip_norm(1)`.
    fn optimizer(&self, written: &Expression) -> Expression {
        self.links(written, &|this, call, is_first| {
            let parameters = match is_first {
                true if this.own_optimizers.contains(call.name.text.as_str()) => None,
                true => optimizers::find(&call.name.text).ok().map(|optimizer| optimizer.parameters),
                false => clips::find(&call.name.text).ok().map(|clip| clip.parameters),
            };
            this.filled(call, parameters.unwrap_or_default(), 0)
        })
    }

    fn links(&self, written: &Expression, fill: &dyn Fn(&Self, &Call, bool) -> Call) -> Expression {
        let kind = match &written.kind {
            ExpressionKind::Call(call) => ExpressionKind::Call(fill(self, call, true)),
            ExpressionKind::Method { receiver, call } => {
                ExpressionKind::Method { receiver: Box::new(self.links(receiver, fill)), call: fill(self, call, false) }
            }
            _ => return self.expression(written),
        };
        Expression { kind, span: written.span }
    }

    /// A call whose first `skipped` arguments are its receiver.
    fn call(&self, call: &Call, skipped: usize) -> Call {
        let name = call.name.text.as_str();
        if self.own.contains(name) {
            return self.filled(call, &[], 0);
        }
        match crate::nn::function(name) {
            Some(function) => self.filled(call, function.parameters, skipped),
            None => self.inner_call(call),
        }
    }

    /// `l2(1e-4)`, `normal(0, 0.02)`.
    fn inner_call(&self, call: &Call) -> Call {
        let parameters = match (penalties::find(&call.name.text), initializers::find(&call.name.text)) {
            (Ok(penalty), _) => penalty.parameters,
            (_, Ok(initializer)) => initializer.parameters,
            _ => &[],
        };
        self.filled(call, parameters, 0)
    }

    /// An initialiser or a penalty where one stands as an argument.
    fn inner(&self, written: &Expression) -> Expression {
        match &written.kind {
            ExpressionKind::Call(call) => Expression { kind: ExpressionKind::Call(self.inner_call(call)), span: written.span },
            _ => self.expression(written),
        }
    }

    fn filled(&self, call: &Call, parameters: &[Parameter], skipped: usize) -> Call {
        let mut given: HashSet<&str> = HashSet::new();
        let mut filled: Vec<Argument> = Vec::new();
        for argument in call.arguments.iter().take(skipped) {
            filled.push(Argument { value: self.expression(&argument.value), ..argument.clone() });
        }
        let mut semantics = None;
        for (argument, parameter) in matched(&call.arguments, parameters, skipped) {
            if let (Some(SEMANTICS), ExpressionKind::Name(word)) =
                (parameter.map(|parameter| parameter.name), &argument.value.kind)
            {
                semantics = Some(word.text.as_str());
            }
            given.extend(parameter.map(|parameter| parameter.name));
            let value = match parameter.map(|parameter| parameter.kind) {
                Some(Kind::Initializer | Kind::Penalty) => self.inner(&argument.value),
                Some(Kind::Choice(_)) => argument.value.clone(),
                _ => self.expression(&argument.value),
            };
            filled.push(Argument { value, ..argument.clone() });
        }
        for parameter in parameters.iter().filter(|parameter| !given.contains(parameter.name)) {
            let decided = self.decision(call);
            let text = match (parameter.default_under(semantics), parameter.name, decided) {
                (Some(""), "init", Some(decided)) => Some(decided.initializer.clone()),
                (Some(""), "bias", Some(Decided { bias: Some(bias), .. })) => Some(bias.to_string()),
                (Some("") | None, ..) => None,
                (Some(text), ..) => Some(text.to_owned()),
            };
            filled.extend(text.map(|text| named(parameter.name, &text)));
        }
        Call { arguments: filled, ..call.clone() }
    }
}

/// Names of layers that statements define, those of inner blocks included.
fn layers<'a>(statements: &'a [Statement], names: &mut HashSet<&'a str>) {
    for statement in statements {
        match &statement.kind {
            StatementKind::Layer { name, .. } => {
                names.insert(&name.text);
            }
            StatementKind::For { body, .. } => layers(&body.statements, names),
            StatementKind::Training { then, otherwise } => {
                layers(&then.statements, names);
                otherwise.iter().for_each(|block| layers(&block.statements, names));
            }
            _ => {}
        }
    }
}

fn decided(network: &Network) -> HashMap<String, Option<Decided>> {
    let learned: HashSet<_> = network.learned().map(|learned| learned.node).collect();
    let choices = Choices::of(network);
    let mut decided: HashMap<String, Option<Decided>> = HashMap::new();
    for one in network.uses.iter().filter(|one| !one.parameters.is_empty()) {
        let Some(own) = decision(network, &choices, one, |node| learned.contains(&node)) else { continue };
        decided
            .entry(one.place.clone())
            .and_modify(|known| {
                if known.as_ref() != Some(&own) {
                    *known = None;
                }
            })
            .or_insert(Some(own.clone()));
    }
    decided
}

fn decision(
    network: &Network,
    choices: &Choices,
    one: &Use,
    is_learned: impl Fn(crate::graph::NodeId) -> bool,
) -> Option<Decided> {
    let made = &network.parameters[one.parameters.clone()];
    let weight = made.iter().find(|learned| learned.name.ends_with(".weight"))?;
    let choice = choices.choose(weight);
    let reason = if one.call.get("init").is_some() { String::new() } else { choice.reason };
    let takes_bias = one.function.parameters.iter().any(|parameter| parameter.name == "bias");
    let bias = takes_bias.then(|| made.iter().any(|learned| learned.name.ends_with(".bias") && is_learned(learned.node)));
    Some(Decided { initializer: arguments::show_call(&choice.initializer), reason, bias })
}

fn named(name: &str, text: &str) -> Argument {
    let name = Name { text: name.to_owned(), span: Span::UNKNOWN };
    Argument { name: Some(name), value: read(text), span: Span::UNKNOWN }
}

fn literal(value: f64) -> Expression {
    let plain = value.to_string();
    read(&if plain.len() > 20 { format!("{value:e}") } else { plain })
}

/// A default's text, or a number's.
fn read(text: &str) -> Expression {
    let (value, _) = parse_expression(&Source::new("default", text)).expect("defaults and numbers are written in the language");
    value
}
