//! Loop nests: vectors with a remainder, strides, tables, tiles, accumulators, order.

use super::*;
use crate::loops::{Comparison, Table};

/// Random floats in every float buffer, small row numbers in every row table, small integers in the others.
pub fn filled(program: &Program, n: i64, rows: u32) -> Memory {
    let mut memory = Memory::new(program, n);
    let mut dice = Dice(9);
    for (buffer, words) in program.buffers.iter().zip(&mut memory.words) {
        for word in words {
            *word = match (buffer.space, buffer.lane) {
                (Space::Rows, _) => dice.word() % rows,
                (_, Lane::F32) => dice.float(),
                (_, Lane::I32) => dice.word() % 100,
                (_, Lane::F64) => 0,
            };
        }
    }
    memory
}

fn arena(name: &'static str, words: i64) -> (&'static str, Space, Lane, Linear) {
    (name, Space::Arena, Lane::F32, Linear::fixed(words))
}

/// `y[r, c] = x[r, c] * s[0] + bias[c] + (r * 10 + c * n)`, the innermost axis fixed or of the batch's size.
#[test]
fn vectors_and_their_remainder() {
    for count in [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 33] {
        for extent in [Extent::fixed(count), Extent::Whole(Linear::BATCH)] {
            let words = 3 * count;
            let mut program = program(&[
                arena("x", words),
                arena("y", words),
                arena("bias", count),
                arena("s", 1),
                ("i", Space::Arena, Lane::I32, Linear::fixed(words)),
            ]);
            let axes = [axis(0, Extent::fixed(3), false), axis(1, extent, true)];
            let body = nest("affine", &axes, |b| {
                let x = b.load(view(0, 0, &[(0, count), (1, 1)]), Lane::F32);
                let s = b.load(view(3, 0, &[]), Lane::F32);
                let bias = b.load(view(2, 0, &[(1, 1)]), Lane::F32);
                let terms = vec![(Var(0), Linear::fixed(10)), (Var(1), Linear::BATCH)];
                let index = b.index(terms, Linear::fixed(-3));
                let float = b.to_float(index);
                let sum = b.fma(x, s, bias);
                let root = b.sqrt(s);
                let larger = b.compare(Comparison::Lt, root, s);
                let sum = b.add(sum, float);
                let sum = b.select(larger, sum, root);
                b.store(view(1, 0, &[(0, count), (1, 1)]), sum);
                b.store(view(4, 0, &[(0, count), (1, 1)]), index);
            });
            program.kernels.push(kernel("affine", None, vec![body]));
            check(&program, &filled(&program, count, 1), count);
        }
    }
}

#[test]
fn loops_without_turns_touch_nothing() {
    let mut program = program(&[arena("x", 4), arena("y", 4)]);
    for (extent, vector) in [
        (Extent::fixed(0), true),
        (Extent::Whole(Linear { constant: -3, batch: 1 }), true),
        (Extent::Whole(Linear { constant: -3, batch: 1 }), false),
    ] {
        for axes in [vec![axis(0, extent, vector)], vec![axis(1, extent, false), axis(0, Extent::fixed(4), vector)]] {
            let body = nest("none", &axes, |b| {
                let x = b.load(view(0, 1 << 40, &[]), Lane::F32);
                let y = b.load(view(1, 0, &[(0, 1)]), Lane::F32);
                let y = b.add(x, y);
                b.store(view(1, 0, &[(0, 1)]), y);
            });
            program.kernels.push(kernel("none", None, vec![body]));
        }
    }
    check(&program, &filled(&program, 3, 1), 3);
}

/// Sums along the innermost axis, with strides 1, 5 and -1, kept in a register; one that is stored to before it is read.
#[test]
fn accumulators() {
    for count in [1, 2, 7, 16] {
        for extent in [Extent::fixed(count), Extent::Whole(Linear::BATCH)] {
            let mut program = program(&[
                arena("x", 8 * count * 5),
                arena("sum", 8),
                arena("most", 8),
                arena("last", 8),
                ("count", Space::Arena, Lane::I32, Linear::fixed(8)),
            ]);
            let axes = [axis(0, Extent::fixed(8), false), axis(1, extent, false)];
            let body = nest("sums", &axes, |b| {
                let near = b.load(view(0, 0, &[(0, count), (1, 1)]), Lane::F32);
                let far = b.load(view(0, 0, &[(0, 1), (1, 5)]), Lane::F32);
                let back = b.load(view(0, 8 * count - 1, &[(0, -1), (1, -1)]), Lane::F32);
                let product = b.mul(near, far);
                let sum = b.load(view(1, 0, &[(0, 1)]), Lane::F32);
                let sum = b.fma(product, back, sum);
                b.store(view(1, 0, &[(0, 1)]), sum);
                let most = b.load(view(2, 0, &[(0, 1)]), Lane::F32);
                let most = b.max(most, near);
                b.store(view(2, 0, &[(0, 1)]), most);
                b.store(view(3, 0, &[(0, 1)]), near);
                let seen = b.load(view(4, 0, &[(0, 1)]), Lane::I32);
                let one = b.i32(1);
                let seen = b.add(seen, one);
                b.store(view(4, 0, &[(0, 1)]), seen);
            });
            program.kernels.push(kernel("sums", None, vec![body]));
            check(&program, &filled(&program, count, 1), count);
        }
    }
}

/// `x[i + 1] += x[i]`: the buffer is loaded and stored at two places, so nothing may be kept or hoisted.
#[test]
fn a_buffer_that_is_read_and_written() {
    let mut program = program(&[arena("x", 40), arena("y", 40)]);
    let body = nest("prefix", &[axis(0, Extent::fixed(30), false)], |b| {
        let first = b.load(view(0, 0, &[]), Lane::F32);
        let x = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
        let y = b.load(view(0, 1, &[(0, 1)]), Lane::F32);
        let sum = b.add(x, y);
        let sum = b.add(sum, first);
        b.store(view(0, 1, &[(0, 1)]), sum);
        b.store(view(0, 0, &[]), y);
    });
    program.kernels.push(kernel("prefix", None, vec![body]));
    check(&program, &filled(&program, 1, 1), 1);
}

/// A gathered row, along an outer axis and along the innermost one.
#[test]
fn row_tables() {
    let (rows, width) = (11, 6);
    let row = Table { rows: BufferId(1), index: vec![(Var(0), 1)], stride: width };
    for n in [1, 5, 8] {
        let mut program = program(&[
            ("data", Space::Input(0), Lane::F32, Linear::fixed(i64::from(rows) * width)),
            ("rows", Space::Rows, Lane::I32, Linear::BATCH),
            ("y", Space::Arena, Lane::F32, Linear { constant: 0, batch: width }),
            ("z", Space::Arena, Lane::F32, Linear { constant: 0, batch: width }),
        ]);
        let batch = axis(0, Extent::Whole(Linear::BATCH), false);
        let columns = |vector| axis(1, Extent::fixed(width), vector);
        let gather = |to: u32| {
            let row = row.clone();
            move |b: &mut BlockBuilder| {
                let mut from = view(0, 0, &[(1, 1)]);
                from.table = Some(row);
                let x = b.load(from, Lane::F32);
                let y = b.load(view(to, 0, &[(0, width), (1, 1)]), Lane::F32);
                let y = b.add(x, y);
                b.store(view(to, 0, &[(0, width), (1, 1)]), y);
            }
        };
        let body = vec![
            nest("rows outside", &[batch, columns(true)], gather(2)),
            nest("rows inside", &[columns(false), batch], gather(3)),
        ];
        program.kernels.push(kernel("gather", None, body));
        check(&program, &filled(&program, n, rows), n);
    }
}

/// Parallel tiles of rows, inner tiles of columns, each with a smaller last one.
#[test]
fn tiles_of_rows_and_columns() {
    let width = 13;
    for (total, fixed) in [(1, true), (6, true), (8, true), (9, true), (1, false), (7, false), (12, false)] {
        let rows = match fixed {
            true => Linear::fixed(total),
            false => Linear::BATCH,
        };
        let words = rows.times(width);
        let mut program = program(&[("x", Space::Arena, Lane::F32, words), ("y", Space::Arena, Lane::F32, words)]);
        for (step, column_step) in [(4, 4), (3, 8), (16, 13), (1, 5)] {
            let axes = [
                axis(2, Extent::Tile { tile: Var(0), step, total: rows }, false),
                axis(3, Extent::Tile { tile: Var(1), step: column_step, total: Linear::fixed(width) }, true),
            ];
            let at = [(0, step * width), (2, width), (1, column_step), (3, 1)];
            let tile = nest("tile", &axes, |b| {
                let x = b.load(view(0, 0, &at), Lane::F32);
                let y = b.load(view(1, 0, &at), Lane::F32);
                let sum = b.fma(x, x, y);
                b.store(view(1, 0, &at), sum);
            });
            let columns = Statement::Tiles { var: Var(1), step: column_step, total: Linear::fixed(width), body: vec![tile] };
            let parallel = Parallel { var: Var(0), step, total: rows };
            program.kernels.push(kernel("tiles", Some(parallel), vec![columns]));
        }
        // Inner tiles along the batch.
        let inner = nest("batch", &[axis(1, Extent::Tile { tile: Var(0), step: 4, total: rows }, true)], |b| {
            let x = b.load(view(0, 0, &[(0, 4), (1, 1)]), Lane::F32);
            b.store(view(1, 0, &[(0, 4), (1, 1)]), x);
        });
        let tiles = Statement::Tiles { var: Var(0), step: 4, total: rows, body: vec![inner] };
        program.kernels.push(kernel("batch", None, vec![tiles]));
        check(&program, &filled(&program, total, 1), total);
    }
}

/// Strides and offsets that grow with the batch.
#[test]
fn column_major_by_the_batch() {
    for n in [1, 4, 6] {
        let words = Linear { constant: 0, batch: 5 };
        let mut program = program(&[("x", Space::Arena, Lane::F32, words), ("y", Space::Arena, Lane::F32, words)]);
        let mut across = view(0, 0, &[(1, 1)]);
        across.strides.push((Var(0), Linear::BATCH));
        let mut last = view(1, 0, &[(0, -1), (1, -5)]);
        last.offset = Linear { constant: -1, batch: 5 };
        let axes = [axis(1, Extent::Whole(Linear::BATCH), false), axis(0, Extent::fixed(5), false)];
        let body = nest("backwards", &axes, |b| {
            let x = b.load(across.clone(), Lane::F32);
            b.store(last, x);
        });
        program.kernels.push(kernel("backwards", None, vec![body]));
        let body = nest("rows", &[axis(0, Extent::fixed(5), false), axis(1, Extent::Whole(Linear::BATCH), true)], |b| {
            let x = b.load(across.clone(), Lane::F32);
            let mut to = across.clone();
            to.buffer = BufferId(1);
            let y = b.load(to.clone(), Lane::F32);
            let y = b.add(x, y);
            b.store(to, y);
        });
        program.kernels.push(kernel("rows", None, vec![body]));
        check(&program, &filled(&program, n, 1), n);
    }
}

#[test]
fn titles_and_origins_are_in_the_text() {
    let mut program = program(&[arena("x", 8), arena("y", 8)]);
    let body = nest("double x", &[axis(0, Extent::fixed(8), true)], |b| {
        let x = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
        let x = b.add(x, x);
        b.store(view(1, 0, &[(0, 1)]), x);
    });
    program.kernels.push(kernel("double", None, vec![body]));
    let target = targets().pop().expect("a target");
    let module = compile(&program, target, &symbols(), 1).expect("the program compiles");
    let text = listing(&module);
    assert!(text.contains("; double x\n"), "{text}");
    assert!(text.contains("@0007"), "{text}");
    assert!(text.contains("kernel0.double:\n"), "{text}");
}
