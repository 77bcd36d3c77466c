//! Driver trees of small programs, run by the interpreter.

use super::{Assembled, Graphs, assemble, calls};
use crate::aggregate::{Combination, Formula};
use crate::fusion::Options;
use crate::graph::{Builder, Dim, Graph, Shape, Type};
use crate::loops::interpret::{Memory, run_entry};
use crate::loops::{BufferId, Slot, Space};
use crate::ops::Primitive;

const CAPACITY: usize = 3;

/// `x` and `w` of a batch: a mean by weights with its weights, a root of a mean of squares, a mean by rows.
fn measures() -> Graph {
    let mut builder = Builder::new("measures");
    let column = || Type::f32(Shape(vec![Dim::Batch]));
    let x = builder.source(Primitive::Input, "x", column()).unwrap();
    let w = builder.source(Primitive::Input, "w", column()).unwrap();
    let product = builder.mul(x, w).unwrap();
    let sum = builder.sum_all(product).unwrap();
    let weights = builder.sum_all(w).unwrap();
    let (zero, one) = (builder.constant(0.0), builder.constant(1.0));
    let none = builder.binary(Primitive::Eq, weights, zero).unwrap();
    let divisor = builder.select(none, one, weights).unwrap();
    let loss = builder.div(sum, divisor).unwrap();
    let square = builder.mul(x, x).unwrap();
    let square = builder.mean_all(square).unwrap();
    let root = builder.unary(Primitive::Sqrt, square).unwrap();
    let mean = builder.mean_all(x).unwrap();
    for (name, node) in [("loss", loss), ("rmse", root), ("mean", mean), ("loss.weights", weights), ("rmse.mean", square)] {
        builder.output(name, node);
    }
    builder.finish()
}

fn slot(assembled: &Assembled, name: &str) -> Slot {
    *assembled.slots.get(name).unwrap_or_else(|| panic!("there is a slot `{name}`"))
}

fn buffer(assembled: &Assembled, found: impl Fn(Space, &str) -> bool) -> BufferId {
    let buffers = &assembled.program.buffers;
    BufferId(buffers.iter().position(|buffer| found(buffer.space, &buffer.name)).unwrap() as u32)
}

/// Evaluates all rows in chunks of at most three; gives `name.sum / rows` for each name.
fn evaluate(x: &[f32], w: &[f32], names: &[&str]) -> Vec<f64> {
    let root = Combination::of_mean("mean", |mean| Formula::Sqrt(Box::new(mean)));
    let combinations = [("loss".to_string(), Combination::weighted("weights")), ("rmse".to_string(), root)].into();
    let graphs = Graphs { evaluation: Some(measures()), combinations, ..Graphs::default() };
    let assembled = assemble("measures", &graphs, &Options::default()).unwrap();
    let mut memory = Memory::new(&assembled.program, CAPACITY as i64);
    memory.set_floats(buffer(&assembled, |_, name| name == "x"), x);
    memory.set_floats(buffer(&assembled, |_, name| name == "w"), w);
    let rows = buffer(&assembled, |space, _| space == Space::Rows);
    let mut next = 0;
    let mut call = |symbol: &str, memory: &mut Memory| match symbol {
        calls::VALIDATION => assert!(memory.set_slot_i32(slot(&assembled, "chunks"), x.len().div_ceil(CAPACITY) as i32)),
        calls::CHUNK => {
            let count = CAPACITY.min(x.len() - next);
            for row in 0..count {
                memory.words[rows.0 as usize][row] = (next + row) as u32;
            }
            next += count;
            assert!(memory.set_slot_i32(slot(&assembled, "batch"), count as i32));
        }
        _ => panic!("`{symbol}` is not called by an evaluation"),
    };
    run_entry(&assembled.program, "evaluate", &mut memory, &mut call).unwrap();
    let read = |name: &str| memory.slot_f64(slot(&assembled, name)).unwrap();
    let count = read("evaluate.rows");
    assert_eq!(count, x.len() as f64);
    names.iter().map(|name| read(&format!("evaluate.{name}.sum")) / count).collect()
}

#[test]
fn chunks_combine_to_the_value_of_all_rows() {
    let x = [0.5, -1.25, 3.0, 7.5, -2.0, 0.25, 11.0, 1.5];
    let w = [1.0, 0.0, 0.25, 4.0, 0.5, 2.0, 0.0, 16.0];
    let found = evaluate(&x, &w, &["loss", "rmse", "mean"]);
    let sum = |terms: &mut dyn Iterator<Item = f64>| terms.sum::<f64>();
    let weighted = sum(&mut x.iter().zip(&w).map(|(x, w)| f64::from(x * w)));
    let expected = [
        weighted / sum(&mut w.iter().map(|w| f64::from(*w))),
        (sum(&mut x.iter().map(|x| f64::from(x * x))) / 8.0).sqrt(),
        sum(&mut x.iter().map(|x| f64::from(*x))) / 8.0,
    ];
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6 * expected.abs(), "{found} is not {expected}");
    }
}

#[test]
fn a_chunk_without_weight_counts_for_nothing() {
    let x = [100.0, 100.0, 100.0, 1.0, 3.0];
    assert_eq!(evaluate(&x, &[0.0, 0.0, 0.0, 1.0, 1.0], &["loss"]), [2.0]);
    assert_eq!(evaluate(&x, &[0.0; 5], &["loss"]), [0.0]);
}
