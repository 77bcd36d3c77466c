//! How the values of a measure for several chunks of rows become its value for all of them.
//!
//! A mean over rows needs nothing: chunks are weighed by their rows. Anything else says what a chunk gives out beside its value (its
//! parts), what is added up over chunks, and how the value follows from the sums. Sums and formulas are f64. The driver of a program
//! computes them in the native loop ([`Formula::write`]); [`Sums`] is the same in plain arithmetic.

use crate::graph::{BuildError, Builder, NodeId};
use crate::loops::block::BlockBuilder;
use crate::loops::{Comparison, Value, math};
use crate::ops::Primitive;
use std::ops::{Add, Mul, Sub};

/// A formula of numbers that are given by their places.
#[derive(Clone, PartialEq, Debug)]
pub enum Formula {
    Given(usize),
    Number(f64),
    Add(Box<Formula>, Box<Formula>),
    Sub(Box<Formula>, Box<Formula>),
    Mul(Box<Formula>, Box<Formula>),
    Div(Box<Formula>, Box<Formula>),
    /// A quotient that is 0 where its divisor is 0.
    Ratio(Box<Formula>, Box<Formula>),
    Abs(Box<Formula>),
    Sqrt(Box<Formula>),
    Exp(Box<Formula>),
    /// The second where the first is not 0, else the third.
    Choose(Box<Formula>, Box<Formula>, Box<Formula>),
}

/// The number given in this place.
pub fn given(place: usize) -> Formula {
    Formula::Given(place)
}

/// A quotient that is 0 where its divisor is 0.
pub fn ratio(above: Formula, below: Formula) -> Formula {
    Formula::Ratio(Box::new(above), Box::new(below))
}

impl Add for Formula {
    type Output = Formula;
    fn add(self, other: Formula) -> Formula {
        Formula::Add(Box::new(self), Box::new(other))
    }
}
impl Sub for Formula {
    type Output = Formula;
    fn sub(self, other: Formula) -> Formula {
        Formula::Sub(Box::new(self), Box::new(other))
    }
}
impl Mul for Formula {
    type Output = Formula;
    fn mul(self, other: Formula) -> Formula {
        Formula::Mul(Box::new(self), Box::new(other))
    }
}
impl Mul<f64> for Formula {
    type Output = Formula;
    fn mul(self, factor: f64) -> Formula {
        self * Formula::Number(factor)
    }
}

impl Formula {
    /// Its value.
    pub fn value(&self, given: &[f64]) -> f64 {
        match self {
            Formula::Given(place) => given[*place],
            Formula::Number(value) => *value,
            Formula::Add(a, b) => a.value(given) + b.value(given),
            Formula::Sub(a, b) => a.value(given) - b.value(given),
            Formula::Mul(a, b) => a.value(given) * b.value(given),
            Formula::Div(a, b) => a.value(given) / b.value(given),
            Formula::Ratio(a, b) => {
                let below = b.value(given);
                if below == 0.0 { 0.0 } else { a.value(given) / below }
            }
            Formula::Abs(a) => a.value(given).abs(),
            Formula::Sqrt(a) => a.value(given).sqrt(),
            Formula::Exp(a) => libm::exp(a.value(given)),
            Formula::Choose(which, a, b) => {
                if which.value(given) != 0.0 {
                    a.value(given)
                } else {
                    b.value(given)
                }
            }
        }
    }

    /// The instructions that compute it from f64 values.
    pub fn write(&self, block: &mut BlockBuilder, given: &[Value]) -> Value {
        let mut of = |formula: &Formula| formula.write(block, given);
        match self {
            Formula::Given(place) => given[*place],
            Formula::Number(value) => block.f64(*value),
            Formula::Add(a, b) => {
                let (a, b) = (of(a), of(b));
                block.add(a, b)
            }
            Formula::Sub(a, b) => {
                let (a, b) = (of(a), of(b));
                block.sub(a, b)
            }
            Formula::Mul(a, b) => {
                let (a, b) = (of(a), of(b));
                block.mul(a, b)
            }
            Formula::Div(a, b) => {
                let (a, b) = (of(a), of(b));
                block.div(a, b)
            }
            Formula::Ratio(a, b) => {
                let (a, b) = (of(a), of(b));
                quotient(block, a, b)
            }
            Formula::Abs(a) => {
                let a = of(a);
                block.abs(a)
            }
            Formula::Sqrt(a) => {
                let a = of(a);
                block.sqrt(a)
            }
            Formula::Exp(a) => {
                let a = of(a);
                math::exp(block, a)
            }
            Formula::Choose(which, a, b) => {
                let (which, a, b) = (of(which), of(a), of(b));
                let zero = block.f64(0.0);
                let first = block.compare(Comparison::Ne, which, zero);
                block.select(first, a, b)
            }
        }
    }

    /// The nodes that compute it from f32 nodes of one shape.
    pub fn build(&self, builder: &mut Builder, given: &[NodeId]) -> Result<NodeId, BuildError> {
        let mut of = |formula: &Formula| formula.build(builder, given);
        match self {
            Formula::Given(place) => Ok(given[*place]),
            Formula::Number(value) => Ok(builder.constant(*value)),
            Formula::Add(a, b) => {
                let (a, b) = (of(a)?, of(b)?);
                builder.add(a, b)
            }
            Formula::Sub(a, b) => {
                let (a, b) = (of(a)?, of(b)?);
                builder.sub(a, b)
            }
            Formula::Mul(a, b) => {
                let (a, b) = (of(a)?, of(b)?);
                builder.mul(a, b)
            }
            Formula::Div(a, b) => {
                let (a, b) = (of(a)?, of(b)?);
                builder.div(a, b)
            }
            Formula::Ratio(a, b) => {
                let (a, b) = (of(a)?, of(b)?);
                let (zero, one) = (builder.constant_like(b, 0.0)?, builder.constant_like(b, 1.0)?);
                let none = builder.binary(Primitive::Eq, b, zero)?;
                let divisor = builder.select(none, one, b)?;
                let quotient = builder.div(a, divisor)?;
                builder.select(none, zero, quotient)
            }
            Formula::Abs(a) => {
                let a = of(a)?;
                builder.unary(Primitive::Abs, a)
            }
            Formula::Sqrt(a) => {
                let a = of(a)?;
                builder.unary(Primitive::Sqrt, a)
            }
            Formula::Exp(a) => {
                let a = of(a)?;
                builder.unary(Primitive::Exp, a)
            }
            Formula::Choose(which, a, b) => {
                let (which, a, b) = (of(which)?, of(a)?, of(b)?);
                let zero = builder.constant_like(which, 0.0)?;
                let first = builder.binary(Primitive::Ne, which, zero)?;
                builder.select(first, a, b)
            }
        }
    }

    /// The same formula of what is given `by` places further on.
    pub fn shifted(&self, by: usize) -> Formula {
        let of = |formula: &Formula| Box::new(formula.shifted(by));
        match self {
            Formula::Given(place) => Formula::Given(place + by),
            Formula::Number(value) => Formula::Number(*value),
            Formula::Add(a, b) => Formula::Add(of(a), of(b)),
            Formula::Sub(a, b) => Formula::Sub(of(a), of(b)),
            Formula::Mul(a, b) => Formula::Mul(of(a), of(b)),
            Formula::Div(a, b) => Formula::Div(of(a), of(b)),
            Formula::Ratio(a, b) => Formula::Ratio(of(a), of(b)),
            Formula::Abs(a) => Formula::Abs(of(a)),
            Formula::Sqrt(a) => Formula::Sqrt(of(a)),
            Formula::Exp(a) => Formula::Exp(of(a)),
            Formula::Choose(which, a, b) => Formula::Choose(of(which), of(a), of(b)),
        }
    }
}

/// `a / b`, 0 where `b` is 0.
fn quotient(block: &mut BlockBuilder, a: Value, b: Value) -> Value {
    let (zero, one) = (block.f64(0.0), block.f64(1.0));
    let none = block.compare(Comparison::Eq, b, zero);
    let divisor = block.select(none, one, b);
    let quotient = block.div(a, divisor);
    block.select(none, zero, quotient)
}

/// How chunks combine to a value that is no mean over rows.
///
/// A part holds one number for each group (classes, columns, cells of a table, steps of a score; one group is the plain case). Each
/// group has sums over chunks. The value follows from them in one walk over the groups, which carries some numbers along.
#[derive(Clone, PartialEq, Debug)]
pub struct Combination {
    /// Names of the parts: a chunk gives out `name.part` beside `name`.
    pub parts: Vec<String>,
    /// At least 1.
    pub groups: usize,
    /// What is added up for each group: formulas of the chunk's value (place 0), its parts (from place 1) and its rows (the last place).
    pub sums: Vec<Formula>,
    /// The numbers that are carried from group to group, from 0 on: formulas of what is carried so far, then the group's sums.
    pub carried: Vec<Formula>,
    /// The value: a formula of what has been carried over all groups.
    pub value: Formula,
    /// Whether the first sum of all groups is worth reading as a table, and how many columns that has.
    pub columns: Option<usize>,
    /// Whether nothing is added up: the parts are scores and answers, element by element, and the value is their [`area`] when all rows
    /// have been seen. A sort is no walk over groups, so that who runs the program keeps the parts and computes it.
    pub ranked: bool,
}

impl Combination {
    /// A value of the sums over all groups.
    pub fn pooled(parts: &[&str], groups: usize, sums: Vec<Formula>, value: Formula) -> Self {
        let count = sums.len();
        let carried = (0..count).map(|sum| given(sum) + given(count + sum)).collect();
        Combination { parts: names(parts), groups, sums, carried, value, columns: None, ranked: false }
    }

    /// The plain mean over groups of a value of the sums of each; a group whose sums are all 0 is left out.
    pub fn averaged(parts: &[&str], groups: usize, sums: Vec<Formula>, value: &Formula) -> Self {
        let choose = |which, a, b| Formula::Choose(Box::new(which), Box::new(a), Box::new(b));
        let number = Formula::Number;
        let counts = (0..sums.len()).fold(number(0.0), |others, sum| choose(given(2 + sum), number(1.0), others));
        let own = choose(counts.clone(), value.shifted(2), number(0.0));
        let carried = vec![given(0) + own, given(1) + counts];
        Combination { parts: names(parts), groups, sums, carried, value: ratio(given(0), given(1)), columns: None, ranked: false }
    }

    /// A mean weighed by the one part.
    pub fn weighted(part: &str) -> Self {
        Self::pooled(&[part], 1, vec![given(0) * given(1), given(1)], ratio(given(0), given(1)))
    }

    /// A quotient of two sums, which are the parts: 0 where the second is.
    pub fn quotient(above: &str, below: &str) -> Self {
        Self::pooled(&[above, below], 1, vec![given(1), given(2)], ratio(given(0), given(1)))
    }

    /// A function of a mean over rows, which is the one part.
    pub fn of_mean(part: &str, function: impl Fn(Formula) -> Formula) -> Self {
        Self::pooled(&[part], 1, vec![given(1) * given(2), given(2)], function(ratio(given(0), given(1))))
    }

    /// A function of a value that combines like this, and becomes the first part.
    pub fn of_this(&self, part: &str, function: impl Fn(Formula) -> Formula) -> Self {
        Combination {
            parts: std::iter::once(part.to_string()).chain(self.parts.iter().cloned()).collect(),
            sums: self.sums.iter().map(|sum| sum.shifted(1)).collect(),
            value: function(self.value.clone()),
            ..self.clone()
        }
    }

    /// The order of all scores.
    pub fn ranked() -> Self {
        Combination { ranked: true, ..Self::pooled(&[SCORE, ANSWER], 1, Vec::new(), Formula::Number(0.0)) }
    }

    /// The same, its first sum to be read as a table of so many columns.
    pub fn as_table(self, columns: usize) -> Self {
        Combination { columns: Some(columns), ..self }
    }
}

/// The part of a ranked value that is put in order.
pub const SCORE: &str = "score";
/// The part of a ranked value that is above 1/2 where the answer is yes.
pub const ANSWER: &str = "answer";

/// The chance that a yes has a higher score than a no, where a tie counts one half (Hanley and McNeil 1982): the area under the receiver
/// operating characteristic. NaN where all are yes or all no, and where a score is NaN. The scores are put in order.
pub fn area<N: Copy + PartialOrd + Into<f64>>(scores: &mut [(N, bool)]) -> f64 {
    if scores.iter().any(|(score, _)| (*score).into().is_nan()) {
        return f64::NAN;
    }
    scores.sort_unstable_by(|a, b| a.0.into().total_cmp(&b.0.into()));
    let (mut yes, mut below, mut won) = (0.0, 0.0, 0.0);
    // Of one score: each yes has won against every no below, and half against those beside it. -0 ties with 0.
    for tied in scores.chunk_by(|a, b| a.0 == b.0) {
        let own = tied.iter().filter(|(_, is_yes)| *is_yes).count() as f64;
        let others = tied.len() as f64 - own;
        won += own * (below + others / 2.0);
        below += others;
        yes += own;
    }
    won / (yes * below)
}

fn names(parts: &[&str]) -> Vec<String> {
    parts.iter().map(ToString::to_string).collect()
}

/// Sums over chunks in plain arithmetic.
#[derive(Clone, Debug)]
pub struct Sums {
    combination: Combination,
    /// Of each group.
    sums: Vec<Vec<f64>>,
    /// Scores and answers of a ranked value.
    scores: Vec<(f64, bool)>,
}

impl Sums {
    /// Nothing has been added.
    pub fn new(combination: &Combination) -> Self {
        let none = vec![0.0; combination.sums.len()];
        Sums { sums: vec![none; combination.groups], scores: Vec::new(), combination: combination.clone() }
    }

    /// Adds a chunk: its value, its parts and its rows.
    pub fn add(&mut self, value: f64, parts: &[&[f64]], rows: f64) {
        if let (true, [scores, answers]) = (self.combination.ranked, parts) {
            self.scores.extend(scores.iter().zip(*answers).map(|(score, answer)| (*score, *answer > 0.5)));
            return;
        }
        for (group, own) in self.sums.iter_mut().enumerate() {
            let mut given = vec![value];
            given.extend(parts.iter().map(|part| part[group]));
            given.push(rows);
            for (sum, formula) in own.iter_mut().zip(&self.combination.sums) {
                *sum += formula.value(&given);
            }
        }
    }

    /// The value of all rows so far.
    pub fn value(&self) -> f64 {
        if self.combination.ranked {
            return area(&mut self.scores.clone());
        }
        let formulas = &self.combination.carried;
        let mut carried = vec![0.0; formulas.len()];
        for own in &self.sums {
            let given = [&carried[..], own].concat();
            carried = formulas.iter().map(|formula| formula.value(&given)).collect();
        }
        self.combination.value.value(&carried)
    }
}
