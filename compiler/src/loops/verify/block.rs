//! Checks of a block: types, what is defined where, addresses, and what a vector axis promises.

use super::{Checked, Scope, VerifyError};
use crate::loops::{Axis, Block, BufferId, Extent, Instruction, Lane, Linear, ScalarFunction, Space, Value, Var, View};
use std::collections::BTreeMap;

/// Where a block stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Home {
    Kernel,
    /// Scalar code of a driver: it writes slots and nothing else.
    Driver,
}

/// Checks a block; `vector` is the innermost axis, if it is marked.
pub fn check(scope: &Scope, block: &Block, vector: Option<&Axis>, home: Home) -> Checked {
    if block.origins.len() != block.code.len() {
        return Err(VerifyError::new("", format!("{} origins of {} instructions", block.origins.len(), block.code.len())));
    }
    let mut lanes: Vec<Option<Lane>> = Vec::with_capacity(block.code.len());
    let mut varies: Vec<bool> = Vec::with_capacity(block.code.len());
    let mut accesses = Vec::new();
    for (number, instruction) in block.code.iter().enumerate() {
        let lane = typed(instruction, &lanes)
            .and_then(|lane| {
                if let Some(axis) = vector {
                    in_vector(instruction, lane, axis)?;
                    does_not_vary(picked(instruction), &varies)?;
                }
                match instruction {
                    Instruction::Load(view, lane) => load(scope, view, *lane)?,
                    Instruction::Store(view, value) => store(scope, view, lanes[value.0 as usize], home)?,
                    Instruction::Index { terms, .. } => terms.iter().try_for_each(|(var, _)| scope.bound(*var).map(|_| ()))?,
                    _ => {}
                }
                Ok(lane)
            })
            .map_err(|error| error.inside(format!("%{number}")))?;
        lanes.push(lane);
        varies.push(vector.is_some_and(|axis| differs(instruction, axis, &varies)));
        match instruction {
            Instruction::Load(view, _) => accesses.push((number, view, false)),
            Instruction::Store(view, _) => accesses.push((number, view, true)),
            _ => {}
        }
    }
    match vector {
        Some(axis) => lanes_apart(scope, &accesses, axis),
        None => Ok(()),
    }
}

/// The value that picks a part of an access.
fn picked(instruction: &Instruction) -> Option<Value> {
    match instruction {
        Instruction::Load(view, _) | Instruction::Store(view, _) => view.pick.map(|pick| pick.value),
        _ => None,
    }
}

/// Whether a value differs from lane to lane of a vector axis.
fn differs(instruction: &Instruction, axis: &Axis, varies: &[bool]) -> bool {
    let along = |terms: &[(Var, Linear)]| terms.iter().any(|(var, _)| *var == axis.var);
    match instruction {
        Instruction::Index { terms, .. } => along(terms),
        Instruction::Load(view, _) => along(&view.strides),
        _ => instruction.operands().iter().any(|value| varies.get(value.0 as usize) == Some(&true)),
    }
}

fn does_not_vary(picked: Option<Value>, varies: &[bool]) -> Checked {
    match picked.filter(|value| varies.get(value.0 as usize) == Some(&true)) {
        Some(value) => Err(VerifyError::new("", format!("%{} picks another part in each lane of the vector axis", value.0))),
        None => Ok(()),
    }
}

/// Type of an instruction's value (`None`: it has none), if its operands are defined and of the right types.
fn typed(instruction: &Instruction, lanes: &[Option<Lane>]) -> Result<Option<Lane>, VerifyError> {
    use Instruction::*;
    use Lane::{F32, F64, I32};
    let lane = |value: Value| {
        let found = lanes.get(value.0 as usize).copied().flatten();
        found.ok_or_else(|| VerifyError::new("", format!("%{} is not defined before its use", value.0)))
    };
    let one_of = |value: Value, allowed: &[Lane]| match lane(value)? {
        found if allowed.contains(&found) => Ok(found),
        found => Err(VerifyError::new("", format!("%{} is {found:?}, expected {allowed:?}", value.0))),
    };
    let same = |a: Value, b: Value, allowed: &[Lane]| {
        let found = one_of(a, allowed)?;
        one_of(b, &[found])
    };
    let shifted = |a: Value, count: u8| match count {
        0..=31 => one_of(a, &[I32]),
        _ => Err(VerifyError::new("", format!("a shift by {count}"))),
    };
    if let Some(value) = picked(instruction) {
        one_of(value, &[I32])?;
    }
    Ok(Some(match instruction {
        ConstF32(_) => F32,
        ConstI32(_) | Index { .. } => I32,
        ConstF64(_) => F64,
        Load(_, lane) => *lane,
        Store(_, value) => {
            lane(*value)?;
            return Ok(None);
        }
        Add(a, b) | Sub(a, b) | Mul(a, b) => same(*a, *b, &[F32, I32, F64])?,
        Div(a, b) => same(*a, *b, &[F32, F64])?,
        Fma(a, b, c) => {
            same(*a, *b, &[F32])?;
            one_of(*c, &[F32])?
        }
        Sqrt(a) => one_of(*a, &[F32, F64])?,
        Compare(_, a, b) => {
            same(*a, *b, &[F32, I32, F64])?;
            I32
        }
        Select(mask, a, b) => {
            one_of(*mask, &[I32])?;
            same(*a, *b, &[F32, I32, F64])?
        }
        And(a, b) | Or(a, b) | Xor(a, b) => same(*a, *b, &[I32])?,
        ShiftLeft(a, count) | ShiftRight(a, count) | ShiftRightSigned(a, count) => shifted(*a, *count)?,
        Round(a) | Truncate(a) | Floor(a) => one_of(*a, &[F32])?,
        ToInt(a) | Bits(a) => {
            one_of(*a, &[F32])?;
            I32
        }
        ToFloat(a) | FromBits(a) => {
            one_of(*a, &[I32])?;
            F32
        }
        Promote(a) => {
            one_of(*a, &[F32])?;
            F64
        }
        Demote(a) => {
            one_of(*a, &[F64])?;
            F32
        }
        Call(function, arguments) => {
            let count = if *function == ScalarFunction::Pow { 2 } else { 1 };
            if arguments.len() != count {
                return Err(VerifyError::new("", format!("{} arguments of {function:?}, which has {count}", arguments.len())));
            }
            for argument in arguments {
                one_of(*argument, &[F64])?;
            }
            F64
        }
    }))
}

fn load(scope: &Scope, view: &View, lane: Lane) -> Checked {
    scope.view(view, &[])?;
    holds(scope, view, lane)
}

fn store(scope: &Scope, view: &View, lane: Option<Lane>, home: Home) -> Checked {
    let is_slot = scope.buffer(view.buffer)?.space == Space::Control;
    match home {
        Home::Kernel => scope.may_write(view, "")?,
        Home::Driver if !is_slot => return Err(VerifyError::new("", "scalar code writes slots and nothing else")),
        Home::Driver => {}
    }
    scope.view(view, &[])?;
    lane.map_or(Ok(()), |lane| holds(scope, view, lane))
}

/// Words of a buffer are of its lane, and slots of theirs.
fn holds(scope: &Scope, view: &View, lane: Lane) -> Checked {
    let buffer = scope.buffer(view.buffer)?;
    let mut held = buffer.lane;
    if buffer.space == Space::Control {
        if !view.strides.is_empty() || !view.offset.is_fixed() {
            return Err(VerifyError::new("", "a slot is named by its number"));
        }
        let slot = scope.program.slots.get(view.offset.constant as usize);
        held = slot.ok_or_else(|| VerifyError::new("", format!("there is no slot ${}", view.offset.constant)))?.lane;
    }
    if held == lane { Ok(()) } else { Err(VerifyError::new("", format!("`{}` holds {held:?}, not {lane:?}", buffer.name))) }
}

/// Along a vector axis values are f32 or i32, views step by a fixed number (stores not by 0), and no row is looked up.
fn in_vector(instruction: &Instruction, lane: Option<Lane>, axis: &Axis) -> Checked {
    let steps = |view: &View, is_store: bool| {
        let stride = view.stride(axis.var);
        match stride.is_fixed() && !(is_store && stride == Linear::ZERO) {
            true if view.looks_up(axis.var) => {
                Err(VerifyError::new("", format!("its vector axis {} goes through the row table", axis.var.0)))
            }
            true => Ok(()),
            false => Err(VerifyError::new("", format!("its stride along the vector axis {} is {stride}", axis.var.0))),
        }
    };
    match instruction {
        Instruction::Load(view, _) => steps(view, false)?,
        Instruction::Store(view, _) => steps(view, true)?,
        _ => {}
    }
    if lane == Some(Lane::F64) || matches!(instruction, Instruction::Demote(_)) {
        return Err(VerifyError::new("", format!("f64 in a block with the vector axis {}", axis.var.0)));
    }
    Ok(())
}

/// No iteration of a vector axis touches a word that another one writes: what is stored is accessed at the very same place only,
/// or further away than the axis is long, or at words that its steps leave out.
fn lanes_apart(scope: &Scope, accesses: &[(usize, &View, bool)], axis: &Axis) -> Checked {
    let length = match axis.extent {
        Extent::Whole(count) => count.at(1).max(count.at(scope.capacity)),
        Extent::Tile { step, .. } => step,
    };
    let mut of_buffer: BTreeMap<BufferId, Vec<(usize, &View)>> = BTreeMap::new();
    accesses.iter().for_each(|&(number, view, _)| of_buffer.entry(view.buffer).or_default().push((number, view)));
    for (at, stored, _) in accesses.iter().filter(|(_, _, is_store)| *is_store) {
        let step = stored.stride(axis.var).constant.unsigned_abs().max(1);
        for (number, view) in &of_buffer[&stored.buffer] {
            let same_words = view != stored;
            let distance = view.offset.constant.abs_diff(stored.offset.constant);
            let apart = view.strides == stored.strides
                && view.table == stored.table
                && view.pick == stored.pick
                && view.offset.batch == stored.offset.batch
                && (distance % step != 0 || distance / step >= length.unsigned_abs());
            if same_words && !apart {
                let why = format!("touches what %{at} writes in another turn of the vector axis {}", axis.var.0);
                return Err(VerifyError::new(format!("%{number}"), why));
            }
        }
    }
    Ok(())
}
