//! Products woven into what follows them: every shape of panels, tiles and rests, with few and many steps, gathered and not.

use super::nests::filled;
use super::*;
use crate::codegen::compile_kernel;
use crate::loops::{Operand, OperandRows, ProductStatement, Steps};

/// Rows and columns.
const SHAPES: [(i64, i64); 14] = [
    (8, 32),
    (16, 64),
    (64, 128),
    (50, 100),
    (7, 36),
    (1, 16),
    (13, 40),
    (9, 48),
    (24, 104),
    (3, 32),
    (17, 33),
    (12, 70),
    (5, 16),
    (8, 37),
];

fn operand(base: View, row: i64, column: i64) -> Operand {
    Operand { base, row: Steps::even(Linear::fixed(row)), column: Steps::even(Linear::fixed(column)), rows: None }
}

/// A weight's gradient of `n` rows, and an optimizer that takes a root and divides.
fn gradient(m: i64, n: i64, gathered: bool) -> Program {
    let batch = |words| Linear { constant: 0, batch: words };
    let weights = |number| (Space::Parameter(number), Lane::F32, Linear::fixed(m * n));
    let named = |name, (space, lane, words)| (name, space, lane, words);
    let mut program = program(&[
        ("x", Space::Arena, Lane::F32, batch(m)),
        ("g", Space::Arena, Lane::F32, batch(n)),
        ("tile", Space::Arena, Lane::F32, Linear::fixed(m * n)),
        named("weight", weights(0)),
        named("mean", weights(1)),
        named("square", weights(2)),
        ("rate", Space::Arena, Lane::F32, Linear::fixed(1)),
        ("rows", Space::Rows, Lane::I32, Linear::BATCH),
    ]);
    let mut a = operand(view(0, 0, &[]), 1, m);
    if gathered {
        a.rows = Some(OperandRows { rows: BufferId(7), first: Vec::new(), on_columns: true });
    }
    let product = Statement::Product(Box::new(ProductStatement {
        title: "product".to_owned(),
        a,
        b: operand(view(1, 0, &[]), n, 1),
        c: operand(view(2, 0, &[]), n, 1),
        m: Extent::fixed(m),
        n: Extent::fixed(n),
        k: Extent::Whole(Linear::BATCH),
        accumulate: false,
        origin: 3,
    }));
    let update = nest("update", &[axis(0, Extent::fixed(m), false), axis(1, Extent::fixed(n), true)], |b| {
        let at = |buffer| view(buffer, 0, &[(0, n), (1, 1)]);
        let gradient = b.load(at(2), Lane::F32);
        let [weight, mean, square] = [3, 4, 5].map(|buffer| b.load(at(buffer), Lane::F32));
        let rate = b.load(view(6, 0, &[]), Lane::F32);
        let part = b.f32(0.1);
        let gained = b.mul(gradient, part);
        let mean = b.add(mean, gained);
        let squared = b.mul(gradient, gradient);
        let square = b.add(square, squared);
        let root = b.sqrt(square);
        let step = b.mul(mean, rate);
        let step = b.div(step, root);
        let weight = b.sub(weight, step);
        for (buffer, value) in [(3, weight), (4, mean), (5, square)] {
            b.store(at(buffer), value);
        }
    });
    program.kernels.push(kernel("gradient", None, vec![product, update]));
    program
}

#[test]
fn every_shape_with_few_and_many_steps() {
    for (m, n) in SHAPES {
        for gathered in [false, true] {
            let program = gradient(m, n, gathered);
            let most = 130;
            check_sizes(&program, &filled(&program, most, 5), [1, 2, 15, 16, 17, 40, 128, 129, most]);
        }
    }
}

/// Shapes that no tile takes in are written one after the other, and so is everything without vectors of 16 lanes.
#[test]
fn what_is_woven() {
    for target in targets() {
        for (m, n) in SHAPES {
            let compiled = compile_kernel(&gradient(m, n, false), 0, target).expect("it compiles");
            let text = compiled.text.expect("text was asked for");
            let fits = matches!(n % 32, 0 | 16) || n > 32 && n % 32 <= 8;
            let expected = target.instruction_set == InstructionSet::Avx512 && target.widen != Widen::Never && fits;
            assert_eq!(text.clif.contains("product with update"), expected, "{m}x{n} for {target:?}");
        }
    }
}
