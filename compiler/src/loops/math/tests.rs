//! Every function against f64, over a million arguments spread over all bit patterns; with `GRADC_FULL_SWEEP=1` over all 2³²
//! (build with `--release` and `RUSTFLAGS="-C target-cpu=native"`, else it takes hours).

use super::*;
use crate::loops::interpret::{Memory, run_kernel};
use crate::loops::{
    Axis, Buffer, BufferId, Comparison, Extent, Instruction, Kernel, Linear, Nest, Program, Space, Statement, Var, View,
};

/// Arguments that one run of the kernel evaluates.
const CHUNK: usize = 4096;

/// A function of the lanes of two inputs, and the memory to run it in.
struct Evaluator {
    program: Program,
    memory: Memory,
}

impl Evaluator {
    fn new(function: impl Fn(&mut BlockBuilder, Value, Value) -> Value) -> Self {
        let buffer =
            |name: &str, space| Buffer { name: name.to_owned(), space, lane: Lane::F32, words: Linear::fixed(CHUNK as i64) };
        let view = |buffer| View {
            buffer: BufferId(buffer),
            offset: Linear::ZERO,
            strides: vec![(Var(0), Linear::fixed(1))],
            table: None,
            pick: None,
        };
        let mut b = BlockBuilder::new();
        let x = b.load(view(0), Lane::F32);
        let y = b.load(view(1), Lane::F32);
        let result = function(&mut b, x, y);
        b.store(view(2), result);
        let nest = Nest {
            title: "function".to_owned(),
            axes: vec![Axis { var: Var(0), extent: Extent::fixed(CHUNK as i64), vector: true }],
            block: b.finish(),
        };
        let program = Program {
            buffers: vec![buffer("x", Space::Arena), buffer("y", Space::Arena), buffer("result", Space::Arena)],
            kernels: vec![Kernel { name: "sweep".to_owned(), parallel: None, body: vec![Statement::Nest(nest)], vars: 1 }],
            ..Program::default()
        };
        let memory = Memory::new(&program, 1);
        Evaluator { program, memory }
    }

    /// The results for the arguments that `fill` writes.
    fn run(&mut self, fill: impl FnOnce(&mut [u32], &mut [u32])) -> &[u32] {
        let [x, y, _] = self.memory.words.as_mut_slice() else { unreachable!("the program has three buffers") };
        fill(x, y);
        let kernel = &self.program.kernels[0];
        run_kernel(&self.program, kernel, &mut self.memory, 1, 0..1).expect("in bounds");
        &self.memory.words[2]
    }

    fn one(&mut self, x: f32, y: f32) -> f32 {
        f32::from_bits(
            self.run(|xs, ys| {
                xs[0] = x.to_bits();
                ys[0] = y.to_bits();
            })[0],
        )
    }
}

/// Distance of a result from the exact value in units of the exact value's last place; 0 where a rounded value, NaN or infinity is met.
fn ulps(got: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if got.to_bits() == rounded.to_bits() || (got.is_nan() && exact.is_nan()) {
        let finite = rounded.is_finite();
        return if finite { (f64::from(got) - exact).abs() / place(exact) } else { 0.0 };
    }
    if got.is_nan() || exact.is_nan() || (got == 0.0 && exact == 0.0) {
        return f64::INFINITY;
    }
    // An infinite result stands for 2¹²⁸, where the next float would be.
    let beyond = 2.0_f64.powi(128);
    (f64::from(got).clamp(-beyond, beyond) - exact.clamp(-beyond, beyond)).abs() / place(exact)
}

/// The distance of floats about `exact`.
fn place(exact: f64) -> f64 {
    let exponent = (exact.to_bits() >> 52 & 0x7FF) as i64 - 1023;
    let exponent = exponent.clamp(-126, 127) - 23;
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// The largest error found, and where.
#[derive(Clone, Copy, Debug, Default)]
struct Worst {
    ulps: f64,
    at: f32,
}

impl Worst {
    fn see(&mut self, ulps: f64, at: f32) {
        if ulps > self.ulps || ulps.is_nan() {
            *self = Worst { ulps, at };
        }
    }
}

type Function = fn(&mut BlockBuilder, Value) -> Value;

fn full_sweep() -> bool {
    std::env::var("GRADC_FULL_SWEEP").is_ok_and(|value| value == "1")
}

/// The worst error over bit patterns `first, first + step, …`, of which there are `count` chunks.
fn worst(function: Function, exact: fn(f64) -> f64, first: u32, step: u32, chunks: u64) -> Worst {
    let mut evaluator = Evaluator::new(|b, x, _| function(b, x));
    let mut worst = Worst::default();
    let mut start = first;
    for _ in 0..chunks {
        let pattern = |i: usize| start.wrapping_add(step.wrapping_mul(i as u32));
        let results = evaluator.run(|xs, _| {
            for (i, x) in xs.iter_mut().enumerate() {
                *x = pattern(i);
            }
        });
        for (i, result) in results.iter().enumerate() {
            let x = f32::from_bits(pattern(i));
            worst.see(ulps(f32::from_bits(*result), exact(f64::from(x))), x);
        }
        start = pattern(CHUNK);
    }
    worst
}

fn check(name: &str, function: Function, exact: fn(f64) -> f64, bound: f64) {
    let worst = if full_sweep() {
        let half = |first| worst(function, exact, first, 1, (1 << 31) / CHUNK as u64);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| half(1 << 31));
            let mut worst = half(0);
            let other = other.join().expect("the sweep does not panic");
            worst.see(other.ulps, other.at);
            worst
        })
    } else {
        // An odd step visits every exponent with either sign.
        worst(function, exact, 7, 4297, 1_000_000 / CHUNK as u64 + 1)
    };
    println!("{name}: {:.4} ULP at {:e}", worst.ulps, worst.at);
    assert!(worst.ulps <= bound, "{name}: {worst:?}, allowed {bound}");
}

fn sigmoid_f64(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

fn softplus_f64(x: f64) -> f64 {
    // The maximum of Rust drops a NaN.
    (if x < 0.0 { 0.0 } else { x }) + (-x.abs()).exp().ln_1p()
}

#[test]
fn exp_is_within_its_bound() {
    check("exp", exp, f64::exp, 1.0);
}

#[test]
fn expm1_is_within_its_bound() {
    check("expm1", expm1, f64::exp_m1, 2.0);
}

#[test]
fn log_is_within_its_bound() {
    check("log", log, f64::ln, 1.0);
}

#[test]
fn log1p_is_within_its_bound() {
    check("log1p", log1p, f64::ln_1p, 2.0);
}

#[test]
fn tanh_is_within_its_bound() {
    check("tanh", tanh, f64::tanh, 2.0);
}

#[test]
fn sigmoid_is_within_its_bound() {
    check("sigmoid", sigmoid, sigmoid_f64, 2.0);
}

#[test]
fn softplus_is_within_its_bound() {
    check("softplus", softplus, softplus_f64, 2.0);
}

/// The worst error for magnitudes up to `most`, of either sign; the full sweep visits every one.
fn check_up_to(name: &str, function: Function, exact: fn(f64) -> f64, most: f32, bound: f64) {
    let count = u64::from(most.to_bits());
    let chunks = if full_sweep() { count / CHUNK as u64 + 1 } else { 150 };
    let step = (count / (chunks * CHUNK as u64)).max(1) as u32;
    let mut found = worst(function, exact, 7 % step, step, chunks);
    let other = worst(function, exact, (1 << 31) + 5 % step, step, chunks);
    found.see(other.ulps, other.at);
    println!("{name} up to {most:e}: {:.4} ULP at {:e}", found.ulps, found.at);
    assert!(found.ulps <= bound, "{name}: {found:?}, allowed {bound}");
}

#[test]
fn sine_and_cosine_are_within_their_bound() {
    for (name, function, exact) in [("sin", sin as Function, libm::sin as fn(f64) -> f64), ("cos", cos, libm::cos)] {
        check_up_to(name, function, exact, 65_536.0, 2.0);
        check_up_to(name, function, exact, 4_194_304.0, 2.0);
    }
}

#[test]
fn sine_and_cosine_next_to_their_zeros() {
    let (mut sine, mut cosine) = (Evaluator::new(|b, x, _| sin(b, x)), Evaluator::new(|b, x, _| cos(b, x)));
    for n in 1..20_000 {
        let x = (f64::from(n) * std::f64::consts::FRAC_PI_2) as f32;
        for (evaluator, exact) in [(&mut sine, libm::sin as fn(f64) -> f64), (&mut cosine, libm::cos)] {
            let error = ulps(evaluator.one(x, 0.0), exact(f64::from(x)));
            assert!(error <= 2.0, "{error} ULP at {x}");
        }
    }
}

#[test]
fn sine_and_cosine_far_out() {
    let (mut sine, mut cosine) = (Evaluator::new(|b, x, _| sin(b, x)), Evaluator::new(|b, x, _| cos(b, x)));
    assert_eq!(sine.one(-0.0, 0.0).to_bits(), (-0.0_f32).to_bits());
    assert_eq!((sine.one(0.0, 0.0), cosine.one(0.0, 0.0)), (0.0, 1.0));
    for x in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        assert!(sine.one(x, 0.0).is_nan() && cosine.one(x, 0.0).is_nan(), "{x}");
    }
    for exponent in 22..128 {
        for x in [2.0_f32.powi(exponent) * 1.37, -(2.0_f32.powi(exponent))] {
            assert!(sine.one(x, 0.0).abs() <= 1.0 && cosine.one(x, 0.0).abs() <= 1.0, "{x}");
        }
    }
}

#[test]
fn erf_is_within_its_bound() {
    check("erf", erf, libm::erf, 4.0);
}

#[test]
fn erf_does_not_pass_one_and_reaches_it() {
    let mut evaluator = Evaluator::new(|b, x, _| erf(b, x));
    for i in 0..100_000 {
        let x = 3.0 + i as f32 * 1e-5;
        assert!(evaluator.one(x, 0.0) <= 1.0, "erf {x}");
    }
    assert_eq!(evaluator.one(f32::INFINITY, 0.0), 1.0);
    assert_eq!(evaluator.one(f32::NEG_INFINITY, 0.0), -1.0);
}

/// A sequence of well mixed words (Steele, Lea, Flood: SplitMix, 2014).
fn mixed(counter: u64) -> u64 {
    let mut z = counter.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

/// A positive float between 2^-`spread` and 2^`spread`, equally likely at every scale, and where the word says so negative.
fn scattered(word: u64, spread: f64) -> f32 {
    let exponent = (word >> 32) as f64 / 2.0_f64.powi(31) - 1.0;
    let magnitude = (exponent * spread).exp2() as f32;
    if word & 1 == 0 { magnitude } else { -magnitude }
}

#[test]
fn pow_is_within_its_bound() {
    let chunks = if full_sweep() { 1 << 16 } else { 256 };
    let mut evaluator = Evaluator::new(pow);
    let mut worst = Worst::default();
    let mut at_y = 0.0;
    for chunk in 0..chunks {
        // Bases near 1 with large exponents, bases of every size with small ones.
        let (base, exponent) = if chunk % 2 == 0 { (0.5, 8.0) } else { (149.0, 3.0) };
        let arguments = |i: usize| {
            let counter = 2 * (chunk * CHUNK as u64 + i as u64);
            let x = scattered(mixed(counter) & !1, base);
            (x, scattered(mixed(counter + 1), exponent))
        };
        let results = evaluator.run(|xs, ys| {
            for (i, (x, y)) in xs.iter_mut().zip(ys).enumerate() {
                let arguments = arguments(i);
                (*x, *y) = (arguments.0.to_bits(), arguments.1.to_bits());
            }
        });
        for (i, result) in results.iter().enumerate() {
            let (x, y) = arguments(i);
            let before = worst.ulps;
            let exact = f64::from(x).powf(f64::from(y));
            worst.see(ulps(f32::from_bits(*result), exact), x);
            if worst.ulps > before {
                at_y = y;
            }
        }
    }
    println!("pow: {:.4} ULP at {:e}, {at_y:e}", worst.ulps, worst.at);
    assert!(worst.ulps <= 3.0, "pow: {worst:?}, {at_y:e}");
}

#[test]
fn special_powers_are_those_of_c() {
    let numbers = [
        0.0,
        1.0,
        2.0,
        3.0,
        0.5,
        1.5,
        1e-45,
        1e-40,
        1e38,
        8_388_609.0,
        16_777_216.0,
        3e9,
        f32::MAX,
        f32::MIN_POSITIVE,
        f32::INFINITY,
        f32::NAN,
    ];
    let signed: Vec<f32> = numbers.iter().flat_map(|x| [*x, -x]).collect();
    let mut evaluator = Evaluator::new(pow);
    for x in &signed {
        for y in &signed {
            let got = evaluator.one(*x, *y);
            let exact = libm::pow(f64::from(*x), f64::from(*y));
            let rounded = exact as f32;
            assert!(ulps(got, exact) <= 2.0, "pow({x:e}, {y:e}) = {got:e}, not {exact:e}");
            if !exact.is_nan() {
                let same_sign = got.is_sign_negative() == rounded.is_sign_negative();
                assert!(same_sign, "pow({x:e}, {y:e}) = {got:e}, not {exact:e}");
            }
        }
    }
}

#[test]
fn special_arguments_give_the_limits() {
    let infinity = f32::INFINITY;
    let cases: [(&str, Function, f32, f32); 19] = [
        ("exp", exp, -infinity, 0.0),
        ("exp", exp, infinity, infinity),
        ("exp", exp, -0.0, 1.0),
        ("expm1", expm1, -0.0, -0.0),
        ("expm1", expm1, -infinity, -1.0),
        ("expm1", expm1, infinity, infinity),
        ("log", log, 0.0, -infinity),
        ("log", log, -0.0, -infinity),
        ("log", log, 1.0, 0.0),
        ("log1p", log1p, -0.0, -0.0),
        ("log1p", log1p, -1.0, -infinity),
        ("tanh", tanh, -0.0, -0.0),
        ("tanh", tanh, -infinity, -1.0),
        ("sigmoid", sigmoid, -100.0, 3.72e-44),
        ("sigmoid", sigmoid, -infinity, 0.0),
        ("sigmoid", sigmoid, infinity, 1.0),
        ("softplus", softplus, infinity, infinity),
        ("erf", erf, -0.0, -0.0),
        ("erf", erf, 1e-45, 1e-45),
    ];
    for (name, function, x, expected) in cases {
        let got = Evaluator::new(|b, x, _| function(b, x)).one(x, 0.0);
        assert_eq!(got.to_bits(), expected.to_bits(), "{name}({x:e}) = {got:e}");
    }
}

#[test]
fn a_nan_of_any_payload_stays_one() {
    let functions: [Function; 8] = [exp, expm1, log, log1p, tanh, sigmoid, softplus, erf];
    for function in functions {
        let mut evaluator = Evaluator::new(|b, x, _| function(b, x));
        for bits in [0x7FC0_0000, 0xFFC0_0000, 0x7F80_0001, 0xFFFF_FFFF, 0x7FFF_FFFF] {
            assert!(evaluator.one(f32::from_bits(bits), 0.0).is_nan());
        }
    }
}

/// The relative error of a quantile `z` is how far its distribution is from `u`, divided by density and `z`.
#[test]
fn normal_inverts_the_distribution() {
    let mut evaluator = Evaluator::new(|b, x, _| normal(b, x));
    let last = (1_u64 << 23) - 1;
    let step = if full_sweep() { 1 } else { 61 };
    let number = |i: u64| (i as f32 + 0.5) / 8_388_608.0;
    let mut worst = Worst::default();
    let mut first = 0;
    while first <= last {
        let index = |i: usize| (first + i as u64 * step).min(last);
        let results = evaluator.run(|xs, _| {
            for (i, x) in xs.iter_mut().enumerate() {
                *x = number(index(i)).to_bits();
            }
        });
        for (i, result) in results.iter().enumerate() {
            let u = f64::from(number(index(i)));
            let z = f64::from(f32::from_bits(*result));
            // The smaller tail, so that nothing cancels.
            let tail = libm::erfc(z.abs() / std::f64::consts::SQRT_2) / 2.0;
            let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
            let error = (tail - u.min(1.0 - u)).abs() / density / z.abs();
            assert_eq!(z < 0.0, u < 0.5, "at {u:e}");
            worst.see(error * 2.0_f64.powi(24), u as f32);
        }
        first += CHUNK as u64 * step;
    }
    println!("normal: {:.4} · 2^-24 relative at {:e}", worst.ulps, worst.at);
    assert!(worst.ulps <= 8.0, "normal: {worst:?}");
}

/// Instructions that do work: constants, and moves of bits, cost nothing in a loop.
fn cost(function: impl Fn(&mut BlockBuilder, Value, Value) -> Value) -> usize {
    let evaluator = Evaluator::new(function);
    let Statement::Nest(nest) = &evaluator.program.kernels[0].body[0] else { unreachable!("the kernel is one nest") };
    let works = |instruction: &&Instruction| {
        !matches!(
            instruction,
            Instruction::ConstF32(_)
                | Instruction::ConstI32(_)
                | Instruction::Bits(_)
                | Instruction::FromBits(_)
                | Instruction::Load(..)
                | Instruction::Store(..)
        )
    };
    nest.block.code.iter().filter(works).count()
}

/// `0 < x ? 0 : x`, which the builder recognises.
fn up_to_zero(b: &mut BlockBuilder, x: Value) -> Value {
    let zero = b.f32(0.0);
    let above = b.compare(Comparison::Lt, zero, x);
    b.select(above, zero, x)
}

#[test]
fn expm1_of_what_is_not_above_zero_has_the_same_bits() {
    let (mut general, mut special) = (
        Evaluator::new(|b, x, _| expm1(b, x)),
        Evaluator::new(|b, x, _| {
            let x = up_to_zero(b, x);
            assert!(b.is_never_positive(x));
            expm1(b, x)
        }),
    );
    // All signs, exponents and what lies between; every 4099th pattern from -0 down.
    for chunk in 0..128_u32 {
        let fill = |xs: &mut [u32], _: &mut [u32]| {
            for (i, x) in xs.iter_mut().enumerate() {
                *x = 0x8000_0000 | (chunk * CHUNK as u32 + i as u32).wrapping_mul(4099);
            }
        };
        let expected = general.run(fill).to_vec();
        for (i, (found, expected)) in special.run(fill).iter().zip(&expected).enumerate() {
            let (found, expected) = (f32::from_bits(*found), f32::from_bits(*expected));
            assert!(
                found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
                "{chunk} {i}: {found} {expected}"
            );
        }
    }
}

#[test]
fn no_function_grows_unnoticed() {
    let costs = [
        ("exp", 20, cost(|b, x, _| exp(b, x))),
        ("expm1", 24, cost(|b, x, _| expm1(b, x))),
        (
            "expm1 up to zero",
            20,
            cost(|b, x, _| {
                let x = up_to_zero(b, x);
                expm1(b, x)
            }),
        ),
        ("log", 27, cost(|b, x, _| log(b, x))),
        ("log1p", 27, cost(|b, x, _| log1p(b, x))),
        ("tanh", 20, cost(|b, x, _| tanh(b, x))),
        ("sigmoid", 24, cost(|b, x, _| sigmoid(b, x))),
        ("softplus", 41, cost(|b, x, _| softplus(b, x))),
        ("erf", 25, cost(|b, x, _| erf(b, x))),
        ("normal", 28, cost(|b, x, _| normal(b, x))),
        ("pow", 91, cost(pow)),
    ];
    for (name, allowed, found) in costs {
        assert!(found <= allowed, "{name}: {found} instructions, {allowed} allowed");
    }
}
