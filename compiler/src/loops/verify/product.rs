//! Checks of a product.

use super::bounds::{Range, Term};
use super::{Checked, Scope, VerifyError};
use crate::loops::{Extent, Lane, Linear, Operand, OperandRows, ProductStatement, Space, Var};

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
    for (name, operand) in [("b", b), ("c", c)] {
        if operand.rows.is_some() || operand.base.table.is_some() {
            return Err(VerifyError::new(name, "only `a` goes through the row table"));
        }
    }
    if !unit(c.column) && !one(product.n) {
        return Err(VerifyError::new("c", format!("its column stride is {}, not 1", c.column)));
    }
    if !unit(b.column) && !unit(b.row) && !one(product.n) && !one(product.k) {
        return Err(VerifyError::new("b", format!("neither its row stride {} nor its column stride {} is 1", b.row, b.column)));
    }
    let into = scope.buffer(c.base.buffer)?;
    if [&product.a, b].iter().any(|operand| operand.base.buffer == c.base.buffer) {
        return Err(VerifyError::new("c", format!("`{}` is written and read", into.name)));
    }
    scope.may_write(&c.base, "c")
}

fn operand(scope: &Scope, operand: &Operand, row: Range, column: Range) -> Checked {
    let buffer = scope.buffer(operand.base.buffer)?;
    if buffer.lane != Lane::F32 {
        return Err(VerifyError::new("", format!("`{}` does not hold f32", buffer.name)));
    }
    let term = |range, stride| Term { var: None, range, stride };
    let (row, column) = (term(row, operand.row), term(column, operand.column));
    if operand.base.pick.is_some() {
        return Err(VerifyError::new("", "a product has no values that could pick"));
    }
    let Some(OperandRows { rows, first, on_columns }) = &operand.rows else {
        return scope.view(&operand.base, &[row, column]);
    };
    if operand.base.table.is_some() {
        return Err(VerifyError::new("", "two look-ups in the row table"));
    }
    let (looked_up, rest) = if *on_columns { (column, row) } else { (row, column) };
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
        let differs = |var: Var| view.strides.iter().any(|(known, stride)| *known == var && *stride != Linear::ZERO);
        match self.parallel {
            Some(var) if buffer.space != Space::Scratch && !differs(var) => {
                Err(VerifyError::new(place, format!("every tile writes the same words of `{}`", buffer.name)))
            }
            _ => Ok(()),
        }
    }
}
