//! Accumulators over rows, which wide functions keep in registers.

use super::nests::filled;
use super::*;
use crate::codegen::compile_kernel;
use crate::loops::{Comparison, Value};

/// Columns that a row has room for.
const ROOM: i64 = 150;
/// Numbers of columns: fewer than a vector has lanes, some that fill strips and groups, and all that leave lanes over.
const COUNTS: [i64; 18] = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 48, 63, 64, 65, 100, 129, 150];

/// A row's words of buffer 0, the accumulators of buffers 1 and 2, words of the row in buffer 3 and of the column in buffer 4.
fn places() -> Program {
    let words = Linear::fixed(ROOM);
    program(&[
        ("x", Space::Arena, Lane::F32, words.times(5)),
        ("sum", Space::Arena, Lane::F32, words),
        ("other", Space::Arena, Lane::F32, words),
        ("row", Space::Arena, Lane::F32, Linear::fixed(5)),
        ("column", Space::Arena, Lane::F32, words),
        ("count", Space::Arena, Lane::I32, words),
    ])
}

fn x(b: &mut BlockBuilder) -> Value {
    b.load(view(0, 0, &[(0, ROOM), (1, 1)]), Lane::F32)
}

fn along(buffer: u32) -> View {
    view(buffer, 0, &[(1, 1)])
}

type Write = fn(&mut BlockBuilder);

/// Blocks that store to accumulators alone.
const KEPT: [(&str, Write); 6] = [
    ("sum", |b| {
        let (x, sum) = (x(b), b.load(along(1), Lane::F32));
        let sum = b.add(sum, x);
        b.store(along(1), sum);
    }),
    ("products", |b| {
        let (x, row) = (x(b), b.load(view(3, 0, &[(0, 1)]), Lane::F32));
        let (column, sum) = (b.load(along(4), Lane::F32), b.load(along(1), Lane::F32));
        let scaled = b.mul(column, row);
        let sum = b.fma(x, scaled, sum);
        b.store(along(1), sum);
    }),
    // The largest, a factor of its own next value, and how often it was found.
    ("largest", |b| {
        let (x, most) = (x(b), b.load(along(1), Lane::F32));
        let larger = b.compare(Comparison::Lt, most, x);
        let found = b.select(larger, x, most);
        b.store(along(1), found);
        let (count, one) = (b.load(along(5), Lane::I32), b.i32(1));
        let more = b.add(count, one);
        let count = b.select(larger, more, count);
        b.store(along(5), count);
    }),
    // One reads what the other was in the row before.
    ("both", |b| {
        let (x, sum, other) = (x(b), b.load(along(1), Lane::F32), b.load(along(2), Lane::F32));
        let half = b.f32(0.5);
        let new = b.fma(sum, half, x);
        b.store(along(1), new);
        let product = b.mul(sum, other);
        let new = b.fma(product, half, new);
        b.store(along(2), new);
    }),
    // Stored, read again and stored again.
    ("again", |b| {
        let (x, sum) = (x(b), b.load(along(1), Lane::F32));
        let new = b.add(sum, x);
        b.store(along(1), new);
        let again = b.load(along(1), Lane::F32);
        let new = b.fma(again, again, sum);
        b.store(along(1), new);
    }),
    ("many", |b| {
        let (x, mut sum) = (x(b), b.load(along(1), Lane::F32));
        let values: Vec<Value> = (0..9)
            .map(|number| {
                let factor = b.f32(number as f32 * 0.25 - 1.0);
                b.mul(x, factor)
            })
            .collect();
        for &value in values.iter().chain(values.iter().rev()) {
            sum = b.fma(sum, value, value);
        }
        b.store(along(1), sum);
    }),
];

/// Blocks whose rows have to stay in order, or that keep what is no value of the row.
const LEFT: [(&str, Write); 5] = [
    ("another is stored", |b| {
        let (x, sum) = (x(b), b.load(along(1), Lane::F32));
        let sum = b.add(sum, x);
        b.store(along(1), sum);
        b.store(view(0, 0, &[(0, ROOM), (1, 1)]), sum);
    }),
    ("the next word is read", |b| {
        let (sum, next) = (b.load(along(1), Lane::F32), b.load(view(1, ROOM - 1, &[]), Lane::F32));
        let sum = b.add(sum, next);
        b.store(along(1), sum);
    }),
    ("it is stored first", |b| {
        let x = x(b);
        b.store(along(1), x);
        let again = b.load(along(1), Lane::F32);
        let sum = b.add(again, x);
        b.store(along(1), sum);
    }),
    ("two change places", |b| {
        let (sum, other) = (b.load(along(1), Lane::F32), b.load(along(2), Lane::F32));
        b.store(along(1), other);
        b.store(along(2), sum);
    }),
    ("it moves along the rows", |b| {
        let sum = b.load(view(0, 0, &[(0, ROOM), (1, 1)]), Lane::F32);
        let sum = b.add(sum, sum);
        b.store(view(0, 0, &[(0, ROOM), (1, 1)]), sum);
    }),
];

/// A kernel for each block, in rows of `columns`.
fn kernels(blocks: &[(&str, Write)], rows: i64, columns: Extent) -> Program {
    let mut program = places();
    for &(name, write) in blocks {
        let axes = [axis(0, Extent::fixed(rows), false), axis(1, columns, true)];
        program.kernels.push(kernel(name, None, vec![nest(name, &axes, write)]));
    }
    program
}

/// Whether a kernel's wide function counts its rows, but not the turns of each anew.
fn keeps(program: &Program, index: usize, target: Target) -> bool {
    let function = compile_kernel(program, index, target).expect("it compiles");
    let text = function.text.as_ref().expect("text was asked for");
    let wide = || text.lines.iter().skip_while(|line| line.label.as_deref() != Some("wide0"));
    let has = |start: &str| wide().any(|line| line.text.starts_with(start));
    has("sub rdx") && !has("mov rsi,[rdi")
}

#[test]
fn accumulators_have_the_interpreters_bits() {
    let blocks = [&KEPT[..], &LEFT[..]].concat();
    for rows in [1, 2, 5] {
        for count in COUNTS {
            let program = kernels(&blocks, rows, Extent::fixed(count));
            check_sizes(&program, &filled(&program, 1, 1), [1]);
        }
        let program = kernels(&blocks, rows, Extent::Whole(Linear::BATCH));
        check_sizes(&program, &filled(&program, 1, 1), COUNTS);
    }
}

#[test]
fn they_are_kept_where_nothing_else_is_stored() {
    for target in targets().into_iter().filter(|target| target.widen == Widen::Always) {
        for columns in [Extent::fixed(64), Extent::fixed(10), Extent::Whole(Linear::BATCH)] {
            for (blocks, kept) in [(&KEPT[..], true), (&LEFT[..], false)] {
                let program = kernels(blocks, 5, columns);
                for (index, (name, _)) in blocks.iter().enumerate() {
                    assert_eq!(keeps(&program, index, target), kept, "{name} for {target:?}");
                }
            }
        }
    }
}
