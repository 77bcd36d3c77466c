//! Scores and answers of a pass, kept until all rows have been seen: what follows from their order is no sum over batches.

use crate::model::Model;
use crate::workspace::Workspace;
use gradc_compiler::aggregate::{ANSWER, SCORE, area};
use gradc_compiler::loops::{BufferId, Slot};

/// The ranked values of a program in one kind of pass.
pub(crate) struct Scores {
    kept: Vec<Kept>,
    rows: Option<Slot>,
}

struct Kept {
    name: String,
    score: BufferId,
    answer: BufferId,
    sum: Slot,
    /// Elements of one row.
    width: usize,
    pairs: Vec<(f32, bool)>,
}

impl Scores {
    /// Room for a pass of `train` or `evaluate` over so many rows: nothing is allocated later.
    pub fn new(model: &Model, unit: &str, rows: usize) -> Self {
        let assembled = &model.compiled.assembled;
        let slot = |name: &str| assembled.slots.get(&format!("{unit}.{name}")).copied();
        let output = |name: &str, part: &str| assembled.outputs.get(&format!("{unit}.{name}.{part}")).copied();
        let width = |name: &str| {
            let graph = &assembled.unit(unit)?.graph;
            let node = graph.output(&format!("{name}.{SCORE}"))?;
            Some(graph.shape(node).fixed_count())
        };
        let kept = assembled.ranked.iter().filter_map(|name| {
            let width = width(name)?;
            let (score, answer, sum) = (output(name, SCORE)?, output(name, ANSWER)?, slot(&format!("{name}.sum"))?);
            Some(Kept { name: name.clone(), score, answer, sum, width, pairs: Vec::with_capacity(rows.saturating_mul(width)) })
        });
        Scores { kept: kept.collect(), rows: slot("rows") }
    }

    /// Nothing has been seen.
    pub fn clear(&mut self) {
        self.kept.iter_mut().for_each(|one| one.pairs.clear());
    }

    /// Keeps those of a batch.
    #[inline]
    pub fn add(&mut self, workspace: &Workspace, rows: usize) {
        if !self.kept.is_empty() {
            self.keep(workspace, rows);
        }
    }

    /// Apart, for most runs keep no scores: registers that it takes would be saved between any two steps.
    #[inline(never)]
    fn keep(&mut self, workspace: &Workspace, rows: usize) {
        for one in &mut self.kept {
            let (scores, answers) = (workspace.output(one.score), workspace.output(one.answer));
            let pairs = scores.iter().zip(answers).take(rows * one.width);
            one.pairs.extend(pairs.map(|(score, answer)| (*score, *answer > 0.5)));
        }
    }

    /// Puts them in order, and the values where the means of a pass are read.
    pub fn rank(&mut self, workspace: &mut Workspace) {
        let rows = self.rows.map_or(1.0, |slot| workspace.f64(slot));
        for one in &mut self.kept {
            workspace.set_f64(one.sum, area(&mut one.pairs) * rows);
        }
    }

    /// Of each value that does not exist, why.
    pub fn notes(&self) -> Vec<String> {
        let is_one_sided = |one: &&Kept| {
            let yes = one.pairs.iter().filter(|pair| pair.1).count();
            !one.pairs.is_empty() && (yes == 0 || yes == one.pairs.len())
        };
        let note = |one: &Kept| {
            let all = if one.pairs.first().is_some_and(|pair| pair.1) { "yes" } else { "no" };
            format!("`{}` is undefined (NaN): every answer of these rows is {all}, so there is no pair to compare", one.name)
        };
        self.kept.iter().filter(is_one_sided).map(note).collect()
    }
}
