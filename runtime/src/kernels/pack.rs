//! Copies of operands into panels: `k` rows of `width` floats, one after the other, in the order in which a tile reads them.

use super::vector::Vector;

/// Steps of which eight columns are transposed before the next eight. Columns that lie some KiB apart drive each other's lines out of the
/// first-level cache, so that a line had better be read to its end; and what is written should still be there when the next columns join it.
const STEPS: usize = 64;

/// One panel to be copied: element `(p, w)` lies at `from + at(w) * stride_w + at(p) * stride_p` and goes to `to + p * row + w`.
/// `at` is the index itself, or its entry in the table, if there is one for that direction.
pub(super) struct Panel {
    pub from: *const f32,
    pub stride_w: isize,
    pub stride_p: isize,
    pub table_w: *const u32,
    pub table_p: *const u32,
    pub width: usize,
    pub k: usize,
    pub to: *mut f32,
    pub row: usize,
}

/// One panel to be gathered: element `(p, w)` lies at `from + steps[p] + columns[w]` and goes to `to + p * row + w`.
pub(super) struct Gathered {
    pub from: *const f32,
    pub columns: *const i32,
    pub steps: *const i32,
    pub width: usize,
    pub k: usize,
    pub to: *mut f32,
    pub row: usize,
}

/// The entry of `table`, or the index itself where there is none.
///
/// # Safety
/// A table that is not null has more than `index` entries.
#[inline(always)]
pub(super) unsafe fn entry(table: *const u32, index: usize) -> isize {
    if table.is_null() {
        index as isize
    } else {
        // SAFETY: the caller's promise.
        (unsafe { *table.add(index) }) as isize
    }
}

/// Copies one panel. Rows are written in ascending order by whole vectors, so that up to `V::LANES - 1` floats behind each row,
/// the last one too, are overwritten.
///
/// # Safety
/// The processor has the instruction set of `V`; every element can be read; `V::LANES` floats behind the panel can be written;
/// `width <= row`; the panel does not overlap the source.
#[inline(always)]
pub(super) unsafe fn copy<V: Vector>(panel: &Panel) {
    // SAFETY: the caller's promise.
    unsafe {
        if panel.stride_w == 1 && panel.table_w.is_null() {
            copy_rows::<V>(panel);
        } else if panel.stride_p == 1 && panel.table_w.is_null() && panel.table_p.is_null() {
            transpose::<V>(panel);
        } else {
            gather(panel);
        }
    }
}

/// The panel's rows are contiguous in the source.
#[inline(always)]
unsafe fn copy_rows<V: Vector>(panel: &Panel) {
    // SAFETY: `V::LANES * whole + rest = width` floats are read from each row; what is written beyond is allowed by `copy`.
    unsafe {
        if panel.width == 8 {
            // The height of AVX-512's tiles, half a vector: whole ones would run over the next row and into another line.
            for p in 0..panel.k {
                let from = panel.from.offset(entry(panel.table_p, p) * panel.stride_p).cast::<[f32; 8]>();
                panel.to.add(p * panel.row).cast::<[f32; 8]>().write_unaligned(from.read_unaligned());
            }
            return;
        }
        let whole = panel.width / V::LANES;
        let rest = panel.width % V::LANES;
        let part = V::part(rest);
        for p in 0..panel.k {
            let from = panel.from.offset(entry(panel.table_p, p) * panel.stride_p);
            let to = panel.to.add(p * panel.row);
            for vector in 0..whole {
                V::load(from.add(vector * V::LANES)).store(to.add(vector * V::LANES));
            }
            if rest > 0 {
                let done = whole * V::LANES;
                V::load_part(from.add(done), part).store(to.add(done));
            }
        }
    }
}

/// Where blocks of eight begin, from `start` up to `end` of an extent: the last ends where the extent does, and does again what the one before it
/// has done.
fn eights(start: usize, end: usize, extent: usize) -> impl Iterator<Item = usize> {
    (start..end.min(extent)).step_by(8).map(move |start| start.min(extent - 8))
}

/// The panel's columns are contiguous in the source: blocks of 8×8.
#[inline(always)]
unsafe fn transpose<V: Vector>(panel: &Panel) {
    // SAFETY: the blocks lie inside `width` and `k`.
    unsafe {
        if panel.width < 8 || panel.k < 8 {
            return gather(panel);
        }
        for steps in (0..panel.k).step_by(STEPS) {
            for w in eights(0, panel.width, panel.width) {
                for p in eights(steps, steps + STEPS, panel.k) {
                    let from = panel.from.offset(w as isize * panel.stride_w).add(p);
                    let to = panel.to.add(p * panel.row + w);
                    V::transpose_8x8(from, panel.stride_w, to, panel.row);
                }
            }
        }
    }
}

/// Element by element.
#[inline(always)]
unsafe fn gather(panel: &Panel) {
    // SAFETY: `p < k` and `w < width`.
    unsafe {
        for p in 0..panel.k {
            let from = panel.from.offset(entry(panel.table_p, p) * panel.stride_p);
            let to = panel.to.add(p * panel.row);
            for w in 0..panel.width {
                *to.add(w) = *from.offset(entry(panel.table_w, w) * panel.stride_w);
            }
        }
    }
}

/// Most runs that a vector of gathered columns is loaded from: windows of 3 make up to 6 of sixteen columns. Vectors of more runs are
/// gathered lane by lane.
const MOST_RUNS: usize = 6;

/// Lanes whose columns lie side by side.
#[derive(Clone, Copy)]
struct Run<V: Vector> {
    /// Where lane 0 would lie.
    place: isize,
    lanes: V::Part,
}

/// Gathers one panel, a vector of columns at a time. Columns lie in runs side by side (along a row of an image, or of a window), and a
/// load with a mask for each run is far cheaper than a gather. Writes as [`copy`] does.
///
/// # Safety
/// As for [`copy`]; the tables hold `width` and `k` entries.
#[inline(always)]
pub(super) unsafe fn gather_panel<V: Vector>(panel: &Gathered) {
    for start in (0..panel.width).step_by(V::LANES) {
        let count = V::LANES.min(panel.width - start);
        // SAFETY: `start + count <= width`; the rows that are written lie in the panel.
        unsafe {
            let columns = panel.columns.add(start);
            let to = panel.to.add(start);
            let none = Run::<V> { place: 0, lanes: V::part(0) };
            let mut runs = [none; MOST_RUNS];
            let (mut found, mut first) = (0, 0);
            for lane in 1..=count {
                if lane < count && *columns.add(lane) == *columns.add(lane - 1) + 1 {
                    continue;
                }
                if let Some(run) = runs.get_mut(found) {
                    *run = Run { place: *columns.add(first) as isize - first as isize, lanes: V::between(first, lane) };
                }
                (found, first) = (found + 1, lane);
            }
            match found {
                1 if count == V::LANES => gather_whole::<V>(panel, runs[0].place, to),
                1 => gather_runs::<V, 1>(panel, &runs, to),
                2 => gather_runs::<V, 2>(panel, &runs, to),
                3 => gather_runs::<V, 3>(panel, &runs, to),
                4 => gather_runs::<V, 4>(panel, &runs, to),
                5 | 6 => gather_runs::<V, 6>(panel, &runs, to),
                _ => gather_lanes::<V>(panel, columns, count, to),
            }
        }
    }
}

/// One vector of columns that lie side by side.
#[inline(always)]
unsafe fn gather_whole<V: Vector>(panel: &Gathered, place: isize, to: *mut f32) {
    for p in 0..panel.k {
        // SAFETY: the caller's promise: all columns of all steps can be read.
        unsafe { V::load(panel.from.offset(*panel.steps.add(p) as isize + place)).store(to.add(p * panel.row)) }
    }
}

/// One vector of columns in so many runs; those that are not needed have no lanes.
#[inline(always)]
unsafe fn gather_runs<V: Vector, const RUNS: usize>(panel: &Gathered, runs: &[Run<V>; MOST_RUNS], to: *mut f32) {
    for p in 0..panel.k {
        // SAFETY: the lanes of a run are columns of the panel; others are not read.
        unsafe {
            let from = panel.from.wrapping_offset(*panel.steps.add(p) as isize);
            let mut vector = V::load_part(from.wrapping_offset(runs[0].place), runs[0].lanes);
            for run in &runs[1..RUNS] {
                vector = vector.load_over(from.wrapping_offset(run.place), run.lanes);
            }
            vector.store(to.add(p * panel.row));
        }
    }
}

/// One vector of columns that lie anywhere; lanes behind the last column read that one again.
#[inline(always)]
unsafe fn gather_lanes<V: Vector>(panel: &Gathered, columns: *const i32, count: usize, to: *mut f32) {
    let mut index = [0i32; 16];
    let index = &mut index[..V::LANES];
    // SAFETY: the caller's promise.
    unsafe {
        for (lane, place) in index.iter_mut().enumerate() {
            *place = *columns.add(lane.min(count - 1));
        }
        for p in 0..panel.k {
            let from = panel.from.offset(*panel.steps.add(p) as isize);
            V::gather(from, index.as_ptr()).store(to.add(p * panel.row));
        }
    }
}
