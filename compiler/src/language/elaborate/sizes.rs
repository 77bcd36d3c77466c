//! Sizes whose product no memory holds. Everything is counted in f64, which overflows nowhere.

use crate::graph::Dim;
use crate::nn::{Argument, Call, Function, Kind};

/// How many values a tensor or a row of it may hold: 64 TiB of f32.
pub const MAX_COUNT: f64 = (1_u64 << 44) as f64;

/// How many values a row of these dimensions holds.
pub fn row_count(dimensions: &[Dim]) -> f64 {
    dimensions.iter().map(|dim| if let Dim::Fixed(size) = dim { *size as f64 } else { 1.0 }).product()
}

/// The product of the sizes that a call asks for: what it makes for each value of its receiver.
pub fn values_asked(function: &Function, call: &Call) -> f64 {
    let parameters = function.parameters;
    let asked = call.arguments.iter().enumerate().filter(|(place, (name, _))| {
        let parameter = if name.is_empty() { parameters.get(*place) } else { parameters.iter().find(|one| one.name == name) };
        parameter.is_some_and(|one| matches!(one.kind, Kind::Size { .. }) || one.kind == Kind::Sizes && one.name != "sizes")
    });
    asked.map(|(_, (_, argument))| product(argument)).product()
}

fn product(argument: &Argument) -> f64 {
    match argument {
        Argument::Number(value) => value.abs().max(1.0),
        Argument::List(list) => list.iter().map(product).product(),
        _ => 1.0,
    }
}
