//! gradc: a compiler whose source language is a neural network and whose object code is its training run.
//!
//! [`network!`] checks shapes while rustc runs; the network is compiled to one native training loop when the program starts.
//!
//! ```no_run
//! use gradc::prelude::*;
//!
//! network! {
//!     /// Handwritten digits: 8×8 grey pixels in, one of ten classes out.
//!     pub Digits {
//!         input  pixels: [batch, 64];
//!         target digit:  class(10);
//!
//!         let x      = pixels.standardize();
//!         let hidden = x.dense(128).batch_norm().relu().dropout(0.2);
//!         let logits = hidden.dense(10);
//!
//!         predict  logits.softmax();
//!         minimize logits.cross_entropy(digit) + l2(1e-4);
//!         using    adam(rate = 1e-3).clip_global_norm(1.0);
//!         report   accuracy = accuracy(logits, digit);
//!     }
//! }
//!
//! fn main() -> gradc::Result<()> {
//!     let [train, valid, test] = data::digits()?.shuffled(7).split([0.7, 0.15, 0.15])?;
//!     let mut net = Digits::options().seed(7).compile()?;
//!     let history = net.fit(&train).validate(&valid).batch(64).epochs(60).patience(8).run()?;
//!     println!("test accuracy {:.3}", net.evaluate(&test)?.accuracy);
//!     history.plot("digits.svg")?;
//!     net.save("digits.safetensors")
//! }
//! ```
//!
//! Every stage between the two can be printed: set `GRADC_DUMP=folder`, or ask [`Model::stage`].

#![warn(missing_docs)]

pub mod builder;
pub mod expansion;

pub use gradc_compiler::language::declaration::Declaration;
pub use gradc_macros::network;
pub use gradc_runtime::compiled::Options;
pub use gradc_runtime::data;
pub use gradc_runtime::data::Dataset;
pub use gradc_runtime::diagnosis::{Diagnosis, Signal, Verdict};
pub use gradc_runtime::error::{Error, Result};
pub use gradc_runtime::evaluate::{Evaluation, Prediction, Table};
pub use gradc_runtime::fit::{Fit, Monitor};
pub use gradc_runtime::history::{Epoch, History, Step, Stopped, Zeros};
pub use gradc_runtime::model::{Loaded, Model, Stage};
pub use gradc_runtime::predictor::Predictor;
pub use gradc_runtime::profile::{KernelTime, Profile};
pub use gradc_runtime::rows::{Rows, RowsBuilder};
pub use gradc_runtime::watch::Watched;

/// The two halves, for those who look inside.
pub use {gradc_compiler as compiler, gradc_runtime as runtime};

/// What a program that trains a network needs.
pub mod prelude {
    pub use crate::{Dataset, History, Model, Monitor, Stage, data, network};
    pub use std::ops::ControlFlow;
}
