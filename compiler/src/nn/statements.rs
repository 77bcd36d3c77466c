//! What a network states: arithmetic between its values, and what is minimised, served, measured and how it is trained.

use super::clips::ClipUse;
use super::fault::{self, Fault};
use super::network::{Network, shape_text, twice};
use super::optimizers::{OptimizerUse, RATE, Rule};
use super::parameters::{Aggregate, Report};
use super::{Argument, Call, Family, Kind, arguments};
use crate::graph::builder::meet_shapes;
use crate::graph::{Dim, Element, NodeId};
use crate::ops::Primitive;

impl Network {
    // --- arithmetic ----------------------------------------------------------------------------------------------

    /// `a op b` between values of the user; the message names both shapes.
    pub fn arithmetic(&mut self, primitive: Primitive, a: NodeId, b: NodeId) -> Result<NodeId, Fault> {
        let verb = match primitive {
            Primitive::Add => "be added",
            Primitive::Sub => "be subtracted",
            Primitive::Mul => "be multiplied",
            Primitive::Div => "be divided",
            Primitive::Pow => "be raised",
            _ => "be compared",
        };
        let element = |node| self.builder.ty(node).element;
        let is_arithmetic =
            matches!(primitive, Primitive::Add | Primitive::Sub | Primitive::Mul | Primitive::Div | Primitive::Pow);
        // Beside a number of f32 a condition counts as 0 or 1; one of f64 takes the element of what it meets.
        if is_arithmetic
            && matches!((element(a), element(b)), (Element::Bool, Element::Bool | Element::F64) | (Element::F64, Element::Bool))
        {
            let condition = if element(a) == Element::Bool { a } else { b };
            let fault = Fault::new(fault::WRONG_ELEMENT, format!("a condition cannot {verb}: it is true or false, no number"));
            return Err(fault.help("write `where(…, 1, 0)` around it").about(condition));
        }
        // A quotient of integers is seldom one, nor is a power.
        let real = |network: &mut Self, node| match (primitive, network.builder.ty(node).element) {
            (Primitive::Div | Primitive::Pow, Element::I32 | Element::U32) => network.builder.cast(node, Element::F32),
            _ => Ok(node),
        };
        let (a, b) = (real(self, a)?, real(self, b)?);
        // `[batch]` and `[batch, 1]` would stretch to every row against every other.
        let shape = meet_shapes(self.builder.graph().shape(a), self.builder.graph().shape(b));
        if shape.is_some_and(|shape| shape.0.iter().filter(|dim| **dim == Dim::Batch).count() <= 1) {
            return Ok(self.builder.binary(primitive, a, b)?);
        }
        let (left, right) = (self.shape_text(a), self.shape_text(b));
        let named = |node, shape: &str| match self.names.get(&node) {
            Some(name) => format!("`{name}` {shape}"),
            None => shape.to_string(),
        };
        let message = format!("{} and {} cannot {verb}", named(a, &left), named(b, &right));
        Err(Fault::new(fault::SHAPES_DIFFER, message).help("give both the same shape").about(a).against(b))
    }

    // --- statements ----------------------------------------------------------------------------------------------

    /// States what training lowers: a real scalar.
    pub fn minimize(&mut self, node: NodeId) -> Result<(), Fault> {
        if let Some(known) = self.loss {
            return Err(Fault::new(fault::STATED_TWICE, "a network minimises one sum; join the two with `+`")
                .about(node)
                .against(known));
        }
        let ty = self.builder.ty(node).clone();
        if ty.shape.rank() != 0 || !ty.element.is_real() {
            let message = format!("the loss is {}; training lowers a number", shape_text(&ty.shape));
            return Err(Fault::new(fault::LOSS_NOT_SCALAR, message).help("reduce it with `mean()` or `sum()`").about(node));
        }
        self.loss = Some(self.builder.cast(node, Element::F32)?);
        Ok(())
    }
    /// Adds a penalty on the network's weights: the term `l2(1e-4)` of what is minimised.
    pub fn penalize(&mut self, call: &Call) -> Result<(), Fault> {
        let name = call.name.clone();
        let applied = self.applied(call, &name)?;
        self.penalties.push(applied);
        Ok(())
    }
    /// States what is served under a name.
    pub fn predict(&mut self, name: &str, node: NodeId) -> Result<(), Fault> {
        if let Some((_, known)) = self.predicts.iter().find(|(known, _)| known == name) {
            return Err(twice(name).about(node).against(*known));
        }
        // What is served are numbers of f32, whatever they were computed as.
        let node = self.builder.cast(node, Element::F32)?;
        self.predicts.push((name.to_string(), node));
        Ok(())
    }
    /// States what is measured under a name: a scalar; a metric knows its direction, other values are better lower.
    pub fn report(&mut self, name: &str, node: NodeId) -> Result<(), Fault> {
        if let Some(known) = self.reports.iter().find(|known| known.name == name) {
            return Err(twice(name).about(node).against(known.node));
        }
        let ty = self.builder.ty(node).clone();
        if ty.shape.rank() != 0 {
            let message = format!("report `{name}` is {}; a number is needed", shape_text(&ty.shape));
            return Err(Fault::new(fault::LOSS_NOT_SCALAR, message).help("reduce it with `mean()` or `sum()`").about(node));
        }
        let metric = self.uses.iter().rev().find(|one| one.output == node && one.function.family == Family::Metric);
        let higher_is_better = metric.is_some_and(|one| one.function.higher_is_better);
        let (aggregate, is_whole) = self.combined(node)?;
        let node = self.builder.cast(node, Element::F32)?;
        self.reports.push(Report { name: name.to_string(), node, higher_is_better, aggregate, is_whole });
        Ok(())
    }
    /// How a scalar's values for chunks of rows combine, if the function that made it says so.
    pub fn aggregate(&self, node: NodeId) -> Option<Aggregate> {
        self.aggregates.get(&node).cloned()
    }
    /// States by which optimizer, with clips in the order they act.
    pub fn using(&mut self, call: &Call, clips: &[Call]) -> Result<(), Fault> {
        let optimizer = super::optimizers::find(&call.name)?;
        let mut call = arguments::resolve(optimizer.name, optimizer.parameters, call)?;
        self.check_numbers(optimizer.name, optimizer.parameters, &mut call)?;
        for parameter in optimizer.parameters {
            // Rates and decays may change without compiling; momenta and epsilons are constants of the code.
            // A decay of 0 is none: it costs no code, and another one compiles anew.
            let absent = parameter.name == "weight_decay" && call.number("weight_decay") == Some(0.0);
            if matches!(parameter.name, "rate" | "weight_decay") && !absent {
                let node = self.tunable(&call, parameter.name, parameter.kind, parameter.name)?;
                if let Some((_, argument)) = call.arguments.iter_mut().find(|(name, _)| name == parameter.name) {
                    *argument = Argument::Tensor(node);
                }
            }
        }
        self.install(Rule::Known(optimizer), call, clips)
    }
    /// States an optimizer of the user's own; `call` holds at least `rate` as an f64 scalar node.
    pub fn using_own(&mut self, rule: Rule, call: Call, clips: &[Call]) -> Result<(), Fault> {
        let mut call = call;
        for (name, argument) in &call.arguments {
            let kind = if name == RATE.name { RATE.kind } else { Kind::ANY };
            match argument {
                Argument::Number(value) => arguments::check_bounds(rule.name(), name, kind, *value)?,
                Argument::Tensor(node) => self.check_number(rule.name(), name, kind, *node)?,
                _ => {}
            }
        }
        if call.number(RATE.name).is_some() {
            let node = self.tunable(&call, RATE.name, RATE.kind, RATE.name)?;
            call.arguments.retain(|(name, _)| name != RATE.name);
            call = call.set(RATE.name, node);
        }
        self.install(rule, call, clips)
    }
    fn install(&mut self, rule: Rule, call: Call, clips: &[Call]) -> Result<(), Fault> {
        if self.optimizer.is_some() {
            return Err(Fault::new(fault::STATED_TWICE, "a network is trained by one optimizer"));
        }
        let clips = clips
            .iter()
            .map(|given| {
                let clip = super::clips::find(&given.name)?;
                let mut call = arguments::resolve(clip.name, clip.parameters, given)?;
                self.check_numbers(clip.name, clip.parameters, &mut call)?;
                let limit = self.tunable(&call, "limit", Kind::POSITIVE, clip.name)?;
                Ok(ClipUse { clip, limit, skips: call.word("non_finite") == Some("skip"), place: self.place.clone() })
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        self.optimizer = Some(OptimizerUse { rule, call, clips });
        Ok(())
    }
}
