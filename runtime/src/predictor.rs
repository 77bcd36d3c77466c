//! A trained network for serving: shared, unchanging, without the code of training.

use crate::checkpoint;
use crate::compiled::{Options, front};
use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, Prediction};
use crate::model::{Model, classes};
use crate::rows::Rows;
use gradc_compiler::language::declaration::Declaration;
use gradc_compiler::pipeline::Front;
use std::path::Path;
use std::sync::Arc;

/// Serves a trained network; cloning it is cheap, and all threads may use it at once.
///
/// Of a file it takes the parameters; settings have the values that they are declared with, or that [`Declaration::size`] has given them.
/// One that is made [of a model](Predictor::from) serves what that was: its parameters and its settings.
#[derive(Clone, Debug)]
pub struct Predictor {
    model: Arc<Model>,
}

impl Predictor {
    /// Compiles what serves of a declaration, and loads its parameters.
    ///
    /// # Errors
    /// Mistakes of the declaration, and those of [`Predictor::load`].
    pub fn from_declaration(declaration: &Declaration, file: impl AsRef<Path>, options: &Options) -> Result<Self> {
        Self::load(front(declaration)?, file, options)
    }

    /// Compiles what serves, and loads its parameters.
    ///
    /// # Errors
    /// A file that does not hold all of them as finite numbers, or was written by another network.
    pub fn load(mut front: Front, file: impl AsRef<Path>, options: &Options) -> Result<Self> {
        front.graphs.training = None;
        front.graphs.initial = None;
        front.info.trains = false;
        let mut model = Model::compile(front, options)?;
        let checkpoint = checkpoint::load(&file)?;
        let loaded = model.take_matching(&checkpoint);
        if !loaded.missing.is_empty() || !loaded.unlike.is_empty() {
            let file = Some(file.as_ref().display().to_string().into());
            return Err(Error::Parameters { file, missing: loaded.missing, extra: Vec::new(), unlike: loaded.unlike });
        }
        let names = loaded.taken.iter().map(String::as_str);
        let origin = model.check_origin(&checkpoint).and_then(|()| checkpoint::check_finite(names, &checkpoint));
        origin.map_err(|error| error.in_file(&file.as_ref().display().to_string()))?;
        model.class_names = classes::read(&checkpoint.metadata);
        Ok(Predictor { model: Arc::new(model) })
    }

    /// The first of what the network serves.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn predict<'r>(&self, rows: impl Into<Rows<'r>>) -> Result<Prediction> {
        self.model.predict(rows)
    }

    /// Everything that the network serves, by name.
    ///
    /// # Errors
    /// As [`Model::predict_all`].
    pub fn predict_all<'r>(&self, rows: impl Into<Rows<'r>>) -> Result<Vec<(String, Prediction)>> {
        self.model.predict_all(rows)
    }

    /// Loss and metrics on rows.
    ///
    /// # Errors
    /// As [`Model::evaluate`].
    pub fn evaluate<'r>(&self, rows: impl Into<Rows<'r>>) -> Result<Evaluation> {
        self.model.evaluate(rows)
    }

    /// The model behind it.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

/// Serves the model as it is now; no file is needed and nothing is compiled.
impl From<Model> for Predictor {
    fn from(model: Model) -> Predictor {
        model.release_memory();
        Predictor { model: Arc::new(model) }
    }
}
