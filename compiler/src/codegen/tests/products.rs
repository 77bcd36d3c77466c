//! Product calls: descriptors as the micro-kernel must see them.

use super::nests::filled;
use super::*;
use crate::loops::{Operand, OperandRows, ProductStatement, Steps};

fn operand(base: View, row: Linear, column: Linear) -> Operand {
    Operand { base, row: Steps::even(row), column: Steps::even(column), rows: None }
}

fn fixed(number: i64) -> Linear {
    Linear::fixed(number)
}

/// `C[n, 5] = A[n, 7] · B[7, 5]` in row tiles of 3, then `C += A · B` with `B` given by columns, then a nest on each tile.
#[test]
fn tiles_with_an_epilogue() {
    for n in [1, 3, 4, 10] {
        let batch = |words| Linear { constant: 0, batch: words };
        let mut program = program(&[
            ("a", Space::Arena, Lane::F32, batch(7)),
            ("b", Space::Parameter(0), Lane::F32, fixed(35)),
            ("c", Space::Arena, Lane::F32, batch(6)),
        ]);
        let m = Extent::Tile { tile: Var(0), step: 3, total: Linear::BATCH };
        let product = |b: Operand, accumulate| {
            Statement::Product(Box::new(ProductStatement {
                title: "product".to_owned(),
                a: operand(view(0, 0, &[(0, 21)]), fixed(7), fixed(1)),
                b,
                c: operand(view(2, 0, &[(0, 18)]), fixed(6), fixed(1)),
                m,
                n: Extent::fixed(5),
                k: Extent::fixed(7),
                accumulate,
                origin: 3,
            }))
        };
        let epilogue = nest("epilogue", &[axis(1, m, false), axis(2, Extent::fixed(5), true)], |b| {
            let at = view(2, 0, &[(0, 18), (1, 6), (2, 1)]);
            let zero = b.f32(0.0);
            let c = b.load(at.clone(), Lane::F32);
            let c = b.max(zero, c);
            b.store(at, c);
        });
        let body = vec![
            product(operand(view(1, 0, &[]), fixed(5), fixed(1)), false),
            product(operand(view(1, 0, &[]), fixed(1), fixed(7)), true),
            epilogue,
        ];
        let parallel = Parallel { var: Var(0), step: 3, total: Linear::BATCH };
        program.kernels.push(kernel("dense", Some(parallel), body));
        check(&program, &filled(&program, n, 1), n);
    }
}

/// The batch goes through the row table: rows of `A` (forward), columns of `Aᵀ` (the weight's gradient).
#[test]
fn gathered_rows() {
    for n in [1, 4, 9] {
        let mut program = program(&[
            ("data", Space::Input(0), Lane::F32, fixed(13 * 4)),
            ("rows", Space::Rows, Lane::I32, Linear::BATCH),
            ("b", Space::Parameter(0), Lane::F32, fixed(4 * 3)),
            ("c", Space::Arena, Lane::F32, Linear { constant: 0, batch: 3 }),
            ("gradient", Space::Arena, Lane::F32, fixed(4 * 3)),
        ]);
        let through =
            |on_columns, first: &[(Var, i64)]| Some(OperandRows { rows: BufferId(1), first: first.to_vec(), on_columns });
        let forward = ProductStatement {
            title: "forward".to_owned(),
            a: Operand { rows: through(false, &[(Var(0), 4)]), ..operand(view(0, 0, &[]), fixed(4), fixed(1)) },
            b: operand(view(2, 0, &[]), fixed(3), fixed(1)),
            c: operand(view(3, 0, &[(0, 12)]), fixed(3), fixed(1)),
            m: Extent::Tile { tile: Var(0), step: 4, total: Linear::BATCH },
            n: Extent::fixed(3),
            k: Extent::fixed(4),
            accumulate: false,
            origin: 1,
        };
        let gradient = ProductStatement {
            title: "gradient".to_owned(),
            a: Operand { rows: through(true, &[]), ..operand(view(0, 0, &[]), fixed(1), fixed(4)) },
            b: operand(view(3, 0, &[]), fixed(3), fixed(1)),
            c: operand(view(4, 0, &[]), fixed(3), fixed(1)),
            m: Extent::fixed(4),
            n: Extent::fixed(3),
            k: Extent::Whole(Linear::BATCH),
            accumulate: false,
            origin: 2,
        };
        let parallel = Parallel { var: Var(0), step: 4, total: Linear::BATCH };
        let statement = |product: ProductStatement| vec![Statement::Product(Box::new(product))];
        program.kernels.push(kernel("forward", Some(parallel), statement(forward)));
        program.kernels.push(kernel("gradient", None, statement(gradient)));
        check(&program, &filled(&program, n, 13), n);
    }
}

/// What the micro-kernel does not know is refused, unless the axis has one element.
#[test]
fn strides_outside_the_contract() {
    let compiled = |b: (i64, i64), c_column, n, k| {
        let mut program = program(&[
            ("a", Space::Arena, Lane::F32, fixed(100)),
            ("b", Space::Arena, Lane::F32, fixed(100)),
            ("c", Space::Arena, Lane::F32, fixed(100)),
        ]);
        let product = ProductStatement {
            title: "product".to_owned(),
            a: operand(view(0, 0, &[]), fixed(4), fixed(1)),
            b: operand(view(1, 0, &[]), fixed(b.0), fixed(b.1)),
            c: operand(view(2, 0, &[]), fixed(4), fixed(c_column)),
            // Too many multiply-adds for a nest, where both have four of the other two.
            m: Extent::fixed(9),
            n: Extent::fixed(n),
            k: Extent::fixed(k),
            accumulate: false,
            origin: 0,
        };
        let body = vec![Statement::Product(Box::new(product))];
        program.kernels.push(kernel("product", None, body));
        let fits = compile(&program, targets()[0], &symbols(), 1).is_ok();
        if fits {
            check(&program, &filled(&program, 1, 1), 1);
        }
        fits
    };
    assert!(compiled((4, 1), 1, 4, 4));
    assert!(compiled((1, 4), 1, 4, 4));
    assert!(!compiled((2, 4), 1, 4, 4));
    assert!(!compiled((4, 1), 2, 4, 4));
    assert!(compiled((2, 4), 2, 1, 4));
    assert!(compiled((2, 4), 1, 4, 1));
}

/// A right operand that is copied stays where it is for all tiles of a call, unless it is another in each, a second product takes its place
/// or the kernel writes to it.
#[test]
fn a_copy_serves_all_tiles() {
    let built = |b_moves: i64, twice: bool, writes: bool| {
        let mut program = program(&[
            ("a", Space::Arena, Lane::F32, fixed(12 * 7 + 7)),
            ("b", Space::Arena, Lane::F32, fixed(9 * 7 + 3 * 7 + 7)),
            ("c", Space::Arena, Lane::F32, fixed(12 * 9)),
        ]);
        let product = |rows: i64| {
            Statement::Product(Box::new(ProductStatement {
                title: "product".to_owned(),
                a: operand(view(0, rows, &[(0, 21)]), fixed(7), fixed(1)),
                b: operand(view(1, rows, &[(0, b_moves)][..usize::from(b_moves > 0)]), fixed(1), fixed(7)),
                c: operand(view(2, 0, &[(0, 27)]), fixed(9), fixed(1)),
                m: Extent::fixed(3),
                n: Extent::fixed(9),
                k: Extent::fixed(7),
                accumulate: rows > 0,
                origin: 3,
            }))
        };
        let mut body = vec![product(0)];
        if twice {
            body.push(product(7));
        }
        if writes {
            body.push(nest("write", &[axis(1, Extent::fixed(7), false)], |b| {
                let one = b.f32(1.0);
                b.store(view(1, 0, &[(1, 1)]), one);
            }));
        }
        program.kernels.push(kernel("dense", Some(Parallel { var: Var(0), step: 3, total: fixed(12) }), body));
        program
    };
    for (program, is_kept) in [
        (built(0, false, false), true),
        (built(7, false, false), false),
        (built(0, true, false), false),
        (built(0, false, true), false),
    ] {
        let memory = filled(&program, 1, 1);
        check(&program, &memory, 1);
        let module = compile(&program, targets()[0], &symbols(), 1).expect("it compiles");
        assert_eq!(listing(&module).contains("icmp ne"), is_kept, "{}", listing(&module));
    }
}
