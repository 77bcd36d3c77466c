//! What is looked at before a network takes it, and what is said of a mistake.

use gradc_compiler::base::names::nearest;
use gradc_compiler::graph::{Element, Shape, Type};
use gradc_compiler::language::elaborate::{MAX_COUNT, TOO_LARGE, row_count};
use gradc_compiler::nn::fault::{ARGUMENT_MISSING, CANNOT_BUILD, WRONG_ELEMENT};
use gradc_compiler::nn::{Argument, Call, Fault, Network};

/// One change that helps, in the builder's words.
pub(super) fn help(fault: &Fault) -> Option<String> {
    let near = fault.argument.as_deref().and_then(|written| nearest(written, fault.candidates().iter().copied()));
    match (near, fault.argument.as_deref()) {
        (Some(near), _) => Some(format!("write `{near}`")),
        _ if !fault.help.is_empty() => Some(fault.help.clone()),
        (None, Some(missing)) if fault.code == ARGUMENT_MISSING => Some(format!("add `.set(\"{missing}\", …)` to the call")),
        (None, _) => {
            let known: Vec<String> = fault.candidates().iter().map(|known| format!("`{known}`")).collect();
            (!known.is_empty() && known.len() <= MOST_LISTED).then(|| format!("there are {}", known.join(", ")))
        }
    }
}

/// Of longer lists nobody reads all.
const MOST_LISTED: usize = 16;

/// An error if a call, or one within it, is given a value that this network does not have.
pub(super) fn own_values(network: &Network, call: &Call) -> Result<(), Fault> {
    fn own(network: &Network, name: &str, argument: &Argument) -> Result<(), Fault> {
        match argument {
            Argument::Tensor(node) if node.index() >= network.builder.graph().nodes.len() => {
                Err(of_another_network(&format!("{name} is given a value of another network")))
            }
            Argument::List(list) => list.iter().try_for_each(|argument| own(network, name, argument)),
            Argument::Call(inner) => own_values(network, inner),
            _ => Ok(()),
        }
    }
    call.arguments.iter().try_for_each(|(_, argument)| own(network, &call.name, argument))
}

/// A value that stands in another network.
pub(super) fn of_another_network(message: &str) -> Fault {
    Fault::new(CANNOT_BUILD, message).help("make the value of this network's own inputs, in its closure")
}

/// The type of a declaration, if it can be.
pub(super) fn declared(element: Element, shape: &[usize]) -> Result<Type, Fault> {
    const DECLARED_TYPE: &str = "E0207";
    if shape.contains(&0) || matches!(element, Element::Class(0)) {
        let fault = Fault::new(DECLARED_TYPE, format!("sizes and classes are at least 1, found {element} {shape:?}"));
        return Err(fault.help("write at least 1; the batch is not among the sizes"));
    }
    if element == Element::F64 {
        return Err(
            Fault::new(WRONG_ELEMENT, "a tensor's elements are f32, i32, u32, bool or classes").help("write `Element::F32`")
        );
    }
    let shape = Shape::batch(shape);
    match row_count(&shape.0) <= MAX_COUNT {
        true => Ok(Type { element, shape }),
        false => {
            let fault = Fault::new(TOO_LARGE, format!("{shape} would hold too many values"));
            Err(fault.help("take smaller sizes, such as 64"))
        }
    }
}
