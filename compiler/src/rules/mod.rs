//! Rewrite rules as data: what stands before and after, when it holds, and how exact it is.
//!
//! A [`Rule`] is text in the pattern language ([`pattern`]); the text is its documentation and, built on random values, its test.
//! Rules know nothing of the order in which they are tried or of graphs as a whole: that is the passes' matter.

mod condition;
mod gradient;
mod identities;
mod masks;
mod moments;
mod movement;
pub mod pattern;
mod scalars;
mod stability;
#[cfg(test)]
mod tests;
mod windows;

use crate::graph::{Builder, Element, Graph, NodeId};
use crate::ops::Primitive;
pub use condition::Condition;
pub use pattern::Bindings;
use pattern::{Head, Make, Term};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// How near the value after a rewrite is to the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Exactness {
    /// Equal bits for every value, infinities and NaN included (any NaN equals any NaN).
    BitExact,
    /// At most so many units in the last place of an f32 where both sides are finite; 0: only the sign of a zero may differ.
    Approximates {
        /// The most units.
        ulp: u32,
    },
    /// The same formula in exact arithmetic, rounded in other places.
    Reassociates,
}

impl fmt::Display for Exactness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exactness::BitExact => f.write_str("exact"),
            Exactness::Approximates { ulp: 0 } => f.write_str("exact but for the sign of zero"),
            Exactness::Approximates { ulp } => write!(f, "approximates, <= {ulp} ulp"),
            Exactness::Reassociates => f.write_str("reassociates"),
        }
    }
}

/// Builds what a pattern cannot say; `None` where the rule does not hold.
pub type Apply = fn(&mut Builder, &Bindings) -> Option<NodeId>;

/// One rewrite.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name in logs.
    pub name: &'static str,
    /// The pattern that it replaces.
    pub before: &'static str,
    /// What stands there afterwards: a pattern, or a text for the reader if `apply` builds it.
    pub after: &'static str,
    /// What must hold beside the pattern.
    pub condition: Condition,
    /// How near the new value is.
    pub exactness: Exactness,
    /// Why it is worth doing.
    pub doc: &'static str,
    /// Builds what `after` cannot say.
    pub apply: Option<Apply>,
    /// Only if nothing else reads the nodes between the pattern's root and its variables, broadcasts aside.
    pub private: bool,
    /// Only for f32 results: step scalars (f64) lack some primitives.
    pub single: bool,
}

const fn rule(name: &'static str, before: &'static str, after: &'static str, exactness: Exactness, doc: &'static str) -> Rule {
    Rule { name, before, after, condition: Condition::Always, exactness, doc, apply: None, private: false, single: false }
}

impl Rule {
    const fn when(mut self, condition: Condition) -> Rule {
        self.condition = condition;
        self
    }
    const fn by(mut self, apply: Apply) -> Rule {
        self.apply = Some(apply);
        self
    }
    const fn private(mut self) -> Rule {
        self.private = true;
        self
    }
    const fn single(mut self) -> Rule {
        self.single = true;
        self
    }
}

/// What stands inside of nodes of these primitives, each of which has one operand.
fn within(graph: &Graph, mut id: NodeId, shells: &[Primitive]) -> NodeId {
    while shells.contains(&graph.node(id).primitive) {
        id = graph.node(id).operands[0];
    }
    id
}

/// Every rule, family by family, in the order in which they are tried at a node.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    SIMPLIFYING.iter().copied().chain([masks::RULES]).flatten()
}

const SIMPLIFYING: &[&[Rule]] =
    &[identities::RULES, movement::RULES, windows::RULES, stability::RULES, gradient::RULES, scalars::RULES, moments::RULES];

/// The rules that make graphs smaller or steadier.
pub static SIMPLIFY: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::new(SIMPLIFYING));

/// The rules that let the backward pass read outputs where it read inputs.
pub static MASKS: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::new(&[masks::RULES]));

/// A rule whose patterns have been read.
pub struct Compiled {
    /// The rule.
    pub rule: &'static Rule,
    pub(crate) before: Term,
    after: Option<Term>,
}

/// Rules by the primitive at their root.
pub struct RuleSet {
    rules: Vec<Compiled>,
    rooted: BTreeMap<Primitive, Vec<usize>>,
    /// Rules whose root is any pointwise primitive.
    floating: Vec<usize>,
}

impl RuleSet {
    /// Reads the rules' patterns.
    ///
    /// # Panics
    /// If a pattern cannot be read; the tests read every one.
    pub fn new(families: &[&'static [Rule]]) -> RuleSet {
        let mut set = RuleSet { rules: Vec::new(), rooted: BTreeMap::new(), floating: Vec::new() };
        for rule in families.iter().copied().flatten() {
            let read = |text| pattern::parse(text).unwrap_or_else(|why| panic!("rule {}: {why}", rule.name));
            let before = read(rule.before);
            let after = if rule.apply.is_some() { None } else { Some(read(rule.after)) };
            match &before {
                Term::Apply { head: Head::Primitive(primitive), .. } => {
                    set.rooted.entry(*primitive).or_default().push(set.rules.len());
                }
                _ => set.floating.push(set.rules.len()),
            }
            set.rules.push(Compiled { rule, before, after });
        }
        set
    }
    /// The rules that may hold at a node of this primitive, in their order.
    pub fn candidates(&self, primitive: Primitive) -> impl Iterator<Item = &Compiled> {
        self.rooted.get(&primitive).into_iter().flatten().chain(&self.floating).map(|&place| &self.rules[place])
    }
}

impl Compiled {
    /// What the names stand for, if the rule holds at a node; `readers` tells how many nodes and roots read a node.
    pub fn matches(&self, builder: &Builder, node: NodeId, readers: &dyn Fn(NodeId) -> usize) -> Option<Bindings> {
        if self.rule.single && builder.ty(node).element != Element::F32 {
            return None;
        }
        let bindings = pattern::find(builder.graph(), &self.before, node)?;
        // Nobody computes a broadcast.
        let shared = |id: NodeId| readers(id) > 1 && builder.graph().node(id).primitive != Primitive::Broadcast;
        if self.rule.private && bindings.inner.iter().skip(1).any(|&inner| shared(inner)) {
            return None;
        }
        self.rule.condition.holds(builder, &bindings).then_some(bindings)
    }
    /// Builds what stands there afterwards: another node of the same type.
    pub fn build(&self, builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
        let ty = builder.ty(bindings.root).clone();
        let built = match (&self.after, self.rule.apply) {
            (_, Some(apply)) => apply(builder, bindings)?,
            (Some(after), None) => pattern::build(&mut Make(builder), after, bindings, Some(&ty))?,
            (None, None) => return None,
        };
        (built != bindings.root && *builder.ty(built) == ty).then_some(built)
    }
}
