//! Products of a few multiply-adds, for which filling a descriptor and calling would take longer than the sums: they are nests.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder};

use super::Error;
use super::function::Emitter;
use super::turns::{Count, turns};
use crate::loops::block::BlockBuilder;
use crate::loops::{Axis, Block, Extent, Lane, Linear, Nest, Operand, ProductStatement, Table, Var, View};

/// Multiply-adds of a product that is a nest at most.
const MOST_WORK: i64 = 128;
/// The variables of such a nest, which no kernel has: row, column, step.
const VARS: [Var; 3] = [Var(u32::MAX), Var(u32::MAX - 1), Var(u32::MAX - 2)];

impl Emitter<'_> {
    /// Writes a product: as nests, as a call, or as both and a choice between them where the batch decides.
    pub fn product(&mut self, product: &ProductStatement) -> Result<(), Error> {
        let extents = [product.m, product.n, product.k];
        let strides = self.strides(product)?;
        let known = extents.iter().filter_map(|extent| turns(*extent)).fold(1, i64::saturating_mul);
        let Some(nests) = nests(product).filter(|_| known <= MOST_WORK) else { return self.product_call(product, strides) };
        let mut work: Option<ir::Value> = None;
        for extent in extents {
            let count = self.count(extent)?;
            if let Count::Dynamic { value, .. } = count {
                work = Some(work.map_or(value, |work| self.builder.ins().imul(work, value)));
            }
        }
        let Some(work) = work else { return self.nests(&nests) };
        let is_small = self.builder.ins().icmp_imm_s(IntCC::SignedLessThanOrEqual, work, MOST_WORK / known);
        self.either(is_small, |e| e.nests(&nests), |e| e.product_call(product, strides))
    }

    fn nests(&mut self, nests: &[Nest]) -> Result<(), Error> {
        nests.iter().try_for_each(|nest| self.nest(nest))
    }
}

/// A product as nests: each sum begins with zero, and takes its products in. `None` for what only the micro-kernel can look up, and for
/// sums that are added to.
pub(super) fn nests(product: &ProductStatement) -> Option<Vec<Nest>> {
    let [row, column, step] = VARS;
    if product.accumulate {
        return None;
    }
    let a = view(&product.a, row, step)?;
    let b = view(&product.b, step, column)?;
    let c = view(&product.c, row, column)?;
    let nest = |vars: &[(Var, Extent)], write: &dyn Fn(&mut BlockBuilder)| {
        let mut b = BlockBuilder::new();
        b.set_origin(product.origin);
        write(&mut b);
        let axes = vars.iter().map(|&(var, extent)| Axis { var, extent, vector: false }).collect();
        let block: Block = b.finish();
        Nest { title: product.title.clone(), axes, block }
    };
    let (rows, columns) = ((row, product.m), (column, product.n));
    let start = nest(&[rows, columns], &|block| {
        let zero = block.f32(0.0);
        block.store(c.clone(), zero);
    });
    let sum = nest(&[rows, columns, (step, product.k)], &|block| {
        let (a, b) = (block.load(a.clone(), Lane::F32), block.load(b.clone(), Lane::F32));
        let chain = block.load(c.clone(), Lane::F32);
        let chain = block.fma(a, b, chain);
        block.store(c.clone(), chain);
    });
    Some(vec![start, sum])
}

/// The element of an operand at two indices.
fn view(operand: &Operand, row: Var, column: Var) -> Option<View> {
    if operand.is_gathered() {
        return None;
    }
    let mut view = operand.base.clone();
    let mut steps = vec![(row, operand.row.stride), (column, operand.column.stride)];
    if let Some(rows) = &operand.rows {
        let (var, stride) = steps.remove(usize::from(rows.on_columns));
        if view.table.is_some() || !stride.is_fixed() {
            return None;
        }
        let index = rows.first.iter().copied().chain([(var, 1)]).collect();
        view.table = Some(Table { rows: rows.rows, index, stride: stride.constant });
    }
    view.strides.extend(steps.into_iter().filter(|(_, stride)| *stride != Linear::ZERO));
    Some(view)
}
