//! Which groups must run after which, while they come into being.
//!
//! Every new reader of a value asks whether one group comes before another, so an answer must not look at all of them. Each group has a
//! level above those of all groups before it: most questions are answered by the levels of the two, and the others go no further than to
//! the level of the second.

use super::Group;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::FxBuildHasher;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// Groups by number, with an edge from each to those that must run after it.
#[derive(Default)]
pub(super) struct Order {
    after: DiGraph<(), ()>,
    levels: Vec<usize>,
}

impl Order {
    /// A group that nothing is known of; groups are numbered as they come.
    pub(super) fn add_group(&mut self) {
        self.after.add_node(());
        self.levels.push(0);
    }

    /// Lets a group run after another one.
    pub(super) fn add(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        self.after.add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
        let mut raised = BTreeSet::from([(self.levels[from] + 1, to)]);
        while let Some((level, group)) = raised.pop_first() {
            // A cycle would raise itself for ever: it is found when the groups are sorted.
            if self.levels[group] < level && level <= self.levels.len() {
                self.levels[group] = level;
                raised.extend(self.after.neighbors(NodeIndex::new(group)).map(|next| (level + 1, next.index())));
            }
        }
    }

    /// Whether the second group must run after the first.
    pub(super) fn path(&self, from: usize, to: usize) -> bool {
        if self.levels[from] >= self.levels[to] {
            return false;
        }
        let mut seen: HashSet<usize, FxBuildHasher> = HashSet::default();
        let mut waiting = VecDeque::from([from]);
        while let Some(group) = waiting.pop_front() {
            for next in self.after.neighbors(NodeIndex::new(group)).map(NodeIndex::index) {
                if next == to {
                    return true;
                }
                if self.levels[next] < self.levels[to] && seen.insert(next) {
                    waiting.push_back(next);
                }
            }
        }
        false
    }

    /// Groups in an order that is right, the one closest to the graph's: Kahn's algorithm, always taking the ready group whose last
    /// member is earliest in the graph.
    pub(super) fn sorted(&self, groups: &[Group]) -> Result<Vec<usize>, String> {
        let before = |group| self.after.neighbors_directed(group, petgraph::Incoming).count();
        let mut waiting: Vec<usize> = self.after.node_indices().map(before).collect();
        let key = |group: usize| (groups[group].members.last().map(|member| (member.node, member.total)), group);
        let mut ready: BTreeSet<_> = (0..groups.len()).filter(|&group| waiting[group] == 0).map(key).collect();
        let mut sorted = Vec::with_capacity(groups.len());
        while sorted.len() < groups.len() {
            let (_, next) = ready.pop_first().ok_or("fusion made a cycle of kernels")?;
            sorted.push(next);
            for user in self.after.neighbors(NodeIndex::new(next)).map(NodeIndex::index) {
                waiting[user] -= 1;
                if waiting[user] == 0 {
                    ready.insert(key(user));
                }
            }
        }
        Ok(sorted)
    }
}
