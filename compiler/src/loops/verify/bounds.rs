//! Interval arithmetic over loops, for all batch sizes at once.
//!
//! The largest index of an access is a sum of strides times the last turns of their loops. Stride and last turn are affine in the
//! batch `n`, so the bound is a quadratic in `n`, and a quadratic is compared with a size for every whole number of an interval by
//! looking at its ends and at its vertex. Where a loop's length has a corner (`min(step, total)`), the interval is cut there.
//!
//! A tile's number and the place inside of the tile are taken together where their strides say that they are one index: then
//! the last tile, which may be shorter, is exact. Otherwise they are taken apart, which is never too small.
//!
//! Numbers that do not fit saturate: no buffer is as large as what they then stand for.

use crate::loops::{Linear, Var};

/// Turns of a loop, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Range {
    Count(Linear),
    /// Numbers of tiles: `ceil(total / step)` of them.
    Tiles {
        step: i64,
        total: Linear,
    },
    /// `min(step, total - step * tile)`.
    Inside {
        tile: Var,
        step: i64,
        total: Linear,
    },
}

/// One stride of an address, with the loop that it is multiplied by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term {
    /// The loop's variable, if it has one (rows and columns of a product have none).
    pub var: Option<Var>,
    pub range: Range,
    pub stride: Linear,
}

/// `(square * n² + linear * n + constant) / denominator`.
#[derive(Clone, Copy, Debug)]
struct Quadratic {
    square: i128,
    linear: i128,
    constant: i128,
    denominator: i128,
}

/// The last turn of a loop: a size that is affine in `n`, over a denominator.
#[derive(Clone, Copy)]
struct Last {
    turn: Linear,
    denominator: i64,
}

/// Checks that `0 <= offset + Σ stride·turn < words` for every batch of `1..=capacity`; the error says for which it is not, and by how much.
pub fn within(offset: Linear, terms: &[Term], words: Linear, capacity: i64) -> Result<(), String> {
    // So that there is a number behind it.
    let capacity = capacity.min(i64::MAX - 1);
    let mut corners = vec![1, capacity + 1];
    for term in terms {
        if let Range::Inside { step, total, .. } = term.range
            && total.batch > 0
        {
            // The first batch whose tiles are full.
            corners.push(step.saturating_sub(total.constant).div_euclid(total.batch).saturating_add(1));
        }
    }
    corners.retain(|corner| (1..=capacity + 1).contains(corner));
    corners.sort_unstable();
    corners.dedup();
    for ends in corners.windows(2) {
        within_interval(offset, terms, words, ends[0], ends[1] - 1)?;
    }
    Ok(())
}

fn within_interval(offset: Linear, terms: &[Term], words: Linear, from: i64, to: i64) -> Result<(), String> {
    let (mut low, mut high) = (Quadratic::affine(offset), Quadratic::affine(offset));
    let mut add = |stride: Linear, last: Last| -> Result<(), String> {
        let signs = [stride.at(from).signum(), stride.at(to).signum()];
        match signs {
            [0 | 1, 0 | 1] => high = high.plus(stride, last),
            [0 | -1, 0 | -1] => low = low.plus(stride, last),
            _ => return Err(format!("its stride {stride} changes its sign")),
        }
        Ok(())
    };
    for term in terms {
        match term.range {
            Range::Count(count) => add(term.stride, Last::of(count))?,
            Range::Tiles { step, total } => {
                if inside_of(term, terms).is_none() {
                    let last = total.plus(Linear::fixed(-1));
                    let whole = last.at(from).max(last.at(to)).div_euclid(step);
                    // The last tile for the largest batch is exact where it is the last for all.
                    let is_exact = total.is_fixed() || whole == 0;
                    let (turn, denominator) = if is_exact { (Linear::fixed(whole), 1) } else { (last, step) };
                    add(term.stride, Last { turn, denominator })?;
                }
            }
            Range::Inside { step, total, .. } => {
                let is_one_index = terms.iter().any(|tile| inside_of(tile, terms) == Some(term));
                let full = total.at(from) >= step;
                add(term.stride, Last::of(if full && !is_one_index { Linear::fixed(step) } else { total }))?;
            }
        }
    }
    let room = Quadratic::affine(words.plus(Linear::fixed(-1))).minus(high);
    if let Some(n) = room.negative(from, to) {
        return Err(format!("index up to {} of {} words for n = {n}", high.at(n), words.at(n)));
    }
    if let Some(n) = low.negative(from, to) {
        return Err(format!("index down to {} for n = {n}", low.at(n)));
    }
    Ok(())
}

/// The term inside of a tile that forms one index with the tile's number: a step of the tile is as far as `step` steps of it.
fn inside_of<'a>(tile: &Term, terms: &'a [Term]) -> Option<&'a Term> {
    if !matches!(tile.range, Range::Tiles { .. }) || tile.var.is_none() {
        return None;
    }
    terms.iter().find(|term| match term.range {
        Range::Inside { tile: of, step, .. } => {
            Some(of) == tile.var && term.stride != Linear::ZERO && term.stride.times(step) == tile.stride
        }
        _ => false,
    })
}

impl Last {
    fn of(count: Linear) -> Self {
        Last { turn: count.plus(Linear::fixed(-1)), denominator: 1 }
    }
}

impl Quadratic {
    fn affine(of: Linear) -> Self {
        Quadratic { square: 0, linear: of.batch.into(), constant: of.constant.into(), denominator: 1 }
    }

    fn scaled(self, factor: i128) -> Self {
        Quadratic {
            square: self.square.saturating_mul(factor),
            linear: self.linear.saturating_mul(factor),
            constant: self.constant.saturating_mul(factor),
            denominator: self.denominator.saturating_mul(factor),
        }
    }

    /// `self + stride * last`
    fn plus(self, stride: Linear, last: Last) -> Self {
        let (s, l) = (stride, last.turn);
        let product = Quadratic {
            square: i128::from(s.batch) * i128::from(l.batch),
            linear: i128::from(s.batch) * i128::from(l.constant) + i128::from(s.constant) * i128::from(l.batch),
            constant: i128::from(s.constant) * i128::from(l.constant),
            denominator: i128::from(last.denominator),
        };
        self.sum(product, 1)
    }

    fn minus(self, other: Quadratic) -> Self {
        self.sum(other, -1)
    }

    fn sum(self, other: Quadratic, sign: i128) -> Self {
        let (a, b) = match self.denominator == other.denominator {
            true => (self, other),
            false => (self.scaled(other.denominator), other.scaled(self.denominator)),
        };
        let sum = |a: i128, b: i128| a.saturating_add(b.saturating_mul(sign));
        Quadratic {
            square: sum(a.square, b.square),
            linear: sum(a.linear, b.linear),
            constant: sum(a.constant, b.constant),
            denominator: a.denominator,
        }
    }

    fn numerator(self, n: i64) -> i128 {
        let n = i128::from(n);
        self.square.saturating_mul(n).saturating_add(self.linear).saturating_mul(n).saturating_add(self.constant)
    }

    fn at(self, n: i64) -> i128 {
        self.numerator(n).div_euclid(self.denominator)
    }

    /// A whole number of `from..=to` at which it is negative. It is least at an end or, if it is convex, next to its vertex.
    fn negative(self, from: i64, to: i64) -> Option<i64> {
        let is_negative = |n: &i64| self.numerator(*n) < 0;
        if let Some(end) = [from, to].into_iter().find(is_negative) {
            return Some(end);
        }
        if self.square <= 0 {
            return None;
        }
        let vertex = self.linear.saturating_neg().div_euclid(self.square.saturating_mul(2));
        let near = [vertex, vertex + 1].into_iter().filter_map(|n| i64::try_from(n).ok());
        near.filter(|n| (from..=to).contains(n)).find(is_negative)
    }
}

#[cfg(test)]
mod tests;
