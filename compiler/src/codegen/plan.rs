//! What can be done once for all turns of an innermost loop.
//!
//! - A value is **invariant** if it does not depend on the loop's variable and is not loaded from a buffer that the block stores to.
//!   It is computed once, in one lane, before the first turn.
//! - A word is **kept** in a register if every access of the block to its buffer is to that one word, in every turn: it is loaded
//!   before the first turn (if a load comes before the first store), handed from turn to turn, and stored after the last. These are
//!   the accumulators of reductions. In a vector loop there are none, as lanes store to words of their own.

use crate::loops::block::Access;
use crate::loops::{Block, BufferId, Instruction, Lane, Linear, Var, View};

/// A word that lives in a register while the loop runs.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Kept {
    pub view: View,
    pub lane: Lane,
    /// Whether the block reads the word before it writes it.
    pub read_first: bool,
}

/// The plan of one block in its innermost loop.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Plan {
    /// For each instruction, whether it is invariant.
    pub invariant: Vec<bool>,
    pub kept: Vec<Kept>,
    /// For each load or store of a kept word, its place in `kept`.
    pub kept_at: Vec<Option<usize>>,
}

/// The stride of a view along a variable, in elements.
pub(super) fn stride(view: &View, var: Var) -> Linear {
    view.stride(var)
}

/// The number of table rows that a view moves on along a variable.
pub(super) fn table_stride(view: &View, var: Var) -> i64 {
    let Some(table) = &view.table else { return 0 };
    table.index.iter().filter(|&&(v, _)| v == var).map(|&(_, factor)| factor).sum()
}

/// Whether a view's address changes with a variable.
pub(super) fn moves(view: &View, var: Var) -> bool {
    stride(view, var) != Linear::ZERO || table_stride(view, var) != 0
}

/// Plans a block inside the loop of `var`; without a loop nothing is kept.
pub(super) fn plan(block: &Block, lanes: &[Lane], var: Option<Var>, vector: bool) -> Plan {
    let stored: Vec<BufferId> = block.stores().map(|view| view.buffer).collect();
    let mut invariant = Vec::with_capacity(block.code.len());
    for instruction in &block.code {
        let fixed = match instruction {
            Instruction::Store(..) => false,
            Instruction::Index { terms, .. } => var.is_none_or(|var| terms.iter().all(|&(v, _)| v != var)),
            Instruction::Load(view, _) => {
                let written =
                    stored.contains(&view.buffer) || view.table.as_ref().is_some_and(|table| stored.contains(&table.rows));
                let picked = view.pick.is_none_or(|pick| invariant.get(pick.value.0 as usize) == Some(&true));
                !written && picked && var.is_none_or(|var| !moves(view, var))
            }
            pure => pure.operands().iter().all(|value| invariant.get(value.0 as usize) == Some(&true)),
        };
        invariant.push(fixed);
    }
    let (kept, kept_at) = match var {
        Some(var) if !vector => keep(block, lanes, var, &stored),
        _ => (Vec::new(), vec![None; block.code.len()]),
    };
    Plan { invariant, kept, kept_at }
}

fn keep(block: &Block, lanes: &[Lane], var: Var, stored: &[BufferId]) -> (Vec<Kept>, Vec<Option<usize>>) {
    let lane = |access: &Access| lanes.get(access.stored.map_or(access.at, |value| value.0 as usize)).copied();
    let mut kept: Vec<Kept> = Vec::new();
    let mut kept_at = vec![None; block.code.len()];
    for &buffer in stored {
        if kept.iter().any(|known| known.view.buffer == buffer) {
            continue;
        }
        let mut on_buffer = block.accesses().filter(|access| access.view.buffer == buffer);
        let Some((first, Some(own))) = on_buffer.next().map(|first| (first, lane(&first))) else {
            continue;
        };
        let alone = on_buffer.all(|other| other.view == first.view && lane(&other) == Some(own));
        let in_table = block.accesses().any(|other| other.view.table.as_ref().is_some_and(|table| table.rows == buffer));
        if !alone || in_table || moves(first.view, var) || first.view.pick.is_some() {
            continue;
        }
        for access in block.accesses().filter(|access| access.view.buffer == buffer) {
            kept_at[access.at] = Some(kept.len());
        }
        kept.push(Kept { view: first.view.clone(), lane: own, read_first: first.stored.is_none() });
    }
    (kept, kept_at)
}
