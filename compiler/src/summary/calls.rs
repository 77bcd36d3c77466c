//! Calls as a reader wants them: what must be given without its name, of the rest only what differs from its default, and every
//! default that a convention has for itself.

use crate::graph::{Element, NodeId};
use crate::nn::arguments::default_of;
use crate::nn::network::Use;
use crate::nn::{Argument, Call, Network, Parameter, SEMANTICS, choice, penalties, schedules};
use crate::ops::{self, Primitive};

/// How many operations of a formula are shown.
const DEEPEST: usize = 6;

/// `dense(128, rate_factor = 0.1)`.
pub(super) fn brief(network: &Network, name: &str, parameters: &[Parameter], call: &Call) -> String {
    let mut shown = Vec::new();
    for (given, argument) in &call.arguments {
        let Some(parameter) = parameters.iter().find(|parameter| parameter.name == given) else { continue };
        if parameter.default.is_none() {
            shown.push(value(network, argument));
        } else if [None, call.word(SEMANTICS)].iter().any(|one| default_of(parameter, *one).as_ref() != Some(argument)) {
            shown.push(format!("{given} = {}", value(network, argument)));
        }
    }
    format!("{name}({})", shown.join(", "))
}

/// Every argument by its name: of an optimizer of the user's own, whose defaults are not at hand.
pub(super) fn all(network: &Network, name: &str, call: &Call) -> String {
    let shown: Vec<String> =
        call.arguments.iter().map(|(given, argument)| format!("{given} = {}", value(network, argument))).collect();
    format!("{name}({})", shown.join(", "))
}

fn value(network: &Network, argument: &Argument) -> String {
    match argument {
        Argument::Number(value) => number(*value),
        Argument::Flag(flag) => flag.to_string(),
        Argument::Word(word) => word.clone(),
        Argument::Tensor(node) => match network.builder.ty(*node).element {
            Element::F64 => scalar(network, *node),
            _ => network.value_name(*node).unwrap_or("…").to_owned(),
        },
        Argument::List(list) if matches!(list.as_slice(), [Argument::Number(_)]) => value(network, &list[0]),
        Argument::List(list) => {
            let shown = list.iter().map(|one| value(network, one)).collect::<Vec<_>>().join(", ");
            // Values in a row are arguments in a row.
            if list.iter().any(|one| matches!(one, Argument::Tensor(_))) { shown } else { format!("[{shown}]") }
        }
        Argument::Call(call) => match penalties::find(&call.name) {
            Ok(penalty) => brief(network, penalty.name, penalty.parameters, call),
            Err(_) => choice::show(call),
        },
    }
}

/// A setting's name, the number that an unnamed one stands for, or the formula.
pub(super) fn scalar(network: &Network, node: NodeId) -> String {
    formula(network, node, DEEPEST, false)
}

fn formula(network: &Network, node: NodeId, depth: usize, is_operand: bool) -> String {
    if let Some(setting) = network.settings.iter().find(|setting| setting.node == node) {
        return if setting.declared { setting.name.clone() } else { number(setting.value) };
    }
    if let Some(schedule) = schedule(network, node) {
        return schedule;
    }
    let graph = network.builder.graph();
    if let Some(constant) = graph.constant(node) {
        return number(constant);
    }
    let Some(depth) = depth.checked_sub(1) else { return "…".into() };
    let inner = graph.node(node);
    let symbol = match inner.primitive {
        Primitive::Add => Some(" + "),
        Primitive::Sub => Some(" - "),
        Primitive::Mul => Some(" * "),
        Primitive::Div => Some(" / "),
        _ => None,
    };
    let operands: Vec<String> =
        inner.operands.iter().map(|operand| formula(network, *operand, depth, symbol.is_some())).collect();
    let name = ops::record(inner.primitive).name;
    match symbol {
        Some(symbol) if is_operand => format!("({})", operands.join(symbol)),
        Some(symbol) => operands.join(symbol),
        None if operands.is_empty() => name.to_owned(),
        None => format!("{name}({})", operands.join(", ")),
    }
}

/// A schedule by its name, as it may be written: `cosine(1e-3)`, `warm_up(500).then(cosine(1e-3))`.
fn schedule(network: &Network, node: NodeId) -> Option<String> {
    let is_schedule = |one: &&Use| one.output == node && schedules::LIST.iter().any(|known| known.name == one.function.name);
    let one = network.uses.iter().rev().find(is_schedule)?;
    let (name, of) = (one.function.name, scalar(network, one.input));
    let call = brief(network, name, one.function.parameters, &one.call);
    if schedule(network, one.input).is_some() {
        return Some(format!("{of}.{call}"));
    }
    let rest = call.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?;
    Some(if rest.is_empty() { format!("{name}({of})") } else { format!("{name}({of}, {rest})") })
}

/// The shorter of `0.0001` and `1e-4`.
pub(super) fn number(value: f64) -> String {
    let (plain, scientific) = (format!("{value}"), format!("{value:e}"));
    if value.abs() < 0.01 && scientific.len() < plain.len() { scientific } else { plain }
}
