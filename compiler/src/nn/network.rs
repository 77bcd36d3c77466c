//! A network under construction: the graph of what it computes, and lists of everything that has a name.
//!
//! A network is built for one of the two times at which it lives: training (dropout draws, batch norm uses the batch's moments) or
//! evaluation. The same declaration is elaborated once for each; both have the same parameters and saved states.
//!
//! # Names
//! A scope is entered for each word of the path (`let` name, loop turn); a call of a function adds its kind. The second function of
//! a kind in one scope is `kind_2`. Parameters are named `path.kind.parameter`, and that name is the file format: nothing renames.
//! Inside a shared scope the numbering starts anew at each entry and parameters are found again instead of made.
//!
//! # Invariants
//! - names of inputs, targets, parameters, states and settings are unique each within its kind;
//! - rates and penalties are f64 scalar nodes: literals became settings, so that a new value compiles nothing. In the lines of an
//!   optimizer they stay constants: those run on the step's graph, where no setting could get a value any more.

use super::arguments;
use super::fault::{self, Fault};
use super::formulas::Bounded;
use super::optimizers::OptimizerUse;
use super::parameters::{Aggregate, Asked, Learned, Probe, Report, Scaler, Setting, Source, State, Wanted};
use super::penalties::Applied;
use super::{Call, Function, Kind};
use crate::graph::{Builder, Dim, NodeId, Origin, Shape, Type};
use crate::ops::Primitive;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// One call of a function, for the summary and the choice of initialisers.
#[derive(Clone, Debug)]
pub struct Use {
    /// What was called.
    pub function: &'static Function,
    /// Layer path, such as `hidden.dense`.
    pub path: String,
    /// Its arguments, resolved.
    pub call: Call,
    /// The receiver.
    pub input: NodeId,
    /// What came of it.
    pub output: NodeId,
    /// Parameters that it made, as places in [`Network::parameters`].
    pub parameters: std::ops::Range<usize>,
    /// Nodes that it made, as places in the arena.
    pub nodes: std::ops::Range<usize>,
    /// Where the call stands in the source.
    pub place: String,
}

/// Where names are given out: the scopes from the outermost to the innermost.
#[derive(Clone, Debug, Default)]
pub struct Scopes(Vec<Scope>);

#[derive(Clone, Debug)]
pub(super) struct Scope {
    segment: String,
    pub(super) shared: bool,
}

/// A network under construction, for training or for evaluation.
#[derive(Clone, Debug)]
pub struct Network {
    /// The network's name.
    pub name: String,
    /// Whether this is the network at training time.
    pub training: bool,
    /// Whether literals are constants where they would become settings.
    pub(crate) is_fixed: bool,
    /// The graph so far.
    pub builder: Builder,
    /// In the order of their declaration.
    pub inputs: Vec<Source>,
    /// In the order of their declaration.
    pub targets: Vec<Source>,
    /// Numbers that may change without compiling.
    pub settings: Vec<Setting>,
    /// Arguments that are formulas of settings, and their bounds.
    pub bounded: Vec<Bounded>,
    /// Learned tensors in the order of their making.
    pub parameters: Vec<Learned>,
    /// What is kept from step to step.
    pub states: Vec<State>,
    /// What is measured on the data before step 1.
    pub scalers: Vec<Scaler>,
    /// Every call of a function, in order.
    pub uses: Vec<Use>,
    /// What is served, by name.
    pub predicts: Vec<(String, NodeId)>,
    /// Inputs and targets that say how many steps each row has, and how many there are.
    pub lengths: Vec<(NodeId, usize)>,
    /// Inputs and targets of which a loss takes certain numbers only.
    pub asked: Vec<(NodeId, Asked)>,
    /// What is minimised, without penalties.
    pub loss: Option<NodeId>,
    /// What is measured.
    pub reports: Vec<Report>,
    /// Values of the training step that are given out beside the reports.
    pub probes: Vec<Probe>,
    /// Whether updates wait for the gradients of several batches.
    pub accumulates: bool,
    /// Whether the training step gives out figures of its layers, see [`diagnosis`](crate::diagnosis).
    pub diagnoses: bool,
    /// Those of the network; a layer's own stand at its parameters.
    pub penalties: Vec<Applied>,
    /// What moves the parameters.
    pub optimizer: Option<OptimizerUse>,
    /// Groups in the order written, for the summary; what they say stands at the parameters.
    pub groups: Vec<Call>,
    /// Patterns of groups that freeze (or do not), in the order written.
    pub(super) announced: Vec<(String, bool)>,
    /// Next values of states, in the order of their first setting.
    pub next_states: Vec<(NodeId, NodeId)>,
    pub(super) aggregates: HashMap<NodeId, Aggregate>,
    /// By output of a layer with an unasked bias: the value without it, and the bias's place in the list.
    pub(super) unbiased: HashMap<NodeId, (NodeId, usize)>,
    /// Names of biases that normalisation leaves where they are: what was built before has shown that something else needs them.
    pub needed_biases: BTreeSet<String>,
    pub(super) names: HashMap<NodeId, String>,
    pub(super) scopes: Vec<Scope>,
    counts: BTreeMap<String, usize>,
    /// Places of the parameters in their list, by name.
    by_name: HashMap<String, usize>,
    /// Nodes of the states.
    state_nodes: HashSet<NodeId>,
    /// Where the next value of a state stands.
    next_places: HashMap<NodeId, usize>,
    pub(super) place: String,
    /// What new nodes come from beside that place: nothing, but in an optimizer's lines a parameter's update.
    source: Origin,
}

impl Network {
    /// An empty network of this name, at training or at evaluation time.
    pub fn new(name: impl Into<String>, training: bool) -> Self {
        let name = name.into();
        Network {
            builder: Builder::new(name.clone()),
            name,
            training,
            is_fixed: false,
            inputs: Vec::new(),
            targets: Vec::new(),
            settings: Vec::new(),
            bounded: Vec::new(),
            parameters: Vec::new(),
            states: Vec::new(),
            scalers: Vec::new(),
            uses: Vec::new(),
            predicts: Vec::new(),
            loss: None,
            reports: Vec::new(),
            probes: Vec::new(),
            accumulates: false,
            diagnoses: false,
            lengths: Vec::new(),
            asked: Vec::new(),
            penalties: Vec::new(),
            optimizer: None,
            groups: Vec::new(),
            announced: Vec::new(),
            next_states: Vec::new(),
            aggregates: HashMap::new(),
            unbiased: HashMap::new(),
            needed_biases: BTreeSet::new(),
            names: HashMap::new(),
            scopes: Vec::new(),
            counts: BTreeMap::new(),
            by_name: HashMap::new(),
            state_nodes: HashSet::new(),
            next_places: HashMap::new(),
            place: String::new(),
            source: Origin::default(),
        }
    }

    // --- places and names ----------------------------------------------------------------------------------------

    /// The place in the source that new nodes come from, such as `digits.net:9:25`.
    pub fn set_place(&mut self, place: impl Into<String>) {
        self.place = place.into();
        self.refresh_origin();
    }
    /// Goes into a scope: a `let` name, a loop turn, a statement's word.
    pub fn enter(&mut self, segment: impl Into<String>) {
        self.scopes.push(Scope { segment: segment.into(), shared: false });
        self.refresh_origin();
    }
    /// Goes into the scope of a shared block: at the second entry the same parameters are found again.
    pub fn enter_shared(&mut self, segment: impl Into<String>) {
        self.scopes.push(Scope { segment: segment.into(), shared: true });
        let prefix = format!("{}.", self.path());
        self.counts.retain(|path, _| !path.starts_with(&prefix));
        self.refresh_origin();
    }
    /// Leaves the innermost scope.
    pub fn leave(&mut self) {
        self.scopes.pop();
        self.refresh_origin();
    }
    /// The scopes so far.
    pub fn scopes(&self) -> Scopes {
        Scopes(self.scopes.clone())
    }
    /// Goes to other scopes altogether; gives the ones so far. Numbers are not counted anew by it.
    pub fn go_to(&mut self, scopes: Scopes) -> Scopes {
        let before = std::mem::replace(&mut self.scopes, scopes.0);
        self.refresh_origin();
        Scopes(before)
    }
    /// Path of the scopes, such as `hidden.0`.
    pub fn path(&self) -> String {
        self.scopes.iter().map(|scope| scope.segment.as_str()).collect::<Vec<_>>().join(".")
    }
    /// Lets new nodes come from what these do, each from its own place.
    pub(crate) fn derive_from(&mut self, origin: Origin) {
        self.source = origin;
        self.refresh_origin();
    }
    fn refresh_origin(&mut self) {
        let (outer, inner) = (self.source.path.as_str(), self.path());
        let parts = [outer, inner.as_str()].into_iter().filter(|part| !part.is_empty());
        let path = parts.collect::<Vec<_>>().join(".");
        self.builder.set_origin(Origin { path, place: self.place.clone(), ..self.source.clone() });
    }
    pub(super) fn path_of(&self, segment: &str) -> String {
        let path = self.path();
        if path.is_empty() { segment.to_string() } else { format!("{path}.{segment}") }
    }
    /// The segment for a function's call: its kind, numbered from the second of the kind in this scope.
    pub(super) fn numbered(&mut self, kind: &str) -> String {
        let count = self.counts.entry(self.path_of(kind)).or_insert(0);
        *count += 1;
        if *count == 1 { kind.to_string() } else { format!("{kind}_{count}") }
    }
    /// Says what the user calls a value, for messages; the first name stays.
    pub fn name_value(&mut self, node: NodeId, name: &str) {
        self.names.entry(node).or_insert_with(|| name.to_string());
    }
    /// What the user calls a value, if anything.
    pub fn value_name(&self, node: NodeId) -> Option<&str> {
        self.names.get(&node).map(String::as_str)
    }
    /// A value in words: `logits` in backquotes, or `otherwise`.
    pub fn describe(&self, node: NodeId, otherwise: &str) -> String {
        match (self.names.get(&node), self.uses.iter().find(|one| one.output == node)) {
            (Some(name), _) => format!("`{name}`"),
            (None, Some(one)) if !one.path.is_empty() => format!("`{}`", one.path),
            _ => otherwise.to_string(),
        }
    }
    /// A value's shape as the user writes it: `[batch, 64]`.
    pub fn shape_text(&self, node: NodeId) -> String {
        shape_text(self.builder.graph().shape(node))
    }

    // --- sources -------------------------------------------------------------------------------------------------

    /// Declares an input.
    pub fn input(&mut self, name: &str, ty: Type, place: &str) -> Result<NodeId, Fault> {
        let source = self.declare(Primitive::Input, name, ty, place)?;
        self.inputs.push(source.clone());
        Ok(source.node)
    }
    /// Declares a target.
    pub fn target(&mut self, name: &str, ty: Type, place: &str) -> Result<NodeId, Fault> {
        let source = self.declare(Primitive::Target, name, ty, place)?;
        self.targets.push(source.clone());
        Ok(source.node)
    }
    fn declare(&mut self, primitive: Primitive, name: &str, ty: Type, place: &str) -> Result<Source, Fault> {
        if let Some(known) = self.inputs.iter().chain(&self.targets).find(|known| known.name == name) {
            return Err(twice(name).against(known.node));
        }
        self.set_place(place);
        let node = self.builder.source(primitive, name, ty.clone())?;
        self.name_value(node, name);
        Ok(Source { name: name.to_string(), node, ty, place: place.to_string() })
    }
    /// Declares a setting: an f64 scalar.
    pub fn setting(&mut self, name: &str, value: f64) -> Result<NodeId, Fault> {
        arguments::check_bounds("setting", name, Kind::ANY, value)?;
        if let Some(known) = self.settings.iter().find(|known| known.name == name) {
            return Err(twice(name).against(known.node));
        }
        let node = self.add_setting(name, value, true, Vec::new())?;
        self.name_value(node, name);
        Ok(node)
    }
    fn add_setting(&mut self, name: &str, value: f64, declared: bool, kinds: Vec<Kind>) -> Result<NodeId, Fault> {
        let node = self.builder.source(Primitive::Setting, name, Type::f64())?;
        self.settings.push(Setting { name: name.to_string(), value, node, declared, kinds });
        Ok(node)
    }
    /// An unnamed setting made from a literal; a taken name is numbered.
    pub(super) fn literal_setting(&mut self, name: &str, value: f64, kind: Kind) -> Result<NodeId, Fault> {
        let mut unique = name.to_string();
        let mut count = 1;
        while self.settings.iter().any(|known| known.name == unique) {
            count += 1;
            unique = format!("{name}_{count}");
        }
        self.add_setting(&unique, value, false, vec![kind])
    }
    /// Makes a parameter named after the scopes; in a shared scope finds it again.
    pub fn parameter(&mut self, name: &str, mut wanted: Wanted) -> Result<NodeId, Fault> {
        let name = self.path_of(name);
        wanted.frozen = self.is_frozen(&name, wanted.frozen);
        let shape = Shape::fixed(&wanted.sizes);
        if let Some(known) = self.parameter_called(&name) {
            if !self.scopes.iter().any(|scope| scope.shared) {
                return Err(twice(&name).against(known.node));
            }
            if known.shape != shape {
                let (first, second) = (shape_text(&known.shape), shape_text(&shape));
                let message = format!("`{name}` is shared: it is {first} at its first use and would be {second} here");
                return Err(Fault::new(fault::SHARED_DIFFERS, message).against(known.node));
            }
            return Ok(known.node);
        }
        let node = self.builder.source(Primitive::Parameter, &name, Type::f32(shape.clone()))?;
        self.name_value(node, &name);
        self.by_name.insert(name.clone(), self.parameters.len());
        self.parameters.push(Learned { name, node, shape, wanted, place: self.place.clone(), droppable: false });
        Ok(node)
    }
    /// The parameter of this name.
    pub fn parameter_called(&self, name: &str) -> Option<&Learned> {
        self.by_name.get(name).map(|place| &self.parameters[*place])
    }
    /// Makes a saved state named after the scopes; in a shared scope finds it again. Gives its value so far.
    pub fn state(&mut self, name: &str, shape: Shape, initial: f64) -> Result<NodeId, Fault> {
        let name = self.path_of(name);
        self.source_state(&name, shape, initial)
    }
    /// The same under a name of its own, such as `pixels.standardize.mean`.
    pub fn source_state(&mut self, name: &str, shape: Shape, initial: f64) -> Result<NodeId, Fault> {
        let ty = Type::f32(shape);
        let node = self.builder.source(Primitive::State, name, ty.clone())?;
        if self.state_nodes.insert(node) {
            self.states.push(State { name: name.to_string(), node, ty, initial, saved: true });
        }
        Ok(node)
    }
    /// A state's value after what stands before: its next value if one is set, else the old one.
    pub fn state_value(&self, state: NodeId) -> NodeId {
        self.next_places.get(&state).map_or(state, |place| self.next_states[*place].1)
    }
    /// Sets a state's value for the next step.
    pub fn set_state(&mut self, state: NodeId, next: NodeId) {
        let place = *self.next_places.entry(state).or_insert(self.next_states.len());
        match self.next_states.get_mut(place) {
            Some(known) => known.1 = next,
            None => self.next_states.push((state, next)),
        }
    }

    /// Notes that a layer added a bias nobody asked for: normalisation right after it goes on without, unless something else needs it.
    pub(super) fn note_unasked_bias(&mut self, output: NodeId, without: NodeId, bias: NodeId) {
        let place = self.parameters.iter().rposition(|known| known.node == bias);
        if let Some(place) = place.filter(|place| !self.needed_biases.contains(&self.parameters[*place].name)) {
            self.unbiased.insert(output, (without, place));
        }
    }
    /// Whether the weight of a call makes this axis of its value.
    pub(crate) fn makes(&self, one: &Use, axis: usize) -> bool {
        super::operations::axis(self, one.output, one.function.feature_axis as f64) == Some(axis)
    }
    /// The value before an unasked bias was added. The bias is dropped unless anything else needs it; then the network is built again
    /// with [`Network::needed_biases`], so that one value has one meaning for all that read it.
    pub(super) fn without_unasked_bias(&mut self, x: NodeId) -> NodeId {
        let Some(&(without, bias)) = self.unbiased.get(&x) else { return x };
        self.parameters[bias].droppable = true;
        without
    }

    /// Parameters that anything needs: a bias that nothing but normalisation saw is none.
    pub fn learned(&self) -> impl Iterator<Item = &Learned> {
        let live = self.live();
        self.parameters.iter().filter(move |learned| !learned.droppable || live[learned.node.index()])
    }
    /// With which biases this network is to be built again: those that normalisation went on without and something else needs.
    pub fn biases_to_keep(&self) -> BTreeSet<String> {
        let live = self.live();
        let kept = self.parameters.iter().filter(|learned| learned.droppable && live[learned.node.index()]);
        kept.map(|learned| learned.name.clone()).collect()
    }
    /// Whether anything that is lowered, measured, served or kept needs each node.
    fn live(&self) -> Vec<bool> {
        let ends = self.loss.into_iter().chain(self.reports.iter().map(|report| report.node));
        let ends = ends.chain(self.predicts.iter().map(|(_, node)| *node)).chain(self.next_states.iter().map(|(_, next)| *next));
        self.builder.graph().ancestors(ends)
    }
}

pub(super) fn twice(name: &str) -> Fault {
    Fault::new(fault::NAME_TWICE, format!("`{name}` is defined twice")).at(name)
}

/// A shape as the user writes it: `[batch, 64]`.
pub fn shape_text(shape: &Shape) -> String {
    let dims: Vec<String> = shape
        .0
        .iter()
        .map(|dim| match dim {
            Dim::Fixed(size) => size.to_string(),
            Dim::Batch => "batch".to_string(),
        })
        .collect();
    format!("[{}]", dims.join(", "))
}
