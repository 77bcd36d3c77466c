//! Which words of a buffer the tiles of a kernel keep to. Where two kernels are cut into the same tiles, the same thread runs those of one
//! number in both; if each keeps to the same words, no thread meets another's.

use crate::loops::{BufferId, Extent, Kernel, Linear, Nest, Operand, Parallel, ProductStatement, Statement, Var, View};
use std::collections::BTreeMap;

/// Tile `t` of the loop over `total` by `step` touches words `t * words .. (t + 1) * words` of a buffer, and no others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Share {
    step: i64,
    total: Linear,
    words: i64,
}

/// The share of each tile in the buffers that a kernel touches tile by tile.
pub(super) fn shares(kernel: &Kernel) -> BTreeMap<BufferId, Share> {
    let Some(parallel) = kernel.parallel else { return BTreeMap::new() };
    let mut walk = Walk { parallel, turns: BTreeMap::new(), found: BTreeMap::new() };
    walk.statements(&kernel.body);
    walk.found.into_iter().filter_map(|(buffer, share)| Some((buffer, share?))).collect()
}

struct Walk {
    parallel: Parallel,
    /// The most turns of each loop around, but for the parallel one.
    turns: BTreeMap<Var, Linear>,
    /// What all accesses agree on, if they do.
    found: BTreeMap<BufferId, Option<Share>>,
}

impl Walk {
    fn statements(&mut self, body: &[Statement]) {
        for statement in body {
            match statement {
                Statement::Nest(nest) => self.nest(nest),
                Statement::Product(product) => self.product(product),
                Statement::Tiles { var, step, total, body } => {
                    let (var, step, total) = (*var, *step, *total);
                    // Of a loop that grows with the batch it is only known that it does.
                    let turns = if total.is_fixed() { Linear::fixed(Parallel { var, step, total }.tiles(0)) } else { total };
                    self.turns.insert(var, turns);
                    self.statements(body);
                }
            }
        }
    }

    fn nest(&mut self, nest: &Nest) {
        self.turns.extend(nest.axes.iter().map(|axis| (axis.var, axis.extent.room())));
        for access in nest.block.accesses() {
            self.view(access.view, &[]);
        }
    }

    fn product(&mut self, product: &ProductStatement) {
        let ProductStatement { a, b, c, m, n, k, .. } = product;
        self.operand(a, *m, *k);
        self.operand(b, *k, *n);
        self.operand(c, *m, *n);
    }

    fn operand(&mut self, operand: &Operand, rows: Extent, columns: Extent) {
        if operand.rows.is_some() || operand.is_gathered() {
            self.found.insert(operand.base.buffer, None);
        } else {
            self.view(&operand.base, &[(operand.row.stride, rows.room()), (operand.column.stride, columns.room())]);
        }
    }

    /// Takes in an access that goes `further` too, by (stride, turns).
    fn view(&mut self, view: &View, further: &[(Linear, Linear)]) {
        let share = self.share(view, further);
        self.found.entry(view.buffer).and_modify(|known| *known = known.filter(|known| Some(*known) == share)).or_insert(share);
    }

    fn share(&self, view: &View, further: &[(Linear, Linear)]) -> Option<Share> {
        if view.table.is_some() || view.pick.is_some() {
            return None;
        }
        let Parallel { var, step, total } = self.parallel;
        let own = |of: &Var| *of == var;
        let words = view.strides.iter().filter(|(of, _)| own(of)).map(|(_, stride)| fixed(*stride)).sum::<Option<i64>>()?;
        let around = view.strides.iter().filter(|(of, _)| !own(of));
        let around = around.map(|(of, stride)| self.turns.get(of).map(|turns| (*stride, *turns)));
        let mut last = fixed(view.offset).filter(|first| *first >= 0)?;
        for loops in around.chain(further.iter().map(|way| Some(*way))) {
            let (stride, turns) = loops?;
            if stride != Linear::ZERO && turns != Linear::fixed(1) {
                let (stride, turns) = (fixed(stride).filter(|stride| *stride > 0)?, fixed(turns)?);
                last = last.checked_add(stride.checked_mul((turns - 1).max(0))?)?;
            }
        }
        (last < words).then_some(Share { step, total, words })
    }
}

fn fixed(number: Linear) -> Option<i64> {
    number.is_fixed().then_some(number.constant)
}
