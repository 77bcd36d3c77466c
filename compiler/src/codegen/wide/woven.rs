//! The side of the caller of a [woven function](super::weave): which product and nest have one, and what is handed over.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder};

use super::super::Error;
use super::super::function::{Bound, Emitter, MEMORY};
use super::super::listing::Serves;
use super::super::nest::as_one;
use super::super::plan::{plan, stride};
use super::super::preamble::{check_vector, lanes};
use super::super::turns::{Count, turns};
use super::operations::Selection;
use super::order::divides;
use super::select::select;
use super::weave::{Field, Shape, arguments, weave};
use super::{Form, Wide};
use crate::loops::{Axis, Block, BufferId, Lane, Linear, Nest, Operand, ProductStatement, Var};

/// Steps of a product that is woven at most: of longer sums, what follows them is a small part, and the right operand is worth a copy.
const MOST_STEPS: i64 = 128;
/// Words from a row of the right operand to the next at most: rows that lie further apart crowd into few sets of a first-level cache.
const MOST_WORDS: i64 = 512;

/// A product and a nest that are one function.
struct Woven {
    shape: Shape,
    selection: Selection,
    wide: Wide,
    /// Axes of the nest that go on where the one inside of them ends.
    outer: Vec<Var>,
    /// All of them as one.
    axis: Axis,
}

impl Emitter<'_> {
    /// Writes a product and the nest behind it as a woven function, and as calls of their own where the batch turns out to be too large;
    /// `false` if they had better be written one after the other.
    pub fn woven(
        &mut self,
        product: &ProductStatement,
        nest: &Nest,
        apart: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        if turns(product.k).is_some_and(|steps| steps > MOST_STEPS) {
            return Ok(false);
        }
        let Some(woven) = self.weavable(product, nest)? else { return Ok(false) };
        self.title(format!("{} with {}", product.title, nest.title), Some(product.origin));
        match self.count(product.k)? {
            Count::Known(steps) => {
                let steps = self.int(steps);
                self.call_woven(woven, product, &nest.block, steps)?;
            }
            Count::Dynamic { value, .. } => {
                let before = self.plus(value, -1);
                let few = self.builder.ins().icmp_imm_s(IntCC::UnsignedLessThan, before, MOST_STEPS);
                self.either(few, |e| e.call_woven(woven, product, &nest.block, value), apart)?;
            }
        }
        Ok(true)
    }

    /// The function of a product and a nest over its result, if there is one and it is worth it.
    fn weavable(&self, product: &ProductStatement, nest: &Nest) -> Result<Option<Woven>, Error> {
        let block = &nest.block;
        if self.machine.wide != Some(Form::Sixteen) || !(self.machine.always_wide || block.code.iter().any(divides)) {
            return Ok(None);
        }
        let Some(shape) = shape(product).filter(Shape::fits) else { return Ok(None) };
        let Some((axis, outer)) = as_one(nest).filter(|(axis, _)| axis.vector) else { return Ok(None) };
        if turns(axis.extent) != Some(shape.m * shape.n) || !follows(product, nest, axis.var) {
            return Ok(None);
        }
        let lanes = lanes(block)?;
        check_vector(block, &lanes, axis.var)?;
        let along = plan(block, &lanes, Some(axis.var), true);
        let words = |buffer| self.unit(buffer) == Ok(4);
        let operands = [product.a.base.buffer, product.b.base.buffer, product.c.base.buffer];
        let Some(selection) = select(block, &lanes, &along, axis.var, None, &words, Form::Sixteen) else { return Ok(None) };
        if !operands.into_iter().all(words) {
            return Ok(None);
        }
        let Some(wide) = weave(&selection, shape, Serves::Node(product.origin))? else { return Ok(None) };
        #[cfg(test)]
        {
            let place = |&at: &usize| block.accesses().find(|access| access.at == at).map(|access| access.view.buffer);
            let results: Vec<bool> = selection.places.iter().map(|at| place(at) == Some(product.c.base.buffer)).collect();
            super::trace::check(&wide, &selection, shape, &results).map_err(Error::Malformed)?;
        }
        let outer = outer.iter().map(|axis| axis.var).collect();
        Ok(Some(Woven { shape, selection, wide, outer, axis }))
    }

    fn call_woven(&mut self, woven: Woven, product: &ProductStatement, block: &Block, steps: ir::Value) -> Result<(), Error> {
        let Woven { shape, selection, wide, outer, axis } = woven;
        let arguments = self.argument_block(arguments(&selection));
        outer.iter().for_each(|&var| self.bind(var, Bound::Zero));
        let lanes: Vec<Lane> = lanes(block)?;
        let mut p = self.preamble(Some(axis.var), true, block, &lanes)?;
        self.hand_pointers(&selection, block, &mut p, arguments)?;
        self.hand_words(&selection, block, &p, arguments)?;
        outer.iter().for_each(|&var| self.unbind(var));
        self.origin(Some(product.origin));
        let (table, _) = self.table(&product.a)?;
        let a = self.first(&product.a.base)?;
        let b = self.first(&product.b.base)?;
        let c = self.first(&product.c.base)?;
        // The steps divided by the slots, by way of a multiplication that is exact for so few.
        let part = (1 << 16) / shape.slots() + 1;
        let slots = self.times(steps, part);
        let slot = self.builder.ins().ushr_imm_u(slots, 16);
        for (field, value) in
            [(Field::A, a), (Field::B, b), (Field::C, c), (Field::Table, table), (Field::Steps, steps), (Field::Slot, slot)]
        {
            self.builder.ins().store(MEMORY, value, arguments, field.at(&selection) as i32);
        }
        self.origin(None);
        let none = self.int(0);
        self.call_own(wide, arguments, none);
        Ok(())
    }
}

/// Sizes and steps of a product, if they are known and its operands need no copies.
fn shape(product: &ProductStatement) -> Option<Shape> {
    let fixed = |stride: Linear| stride.is_fixed().then_some(stride.constant);
    let (m, n) = (turns(product.m)?, turns(product.n)?);
    let plain = [&product.a, &product.b, &product.c].iter().all(|operand| !operand.is_gathered() && operand.base.pick.is_none());
    let table = match &product.a.rows {
        None => false,
        Some(rows) if rows.on_columns => true,
        Some(_) => return None,
    };
    let [a_row, a_k, b_k, b_col, c_row, c_col] = [
        fixed(product.a.row.stride)?,
        fixed(product.a.column.stride)?,
        fixed(product.b.row.stride)?,
        fixed(product.b.column.stride)?,
        fixed(product.c.row.stride)?,
        fixed(product.c.column.stride)?,
    ];
    let is_contiguous = (c_row == n || m == 1) && c_col == 1 && b_col == 1;
    let plain = plain && product.b.rows.is_none() && product.c.rows.is_none() && !product.accumulate;
    let near = b_k < MOST_WORDS;
    (plain && is_contiguous && near).then_some(Shape {
        m,
        n,
        a_row: 4 * a_row,
        a_k: 4 * a_k,
        b_k: 4 * b_k,
        table,
        origin: product.origin,
    })
}

/// Whether a nest reads of the product's result the element that it is at, and stores to nothing that the product reads.
fn follows(product: &ProductStatement, nest: &Nest, var: Var) -> bool {
    let rows = |operand: &Operand| operand.rows.as_ref().map(|rows| rows.rows);
    let read: Vec<BufferId> = [&product.a, &product.b]
        .iter()
        .flat_map(|operand| [Some(operand.base.buffer), rows(operand), operand.base.table.as_ref().map(|table| table.rows)])
        .flatten()
        .collect();
    let c = &product.c.base;
    let inside: Vec<Var> = nest.axes.iter().map(|axis| axis.var).collect();
    nest.block.accesses().all(|access| {
        let view = access.view;
        let tables = view.table.as_ref().is_none_or(|table| table.rows != c.buffer);
        if access.stored.is_some() {
            return tables && !read.contains(&view.buffer) && view.buffer != c.buffer;
        }
        if view.buffer != c.buffer {
            return tables;
        }
        // The place of the result, but for the nest's own variables.
        let mut base = view.clone();
        base.strides.retain(|(own, _)| !inside.contains(own));
        base == *c && stride(view, var) == Linear::fixed(1)
    })
}
