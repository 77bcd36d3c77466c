//! Whether a nest's block is written as a wide function. Shapes alone decide, and no result depends on it.

use super::operations::Selection;
use super::{Form, Rest, Turns, Whole};
use crate::loops::{Extent, Linear};

/// Rows that a batch is taken to have.
const LIKELY_BATCH: i64 = 64;
/// What a call costs, in instructions: the jump there and back, the loop's own, the pins.
const CALL: i64 = 16;
/// What a row costs beside what each of its pointers does.
const ROW: i64 = 6;
/// What one word of the argument block costs: it is stored, and read back.
const ARGUMENT: i64 = 2;

/// A nest's work.
pub(super) struct Work {
    /// Turns of the axis around, if the function has it too.
    pub rows: Option<Extent>,
    pub turns: Extent,
    /// Instructions that Cranelift would write in each turn.
    pub moving: usize,
}

/// Compares the work of both ways.
pub(super) fn pays(selection: &Selection, work: Work, form: Form) -> bool {
    let likely = |extent: Extent| extent.most(LIKELY_BATCH).max(0);
    let (rows, turns) = (work.rows.map_or(1, likely), likely(work.turns));
    let groups = (turns + form.lanes() - 1) / form.lanes();
    let arguments = (selection.places.len() + selection.scalars.len()) as i64;
    let row = if work.rows.is_some() { selection.places.len() as i64 + ROW } else { 0 };
    let wide = CALL + ARGUMENT * arguments + rows * (row + selection.ops.len() as i64 * groups);
    let narrow = work.moving as i64 * (turns / 4 + turns % 4) * rows;
    wide < narrow
}

/// What is known of the turns of an axis that has a first one.
pub(super) fn turns(extent: Extent, form: Form) -> Turns {
    let lanes = form.lanes();
    let known = |turns: i64| {
        let rest = match (turns % lanes) as u8 {
            0 => Rest::None,
            left => Rest::Known(left),
        };
        Turns { whole: Whole::Known(turns / lanes), rest }
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
        Extent::Tile { step, .. } if step < lanes => Turns { whole: Whole::Known(0), rest: Rest::Unknown },
        Extent::Tile { step, total, .. } if step % lanes == 0 && divides(total) => often,
        Extent::Tile { .. } => unknown,
    }
}
