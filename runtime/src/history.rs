//! What a run leaves behind: one record an epoch, and why it ended.

use crate::diagnosis::Diagnosis;
use crate::error::Result;
use crate::profile::Profile;
use crate::report::plot::{self, Panel, Series};
use gradc_compiler::base::size::counted;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One epoch of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Epoch {
    /// Counted from 1 within the run, and on from there if the run goes on with one that left a checkpoint.
    pub epoch: u64,
    /// Steps taken by its end, in the whole life of the model.
    pub step: u64,
    /// Batches seen by its end, in the whole life of the model: more than steps only where steps took several.
    pub batches: u64,
    /// Mean training loss over the rows of the epoch, without penalties; of a loss that is no mean over rows, the mean of its batches' values.
    pub loss: f64,
    /// Mean of the penalties.
    pub penalty: f64,
    /// Names of the metrics, as in [`History::metrics`].
    pub names: Arc<[String]>,
    /// Training metrics, in their order; [`Epoch::metric`] finds one by name.
    pub training: Vec<f64>,
    /// Validation loss and metrics, if there is a validation set; [`Epoch::validated`] finds a metric by name.
    pub validation: Option<(f64, Vec<f64>)>,
    /// Whether it was the best so far.
    pub improved: bool,
    /// From the epoch's start to its end.
    pub seconds: f64,
    /// What the rate was multiplied by: 1 unless [`Fit::plateau`](crate::fit::Fit::plateau) has lowered it.
    pub rate_factor: f64,
    /// Steps of the epoch that a clip left out because the norm of the gradient was not finite (`non_finite = skip`).
    pub skipped: u64,
}

impl Epoch {
    /// A metric over the training rows of the epoch, each measured before the update that it takes part in; NaN if there is none of this name.
    pub fn metric(&self, name: &str) -> f64 {
        self.of(&self.training, name)
    }

    /// A metric over the validation rows at the epoch's end; NaN without them, or if there is none of this name.
    pub fn validated(&self, name: &str) -> f64 {
        self.validation.as_ref().map_or(f64::NAN, |(_, metrics)| self.of(metrics, name))
    }

    fn of(&self, metrics: &[f64], name: &str) -> f64 {
        let place = self.names.iter().position(|known| known == name);
        place.and_then(|place| metrics.get(place).copied()).unwrap_or(f64::NAN)
    }
}

/// One step of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Its number in the whole life of the model, from 1.
    pub step: u64,
    /// Rows of its batch.
    pub rows: usize,
    /// Loss on its batch before the update, without penalties.
    pub loss: f64,
    /// The penalties then.
    pub penalty: f64,
    /// Metrics on its batch, in the order of [`History::metrics`].
    pub metrics: Vec<f64>,
}

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stopped {
    /// All epochs or steps were run.
    #[default]
    Completed,
    /// The monitored value had not improved for `patience` epochs.
    Patience,
    /// Someone asked for it.
    Interrupted,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stopped::Completed => "completed",
            Stopped::Patience => "out of patience",
            Stopped::Interrupted => "interrupted",
        })
    }
}

/// The course of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Name of the network.
    pub network: String,
    /// Names of the reported metrics.
    pub metrics: Vec<String>,
    /// In order.
    pub epochs: Vec<Epoch>,
    /// Each step, if the run was asked to record them.
    pub steps: Vec<Step>,
    /// What it looked like from within, if the run was asked to diagnose.
    pub diagnosis: Option<Diagnosis>,
    /// Where the time went, if the run was asked to tell.
    pub profile: Option<Profile>,
    /// Why it ended.
    pub stopped: Stopped,
    /// Epoch (from 1) whose parameters the model has now, if the best were restored.
    pub restored: Option<u64>,
    /// From its start to its end.
    pub elapsed: Duration,
    /// Rows trained on a second, over the whole run.
    pub samples_per_second: f64,
    /// Exact zeros in each parameter under a proximal penalty, as the run leaves it.
    pub zeros: Vec<Zeros>,
    /// What else is to be said of the run, such as a watched step that it did not reach; shown at its end unless it is quiet.
    pub notes: Vec<String>,
}

/// Five digits behind the point, as a power of ten where those before it would fill the line.
fn five(loss: f64) -> String {
    if loss.is_finite() && loss.abs() >= 1e15 { format!("{loss:.5e}") } else { format!("{loss:.5}") }
}

/// How many elements of a parameter are exactly 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zeros {
    /// Name of the parameter.
    pub name: String,
    /// Elements that are 0.
    pub zeros: usize,
    /// All elements.
    pub of: usize,
}

impl Zeros {
    /// The share of zeros; 0 of no elements.
    pub fn share(&self) -> f64 {
        if self.of == 0 { 0.0 } else { self.zeros as f64 / self.of as f64 }
    }
}

impl History {
    /// The last epoch's training loss.
    pub fn loss(&self) -> f64 {
        self.epochs.last().map_or(f64::NAN, |epoch| epoch.loss)
    }

    /// Steps that clips left out over the whole run.
    pub fn skipped(&self) -> u64 {
        self.epochs.iter().map(|epoch| epoch.skipped).sum()
    }

    /// Share of exact zeros over all parameters under a proximal penalty; `None` if there are none.
    pub fn share_of_zeros(&self) -> Option<f64> {
        let all = self.zeros.iter().fold(Zeros::default(), |all, own| Zeros {
            name: String::new(),
            zeros: all.zeros + own.zeros,
            of: all.of + own.of,
        });
        (all.of > 0).then(|| all.share())
    }

    /// One line: epochs, loss if there were any, why it ended.
    pub fn line(&self) -> String {
        let loss = self.epochs.last().map_or_else(String::new, |last| format!("loss {}, ", five(last.loss)));
        format!("{}, {loss}{}", counted(self.epochs.len(), "epoch"), self.stopped)
    }

    /// What had been done by the time that a run failed.
    pub(crate) fn so_far(&self) -> String {
        // The epoch in which it failed has a record too.
        match self.epochs.iter().rfind(|epoch| epoch.loss.is_finite()) {
            None => "in the first epoch".into(),
            Some(last) => format!("after epoch {} with loss {}", last.epoch, five(last.loss)),
        }
    }

    /// Draws loss (above) and metrics (below) by epoch as an SVG.
    pub fn plot(&self, file: impl AsRef<Path>) -> Result<()> {
        let points = |value: &dyn Fn(&Epoch) -> Option<f64>| -> Vec<(f64, f64)> {
            self.epochs.iter().filter_map(|epoch| Some((epoch.epoch as f64, value(epoch)?))).collect()
        };
        let mut series =
            vec![Series { name: "training loss".into(), panel: Panel::Loss, points: points(&|epoch| Some(epoch.loss)) }];
        let validated = self.epochs.iter().any(|epoch| epoch.validation.is_some());
        if validated {
            let points = points(&|epoch| epoch.validation.as_ref().map(|(loss, _)| *loss));
            series.push(Series { name: "validation loss".into(), panel: Panel::Loss, points });
        }
        for (number, metric) in self.metrics.iter().enumerate() {
            let of = |epoch: &Epoch| epoch.training.get(number).copied();
            series.push(Series { name: format!("training {metric}"), panel: Panel::Metric, points: points(&of) });
            if validated {
                let of = |epoch: &Epoch| epoch.validation.as_ref().and_then(|(_, metrics)| metrics.get(number).copied());
                series.push(Series { name: format!("validation {metric}"), panel: Panel::Metric, points: points(&of) });
            }
        }
        plot::plot_history(file, &self.network, "epoch", &series)
    }
}
