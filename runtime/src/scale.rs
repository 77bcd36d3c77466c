//! Scaling of inputs and targets: measured on the training part before step 1, kept with the model.

use crate::error::Result;
use crate::model::Model;
use crate::rows::Bound;

impl Model {
    /// Measures every scaler on these rows, unless that has been done or the model was loaded.
    pub(crate) fn measure_scalers(&mut self, rows: &Bound) -> Result<()> {
        if self.scaled {
            return Ok(());
        }
        for scaler in self.compiled.info.scalers.clone() {
            let Some(field) = self.compiled.fields.iter().position(|field| *field == scaler.field) else { continue };
            let (Some(values), Some(shift), Some(scale)) =
                (rows.floats(field), self.buffer(&scaler.shift), self.buffer(&scaler.scale))
            else {
                continue;
            };
            let measured = if scaler.standardize { moments(values, rows.rows) } else { ranges(values, rows.rows) };
            for (buffer, column) in [(shift, 0), (scale, 1)] {
                for (own, pair) in self.store.get_mut(buffer).iter_mut().zip(&measured) {
                    *own = pair[column] as f32;
                }
            }
        }
        self.scaled = true;
        Ok(())
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
