//! Speed of the product kernels beside the measured peak of fused multiply-adds:
//! `cargo run --release -p gradc-runtime --example kernels [part of a layout's name]`.
//!
//! Each figure is the best of many short runs, which other programs disturb least.

use std::time::{Duration, Instant};

use gradc_compiler::abi::{PACK_FLOATS, Product};
use gradc_runtime::kernels::{InstructionSet, product};
use gradc_runtime::machine::Limits;

/// How the operands lie in memory.
#[derive(Clone, Copy)]
enum Layout {
    /// Both operands row by row.
    Plain,
    /// Left operand column by column: weight gradients.
    LeftTransposed,
    /// Right operand column by column: input gradients.
    RightTransposed,
    /// Rows of the left operand chosen by a table.
    RowTable,
    /// Left operand column by column, its steps chosen by a table: weight gradients of a gathered batch.
    StepTable,
}

const SHAPES: &[(&str, Layout, [usize; 3])] = &[
    ("plain", Layout::Plain, [16, 16, 16]),
    ("plain", Layout::Plain, [1, 784, 128]),
    ("plain", Layout::Plain, [32, 64, 10]),
    ("plain", Layout::Plain, [32, 64, 128]),
    ("plain", Layout::Plain, [32, 128, 64]),
    ("plain", Layout::Plain, [64, 100, 100]),
    ("plain", Layout::Plain, [32, 100, 100]),
    ("plain", Layout::Plain, [32, 100, 40]),
    ("plain", Layout::Plain, [32, 100, 10]),
    ("plain", Layout::Plain, [128, 128, 128]),
    ("plain", Layout::Plain, [32, 784, 128]),
    ("plain", Layout::Plain, [128, 784, 32]),
    ("plain", Layout::Plain, [128, 784, 512]),
    ("plain", Layout::Plain, [784, 128, 512]),
    ("plain", Layout::Plain, [512, 4096, 32]),
    ("plain", Layout::Plain, [48, 512, 512]),
    ("plain", Layout::Plain, [512, 512, 512]),
    ("plain", Layout::Plain, [1024, 1024, 1024]),
    ("aT", Layout::LeftTransposed, [64, 32, 128]),
    ("aT", Layout::LeftTransposed, [128, 32, 10]),
    ("aT", Layout::LeftTransposed, [100, 64, 100]),
    ("aT", Layout::LeftTransposed, [784, 128, 512]),
    ("aT", Layout::LeftTransposed, [784, 128, 32]),
    ("aT", Layout::LeftTransposed, [512, 512, 512]),
    ("bT", Layout::RightTransposed, [32, 128, 64]),
    ("bT", Layout::RightTransposed, [32, 10, 128]),
    ("bT", Layout::RightTransposed, [32, 100, 100]),
    ("bT", Layout::RightTransposed, [128, 512, 784]),
    ("bT", Layout::RightTransposed, [512, 512, 512]),
    ("bT", Layout::RightTransposed, [1, 128, 784]),
    ("rows", Layout::RowTable, [32, 64, 128]),
    ("rows", Layout::RowTable, [128, 784, 512]),
    ("rows", Layout::RowTable, [128, 784, 32]),
    ("steps", Layout::StepTable, [64, 32, 128]),
    ("steps", Layout::StepTable, [784, 128, 512]),
    ("steps", Layout::StepTable, [784, 128, 32]),
];

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let Limits { flops, bandwidth } = Limits::measure(InstructionSet::detect());
    let peak = flops / 1e9;
    println!("peak of fused multiply-adds: {peak:.1} GFLOP/s; a sum over memory reads {:.1} GB/s", bandwidth / 1e9);
    for &(name, layout, [m, k, n]) in SHAPES {
        if !name.contains(&filter) {
            continue;
        }
        print!("{name:<6}{:<18}", format!("{m}x{k}x{n}"));
        for set in InstructionSet::available() {
            if set == InstructionSet::Portable {
                continue;
            }
            let rate = rate(set, layout, m, k, n);
            print!("{set:>8} {rate:7.1} GFLOP/s {:5.1} %", 100.0 * rate / peak);
        }
        println!();
    }
}

/// GFLOP/s of one product.
fn rate(set: InstructionSet, layout: Layout, m: usize, k: usize, n: usize) -> f64 {
    // Vectors of 64-byte aligned blocks, as the arena's are.
    let a = aligned(m * k);
    let b = aligned(k * n);
    let mut c = aligned(m * n);
    let mut pack = aligned(PACK_FLOATS);
    let entries = if matches!(layout, Layout::StepTable) { k } else { m };
    let table: Vec<u32> = (0..entries).map(|i| ((i * 7919) % entries) as u32).collect();
    let (left_transposed, on_k) = match layout {
        Layout::Plain | Layout::RightTransposed | Layout::RowTable => (false, 0),
        Layout::LeftTransposed => (true, 0),
        Layout::StepTable => (true, 1),
    };
    let tabled = matches!(layout, Layout::RowTable | Layout::StepTable);
    let right_transposed = matches!(layout, Layout::RightTransposed);
    let description = Product {
        a: a.as_ptr().cast(),
        a_row: if left_transposed { 1 } else { k as i64 },
        a_k: if left_transposed { m as i64 } else { 1 },
        a_table: if tabled { table.as_ptr() } else { std::ptr::null() },
        a_table_on_k: on_k,
        b: b.as_ptr().cast(),
        b_k: if right_transposed { 1 } else { n as i64 },
        b_col: if right_transposed { k as i64 } else { 1 },
        b_rows: std::ptr::null(),
        b_cols: std::ptr::null(),
        c: c.as_mut_ptr().cast(),
        c_row: n as i64,
        m: m as i64,
        n: n as i64,
        k: k as i64,
        accumulate: 0,
        b_is_packed: 0,
        pack: pack.as_mut_ptr().cast(),
    };
    let kernel = product(set);
    let work = 2.0 * (m * k * n) as f64;
    let calls = (2e6 / work).ceil() as usize;
    let seconds = best(|| {
        for _ in 0..calls {
            // SAFETY: the set is available, and the operands are as long as the shape says.
            unsafe { kernel(std::hint::black_box(&description)) }
        }
    });
    work * calls as f64 / seconds / 1e9
}

/// At least `floats` floats, aligned to cache lines.
fn aligned(floats: usize) -> Vec<Line> {
    (0..floats.div_ceil(16) + 1).map(|line| Line(std::array::from_fn(|i| ((line * 16 + i) % 17) as f32 / 16.0 - 0.5))).collect()
}

/// One cache line.
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "read through pointers")] [f32; 16]);

/// The least seconds that `run` takes within a third of a second.
fn best(mut run: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut least = Duration::MAX;
    while begin.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        run();
        least = least.min(start.elapsed());
    }
    least.as_secs_f64()
}
