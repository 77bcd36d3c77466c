//! Accumulators that stay in registers while rows turn.
//!
//! A sum over rows that loads its words, adds to them and stores them in each row waits, in each row, for what the row before has
//! stored. If a block stores to nothing but such accumulators, nothing else can tell in which order columns are computed, and the
//! rows of each do not change theirs: the loop over rows then stands inside of that over groups of lanes. The accumulators are loaded
//! before it and stored behind it, and every lane adds what it added before, in the same order.
//!
//! One chain of additions waits for itself. Several groups of lanes, a **strip**, are therefore computed side by side, as many as there
//! are registers for.

use super::super::plan::{moves, stride};
use super::encode::MOST_POINTERS;
use super::operations::{Access, Held, Kind, Op, Selection, Virtual};
use super::pins::taken;
use super::{Form, Turns, Whole};
use crate::loops::{Block, Linear, Var, View};

/// Groups of lanes that a strip has at most, a power of two: so many additions are on their way at once.
pub(super) const MOST_GROUPS: i64 = 4;

/// The places of a block's accumulators over the turns of `rows`, each with the load that comes first; none if the block stores to
/// anything else.
pub(super) fn accumulators(block: &Block, rows: Var, var: Var) -> Vec<(usize, View)> {
    let mut found: Vec<(usize, View)> = Vec::new();
    for view in block.stores() {
        if found.iter().any(|(_, known)| known == view) {
            continue;
        }
        let in_table = block.accesses().any(|other| other.view.table.as_ref().is_some_and(|table| table.rows == view.buffer));
        let is_fixed = view.pick.is_none() && view.table.is_none() && !moves(view, rows);
        let mut on_buffer = block.accesses().filter(|other| other.view.buffer == view.buffer);
        match on_buffer.next() {
            Some(first)
                if is_fixed
                    && !in_table
                    && first.stored.is_none()
                    && first.view == view
                    && stride(view, var) == Linear::fixed(1)
                    && on_buffer.all(|other| other.view == view) =>
            {
                found.push((first.at, view.clone()));
            }
            _ => return Vec::new(),
        }
    }
    found
}

/// Whether a function has registers for what it keeps, for the mask of a rest, and for all its pointers, which each strip sets anew.
pub(super) fn can_keep(selection: &Selection, form: Form) -> bool {
    let counts = selection.ops.iter().any(|op| matches!(op.kind, Kind::Counter { .. }));
    !counts && selection.places.len() <= MOST_POINTERS && taken(selection) < form.registers()
}

/// A loop over whole groups of lanes, so many in each turn.
pub(super) struct Strip {
    pub selection: Selection,
    pub groups: i64,
    pub whole: Whole,
}

/// The loops over whole groups of lanes, one after the other: in strips, in half as many groups, and so on.
pub(super) fn strips(selection: &Selection, turns: Turns, form: Form) -> Vec<Strip> {
    let (mut found, mut left) = (Vec::new(), turns.whole);
    let mut groups = if selection.keeps() { MOST_GROUPS } else { 1 };
    while groups > 1 {
        let (whole, over) = match left {
            Whole::Known(all) => (Whole::Known(all / groups), Whole::Known(all % groups)),
            Whole::Often | Whole::Unknown => (Whole::Unknown, Whole::Unknown),
        };
        if whole != Whole::Known(0)
            && let Some(selection) = side_by_side(selection, groups, form)
        {
            found.push(Strip { selection, groups, whole });
            left = over;
        }
        groups /= 2;
    }
    if left != Whole::Known(0) {
        found.push(Strip { selection: selection.clone(), groups, whole: left });
    }
    found
}

/// The operations of several groups of lanes, if they have registers.
fn side_by_side(selection: &Selection, groups: i64, form: Form) -> Option<Selection> {
    let mut strip = Selection { before: Vec::new(), ops: Vec::new(), after: Vec::new(), kept: Vec::new(), ..selection.clone() };
    // For each value of one group, its own in the group being written.
    let mut own: Vec<Virtual> = (0..selection.held.len() as u32).map(Virtual).collect();
    for group in 0..groups {
        if group > 0 {
            for (value, own) in own.iter_mut().enumerate().filter(|(value, _)| selection.held[*value] == Held::Made) {
                strip.held.push(selection.held[value]);
                *own = Virtual(strip.held.len() as u32 - 1);
            }
        }
        let distance = i32::try_from(group).ok()? * form.bytes() as i32;
        strip.before.extend(moved(&selection.before, &own, distance)?);
        strip.ops.extend(moved(&selection.ops, &own, distance)?);
        strip.after.extend(moved(&selection.after, &own, distance)?);
        strip.kept.extend(selection.kept.iter().map(|value| own[value.0 as usize]));
    }
    (taken(&strip) <= form.registers()).then_some(strip)
}

/// Operations on other values, and on lanes so many bytes further on.
fn moved(ops: &[Op], own: &[Virtual], distance: i32) -> Option<Vec<Op>> {
    let on = |access: Access| match access.moves {
        true => Some(Access { displacement: access.displacement.checked_add(distance)?, ..access }),
        false => Some(access),
    };
    let moved = |op: &Op| {
        let own = |value: Option<Virtual>| value.map(|value| own[value.0 as usize]);
        let kind = match op.kind {
            Kind::Load(access) => Kind::Load(on(access)?),
            Kind::Store(access) => Kind::Store(on(access)?),
            other => other,
        };
        Some(Op { kind, result: own(op.result), sources: op.sources.map(own), origin: op.origin })
    };
    ops.iter().map(moved).collect()
}
