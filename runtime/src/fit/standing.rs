//! What a run has learned of its epochs: a run that goes on from a checkpoint judges as the one that was ended would have.

use gradc_compiler::step::plateau::SCALE;
use std::collections::BTreeMap;

/// How the epochs of a run were, as the driver keeps it: the best score (lower is better), its epoch, how many epochs patience and plateau have
/// waited since, and what the rate is multiplied by.
pub(crate) type Judged = [f64; 5];

/// What these numbers are called in a checkpoint.
pub(crate) const JUDGED: [&str; 5] = ["run.best", "run.best_epoch", "run.waited", "run.plateau_waited", "run.rate_factor"];

/// Before the first epoch.
pub(crate) const UNJUDGED: Judged = [f64::INFINITY, 0.0, 0.0, 0.0, 1.0];

/// What decides the bits of a run beside the network, by name: the rows, and how they make batches.
pub(crate) type Terms = BTreeMap<String, String>;

/// Where a run stands behind an epoch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    /// Epochs of the run so far.
    pub epochs: u64,
    /// Steps of the run so far.
    pub steps: u64,
    pub judged: Judged,
    /// The result by which they were judged.
    pub monitor: String,
    /// Whether the model has a copy of the best parameters.
    pub copied: bool,
    /// What the run was given.
    pub terms: Terms,
}

impl Default for Standing {
    fn default() -> Self {
        Standing { epochs: 0, steps: 0, judged: UNJUDGED, monitor: String::new(), copied: false, terms: Terms::new() }
    }
}

impl Standing {
    /// The same for a run that is judged by `monitor`, if it is, and restores the best parameters or not: what it cannot go on with it begins anew.
    pub fn of_run(self, monitor: Option<&str>, restores: bool) -> Standing {
        let is_known = self.copied || !restores || self.judged[0].is_infinite();
        if monitor == Some(&self.monitor) && is_known {
            return self;
        }
        Standing { epochs: self.epochs, steps: self.steps, ..Standing::default() }
    }

    /// In what a run on these terms differs from the one that was ended.
    pub fn otherwise(&self, terms: &Terms) -> Option<String> {
        let before = |name: &String| self.terms.get(name).map_or("unknown", String::as_str);
        let others = terms.iter().filter(|(name, now)| before(name) != now.as_str());
        let others: Vec<String> = others.map(|(name, now)| format!("{name}: {now}, before {}", before(name))).collect();
        let said = format!(
            "the training goes on otherwise than it began, so its bits are not those of a run that never ended ({})",
            others.join("; ")
        );
        (!others.is_empty()).then_some(said)
    }

    /// Whether it has waited for so many epochs.
    pub fn is_out_of(&self, patience: Option<u64>) -> bool {
        patience.is_some_and(|patience| self.judged[2] >= patience as f64)
    }

    /// Tells the driver, whose epochs are counted from 0 within what is left of the run.
    pub fn instruct(&self, lowers: bool, mut set: impl FnMut(&str, f64)) {
        let [best, best_epoch, waited, plateau_waited, rate_factor] = self.judged;
        set("best", best);
        set("best.epoch", best_epoch - 1.0 - self.epochs as f64);
        set("waited", waited);
        if lowers {
            set("plateau.waited", plateau_waited);
            set(&format!("setting.{SCALE}"), rate_factor);
        }
    }
}
