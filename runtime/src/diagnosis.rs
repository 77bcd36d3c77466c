//! What a run looked like from within: for each layer and step a handful of figures, and what they say in words.
//!
//! The figures are compiled into the step on request ([`Fit::diagnose`](crate::fit::Fit::diagnose)) as scalars of the same graph, see
//! [`gradc_compiler::diagnosis`] for what each is. The bits of the training stay what they are.

mod on_model;
pub(crate) mod record;
pub mod rules;
pub mod signal;

use crate::error::{Error, Result};
use crate::report::heat::{Heat, heat_svg};
use crate::report::table::{Align, table};
pub use gradc_compiler::diagnosis::{Figure, Layer};
pub use rules::{Kind, Verdict};
pub use signal::Signal;
use std::fmt;
use std::path::Path;

/// Figures of the layers of a network over the steps of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnosis {
    /// Name of the network.
    pub network: String,
    /// Its layers with parameters, each with the activation that follows it, in the order of the network.
    pub layers: Vec<Layer>,
    /// In order. Of a long run not every step is kept, but always the first and the last.
    pub steps: Vec<Moment>,
    /// How the run failed, if it did.
    pub failure: Option<Failure>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// Its number in the whole life of the model, from 1.
    pub step: u64,
    /// Loss on its batch before the update, without penalties.
    pub loss: f64,
    /// Figures of each layer of [`Diagnosis::layers`].
    pub layers: Vec<Figures>,
}

/// Figures of one layer in one step; what does not apply is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Norm of the gradient by the layer's trained parameters, before clips.
    pub gradient_norm: Option<f64>,
    /// Norm of these parameters before the update.
    pub weight_norm: Option<f64>,
    /// Norm of the update.
    pub update_norm: Option<f64>,
    /// Mean of the value behind the activation.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
    /// Mean of the gradient by that value.
    pub gradient_mean: Option<f64>,
    /// Standard deviation of the gradient by that value.
    pub gradient_deviation: Option<f64>,
    /// Share of the outputs of a bounded activation (`sigmoid`, `tanh`, their hard forms, `softsign`) within 2.5 % of their range of a
    /// limit: `sigmoid` below 0.025 or above 0.975, `tanh` beyond ±0.95. The derivative is there less than a tenth of its largest.
    pub saturated: Option<f64>,
    /// Share of the units of `relu`, `relu6` and `hard_swish` that are 0 for the whole batch.
    pub dead: Option<f64>,
}

impl Figures {
    /// Norm of the update by norm of the parameters: about 1e-3 where training goes well.
    pub fn update_ratio(&self) -> Option<f64> {
        match (self.update_norm, self.weight_norm) {
            (Some(update), Some(weight)) if weight > 0.0 || weight.is_nan() => Some(update / weight),
            _ => None,
        }
    }

    /// Variance of the value behind the activation.
    pub fn variance(&self) -> f64 {
        self.deviation * self.deviation
    }

    /// Variance of the gradient by that value.
    pub fn gradient_variance(&self) -> Option<f64> {
        self.gradient_deviation.map(|deviation| deviation * deviation)
    }

    fn of(figure: impl Fn(Figure) -> Option<f64>) -> Figures {
        Figures {
            gradient_norm: figure(Figure::GradientNorm),
            weight_norm: figure(Figure::WeightNorm),
            update_norm: figure(Figure::UpdateNorm),
            mean: figure(Figure::Mean).unwrap_or(f64::NAN),
            deviation: figure(Figure::Deviation).unwrap_or(f64::NAN),
            gradient_mean: figure(Figure::GradientMean),
            gradient_deviation: figure(Figure::GradientDeviation),
            saturated: figure(Figure::Saturated),
            dead: figure(Figure::Dead),
        }
    }
}

/// How a run failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The step whose loss was not finite.
    pub step: u64,
    /// That loss.
    pub loss: f64,
    /// The first node with a value that is not finite.
    pub node: Option<String>,
}

impl Diagnosis {
    /// What the figures say, the gravest first; empty for a healthy run.
    pub fn verdicts(&self) -> Vec<Verdict> {
        rules::verdicts(self)
    }

    /// The course of one figure of a layer over the steps; steps without it are left out.
    pub fn course(&self, layer: usize, figure: impl Fn(&Figures) -> Option<f64>) -> impl Iterator<Item = (u64, f64)> {
        self.steps.iter().filter_map(move |moment| Some((moment.step, figure(moment.layers.get(layer)?)?)))
    }

    /// The median of one figure of a layer over the steps.
    pub fn median(&self, layer: usize, figure: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
        median(self.course(layer, figure).map(|(_, value)| value).collect())
    }

    /// The picture as the text of an SVG: layers up, steps along, coloured by the decimal logarithm of the gradient norm.
    ///
    /// # Errors
    /// If there is no step to draw.
    pub fn svg(&self) -> Result<String> {
        let rows = (0..self.layers.len()).filter(|layer| self.course(*layer, |figures| figures.gradient_norm).next().is_some());
        let row = |layer: usize| {
            let of = |moment: &Moment| moment.layers.get(layer).and_then(|figures| figures.gradient_norm).unwrap_or(f64::NAN);
            (self.layers[layer].name.clone(), self.steps.iter().map(of).collect())
        };
        heat_svg(&Heat {
            title: format!("{}: gradient norm by layer and step", self.network),
            steps: self.steps.iter().map(|moment| moment.step).collect(),
            rows: rows.map(row).collect(),
        })
    }

    /// Writes [`Diagnosis::svg`] to a file.
    ///
    /// # Errors
    /// If there is no step to draw, or the file cannot be written.
    pub fn plot(&self, file: impl AsRef<Path>) -> Result<()> {
        let file = file.as_ref();
        std::fs::write(file, self.svg()?).map_err(|error| Error::write(file, error))
    }
}

impl fmt::Display for Diagnosis {
    /// A table of medians over the steps, a line a layer, then the verdicts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.steps[..], self.steps.last()) {
            ([], _) | (_, None) => writeln!(f, "{}: no step was taken", self.network)?,
            ([only], _) => writeln!(f, "{}, step {}:", self.network, only.step)?,
            ([first, ..], Some(last)) => {
                writeln!(f, "{}, medians of steps {} to {}:", self.network, first.step, last.step)?;
            }
        }
        let heads = ["gradient", "update/weight", "mean", "variance", "saturated", "dead"];
        let columns = [("layer", Align::Left), ("activation", Align::Left)].into_iter();
        let columns: Vec<_> = columns.chain(heads.map(|head| (head, Align::Right))).collect();
        let row = |(place, layer): (usize, &Layer)| {
            let median = |figure: fn(&Figures) -> Option<f64>| self.median(place, figure);
            let share = |share: Option<f64>| share.map_or_else(String::new, percent);
            vec![
                layer.name.clone(),
                layer.activation.unwrap_or_default().to_string(),
                median(|figures| figures.gradient_norm).map_or_else(String::new, scientific),
                median(Figures::update_ratio).map_or_else(String::new, scientific),
                median(|figures| Some(figures.mean)).map_or_else(String::new, number),
                median(|figures| Some(figures.variance())).map_or_else(String::new, number),
                share(median(|figures| figures.saturated)),
                share(median(|figures| figures.dead)),
            ]
        };
        write!(f, "{}", table(&columns, &self.layers.iter().enumerate().map(row).collect::<Vec<_>>()))?;
        let verdicts = self.verdicts();
        if verdicts.is_empty() {
            writeln!(f, "healthy: nothing vanishes, explodes, saturates or dies")?;
        }
        verdicts.iter().try_for_each(|verdict| writeln!(f, "{verdict}"))
    }
}

/// Adds what is known of a failure to the diagnosis of its history.
pub(crate) fn failed(mut error: Error) -> Error {
    if let Error::Diverged { step, loss, node, history: Some(history), .. } = &mut error
        && let Some(diagnosis) = &mut history.diagnosis
    {
        diagnosis.failure = Some(Failure { step: *step, loss: *loss, node: node.as_deref().map(str::to_owned) });
    }
    error
}

/// The middle of the values, NaN last.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// `0.503`, `12.3`; powers of ten where that would say too little or take too much room.
fn number(value: f64) -> String {
    match value.abs() {
        size if (0.01..10.0).contains(&size) => format!("{value:.3}"),
        size if (10.0..1000.0).contains(&size) => format!("{value:.1}"),
        _ => scientific(value),
    }
}

/// `1.2e-3`; 0 and what is not finite as they are.
fn scientific(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        value if !value.is_finite() => value.to_string(),
        value => format!("{value:.1e}"),
    }
}

/// `63 %`.
fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
