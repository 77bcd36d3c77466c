//! Which innermost axes may run on several lanes at once.

use crate::loops::{Axis, Block, Extent, Instruction, Lane, Linear, Var, View};

/// Whether a block may run on several lanes of this axis at once.
pub fn is_vector(block: &Block, axis: &Axis) -> bool {
    let stores: Vec<&View> = block.stores().collect();
    let varies = varying(block, axis.var, &stores);
    let picks_one = |place: &View| place.pick.is_none_or(|pick| !varies[pick.value.0 as usize]);
    // An access may touch what another lane stores, unless it is the very word or out of the loop's reach.
    let meets = |place: &View| {
        stores.iter().any(|store| store.buffer == place.buffer && **store != *place && !out_of_reach(store, place, axis))
    };
    block.code.iter().all(|instruction| match instruction {
        Instruction::Load(place, lane) => {
            *lane != Lane::F64
                && !place.looks_up(axis.var)
                && picks_one(place)
                && place.stride(axis.var).is_fixed()
                && !meets(place)
        }
        Instruction::Store(place, _) => {
            let step = place.stride(axis.var);
            step.is_fixed() && step != Linear::ZERO && !place.looks_up(axis.var) && picks_one(place) && !meets(place)
        }
        Instruction::ConstF64(_) | Instruction::Promote(_) | Instruction::Demote(_) | Instruction::Call(..) => false,
        _ => true,
    })
}

/// Which values of a block may differ from one turn of a loop to the next.
fn varying(block: &Block, var: Var, stores: &[&View]) -> Vec<bool> {
    let mut varies: Vec<bool> = Vec::with_capacity(block.code.len());
    for instruction in &block.code {
        let own = match instruction {
            Instruction::Index { terms, .. } => terms.iter().any(|(known, _)| *known == var),
            Instruction::Load(view, _) => {
                view.strides.iter().any(|(known, _)| *known == var)
                    || view.looks_up(var)
                    || stores.iter().any(|store| store.buffer == view.buffer)
            }
            _ => false,
        };
        varies.push(own || instruction.operands().iter().any(|operand| varies[operand.0 as usize]));
    }
    varies
}

/// Whether two views are further apart than the whole loop is long, as when lanes are folded by halving, or step past each other, as the
/// elements of a short axis that is written out.
fn out_of_reach(a: &View, b: &View, axis: &Axis) -> bool {
    let apart = (a.offset.constant - b.offset.constant).abs();
    let stride = a.stride(axis.var).constant.abs().max(1);
    let length = match axis.extent {
        Extent::Whole(size) if size.is_fixed() => size.constant,
        _ => i64::MAX,
    };
    a.strides == b.strides
        && a.table == b.table
        && a.pick == b.pick
        && a.offset.batch == b.offset.batch
        && (apart % stride != 0 || apart / stride >= length)
}
