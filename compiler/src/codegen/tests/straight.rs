//! Turns that are written out for one row, against the interpreter: beside the steps that they stand for, which batches of two and teams run.

use super::entries::*;
use super::*;
use crate::codegen::outline::{Outline, Part};
use crate::loops::interpret::{Memory, run_entry};
use crate::loops::{Comparison, Control, Entry, Operand, OperandRows, ProductStatement, Steps, Table};

const X: u32 = 1;
const ROWS: u32 = 2;
const WEIGHT: u32 = 3;
const OUT: u32 = 4;
const SQUARES: u32 = 5;
const MAYBE: u32 = 6;
const LOSS: u32 = 7;

/// A linear model with three inputs: the product of looked-up rows, a loss, and a step that is taken only while the loss is below a bound.
fn row_by_row() -> Program {
    let batch = |words| Linear { constant: 0, batch: words };
    let mut program = with_slots(&[
        ("x", Space::Input(0), Lane::F32, Linear::fixed(15)),
        ("rows", Space::Rows, Lane::I32, batch(1)),
        ("weight", Space::Parameter(0), Lane::F32, Linear::fixed(3)),
        ("out", Space::Arena, Lane::F32, batch(1)),
        ("squares", Space::Scratch, Lane::F32, Linear::fixed(1)),
        ("maybe", Space::Arena, Lane::F32, Linear::fixed(2)),
        ("loss", Space::Output(0), Lane::F32, Linear::fixed(1)),
    ]);
    let even = |row: i64, column: i64| (Steps::even(Linear::fixed(row)), Steps::even(Linear::fixed(column)));
    let operand = |buffer, (row, column), rows| Operand { base: view(buffer, 0, &[]), row, column, rows };
    let rows = OperandRows { rows: BufferId(ROWS), first: Vec::new(), on_columns: false };
    let forward = Statement::Product(Box::new(ProductStatement {
        title: "forward".to_owned(),
        a: operand(X, even(3, 1), Some(rows)),
        b: operand(WEIGHT, even(1, 1), None),
        c: operand(OUT, even(1, 1), None),
        m: Extent::Whole(Linear::BATCH),
        n: Extent::fixed(1),
        k: Extent::fixed(3),
        accumulate: false,
        origin: 3,
    }));
    let start = nest("start", &[], |b| {
        let zero = b.f32(0.0);
        b.store(view(SQUARES, 0, &[]), zero);
    });
    let squares = nest("squares", &[axis(0, Extent::Whole(Linear::BATCH), false)], |b| {
        let out = b.load(view(OUT, 0, &[(0, 1)]), Lane::F32);
        let square = b.mul(out, out);
        let sum = b.load(view(SQUARES, 0, &[]), Lane::F32);
        let sum = b.add(sum, square);
        b.store(view(SQUARES, 0, &[]), sum);
    });
    let loss = nest("loss", &[axis(1, Extent::fixed(2), true)], |b| {
        let sum = b.load(view(SQUARES, 0, &[]), Lane::F32);
        let lane = b.index(vec![(Var(1), Linear::fixed(1))], Linear::BATCH);
        let lane = b.to_float(lane);
        let value = b.div(sum, lane);
        b.store(view(MAYBE, 0, &[(1, 1)]), value);
    });
    let given = nest("given", &[], |b| {
        let sum = b.load(view(MAYBE, 0, &[]), Lane::F32);
        b.store(view(LOSS, 0, &[]), sum);
    });
    program.kernels.push(kernel("forward", None, vec![forward, start, squares, loss, given]));
    let update = nest("update", &[axis(2, Extent::fixed(3), false), axis(3, Extent::Whole(Linear::BATCH), false)], |b| {
        let table = Table { rows: BufferId(ROWS), index: vec![(Var(3), 1)], stride: 3 };
        let x = b.load(View { table: Some(table), ..view(X, 0, &[(2, 1)]) }, Lane::F32);
        let out = b.load(view(OUT, 0, &[(3, 1)]), Lane::F32);
        let rate = b.f32(-0.125);
        let out = b.mul(out, rate);
        let old = b.load(view(WEIGHT, 0, &[(2, 1)]), Lane::F32);
        let new = b.fma(x, out, old);
        b.store(view(WEIGHT, 0, &[(2, 1)]), new);
    });
    // What follows the branch reads a word that the branch stores to, and one that it leaves alone.
    let changed = nest("changed", &[], |b| {
        let weight = b.load(view(WEIGHT, 2, &[]), Lane::F32);
        b.store(view(MAYBE, 1, &[]), weight);
    });
    program.kernels.push(kernel("update", None, vec![update, changed]));
    let batches = scalar(|b| {
        let step = b.load(slot(STEP), Lane::I32);
        let three = b.i32(3);
        let is_third = b.compare(Comparison::Eq, step, three);
        let (one, two) = (b.i32(1), b.i32(2));
        let batch = b.select(is_third, two, one);
        b.store(slot(BATCH), batch);
    });
    let row = scalar(|b| {
        let step = b.load(slot(STEP), Lane::I32);
        b.store(view(ROWS, 0, &[]), step);
    });
    let judge = scalar(|b| {
        let loss = b.load(view(LOSS, 0, &[]), Lane::F32);
        let bound = b.f32(2.0);
        let is_small = b.compare(Comparison::Lt, loss, bound);
        b.store(slot(FLAG), is_small);
    });
    let sum = scalar(|b| {
        let first = b.load(view(MAYBE, 0, &[]), Lane::F32);
        let second = b.load(view(MAYBE, 1, &[]), Lane::F32);
        let both = b.add(first, second);
        let both = b.promote(both);
        let sum = b.load(slot(SUM), Lane::F64);
        let sum = b.add(sum, both);
        b.store(slot(SUM), sum);
    });
    let body = vec![
        batches,
        row,
        Control::Call { symbol: "bump".to_owned() },
        Control::Barrier,
        Control::Batch(BATCH),
        Control::Kernel(0),
        Control::Barrier,
        judge,
        Control::If { condition: FLAG, then: vec![Control::Kernel(1), Control::Barrier], otherwise: vec![] },
        sum,
        Control::Call { symbol: "bump".to_owned() },
    ];
    let repeat = Control::Loop { counter: STEP, count: STEPS, stop: None, body };
    program.entries.push(Entry { name: "fit".to_owned(), body: vec![set(STEPS, 5), repeat] });
    program
}

fn data(program: &Program) -> Memory {
    let mut memory = Memory::new(program, 2);
    memory.set_floats(BufferId(X), &[0.5, -1.0, 0.25, 3.0, 2.0, 1.0, -0.75, 0.5, 0.125, 1.5, -0.5, 0.25, 0.0, -0.0, 1.0]);
    memory.set_floats(BufferId(WEIGHT), &[0.75, 0.5, -0.25]);
    memory
}

/// One of its rows has a loss above the bound, and one of its batches has two rows.
#[test]
fn a_turn_of_one_row_is_written_out() {
    let program = row_by_row();
    let memory = data(&program);
    let mut expected = memory.clone();
    run_entry(&program, "fit", &mut expected, &mut |_, memory| {
        let calls = memory.slot_i32(CALLS).expect("the slot exists");
        assert!(memory.set_slot_i32(CALLS, calls + 3));
    })
    .expect("the program is correct");
    let lasts = |space| !matches!(space, Space::Arena | Space::Scratch);
    for target in targets() {
        let module = compile(&program, target, &team_symbols(), 1).expect("the program compiles");
        for threads in 1..=2 {
            let found = run_team(&module, "fit", &memory, threads);
            for (number, buffer) in program.buffers.iter().enumerate().filter(|(_, buffer)| lasts(buffer.space)) {
                let what = format!("{}, {}, {threads} threads", buffer.name, target.instruction_set);
                assert_eq!(found.words(number), expected.words[number], "{what}\n{}", listing(&module));
            }
        }
    }
}

/// Temporaries are values, but for those of which a branch leaves to memory what they hold.
#[test]
fn a_turn_that_is_written_out_stores_what_lasts() {
    let program = row_by_row();
    let outline = Outline::of(&program).expect("it can be outlined");
    assert!(matches!(outline.parts[..], [Part::Alone(_)]));
    let module = compile(&program, Target { text: true, ..Target::host() }, &team_symbols(), 1).expect("the program compiles");
    let part = module.functions().iter().find(|function| function.name == "part0").expect("there is a part");
    let text = &part.text.as_ref().expect("its text is kept").clif;
    let (maybe, loss, flag, weights, changed, sum) = (2, 1, 1, 3, 1, 1);
    assert_eq!(text.matches("store ").count(), maybe + loss + flag + weights + changed + sum, "{text}");
    assert!(!text.contains("call"), "{text}");
}
