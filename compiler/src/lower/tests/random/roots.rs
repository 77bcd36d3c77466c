//! What a random graph is asked for.

use super::Draw;
use crate::autodiff::gradients;
use crate::graph::{BuildError, NodeId};

/// Nodes beyond which a derivative is not differentiated, and not kept.
const MOST_NODES: usize = 500;

impl Draw {
    /// Some of what was drawn, sources among it, and next values of parameters.
    pub fn forward_roots(&mut self) -> Result<(), BuildError> {
        self.outputs();
        let sources = self.sources.clone();
        if self.numbers.below(3) == 0 {
            // Two parameters trade places.
            self.builder.update(sources[0], sources[3])?;
            self.builder.update(sources[3], sources[0])?;
        }
        for &source in &sources {
            let known = self.builder.graph().roots.iter().any(|root| match root {
                crate::graph::Root::Update { source: other, .. } => *other == source,
                crate::graph::Root::Output { .. } => false,
            });
            if known || self.numbers.below(4) == 0 {
                continue;
            }
            let shape = self.builder.shape(source);
            let mut fitting: Vec<NodeId> = self.reals.iter().copied().filter(|&id| self.builder.shape(id) == shape).collect();
            fitting.insert(0, source);
            let next = match self.numbers.below(4) {
                // As it is: perhaps another parameter, perhaps itself.
                0 => fitting[self.numbers.below(fitting.len())],
                1 => {
                    let any = self.real();
                    let change = self.builder.mean_all(any)?;
                    let change = self.builder.scale(change, 0.5)?;
                    self.builder.sub(source, change)?
                }
                _ => {
                    let change = fitting[fitting.len() - 1 - self.numbers.below(fitting.len().min(3))];
                    let change = self.builder.scale(change, 0.5)?;
                    self.builder.sub(source, change)?
                }
            };
            self.builder.update(source, next)?;
        }
        Ok(())
    }

    fn outputs(&mut self) {
        for number in 0..1 + self.numbers.below(4) {
            let node = match self.numbers.below(8) {
                0 => self.inputs[self.numbers.below(self.inputs.len())],
                1 | 2 => {
                    let pool = [self.truths.clone(), self.integers.clone()].concat();
                    self.pick(&pool).unwrap_or(self.sources[0])
                }
                _ => self.real(),
            };
            self.builder.output(format!("o{number}"), node);
        }
        let last = self.reals[self.reals.len() - 1];
        self.builder.output("last", last);
    }

    /// A scalar, its derivatives by the parameters, `order` times over, and what the parameters become by them.
    pub fn step_roots(&mut self, order: usize) -> Result<(), BuildError> {
        let mut loss = self.builder.constant(0.0);
        for _ in 0..1 + self.numbers.below(3) {
            let node = self.reals[self.reals.len() - 1 - self.numbers.below(self.reals.len().min(4))];
            let square = self.builder.mul(node, node)?;
            let mean = self.builder.mean_all(square)?;
            loss = self.builder.add(loss, mean)?;
        }
        self.builder.output("loss", loss);
        for _ in 0..order {
            let mut moved = Vec::new();
            for source in self.sources.clone() {
                if self.builder.graph().nodes.len() > MOST_NODES {
                    break;
                }
                // What does not influence the loss, or has no derivative, does not move.
                if let Ok(found) = gradients(&mut self.builder, loss, &[source]) {
                    moved.push((source, found[0]));
                }
            }
            if order == 2 && self.builder.graph().roots.len() == 1 && !moved.is_empty() {
                loss = self.builder.constant(0.0);
                for (number, (_, gradient)) in moved.iter().enumerate() {
                    let square = self.builder.mul(*gradient, *gradient)?;
                    let sum = self.builder.sum_all(square)?;
                    loss = self.builder.add(loss, sum)?;
                    if number == 0 {
                        self.builder.output("norm", sum);
                    }
                }
                continue;
            }
            for (source, gradient) in moved {
                let change = self.builder.scale(gradient, 0.1)?;
                let next = self.builder.sub(source, change)?;
                self.builder.update(source, next)?;
            }
            break;
        }
        Ok(())
    }
}
