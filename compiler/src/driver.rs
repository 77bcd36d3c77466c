//! The pipeline in one list: from the networks of a declaration to a program, with the text of each stage.

use crate::graph::Type;

/// What the outside must know of a compiled network: names, types and first values.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Info {
    pub name: String,
    pub fields: Vec<Field>,
    pub parameters: Vec<Tensor>,
    pub states: Vec<State>,
    /// Numbers that may change without compiling, by name.
    pub settings: Vec<Setting>,
    pub scalers: Vec<Scaler>,
    /// Metrics in the order of their declaration.
    pub reports: Vec<Report>,
    pub predictions: Vec<(String, Type)>,
    /// Whether training is possible (there is a loss and an optimizer).
    pub trains: bool,
    /// Whether some layer needs at least two rows in training (batch norm): its path.
    pub needs_two_rows: Option<String>,
    /// The table of layers.
    pub summary: String,
}

/// An input or target.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub is_target: bool,
}

/// A parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
}

/// A state and its first value.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    pub name: String,
    pub shape: Vec<usize>,
    pub initial: f32,
    /// Whether it is part of the saved model.
    pub saved: bool,
}

/// A setting and its declared value.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    pub name: String,
    pub value: f64,
    /// Declared by the user, or made from a literal rate or penalty.
    pub declared: bool,
}

/// What is measured on the training rows of a field before step 1.
#[derive(Clone, PartialEq, Debug)]
pub struct Scaler {
    pub field: String,
    /// Mean and standard deviation, or least value and range.
    pub standardize: bool,
    /// Names of the states that hold them, of the shape of one row.
    pub shift: String,
    pub scale: String,
}

/// A reported metric.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    pub name: String,
    pub higher_is_better: bool,
}

/// The front half's result: everything that does not depend on a machine.
#[derive(Clone, Debug, Default)]
pub struct Front {
    pub info: Info,
    /// Simplified graphs, ready to be lowered.
    pub graphs: crate::program::Graphs,
    pub fusion: crate::fusion::Options,
    /// Text of the declaration with defaults filled in.
    pub declaration: String,
    /// The training network as it was built, before it was differentiated.
    pub forward: crate::graph::Graph,
    /// The whole step, before it was simplified.
    pub gradient: crate::graph::Graph,
    /// Every rewrite, in order.
    pub log: String,
    /// What each stage took.
    pub times: Vec<(&'static str, std::time::Duration)>,
}

impl Setting {
    /// Whether a value may be set; the error says what it must be.
    pub fn check(&self, value: f64) -> Result<(), String> {
        if value.is_finite() { Ok(()) } else { Err("a finite number".into()) }
    }
}
