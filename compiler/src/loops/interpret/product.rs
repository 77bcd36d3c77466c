//! The matrix product as [`crate::abi::Product`] defines it, one element after the other.

use super::{Fault, Memory, Run};
use crate::abi::PRODUCT_BLOCK;
use crate::loops::{Lane, Operand, ProductStatement};

/// An operand whose strides are numbers.
struct Matrix<'a> {
    operand: &'a Operand,
    base: i64,
    /// The first batch row, where the operand goes through the row table.
    first: i64,
}

impl Run<'_> {
    /// Runs one product.
    pub(super) fn product(&mut self, memory: &mut Memory, product: &ProductStatement) -> Result<(), Fault> {
        let title = product.title.as_str();
        let (m, n, k) = (self.count(product.m), self.count(product.n), self.count(product.k));
        let a = self.matrix(memory, title, &product.a)?;
        let b = self.matrix(memory, title, &product.b)?;
        let c = self.matrix(memory, title, &product.c)?;
        let mut left = vec![0.0; k as usize];
        for i in 0..m {
            for (p, value) in left.iter_mut().enumerate() {
                *value = self.element(memory, title, &a, i, p as i64)?;
            }
            for j in 0..n {
                let to = self.place(memory, title, &c, i, j)?;
                let buffer = c.operand.base.buffer.0 as usize;
                let mut sum = product.accumulate.then(|| f32::from_bits(memory.words[buffer][to]));
                for (block, left) in left.chunks(PRODUCT_BLOCK).enumerate() {
                    let mut chain = 0.0_f32;
                    for (p, left) in left.iter().enumerate() {
                        let p = (block * PRODUCT_BLOCK + p) as i64;
                        chain = left.mul_add(self.element(memory, title, &b, p, j)?, chain);
                    }
                    sum = Some(sum.map_or(chain, |sum| sum + chain));
                }
                memory.words[buffer][to] = sum.unwrap_or(0.0).to_bits();
            }
        }
        Ok(())
    }

    fn matrix<'a>(&self, memory: &Memory, title: &str, operand: &'a Operand) -> Result<Matrix<'a>, Fault> {
        let first = operand.rows.iter().flat_map(|rows| &rows.first);
        let looked_up = match &operand.base.table {
            None => 0,
            Some(table) => {
                let row = table.index.iter().map(|(var, factor)| self.vars[var.0 as usize] * factor).sum();
                self.look_up(memory, title, table.rows, row)? * table.stride
            }
        };
        Ok(Matrix {
            operand,
            base: self.offset(&operand.base) + looked_up,
            first: first.map(|(var, factor)| self.vars[var.0 as usize] * factor).sum(),
        })
    }

    fn element(&self, memory: &Memory, title: &str, matrix: &Matrix, row: i64, column: i64) -> Result<f32, Fault> {
        let word = self.place(memory, title, matrix, row, column)?;
        Ok(f32::from_bits(memory.words[matrix.operand.base.buffer.0 as usize][word]))
    }

    /// The word of an element; the batch axis goes through the row table, if the operand has one.
    fn place(&self, memory: &Memory, title: &str, matrix: &Matrix, row: i64, column: i64) -> Result<usize, Fault> {
        let (mut row, mut column) = (row, column);
        if let Some(table) = &matrix.operand.rows {
            let along = if table.on_columns { &mut column } else { &mut row };
            *along = self.look_up(memory, title, table.rows, matrix.first + *along)?;
        }
        let index = matrix.base + matrix.operand.row.at(row, self.n) + matrix.operand.column.at(column, self.n);
        self.word(memory, title, matrix.operand.base.buffer, 1, Lane::F32, index)
    }
}
