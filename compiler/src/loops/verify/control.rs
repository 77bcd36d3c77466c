//! Checks of driver trees.

use super::block::{self, Home};
use super::{Checked, Scope, VerifyError};
use crate::loops::{Control, Lane, Program, Slot};
use std::collections::HashSet;

/// Entries have names of their own; the kernels, slots and buffers of their statements exist.
pub fn entries(program: &Program, capacity: i64) -> Checked {
    let scope = Scope { program, capacity, vars: Vec::new(), parallel: None };
    let mut names = HashSet::new();
    for entry in &program.entries {
        let place = format!("entry {:?}", entry.name);
        if !names.insert(entry.name.as_str()) {
            return Err(VerifyError::new(place, "another entry has this name"));
        }
        tree(&scope, &entry.body).map_err(|error| error.inside(place))?;
    }
    Ok(())
}

fn tree(scope: &Scope, body: &[Control]) -> Checked {
    body.iter()
        .enumerate()
        .try_for_each(|(number, control)| statement(scope, control).map_err(|error| error.inside(format!("statement {number}"))))
}

fn statement(scope: &Scope, control: &Control) -> Checked {
    match control {
        Control::Kernel(number) if *number as usize >= scope.program.kernels.len() => {
            Err(VerifyError::new("", format!("there is no kernel {number}")))
        }
        Control::Kernel(_) | Control::Barrier => Ok(()),
        Control::Scalar(code) => block::check(scope, code, None, Home::Driver),
        Control::Loop { counter, count, stop, body } => {
            for slot in [Some(*counter), Some(*count), *stop].into_iter().flatten() {
                whole(scope, slot)?;
            }
            tree(scope, body)
        }
        Control::If { condition, then, otherwise } => {
            whole(scope, *condition)?;
            tree(scope, then)?;
            tree(scope, otherwise)
        }
        Control::Batch(slot) => whole(scope, *slot),
        Control::Copy { from, to } => {
            let (from, to) = (scope.buffer(*from)?, scope.buffer(*to)?);
            if (from.words, from.lane) == (to.words, to.lane) {
                return Ok(());
            }
            Err(VerifyError::new(
                "",
                format!("`{}` of {} words is copied to `{}` of {}", from.name, from.words, to.name, to.words),
            ))
        }
        Control::Call { symbol } if symbol.is_empty() => Err(VerifyError::new("", "a call of nothing")),
        Control::Call { .. } => Ok(()),
    }
}

/// A slot that a driver counts with or decides by.
fn whole(scope: &Scope, slot: Slot) -> Checked {
    match scope.program.slots.get(slot.0 as usize) {
        None => Err(VerifyError::new("", format!("there is no slot ${}", slot.0))),
        Some(info) if info.lane != Lane::I32 => Err(VerifyError::new("", format!("slot `{}` is no i32", info.name))),
        Some(_) => Ok(()),
    }
}
