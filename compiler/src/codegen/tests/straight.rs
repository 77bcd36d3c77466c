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

fn row_by_row_data(program: &Program) -> Memory {
    let mut memory = Memory::new(program, 2);
    memory.set_floats(BufferId(X), &[0.5, -1.0, 0.25, 3.0, 2.0, 1.0, -0.75, 0.5, 0.125, 1.5, -0.5, 0.25, 0.0, -0.0, 1.0]);
    memory.set_floats(BufferId(WEIGHT), &[0.75, 0.5, -0.25]);
    memory
}

/// Seven words, each kernel of which reads the others' in another way: four side by side, one by one, and four that lie across the others.
fn side_by_side() -> Program {
    let words = |name, space, words| (name, space, Lane::F32, Linear::fixed(words));
    let mut program = with_slots(&[
        words("x", Space::Input(0), 35),
        ("rows", Space::Rows, Lane::I32, Linear { constant: 0, batch: 1 }),
        words("weight", Space::Parameter(0), 7),
        words("scaled", Space::Arena, 7),
        words("sum", Space::Scratch, 1),
        words("doubled", Space::Arena, 7),
        words("chains", Space::Arena, 5),
    ]);
    let [x, rows, weight, scaled, sum, doubled, chains] = std::array::from_fn(|buffer| buffer as u32 + 1);
    let along = |var, count| axis(var, Extent::fixed(count), false);
    let row = Table { rows: BufferId(rows), index: Vec::new(), stride: 7 };
    let kernels = [
        nest("scaled", &[along(0, 7)], |b| {
            let x = b.load(View { table: Some(row.clone()), ..view(x, 0, &[(0, 1)]) }, Lane::F32);
            let weight = b.load(view(weight, 0, &[(0, 1)]), Lane::F32);
            let value = b.mul(x, weight);
            b.store(view(scaled, 0, &[(0, 1)]), value);
        }),
        nest("start", &[], |b| {
            let zero = b.f32(0.0);
            b.store(view(sum, 0, &[]), zero);
        }),
        nest("sum", &[along(1, 7)], |b| {
            let (value, before) = (b.load(view(scaled, 0, &[(1, 1)]), Lane::F32), b.load(view(sum, 0, &[]), Lane::F32));
            let after = b.add(before, value);
            b.store(view(sum, 0, &[]), after);
        }),
        nest("one of four", &[], |b| {
            let value = b.load(view(sum, 0, &[]), Lane::F32);
            b.store(view(scaled, 2, &[]), value);
        }),
        nest("doubled", &[along(2, 7)], |b| {
            let value = b.load(view(scaled, 0, &[(2, 1)]), Lane::F32);
            let value = b.add(value, value);
            b.store(view(doubled, 0, &[(2, 1)]), value);
        }),
        // Words 2 to 5 of what was kept from 0 and from 4 on.
        nest("across", &[along(3, 4)], |b| {
            let (left, right) = (b.load(view(scaled, 1, &[(3, 1)]), Lane::F32), b.load(view(doubled, 2, &[(3, 1)]), Lane::F32));
            let value = b.sub(left, right);
            b.store(view(doubled, 2, &[(3, 1)]), value);
        }),
        nest("no chains", &[along(4, 5)], |b| {
            let zero = b.f32(0.5);
            b.store(view(chains, 0, &[(4, 1)]), zero);
        }),
        // Five chains of three terms, of which each reads other words.
        nest("chains", &[along(5, 5), along(6, 3)], |b| {
            let (term, before) =
                (b.load(view(doubled, 0, &[(5, 1), (6, 1)]), Lane::F32), b.load(view(chains, 0, &[(5, 1)]), Lane::F32));
            let after = b.fma(term, term, before);
            b.store(view(chains, 0, &[(5, 1)]), after);
        }),
        // A word that the turn before it has written cannot be read beside those of that turn.
        nest("one after another", &[along(7, 6)], |b| {
            let (before, old) = (b.load(view(weight, 0, &[(7, 1)]), Lane::F32), b.load(view(weight, 1, &[(7, 1)]), Lane::F32));
            let rate = b.f32(0.25);
            let new = b.fma(before, rate, old);
            b.store(view(weight, 1, &[(7, 1)]), new);
        }),
        nest("weight", &[along(8, 5)], |b| {
            let (chain, old) = (b.load(view(chains, 0, &[(8, 1)]), Lane::F32), b.load(view(weight, 1, &[(8, 1)]), Lane::F32));
            let is_less = b.compare(Comparison::Lt, chain, old);
            let rate = b.f32(-0.0625);
            let new = b.fma(chain, rate, old);
            let new = b.select(is_less, chain, new);
            b.store(view(weight, 1, &[(8, 1)]), new);
        }),
    ];
    program.kernels.push(kernel("turn", None, kernels.into()));
    let one = scalar(|b| {
        let one = b.i32(1);
        b.store(slot(BATCH), one);
    });
    let row = scalar(|b| {
        let step = b.load(slot(STEP), Lane::I32);
        b.store(view(rows, 0, &[]), step);
    });
    let turn = vec![Control::Barrier, Control::Batch(BATCH), Control::Kernel(0), Control::Barrier];
    let body =
        [vec![one, row, Control::Call { symbol: "bump".to_owned() }], turn, vec![Control::Call { symbol: "bump".to_owned() }]];
    let repeat = Control::Loop { counter: STEP, count: STEPS, stop: None, body: body.concat() };
    program.entries.push(Entry { name: "fit".to_owned(), body: vec![set(STEPS, 5), repeat] });
    program
}

/// One of its rows has a loss above the bound, and one of its batches has two rows.
#[test]
fn a_turn_of_one_row_is_written_out() {
    let program = row_by_row();
    same_as_interpreted(&program, &row_by_row_data(&program));
}

#[test]
fn words_side_by_side_are_computed_four_at_once() {
    let program = side_by_side();
    let mut memory = Memory::new(&program, 1);
    let values: Vec<f32> = (0..42).map(|i| (i * 37 % 29) as f32 / 8.0 - 1.75).collect();
    memory.set_floats(BufferId(X), &values[..35]);
    memory.set_floats(BufferId(WEIGHT), &values[35..]);
    same_as_interpreted(&program, &memory);
    let module = compile(&program, Target { text: true, ..Target::host() }, &team_symbols(), 1).expect("the program compiles");
    let part = module.functions().iter().find(|function| function.name == "part0").expect("there is a part");
    let text = &part.text.as_ref().expect("its text is kept").clif;
    // The chains begin with the same word in every lane; what follows the words that were kept one by one goes on so.
    for four in ["load.f32x4", "store notrap v", "fma", "extractlane"] {
        assert!(text.contains(four), "{four}\n{text}");
    }
}

/// What lasts is what the interpreter leaves, by one thread or two, on every target.
fn same_as_interpreted(program: &Program, memory: &Memory) {
    let mut expected = memory.clone();
    run_entry(program, "fit", &mut expected, &mut |_, memory| {
        let calls = memory.slot_i32(CALLS).expect("the slot exists");
        assert!(memory.set_slot_i32(CALLS, calls + 3));
    })
    .expect("the program is correct");
    let lasts = |space| !matches!(space, Space::Arena | Space::Scratch);
    for target in targets() {
        let module = compile(program, target, &team_symbols(), 1).expect("the program compiles");
        for threads in 1..=2 {
            let found = run_team(&module, "fit", memory, threads);
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
