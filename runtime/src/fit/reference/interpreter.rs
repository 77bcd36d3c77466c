//! Parameters and states in f64: what a step and an evaluation make of them.

use crate::evaluate::CHUNK;
use crate::fit::Turn;
use crate::model::Model;
use crate::rows::{Bound, row_shape};
use gradc_compiler::aggregate::{Combination, Sums};
use gradc_compiler::graph::{Element, Graph};
use gradc_compiler::ops::{Array, Environment};
use gradc_compiler::pipeline::{Field, Tensor};
use gradc_compiler::reference;
use gradc_compiler::step::{SKIPPED, accumulate, plateau};
use std::collections::BTreeMap;

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, Array>;

/// Values over the batches of a pass, combined as the native driver combines them.
pub(super) struct Means<'a> {
    combinations: &'a BTreeMap<String, Combination>,
    rows: f64,
    by_rows: BTreeMap<String, f64>,
    others: BTreeMap<String, Sums>,
}

impl<'a> Means<'a> {
    pub(super) fn new(combinations: &'a BTreeMap<String, Combination>) -> Self {
        let others = combinations.iter().map(|(name, combination)| (name.clone(), Sums::new(combination))).collect();
        Means { combinations, rows: 0.0, by_rows: BTreeMap::new(), others }
    }
    pub(super) fn add(&mut self, outputs: &Tensors, rows: usize) {
        self.rows += rows as f64;
        for (name, value) in outputs {
            let value = value.data.first().copied().unwrap_or(f64::NAN);
            let Some((combination, sums)) = self.combinations.get(name).zip(self.others.get_mut(name)) else {
                *self.by_rows.entry(name.clone()).or_default() += value * rows as f64;
                continue;
            };
            let parts = combination.parts.iter().filter_map(|part| outputs.get(&format!("{name}.{part}")));
            let parts: Vec<&[f64]> = parts.map(|part| part.data.as_slice()).collect();
            sums.add(value, &parts, rows as f64);
        }
    }
    pub(super) fn of(&self, name: &str) -> f64 {
        match (self.others.get(name), self.by_rows.get(name)) {
            (Some(sums), _) => sums.value(),
            (None, Some(sum)) => sum / self.rows,
            (None, None) => 0.0,
        }
    }
}

/// Parameters and states in f64, and what a step needs beside them.
pub(crate) struct Interpreter<'a> {
    pub(crate) fields: &'a [Field],
    pub(crate) kept: Tensors,
    pub(crate) settings: Tensors,
    /// The step at which the run ends.
    pub(crate) steps: f64,
    pub(crate) seed: u64,
}

impl Interpreter<'_> {
    /// Tells a step that accumulates which batch of its update it sees.
    pub(super) fn stands(&mut self, turn: Turn) {
        let number = |is: bool| f64::from(u8::from(is));
        let group = [
            (accumulate::FIRST, number(turn.is_first)),
            (accumulate::LAST, number(turn.is_last)),
            (accumulate::SHARE, turn.share),
        ];
        for (name, value) in group {
            if let Some(setting) = self.settings.get_mut(name) {
                setting.data[0] = value;
            }
        }
    }

    /// What the rate is multiplied by, if it may be lowered.
    pub(super) fn rate_factor(&mut self) -> Option<&mut f64> {
        self.settings.get_mut(plateau::SCALE).map(|scale| &mut scale.data[0])
    }

    /// Steps that were skipped so far.
    pub(super) fn skipped(&self) -> u64 {
        self.kept.get(SKIPPED).map_or(0, |count| count.data[0] as u64)
    }

    pub(crate) fn environment(&self, bound: &Bound, rows: &[u32], [step, turn, epoch]: [u64; 3]) -> Environment {
        let mut sources = self.kept.clone();
        sources.extend(self.settings.clone());
        for (number, field) in self.fields.iter().enumerate() {
            let shape = row_shape(field);
            let width: usize = shape.iter().product();
            let words = bound.words(number).unwrap_or_default();
            let number = |word: &u32| match field.ty.element {
                Element::F32 | Element::F64 => f64::from(f32::from_bits(*word)),
                Element::Bool => f64::from(u8::from(*word != 0)),
                _ => f64::from(*word as i32),
            };
            let values = rows.iter().flat_map(|row| words.iter().skip(*row as usize * width).take(width).map(number));
            sources.insert(field.name.clone(), Array::new([&[rows.len()], &shape[..]].concat(), values.collect()));
        }
        Environment { sources, batch: rows.len(), step, turn, steps: self.steps, epoch, seed: self.seed }
    }

    /// Whether no parameter is a NaN or an infinity where the model takes it back.
    pub(super) fn is_finite(&self, parameters: &[Tensor]) -> bool {
        let values = parameters.iter().filter_map(|parameter| self.kept.get(&parameter.name));
        values.flat_map(|array| &array.data).all(|value| (*value as f32).is_finite())
    }

    /// A pass over rows in chunks.
    pub(super) fn evaluate<'c>(
        &self,
        graph: &Graph,
        bound: &Bound,
        combinations: &'c BTreeMap<String, Combination>,
    ) -> Means<'c> {
        let mut means = Means::new(combinations);
        let all: Vec<u32> = (0..bound.rows as u32).collect();
        for rows in all.chunks(CHUNK) {
            let (outputs, _) = reference::run(graph, &self.environment(bound, rows, [0, 0, 0]));
            means.add(&outputs, rows.len());
        }
        means
    }
}

impl Model {
    /// The state in f64: parameters and states by name.
    pub(crate) fn interpreter(&self) -> Interpreter<'_> {
        let info = &self.compiled.info;
        let array = |name: &str, shape: &[usize]| {
            let values = self.buffer(name).map_or_else(Vec::new, |buffer| self.store.numbers(buffer, self.lane(buffer)));
            (name.to_string(), Array::new(shape.to_vec(), values))
        };
        let parameters = info.parameters.iter().map(|parameter| array(&parameter.name, &parameter.shape));
        let states = info.states.iter().map(|state| array(&state.name, &state.shape));
        let settings = info.settings.iter().zip(&self.settings);
        Interpreter {
            fields: &info.fields,
            kept: parameters.chain(states).collect(),
            settings: settings.map(|(setting, value)| (setting.name.clone(), Array::scalar(*value))).collect(),
            steps: f64::INFINITY,
            seed: self.seed,
        }
    }

    pub(super) fn take_back(&mut self, kept: &Tensors) {
        for (name, array) in kept {
            if let Some(buffer) = self.buffer(name) {
                self.store.set_numbers(buffer, self.lane(buffer), &array.data);
            }
        }
    }
}
