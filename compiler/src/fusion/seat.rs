//! Whether a member may sit in a kernel beside those that are there, and which of the kernel's axes are its own.

use super::access::Access;
use super::plan::{MOST_MEMBERS, Planner, SERIAL_ELEMENTS, elements};
use super::reason::{Obstacle, Reason};
use super::{CELL, Group, LINE_WORDS, Member, Work, domain, reduced_axes, work};
use crate::abi::{COPIED_FLOATS, PRODUCT_BLOCK};
use crate::graph::{Dim, NodeId};

/// How a member would sit in a group.
pub(super) struct Seat {
    pub(super) domain: Vec<usize>,
    pub(super) axes: Vec<Dim>,
    pub(super) parallel: Vec<usize>,
    pub(super) reason: Reason,
}

/// A member's axes among those of a group.
struct Aligned {
    domain: Vec<usize>,
    /// The group's, with those that the member adds.
    axes: Vec<Dim>,
    /// Axes along which the member reads other elements than its own.
    broken: Vec<usize>,
}

/// Terms of a product's sums from which on its tiles had better be larger than cells: what copies and reads operands once for many columns
/// saves more than what a pass over the result costs.
const LONG_SUM: usize = 512;
/// Elements of a product that is more than a few cells.
const MANY_CELLS: usize = 16 * CELL[0] * CELL[1];

impl Planner<'_> {
    /// Whether a member may join a group, and how.
    pub(super) fn seat(&self, member: Member, group: usize, accesses: &[Access], needs: &[usize]) -> Result<Seat, Obstacle> {
        let target = &self.groups[group];
        let kind = work(self.graph, member);
        match kind {
            Work::Product => return Err(Obstacle::Product),
            Work::Opaque => return Err(Obstacle::Moves),
            Work::Scan => return Err(Obstacle::Scan),
            _ => {}
        }
        if target.members.iter().any(|other| work(self.graph, *other) == Work::Opaque) {
            return Err(Obstacle::KernelMoves);
        }
        if target.members.iter().any(|other| work(self.graph, *other) == Work::Scan) {
            return Err(Obstacle::KernelScans);
        }
        if target.members.len() >= MOST_MEMBERS {
            return Err(Obstacle::Full { members: MOST_MEMBERS });
        }
        if let Some(other) = needs.iter().find(|&&other| other != group && self.order.path(group, other)) {
            return Err(Obstacle::Between(self.groups[*other].members[0].node));
        }
        self.check_roots(member, group)?;
        let overwritten = |source: NodeId| target.members.iter().any(|other| self.updates[other.node.index()].contains(&source));
        if let Some(access) = accesses.iter().find(|access| overwritten(access.node)) {
            return Err(Obstacle::Overwrites(access.node));
        }
        if target.parallel.is_empty() { self.serial_seat(member, target) } else { self.tiled_seat(member, group, kind, accesses) }
    }

    /// The loss is tested before the first parameter is written, so no kernel holds both a result and an update; and an update
    /// comes after every reader of the old value.
    fn check_roots(&self, member: Member, group: usize) -> Result<(), Obstacle> {
        let node = member.node.index();
        let final_half = member.total || work(self.graph, member) != Work::Cells;
        let members = &self.groups[group].members;
        if final_half && !self.updates[node].is_empty() {
            if members.iter().any(|other| self.is_output[other.node.index()])
                || self.results().any(|result| self.order.path(group, result))
            {
                return Err(Obstacle::LossFirst);
            }
            for source in &self.updates[node] {
                if let Some(reader) =
                    self.readers[source.index()].iter().find(|&&reader| reader != group && self.order.path(group, reader))
                {
                    return Err(Obstacle::OldValue { reader: self.groups[*reader].members[0].node, source: *source });
                }
            }
        }
        if self.is_output[node] && members.iter().any(|other| !self.updates[other.node.index()].is_empty()) {
            return Err(Obstacle::ResultFirst);
        }
        Ok(())
    }

    pub(super) fn results(&self) -> impl Iterator<Item = usize> + '_ {
        self.outputs.iter().filter_map(|node| self.home[node.index()])
    }

    fn serial_seat(&self, member: Member, target: &Group) -> Result<Seat, Obstacle> {
        let dims = domain(self.graph, member);
        if elements(&dims) > SERIAL_ELEMENTS {
            return Err(Obstacle::TooMuch);
        }
        let mut axes = target.axes.clone();
        let mut own = Vec::new();
        for dim in dims {
            let axis = match (0..axes.len()).find(|axis| axes[*axis] == dim && !own.contains(axis)) {
                Some(axis) => axis,
                None => {
                    axes.push(dim);
                    axes.len() - 1
                }
            };
            own.push(axis);
        }
        Ok(Seat { domain: own, axes, parallel: Vec::new(), reason: Reason::Small })
    }

    /// Which of the group's axes a member's are, where it reads what the group makes at its own index; axes that are new to the group are added.
    fn aligned(&self, member: Member, target: &Group, accesses: &[Access]) -> Result<Aligned, Obstacle> {
        let dims = domain(self.graph, member);
        let mut own: Vec<Option<usize>> = vec![None; dims.len()];
        let mut broken: Vec<usize> = Vec::new();
        for access in accesses {
            let Some(position) = target.members.iter().rposition(|other| other.node == access.node) else { continue };
            if work(self.graph, target.members[position]) == Work::Cells {
                return Err(Obstacle::Partial(access.node));
            }
            for (axis, index) in target.value_axes(self.graph, position).into_iter().zip(&access.axes) {
                match index {
                    Some(dim) if own[*dim].is_none() && !own.contains(&Some(axis)) => own[*dim] = Some(axis),
                    Some(dim) if own[*dim] == Some(axis) => {}
                    _ => broken.push(axis),
                }
            }
        }
        let mut axes = target.axes.clone();
        for dim in 0..dims.len() {
            if own[dim].is_none() {
                let free = (0..axes.len()).find(|&axis| axes[axis] == dims[dim] && !own.contains(&Some(axis)));
                own[dim] = Some(free.unwrap_or_else(|| {
                    axes.push(dims[dim]);
                    axes.len() - 1
                }));
            }
        }
        Ok(Aligned { domain: own.into_iter().flatten().collect(), axes, broken })
    }

    fn tiled_seat(&self, member: Member, group: usize, kind: Work, accesses: &[Access]) -> Result<Seat, Obstacle> {
        let target = &self.groups[group];
        if kind == Work::Total {
            return Err(Obstacle::Total);
        }
        let Aligned { domain: own, axes, broken } = self.aligned(member, target, accesses)?;
        let lost: Vec<usize> = if kind == Work::Cells {
            Vec::new()
        } else {
            reduced_axes(self.graph, member).iter().map(|&axis| own[axis]).collect()
        };
        let parallel: Vec<usize> = target
            .parallel
            .iter()
            .copied()
            .filter(|axis| own.contains(axis) && !lost.contains(axis) && !broken.contains(axis))
            .collect();
        let head = target.members[0].node;
        let reads_windows = work(self.graph, target.members[0]) == Work::Product
            && super::reads_windows(self.graph, self.graph.node(head).operands[1]);
        // A product of windows stays image by image: cut along its channels it would gather the windows again for each tile.
        let by_image = |axes: &[usize]| axes.iter().any(|&axis| super::loops_around_product(self.graph, head, axis));
        if parallel.is_empty() || reads_windows && by_image(&target.parallel) && !by_image(&parallel) {
            return Err(match lost.first() {
                Some(&axis) => Obstacle::Whole { axis, size: axes[axis] },
                None => Obstacle::NoAxis,
            });
        }
        if lost.contains(&0)
            && target.parallel.contains(&0)
            && let Some(columns) = self.columns_of_shared_lines(target.members[0])
        {
            return Err(Obstacle::SharedLines { columns });
        }
        let reason = match kind {
            Work::Cells => Reason::Cells,
            Work::Random => Reason::Drawn,
            Work::Row | Work::Column => Reason::Reduces { axis: lost[0] },
            _ => Reason::Pointwise,
        };
        let seat = Seat { domain: own, axes, parallel, reason };
        self.check_cells(target, kind, &seat, !lost.is_empty())?;
        Ok(seat)
    }

    /// Sums of cells need every member on both axes of the cell, and a product in front that steps through both. `folds` says whether the new
    /// member folds an axis other than to cells.
    fn check_cells(&self, target: &Group, kind: Work, seat: &Seat, folds: bool) -> Result<(), Obstacle> {
        let cells = |member: &Member| work(self.graph, *member) == Work::Cells;
        if kind != Work::Cells && !target.members.iter().any(cells) {
            return Ok(());
        }
        let random = |member: &Member| work(self.graph, *member) == Work::Random;
        if kind == Work::Random || target.members.iter().any(random) {
            return Err(Obstacle::DrawnInCells);
        }
        let plain = |domain: &[usize], folds: bool| domain.len() == 2 && domain.contains(&0) && domain.contains(&1) && !folds;
        let mut others = target.members.iter().zip(&target.domains);
        let all_plain = plain(&seat.domain, folds)
            && others.all(|(other, domain)| plain(domain, !cells(other) && !reduced_axes(self.graph, *other).is_empty()));
        let head = target.members[0];
        let is_product = work(self.graph, head) == Work::Product;
        let steps_in_cells = !is_product || (0..2).all(|axis| super::steps_in_product(self.graph, head.node, axis));
        if !all_plain || !steps_in_cells || seat.parallel.len() < 2 || (kind == Work::Cells && seat.domain != [0, 1]) {
            return Err(Obstacle::CellAxes);
        }
        let is_long = || super::summed(self.graph, head.node) >= LONG_SUM && elements(&domain(self.graph, head)) >= MANY_CELLS;
        if is_product && is_long() { Err(Obstacle::LongSums) } else { Ok(()) }
    }

    /// The columns of a product of the batch's rows that had better be cut into tiles of rows, if a copy of its right operand can serve all of them.
    fn columns_of_shared_lines(&self, head: Member) -> Option<usize> {
        if work(self.graph, head) != Work::Product {
            return None;
        }
        let [Dim::Batch, Dim::Fixed(columns)] = domain(self.graph, head)[..] else { return None };
        let summed = super::summed(self.graph, head.node);
        let fits = summed <= PRODUCT_BLOCK && summed * columns.next_multiple_of(LINE_WORDS) <= COPIED_FLOATS;
        (fits && super::strips_share_lines(columns)).then_some(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::Obstacle;
    use crate::stages::tests::compiled_text;

    /// The sums of biases behind layers of so many columns that were kept out of the product's kernel for the lines that strips share.
    fn kept_out(columns: usize) -> usize {
        let text = format!(
            "Net {{ input x: [batch, 784]; target y: class(10); let h = x.dense({columns}).elu().dense({columns}).elu().dense(10); \
             predict h; minimize h.cross_entropy(y); using adam(1e-3); }}"
        );
        let (_, assembled) = compiled_text("net.net", &text);
        let unit = assembled.unit("train").expect("it trains");
        let refusals = unit.fusion.groups.iter().flat_map(|group| &group.refusals);
        refusals.filter(|refusal| refusal.obstacle == Obstacle::SharedLines { columns }).count()
    }

    #[test]
    fn sums_stay_with_a_product_whose_strips_are_whole_lines() {
        // Of 300 by 300 words a copy has no room, of the last layer's 300 by 10 it has.
        assert_eq!([100, 112, 300, 600].map(kept_out), [2, 0, 1, 0]);
    }
}
