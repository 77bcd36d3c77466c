//! Where in kernels each primitive has stood: a table that shows what random graphs leave out.

use super::trial::Trial;
use crate::fusion::{Inlined, Work, member_accesses, stands_in_memory, work};
use crate::graph::{Element, Graph, NodeId, Root};
use crate::lower::nests;
use crate::ops::{self, Exactness, Lowering, PRIMITIVES, Primitive, bottom};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A place that a primitive may have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// The only member of its kernel.
    Alone,
    /// The first member of several.
    First,
    /// In the kernel of a product, after it.
    Epilogue,
    /// Computed in the block of whoever reads it.
    Formula,
    /// In scratch of the tile.
    Kept,
    /// In one kernel with a reduction that it reads.
    AfterReduction,
    /// No member: computed wherever it is read.
    Inlined,
    /// Operand of a reduction.
    Reduced,
    /// Operand of a product.
    Factor,
    /// What rows are taken of, or are added up.
    Table,
    /// Which row is taken.
    Index,
    Output,
    /// Next value of a parameter or state.
    Next,
}

const PLACES: [Place; 13] = [
    Place::Alone,
    Place::First,
    Place::Epilogue,
    Place::Formula,
    Place::Kept,
    Place::AfterReduction,
    Place::Inlined,
    Place::Reduced,
    Place::Factor,
    Place::Table,
    Place::Index,
    Place::Output,
    Place::Next,
];

/// How often each primitive stood where, and what its nodes were.
#[derive(Default)]
pub struct Coverage {
    seen: BTreeMap<(Primitive, Place), usize>,
    real: BTreeSet<Primitive>,
    wide: BTreeSet<Primitive>,
    integer: BTreeSet<Primitive>,
    in_memory: BTreeSet<Primitive>,
    /// Real, and without the batch.
    fixed: BTreeSet<Primitive>,
}

impl Coverage {
    fn add(&mut self, graph: &Graph, id: NodeId, place: Place) {
        *self.seen.entry((graph.node(id).primitive, place)).or_default() += 1;
    }

    /// A node and what it is a view of.
    fn add_chain(&mut self, graph: &Graph, id: NodeId, place: Place) {
        let mut at = id;
        self.add(graph, at, place);
        while at != bottom(graph, id) {
            at = graph.node(at).operands[0];
            self.add(graph, at, place);
        }
    }

    /// Takes in a lowered graph.
    pub fn record(&mut self, trial: &Trial) {
        let (graph, fusion) = (&trial.graph, &trial.fusion);
        let live = graph.live();
        for id in graph.ids().filter(|id| live[id.index()]) {
            let node = graph.node(id);
            match node.ty.element {
                Element::F32 => self.real.insert(node.primitive),
                Element::F64 => self.wide.insert(node.primitive),
                Element::Bool => false,
                _ => self.integer.insert(node.primitive),
            };
            if node.ty.element == Element::F32 && !node.ty.shape.has_batch() {
                self.fixed.insert(node.primitive);
            }
            if stands_in_memory(graph, id) {
                self.in_memory.insert(node.primitive);
            }
            if fusion.inlined[id.index()] {
                self.add(graph, id, Place::Inlined);
            }
            let lowering = &ops::record(node.primitive).lowering;
            for (number, &operand) in node.operands.iter().enumerate() {
                match (lowering, node.primitive, number) {
                    (Lowering::Reduce(_), ..) => self.add_chain(graph, operand, Place::Reduced),
                    (Lowering::Contract, ..) => self.add_chain(graph, operand, Place::Factor),
                    (Lowering::Gather, _, 0) | (_, Primitive::ScatterAdd, 0) => self.add_chain(graph, operand, Place::Table),
                    (Lowering::Gather, ..) | (_, Primitive::ScatterAdd, _) => self.add_chain(graph, operand, Place::Index),
                    _ => {}
                }
            }
        }
        for root in &graph.roots {
            match root {
                Root::Output { node, .. } => self.add(graph, *node, Place::Output),
                Root::Update { node, .. } => self.add_chain(graph, graph.node(*node).operands[0], Place::Next),
            }
        }
        for group in &fusion.groups {
            let plan = nests::plan(graph, fusion, group, |id| trial.outside[id.index()]);
            let formulas = nests::formulas(group, &plan.kept);
            let inline = Inlined::with(fusion, &formulas);
            let by_product = work(graph, group.members[0]) == Work::Product;
            for (position, member) in group.members.iter().enumerate() {
                let id = member.node;
                match (group.members.len(), position) {
                    (1, _) => self.add(graph, id, Place::Alone),
                    (_, 0) => self.add(graph, id, Place::First),
                    _ if by_product => self.add(graph, id, Place::Epilogue),
                    _ => {}
                }
                match (plan.kept[position], trial.outside[id.index()]) {
                    (false, _) => self.add(graph, id, Place::Formula),
                    (true, false) => self.add(graph, id, Place::Kept),
                    _ => {}
                }
                let reads_fold = member_accesses(graph, inline, *member).iter().any(|access| {
                    let own = group.members[..position].iter().find(|other| other.node == access.node);
                    own.is_some_and(|other| matches!(work(graph, *other), Work::Row | Work::Column | Work::Total))
                });
                if reads_fold {
                    self.add(graph, id, Place::AfterReduction);
                }
            }
        }
    }

    /// Takes in what another thread has seen.
    pub fn merge(&mut self, other: Coverage) {
        for (cell, count) in other.seen {
            *self.seen.entry(cell).or_default() += count;
        }
        self.real.extend(other.real);
        self.wide.extend(other.wide);
        self.integer.extend(other.integer);
        self.in_memory.extend(other.in_memory);
        self.fixed.extend(other.fixed);
    }

    /// Why a primitive never stands there, by how it is lowered and what it makes.
    fn impossible(&self, primitive: Primitive, place: Place) -> Option<&'static str> {
        use Place::*;
        let record = ops::record(primitive);
        let member = matches!(place, Alone | First | Epilogue | Formula | Kept | AfterReduction);
        match record.lowering {
            Lowering::Source | Lowering::Coordinate | Lowering::View if member => return Some("has no code of its own"),
            Lowering::Source | Lowering::Coordinate | Lowering::View if place == Output => return Some("is copied"),
            Lowering::Random if matches!(place, Output | Factor) => return Some("has padded rows, so it is copied"),
            Lowering::Random if place == AfterReduction => return Some("reads nothing"),
            Lowering::Contract if matches!(place, Epilogue | AfterReduction) => return Some("starts a kernel"),
            Lowering::Opaque | Lowering::Scan if member && place != Alone => return Some("is alone in its kernel"),
            Lowering::Reduce(_) | Lowering::Contract | Lowering::Random | Lowering::Opaque | Lowering::Scan
                if matches!(place, Formula | Inlined) =>
            {
                return Some("is kept");
            }
            Lowering::Gather if place == Inlined => return Some("is a member"),
            _ => {}
        }
        let costly = matches!(record.exactness, Exactness::Ulp(_)) && !self.wide.contains(&primitive);
        match place {
            Inlined if record.is_pointwise() && costly => Some("costs more than a load"),
            Factor | Table if record.is_source() && !self.in_memory.contains(&primitive) => Some("is copied into memory"),
            Reduced | Factor | Table | Next if !self.real.contains(&primitive) => Some("is not f32"),
            Next if !self.fixed.contains(&primitive) => Some("has a row for each of the batch"),
            Index if !self.integer.contains(&primitive) => Some("is no integer"),
            _ => None,
        }
    }

    /// The table, and the cells that are possible but empty.
    pub fn table(&self) -> (String, Vec<String>) {
        let mut text = format!("{:16}", "");
        for place in PLACES {
            let _ = write!(text, " {:>7.7}", format!("{place:?}"));
        }
        let (mut empty, mut reasons) = (Vec::new(), BTreeMap::new());
        for &primitive in PRIMITIVES {
            let name = ops::record(primitive).name;
            let _ = write!(text, "\n{name:16}");
            for place in PLACES {
                let count = self.seen.get(&(primitive, place)).copied().unwrap_or(0);
                let _ = match self.impossible(primitive, place) {
                    Some(why) if count == 0 => {
                        let letters = reasons.len();
                        let letter = *reasons.entry(why).or_insert((b'a' + letters as u8) as char);
                        write!(text, " {letter:>7}")
                    }
                    _ => write!(text, " {count:>7}"),
                };
                if count == 0 && self.impossible(primitive, place).is_none() {
                    empty.push(format!("{name} {place:?}"));
                }
            }
        }
        for (why, letter) in reasons {
            let _ = write!(text, "\n{letter}: it {why}");
        }
        (text, empty)
    }
}
