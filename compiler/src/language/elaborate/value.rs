//! What an expression means while a network is elaborated.

use super::scope::Binding;
use crate::graph::NodeId;
use crate::language::ast;
use crate::nn;
use std::rc::Rc;

/// The value of an expression.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// A value of the network, or an f64 scalar: a setting, the step, a formula of them.
    Tensor(NodeId),
    /// A number known now.
    Number(f64),
    /// A number that only rustc knows.
    Later,
    /// `true` or `false`.
    Flag(bool),
    /// A word that names no value: an initialiser, `none`.
    Word(String),
    /// `"encoder.*"`
    Text(String),
    /// `[0.7, 0.15]`
    List(Vec<Value<'a>>),
    /// `normal(0, 0.02)`
    Call(nn::Call),
    /// A chain of calls that waits for its value.
    Layer(Rc<Layer<'a>>),
    /// The free dimension.
    Batch,
    /// Spoilt by a mistake, or of a size that only rustc knows.
    Unknown,
}

/// `layer encoder = dense(64).relu();`
#[derive(Clone, Debug)]
pub(super) struct Layer<'a> {
    pub name: &'a str,
    pub calls: Vec<&'a ast::Call>,
    /// The names that its arguments may use.
    pub scopes: Vec<Vec<(&'a str, Binding<'a>)>>,
    /// Where its parameters are named.
    pub path: nn::network::Scopes,
    /// Turns of the loops that it is defined in.
    pub turns: Vec<String>,
}

impl Value<'_> {
    /// What it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Tensor(_) => "a value of the network",
            Value::Number(_) | Value::Later => "a number",
            Value::Flag(_) => "true or false",
            Value::Word(_) => "a word",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Call(_) => "an initialiser or a penalty",
            Value::Layer(_) => "a layer",
            Value::Batch => "the free dimension",
            Value::Unknown => "unknown",
        }
    }
}
