//! Scaling that is measured on the training data before step 1, saved with the weights and never trained.

use crate::graph::{Dim, Element, NodeId, Shape};
use crate::nn::fault::{NOT_SCALED, WRONG_ELEMENT};
use crate::nn::parameters::{Measure, Scaler};
use crate::nn::{Family, Fault, Function, Kind, Network, Parameter, Receiver};

/// `(x - mean) / deviation` for each column.
pub static STANDARDIZE: Function = Function {
    name: "standardize",
    family: Family::Layer,
    doc: "each column of an input or target to mean 0 and deviation 1, as measured on the training data",
    formula: "(x - mean) / deviation",
    receiver: Receiver::Any,
    build: |network, x, _| {
        let scaler = scaler(network, x, Measure::Standardize, 0.0, 1.0)?;
        scaled(network, x, &scaler)
    },
    transparent: true,
    ..Function::BASE
};

/// `(x - least) / (greatest - least) · (high - low) + low` for each column.
pub static RESCALE: Function = Function {
    name: "rescale",
    family: Family::Layer,
    doc: "each column of an input or target to the range from low to high, as measured on the training data",
    formula: "(x - least) / (greatest - least) * (high - low) + low",
    receiver: Receiver::Any,
    parameters: &[
        Parameter::optional("low", Kind::ANY, "0", "where the least value goes").known(),
        Parameter::optional("high", Kind::ANY, "1", "where the greatest value goes").above("low").known(),
    ],
    build: |network, x, call| {
        let low = call.number("low").unwrap_or(0.0);
        let span = call.number("high").unwrap_or(1.0) - low;
        let scaler = scaler(network, x, Measure::Rescale, low, span)?;
        scaled(network, x, &scaler)
    },
    transparent: true,
    ..Function::BASE
};

/// Undoes the scaling of another value: predictions in the target's own units.
pub static RESTORE: Function = Function {
    name: "restore",
    family: Family::Layer,
    doc: "takes predictions of a scaled input or target back to its units",
    formula: "x * deviation + mean",
    parameters: &[Parameter::required("of", Kind::Tensor, "the input or target that was scaled, or what came of it")],
    build: |network, x, call| {
        let of = call.tensor("of").unwrap_or(x);
        let Some(scaler) = scaler_of(network, of)? else {
            let message = format!("restore undoes a scaling; {} is not scaled", network.describe(of, "the value"));
            return Err(Fault::new(NOT_SCALED, message).help("scale it first: `y.standardize()`").at("of").against(of));
        };
        let builder = &mut network.builder;
        let mut value = x;
        if scaler.low != 0.0 {
            value = builder.offset(value, -scaler.low)?;
        }
        if scaler.span != 1.0 {
            value = builder.scale(value, 1.0 / scaler.span)?;
        }
        let stretched = builder.mul(value, scaler.scale)?;
        Ok(builder.add(stretched, scaler.shift)?)
    },
    ..Function::BASE
};

/// By which a value was scaled, named by what it was before or by what it is now.
fn scaler_of(network: &mut Network, of: NodeId) -> Result<Option<Scaler>, Fault> {
    for scaler in network.scalers.clone() {
        // Scaled again it is the node that it was.
        if scaler.source == of || scaled(network, scaler.source, &scaler)? == of {
            return Ok(Some(scaler));
        }
    }
    Ok(None)
}

/// The scaler of an input or target, made at its first use.
fn scaler(network: &mut Network, x: NodeId, measure: Measure, low: f64, span: f64) -> Result<Scaler, Fault> {
    let known = network.scalers.iter().find(|known| {
        known.source == x
            && known.measure == measure
            && known.low.to_bits() == low.to_bits()
            && known.span.to_bits() == span.to_bits()
    });
    if let Some(known) = known {
        return Ok(known.clone());
    }
    let Some(source) = network.inputs.iter().chain(&network.targets).find(|source| source.node == x).cloned() else {
        let message = "scaling is measured on the data: it stands on an input or target itself";
        return Err(Fault::new(NOT_SCALED, message).help("scale the input first, then go on from there").about(x));
    };
    if matches!(source.ty.element, Element::Class(_) | Element::Bool) {
        let message = format!("`{}` is {}: classes have no mean", source.name, source.ty.element);
        return Err(Fault::new(WRONG_ELEMENT, message).about(x));
    }
    let row: Vec<Dim> = source.ty.shape.0.iter().copied().filter(|dim| *dim != Dim::Batch).collect();
    let (kind, shift, scale) = match measure {
        Measure::Standardize => ("standardize", "mean", "deviation"),
        Measure::Rescale => ("rescale", "least", "range"),
    };
    let shift = network.source_state(&format!("{}.{kind}.{shift}", source.name), Shape(row.clone()), 0.0)?;
    let scale = network.source_state(&format!("{}.{kind}.{scale}", source.name), Shape(row), 1.0)?;
    let scaler = Scaler { source: x, measure, shift, scale, low, span };
    network.scalers.push(scaler.clone());
    Ok(scaler)
}

fn scaled(network: &mut Network, x: NodeId, scaler: &Scaler) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let value = builder.cast(x, Element::F32)?;
    let centred = builder.sub(value, scaler.shift)?;
    let mut value = builder.div(centred, scaler.scale)?;
    if scaler.span != 1.0 {
        value = builder.scale(value, scaler.span)?;
    }
    if scaler.low != 0.0 {
        value = builder.offset(value, scaler.low)?;
    }
    Ok(value)
}
