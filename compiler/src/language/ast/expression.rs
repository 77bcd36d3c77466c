//! Expressions, as written.

use super::{Block, Name};
use crate::base::place::Span;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// What it is.
    pub kind: ExpressionKind,
    /// The whole, parentheses around it included.
    pub span: Span,
}

/// The expressions.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the form in front of each variant names its fields")]
pub enum ExpressionKind {
    /// `1e-3`, `crate::WIDTH`, `{WIDTH * 2}`
    Number(Number),
    /// `"encoder.*"`
    Text(String),
    /// `true`, `false`
    Boolean(bool),
    /// `pixels`, `he_uniform`, `batch`. A name that nothing in the file defines may be a Rust constant.
    Name(Name),
    /// `[0.7, 0.15]`
    Array(Vec<Expression>),
    /// `encoder(a)`, `accuracy(logits, digit)`
    Call(Call),
    /// `x.dense(64)`
    Method { receiver: Box<Expression>, call: Call },
    /// `encoder.dense.weight`, one point a node; after a loop the turn is a field: `h.0.dense`
    Field { value: Box<Expression>, name: Name },
    /// `-x`
    Unary { operator: UnaryOperator, operand: Box<Expression> },
    /// `x + y`
    Binary {
        /// Which one.
        operator: BinaryOperator,
        /// Where the operator stands.
        operator_span: Span,
        /// What stands before it.
        left: Box<Expression>,
        /// What stands behind it.
        right: Box<Expression>,
    },
    /// `if training { a } else { b }`; both blocks have a value
    Training { then: Block, otherwise: Block },
    /// What could not be read and was reported.
    Invalid,
}

/// A number as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// `1_000`, `1e-3`: finite.
    Literal {
        /// As written.
        text: String,
        /// The nearest f64.
        value: f64,
        /// Whether it has neither point nor exponent.
        integer: bool,
    },
    /// A constant such as `WIDTH` or `crate::WIDTH`, or `{expression}`: known to rustc only.
    Rust {
        /// Tokens without the braces.
        text: String,
        /// Place in [`File::rust`](super::File::rust).
        index: usize,
    },
}

/// A name with arguments, without what stands before the point.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is called.
    pub name: Name,
    /// Positional ones first.
    pub arguments: Vec<Argument>,
    /// From the name to `)`.
    pub span: Span,
}

/// `128` or `rate = 1e-3`.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Name of a named one.
    pub name: Option<Name>,
    /// Its value.
    pub value: Expression,
    /// The whole.
    pub span: Span,
}

/// Operators before a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `-`
    Negate,
}

/// Operators between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl BinaryOperator {
    /// All of them.
    pub const ALL: [BinaryOperator; 10] = [
        BinaryOperator::Add,
        BinaryOperator::Subtract,
        BinaryOperator::Multiply,
        BinaryOperator::Divide,
        BinaryOperator::Equal,
        BinaryOperator::NotEqual,
        BinaryOperator::Less,
        BinaryOperator::LessEqual,
        BinaryOperator::Greater,
        BinaryOperator::GreaterEqual,
    ];

    /// How it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOperator::Add => "+",
            BinaryOperator::Subtract => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::Equal => "==",
            BinaryOperator::NotEqual => "!=",
            BinaryOperator::Less => "<",
            BinaryOperator::LessEqual => "<=",
            BinaryOperator::Greater => ">",
            BinaryOperator::GreaterEqual => ">=",
        }
    }

    /// How tightly it binds: comparisons 1, sums 2, products 3.
    pub fn precedence(self) -> u8 {
        match self {
            BinaryOperator::Add | BinaryOperator::Subtract => 2,
            BinaryOperator::Multiply | BinaryOperator::Divide => 3,
            BinaryOperator::Equal
            | BinaryOperator::NotEqual
            | BinaryOperator::Less
            | BinaryOperator::LessEqual
            | BinaryOperator::Greater
            | BinaryOperator::GreaterEqual => 1,
        }
    }

    /// Whether it compares; comparisons do not chain.
    pub fn is_comparison(self) -> bool {
        self.precedence() == 1
    }
}

impl Expression {
    /// What stands for something unreadable.
    pub fn invalid(span: Span) -> Expression {
        Expression { kind: ExpressionKind::Invalid, span }
    }

    /// The calls of a chain that begins with a call, first to last: `dense(64).relu()`; nothing for other forms.
    pub fn chain(&self) -> Option<Vec<&Call>> {
        let mut calls = Vec::new();
        let mut at = self;
        loop {
            match &at.kind {
                ExpressionKind::Method { receiver, call } => {
                    calls.push(call);
                    at = receiver;
                }
                ExpressionKind::Call(call) => {
                    calls.push(call);
                    calls.reverse();
                    return Some(calls);
                }
                _ => return None,
            }
        }
    }

    /// Words joined by points, `encoder.dense.weight`; nothing for other forms.
    pub fn dotted(&self) -> Option<Vec<&Name>> {
        let mut words = Vec::new();
        let mut at = self;
        loop {
            match &at.kind {
                ExpressionKind::Field { value, name } => {
                    words.push(name);
                    at = value;
                }
                ExpressionKind::Name(name) => {
                    words.push(name);
                    words.reverse();
                    return Some(words);
                }
                _ => return None,
            }
        }
    }
}
