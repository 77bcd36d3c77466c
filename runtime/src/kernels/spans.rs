//! Rows and columns in pieces.

use super::vector::Vector;

/// Rows or columns `start..start + count` of a block.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub start: usize,
    pub count: usize,
}

/// `0..extent` in pieces of `size`, the last one shorter. (`step_by` would divide.)
pub(super) fn pieces(extent: usize, size: usize) -> impl Iterator<Item = Span> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let span = Span { start, count: size.min(extent - start) };
        start += span.count;
        (span.count > 0).then_some(span)
    })
}

/// Columns in panels of `width`. Of three vectors and one the last two panels are two and two: by itself a single vector would wait for as many
/// elements of the left operand as two do.
pub(super) fn panels<V: Vector>(columns: usize, width: usize) -> impl Iterator<Item = Span> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let left = columns - start;
        let is_four = width == 3 * V::LANES && left.div_ceil(V::LANES) == 4;
        let span = Span { start, count: left.min(if is_four { 2 * V::LANES } else { width }) };
        start += span.count;
        (span.count > 0).then_some(span)
    })
}

/// `0..extent` in as few pieces of at most `size` as there can be, all of nearly the same size: a short last tile would run at
/// the latency of its few chains.
pub(super) fn even_pieces(extent: usize, size: usize) -> impl Iterator<Item = Span> + Clone {
    let number = extent.div_ceil(size).max(1);
    let (least, longer) = (extent / number, extent % number);
    let mut start = 0;
    (0..number).map(move |index| {
        let span = Span { start, count: least + usize::from(index < longer) };
        start += span.count;
        span
    })
}

/// Spans of the same size that follow one another, by the first of them and their number; alone, where that is asked for.
pub(super) fn alike(spans: impl Iterator<Item = Span>, is_alone: impl Fn(Span) -> bool) -> impl Iterator<Item = (Span, usize)> {
    let mut spans = spans.peekable();
    std::iter::from_fn(move || {
        let first = spans.next()?;
        let mut number = 1;
        while !is_alone(first) && spans.next_if(|span| span.count == first.count).is_some() {
            number += 1;
        }
        Some((first, number))
    })
}
