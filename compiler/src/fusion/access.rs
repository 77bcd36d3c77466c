//! Which nodes are computed where they are read, and what is read through them.

use super::{Fusion, Member, Work, domain, is_step_scalar, is_unit_reshape, operand_axes, view_axes, work};
use crate::graph::{Attributes, Element, Graph, NodeId, Window};
use crate::ops::{self, Lowering, Primitive, bottom};

/// Most block instructions of a formula of sources that is computed anew wherever it is read.
const FREE_COST: usize = 8;

/// Most of them where the formula is of a computed value that stands in memory anyway, or tells how several such compare: a store and the
/// room for its result are saved, and a load is a load.
pub(super) const REMADE_COST: usize = 3;

/// A formula that may be computed wherever it is read.
#[derive(Clone, Copy)]
struct Formula {
    cost: usize,
    /// The computed value that it is of; sources apart.
    of: Option<NodeId>,
}

impl Formula {
    const SOURCE: Formula = Formula { cost: 0, of: None };

    /// Both together; `None` if they are of two computed values.
    fn with(self, other: Formula) -> Option<Formula> {
        let of = match (self.of, other.of) {
            (Some(a), Some(b)) if a != b => return None,
            (a, b) => a.or(b),
        };
        Some(Formula { cost: self.cost + other.cost, of })
    }

    fn is_cheap(self) -> bool {
        self.cost <= if self.of.is_some() { REMADE_COST } else { FREE_COST }
    }
}

/// Which nodes are computed where they are read.
pub(super) fn inlined(graph: &Graph, live: &[bool]) -> Vec<bool> {
    let stored = stored(graph, live);
    // What a product reads in memory.
    let mut multiplied = vec![false; graph.nodes.len()];
    for id in graph.ids().filter(|id| live[id.index()] && graph.node(*id).primitive == Primitive::Contract) {
        graph.node(id).operands.iter().for_each(|&operand| multiplied[bottom(graph, operand).index()] = true);
    }
    let kept = kept_anyway(graph, live, &stored);
    let mut remade: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let mut inlined = vec![false; graph.nodes.len()];
    let mut free: Vec<Option<Formula>> = vec![None; graph.nodes.len()];
    for id in graph.ids() {
        let node = graph.node(id);
        let operands = || {
            node.operands.iter().try_fold(Formula::SOURCE, |formula, operand| {
                let in_memory = multiplied[operand.index()].then_some(Formula { cost: 0, of: Some(*operand) });
                formula.with(free[operand.index()].or(in_memory)?)
            })
        };
        match ops::record(node.primitive).lowering {
            Lowering::Source | Lowering::Coordinate => {
                inlined[id.index()] = true;
                free[id.index()] = Some(Formula::SOURCE);
            }
            Lowering::View => {
                inlined[id.index()] = true;
                free[id.index()] = operands();
            }
            _ if is_step_scalar(graph, id) && !stored[id.index()] => inlined[id.index()] = true,
            Lowering::Pointwise(_) if !stored[id.index()] => {
                let from_step = node.operands.iter().any(|&operand| is_step_scalar(graph, operand));
                let formula = operands().map(|of| Formula { cost: of.cost + super::cost(graph, id), ..of });
                free[id.index()] = formula.filter(|formula| formula.is_cheap() && !from_step);
                // What a comparison of words that stand in memory tells takes as many words again: it is told anew.
                let is_truth = |id: NodeId| graph.ty(id).element == Element::Bool;
                let of_words = |operand: NodeId| {
                    let free = free[operand.index()].map(|formula| formula.cost);
                    let known = remade[operand.index()].filter(|_| is_truth(operand)).or(free);
                    known.or(kept[bottom(graph, operand).index()].then_some(0))
                };
                let of_truths = node.operands.iter().all(|&operand| is_truth(operand));
                if is_truth(id) || of_truths {
                    let operands = node.operands.iter().map(|&operand| of_words(operand)).sum::<Option<usize>>();
                    let cost = operands.map(|cost| cost + super::cost(graph, id));
                    remade[id.index()] = cost.filter(|cost| *cost <= REMADE_COST && !from_step);
                }
                inlined[id.index()] = free[id.index()].is_some() || remade[id.index()].is_some();
            }
            _ => {}
        }
    }
    inlined
}

/// Which nodes must stand in memory: results, and what is read there as words.
fn stored(graph: &Graph, live: &[bool]) -> Vec<bool> {
    let mut stored = vec![false; graph.nodes.len()];
    for root in &graph.roots {
        stored[root.node().index()] = true;
    }
    for id in graph.ids().filter(|id| live[id.index()]) {
        let node = graph.node(id);
        let needs_memory =
            matches!(ops::record(node.primitive).lowering, Lowering::Contract | Lowering::Scan) || is_of_words(graph, id);
        let table = matches!(ops::record(node.primitive).lowering, Lowering::Gather);
        let from_memory = if needs_memory { node.operands.len() } else { usize::from(table) };
        node.operands[..from_memory].iter().for_each(|&operand| stored[bottom(graph, operand).index()] = true);
    }
    stored
}

/// Nodes that stand in memory whatever fusion decides.
pub(super) fn in_memory(graph: &Graph, live: &[bool]) -> Vec<bool> {
    kept_anyway(graph, live, &stored(graph, live))
}

/// Those that are stored, and those that are moved by nests of their own.
fn kept_anyway(graph: &Graph, live: &[bool], stored: &[bool]) -> Vec<bool> {
    let mut kept = stored.to_vec();
    for id in graph.ids().filter(|id| live[id.index()]) {
        if matches!(ops::record(graph.node(id).primitive).lowering, Lowering::Opaque) {
            graph.node(id).operands.iter().for_each(|&operand| kept[bottom(graph, operand).index()] = true);
        }
    }
    kept
}

/// Whether a view is one of words in memory: only those have another shape, and what windows read more than once is not computed each time.
fn is_of_words(graph: &Graph, id: NodeId) -> bool {
    match graph.node(id).primitive {
        Primitive::Window => true,
        Primitive::Reshape => !is_unit_reshape(graph, id),
        _ => false,
    }
}

/// Which nodes are read as words in memory: through such a view, or as the table of a gather, which is picked from.
pub(super) fn in_words(graph: &Graph) -> Vec<bool> {
    let mut found = vec![false; graph.nodes.len()];
    for id in graph.ids() {
        let node = graph.node(id);
        if is_of_words(graph, id) || matches!(ops::record(node.primitive).lowering, Lowering::Gather) {
            found[bottom(graph, node.operands[0]).index()] = true;
        }
    }
    found
}

/// Which nodes must lie in memory row behind row without a gap: those read as words, and those of which a product takes the last axis
/// together with another one.
pub(super) fn in_one_piece(graph: &Graph, in_words: &[bool]) -> Vec<bool> {
    let mut found = in_words.to_vec();
    for id in graph.ids() {
        let node = graph.node(id);
        let Attributes::Contract(spec) = &node.attributes else { continue };
        let lists = [&spec.left, &spec.right, &spec.out];
        let role = |label: u8| lists.map(|labels| labels.contains(&label));
        for (labels, of) in lists.into_iter().zip([node.operands[0], node.operands[1], id]) {
            let Some((&last, rest)) = labels.split_last() else { continue };
            found[bottom(graph, of).index()] |= rest.iter().any(|&label| role(label) == role(last));
        }
    }
    found
}

/// Which nodes are computed where they are read: in every kernel, and those that one kernel keeps nowhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inlined<'a> {
    everywhere: &'a [bool],
    /// In ascending order.
    here: &'a [NodeId],
}

impl<'a> Inlined<'a> {
    /// In a kernel that keeps none of these nodes, which are in ascending order.
    pub fn with(fusion: &'a Fusion, here: &'a [NodeId]) -> Self {
        Inlined { everywhere: &fusion.inlined, here }
    }
    /// Whether a node is one of them.
    pub fn holds(self, id: NodeId) -> bool {
        self.everywhere[id.index()] || self.here.binary_search(&id).is_ok()
    }
}

impl<'a> From<&'a Vec<bool>> for Inlined<'a> {
    fn from(everywhere: &'a Vec<bool>) -> Self {
        Inlined { everywhere, here: &[] }
    }
}

/// What members read, by their node; the second half of a full reduction reads nothing but the first.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Reads(Vec<Vec<Access>>);

impl Reads {
    /// Of nothing yet, in a graph of so many nodes.
    pub fn with_room(nodes: usize) -> Self {
        Reads(std::iter::repeat_with(Vec::new).take(nodes).collect())
    }
    /// Takes in what a node reads.
    pub fn add(&mut self, graph: &Graph, inlined: &Vec<bool>, node: NodeId) {
        self.0[node.index()] = member_accesses(graph, inlined, Member { node, total: false });
    }
    /// What a member reads.
    pub fn of(&self, member: Member) -> &[Access] {
        if member.total { &[] } else { &self.0[member.node.index()] }
    }
}

/// A read of a computed node or source: for each axis of its value the reader's domain axis that indexes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Access {
    pub node: NodeId,
    pub axes: Vec<Option<usize>>,
    /// It is read where a value points: from memory, even if it is computed at this very index.
    pub picked: bool,
}

impl Access {
    /// Whether it is of the element at the reader's own index, where the reader's domain is `own` and the value's axes are `axes` of the group.
    pub fn is_at(&self, own: &[usize], axes: &[usize]) -> bool {
        axes.len() == self.axes.len()
            && axes.iter().zip(&self.axes).all(|(axis, index)| index.is_some_and(|dim| own[dim] == *axis))
    }
}

/// Everything that evaluating `id` at its own index reads, through inlined nodes. `axes` maps `id`'s axes to the reader's domain.
pub(crate) fn accesses(graph: &Graph, inlined: Inlined, id: NodeId, axes: &[Option<usize>], found: &mut Vec<Access>) {
    if !inlined.holds(id) || ops::record(graph.node(id).primitive).is_source() {
        found.push(Access { node: id, axes: axes.to_vec(), picked: false });
        return;
    }
    let node = graph.node(id);
    match ops::record(node.primitive).lowering {
        Lowering::View => {
            let operand = node.operands[0];
            let map = view_axes(graph, id).unwrap_or_else(|| vec![None; graph.shape(operand).rank()]);
            let sliced = match node.attributes {
                Attributes::Slice { axis, .. } => Some(axis),
                Attributes::Window(Window { axis, .. }) => Some(axis),
                _ => None,
            };
            let mapped: Vec<Option<usize>> = map
                .iter()
                .enumerate()
                .map(|(axis, to)| if sliced == Some(axis) { None } else { to.and_then(|to| axes[to]) })
                .collect();
            accesses(graph, inlined, operand, &mapped, found);
        }
        _ => {
            element_accesses(graph, inlined, id, axes, found);
        }
    }
}

/// What computing one element of a node reads through its operands.
fn element_accesses(graph: &Graph, inlined: Inlined, id: NodeId, axes: &[Option<usize>], found: &mut Vec<Access>) {
    let node = graph.node(id);
    for (number, &operand) in node.operands.iter().enumerate() {
        let first = found.len();
        accesses(graph, inlined, operand, &operand_axes(graph, id, number, axes), found);
        if number == 0 && matches!(ops::record(node.primitive).lowering, Lowering::Gather) {
            found[first..].iter_mut().for_each(|access| access.picked = true);
        }
    }
}

/// What a member reads, in terms of its domain's axes.
pub(crate) fn member_accesses<'a>(graph: &Graph, inlined: impl Into<Inlined<'a>>, member: Member) -> Vec<Access> {
    let inlined = inlined.into();
    let node = graph.node(member.node);
    let mut found = Vec::new();
    match work(graph, member) {
        Work::Total => {}
        Work::Product | Work::Opaque | Work::Scan => {
            for &operand in &node.operands {
                accesses(graph, inlined, operand, &vec![None; graph.shape(operand).rank()], &mut found);
            }
        }
        _ => {
            let axes: Vec<Option<usize>> = (0..domain(graph, member).len()).map(Some).collect();
            element_accesses(graph, inlined, member.node, &axes, &mut found);
        }
    }
    found
}
