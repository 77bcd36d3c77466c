//! Checks of a product.

use super::bounds::{Range, Term};
use super::{Checked, Scope, VerifyError};
use crate::loops::places;
use crate::loops::{Extent, Lane, Linear, Operand, OperandRows, ProductStatement, Space, Steps, Var};

/// A product's operands lie in their buffers, and their strides are what a micro-kernel takes (see [`crate::abi::Product`]).
pub fn check(scope: &Scope, product: &ProductStatement) -> Checked {
    let (m, n, k) = (scope.range(product.m)?, scope.range(product.n)?, scope.range(product.k)?);
    for (name, operand, row, column) in [("a", &product.a, m, k), ("b", &product.b, k, n), ("c", &product.c, m, n)] {
        self::operand(scope, operand, row, column).map_err(|error| error.inside(name))?;
    }
    let one = |extent: Extent| match extent {
        Extent::Whole(total) | Extent::Tile { total, .. } => total == Linear::fixed(1),
    };
    let unit = |stride: Linear| stride == Linear::fixed(1);
    let (b, c) = (&product.b, &product.c);
    if b.rows.is_some() {
        return Err(VerifyError::new("b", "only the rows of `a` are looked up one by one"));
    }
    if c.rows.is_some() || c.base.table.is_some() {
        return Err(VerifyError::new("c", "it is written through the row table"));
    }
    for (name, operand) in [("a", &product.a), ("c", c)] {
        if !operand.row.is_even() || !operand.column.is_even() {
            return Err(VerifyError::new(name, "only the indices of `b` have digits"));
        }
    }
    if !unit(c.column.stride) && !one(product.n) {
        return Err(VerifyError::new("c", format!("its column stride is {}, not 1", c.column.stride)));
    }
    let (row, column) = (b.row.stride, b.column.stride);
    if b.is_gathered() {
        // Places are tables of i32.
        let reach = |steps: &Steps, extent: Extent| steps.reach(places::most(extent)?);
        let far = i64::from(i32::MAX);
        if ![(&b.row, product.k), (&b.column, product.n)]
            .iter()
            .all(|(steps, extent)| reach(steps, *extent).is_some_and(|words| words < far))
        {
            return Err(VerifyError::new("b", "its places depend on the batch, or are too many"));
        }
    } else if !unit(column) && !unit(row) && !one(product.n) && !one(product.k) {
        return Err(VerifyError::new("b", format!("neither its row stride {row} nor its column stride {column} is 1")));
    }
    let into = scope.buffer(c.base.buffer)?;
    if [&product.a, b].iter().any(|operand| operand.base.buffer == c.base.buffer) {
        return Err(VerifyError::new("c", format!("`{}` is written and read", into.name)));
    }
    scope.may_write(&c.base, "c")
}

/// A term for each digit of an index.
fn terms(range: Range, steps: &Steps) -> Result<Vec<Term>, VerifyError> {
    let term = |range, stride| Term { var: None, range, stride };
    let low = steps.digits.iter().fold(1i64, |count, digit| count.saturating_mul(digit.size));
    let first = if steps.is_even() {
        range
    } else {
        let whole = |count: i64| (count % low == 0).then_some(count / low);
        let fixed = |count: Linear| if count.is_fixed() { whole(count.constant).map(Linear::fixed) } else { None };
        let cut = match range {
            Range::Count(count) => fixed(count).map(Range::Count),
            Range::Inside { tile, step, total } => {
                whole(step).zip(fixed(total)).map(|(step, total)| Range::Inside { tile, step, total })
            }
            Range::Tiles { .. } => None,
        };
        cut.ok_or_else(|| VerifyError::new("", format!("its digits count to {low}, of which {range:?} is no multiple")))?
    };
    let further = steps.digits.iter().map(|digit| term(Range::Count(Linear::fixed(digit.size)), Linear::fixed(digit.stride)));
    Ok(std::iter::once(term(first, steps.stride)).chain(further).collect())
}

fn operand(scope: &Scope, operand: &Operand, row: Range, column: Range) -> Checked {
    let buffer = scope.buffer(operand.base.buffer)?;
    if buffer.lane != Lane::F32 {
        return Err(VerifyError::new("", format!("`{}` does not hold f32", buffer.name)));
    }
    let (row, column) = (terms(row, &operand.row)?, terms(column, &operand.column)?);
    if operand.base.pick.is_some() {
        return Err(VerifyError::new("", "a product has no values that could pick"));
    }
    let Some(OperandRows { rows, first, on_columns }) = &operand.rows else {
        return scope.view(&operand.base, &[row, column].concat());
    };
    let ([row], [column]) = (row.as_slice(), column.as_slice()) else {
        return Err(VerifyError::new("", "indices of several digits are looked up in the row table"));
    };
    if operand.base.table.is_some() {
        return Err(VerifyError::new("", "two look-ups in the row table"));
    }
    let (looked_up, rest) = if *on_columns { (*column, *row) } else { (*row, *column) };
    let first: Vec<(Var, Linear)> = first.iter().map(|&(var, factor)| (var, Linear::fixed(factor))).collect();
    let mut index = scope.terms(&first)?;
    index.push(Term { stride: Linear::fixed(1), ..looked_up });
    scope.row(*rows, &index)?;
    if !looked_up.stride.is_fixed() {
        return Err(VerifyError::new("", format!("rows of a data set are {} words apart", looked_up.stride)));
    }
    let mut terms = scope.terms(&operand.base.strides)?;
    terms.push(rest);
    scope.within_row(buffer, looked_up.stride.constant, operand.base.offset, &terms)
}

impl Scope<'_> {
    /// What a kernel writes: no data set, no control, and not the same words in every tile.
    pub(super) fn may_write(&self, view: &crate::loops::View, place: &str) -> Checked {
        let buffer = self.buffer(view.buffer)?;
        if matches!(buffer.space, Space::Input(_) | Space::Rows | Space::Control) {
            return Err(VerifyError::new(place, format!("a kernel writes `{}`", buffer.name)));
        }
        if view.table.is_some() {
            return Err(VerifyError::new(place, format!("`{}` is written through the row table", buffer.name)));
        }
        match self.parallel {
            Some(var) if buffer.space != Space::Scratch && view.stride(var) == Linear::ZERO => {
                Err(VerifyError::new(place, format!("every tile writes the same words of `{}`", buffer.name)))
            }
            _ => Ok(()),
        }
    }
}
