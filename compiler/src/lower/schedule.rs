//! The schedule: which axis of a group is cut into tiles that threads share, which is cut again inside, and how large tiles are.
//! It is a cost model of cache sizes and shapes; whatever it chooses, the bits are the same.

use crate::fusion::{self, CELL, Group, NOMINAL_BATCH, Work, reduced_axes, work};
use crate::graph::{Dim, Graph};

/// Words that the hot values of a tile should fit into: half of a 32 KiB first-level cache.
const HOT_WORDS: usize = 4096;
/// Rows that a product's tile has at most where rows may be cut.
const PRODUCT_ROWS: usize = 128;
/// And where the tile is a large one.
const LARGE_ROWS: usize = 512;
/// Words of the largest tile: half of a second-level cache of 1 MiB.
const LARGE_WORDS: usize = 128 * 1024;
/// Words of a result that no second-level cache holds.
const FAR_WORDS: usize = 1 << 20;
/// Rows that a tile with all columns of a large matrix has at most, and multiples of which it has: the copy of so many rows of the left
/// operand stays in the second-level cache.
const WHOLE_ROWS: usize = 256;
const LEAST_WHOLE_ROWS: usize = 64;
/// Words of such a tile at most: 4 MiB for each thread, which the last cache holds.
const WHOLE_WORDS: usize = 1 << 20;
/// Terms of a sum behind which an update takes a good part of the time.
const SHORT_SUM: usize = 128;
/// Rows that a product sums up at once.
const PANEL_ROWS: usize = 8;
/// Columns that a tile can have beside whole vectors without leaving most of a vector empty.
const QUARTER: usize = 4;
/// Rows of a batch in a tile that has all columns: two panels of a product, so that a batch of 32 is work for two threads.
const SHARED_ROWS: usize = 16;
/// Strips that an axis is cut into at least, if it is long enough.
const STRIPS: usize = 8;
/// Least columns of a tile of a product that gathers windows along them: each tile copies the other operand.
const WINDOW_COLUMNS: usize = 128;
/// Rows of a scan's tile: a batch gives work to several threads, and a product with the carry still has rows to share a weight.
const SCAN_ROWS: usize = 16;
/// Columns whose sums are worth two tiles at least.
const HALVED_COLUMNS: usize = 64;
/// Elements of a tile of a kernel without a product.
const MAP_ELEMENTS: usize = 8192;

/// Steps of the tiles: (axis, elements).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Schedule {
    /// Shared among threads.
    pub parallel: Option<(usize, usize)>,
    /// Cut again inside the tile, in order.
    pub inner: Option<(usize, usize)>,
}

/// Chooses the schedule of a group.
pub fn schedule(graph: &Graph, group: &Group) -> Schedule {
    if group.parallel.is_empty() {
        return Schedule::default();
    }
    let kinds: Vec<Work> = group.members.iter().map(|member| work(graph, *member)).collect();
    if kinds.contains(&Work::Cells) {
        let [rows, columns] = [0, 1].map(|axis| (axis, CELL[axis]));
        // A product's rows go through memory one after the other, and its left operand is read once.
        let (parallel, inner) = if kinds[0] == Work::Product { (rows, columns) } else { (columns, rows) };
        return Schedule { parallel: Some(parallel), inner: Some(inner) };
    }
    let size = |axis: usize| group.axes[axis].at(NOMINAL_BATCH).max(1);
    let rest = |axis: usize| (0..group.axes.len()).filter(|other| *other != axis).map(size).product::<usize>().max(1);
    let last = group.domains[0].last().copied().unwrap_or(0);
    let mut schedule = if kinds[0] == Work::Product {
        product_schedule(graph, group, last, size, rest)
    } else if kinds[0] == Work::Scan {
        Schedule { parallel: Some((group.parallel[0], SCAN_ROWS)), inner: None }
    } else {
        let axis = group.parallel[0];
        let step = (MAP_ELEMENTS / rest(axis)).max(1);
        // Lanes run along the axis if it is the last wherever it is; else it is one of rows (of images), several of which lie side by side.
        let in_lanes = group.domains.iter().all(|domain| !domain.contains(&axis) || domain.last() == Some(&axis));
        let step = match axis == last {
            true if in_lanes && kinds.contains(&Work::Column) && size(axis) >= HALVED_COLUMNS => {
                halves(size(axis), step.next_multiple_of(32), 1)
            }
            true if in_lanes => step.next_multiple_of(32),
            true => step.max(size(axis).div_ceil(STRIPS).min(32)),
            false => step,
        };
        Schedule { parallel: Some((axis, step)), inner: None }
    };
    // Random numbers are drawn 64 columns at a time: tiles are whole groups, and together they fill the padded width.
    let drawn_along = |axis: usize| {
        group
            .members
            .iter()
            .zip(&group.domains)
            .any(|(member, domain)| work(graph, *member) == Work::Random && domain.last() == Some(&axis))
    };
    // Where a product must be looped over one element at a time along the axis of the groups, it is not cut at all.
    if schedule.parallel.is_some_and(|(axis, step)| step == 1 && kinds[0] == Work::Product && drawn_along(axis)) {
        return Schedule::default();
    }
    for (axis, step) in [&mut schedule.parallel, &mut schedule.inner].into_iter().flatten() {
        if drawn_along(*axis) {
            let width = match group.axes[*axis] {
                Dim::Fixed(width) => width.next_multiple_of(64),
                Dim::Batch => 64,
            };
            let most = step.next_multiple_of(64).min(width);
            *step = (64..=most).rev().step_by(64).find(|step| width % step == 0).unwrap_or(64);
        }
    }
    schedule
}

fn product_schedule(
    graph: &Graph,
    group: &Group,
    last: usize,
    size: impl Fn(usize) -> usize,
    rest: impl Fn(usize) -> usize,
) -> Schedule {
    let out = &group.domains[0];
    if fusion::reads_windows(graph, graph.node(group.members[0].node).operands[1]) {
        return Schedule { parallel: Some(window_tiles(graph, group, size)), inner: None };
    }
    let axis = if group.parallel.contains(&last) { last } else { group.parallel[0] };
    if !steps_in_product(graph, group, axis) {
        return Schedule { parallel: Some((axis, 1)), inner: None };
    }
    if axis != last {
        let step = (HOT_WORDS / rest(axis)).max(48) / 48 * 48;
        return Schedule { parallel: Some((axis, step)), inner: None };
    }
    // Rows may be cut too if every member has them at the very element, and none folds them up.
    let rows = match out.as_slice() {
        [rows, _] if group.parallel.contains(rows) && steps_in_product(graph, group, *rows) => Some(*rows),
        _ => None,
    };
    let rows = rows.filter(|rows| {
        group.members.iter().zip(&group.domains).all(|(member, domain)| {
            let folded = reduced_axes(graph, *member).iter().any(|axis| domain[*axis] == *rows);
            domain.contains(rows) && !folded
        })
    });
    let columns = size(axis);
    let summed = fusion::summed(graph, group.members[0].node);
    let hot = hot_words(rest(axis) * columns, summed);
    let is_ragged = fusion::strips_share_lines(columns);
    if let Some(rows) = rows.filter(|_| (fusion::LINE_WORDS..fusion::MOST_SHARED_COLUMNS).contains(&columns)) {
        match group.axes[rows] {
            // What follows short sums, of a weight's gradient, can go through them panel by panel if the tile is contiguous.
            Dim::Fixed(size) if is_ragged || summed <= SHORT_SUM => {
                let step = equal_rows(size, size * columns / hot);
                return Schedule { parallel: Some((rows, step)), inner: None };
            }
            Dim::Batch if is_ragged => return Schedule { parallel: Some((rows, SHARED_ROWS)), inner: None },
            _ => {}
        }
    }
    if let Some(step) = rows.and_then(|rows| whole_rows(group.axes[rows], columns)) {
        return Schedule { parallel: rows.map(|rows| (rows, step)), inner: None };
    }
    let most = if hot >= 2 * LARGE_ROWS * 32 { LARGE_ROWS } else { PRODUCT_ROWS };
    let cut = rows.filter(|rows| size(*rows) > most || group.axes[*rows] == Dim::Batch);
    let tall = cut.map_or(rest(axis), |rows| size(rows).min(most));
    // Every thread gets some strips.
    let fair = (columns / STRIPS).max(64);
    let step = halves(columns, (hot / tall).clamp(32, 512).min(fair) / 32 * 32, 2);
    Schedule { parallel: Some((axis, step)), inner: cut.map(|rows| (rows, most)) }
}

/// Columns of strips of at most `step`: so many strips are halves instead, for two threads.
fn halves(columns: usize, step: usize, strips: usize) -> usize {
    if columns.div_ceil(step) == strips { columns.div_ceil(2).next_multiple_of(QUARTER) } else { step }
}

/// Rows of each of about so many tiles, an even number for two threads: all the same, in whole panels of a product if that is possible.
fn equal_rows(rows: usize, tiles: usize) -> usize {
    let least = tiles.max(1).next_multiple_of(2);
    let divides = |tiles: &usize| rows.is_multiple_of(*tiles);
    let in_panels = |tiles: &usize| divides(tiles) && (rows / tiles).is_multiple_of(PANEL_ROWS);
    let more = || (least..=4 * least).step_by(2);
    let found = more().find(in_panels).or_else(|| (2..least).step_by(2).rfind(in_panels)).or_else(|| more().find(divides));
    rows.div_ceil(found.unwrap_or(least))
}

/// Rows of a tile that has all columns of a large matrix, as the gradient of a weight is. Rows of the left operand are then copied once,
/// and what follows goes through memory word by word: through strips of columns it would jump from page to page.
fn whole_rows(rows: Dim, columns: usize) -> Option<usize> {
    let Dim::Fixed(rows) = rows else { return None };
    let step = WHOLE_ROWS.min(rows / STRIPS).min(WHOLE_WORDS / columns) / LEAST_WHOLE_ROWS * LEAST_WHOLE_ROWS;
    (rows * columns >= FAR_WORDS && step > 0).then_some(step)
}

/// Words of a tile of a product of that many elements. Small tiles keep what follows the product in the first-level cache; large ones
/// copy and read the operands less often. What follows counts for less, the longer the sums are, and nothing where the result comes
/// from and goes to memory anyway.
fn hot_words(elements: usize, summed: usize) -> usize {
    if elements >= FAR_WORDS { LARGE_WORDS } else { HOT_WORDS * (summed / 64).clamp(1, 16) }
}

/// Tiles of a product that reads windows: image by image; or parts of the window's channels, each of which gathers its own; or rows.
fn window_tiles(graph: &Graph, group: &Group, size: impl Fn(usize) -> usize) -> (usize, usize) {
    let out = &group.domains[0];
    let position = |axis: &usize| out.iter().position(|own| own == axis).unwrap_or(0);
    let own = |axis: &&usize| out.contains(axis);
    let mut parallel = group.parallel.iter().filter(own);
    if let Some(&axis) = parallel.clone().find(|axis| fusion::loops_around_product(graph, group.members[0].node, position(axis)))
    {
        return (axis, 1);
    }
    let mut split: Vec<usize> = parallel.clone().copied().filter(|&axis| steps_in_product(graph, group, axis)).collect();
    // Columns lie behind rows.
    split.sort_by_key(|axis| std::cmp::Reverse(position(axis)));
    let columns = |axis: usize| out[position(&axis)..].iter().map(|&axis| size(axis)).product::<usize>();
    match split.as_slice() {
        [axis, ..] if size(*axis) > 1 && columns(*axis) >= 2 * WINDOW_COLUMNS || split.len() == 1 => {
            let tiles = (columns(*axis) / WINDOW_COLUMNS).clamp(1, 4);
            (*axis, size(*axis).div_ceil(tiles))
        }
        [.., axis] => (*axis, size(*axis).div_ceil(2).next_multiple_of(8)),
        [] => (parallel.next().copied().unwrap_or(group.parallel[0]), 1),
    }
}

fn steps_in_product(graph: &Graph, group: &Group, axis: usize) -> bool {
    let position = group.domains[0].iter().position(|own| *own == axis);
    position.is_some_and(|position| fusion::steps_in_product(graph, group.members[0].node, position))
}
