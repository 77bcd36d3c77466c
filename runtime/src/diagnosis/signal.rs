//! The signal through a network: mean and variance of activations and of gradients, layer by layer, at one set of parameters.
//!
//! An initialiser has two aims (Glorot and Bengio, 2010): values of mean 0, and the same variance in every layer, forward and backward.

use super::{Diagnosis, Figures, Layer, number, scientific};
use crate::report::table::{Align, table};
use std::fmt;

/// A mean counts as 0 up to this share of the standard deviation. `relu` behind weights of mean 0 has 0.68, `sigmoid` far more; `tanh`,
/// `elu` and `selu` stay below.
pub const MEAN: f64 = 0.5;

/// Variances count as the same up to this factor between the least and the largest. Twenty layers that keep all but a ninth each are
/// within it; 20 layers of width 16 that keep all in the mean are so but for chance.
pub const FACTOR: f64 = 10.0;

/// Mean and variance of activations and gradients, layer by layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signal {
    /// Name of the network.
    pub network: String,
    /// The layers, each with the activation that follows it.
    pub layers: Vec<Layer>,
    /// Their figures; those of an update are of no interest here.
    pub figures: Vec<Figures>,
    /// Rows of the batch.
    pub rows: usize,
    /// Whether the rows were random numbers.
    pub is_random: bool,
}

impl Signal {
    pub(super) fn of(diagnosis: Diagnosis, rows: usize, is_random: bool) -> Signal {
        let figures = diagnosis.steps.into_iter().next().map_or_else(Vec::new, |moment| moment.layers);
        Signal { network: diagnosis.network, layers: diagnosis.layers, figures, rows, is_random }
    }

    /// The layers that the aims are about: all but the last, whose values are the outputs.
    fn hidden(&self) -> impl Iterator<Item = (&Layer, &Figures)> {
        let count = self.layers.len().saturating_sub(1).max(1);
        self.layers.iter().zip(&self.figures).take(count)
    }

    /// The first aim: the layer with the largest mean, in standard deviations.
    pub fn largest_mean(&self) -> Option<(&str, f64)> {
        let size = |figures: &Figures| match figures.deviation {
            0.0 if figures.mean == 0.0 => 0.0,
            deviation => (figures.mean / deviation).abs(),
        };
        let sizes = self.hidden().map(|(layer, figures)| (layer.name.as_str(), size(figures)));
        sizes.max_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    /// The second aim, forward: the largest variance of a hidden layer's value by the least.
    pub fn spread(&self) -> f64 {
        spread(self.hidden().map(|(_, figures)| figures.variance()))
    }

    /// The second aim, backward: the same of the gradients.
    pub fn gradient_spread(&self) -> f64 {
        spread(self.hidden().filter_map(|(_, figures)| figures.gradient_variance()))
    }

    /// One sentence: whether the two aims hold.
    pub fn sentence(&self) -> String {
        let (name, size) = self.largest_mean().unwrap_or(("", 0.0));
        let means = if size <= MEAN {
            format!("mean 0 holds (at most {size:.2} deviations)")
        } else {
            format!("mean 0 does not hold (`{name}` lies {} deviations away)", short(size))
        };
        let factor = |spread: f64| {
            let holds = if spread <= FACTOR { "holds" } else { "does not hold" };
            format!("{holds} (a factor of {})", short(spread))
        };
        let (forward, backward) = (factor(self.spread()), factor(self.gradient_spread()));
        format!("The two aims: {means}; the same variance in every layer {forward} forward and {backward} backward.")
    }
}

fn short(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { scientific(value) }
}

fn spread(variances: impl Iterator<Item = f64>) -> f64 {
    let variances: Vec<f64> = variances.collect();
    let least = variances.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = variances.iter().copied().fold(0.0, f64::max);
    match variances.iter().all(|variance| variance.is_finite()) {
        _ if variances.is_empty() => 1.0,
        true if largest == 0.0 => 1.0,
        true => largest / least,
        false => f64::INFINITY,
    }
}

impl fmt::Display for Signal {
    /// A line a layer, then the sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_random { "random rows" } else { "rows" };
        writeln!(f, "{}, activations and their gradients on {} {kind}:", self.network, self.rows)?;
        let columns = [
            ("layer", Align::Left),
            ("activation", Align::Left),
            ("initialiser", Align::Left),
            ("mean", Align::Right),
            ("variance", Align::Right),
            ("gradient mean", Align::Right),
            ("gradient variance", Align::Right),
        ];
        let rows = self.layers.iter().zip(&self.figures).map(|(layer, figures)| {
            let optional = |value: Option<f64>| value.map_or_else(String::new, scientific);
            vec![
                layer.name.clone(),
                layer.activation.unwrap_or_default().to_string(),
                layer.initializer.clone(),
                number(figures.mean),
                number(figures.variance()),
                optional(figures.gradient_mean),
                optional(figures.gradient_variance()),
            ]
        });
        write!(f, "{}", table(&columns, &rows.collect::<Vec<_>>()))?;
        writeln!(f, "{}", self.sentence())
    }
}
