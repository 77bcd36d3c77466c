//! Random numbers: a nest that draws four words at a time.

use super::block::Writer;
use super::index::Index;
use super::kernel::KernelLowering;
use super::storage::title;
use super::vector::is_vector;
use super::{LowerError, row_major};
use crate::graph::Attributes;
use crate::loops::{Axis, Extent, Lane, Linear, Nest, Statement, View, random};

impl KernelLowering<'_> {
    /// Draws 64 columns at a time: word `w` of block `b` serves column `16 w + b`.
    pub(super) fn random(&mut self, position: usize) -> Result<(), LowerError> {
        let graph = self.scope.graph;
        let node = self.group.members[position].node;
        let Attributes::Stream(stream) = graph.node(node).attributes else {
            return Err(LowerError("random numbers without a stream".into()));
        };
        let storage = self.primary(node)?;
        let domain = self.group.domains[position].clone();
        let (lead, last) = domain.split_at(domain.len().saturating_sub(1));
        let groups = self.var();
        let (mut loops, index) = self.loops(lead);
        let lane_var = self.var();
        loops.push(Axis { var: lane_var, extent: Extent::fixed(16), vector: false });
        // Row number of the element among all rows of the tensor.
        let sizes: Vec<Linear> = lead.iter().map(|&axis| self.axes[axis].size).collect();
        let steps = row_major(&sizes)?;
        let mut row_terms = Vec::new();
        for (position, axis) in lead.iter().enumerate() {
            row_terms.extend(index[axis].terms.iter().map(|(var, factor)| (*var, steps[position].times(*factor))));
        }
        let tile = last.first().and_then(|&axis| self.axes[axis].tile);
        let mut block_terms = vec![(groups, Linear::fixed(16)), (lane_var, Linear::fixed(1))];
        if let Some((var, step)) = tile {
            block_terms.push((var, Linear::fixed(step / 4)));
        }
        let (low, high, step) = {
            let (layout, program) = (&mut *self.scope.layout, &mut *self.scope.program);
            (
                layout.slot(program, "seed.low", Lane::I32),
                layout.slot(program, "seed.high", Lane::I32),
                layout.slot(program, "step.word", Lane::I32),
            )
        };
        let control = self.scope.layout.control(self.scope.program);
        let mut writer = Writer::new(&mut self.scope);
        writer.block.set_origin(node.0);
        let b = &mut writer.block;
        let zero = b.i32(0);
        let key = [
            b.load_scalar(control, i64::from(low.0), Lane::I32),
            b.load_scalar(control, i64::from(high.0), Lane::I32),
            b.i32(stream as i32),
            zero,
        ];
        let counter = [
            b.load_scalar(control, i64::from(step.0), Lane::I32),
            b.index(row_terms, Linear::ZERO),
            b.index(block_terms, Linear::ZERO),
            zero,
        ];
        let words = random::threefry(b, key, counter);
        let mut own = Self::at(&index, lead);
        for (word, value) in words.into_iter().enumerate() {
            let uniform = random::uniform_open(&mut writer.block, value);
            let column = Index { terms: vec![(groups, 64), (lane_var, 1)], offset: 16 * word as i64 };
            let column = match tile {
                Some((var, step)) => column.with(var, step),
                None => column,
            };
            if domain.is_empty() {
                let place = View {
                    buffer: storage.buffer,
                    offset: Linear::fixed(16 * word as i64),
                    strides: vec![(groups, Linear::fixed(64)), (lane_var, Linear::fixed(1))],
                    table: None,
                    pick: None,
                };
                writer.block.store(place, uniform);
            } else {
                own.push(column);
                writer.store(&storage, &own, uniform);
                own.pop();
            }
        }
        let block = writer.block.finish();
        if let Some(last) = loops.last_mut() {
            last.vector = is_vector(&block, last);
        }
        let name = title(graph, node);
        let body = vec![Statement::Nest(Nest { title: name, axes: loops, block })];
        let total = last.first().map_or(Linear::fixed(1), |&axis| self.axes[axis].room());
        self.push(Statement::Tiles { var: groups, step: 64, total, body });
        Ok(())
    }
}
