//! Product calls: a descriptor on the stack, filled for each call.
//!
//! The micro-kernel asks that `C`'s columns lie next to one another and that `B` be contiguous along one of its axes, and looks up
//! rows for `A` alone; of `B` it is told where each row and column lies, if their indices have digits. What does not fit is refused here. An axis of one element has any stride, so it is given the one that fits.

use cranelift_codegen::ir::{self, InstBuilder, StackSlotData, StackSlotKind, types};

use super::Error;
use super::function::{Emitter, MEMORY};
use super::symbols::Callee;
use super::turns::turns;
use crate::abi::{self, Product};
use crate::loops::{Extent, Linear, Operand, ProductStatement, View};

const ONE: Linear = Linear::fixed(1);

/// Where the right operand of a product lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strides {
    b_k: Linear,
    b_col: Linear,
    /// Numbers of the tables of its rows and columns.
    tables: Option<(usize, usize)>,
}

impl Emitter<'_> {
    /// What the micro-kernel is told of a product, which must fit it.
    pub fn strides(&self, product: &ProductStatement) -> Result<Strides, Error> {
        let refuse = |what: &str| Err(Error::Malformed(format!("{}: {what}", product.title)));
        let fitting = |stride: Linear, extent: Extent| if turns(extent) == Some(1) { ONE } else { stride };
        if [&product.a, &product.c].iter().any(|operand| operand.is_gathered()) {
            return refuse("only the indices of the right operand of a product may have digits");
        }
        if product.b.rows.is_some() || product.c.rows.is_some() {
            return refuse("only the left operand of a product may go through the row table");
        }
        if fitting(product.c.column.stride, product.n) != ONE {
            return refuse("the columns of a product's result must be adjacent");
        }
        let tables = match product.b.is_gathered() {
            false => None,
            true => {
                let number = |steps, extent| self.places.number(steps, extent);
                match (number(&product.b.row, product.k), number(&product.b.column, product.n)) {
                    (Some(rows), Some(columns)) => Some((rows, columns)),
                    _ => return refuse("the places of the right operand of a product are in no table"),
                }
            }
        };
        let (mut b_k, mut b_col) = (product.b.row.stride, product.b.column.stride);
        if tables.is_some() {
            (b_k, b_col) = (ONE, ONE);
        }
        if b_k != ONE && b_col != ONE {
            b_k = fitting(b_k, product.k);
            b_col = fitting(b_col, product.n);
        }
        if b_k != ONE && b_col != ONE {
            return refuse("the right operand of a product must be contiguous along one axis");
        }
        Ok(Strides { b_k, b_col, tables })
    }

    /// Writes a product call.
    pub fn product_call(&mut self, product: &ProductStatement, strides: Strides) -> Result<(), Error> {
        let Strides { b_k, b_col, tables } = strides;
        let m = self.count(product.m)?;
        let n = self.count(product.n)?;
        let k = self.count(product.k)?;
        let descriptor = match self.descriptor {
            Some(slot) => slot,
            None => {
                let slot = self.builder.create_sized_stack_slot(StackSlotData::new(
                    StackSlotKind::ExplicitSlot,
                    size_of::<Product>() as u32,
                    3,
                ));
                self.descriptor = Some(slot);
                slot
            }
        };
        let (table, on_k) = self.table(&product.a)?;
        let a = self.first(&product.a.base)?;
        let b = self.first(&product.b.base)?;
        let c = self.first(&product.c.base)?;
        let a_row = self.linear(product.a.row.stride);
        let a_k = self.linear(product.a.column.stride);
        let b_k = self.linear(b_k);
        let b_col = self.linear(b_col);
        let c_row = self.linear(product.c.row.stride);
        let [b_rows, b_cols] = match tables {
            None => [self.int(0), self.int(0)],
            Some((rows, columns)) => {
                let tables = self.context_field(std::mem::offset_of!(abi::Context, tables));
                [rows, columns].map(|number| self.builder.ins().load(types::I64, MEMORY, tables, 8 * number as i32))
            }
        };
        let m = self.count_value(m);
        let n = self.count_value(n);
        let k = self.count_value(k);
        let accumulate = self.int(i64::from(product.accumulate));
        let b_is_packed = self.later.unwrap_or_else(|| self.int(0));
        let pack = self.context_field(std::mem::offset_of!(abi::Context, pack));
        let address = self.builder.ins().stack_addr(types::I64, descriptor, 0);
        macro_rules! fill {
            ($($field:ident = $value:expr),* $(,)?) => {
                $(self.builder.ins().store(
                    MEMORY,
                    $value,
                    address,
                    std::mem::offset_of!(Product, $field) as i32,
                );)*
            };
        }
        fill!(
            a = a,
            a_row = a_row,
            a_k = a_k,
            a_table = table,
            a_table_on_k = on_k,
            b = b,
            b_k = b_k,
            b_col = b_col,
            b_rows = b_rows,
            b_cols = b_cols,
            c = c,
            c_row = c_row,
            m = m,
            n = n,
            k = k,
            accumulate = accumulate,
            pack = pack,
            b_is_packed = b_is_packed,
        );
        self.call(Callee::Product, &[address]);
        Ok(())
    }

    /// The row table of an operand (null without one), and whether it is looked up along `k`.
    pub fn table(&mut self, a: &Operand) -> Result<(ir::Value, ir::Value), Error> {
        match &a.rows {
            None => Ok((self.int(0), self.int(0))),
            Some(rows) => {
                let pointer = self.pointer(rows.rows)?;
                let first = rows.first.iter().map(|&(v, f)| (v, Linear::fixed(f)));
                let table = self.weighted(pointer, first, 4, None)?;
                Ok((table, self.int(i64::from(rows.on_columns))))
            }
        }
    }

    /// The address of an operand's first element.
    pub fn first(&mut self, base: &View) -> Result<ir::Value, Error> {
        let place = self.place(base, None, &mut Vec::new())?;
        Ok(self.plus(place.base, i64::from(place.displacement)))
    }
}
