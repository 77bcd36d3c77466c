//! Scans drawn at random: bodies with products, carries of several widths, masks, joins and folds along a row.

use super::Draw;
use crate::graph::{Body, BuildError, Element, NodeId, Shape, Type};
use crate::ops::Primitive;

/// Most columns of a carry.
const WIDEST: usize = 40;

impl Draw {
    /// A scan over rows that follow from `a`, if it has rows.
    pub fn scan(&mut self, a: NodeId, shape: &Shape) -> Result<Option<NodeId>, BuildError> {
        if !shape.has_batch() || shape.0[0] != crate::graph::Dim::Batch || shape.rank() < 2 {
            return Ok(None);
        }
        let flat = self.builder.reshape(a, &Shape::batch(&[shape.fixed_count()]))?;
        let width = shape.fixed_count().min(WIDEST);
        let rows = self.builder.slice(flat, 1, 0, width)?;
        let rows = self.clamp(rows, -2.0, 2.0)?;
        let (steps, kind) = (1 + self.numbers.below(4), self.numbers.below(4));
        self.scanned(rows, steps, kind).map(Some)
    }

    /// A scan of a sequence made of rows `[batch, width]`.
    pub fn scanned(&mut self, rows: NodeId, steps: usize, kind: usize) -> Result<NodeId, BuildError> {
        let width = self.builder.shape(rows).0[1].at(0);
        let long = Shape::batch(&[steps, width]);
        let wide = self.builder.expand(rows, &long, &[1])?;
        let step = self.builder.iota(long, 1)?;
        let step = self.builder.cast(step, Element::F32)?;
        let step = self.builder.scale(step, 0.3)?;
        let sequence = self.builder.sub(wide, step)?;
        let weight =
            self.builder.source(Primitive::Parameter, &format!("scan{width}"), Type::f32(Shape::fixed(&[width, width])))?;
        let weight = self.builder.scale(weight, 0.3)?;
        let bias = self.builder.source(Primitive::Parameter, &format!("bias{width}"), Type::f32(Shape::fixed(&[width])))?;
        let zero = self.builder.constant(0.0);
        let zeros = self.builder.broadcast_scalar(zero, &Shape::batch(&[width]))?;
        let reversed = self.numbers.below(2) == 0;
        let outer = &mut self.builder;
        let mut body = Body::new(outer);
        let state = body.carry(outer, if kind == 1 { rows } else { zeros })?;
        let cell = body.carry(outer, zeros)?;
        let x = body.sequence(outer, sequence)?;
        let (w, b) = (body.constant(outer, weight)?, body.constant(outer, bias)?);
        let inside = &mut body.builder;
        let labels = if kind == 2 { "n k, j k -> n j" } else { "n k, k j -> n j" };
        let product = inside.contract(state, w, labels)?;
        let sum = inside.add(product, x)?;
        let sum = inside.add(sum, b)?;
        let next = inside.unary(Primitive::Tanh, sum)?;
        let more = match kind {
            // What a step gives is a product itself.
            0 => vec![product, inside.contract(next, w, "n k, k j -> n j")?],
            1 => {
                // A mask of its own, and a fold along the row.
                let kept = inside.binary(Primitive::Lt, x, state)?;
                let chosen = inside.select(kept, next, cell)?;
                let fold = inside.sum(chosen, &[1])?;
                vec![inside.reshape(fold, &Shape::batch(&[1]))?]
            }
            2 => {
                // Moved about, and read in another shape.
                let joined = inside.concat(&[next, cell], 1)?;
                let parts = inside.reshape(joined, &Shape::batch(&[2, width]))?;
                let fold = inside.reduce(Primitive::ReduceMax, parts, &[1])?;
                let padded = inside.pad(fold, 1, 1, 2)?;
                vec![padded, x]
            }
            _ => Vec::new(),
        };
        let half = inside.scale(cell, 0.5)?;
        let held = inside.add(half, next)?;
        outer.scan(body, &[next, held], &more, reversed)
    }
}
