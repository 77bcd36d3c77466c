//! Mistakes in the user's model, as values.
//!
//! A [`Fault`] says what was found and what was expected, with both shapes where shapes disagree; it names up to two nodes (the value
//! that is wrong and the one that it disagrees with), so that the caller can underline both places. It is rendered by the caller, who
//! knows the source text.
//!
//! Codes are grouped by subject: E02xx shapes and elements, E03xx arguments, E04xx names, E05xx what is trained and how.

use crate::autodiff::GradientError;
use crate::graph::{BuildError, NodeId};
use std::fmt;

/// Another number of logits than of classes.
pub const CLASSES_DIFFER: &str = "E0201";
/// Two shapes that do not meet.
pub const SHAPES_DIFFER: &str = "E0202";
/// A tensor of another number of axes than a function works on.
pub const WRONG_RANK: &str = "E0203";
/// Elements that a function does not work on.
pub const WRONG_ELEMENT: &str = "E0204";
/// What is minimised or measured is no number.
pub const LOSS_NOT_SCALAR: &str = "E0205";
/// An axis that the tensor does not have.
pub const WRONG_AXIS: &str = "E0206";
/// Anything else that cannot be built.
pub const CANNOT_BUILD: &str = "E0299";
/// An argument that must be given.
pub const ARGUMENT_MISSING: &str = "E0301";
/// A named argument that the function does not have.
pub const ARGUMENT_UNKNOWN: &str = "E0302";
/// An argument that is given twice.
pub const ARGUMENT_TWICE: &str = "E0303";
/// An argument of another kind.
pub const ARGUMENT_KIND: &str = "E0304";
/// A number outside of its bounds.
pub const ARGUMENT_BOUNDS: &str = "E0305";
/// More arguments than the function takes.
pub const ARGUMENT_SURPLUS: &str = "E0306";
/// A name that nothing has.
pub const NAME_UNKNOWN: &str = "E0401";
/// A name that stands for two things.
pub const NAME_TWICE: &str = "E0402";
/// Shared parameters that do not fit a second use.
pub const SHARED_DIFFERS: &str = "E0403";
/// A parameter that the loss does not reach.
pub const NOT_TRAINED: &str = "E0501";
/// A parameter behind something without a derivative.
pub const NO_DERIVATIVE: &str = "E0502";
/// Nothing is minimised.
pub const NO_LOSS: &str = "E0503";
/// No optimizer is named.
pub const NO_OPTIMIZER: &str = "E0504";
/// What may be stated once is stated twice.
pub const STATED_TWICE: &str = "E0505";
/// `restore` of what is not scaled.
pub const NOT_SCALED: &str = "E0506";

/// What a change of the text hangs on beside the code of a fault and the values that it is about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// Two values are compared element by element, so that their shapes must be equal.
    Elementwise,
    /// A product of each row with each other one.
    RowsByRows,
    /// What is needed is images, `[batch, channels, height, width]`.
    Images,
    /// What is needed is rows of steps, `[batch, steps, features]`.
    Steps,
    /// An argument is one number, or one for each of the two sides.
    Sides,
    /// A window is larger than what it goes over.
    Window,
    /// A number of parts that does not divide what is parted.
    Parts,
    /// A name that nothing has, and those that would have been right, for the nearest one.
    Known(Box<[&'static str]>),
    /// A pattern that is no parameter's name.
    Pattern,
    /// A penalty of weights on what are no weights.
    NoWeights,
    /// What the argument was meant to be.
    Meant(String),
    /// No derivative passes between a parameter and the loss.
    Flat {
        /// The parameter's name.
        parameter: String,
        /// What has no derivative.
        primitive: String,
        /// The layer or function that it belongs to.
        path: String,
    },
    /// The loss does not reach a parameter.
    Unreached {
        /// The parameter's name.
        parameter: String,
    },
}

/// One mistake of the user's model.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fault {
    /// `E0201`.
    pub code: &'static str,
    /// What was found and what was expected.
    pub message: String,
    /// One change that helps; empty if none is known.
    pub help: String,
    /// The argument that is at fault, as it was written.
    pub argument: Option<String>,
    /// The value that is wrong.
    pub value: Option<NodeId>,
    /// The value that it disagrees with.
    pub other: Option<NodeId>,
    /// What else a change of the text hangs on, out of the way of what every result carries.
    detail: Option<Box<Detail>>,
}

impl Fault {
    /// A mistake of this code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Fault { code, message: message.into(), ..Fault::default() }
    }
    /// With one change that helps.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
    /// At an argument.
    pub fn at(mut self, argument: impl Into<String>) -> Self {
        self.argument = Some(argument.into());
        self
    }
    /// Concerning a value.
    pub fn about(mut self, value: NodeId) -> Self {
        self.value = Some(value);
        self
    }
    /// Disagreeing with another value.
    pub fn against(mut self, other: NodeId) -> Self {
        self.other = Some(other);
        self
    }
    /// With what a change of the text hangs on.
    pub fn with(mut self, detail: Detail) -> Self {
        self.detail = Some(Box::new(detail));
        self
    }
    /// What a change of the text hangs on.
    pub fn detail(&self) -> &Detail {
        self.detail.as_deref().unwrap_or(&Detail::None)
    }
    /// With the value that was meant, which is written instead.
    pub fn meant(self, value: impl Into<String>) -> Self {
        let value = value.into();
        self.help(format!("write `{value}`")).with(Detail::Meant(value))
    }
    /// The parameter that has no gradient, by its name.
    pub fn parameter(&self) -> Option<&str> {
        match self.detail() {
            Detail::Flat { parameter, .. } | Detail::Unreached { parameter } => Some(parameter),
            _ => None,
        }
    }
    /// With the names that would have been right.
    pub fn known(self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.with(Detail::Known(names.into_iter().collect()))
    }
    /// The names that would have been right.
    pub fn candidates(&self) -> &[&'static str] {
        match self.detail() {
            Detail::Known(names) => names,
            _ => &[],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "\nhelp: {}", self.help) }
    }
}

impl std::error::Error for Fault {}

impl From<BuildError> for Fault {
    fn from(error: BuildError) -> Self {
        Fault::new(CANNOT_BUILD, error.message)
    }
}

impl From<GradientError> for Fault {
    fn from(error: GradientError) -> Self {
        let message = error.to_string();
        let (code, detail) = match error {
            GradientError::NotScalar { .. } => (LOSS_NOT_SCALAR, Detail::None),
            GradientError::Unreachable { source } => (NOT_TRAINED, Detail::Unreached { parameter: source }),
            GradientError::NoDerivative { source, through, path, .. } => {
                (NO_DERIVATIVE, Detail::Flat { parameter: source, primitive: through, path })
            }
            GradientError::Build(_) => (CANNOT_BUILD, Detail::None),
        };
        Fault::new(code, message).with(detail)
    }
}
