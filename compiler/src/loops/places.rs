//! Tables of the places that products look up: where an operand's indices have digits, generated code does no divisions.

use super::{Extent, Leaf, Linear, Program, Statement, Steps, leaves};
use std::collections::HashMap;

/// Most entries of one table.
pub const MOST_PLACES: i64 = 1 << 24;

/// The tables of a program, each once, in the order of their first use. They are numbered here and made where they are read.
#[derive(Default, Debug)]
pub struct Places {
    numbers: HashMap<(Steps, i64), usize>,
    /// Steps and number of entries of each.
    tables: Vec<(Steps, i64)>,
}

impl Places {
    /// The tables that the products of a program need; the verifier has seen that they are of a size.
    pub fn of(program: &Program) -> Self {
        let mut places = Places::default();
        program.kernels.iter().for_each(|kernel| places.collect(&kernel.body));
        places
    }

    fn collect(&mut self, body: &[Statement]) {
        for leaf in leaves(body) {
            if let Leaf::Product(product) = leaf
                && product.b.is_gathered()
            {
                self.add(&product.b.row, product.k);
                self.add(&product.b.column, product.n);
            }
        }
    }

    fn add(&mut self, steps: &Steps, extent: Extent) {
        let Some(count) = most(extent) else { return };
        let key = (steps.clone(), count);
        if !self.numbers.contains_key(&key) {
            self.numbers.insert(key.clone(), self.tables.len());
            self.tables.push(key);
        }
    }

    /// The table of the steps of an extent.
    pub fn number(&self, steps: &Steps, extent: Extent) -> Option<usize> {
        self.numbers.get(&(steps.clone(), most(extent)?)).copied()
    }

    /// Every table: places in words.
    pub fn tables(&self) -> Vec<Vec<i32>> {
        let table = |(steps, count): &(Steps, i64)| (0..*count).map(|index| steps.at(index, 0) as i32).collect();
        self.tables.iter().map(table).collect()
    }
}

/// The most turns of an extent that does not depend on the batch, if a table may have so many.
pub fn most(extent: Extent) -> Option<i64> {
    let count = match extent {
        Extent::Whole(Linear { constant, batch: 0 }) => constant,
        Extent::Tile { step, total: Linear { constant, batch: 0 }, .. } => step.min(constant),
        _ => return None,
    };
    (0..=MOST_PLACES).contains(&count).then_some(count)
}

#[cfg(test)]
mod tests {
    use crate::loops::{Digit, Linear, Steps};

    /// The first digit turns once for all turns of those behind it: the windows of a large image lie within the image.
    #[test]
    fn no_place_is_out_of_reach() {
        for (stride, digits, count) in [
            (5, vec![], 7),
            (1366, vec![(1364, 1)], 1364 * 1364),
            (40, vec![(3, 7), (4, 2)], 60),
            (40, vec![(3, -7), (4, 2)], 50),
        ] {
            let digits = digits.into_iter().map(|(size, stride)| Digit { size, stride }).collect();
            let steps = Steps { stride: Linear::fixed(stride), digits };
            let reach = steps.reach(count).expect("no batch");
            let farthest = (0..count).map(|index| steps.at(index, 0).abs()).max().expect("an index");
            assert!(farthest < reach && reach <= 2 * farthest + 2 * stride + 64, "{steps:?}: {farthest} of {reach}");
        }
    }
}
