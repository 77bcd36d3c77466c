//! What was written, as a tree.
//!
//! The tree holds every form of the language and no meaning: names are not resolved, defaults not filled in, shapes
//! not checked. Numbers keep their text. Comments and redundant parentheses are gone; doc comments stay. Every node
//! has the [`Span`] of the whole and every name its own.
//!
//! A slip of syntax is reported once, by the parser. What it made unreadable stands in the tree as
//! [`ExpressionKind::Invalid`], so that the name before it is still defined; whoever meets it keeps silent about it
//! and about what follows from it. The tree is at most `parse::MAX_HEIGHT` nodes high, so recursion over it is safe.

mod expression;

pub use expression::{Argument, BinaryOperator, Call, Expression, ExpressionKind, Number, UnaryOperator};

use crate::base::place::Span;

/// A whole text: the inside of `network! { … }` or a `.net` file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Functions, optimizers and networks in their order.
    pub items: Vec<Item>,
    /// Every [`Number::Rust`] of the file; its `index` is the place in this list.
    pub rust: Vec<RustNumber>,
}

/// A number that only rustc knows.
#[derive(Clone, Debug, PartialEq)]
pub struct RustNumber {
    /// Tokens of the path, or of the expression without its braces.
    pub text: String,
    /// With the braces.
    pub span: Span,
}

/// What may stand at the top of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `fn swish(x) { … }`
    Function(Function),
    /// `optimizer heavy_ball(rate) { … }`
    Optimizer(Optimizer),
    /// `pub Digits { … }`
    Network(Network),
}

/// A word that names something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The word.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// `/// doc` `pub Digits { statements }`
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Lines of the doc comment, without `///`.
    pub doc: Vec<String>,
    /// `pub`, `pub(crate)`, … or empty.
    pub visibility: String,
    /// Name of the type.
    pub name: Name,
    /// What stands in the braces.
    pub statements: Vec<Statement>,
    /// From visibility to closing brace.
    pub span: Span,
}

/// `fn name(parameters) { body }`
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Lines of the doc comment.
    pub doc: Vec<String>,
    /// Name by which it is called.
    pub name: Name,
    /// What it takes.
    pub parameters: Vec<Formal>,
    /// What it does; its value is the function's. A body without value was already reported.
    pub body: Block,
    /// The whole.
    pub span: Span,
}

/// A parameter of a function or an optimizer: `beta = 0.9`.
#[derive(Clone, Debug, PartialEq)]
pub struct Formal {
    /// Its name.
    pub name: Name,
    /// What it is when the call says nothing.
    pub default: Option<Expression>,
    /// The whole.
    pub span: Span,
}

/// `optimizer name(parameters) { lines }`
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer {
    /// Lines of the doc comment.
    pub doc: Vec<String>,
    /// Name by which `using` calls it.
    pub name: Name,
    /// Its hyper-parameters.
    pub parameters: Vec<Formal>,
    /// What happens to one parameter in one step, in order.
    pub lines: Vec<OptimizerLine>,
    /// The whole.
    pub span: Span,
}

/// One line of an optimizer.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerLine {
    /// What it says.
    pub kind: OptimizerLineKind,
    /// The whole.
    pub span: Span,
}

/// What a line of an optimizer says.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the form in front of each variant names its fields")]
pub enum OptimizerLineKind {
    /// `at theta + beta * m;` the point at which the gradient is taken
    At(Expression),
    /// `state m = zeros;` a tensor like the parameter that lives from step to step
    State { name: Name, value: Expression },
    /// `let corrected = m / (1 - beta);`
    Let { name: Name, value: Expression },
    /// `theta = theta + m;`
    Assign { name: Name, value: Expression },
}

/// Statements and, at the end, perhaps a value: `{ let y = x.dense(3); y + x }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// In order.
    pub statements: Vec<Statement>,
    /// The last expression, if no `;` follows it.
    pub value: Option<Box<Expression>>,
    /// With the braces.
    pub span: Span,
}

/// A statement of a network or of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Lines of the doc comment.
    pub doc: Vec<String>,
    /// What it says.
    pub kind: StatementKind,
    /// Its first word: `minimize`, `let`, the name assigned to.
    pub word: Span,
    /// From the first word to the last token before `;`.
    pub span: Span,
}

/// What a statement says. In blocks (bodies of functions, loops and `if`) the parser lets only `parameter`, `let`,
/// assignments, `layer`, `for`, `if` and `allow` pass.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the form in front of each variant names its fields")]
pub enum StatementKind {
    /// `input name: f32[batch, 64];`
    Input { name: Name, tensor: TensorType },
    /// `target name: class(10);`
    Target { name: Name, tensor: TensorType },
    /// `parameter gain: [64] = ones;`
    Parameter { name: Name, tensor: TensorType, init: Expression },
    /// `setting lambda = 1e-3;`
    Setting { name: Name, value: Expression },
    /// `const width = 128;`
    Const { name: Name, value: Expression },
    /// `let name = …;` `let mut name = …;`
    Let { mutable: bool, name: Name, value: Expression },
    /// `name = …;`
    Assign { name: Name, value: Expression },
    /// `layer encoder = dense(64).relu();`
    Layer { name: Name, value: Expression },
    /// `for i in 0..20 { … }`; the body has no value
    For { variable: Name, over: Iteration, body: Block },
    /// `if training { … } else { … }`; the blocks have no value
    Training { then: Block, otherwise: Option<Block> },
    /// `predict logits.softmax();` `predict class = a, depth = b;`
    Predict(Vec<Output>),
    /// `minimize loss;`
    Minimize(Expression),
    /// `using adam(rate = 1e-3).clip_norm(1);`
    Using(Expression),
    /// `report hit = accuracy(logits, digit);`
    Report(Vec<Output>),
    /// `allow(minimized_mean_error);`
    Allow(Vec<Name>),
}

/// One value of `predict` or `report`, with its name if one was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// `class` in `class = logits.softmax()`.
    pub name: Option<Name>,
    /// The value.
    pub value: Expression,
    /// The whole.
    pub span: Span,
}

/// What a loop runs over.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the form in front of each variant names its fields")]
pub enum Iteration {
    /// `0..20`, or `0..=20` with its end
    Range { from: Box<Expression>, to: Box<Expression>, inclusive: bool, span: Span },
    /// `[512, 256]`
    List { values: Vec<Expression>, span: Span },
}

/// Element type and shape of a declaration. A type that could not be read has an `Invalid` dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorType {
    /// `f32` when nothing was said.
    pub element: Option<Element>,
    /// `[batch]` when nothing was said.
    pub shape: Option<Shape>,
    /// The whole.
    pub span: Span,
}

/// An element type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Which.
    pub kind: ElementKind,
    /// The whole, `class(10)`.
    pub span: Span,
}

/// The element types.
#[derive(Clone, Debug, PartialEq)]
pub enum ElementKind {
    /// `f32`
    F32,
    /// `i32`
    I32,
    /// `u32`
    U32,
    /// `bool`
    Bool,
    /// `class(n)`: 0..n
    Class(Box<Expression>),
}

/// `[batch, 64]`
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// `batch`, numbers, constants and arithmetic on them.
    pub dimensions: Vec<Expression>,
    /// With the brackets.
    pub span: Span,
}

impl Iteration {
    /// The whole.
    pub fn span(&self) -> Span {
        match self {
            Iteration::Range { span, .. } | Iteration::List { span, .. } => *span,
        }
    }
}
