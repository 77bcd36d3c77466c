//! A learned vector for each class.

use super::{FROZEN, INIT, PENALTY, RATE_FACTOR};
use crate::graph::{Attributes, Element};
use crate::nn::fault::WRONG_ELEMENT;
use crate::nn::parameters::Wanted;
use crate::nn::{Call, Family, Fault, Function, Kind, Parameter, Receiver};
use crate::ops::Primitive;

/// Rows of a table by class index; the gradient adds up the rows of each class.
pub static EMBEDDING: Function = Function {
    name: "embedding",
    family: Family::Layer,
    doc: "class(n) [..] to [.., width]: the row of a learned table [n, width]; its first values are normal(0, 0.02)",
    formula: "weight[x]",
    receiver: Receiver::Index,
    parameters: &[
        Parameter::required("width", Kind::Size { least: 1 }, "the size of a class's vector"),
        Parameter { doc: "initialiser of the table; normal(deviation = 0.02) unless told", ..INIT },
        PENALTY,
        RATE_FACTOR,
        FROZEN,
    ],
    build: |network, x, call| {
        let width = call.size("width");
        let Element::Class(classes) = network.builder.ty(x).element else {
            let message = "embedding needs to know how many classes there are";
            return Err(Fault::new(WRONG_ELEMENT, message).help("declare the input as `class(n)`").about(x));
        };
        let mut wanted = network.governed(call, Wanted::weight(&[classes as usize, width], classes as usize, width))?;
        if wanted.initializer.is_none() {
            wanted.initializer = Some(Call::new("normal").set("mean", 0.0).set("deviation", 0.02));
        }
        let table = network.parameter("weight", wanted)?;
        Ok(network.builder.apply(Primitive::Gather, &[table, x], Attributes::None, None)?)
    },
    width: Some("width"),
    ..Function::BASE
};
