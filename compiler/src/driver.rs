//! The pipeline in one list: from the networks of a declaration to a program, with the text of each stage.

use crate::fusion;
use crate::graph::{Graph, NodeId, Type};
use crate::nn::arguments::{check_bounds, is_representable, range};
use crate::nn::formulas::Bounded;
use crate::nn::network::Use;
use crate::nn::parameters::{Asked, Measure};
use crate::nn::{Fault, Network, times};
use crate::passes::{self, Application, Bug, Context};
use crate::program::Graphs;
use crate::{step, summary};
use std::fmt;

/// What the outside must know of a compiled network: names, types and first values.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Info {
    /// The network's name.
    pub name: String,
    /// Inputs in the order of their declaration, then targets.
    pub fields: Vec<Field>,
    /// Learned tensors in the order of their making.
    pub parameters: Vec<Tensor>,
    /// What is kept from step to step.
    pub states: Vec<State>,
    /// Numbers that may change without compiling, by name.
    pub settings: Vec<Setting>,
    /// Arguments that are formulas of settings, and their bounds.
    pub bounded: Vec<Bounded>,
    /// What is measured on the training rows before step 1.
    pub scalers: Vec<Scaler>,
    /// Metrics in the order of their declaration.
    pub reports: Vec<Report>,
    /// What is served, by name.
    pub predictions: Vec<(String, Type)>,
    /// Whether training is possible (there is a loss and an optimizer).
    pub trains: bool,
    /// Whether some layer needs at least two rows in training (batch norm): its path.
    pub needs_two_rows: Option<String>,
    /// The table of layers.
    pub summary: String,
}

/// An input or target.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type for a batch.
    pub ty: Type,
    /// Whether it is a target.
    pub is_target: bool,
    /// Of a field that says how many steps each row has: how many there are.
    pub steps: Option<usize>,
    /// Which numbers losses take of it.
    pub asked: Vec<Asked>,
}

/// A parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Tensor {
    /// Its name in files.
    pub name: String,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Whether a proximal penalty makes exact zeros in it.
    pub proximal: bool,
}

/// A state and its first value.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    /// Its name in files.
    pub name: String,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Every element's value before step 1.
    pub initial: f64,
    /// Whether it is part of the saved model.
    pub saved: bool,
}

/// A setting and its declared value.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// The declared value.
    pub value: f64,
    /// Declared by the user, or made from a literal rate or penalty.
    pub declared: bool,
    /// Bounds of the arguments that it stands for.
    pub kinds: Vec<crate::nn::Kind>,
}

/// What is measured on the training rows of a field before step 1.
#[derive(Clone, PartialEq, Debug)]
pub struct Scaler {
    /// The input or target that is measured.
    pub field: String,
    /// Mean and standard deviation, or least value and range.
    pub standardize: bool,
    /// Names of the states that hold them, of the shape of one row.
    pub shift: String,
    /// Name of the state of the second.
    pub scale: String,
}

/// A reported metric.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// The front half's result: everything that does not depend on a machine.
#[derive(Clone, Debug)]
pub struct Front {
    /// What the outside must know.
    pub info: Info,
    /// The network at training and at evaluation time, for those who want to see more of it.
    pub networks: (Network, Network),
    /// Simplified graphs, ready to be lowered.
    pub graphs: Graphs,
    /// What fusion was told.
    pub fusion: fusion::Options,
    /// Text of the declaration with defaults filled in.
    pub declaration: String,
    /// The training network as it was built, before it was differentiated.
    pub forward: Graph,
    /// The whole step, before it was simplified.
    pub gradient: Graph,
    /// Every rewrite, in order.
    pub log: String,
    /// What rewriting did to the forward graph, before it was differentiated.
    pub forward_rewrites: Rewrites,
    /// What rewriting did to the whole step.
    pub step_rewrites: Rewrites,
}

/// What a list of passes did to a graph.
#[derive(Clone, Debug, Default)]
pub struct Rewrites {
    /// Every rewrite, in order.
    pub log: Vec<Application>,
    /// For each node after the passes, the number of the node before them that it is.
    pub labels: Vec<Option<u32>>,
    /// For each node before the passes, the node after them that stands for it.
    pub places: Vec<Option<NodeId>>,
}

impl Rewrites {
    /// Takes what a context has gathered since its log had `done` entries.
    fn take(context: &mut Context, done: usize) -> Rewrites {
        Rewrites {
            log: context.log[done..].to_vec(),
            labels: std::mem::take(&mut context.labels),
            places: std::mem::take(&mut context.places),
        }
    }
}

/// Why there is no program: the user's network, or a bug of ours.
#[derive(Clone, Debug)]
pub enum FrontError {
    /// A mistake of the user's model.
    Network(Fault),
    /// A pass that broke a graph.
    Bug(Bug),
}

impl fmt::Display for FrontError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrontError::Network(fault) => write!(f, "{fault}"),
            FrontError::Bug(bug) => write!(f, "{bug}"),
        }
    }
}

impl std::error::Error for FrontError {}

impl From<Fault> for FrontError {
    fn from(fault: Fault) -> Self {
        FrontError::Network(fault)
    }
}

impl From<Bug> for FrontError {
    fn from(bug: Bug) -> Self {
        FrontError::Bug(bug)
    }
}

/// From the same network at its two times to simplified graphs. `fuel` stops rewriting after so many applications.
pub fn front(training: &Network, evaluation: &Network, declaration: String, fuel: Option<u64>) -> Result<Front, FrontError> {
    front_with(training, evaluation, declaration, &Context { fuel, ..Context::new() })
}

/// As [`front`], with the fuel of a context; if that validates, each graph is evaluated before and after each pass.
pub fn front_with(training: &Network, evaluation: &Network, declaration: String, options: &Context) -> Result<Front, FrontError> {
    times::agree(training, evaluation)?;
    let trains = training.loss.is_some() && training.optimizer.is_some();
    let mut info =
        Info { name: training.name.clone(), trains, summary: summary::summary(training, evaluation), ..Info::default() };
    let mut graphs = Graphs::default();
    let (mut forward, mut gradient, mut log) = (Graph::default(), Graph::default(), String::new());
    let (mut forward_rewrites, mut step_rewrites) = (Rewrites::default(), Rewrites::default());
    let mut states = evaluation.states.clone();
    if trains {
        let mut half = step::forward(training)?;
        let mut context = options.clone();
        let simple = passes::simplify_forward(&half.graph, &mut context)?;
        forward = std::mem::replace(&mut half.graph, simple);
        forward_rewrites = Rewrites::take(&mut context, 0);
        let whole = step::complete(training, half)?;
        graphs.training = Some(passes::simplify_step(&whole.graph, &mut context)?);
        step_rewrites = Rewrites::take(&mut context, forward_rewrites.log.len());
        log = passes::log_text(&training.name, &context.log);
        (gradient, states) = (whole.graph, whole.states);
    }
    let mut context = options.clone();
    if evaluation.loss.is_some() {
        graphs.evaluation = Some(passes::simplify_step(&step::evaluation(evaluation)?, &mut context)?);
    }
    let loss = evaluation.loss.map(|loss| ("loss", evaluation.aggregate(loss)));
    let measured =
        loss.into_iter().chain(evaluation.reports.iter().map(|report| (report.name.as_str(), report.aggregate.clone())));
    graphs.combinations = measured.filter_map(|(name, aggregate)| Some((name.to_string(), aggregate?.combination))).collect();
    if !evaluation.predicts.is_empty() {
        graphs.prediction = Some(passes::simplify_step(&step::prediction(evaluation), &mut context)?);
    }
    graphs.initial = Some(passes::simplify_step(&step::initial(training)?, &mut context)?);
    describe(&mut info, training, evaluation, states);
    let fusion = fusion::Options::default();
    let networks = (training.clone(), evaluation.clone());
    Ok(Front { info, networks, graphs, fusion, declaration, forward, gradient, log, forward_rewrites, step_rewrites })
}

impl Front {
    /// The same with these values of the training step given out, and no others; and with updates for several batches if it
    /// `accumulates`.
    ///
    /// # Errors
    /// As [`probes::add`](crate::probes::add), and a gradient that the simplified step does not compute.
    pub fn variant<'a>(
        &self,
        watched: impl IntoIterator<Item = &'a str>,
        accumulates: bool,
        fuel: Option<u64>,
    ) -> Result<Front, FrontError> {
        let (mut training, evaluation) = self.networks.clone();
        training.probes.clear();
        for name in watched {
            crate::probes::add(&mut training, name)?;
        }
        if accumulates && !training.accumulates {
            step::accumulate::declare(&mut training)?;
        }
        front(&training, &evaluation, self.declaration.clone(), fuel)
    }

    /// The same with a rate that the driver lowers when validation stops improving.
    ///
    /// # Errors
    /// An optimizer without a rate; as [`front`].
    pub fn with_plateau(&self, fuel: Option<u64>) -> Result<Front, FrontError> {
        let (mut training, evaluation) = self.networks.clone();
        step::plateau::declare(&mut training)?;
        front(&training, &evaluation, self.declaration.clone(), fuel)
    }
}

impl Front {
    /// The same with the figures of a [`diagnosis`](crate::diagnosis) given out by the training step.
    ///
    /// # Errors
    /// As [`front`].
    pub fn diagnosed(&self, fuel: Option<u64>) -> Result<Front, FrontError> {
        let (mut training, evaluation) = self.networks.clone();
        training.diagnoses = true;
        front(&training, &evaluation, self.declaration.clone(), fuel)
    }
}

fn describe(info: &mut Info, training: &Network, evaluation: &Network, states: Vec<crate::nn::parameters::State>) {
    let field = |source: &crate::nn::parameters::Source, is_target| {
        let is_it = |network: &Network, node| network.builder.graph().source_name(node) == Some(&source.name);
        let (mut steps, mut asked) = (None, Vec::new());
        // One of the two times may not ask.
        for network in [training, evaluation] {
            let own = network.lengths.iter().filter(|(node, _)| is_it(network, *node)).map(|(_, steps)| *steps);
            steps = steps.into_iter().chain(own).min();
            for (node, one) in &network.asked {
                if is_it(network, *node) && !asked.contains(one) {
                    asked.push(*one);
                }
            }
        }
        Field { name: source.name.clone(), ty: source.ty.clone(), is_target, steps, asked }
    };
    info.fields.extend(training.inputs.iter().map(|source| field(source, false)));
    info.fields.extend(training.targets.iter().map(|source| field(source, true)));
    let sizes = |shape: &crate::graph::Shape| shape.at(1);
    info.parameters = training
        .learned()
        .map(|learned| Tensor {
            name: learned.name.clone(),
            shape: sizes(&learned.shape),
            proximal: step::penalties_of(training, learned).iter().any(|applied| applied.proximal),
        })
        .collect();
    info.states = states
        .iter()
        .map(|state| State {
            name: state.name.clone(),
            shape: sizes(&state.ty.shape),
            initial: state.initial,
            saved: state.saved,
        })
        .collect();
    info.settings = training
        .settings
        .iter()
        .map(|setting| Setting {
            name: setting.name.clone(),
            value: setting.value,
            declared: setting.declared,
            kinds: setting.kinds.clone(),
        })
        .collect();
    info.bounded = training.bounded.clone();
    let name = |node| training.builder.graph().source_name(node).unwrap_or_default().to_string();
    info.scalers = training
        .scalers
        .iter()
        .map(|scaler| Scaler {
            field: name(scaler.source),
            standardize: scaler.measure == Measure::Standardize,
            shift: name(scaler.shift),
            scale: name(scaler.scale),
        })
        .collect();
    info.reports = training
        .reports
        .iter()
        .map(|report| Report { name: report.name.clone(), higher_is_better: report.higher_is_better })
        .collect();
    let graph = evaluation.builder.graph();
    info.predictions = evaluation.predicts.iter().map(|(name, node)| (name.clone(), graph.ty(*node).clone())).collect();
    let graph = training.builder.graph();
    // One value a channel in each row: a single row has no variance. A frozen layer keeps its running moments, and looks at no batch.
    let sees_one = |one: &&Use| {
        let Some(moment) = one.function.batch_moment else { return false };
        let running = format!("{}.{moment}", one.path);
        let mut states = training.next_states.iter().map(|(state, _)| *state);
        let kept = states.find(|state| graph.source_name(*state) == Some(&running));
        let values = graph.shape(one.output).fixed_count();
        kept.is_some_and(|state| graph.shape(state).fixed_count() == values)
    };
    info.needs_two_rows = training.uses.iter().find(sees_one).map(|one| one.path.clone());
}

impl Info {
    /// Whether the setting at this place may have its value among those of all settings; the error says what must hold.
    pub fn check_setting(&self, place: usize, values: &[f64]) -> Result<(), String> {
        self.settings[place].check(values[place])?;
        let value = |name: &str| self.settings.iter().zip(values).find(|(known, _)| known.name == name).map(|(_, value)| *value);
        let mut hanging = self.bounded.iter().filter(|bounded| bounded.reads(&self.settings[place].name));
        hanging.try_for_each(|bounded| bounded.check(&value)).map_err(|fault| format!("another number: {}", fault.message))
    }
}

impl Setting {
    /// Whether a value may be set; the error says what it must be.
    pub fn check(&self, value: f64) -> Result<(), String> {
        if !value.is_finite() {
            return Err("a finite number".into());
        }
        if !is_representable(value) {
            return Err("a number of f32, which ends at 3.4e38".into());
        }
        let broken = self.kinds.iter().find(|kind| check_bounds("setting", &self.name, **kind, value).is_err());
        broken.map_or(Ok(()), |kind| Err(range(*kind)))
    }
}
