//! Scaling of inputs and targets: measured on the training part before step 1, kept with the model.

use crate::error::Result;
use crate::model::Model;
use crate::rows::Bound;

impl Model {
    /// Measures on these rows what scalers have not been given yet.
    pub(crate) fn measure_scalers(&mut self, rows: &Bound) -> Result<()> {
        for scaler in self.compiled.info.scalers.clone() {
            let Some(field) = self.compiled.fields.iter().position(|field| *field == scaler.field) else { continue };
            let (Some(values), Some(shift), Some(scale)) =
                (rows.floats(field), self.buffer(&scaler.shift), self.buffer(&scaler.scale))
            else {
                continue;
            };
            let unknown = [(scaler.shift, shift, 0), (scaler.scale, scale, 1)].into_iter();
            let unknown: Vec<_> = unknown.filter(|(name, ..)| !self.scaled.contains(name)).collect();
            if unknown.is_empty() {
                continue;
            }
            let measured = if scaler.standardize { moments(values, rows.rows) } else { ranges(values, rows.rows) };
            for (name, buffer, column) in unknown {
                self.scaled.insert(name);
                for (own, pair) in self.store.get_mut(buffer).iter_mut().zip(&measured) {
                    *own = pair[column] as f32;
                }
            }
        }
        Ok(())
    }

    /// Remembers that a state has got its values from outside, if it is one of a scaler.
    pub(crate) fn note_scaled(&mut self, name: &str) {
        if self.is_of_scaler(name) {
            self.scaled.insert(name.to_owned());
        }
    }

    /// Whether a state is what a scaler has measured.
    pub(crate) fn is_of_scaler(&self, name: &str) -> bool {
        self.compiled.info.scalers.iter().any(|scaler| scaler.shift == name || scaler.scale == name)
    }
}

/// Mean and standard deviation (over n; 1 where it is 0) of each column, in two passes in f64.
fn moments(values: &[f32], rows: usize) -> Vec<[f64; 2]> {
    let width = values.len() / rows.max(1);
    let mut measured = vec![[0.0, 0.0]; width];
    for row in values.chunks_exact(width.max(1)) {
        for (pair, value) in measured.iter_mut().zip(row) {
            pair[0] += f64::from(*value);
        }
    }
    for pair in &mut measured {
        pair[0] /= rows as f64;
    }
    for row in values.chunks_exact(width.max(1)) {
        for (pair, value) in measured.iter_mut().zip(row) {
            pair[1] += (f64::from(*value) - pair[0]).powi(2);
        }
    }
    for pair in &mut measured {
        let deviation = (pair[1] / rows as f64).sqrt();
        pair[1] = if deviation > 0.0 { deviation } else { 1.0 };
    }
    measured
}

/// Least value and range (1 where it is 0) of each column.
fn ranges(values: &[f32], rows: usize) -> Vec<[f64; 2]> {
    let width = values.len() / rows.max(1);
    let mut bounds = vec![[f64::INFINITY, f64::NEG_INFINITY]; width];
    for row in values.chunks_exact(width.max(1)) {
        for (pair, value) in bounds.iter_mut().zip(row) {
            *pair = [pair[0].min(f64::from(*value)), pair[1].max(f64::from(*value))];
        }
    }
    bounds.into_iter().map(|[low, high]| [low, if high > low { high - low } else { 1.0 }]).collect()
}
