//! Wide functions: blocks along a vector axis in vectors of 8 lanes (AVX2) or 16 (AVX-512), which Cranelift, whose vectors have four,
//! cannot write.
//!
//! # What a wide function is
//! `wide(arguments, count)` executes the block of one nest for `count` turns of its innermost axis: a loop over whole groups of lanes,
//! then one group of which only the first lanes are loaded and stored; and all that for each turn of the axis around it, its **rows**, if
//! from row to row nothing changes but pointers. Rows turn inside where only sums over them are stored (see [`keep`]). All else stays in
//! the kernel's Cranelift code: loops further out, addresses, invariant values, the decision that there is a turn at all. It hands over,
//! in a block on its stack, the pointer of each distinct place at the first turn (8 bytes each), for rows how many bytes each gains in one, `count` again and the number of rows, then words
//! of 4 bytes: invariant values, and start and step of each moving index.
//!
//! A wide function calls nothing and cannot trap; outside the lanes of `count` turns it touches only the argument block (which it reads,
//! and in which it counts rows and moves pointers if registers do not last), its constants (behind its code) and its own frame. Its
//! code stands behind that of its kernel, as part of the same function, so that dumps and profiles find it where it belongs.
//!
//! # How one is made
//! [`select`] turns the block into vector [`operations`] on virtual registers, on demand, so that values live shortly; [`allocate`]
//! gives them registers; [`encode`] writes bytes; [`lines`] reads them back for the listing. [`call`] is the side of the caller.
//! In test builds `check` decodes each function again and proves what this page promises of memory and registers.
//!
//! A product and a nest that waits for divisions are one function: see [`weave`], [`woven`] for its caller, and `trace` for its proof.

mod allocate;
mod call;
#[cfg(test)]
mod check;
mod codes;
mod encode;
mod keep;
mod lines;
mod operate;
mod operations;
mod order;
mod pays;
mod pins;
mod rest;
mod select;
#[cfg(test)]
mod trace;
mod weave;
mod woven;
mod write;

use super::listing::{Made, Serves};
use super::{InstructionSet, Target, Widen};

pub(super) use lines::lines;
pub(super) use rest::Rest;

/// How many lanes a vector has, and with that the instructions that there are for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// AVX2 and FMA: 16 registers of 8 lanes; masks are vectors.
    Eight,
    /// AVX-512 F and DQ: 32 registers of 16 lanes; masks are bits where they are made and used at once.
    Sixteen,
}

impl Form {
    /// The form of a target's wide functions, if it has any.
    pub fn of(target: Target) -> Option<Form> {
        match target.instruction_set {
            _ if target.widen == Widen::Never => None,
            InstructionSet::Portable => None,
            InstructionSet::Avx2 => Some(Form::Eight),
            InstructionSet::Avx512 => Some(Form::Sixteen),
        }
    }
    /// Lanes of a vector.
    pub fn lanes(self) -> i64 {
        match self {
            Form::Eight => 8,
            Form::Sixteen => 16,
        }
    }
    /// Bytes of a vector.
    pub fn bytes(self) -> usize {
        4 * self.lanes() as usize
    }
    /// Vector registers.
    pub fn registers(self) -> usize {
        match self {
            Form::Eight => 16,
            Form::Sixteen => 32,
        }
    }
}

/// What is known of the number of turns when the code is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Turns {
    /// How many whole groups there are.
    pub whole: Whole,
    /// The turns left over.
    pub rest: Rest,
}

/// How often the loop over whole groups turns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whole {
    /// So often.
    Known(i64),
    /// At least once.
    Often,
    Unknown,
}

/// A finished wide function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wide {
    /// Instructions, then constants.
    pub bytes: Vec<u8>,
    /// Where the instructions end.
    pub end: usize,
    /// Where the constants begin.
    pub pool: usize,
    /// For each instruction its offset and what it is for.
    pub spans: Vec<Span>,
    /// For each constant its offset and what it serves.
    pub constants: Vec<(usize, Serves)>,
    /// Alignment that the constants ask for.
    pub alignment: usize,
}

/// What an instruction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub offset: usize,
    pub serves: Serves,
    pub made: Option<Made>,
}

/// Functions of both forms that are each wrong in one way, and what the second look says of them.
#[cfg(test)]
pub(super) fn rejected(block: &crate::loops::Block, var: crate::loops::Var) -> Vec<(&'static str, Result<(), String>)> {
    use operations::Kind;
    use select::{Rows, select};
    let lanes = block.lanes();
    let plan = super::plan::plan(block, &lanes, Some(var), true);
    let turns = Turns { whole: Whole::Unknown, rest: Rest::Unknown };
    let mut found = Vec::new();
    for form in [Form::Eight, Form::Sixteen] {
        let selection = || select(block, &lanes, &plan, var, None, &|_| true, form).expect("there is a wide form");
        let written =
            || encode::encode(&selection(), turns, form, Serves::Function).expect("it is written").expect("it is small");
        assert_eq!(check::check(&written(), &selection(), turns, form), Ok(()));
        let mut other = selection();
        other.ops.retain(|op| !matches!(op.kind, Kind::Store(_)));
        found.push(("a store that the block does not have", check::check(&written(), &other, turns, form)));
        let mut wide = written();
        wide.pool += 4;
        wide.bytes.truncate(wide.pool);
        found.push(("a constant outside the pool", check::check(&wide, &selection(), turns, form)));
        let mut other = selection();
        other.places.pop();
        found.push(("a pointer that is not handed over", check::check(&written(), &other, turns, form)));
        let mut wide = written();
        let end = wide.end;
        wide.bytes[end - 1] = 0x90;
        found.push(("no return", check::check(&wide, &selection(), turns, form)));
        let mut wide = written();
        let step = wide.bytes.windows(3).position(|bytes| bytes == [0x48, 0x83, 0xc1]).expect("the step to the next group");
        wide.bytes[step + 3] += 1;
        found.push(("a group of another size", check::check(&wide, &selection(), turns, form)));
        // As many rows as there may be, none of which moves a pointer of this block.
        let still = vec![false; block.code.len()];
        let around = Rows { var: crate::loops::Var(u32::MAX), moves: &still };
        let rows = || select(block, &lanes, &plan, var, Some(around), &|_| true, form).expect("there is a wide form");
        let written = || encode::encode(&rows(), turns, form, Serves::Function).expect("it is written").expect("it is small");
        assert_eq!(check::check(&written(), &rows(), turns, form), Ok(()));
        let mut changed = |what, bytes: [u8; 3], at: usize, by: u8| {
            let mut wide = written();
            let from = wide.bytes.windows(3).position(|window| window == bytes).expect("the instruction is there");
            wide.bytes[from + at] = wide.bytes[from + at].wrapping_add(by);
            found.push((what, check::check(&wide, &rows(), turns, form)));
        };
        changed("two rows taken off", [0x48, 0x83, 0xea], 3, 1);
        changed("a pointer that gains another's bytes", [0x4c, 0x03, 0x47], 3, 8);
        changed("a row that begins with what is no number of turns", [0x48, 0x8b, 0x77], 3, 8);
        found.extend(rejected_kept(form));
    }
    found.extend(rejected_woven());
    found
}

/// The same of a function that keeps a sum over rows in registers.
#[cfg(test)]
fn rejected_kept(form: Form) -> Vec<(&'static str, Result<(), String>)> {
    use crate::loops::{BufferId, Lane, Linear, Var, View, block::BlockBuilder};
    use select::{Rows, select};
    let view = |buffer, strides| View { buffer: BufferId(buffer), offset: Linear::ZERO, strides, table: None, pick: None };
    let one = (Var(1), Linear::fixed(1));
    let mut b = BlockBuilder::new();
    let x = b.load(view(0, vec![(Var(0), Linear::fixed(100)), one]), Lane::F32);
    let sum = b.load(view(1, vec![one]), Lane::F32);
    let sum = b.add(sum, x);
    b.store(view(1, vec![one]), sum);
    let block = b.finish();
    let lanes = block.lanes();
    let plan = super::plan::plan(&block, &lanes, Some(Var(1)), true);
    let moves = [true; 4];
    let rows = Some(Rows { var: Var(0), moves: &moves });
    let selection = select(&block, &lanes, &plan, Var(1), rows, &|_| true, form).expect("there is a wide form");
    assert!(selection.keeps());
    let turns = Turns { whole: Whole::Unknown, rest: Rest::Unknown };
    let written = encode::encode(&selection, turns, form, Serves::Function).expect("it is written").expect("it is small");
    assert_eq!(check::check(&written, &selection, turns, form), Ok(()));
    let changed = |bytes: &[u8], at: usize, by: u8| {
        let mut wide = written.clone();
        let from = wide.bytes.windows(bytes.len()).position(|window| window == bytes).expect("the instruction is there");
        wide.bytes[from + at] = wide.bytes[from + at].wrapping_add(by);
        check::check(&wide, &selection, turns, form)
    };
    let strip = keep::MOST_GROUPS as u8 * form.lanes() as u8;
    vec![
        ("two rows taken off a register", changed(&[0x48, 0x83, 0xea, 1], 3, 1)),
        ("a loop over rows that goes on for ever", changed(&[0x48, 0x83, 0xea, 1, 0x0f, 0x8f], 5, 0xfe)),
        ("a strip that is wider than the turns that are left", changed(&[0x48, 0x83, 0xee, strip], 3, form.lanes() as u8)),
        (
            "a strip that is narrower than it is said to be",
            changed(&[0x48, 0x83, 0xee, strip], 3, form.lanes().wrapping_neg() as u8),
        ),
        ("a step that is wider than its strip", changed(&[0x48, 0x83, 0xc1, strip], 3, form.lanes() as u8)),
        ("a sum that the block does not store", {
            let mut other = selection.clone();
            other.after.clear();
            check::check(&written, &other, turns, form)
        }),
    ]
}

/// The same of a product that is woven into what follows it.
#[cfg(test)]
fn rejected_woven() -> Vec<(&'static str, Result<(), String>)> {
    use crate::loops::{BufferId, Lane, Linear, Var, View, block::BlockBuilder};
    use weave::{Shape, weave};
    let view = |buffer| View {
        buffer: BufferId(buffer),
        offset: Linear::ZERO,
        strides: vec![(Var(1), Linear::fixed(1))],
        table: None,
        pick: None,
    };
    let mut b = BlockBuilder::new();
    let (sum, weight) = (b.load(view(0), Lane::F32), b.load(view(1), Lane::F32));
    let quotient = b.div(weight, sum);
    b.store(view(1), quotient);
    let block = b.finish();
    let lanes = block.lanes();
    let plan = super::plan::plan(&block, &lanes, Some(Var(1)), true);
    let selection = select::select(&block, &lanes, &plan, Var(1), None, &|_| true, Form::Sixteen).expect("there is a wide form");
    // The dividend is the first place.
    let results = [false, true];
    let shape = Shape { m: 25, n: 40, a_row: 4, a_k: 100, b_k: 160, table: false, origin: 0 };
    let written = weave(&selection, shape, Serves::Function).expect("it is written").expect("registers suffice");
    assert_eq!(trace::check(&written, &selection, shape, &results), Ok(()));
    let changed = |bytes: &[u8], at: usize, by: u8| {
        let mut wide = written.clone();
        let from = wide.bytes.windows(bytes.len()).position(|window| window == bytes).expect("the instruction is there");
        wide.bytes[from + at] = wide.bytes[from + at].wrapping_add(by);
        trace::check(&wide, &selection, shape, &results)
    };
    let other = |shape| trace::check(&written, &selection, shape, &results);
    vec![
        ("a row that is not computed", other(Shape { m: 26, ..shape })),
        ("columns that the right operand does not have", other(Shape { n: 39, ..shape })),
        ("rows of the right operand that lie elsewhere", other(Shape { b_k: 164, ..shape })),
        ("a left operand that lies elsewhere", other(Shape { a_k: 104, ..shape })),
        ("a group of another size", changed(&[0x48, 0x83, 0xc1, 16], 3, 1)),
        ("steps that are left out", changed(&[0x48, 0x83, 0xee, 1], 3, 1)),
        ("no return", changed(&[0xc3], 0, 0x90_u8.wrapping_sub(0xc3))),
        ("a store that the nest does not have", {
            let mut other = selection.clone();
            other.ops.retain(|op| !matches!(op.kind, operations::Kind::Store(_)));
            trace::check(&written, &other, shape, &results)
        }),
    ]
}
