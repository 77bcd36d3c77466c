//! Pointwise arithmetic, comparison, selection and conversion.

use super::{
    Array, Derivative, Evaluation, Exactness, Lowering, Pointwise, Record, Sample, Vjp, equal_operands, map1, map2, real_unary,
    same_as_operand,
};
use super::{Gradients, Operation};
use crate::graph::{Attributes, Element, NodeId, Type};
use crate::loops::Comparison;
use crate::loops::Value;
use crate::loops::block::BlockBuilder;
use crate::ops::Primitive;

const BASE: Record = Record {
    name: "",
    doc: "",
    arity: Some(1),
    infer: same_as_operand,
    value: |evaluation| map1(evaluation, |x| x),
    derivative: Derivative::Missing,
    lowering: Lowering::Opaque,
    exactness: Exactness::Exact,
    samples: &[Sample::Real],
    smooth: true,
    commutative: false,
};

/// Gradient of a binary primitive: one formula an operand.
fn two(left: NodeId, right: NodeId) -> Gradients {
    Ok(vec![Some(left), Some(right)])
}

pub const NEG: Record = Record {
    name: "neg",
    doc: "-a",
    infer: real_or_integer,
    value: |evaluation| map1(evaluation, |x| -x),
    derivative: Derivative::Rule { text: "d(neg a) = -g", apply: |v| Ok(vec![Some(v.builder.neg(v.gradient)?)]) },
    lowering: Lowering::Pointwise(|b, a, _| b.neg(a[0])),
    ..BASE
};

pub const ABS: Record = Record {
    name: "abs",
    doc: "|a|; subgradient 0 at 0",
    infer: real_unary,
    value: |evaluation| map1(evaluation, f64::abs),
    derivative: Derivative::Rule {
        text: "d(abs a) = g * sign(a)",
        apply: |v| {
            let sign = v.builder.unary(Primitive::Sign, v.operands[0])?;
            Ok(vec![Some(v.builder.mul(v.gradient, sign)?)])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| b.abs(a[0])),
    samples: &[Sample::NonZero],
    ..BASE
};

pub const SIGN: Record = Record {
    name: "sign",
    doc: "-1, 0 or 1; NaN gives NaN",
    infer: real_unary,
    value: |evaluation| {
        map1(evaluation, |x| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        })
    },
    derivative: Derivative::Zero,
    lowering: Lowering::Pointwise(|b, a, _| {
        let (zero, one, minus) = (b.number_like(a[0], 0.0), b.number_like(a[0], 1.0), b.number_like(a[0], -1.0));
        let positive = b.compare(Comparison::Lt, zero, a[0]);
        let negative = b.compare(Comparison::Lt, a[0], zero);
        let rest = b.select(negative, minus, a[0]);
        b.select(positive, one, rest)
    }),
    samples: &[Sample::NonZero],
    ..BASE
};

pub const FLOOR: Record = Record {
    name: "floor",
    doc: "the largest integer not above a",
    infer: real_unary,
    value: |evaluation| map1(evaluation, f64::floor),
    derivative: Derivative::Zero,
    lowering: Lowering::Pointwise(|b, a, _| match b.lane(a[0]) {
        crate::loops::Lane::F64 => b.call(crate::loops::ScalarFunction::Floor, vec![a[0]]),
        _ => b.floor(a[0]),
    }),
    samples: &[Sample::NonZero],
    ..BASE
};

pub const SQRT: Record = Record {
    name: "sqrt",
    doc: "√a",
    infer: real_unary,
    value: |evaluation| map1(evaluation, f64::sqrt),
    derivative: Derivative::Rule {
        text: "d(sqrt a) = g / (2 s), s the forward value",
        apply: |v| {
            let twice = v.builder.scale(v.node, 2.0)?;
            Ok(vec![Some(v.builder.div(v.gradient, twice)?)])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| b.sqrt(a[0])),
    samples: &[Sample::Positive],
    ..BASE
};

pub const STOP_GRADIENT: Record = Record {
    name: "stop_gradient",
    doc: "a, through which no derivative flows",
    derivative: Derivative::Zero,
    lowering: Lowering::Pointwise(|_, a, _| a[0]),
    ..BASE
};

const fn binary(
    name: &'static str,
    doc: &'static str,
    value: fn(&Evaluation) -> Array,
    derivative: Derivative,
    lower: Pointwise,
) -> Record {
    Record {
        name,
        doc,
        arity: Some(2),
        infer: numbers,
        value,
        derivative,
        lowering: Lowering::Pointwise(lower),
        samples: &[Sample::Real, Sample::Real],
        ..BASE
    }
}

fn real_or_integer(operands: &[&Type], attributes: &Attributes, given: Option<&Type>) -> Result<Type, String> {
    let ty = same_as_operand(operands, attributes, given)?;
    if ty.element == Element::Bool { Err("bool is no number".into()) } else { Ok(ty) }
}

fn numbers(operands: &[&Type], _: &Attributes, _: Option<&Type>) -> Result<Type, String> {
    let ty = equal_operands(operands)?;
    if ty.element == Element::Bool { Err("bool is no number".into()) } else { Ok(ty) }
}

pub const ADD: Record = Record {
    commutative: true,
    ..binary(
        "add",
        "a + b",
        |evaluation| map2(evaluation, |x, y| x + y),
        Derivative::Rule { text: "d(a + b) = g, g", apply: |v| two(v.gradient, v.gradient) },
        |b, a, _| b.add(a[0], a[1]),
    )
};

pub const SUB: Record = binary(
    "sub",
    "a - b",
    |evaluation| map2(evaluation, |x, y| x - y),
    Derivative::Rule {
        text: "d(a - b) = g, -g",
        apply: |v| {
            let minus = v.builder.neg(v.gradient)?;
            two(v.gradient, minus)
        },
    },
    |b, a, _| b.sub(a[0], a[1]),
);

pub const MUL: Record = Record {
    commutative: true,
    ..binary(
        "mul",
        "a * b",
        |evaluation| map2(evaluation, |x, y| x * y),
        Derivative::Rule {
            text: "d(a * b) = g b, g a",
            apply: |v| {
                let left = v.builder.mul(v.gradient, v.operands[1])?;
                let right = v.builder.mul(v.gradient, v.operands[0])?;
                two(left, right)
            },
        },
        |b, a, _| b.mul(a[0], a[1]),
    )
};

pub const DIV: Record = Record {
    samples: &[Sample::Real, Sample::NonZero],
    infer: |operands, _, _| {
        let ty = equal_operands(operands)?;
        if ty.element.is_real() { Ok(ty) } else { Err(format!("needs f32 or f64, got {}", ty.element)) }
    },
    ..binary(
        "div",
        "a / b",
        |evaluation| map2(evaluation, |x, y| x / y),
        Derivative::Rule {
            text: "d(a / b) = g / b, -(g / b) q, q the forward value",
            apply: |v| {
                let left = v.builder.div(v.gradient, v.operands[1])?;
                let right = v.builder.mul(left, v.node)?;
                let right = v.builder.neg(right)?;
                two(left, right)
            },
        },
        |b, a, _| b.div(a[0], a[1]),
    )
};

/// Gradient of max and min: to the operand that was taken; a tie goes to the first.
fn taken(v: &mut Vjp, second_wins: fn(&mut Vjp) -> Result<NodeId, crate::graph::BuildError>) -> Gradients {
    let mask = second_wins(v)?;
    let zero = v.builder.constant_like(v.gradient, 0.0)?;
    let left = v.builder.select(mask, zero, v.gradient)?;
    let right = v.builder.select(mask, v.gradient, zero)?;
    two(left, right)
}

pub const MAX: Record = Record {
    smooth: false,
    ..binary(
        "max",
        "a > b ? a : b; the derivative of a tie goes to a",
        |evaluation| map2(evaluation, |x, y| if x > y { x } else { y }),
        Derivative::Rule {
            text: "d max(a, b) = b > a ? 0, g : g, 0",
            apply: |v| taken(v, |v| v.builder.binary(Primitive::Lt, v.operands[0], v.operands[1])),
        },
        |b, a, _| b.max(a[0], a[1]),
    )
};

pub const MIN: Record = Record {
    smooth: false,
    ..binary(
        "min",
        "a < b ? a : b; the derivative of a tie goes to a",
        |evaluation| map2(evaluation, |x, y| if x < y { x } else { y }),
        Derivative::Rule {
            text: "d min(a, b) = b < a ? 0, g : g, 0",
            apply: |v| taken(v, |v| v.builder.binary(Primitive::Lt, v.operands[1], v.operands[0])),
        },
        |b, a, _| b.min(a[0], a[1]),
    )
};

const fn comparison(name: &'static str, doc: &'static str, value: fn(&Evaluation) -> Array, lower: Pointwise) -> Record {
    Record {
        infer: |operands, _, _| Ok(equal_operands(operands)?.with(Element::Bool)),
        derivative: Derivative::Zero,
        smooth: false,
        ..binary(name, doc, value, Derivative::Zero, lower)
    }
}

const fn truth(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

pub const LT: Record =
    comparison("lt", "a < b", |e| map2(e, |x, y| truth(x < y)), |b, a, _| b.compare(Comparison::Lt, a[0], a[1]));
pub const LE: Record =
    comparison("le", "a <= b", |e| map2(e, |x, y| truth(x <= y)), |b, a, _| b.compare(Comparison::Le, a[0], a[1]));
pub const EQ: Record = Record {
    commutative: true,
    ..comparison("eq", "a == b", |e| map2(e, |x, y| truth(x == y)), |b, a, _| b.compare(Comparison::Eq, a[0], a[1]))
};
pub const NE: Record = Record {
    commutative: true,
    ..comparison("ne", "a != b", |e| map2(e, |x, y| truth(x != y)), |b, a, _| b.compare(Comparison::Ne, a[0], a[1]))
};

fn bools(operands: &[&Type], _: &Attributes, _: Option<&Type>) -> Result<Type, String> {
    let first = operands.first().ok_or("needs an operand")?;
    if operands.iter().any(|ty| ty != first || ty.element != Element::Bool) {
        return Err("needs bool operands of one shape".into());
    }
    Ok((*first).clone())
}

const LOGIC: Record = Record { infer: bools, derivative: Derivative::Zero, samples: &[Sample::Bool], smooth: false, ..BASE };

pub const AND: Record = Record {
    name: "and",
    doc: "a and b",
    arity: Some(2),
    commutative: true,
    value: |e| map2(e, |x, y| truth(x != 0.0 && y != 0.0)),
    lowering: Lowering::Pointwise(|b, a, _| b.and(a[0], a[1])),
    ..LOGIC
};
pub const OR: Record = Record {
    name: "or",
    doc: "a or b",
    arity: Some(2),
    commutative: true,
    value: |e| map2(e, |x, y| truth(x != 0.0 || y != 0.0)),
    lowering: Lowering::Pointwise(|b, a, _| b.or(a[0], a[1])),
    ..LOGIC
};
pub const NOT: Record = Record {
    name: "not",
    doc: "not a",
    value: |e| map1(e, |x| truth(x == 0.0)),
    lowering: Lowering::Pointwise(|b, a, _| {
        let ones = b.i32(-1);
        b.xor(a[0], ones)
    }),
    ..LOGIC
};

pub const SELECT: Record = Record {
    name: "select",
    doc: "condition ? a : b",
    arity: Some(3),
    infer: |operands, _, _| match operands {
        [condition, a, b] if condition.element == Element::Bool && condition.shape == a.shape && a == b => Ok((*a).clone()),
        _ => Err("needs a bool and two operands of one type, all of one shape".into()),
    },
    value: |e| {
        let (c, a, b) = (e.operands[0], e.operands[1], e.operands[2]);
        let pick = |i: usize| if c.data[i] != 0.0 { a.data[i] } else { b.data[i] };
        Array::new(a.dims.clone(), (0..a.data.len()).map(pick).collect())
    },
    derivative: Derivative::Rule {
        text: "d select(c, a, b) = -, c ? g : 0, c ? 0 : g",
        apply: |v| {
            let zero = v.builder.constant_like(v.gradient, 0.0)?;
            let left = v.builder.select(v.operands[0], v.gradient, zero)?;
            let right = v.builder.select(v.operands[0], zero, v.gradient)?;
            Ok(vec![None, Some(left), Some(right)])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| b.select(a[0], a[1], a[2])),
    samples: &[Sample::Bool, Sample::Real, Sample::Real],
    ..BASE
};

pub const CAST: Record = Record {
    name: "cast",
    doc: "a with other elements: f32 to integer clamps, then truncates (NaN gives 0); bool is 0 or 1",
    infer: |operands, _, given| match (operands, given) {
        ([a], Some(given)) if a.shape == given.shape => Ok(given.clone()),
        ([a], Some(given)) => Err(format!("cannot change the shape {} to {}", a.shape, given.shape)),
        _ => Err("takes 1 operand and the new type".into()),
    },
    value: |e| {
        let to = e.element;
        map1(e, |x| match to {
            Element::F32 | Element::F64 => x,
            Element::Bool => truth(x != 0.0),
            Element::I32 => {
                if x.is_nan() {
                    0.0
                } else {
                    x.clamp(-LARGEST_INTEGER, LARGEST_INTEGER).trunc()
                }
            }
            Element::U32 | Element::Class(_) => {
                if x.is_nan() {
                    0.0
                } else {
                    x.clamp(0.0, LARGEST_INTEGER).trunc()
                }
            }
        })
    },
    derivative: Derivative::Rule {
        text: "d(cast a) = cast g between reals; nothing flows from integers",
        apply: |v| {
            let from = v.operand_type(0).element;
            if !from.is_real() || !v.builder.ty(v.gradient).element.is_real() {
                return Ok(vec![None]);
            }
            Ok(vec![Some(v.builder.cast(v.gradient, from)?)])
        },
    },
    lowering: Lowering::Pointwise(cast),
    ..BASE
};

/// What a cast to an integer clamps to: the largest number of 31 bits that f32 has.
pub const LARGEST_INTEGER: f64 = 2147483520.0;

/// Conversion by element pair; every path ends in one or two block instructions.
fn cast(b: &mut BlockBuilder, a: &[Value], operation: &Operation) -> Value {
    let (from, to) = (operation.operands[0], operation.element);
    let single = match from {
        Element::F32 => a[0],
        Element::F64 if to == Element::F64 => return a[0],
        Element::F64 => b.demote(a[0]),
        Element::Bool => {
            let (one, zero) = (b.f32(1.0), b.f32(0.0));
            b.select(a[0], one, zero)
        }
        _ if to.is_integer() => return a[0],
        _ => b.to_float(a[0]),
    };
    match to {
        Element::F32 => single,
        Element::F64 => b.promote(single),
        Element::Bool if from == Element::Bool => a[0],
        Element::Bool => {
            let zero = b.f32(0.0);
            b.compare(Comparison::Ne, single, zero)
        }
        Element::I32 => b.to_int(single),
        Element::U32 | Element::Class(_) => {
            let zero = b.f32(0.0);
            let clamped = b.max(single, zero);
            b.to_int(clamped)
        }
    }
}
