//! Numbers that are formulas of settings and the step, and the bounds that they are held to.
//!
//! What a formula is worth is looked at where settings have values: when the network is declared, and when a setting is set. The step
//! and the epoch are the first ones then. Of a formula that knows how long the run is, a short run and a long one are tried, and it is
//! wrong if it is so in both. What leaves its bounds at a later step is left to whoever wrote it.

use super::arguments::check_bounds;
use super::{Fault, Kind, Network};
use crate::graph::{Graph, NodeId, Origin, Root};
use crate::ops::{Array, Environment, Primitive};
use crate::reference;
use std::collections::{BTreeMap, HashMap};

/// How many steps a short run and a long one have.
const RUNS: [f64; 2] = [1e3, 1e6];
/// A longer formula is not looked at.
const LONGEST: usize = 1_000;

/// A scalar as a graph of its own, over settings, the step, the epoch and the length of the run.
#[derive(Clone, PartialEq, Debug)]
struct Formula(Graph);

impl Formula {
    /// The formula of a node; nothing if it reads anything else.
    fn of(graph: &Graph, node: NodeId) -> Option<Formula> {
        let (mut needed, mut ahead) = (BTreeMap::new(), vec![node]);
        while let Some(id) = ahead.pop() {
            let one = graph.node(id);
            let is_known = !one.operands.is_empty()
                || matches!(
                    one.primitive,
                    Primitive::Constant | Primitive::Setting | Primitive::Step | Primitive::Steps | Primitive::Epoch
                );
            if !is_known || needed.len() == LONGEST {
                return None;
            }
            if needed.insert(id, one).is_none() {
                ahead.extend(&one.operands);
            }
        }
        let mut result = Graph { origins: vec![Origin::default()], ..Graph::default() };
        let mut map = HashMap::new();
        // In the order of the handles, operands stand before their users.
        for (id, one) in needed {
            map.insert(id, NodeId(result.nodes.len() as u32));
            let operands = one.operands.iter().map(|operand| map[operand]).collect();
            result.nodes.push(crate::graph::Node { operands, origin: 0, ..one.clone() });
        }
        result.roots = vec![Root::Output { name: "value".into(), node: map[&node] }];
        Some(Formula(result))
    }

    fn reads(&self, primitive: Primitive) -> bool {
        self.0.nodes.iter().any(|node| node.primitive == primitive)
    }

    /// What it is worth at the first step of a run of so many; nothing if a setting has no value.
    fn value(&self, setting: &dyn Fn(&str) -> Option<f64>, steps: f64) -> Option<f64> {
        let mut environment = Environment { batch: 1, step: 1, turn: 1, steps, epoch: 1, ..Environment::default() };
        for id in self.0.ids().filter(|id| self.0.node(*id).primitive == Primitive::Setting) {
            let name = self.0.source_name(id)?;
            environment.sources.insert(name.to_string(), Array::scalar(setting(name)?));
        }
        reference::run(&self.0, &environment).0.get("value")?.data.first().copied()
    }
}

/// An argument that is a formula, and what it must be.
#[derive(Clone, PartialEq, Debug)]
pub struct Bounded {
    owner: String,
    name: String,
    kind: Kind,
    formula: Formula,
}

impl Bounded {
    /// The argument of this name of `owner`; nothing if its value hangs on more than settings and the step.
    pub(super) fn of(graph: &Graph, node: NodeId, owner: &str, name: &str, kind: Kind) -> Option<Bounded> {
        let formula = Formula::of(graph, node)?;
        Some(Bounded { owner: owner.to_string(), name: name.to_string(), kind, formula })
    }
    /// Whether a setting of this name stands in it.
    pub(crate) fn reads(&self, setting: &str) -> bool {
        let graph = &self.formula.0;
        graph.ids().any(|id| graph.node(id).primitive == Primitive::Setting && graph.source_name(id) == Some(setting))
    }
    /// Whether it lies inside its bounds with these values of settings; one without a value leaves it open.
    pub(crate) fn check(&self, setting: &dyn Fn(&str) -> Option<f64>) -> Result<(), Fault> {
        let mut found = Ok(());
        for steps in RUNS {
            let Some(value) = self.formula.value(setting, steps) else { return Ok(()) };
            found = check_bounds(&self.owner, &self.name, self.kind, value);
            if found.is_ok() {
                break;
            }
        }
        found
    }
}

impl Network {
    /// A number's value, if it hangs on settings alone.
    pub(super) fn known_number(&self, node: NodeId) -> Option<f64> {
        let graph = self.builder.graph();
        if let Some(constant) = graph.constant(node) {
            return Some(constant);
        }
        let formula = Formula::of(graph, node)?;
        let changes = [Primitive::Step, Primitive::Steps, Primitive::Epoch].iter().any(|primitive| formula.reads(*primitive));
        if changes { None } else { formula.value(&|name| self.setting_value(name), RUNS[0]) }
    }
    /// A setting's value.
    pub(super) fn setting_value(&self, name: &str) -> Option<f64> {
        self.settings.iter().find(|setting| setting.name == name).map(|setting| setting.value)
    }
}
