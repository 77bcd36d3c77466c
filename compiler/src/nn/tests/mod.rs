//! The catalogue, held against its worked figures and against frameworks (tests/golden, made by make_golden.py).
//!
//! Everything is evaluated in f64 by the reference interpreter: what differs from a framework's f64 by more than 1e-9 is another formula.

mod activations;
mod calls;
mod cases;
mod catalogue;
mod derivatives;
mod figures;
mod golden;
mod groups;
mod kinks;
mod layers;
mod metrics;
mod optimizers;
mod schedules;
mod trial;
