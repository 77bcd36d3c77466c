//! The front half of the pipeline in one list: from the networks of a declaration to simplified graphs, and what must be known beside them.

mod info;

use crate::fusion;
use crate::graph::{Graph, NodeId};
use crate::nn::{Fault, Network, times};
use crate::passes::{self, Application, Bug, Context};
use crate::program::Graphs;
use crate::step;
pub use info::{Field, Info, Report, Scaler, Setting, State, Tensor};
use std::fmt;

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
    let info = Info::of(training, evaluation, &states);
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
