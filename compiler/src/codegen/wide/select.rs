//! From a block to vector operations on virtual registers.
//!
//! Operations are written on demand: the values of the first store, then the store, and so on. A load is therefore late, but never
//! behind a store to its buffer that it stood before. What no store needs is not written at all.
//!
//! Each operation has exactly the bits of [`Instruction`]'s definition. `minps(a, b)` is `a < b ? a : b`, so a select on `a < b` is one
//! instruction in either order of its operands. With 16 lanes a comparison makes bits in `k1` and the select that follows uses them;
//! where a mask is wanted as a value, or by many, it is a vector of zeros and ones in every form.

use std::collections::HashMap;

use super::super::block::INT_BOUND;
use super::super::plan::{Plan, moves, stride};
use super::Form;
use super::keep::{accumulators, can_keep};
use super::operations::{Access, Constant, Held, Kind, One, Op, Scalar, Selection, Shift, Step, Test, Two, Virtual};
use super::order::{extreme, order, rotation, tests};
use crate::loops::{Block, BufferId, Comparison, Instruction, Lane, Linear, Value, Var, View};

// Predicates of `vcmpps`: ordered and quiet, but for the last, which is true of NaN.
const EQUAL: u8 = 0x00;
const LESS: u8 = 0x11;
const LESS_OR_EQUAL: u8 = 0x12;
const UNEQUAL: u8 = 0x04;

/// Selects that may test again what one comparison tests before its mask is made a value.
const MOST_TESTS: usize = 2;

/// The axis around, if the function has it too.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub var: Var,
    /// For each instruction whether the axis moves it.
    pub moves: &'a [bool],
}

/// Turns a block into operations; `None` if it holds what wide functions cannot do.
pub(super) fn select(
    block: &Block,
    lanes: &[Lane],
    plan: &Plan,
    var: Var,
    rows: Option<Rows>,
    words: &dyn Fn(BufferId) -> bool,
    form: Form,
) -> Option<Selection> {
    let order = order(block, plan, form);
    let selector = || Selector {
        block,
        lanes,
        plan,
        var,
        rows: rows.map(|rows| rows.moves),
        form,
        words,
        made: vec![None; block.code.len()],
        tests: tests(block, lanes, &order),
        known_constants: HashMap::new(),
        known_scalars: HashMap::new(),
        known_places: Vec::new(),
        origin: 0,
        kept: Vec::new(),
        selection: Selection {
            rows: rows.is_some(),
            kept: Vec::new(),
            before: Vec::new(),
            ops: Vec::new(),
            after: Vec::new(),
            held: Vec::new(),
            constants: Vec::new(),
            scalars: Vec::new(),
            places: Vec::new(),
        },
    };
    let kept = rows.map_or_else(Vec::new, |rows| accumulators(block, rows.var, var));
    let keeping = match kept.is_empty() {
        true => None,
        false => selector().written(&order, kept).filter(|selection| can_keep(selection, form)),
    };
    keeping.or_else(|| selector().written(&order, Vec::new()))
}

struct Selector<'a> {
    block: &'a Block,
    lanes: &'a [Lane],
    plan: &'a Plan,
    var: Var,
    rows: Option<&'a [bool]>,
    form: Form,
    /// Whether a buffer's elements are words of 4 bytes.
    words: &'a dyn Fn(BufferId) -> bool,
    /// The register of each instruction's value.
    made: Vec<Option<Virtual>>,
    tests: Vec<usize>,
    known_constants: HashMap<Constant, Virtual>,
    known_scalars: HashMap<Scalar, (u32, Option<Virtual>)>,
    /// Views less their constant offsets, by number of the place.
    known_places: Vec<View>,
    origin: u32,
    /// Views of the words that are kept from row to row, and what each is now.
    kept: Vec<(View, Virtual)>,
    selection: Selection,
}

impl Selector<'_> {
    /// Writes the instructions of an order, with the words of some views kept from row to row.
    fn written(mut self, order: &[usize], kept: Vec<(usize, View)>) -> Option<Selection> {
        for (at, view) in kept {
            self.keep(at, view)?;
        }
        for &at in order {
            self.origin = self.block.origins.get(at).copied().unwrap_or_default();
            self.instruction(at)?;
        }
        self.keeps()?;
        Some(self.selection)
    }

    fn fresh(&mut self, held: Held) -> Virtual {
        self.selection.held.push(held);
        Virtual(self.selection.held.len() as u32 - 1)
    }

    fn op(&mut self, kind: Kind, sources: &[Virtual]) -> Virtual {
        let result = self.fresh(Held::Made);
        self.push(kind, Some(result), sources);
        result
    }

    fn push(&mut self, kind: Kind, result: Option<Virtual>, sources: &[Virtual]) {
        let source = |at: usize| sources.get(at).copied();
        let sources = [source(0), source(1), source(2)];
        self.selection.ops.push(Op { kind, result, sources, origin: self.origin });
    }

    /// Keeps the words of a view from row to row; the load at `at` is the first.
    fn keep(&mut self, at: usize, view: View) -> Option<()> {
        let origin = self.block.origins.get(at).copied().unwrap_or_default();
        let access = self.access(at, &view)?;
        let value = self.fresh(Held::Made);
        let op = |kind, result, source| Op { kind, result, sources: [source, None, None], origin };
        self.selection.kept.push(value);
        self.selection.before.push(op(Kind::Load(access), Some(value), None));
        self.selection.after.push(op(Kind::Store(access), None, Some(value)));
        self.kept.push((view, value));
        Some(())
    }

    /// Ends a row: what is kept becomes what it is now, which must be a value of the row that is nothing else.
    fn keeps(&mut self) -> Option<()> {
        for at in 0..self.kept.len() {
            let (kept, now) = (self.selection.kept[at], self.kept[at].1);
            let is_own = self.selection.held[now.0 as usize] == Held::Made && !self.selection.kept.contains(&now);
            if !is_own || self.kept[..at].iter().any(|&(_, other)| other == now) {
                return None;
            }
            self.push(Kind::Keeps, Some(kept), &[now]);
        }
        Some(())
    }

    fn constant(&mut self, constant: Constant) -> Virtual {
        if let Some(&known) = self.known_constants.get(&constant) {
            return known;
        }
        let number = self.selection.constants.len() as u32;
        self.selection.constants.push(constant);
        let new = self.fresh(Held::Constant(number));
        self.known_constants.insert(constant, new);
        new
    }

    fn float(&mut self, number: f32) -> Virtual {
        self.constant(Constant::Word(number.to_bits()))
    }

    /// The number of a word of the argument block.
    fn word(&mut self, scalar: Scalar) -> u32 {
        if let Some(&(number, _)) = self.known_scalars.get(&scalar) {
            return number;
        }
        let number = self.selection.scalars.len() as u32;
        self.selection.scalars.push(scalar);
        self.known_scalars.insert(scalar, (number, None));
        number
    }

    fn scalar(&mut self, scalar: Scalar) -> Virtual {
        let number = self.word(scalar);
        if let Some(&(_, Some(known))) = self.known_scalars.get(&scalar) {
            return known;
        }
        let new = self.fresh(Held::Scalar(number));
        self.known_scalars.insert(scalar, (number, Some(new)));
        new
    }

    /// The register of a value.
    fn value(&mut self, value: Value) -> Option<Virtual> {
        let at = value.0 as usize;
        if let Some(known) = self.made[at] {
            return Some(known);
        }
        let made = match &self.block.code[at] {
            Instruction::ConstF32(number) => self.float(*number),
            Instruction::ConstI32(number) => self.constant(Constant::Word(*number as u32)),
            instruction if self.moves_with_rows(at) => {
                // Once a group is not too often for what is cheap.
                if !matches!(
                    instruction,
                    Instruction::Load(..) | Instruction::Add(..) | Instruction::Sub(..) | Instruction::Mul(..)
                ) {
                    return None;
                }
                self.instruction(at)?;
                return self.made[at];
            }
            _ if self.plan.invariant[at] => self.scalar(Scalar::Invariant(at)),
            Instruction::Compare(comparison, a, b) => self.mask(*comparison, *a, *b)?,
            _ => return None,
        };
        self.made[at] = Some(made);
        Some(made)
    }

    /// Whether an instruction that is the same in all turns of a row is another in the next row.
    fn moves_with_rows(&self, at: usize) -> bool {
        self.plan.invariant[at] && self.rows.is_some_and(|moves| moves[at])
    }

    fn two(&mut self, kind: Two, a: Virtual, b: Virtual) -> Virtual {
        // The second operand can be read where it lies.
        let lies = |v: Virtual| self.selection.held[v.0 as usize] != Held::Made;
        let swap = kind.commutes() && lies(a) && !lies(b);
        let sources = if swap { [b, a] } else { [a, b] };
        self.op(Kind::Two(kind), &sources)
    }

    fn one(&mut self, kind: One, a: Value) -> Option<Virtual> {
        let a = self.value(a)?;
        Some(self.op(Kind::One(kind), &[a]))
    }

    /// A comparison as a vector.
    fn mask(&mut self, comparison: Comparison, a: Value, b: Value) -> Option<Virtual> {
        if self.form == Form::Sixteen {
            self.test(comparison, a, b)?;
            return Some(self.op(Kind::Spread, &[]));
        }
        let float = self.lanes[a.0 as usize] == Lane::F32;
        let (a, b) = (self.value(a)?, self.value(b)?);
        if float {
            return Some(self.two(Two::CompareFloat(float_predicate(comparison)), a, b));
        }
        let made = match comparison {
            Comparison::Lt => return Some(self.two(Two::GreaterInt, b, a)),
            Comparison::Eq => return Some(self.two(Two::EqualInt, a, b)),
            Comparison::Le => self.two(Two::GreaterInt, a, b),
            Comparison::Ne => self.two(Two::EqualInt, a, b),
        };
        let ones = self.constant(Constant::Word(u32::MAX));
        Some(self.two(Two::Xor, made, ones))
    }

    /// A comparison in `k1`.
    fn test(&mut self, comparison: Comparison, a: Value, b: Value) -> Option<()> {
        let test = match self.lanes[a.0 as usize] {
            Lane::F32 => Test::Float(float_predicate(comparison)),
            Lane::I32 => Test::Int(match comparison {
                Comparison::Eq => 0,
                Comparison::Lt => 1,
                Comparison::Le => 2,
                Comparison::Ne => 4,
            }),
            Lane::F64 => return None,
        };
        let (a, b) = (self.value(a)?, self.value(b)?);
        self.push(Kind::Test(test), None, &[a, b]);
        Some(())
    }

    fn instruction(&mut self, at: usize) -> Option<()> {
        use Instruction::*;
        let float = |value: &Value| match self.lanes[value.0 as usize] {
            Lane::F32 => Some(true),
            Lane::I32 => Some(false),
            Lane::F64 => None,
        };
        let made = match &self.block.code[at] {
            // Made where a value is asked for.
            ConstF32(_) | ConstI32(_) | Compare(..) => return Some(()),
            ConstF64(_) | Promote(_) | Demote(_) | Call(..) => return None,
            Add(a, b) => {
                let kind = if float(a)? { Two::AddFloat } else { Two::AddInt };
                self.both(kind, *a, *b)?
            }
            Sub(a, b) => {
                let kind = if float(a)? { Two::SubFloat } else { Two::SubInt };
                self.both(kind, *a, *b)?
            }
            Mul(a, b) => {
                let kind = if float(a)? { Two::MulFloat } else { Two::MulInt };
                self.both(kind, *a, *b)?
            }
            Div(a, b) => self.both(Two::DivFloat, *a, *b)?,
            And(a, b) => self.both(Two::And, *a, *b)?,
            Or(a, b) => match rotation(self.block, at, self.form) {
                Some((value, count)) => self.shift(Shift::Round, value, count)?,
                None => self.both(Two::Or, *a, *b)?,
            },
            Xor(a, b) => self.both(Two::Xor, *a, *b)?,
            Fma(a, b, c) => {
                let (a, b, c) = (self.value(*a)?, self.value(*b)?, self.value(*c)?);
                self.op(Kind::Fma, &[a, b, c])
            }
            Sqrt(a) => self.one(One::Sqrt, *a)?,
            // Bit 3 keeps the inexact flag quiet.
            Round(a) => self.one(One::Round(0x08), *a)?,
            Floor(a) => self.one(One::Round(0x09), *a)?,
            Truncate(a) => self.one(One::Round(0x0b), *a)?,
            ToFloat(a) => self.one(One::ToFloat, *a)?,
            ToInt(a) => self.truncated(*a)?,
            Select(mask, a, b) => self.choice(*mask, *a, *b)?,
            ShiftLeft(a, count) => self.shift(Shift::Left, *a, *count)?,
            ShiftRight(a, count) => self.shift(Shift::Right, *a, *count)?,
            ShiftRightSigned(a, count) => self.shift(Shift::RightSigned, *a, *count)?,
            Bits(a) | FromBits(a) => self.value(*a)?,
            Index { terms, .. } => self.index(at, terms)?,
            Load(view, _) => match self.kept.iter().find(|(kept, _)| kept == view) {
                Some(&(_, now)) => now,
                None => {
                    let access = self.access(at, view)?;
                    self.op(Kind::Load(access), &[])
                }
            },
            Store(view, value) => {
                let value = self.value(*value)?;
                if let Some((_, now)) = self.kept.iter_mut().find(|(kept, _)| kept == view) {
                    *now = value;
                    return Some(());
                }
                let access = self.access(at, view)?;
                self.push(Kind::Store(access), None, &[value]);
                return Some(());
            }
        };
        self.made[at] = Some(made);
        Some(())
    }

    fn both(&mut self, kind: Two, a: Value, b: Value) -> Option<Virtual> {
        let (a, b) = (self.value(a)?, self.value(b)?);
        Some(self.two(kind, a, b))
    }

    fn shift(&mut self, kind: Shift, a: Value, count: u8) -> Option<Virtual> {
        let a = self.value(a)?;
        (count <= 31).then(|| self.op(Kind::Shift(kind, count), &[a]))
    }

    /// NaN to zero, clamp, convert: then no lane is out of range.
    fn truncated(&mut self, a: Value) -> Option<Virtual> {
        let a = self.value(a)?;
        let number = match self.form {
            Form::Sixteen => {
                self.push(Kind::Test(Test::Float(EQUAL)), None, &[a, a]);
                self.op(Kind::Keep, &[a])
            }
            Form::Eight => {
                let ordered = self.two(Two::CompareFloat(EQUAL), a, a);
                self.two(Two::And, a, ordered)
            }
        };
        let (high, low) = (self.float(INT_BOUND), self.float(-INT_BOUND));
        let number = self.two(Two::MinFloat, number, high);
        let number = self.two(Two::MaxFloat, number, low);
        Some(self.op(Kind::One(One::ToInt), &[number]))
    }

    fn choice(&mut self, mask: Value, a: Value, b: Value) -> Option<Virtual> {
        let invariant = self.plan.invariant[mask.0 as usize];
        if let (false, Some((kind, a, b))) = (invariant, extreme(self.block, self.lanes, mask, a, b)) {
            return self.both(kind, a, b);
        }
        if self.form == Form::Eight {
            let (mask, a, b) = (self.value(mask)?, self.value(a)?, self.value(b)?);
            return Some(self.op(Kind::Select, &[mask, a, b]));
        }
        let at = mask.0 as usize;
        let (a, b) = (self.value(a)?, self.value(b)?);
        match self.block.code[at] {
            Instruction::Compare(comparison, x, y) if !invariant && self.made[at].is_none() && self.tests[at] <= MOST_TESTS => {
                self.test(comparison, x, y)?;
            }
            _ => {
                let mask = self.value(mask)?;
                self.push(Kind::TestMask, None, &[mask]);
            }
        }
        Some(self.op(Kind::Blend, &[a, b]))
    }

    /// Start of the group plus the lanes' steps.
    fn index(&mut self, at: usize, terms: &[(Var, Linear)]) -> Option<Virtual> {
        if self.rows.is_some_and(|moves| moves[at]) {
            return None;
        }
        let along = terms.iter().filter(|&&(v, _)| v == self.var).fold(Linear::ZERO, |sum, &(_, factor)| sum.plus(factor));
        let start = self.word(Scalar::Start(at));
        if along.is_fixed() {
            let step = along.constant as i32;
            let first = self.op(Kind::Counter { start, step: Step::Fixed(step) }, &[]);
            let lanes = self.constant(Constant::Lanes(step));
            return Some(self.two(Two::AddInt, first, lanes));
        }
        let lanes = self.constant(Constant::Lanes(1));
        let step = self.scalar(Scalar::Step(at));
        let along = self.two(Two::MulInt, lanes, step);
        let step = Step::Scalar(self.word(Scalar::Step(at)));
        let first = self.op(Kind::Counter { start, step }, &[]);
        Some(self.two(Two::AddInt, first, along))
    }

    /// The place of a view. Views that differ by a constant share one.
    fn access(&mut self, at: usize, view: &View) -> Option<Access> {
        if !(self.words)(view.buffer) {
            return None;
        }
        let moves = moves(view, self.var);
        if moves && stride(view, self.var) != Linear::fixed(1) {
            return None;
        }
        // As `Emitter::place` splits an offset.
        let bytes = view.offset.constant.checked_mul(4)?;
        let mut base = view.clone();
        let displacement = match i32::try_from(bytes) {
            Ok(displacement) => {
                base.offset.constant = 0;
                displacement
            }
            Err(_) => 0,
        };
        let known = self.known_places.iter().position(|known| *known == base);
        let place = known.unwrap_or_else(|| {
            self.known_places.push(base);
            self.selection.places.push(at);
            self.known_places.len() - 1
        }) as u32;
        Some(Access { place, displacement, moves })
    }
}

fn float_predicate(comparison: Comparison) -> u8 {
    match comparison {
        Comparison::Lt => LESS,
        Comparison::Le => LESS_OR_EQUAL,
        Comparison::Eq => EQUAL,
        Comparison::Ne => UNEQUAL,
    }
}
