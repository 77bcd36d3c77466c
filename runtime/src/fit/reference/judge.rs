//! How a run is judged: the rules of the native driver, in f64.

use super::interpreter::{Interpreter, Tensors};
use crate::fit::{Fit, Plan, Standing};
use crate::history::Epoch;
use crate::model::Model;
use gradc_compiler::graph::Graph;
use gradc_compiler::loops::BufferId;
use gradc_compiler::ops::{Array, Primitive};

/// What a run has learned of its epochs, and what follows from it.
pub(super) struct Judge<'a> {
    plan: &'a Plan,
    least: f64,
    plateau: Option<(f64, u64)>,
    patience: Option<u64>,
    standing: Standing,
    /// The best epoch's copy of what evaluation reads.
    copy: Tensors,
}

impl<'a> Judge<'a> {
    /// Goes on with what an earlier run has learned.
    pub(super) fn new(fit: &Fit, plan: &'a Plan, standing: Standing) -> Self {
        let copy = if standing.copied { fit.model.best_copy() } else { Tensors::new() };
        Judge { plan, least: fit.least, plateau: fit.plateau, patience: fit.patience, standing, copy }
    }

    /// Epochs and steps of the run that this one goes on with.
    pub(super) fn before(&self) -> (u64, u64) {
        (self.standing.epochs, self.standing.steps)
    }

    /// Tells the interpreter how far the rate has been lowered.
    pub(super) fn instruct(&self, interpreter: &mut Interpreter) {
        let [.., factor] = self.standing.judged;
        if let Some(scale) = interpreter.rate_factor() {
            *scale = factor;
        }
    }

    /// Judges an epoch by its score: keeps a copy if it is the best one, lowers the rate if it is time to.
    pub(super) fn judge(&mut self, record: &mut Epoch, score: f64, interpreter: &mut Interpreter, evaluation: &Graph) {
        let [best, best_epoch, waited, since, _] = &mut self.standing.judged;
        let score = score * self.plan.sign();
        record.improved = score + self.least < *best;
        if record.improved {
            (*best, *best_epoch, *waited, *since) = (score, record.epoch as f64, 0.0, 0.0);
            self.copy = best_copy(&interpreter.kept, evaluation);
            return;
        }
        (*waited, *since) = (*waited + 1.0, *since + 1.0);
        if let (Some((factor, epochs)), Some(scale)) = (self.plateau, interpreter.rate_factor())
            && *since >= epochs as f64
        {
            *scale *= factor;
            *since = 0.0;
        }
    }

    /// Whether the run has waited long enough.
    pub(super) fn is_out_of_patience(&self) -> bool {
        self.standing.is_out_of(self.patience)
    }

    /// The best epoch, if there is one, and its copy.
    pub(super) fn best(self) -> Option<(u64, Tensors)> {
        let [best, epoch, ..] = self.standing.judged;
        best.is_finite().then_some((epoch as u64, self.copy))
    }
}

/// What the best epoch leaves behind: parameters, and states that evaluation reads.
fn best_copy(kept: &Tensors, evaluation: &Graph) -> Tensors {
    let is_kept = |name: &String| {
        evaluation.find_source(Primitive::Parameter, name).is_some() || evaluation.find_source(Primitive::State, name).is_some()
    };
    kept.iter().filter(|(name, _)| is_kept(name)).map(|(name, array)| (name.clone(), array.clone())).collect()
}

impl Model {
    /// The copy of the best epoch that stands behind a checkpoint.
    fn best_copy(&self) -> Tensors {
        let shaped = self.interpreter().kept;
        let copy = |(name, buffer): (&str, BufferId)| {
            let shape = shaped.get(name)?.dims.clone();
            Some((name.to_owned(), Array::new(shape, self.store.numbers(buffer, self.lane(buffer)))))
        };
        self.compiled.copies().filter_map(copy).collect()
    }
}
