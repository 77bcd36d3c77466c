//! Transcendental primitives: f64 value from `libm`, f32 lowering from [`crate::loops::math`].

use super::{Derivative, Exactness, Lowering, Record, Sample, equal_operands, map1, map2, real_unary};
use crate::loops::math;
use crate::ops::Primitive;

const BASE: Record = Record {
    name: "",
    doc: "",
    arity: Some(1),
    infer: real_unary,
    value: |evaluation| map1(evaluation, |x| x),
    derivative: Derivative::Missing,
    lowering: Lowering::Opaque,
    exactness: Exactness::Ulp(2),
    samples: &[Sample::Real],
    smooth: true,
    commutative: false,
};

pub const EXP: Record = Record {
    name: "exp",
    doc: "e^a",
    value: |e| map1(e, libm::exp),
    derivative: Derivative::Rule {
        text: "d(exp a) = g y, y the forward value",
        apply: |v| Ok(vec![Some(v.builder.mul(v.gradient, v.node)?)]),
    },
    lowering: Lowering::Pointwise(|b, a, _| math::exp(b, a[0])),
    ..BASE
};

pub const LOG: Record = Record {
    name: "log",
    doc: "natural logarithm",
    value: |e| map1(e, libm::log),
    derivative: Derivative::Rule {
        text: "d(log a) = g / a",
        apply: |v| Ok(vec![Some(v.builder.div(v.gradient, v.operands[0])?)]),
    },
    lowering: Lowering::Pointwise(|b, a, _| math::log(b, a[0])),
    samples: &[Sample::Positive],
    ..BASE
};

pub const EXPM1: Record = Record {
    name: "expm1",
    doc: "e^a - 1, exact near 0",
    value: |e| map1(e, libm::expm1),
    derivative: Derivative::Rule {
        text: "d(expm1 a) = g (y + 1), y the forward value",
        apply: |v| {
            let slope = v.builder.offset(v.node, 1.0)?;
            Ok(vec![Some(v.builder.mul(v.gradient, slope)?)])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| math::expm1(b, a[0])),
    ..BASE
};

pub const LOG1P: Record = Record {
    name: "log1p",
    doc: "log(1 + a), exact near 0",
    value: |e| map1(e, libm::log1p),
    derivative: Derivative::Rule {
        text: "d(log1p a) = g / (1 + a)",
        apply: |v| {
            let shifted = v.builder.offset(v.operands[0], 1.0)?;
            Ok(vec![Some(v.builder.div(v.gradient, shifted)?)])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| math::log1p(b, a[0])),
    samples: &[Sample::Positive],
    ..BASE
};

pub const TANH: Record = Record {
    name: "tanh",
    doc: "hyperbolic tangent",
    value: |e| map1(e, libm::tanh),
    derivative: Derivative::Rule {
        text: "d(tanh a) = g (1 - t t), t the forward value",
        apply: |v| {
            let square = v.builder.mul(v.node, v.node)?;
            let one = v.builder.constant_like(v.node, 1.0)?;
            let slope = v.builder.sub(one, square)?;
            Ok(vec![Some(v.builder.mul(v.gradient, slope)?)])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| math::tanh(b, a[0])),
    ..BASE
};

pub const SIGMOID: Record = Record {
    name: "sigmoid",
    doc: "1 / (1 + e^-a), right in both tails",
    value: |e| {
        map1(e, |x| {
            let tail = libm::exp(-x.abs());
            if x >= 0.0 { 1.0 / (1.0 + tail) } else { tail / (1.0 + tail) }
        })
    },
    derivative: Derivative::Rule {
        text: "d(sigmoid a) = g s (1 - s), s the forward value",
        apply: |v| {
            let one = v.builder.constant_like(v.node, 1.0)?;
            let rest = v.builder.sub(one, v.node)?;
            let slope = v.builder.mul(v.node, rest)?;
            Ok(vec![Some(v.builder.mul(v.gradient, slope)?)])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| math::sigmoid(b, a[0])),
    ..BASE
};

pub const SIN: Record = Record {
    name: "sin",
    doc: "sine of a in radians",
    value: |e| map1(e, libm::sin),
    derivative: Derivative::Rule {
        text: "d(sin a) = g cos a",
        apply: |v| {
            let slope = v.builder.unary(Primitive::Cos, v.operands[0])?;
            Ok(vec![Some(v.builder.mul(v.gradient, slope)?)])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| math::sin(b, a[0])),
    ..BASE
};

pub const COS: Record = Record {
    name: "cos",
    doc: "cosine of a in radians",
    value: |e| map1(e, libm::cos),
    derivative: Derivative::Rule {
        text: "d(cos a) = -g sin a",
        apply: |v| {
            let slope = v.builder.unary(Primitive::Sin, v.operands[0])?;
            let product = v.builder.mul(v.gradient, slope)?;
            Ok(vec![Some(v.builder.neg(product)?)])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| math::cos(b, a[0])),
    ..BASE
};

pub const ERF: Record = Record {
    name: "erf",
    doc: "error function",
    value: |e| map1(e, libm::erf),
    derivative: Derivative::Rule {
        text: "d(erf a) = g 2/√π e^(-a a)",
        apply: |v| {
            let square = v.builder.mul(v.operands[0], v.operands[0])?;
            let minus = v.builder.neg(square)?;
            let bell = v.builder.unary(Primitive::Exp, minus)?;
            let slope = v.builder.scale(bell, std::f64::consts::FRAC_2_SQRT_PI)?;
            Ok(vec![Some(v.builder.mul(v.gradient, slope)?)])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| math::erf(b, a[0])),
    exactness: Exactness::Ulp(4),
    ..BASE
};

pub const POW: Record = Record {
    name: "pow",
    doc: "a to the power b",
    arity: Some(2),
    infer: |operands, _, _| {
        let ty = equal_operands(operands)?;
        if ty.element.is_real() { Ok(ty) } else { Err(format!("needs f32 or f64, got {}", ty.element)) }
    },
    value: |e| map2(e, libm::pow),
    derivative: Derivative::Rule {
        text: "d(a^b) = g b a^(b-1), g log(a) p, p the forward value",
        apply: |v| {
            let lower = v.builder.offset(v.operands[1], -1.0)?;
            let power = v.builder.binary(Primitive::Pow, v.operands[0], lower)?;
            let slope = v.builder.mul(v.operands[1], power)?;
            let left = v.builder.mul(v.gradient, slope)?;
            let right = if v.builder.graph().constant(v.operands[1]).is_some() {
                None
            } else {
                let log = v.builder.unary(Primitive::Log, v.operands[0])?;
                let slope = v.builder.mul(log, v.node)?;
                Some(v.builder.mul(v.gradient, slope)?)
            };
            Ok(vec![Some(left), right])
        },
    },
    lowering: Lowering::Pointwise(|b, a, _| math::pow(b, a[0], a[1])),
    exactness: Exactness::Ulp(4),
    samples: &[Sample::Positive, Sample::Real],
    ..BASE
};

pub const NORMAL_QUANTILE: Record = Record {
    name: "normal_quantile",
    doc: "the standard normal number below which a share a of all lie; a uniform number gives a normal one",
    value: |e| map1(e, super::normal::normal_quantile),
    derivative: Derivative::Missing,
    lowering: Lowering::Pointwise(|b, a, _| math::normal(b, a[0])),
    exactness: Exactness::Ulp(64),
    samples: &[Sample::Unit],
    ..BASE
};
