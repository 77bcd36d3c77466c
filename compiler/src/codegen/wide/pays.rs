//! Whether a nest's block is written as a wide function. Shapes alone decide, and no result depends on it.

use super::operations::Selection;
use super::{Form, Rest, Turns, Whole};
use crate::loops::{Extent, Linear};

/// Rows that a batch is taken to have.
const LIKELY_BATCH: i64 = 64;
/// What a call costs, in instructions: the jump there and back, the loop's own, the pins.
const CALL: i64 = 16;
/// What one word of the argument block costs: it is stored, and read back.
const ARGUMENT: i64 = 2;

/// Compares the work of both ways, for a block of which Cranelift would write `moving` instructions in each turn.
pub(super) fn pays(selection: &Selection, moving: usize, extent: Extent, form: Form) -> bool {
    let turns = extent.most(LIKELY_BATCH).max(0);
    let groups = (turns + form.lanes() - 1) / form.lanes();
    let arguments = (selection.places.len() + selection.scalars.len()) as i64;
    let wide = CALL + ARGUMENT * arguments + selection.ops.len() as i64 * groups;
    let narrow = moving as i64 * (turns / 4 + turns % 4);
    wide < narrow
}

/// What is known of the turns of an axis that has a first one.
pub(super) fn turns(extent: Extent, form: Form) -> Turns {
    let lanes = form.lanes();
    let known = |turns: i64| {
        let whole = match turns / lanes {
            0 => Whole::Never,
            1 => Whole::Once,
            _ => Whole::Often,
        };
        let rest = match (turns % lanes) as u8 {
            0 => Rest::None,
            left => Rest::Known(left),
        };
        Turns { whole, rest }
    };
    let divides = |number: Linear| number.constant % lanes == 0 && number.batch % lanes == 0;
    let often = Turns { whole: Whole::Often, rest: Rest::None };
    let unknown = Turns { whole: Whole::Unknown, rest: Rest::Unknown };
    match extent {
        Extent::Whole(number) if number.is_fixed() => known(number.constant),
        Extent::Whole(number) if divides(number) => often,
        Extent::Whole(_) => unknown,
        Extent::Tile { step, total, .. } if total.is_fixed() && total.constant % step == 0 => known(step),
        Extent::Tile { step, total, .. } if total.is_fixed() && total.constant <= step => known(total.constant),
        Extent::Tile { step, .. } if step < lanes => Turns { whole: Whole::Never, rest: Rest::Unknown },
        Extent::Tile { step, total, .. } if step % lanes == 0 && divides(total) => often,
        Extent::Tile { .. } => unknown,
    }
}
