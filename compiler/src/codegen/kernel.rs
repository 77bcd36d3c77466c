//! Kernels: one function each, `kernel(context, n, first tile, end tile)`.
//!
//! The pointers of all buffers that the kernel uses are loaded first. Then tiles `first..end` run in order, each executing the
//! kernel's statements; a kernel without a parallel loop is one tile.

use std::collections::BTreeMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, types};

use super::Error;
use super::function::{Bound, Emitter};
use super::turns::Count;
use crate::loops::{Block, BufferId, Instruction, Kernel, Leaf, Linear, Operand, ProductStatement, Statement, Var, leaves};

impl Emitter<'_> {
    /// Writes a kernel whose entry block is current.
    pub fn kernel(&mut self, kernel: &Kernel, first: ir::Value, end: ir::Value) -> Result<(), Error> {
        self.statement = first_node(&kernel.body);
        self.origin(None);
        let mut used = BTreeMap::new();
        buffers_of(&kernel.body, &mut used);
        self.load_pointers(used);
        let some = self.less(first, end);
        self.guarded(some, |e| match kernel.parallel {
            None => e.statements(&kernel.body),
            Some(parallel) => e.turns(first, &mut |e, tile| {
                e.bind(parallel.var, Bound::At(tile));
                e.later = repeats_copy(&kernel.body).then(|| {
                    let later = e.builder.ins().icmp(IntCC::NotEqual, tile, first);
                    e.builder.ins().uextend(types::I64, later)
                });
                e.statements(&kernel.body)?;
                let next = e.plus(tile, 1);
                Ok((next, e.less(next, end)))
            }),
        })
    }

    fn statements(&mut self, body: &[Statement]) -> Result<(), Error> {
        let mut left = body;
        while let [first, rest @ ..] = left {
            left = rest;
            if let (Statement::Product(product), [second @ Statement::Nest(nest), rest @ ..]) = (first, left)
                && self.woven(product, nest, |e| e.one(first).and_then(|()| e.one(second)))?
            {
                left = rest;
            } else {
                self.one(first)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, statement: &Statement) -> Result<(), Error> {
        match statement {
            Statement::Nest(nest) => {
                self.title(nest.title.clone(), nest.block.origins.first().copied());
                self.nest(nest)?;
            }
            Statement::Product(product) => {
                self.title(product.title.clone(), Some(product.origin));
                self.product(product)?;
            }
            Statement::Tiles { var, step, total, body } => self.tiles(*var, *step, *total, body)?,
        }
        self.origin(None);
        Ok(())
    }

    /// Tiles `0..ceil(total / step)`, without a division.
    fn tiles(&mut self, var: Var, step: i64, total: Linear, body: &[Statement]) -> Result<(), Error> {
        if step <= 0 {
            return Err(Error::Malformed(format!("tiles of {step} rows")));
        }
        if total.is_fixed() {
            let tiles = Count::Known((total.constant.max(0) + step - 1) / step);
            return self.repeat(var, tiles, &mut |e| e.statements(body));
        }
        let total = self.linear(total);
        let some = self.positive(total);
        self.guarded(some, |e| e.strided(var, step, total, &mut |e| e.statements(body)))
    }
}

/// Whether a kernel's one product has the same right operand in every tile. Later tiles have as many rows as the first, or fewer.
fn repeats_copy(body: &[Statement]) -> bool {
    let products: Vec<&ProductStatement> =
        leaves(body).filter_map(|leaf| if let Leaf::Product(product) = leaf { Some(product) } else { None }).collect();
    let [product] = products[..] else { return false };
    let Operand { base, rows, .. } = &product.b;
    let is_fixed = base.strides.is_empty() && base.table.is_none() && base.pick.is_none() && rows.is_none();
    let stores = |leaf| match leaf {
        Leaf::Nest(nest) => nest.block.stores().any(|view| view.buffer == base.buffer),
        Leaf::Product(product) => product.c.base.buffer == base.buffer,
    };
    is_fixed && !leaves(body).any(stores)
}

/// The node that the first statement serves.
fn first_node(body: &[Statement]) -> Option<u32> {
    leaves(body).find_map(|leaf| match leaf {
        Leaf::Nest(nest) => nest.block.origins.first().copied(),
        Leaf::Product(product) => Some(product.origin),
    })
}

/// All buffers that statements touch, with the first node that does.
pub(super) fn buffers_of(body: &[Statement], found: &mut BTreeMap<BufferId, Option<u32>>) {
    for leaf in leaves(body) {
        match leaf {
            Leaf::Nest(nest) => buffers_in(&nest.block, found),
            Leaf::Product(product) => {
                for operand in [&product.a, &product.b, &product.c] {
                    let rows = operand.rows.as_ref().map(|rows| rows.rows);
                    let table = operand.base.table.as_ref().map(|table| table.rows);
                    for buffer in [Some(operand.base.buffer), rows, table].into_iter().flatten() {
                        found.entry(buffer).or_insert(Some(product.origin));
                    }
                }
            }
        }
    }
}

/// All buffers that a block touches, with the first node that does.
pub(super) fn buffers_in(block: &Block, found: &mut BTreeMap<BufferId, Option<u32>>) {
    for (at, instruction) in block.code.iter().enumerate() {
        if let Instruction::Load(view, _) | Instruction::Store(view, _) = instruction {
            for buffer in [Some(view.buffer), view.table.as_ref().map(|table| table.rows)].into_iter().flatten() {
                found.entry(buffer).or_insert(block.origins.get(at).copied());
            }
        }
    }
}
