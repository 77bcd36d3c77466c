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
    let mut made = (!rest.is_exact()).then(|| {
        let origin = selection.all().find(|op| matches!(op.kind, Kind::Load(_) | Kind::Store(_))).map_or(0, |op| op.origin);
        Op { kind: Kind::Left, result: Some(fresh()), sources: [None; 3], origin }
    });
    let mask = made.and_then(|op| op.result).filter(|_| form == Form::Eight);
    let mut guarded = |ops: &[Op], is_first: bool| {
        let mut guarded: Vec<Op> = if is_first { made.take().into_iter().collect() } else { Vec::new() };
        for &op in ops {
            let mut op = op;
            match (op.kind, rest) {
                (Kind::Load(Access { moves: true, .. }), _) => op.sources[0] = mask,
                (Kind::Store(_), Rest::Known(_)) => op.result = Some(fresh()),
                (Kind::Store(_), _) => op.sources[1] = mask,
                _ => {}
            }
            guarded.push(op);
        }
        guarded
    };
    let before = guarded(&selection.before, selection.keeps());
    let ops = guarded(&selection.ops, !selection.keeps());
    let after = guarded(&selection.after, false);
    // Where rows turn inside, all of them have one mask.
    let kept = selection.kept.iter().copied().chain(mask.filter(|_| selection.keeps())).collect();
    Selection { before, ops, after, kept, held, constants, ..selection.clone() }
}
