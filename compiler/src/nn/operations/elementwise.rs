//! Element by element.

use crate::graph::Element;
use crate::nn::fault::{SHAPES_DIFFER, WRONG_ELEMENT};
use crate::nn::{Fault, Function, Kind, Parameter, Receiver};
use crate::ops::Primitive;

macro_rules! unary {
    ($constant:ident, $name:literal, $primitive:ident, $doc:literal) => {
        pub static $constant: Function = Function {
            name: $name,
            doc: $doc,
            formula: concat!($name, "(x)"),
            build: |network, x, _| Ok(network.builder.unary(Primitive::$primitive, x)?),
            ..Function::BASE
        };
    };
}

unary!(EXP, "exp", Exp, "e^x");
unary!(LOG, "log", Log, "natural logarithm");
unary!(SIN, "sin", Sin, "sine of x in radians");
unary!(COS, "cos", Cos, "cosine of x in radians");
unary!(SQRT, "sqrt", Sqrt, "√x");
unary!(ABS, "abs", Abs, "|x|; subgradient 0 at 0");
unary!(SIGN, "sign", Sign, "-1, 0 or 1; NaN gives NaN");
unary!(STOP_GRADIENT, "stop_gradient", StopGradient, "x, through which no gradient flows");

pub static CLAMP: Function = Function {
    name: "clamp",
    doc: "x between low and high; NaN passes",
    formula: "min(high, max(low, x))",
    parameters: &[
        Parameter::required("low", Kind::ANY, "the least value"),
        Parameter::required("high", Kind::ANY, "the greatest value").at_least("low"),
    ],
    build: |network, x, call| {
        let (low, high) = (network.number(call, "low"), network.number(call, "high"));
        let raised = network.builder.binary(Primitive::Max, low, x)?;
        Ok(network.builder.binary(Primitive::Min, high, raised)?)
    },
    ..Function::BASE
};

pub static WHERE: Function = Function {
    name: "where",
    doc: "a where the condition holds, else b; their shapes meet",
    formula: "condition ? a : b",
    receiver: Receiver::Any,
    parameters: &[
        Parameter::required("a", Kind::Tensor, "the value where the condition holds"),
        Parameter::required("b", Kind::Tensor, "the value elsewhere"),
    ],
    build: |network, condition, call| {
        let (a, b) = (call.tensor("a").unwrap_or(condition), call.tensor("b").unwrap_or(condition));
        if network.builder.ty(condition).element != Element::Bool {
            let message = format!("where needs a condition such as `x > 0`; got {}", network.builder.ty(condition).element);
            return Err(Fault::new(WRONG_ELEMENT, message).about(condition));
        }
        // Plain numbers are f64 scalars; elements of a tensor are f32.
        let by_element = network.builder.graph().shape(condition).rank() > 0;
        let are_numbers = [a, b].iter().all(|&value| network.builder.ty(value).element == Element::F64);
        let (a, b) = match by_element && are_numbers {
            true => (network.builder.cast(a, Element::F32)?, network.builder.cast(b, Element::F32)?),
            false => (a, b),
        };
        network.builder.select(condition, a, b).map_err(|_| {
            let (left, right) = (network.shape_text(a), network.shape_text(b));
            let message =
                format!("where needs shapes that meet: {} chooses between {left} and {right}", network.shape_text(condition));
            Fault::new(SHAPES_DIFFER, message).about(a).against(b)
        })
    },
    ..Function::BASE
};
