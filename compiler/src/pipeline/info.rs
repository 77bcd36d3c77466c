//! What is known of a compiled network without its graphs: names, types, first values, bounds.

use crate::graph::{Shape, Type};
use crate::nn::arguments::{check_bounds, is_representable, range};
use crate::nn::formulas::Bounded;
use crate::nn::network::Use;
use crate::nn::parameters::{self, Asked, Learned, Measure};
use crate::nn::{Kind, Network};
use crate::{step, summary};

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
    pub kinds: Vec<Kind>,
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

impl Info {
    /// Of a network at its two times, with the states of its training step if it trains.
    pub(super) fn of(training: &Network, evaluation: &Network, states: &[parameters::State]) -> Info {
        let inputs = training.inputs.iter().map(|source| (source, false));
        let fields = inputs.chain(training.targets.iter().map(|source| (source, true)));
        let graph = evaluation.builder.graph();
        let predictions = evaluation.predicts.iter().map(|(name, node)| (name.clone(), graph.ty(*node).clone()));
        Info {
            name: training.name.clone(),
            fields: fields.map(|(source, is_target)| Field::of([training, evaluation], source, is_target)).collect(),
            parameters: training.learned().map(|learned| Tensor::of(training, learned)).collect(),
            states: states.iter().map(State::of).collect(),
            settings: training.settings.iter().map(Setting::of).collect(),
            bounded: training.bounded.clone(),
            scalers: training.scalers.iter().map(|scaler| Scaler::of(training, scaler)).collect(),
            reports: training.reports.iter().map(Report::of).collect(),
            predictions: predictions.collect(),
            trains: training.loss.is_some() && training.optimizer.is_some(),
            needs_two_rows: needs_two_rows(training),
            summary: summary::summary(training, evaluation),
        }
    }

    /// Whether the setting at this place may have its value among those of all settings; the error says what must hold.
    pub fn check_setting(&self, place: usize, values: &[f64]) -> Result<(), String> {
        self.settings[place].check(values[place])?;
        let value = |name: &str| self.settings.iter().zip(values).find(|(known, _)| known.name == name).map(|(_, value)| *value);
        let mut hanging = self.bounded.iter().filter(|bounded| bounded.reads(&self.settings[place].name));
        hanging.try_for_each(|bounded| bounded.check(&value)).map_err(|fault| format!("another number: {}", fault.message))
    }
}

/// The sizes of a tensor that has the same in every batch.
fn sizes(shape: &Shape) -> Vec<usize> {
    shape.at(1)
}

impl Field {
    /// One of the two networks may not ask.
    fn of(networks: [&Network; 2], source: &parameters::Source, is_target: bool) -> Self {
        let (mut steps, mut asked) = (None, Vec::new());
        for network in networks {
            let is_it = |node| network.builder.graph().source_name(node) == Some(&source.name);
            let own = network.lengths.iter().filter(|(node, _)| is_it(*node)).map(|(_, steps)| *steps);
            steps = steps.into_iter().chain(own).min();
            for (node, one) in &network.asked {
                if is_it(*node) && !asked.contains(one) {
                    asked.push(*one);
                }
            }
        }
        Self { name: source.name.clone(), ty: source.ty.clone(), is_target, steps, asked }
    }
}

impl Tensor {
    fn of(network: &Network, learned: &Learned) -> Self {
        let proximal = step::penalties_of(network, learned).iter().any(|applied| applied.proximal);
        Self { name: learned.name.clone(), shape: sizes(&learned.shape), proximal }
    }
}

impl State {
    fn of(state: &parameters::State) -> Self {
        Self { name: state.name.clone(), shape: sizes(&state.ty.shape), initial: state.initial, saved: state.saved }
    }
}

impl Scaler {
    fn of(network: &Network, scaler: &parameters::Scaler) -> Self {
        let name = |node| network.builder.graph().source_name(node).unwrap_or_default().to_string();
        Self {
            field: name(scaler.source),
            standardize: scaler.measure == Measure::Standardize,
            shift: name(scaler.shift),
            scale: name(scaler.scale),
        }
    }
}

impl Report {
    fn of(report: &parameters::Report) -> Self {
        Self { name: report.name.clone(), higher_is_better: report.higher_is_better }
    }
}

/// The layer that needs at least two rows in training.
fn needs_two_rows(training: &Network) -> Option<String> {
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
    training.uses.iter().find(sees_one).map(|one| one.path.clone())
}

impl Setting {
    fn of(setting: &parameters::Setting) -> Self {
        let parameters::Setting { name, value, declared, kinds, .. } = setting.clone();
        Self { name, value, declared, kinds }
    }

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
