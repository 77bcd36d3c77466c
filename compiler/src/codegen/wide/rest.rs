//! The turns that fill no whole group of lanes.

use super::Form;
use super::operations::{Access, Constant, Held, Kind, Op, Selection, Virtual};

/// What is known of the turns that fill no whole group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Rest {
    None,
    /// So many, less than a vector has lanes.
    Known(u8),
    Unknown,
}

impl Rest {
    /// Whether one instruction moves just these lanes, so that no mask is needed.
    pub fn is_exact(self) -> bool {
        matches!(self, Rest::Known(lanes) if lanes.is_power_of_two())
    }
}

/// The operations for the lanes that are left: the mask first, if one is needed, and with 8 lanes an operand of all that it guards.
///
/// A masked store is written where the number of lanes is unknown only: a load of the row behind would have to wait until it is in the
/// cache, as the processor takes it to overlap. A number that is known is stored piece by piece, for which a register is set aside.
pub(super) fn left_over(selection: &Selection, rest: Rest, form: Form) -> Selection {
    let (mut held, mut constants) = (selection.held.clone(), selection.constants.clone());
    if !constants.contains(&Constant::Lanes(1)) {
        constants.push(Constant::Lanes(1));
    }
    let mut fresh = || {
        held.push(Held::Made);
        Virtual(held.len() as u32 - 1)
    };
    let mut ops = Vec::new();
    let mask = (!rest.is_exact()).then(|| {
        let mask = fresh();
        let origin = selection.ops.iter().find(|op| matches!(op.kind, Kind::Load(_) | Kind::Store(_))).map_or(0, |op| op.origin);
        ops.push(Op { kind: Kind::Left, result: Some(mask), sources: [None; 3], origin });
        mask
    });
    let mask = mask.filter(|_| form == Form::Eight);
    for &op in &selection.ops {
        let mut op = op;
        match (op.kind, rest) {
            (Kind::Load(Access { moves: true, .. }), _) => op.sources[0] = mask,
            (Kind::Store(_), Rest::Known(_)) => op.result = Some(fresh()),
            (Kind::Store(_), _) => op.sources[1] = mask,
            _ => {}
        }
        ops.push(op);
    }
    Selection { rows: selection.rows, ops, held, constants, scalars: selection.scalars.clone(), places: selection.places.clone() }
}
