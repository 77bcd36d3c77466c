//! A model that is looked at: a few steps on a copy.

use super::{Diagnosis, Signal};
use crate::compiled::{Compiled, front_error};
use crate::data::{Dataset, Element};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::random::Rng;
use crate::rows::{Rows, specs};
use std::sync::Arc;

/// Steps of a short diagnosis, and rows of each.
const STEPS: u64 = 10;
const BATCH: usize = 32;

/// Rows of the batch whose signal is measured, if there are as many.
const ROWS: usize = 1024;

/// Random rows where there are no data.
const RANDOM_ROWS: usize = 256;

/// Streams of the random rows, a field each.
const STREAM: u64 = u64::from_be_bytes(*b"\0\0signal");

impl Compiled {
    /// The same network with figures of its layers given out by the step: compiled at the first call, kept with this one.
    pub(crate) fn diagnosed(self: &Arc<Self>) -> Result<Arc<Compiled>> {
        if self.front.networks.0.diagnoses {
            return Ok(self.clone());
        }
        if let Some(known) = self.diagnosed.get() {
            return Ok(known.clone());
        }
        let front = self.front.diagnosed(crate::env::fuel()).map_err(|error| front_error(&error))?;
        let compiled = Model::compile(front, &self.options)?.compiled;
        Ok(self.diagnosed.get_or_init(|| compiled).clone())
    }
}

impl Model {
    /// A short diagnosis: ten steps of 32 rows on a copy of the model, which itself stays as it is. `()` stands for the data of a network
    /// without inputs. What is asked of a whole run is [`Fit::diagnose`](crate::fit::Fit::diagnose).
    ///
    /// The first call compiles the step again, with the figures as further outputs.
    ///
    /// # Errors
    /// As [`Fit::run`](crate::fit::Fit::run), but for a loss that is not finite: that is part of the diagnosis.
    pub fn diagnose<'r>(&self, data: impl Into<Rows<'r>>) -> Result<Diagnosis> {
        let data = data.into();
        let rows = self.rows(&data)?.min(BATCH);
        self.look(data, rows, STEPS)
    }

    /// Mean and variance of activations and gradients, layer by layer, for the parameters as they are now: what the two aims of an
    /// initialiser are about. `()` in place of data stands for random rows: standard normal numbers, classes each as likely as any other.
    ///
    /// # Errors
    /// As [`Model::diagnose`].
    pub fn signal<'r>(&self, data: impl Into<Rows<'r>>) -> Result<Signal> {
        let data = data.into();
        let random = if data.are_none() { self.random_rows()? } else { None };
        let is_random = random.is_some();
        let data = random.as_ref().map_or(data, Rows::from);
        let rows = self.rows(&data)?.min(ROWS);
        Ok(Signal::of(self.look(data, rows, 1)?, rows, is_random))
    }

    /// How many rows there are: one for a network without inputs.
    fn rows(&self, data: &Rows) -> Result<usize> {
        Ok(self.bound(data, true)?.rows)
    }

    /// So many steps on a copy.
    fn look(&self, data: Rows, batch: usize, steps: u64) -> Result<Diagnosis> {
        let outcome = self.copy()?.fit(data).batch(batch).steps(steps).quiet().diagnose().run();
        let history = match outcome {
            Ok(history) => history,
            Err(Error::Diverged { history: Some(history), .. }) => *history,
            Err(error) => return Err(error),
        };
        Ok(history.diagnosis.unwrap_or_default())
    }

    /// The model as a run of its own finds it.
    fn copy(&self) -> Result<Model> {
        // The copy's runs make memory of their own.
        self.release_memory();
        Ok(Model { resumed: None, watches: Vec::new(), watched: Vec::new(), ..self.try_clone()? })
    }

    /// Random rows for every field; `None` for a network without any.
    fn random_rows(&self) -> Result<Option<Dataset>> {
        let fields = specs(&self.compiled.info.fields, true);
        let mut data = Dataset::new();
        for (number, field) in fields.iter().enumerate() {
            let mut random = Rng::section(self.seed, STREAM, number as u64);
            let count = RANDOM_ROWS * field.width();
            let mut below = |bound: u32| (0..count).map(|_| random.below(bound)).collect::<Vec<u32>>();
            data = match field.element {
                Element::F32 => {
                    let values: Vec<f32> = (0..count).map(|_| random.normal() as f32).collect();
                    data.f32(&field.name, &field.shape, &values)?
                }
                Element::Class(classes) => data.classes(&field.name, classes, &field.shape, &below(classes))?,
                Element::I32 => {
                    let values: Vec<i32> = below(2).into_iter().map(|word| word as i32).collect();
                    data.i32(&field.name, &field.shape, &values)?
                }
                Element::U32 => data.u32(&field.name, &field.shape, below(2))?,
                Element::Bool => {
                    let values: Vec<bool> = below(2).into_iter().map(|word| word == 1).collect();
                    data.bool(&field.name, &field.shape, &values)?
                }
            };
        }
        Ok((!fields.is_empty()).then_some(data))
    }
}
