//! Inputs, targets, parameters, settings and constants.

use super::examples::of_rust;
use super::sizes::row_count;
use super::value::Value;
use super::{DECLARED_TYPE, Elaborator, MAX_COUNT, TOO_LARGE, WRONG_VALUE};
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::graph::text::number;
use crate::graph::{Dim, Element, Shape, Type};
use crate::language::ast::{self, ElementKind, Expression, ExpressionKind, Name, TensorType};
use crate::nn::arguments::check_bounds;
use crate::nn::fault::NAME_UNKNOWN;
use crate::nn::parameters::Wanted;
use crate::nn::{self, Argument, Kind, Parameter};

/// Whole numbers up to it are exact in f32, in which classes are compared.
const MOST_CLASSES: u32 = 1 << 24;

impl<'a> Elaborator<'a> {
    /// `input name: type` and `target name: type`.
    pub(super) fn source(&mut self, name: &'a Name, tensor: &'a TensorType, is_target: bool) {
        let value = match self.tensor_type(tensor) {
            Some(ty) => self.declared_source(name, tensor, ty, is_target),
            None => self.unknown(),
        };
        self.define(name, value);
    }

    fn declared_source(&mut self, name: &'a Name, tensor: &'a TensorType, ty: Type, is_target: bool) -> Value<'a> {
        if ty.shape.0.first() != Some(&Dim::Batch) {
            let word = if is_target { "a target" } else { "an input" };
            let mistake = Diagnostic::error(DECLARED_TYPE, tensor.span, format!("{word} has the batch as its first dimension"));
            let sizes: Vec<String> = std::iter::once("batch".to_owned())
                .chain(ty.shape.0.iter().filter(|dim| **dim != Dim::Batch).map(Dim::to_string))
                .collect();
            let element = tensor.element.as_ref().map_or("", |element| self.text_at(element.span));
            self.report(mistake.write(format!("{element}[{}]", sizes.join(", "))));
            return Value::Unknown;
        }
        if self.find(&name.text).is_some() {
            // `define` says so.
            return self.unknown();
        }
        let place = self.source.place(name.span).to_string();
        let made = match is_target {
            true => self.network.target(&name.text, ty, &place),
            false => self.network.input(&name.text, ty, &place),
        };
        match made {
            Ok(node) => {
                self.note(node, tensor.span, None);
                Value::Tensor(node)
            }
            Err(fault) => self.fault(fault, name.span),
        }
    }

    fn tensor_type(&mut self, tensor: &'a TensorType) -> Option<Type> {
        let element = match &tensor.element {
            None => Some(Element::F32),
            Some(element) => self.element(element),
        };
        let shape = match &tensor.shape {
            None => Some(Shape(vec![Dim::Batch])),
            Some(shape) => self.shape(shape),
        };
        Some(Type { element: element?, shape: shape? })
    }

    fn element(&mut self, element: &'a ast::Element) -> Option<Element> {
        match &element.kind {
            ElementKind::F32 => Some(Element::F32),
            ElementKind::I32 => Some(Element::I32),
            ElementKind::U32 => Some(Element::U32),
            ElementKind::Bool => Some(Element::Bool),
            ElementKind::Class(count) => match self.expression(count) {
                Value::Number(value) if value.fract() == 0.0 && (1.0..=f64::from(MOST_CLASSES)).contains(&value) => {
                    Some(Element::Class(value as u32))
                }
                Value::Later | Value::Unknown => None,
                Value::Number(value) if value > f64::from(MOST_CLASSES) => {
                    let message = format!("there are at most {MOST_CLASSES} classes, found {}", number(value));
                    self.report(Diagnostic::error(DECLARED_TYPE, count.span, message).write(MOST_CLASSES.to_string()));
                    None
                }
                other => {
                    let found = self.shown(&other);
                    let message = format!("the number of classes is a whole number of at least 1, found {found}");
                    self.report(Diagnostic::error(DECLARED_TYPE, count.span, message).write(size_like(&other, 10)));
                    None
                }
            },
        }
    }

    fn shape(&mut self, shape: &'a ast::Shape) -> Option<Shape> {
        let dims: Vec<Option<Dim>> = shape.dimensions.iter().map(|dimension| self.dimension(dimension)).collect();
        let dims: Option<Vec<Dim>> = dims.into_iter().collect();
        let dims = dims?;
        if dims.iter().filter(|dim| **dim == Dim::Batch).count() > 1 {
            let mistake = Diagnostic::error(DECLARED_TYPE, shape.span, "the batch is one dimension of a shape, not two");
            let sizes = dims.iter().filter(|dim| **dim != Dim::Batch).map(Dim::to_string);
            let sizes: Vec<String> = std::iter::once("batch".to_owned()).chain(sizes).collect();
            self.report(mistake.write(format!("[{}]", sizes.join(", "))));
            return None;
        }
        let count = row_count(&dims);
        if count > MAX_COUNT {
            let mistake = Diagnostic::error(TOO_LARGE, shape.span, format!("this would hold {count:.1e} values"));
            self.report(mistake.write(if dims.contains(&Dim::Batch) { "[batch, 64]" } else { "[64]" }));
            return None;
        }
        Some(Shape(dims))
    }

    /// Says that the name of a dimension means nothing.
    fn unknown_dimension(&mut self, name: &Name) -> Option<Dim> {
        let mistake = Diagnostic::error(NAME_UNKNOWN, name.span, format!("nothing is called `{}` here", name.text));
        let known = self.visible().into_iter().chain(["batch"]);
        self.report(match nearest(&name.text, known) {
            Some(near) => mistake.write(near),
            None => {
                let braces = of_rust(&name.text).map_or_else(String::new, |braces| format!(", or {braces}"));
                let help = format!("write a number, or declare it above: `const {} = 64;`{braces}", name.text);
                mistake.help(help).fix(name.span, "64")
            }
        });
        None
    }

    fn dimension(&mut self, dimension: &'a Expression) -> Option<Dim> {
        if let ExpressionKind::Name(name) = &dimension.kind
            && self.is_nothing(&name.text)
        {
            return self.unknown_dimension(name);
        }
        match self.expression(dimension) {
            Value::Batch => Some(Dim::Batch),
            Value::Number(value) if value.fract() == 0.0 && (1.0..9e15).contains(&value) => Some(Dim::Fixed(value as usize)),
            Value::Later | Value::Unknown => {
                self.is_partial = true;
                None
            }
            Value::Number(value) if value >= 9e15 => {
                let message = format!("a dimension of {} is more than any memory holds", number(value));
                self.report(Diagnostic::error(TOO_LARGE, dimension.span, message).write("64"));
                None
            }
            other => {
                let found = self.shown(&other);
                let message = format!("a dimension is `batch` or a whole number of at least 1, found {found}");
                self.report(Diagnostic::error(DECLARED_TYPE, dimension.span, message).write(size_like(&other, 1)));
                None
            }
        }
    }

    /// A value for a message: a number itself, else what it is.
    pub(super) fn shown(&self, value: &Value) -> String {
        match value {
            Value::Number(value) => number(*value),
            other => other.kind().to_owned(),
        }
    }

    /// The text itself.
    fn text_at(&self, span: Span) -> &'a str {
        self.source.bytes(span).map_or("", |bytes| &self.source.text()[bytes])
    }

    /// `parameter gain: [64] = ones;`
    pub(super) fn parameter(&mut self, name: &'a Name, tensor: &'a TensorType, init: &'a Expression) {
        let value = match (self.parameter_shape(tensor), self.initializer(init)) {
            (Some(sizes), Some(initializer)) => self.learned(name, tensor.span, sizes, initializer),
            _ => self.unknown(),
        };
        self.define(name, value);
    }

    fn parameter_shape(&mut self, tensor: &'a TensorType) -> Option<Vec<usize>> {
        if let Some(element) = &tensor.element
            && element.kind != ElementKind::F32
        {
            let mistake = Diagnostic::error(DECLARED_TYPE, element.span, "a parameter is learned, so its elements are f32");
            self.report(mistake.write("f32"));
            return None;
        }
        let Some(shape) = &tensor.shape else {
            let mistake = Diagnostic::error(DECLARED_TYPE, tensor.span, "a parameter has a shape of its own");
            self.report(mistake.write("[64]"));
            return None;
        };
        let sizes = self.shape(shape)?;
        let fixed: Option<Vec<usize>> = sizes
            .0
            .iter()
            .map(|dim| match dim {
                Dim::Fixed(size) => Some(*size),
                Dim::Batch => None,
            })
            .collect();
        if fixed.is_none() {
            let message = "a parameter is the same for every batch; its shape has no `batch`";
            let sizes: Vec<String> = sizes.0.iter().filter(|dim| **dim != Dim::Batch).map(Dim::to_string).collect();
            let sizes = if sizes.is_empty() { "1".to_owned() } else { sizes.join(", ") };
            self.report(Diagnostic::error(DECLARED_TYPE, shape.span, message).write(format!("[{sizes}]")));
        }
        fixed
    }

    fn initializer(&mut self, init: &'a Expression) -> Option<nn::Call> {
        const INIT: &[Parameter] = &[Parameter::required("value", Kind::Initializer, "how it begins")];
        let argument = match &init.kind {
            ExpressionKind::Number(_) | ExpressionKind::Unary { .. } => match self.expression(init) {
                Value::Number(value) => Argument::Call(nn::Call::new("constant").with(value)),
                _ => return None,
            },
            ExpressionKind::Array(_) => {
                let mistake = Diagnostic::error(WRONG_VALUE, init.span, "a parameter begins by an initialiser or as one number");
                self.report(mistake.write("zeros"));
                return None;
            }
            _ => self.argument(init, Some(&INIT[0]))?,
        };
        let call = nn::Call::new("parameter").with(argument);
        match nn::arguments::resolve("parameter", INIT, &call) {
            Ok(call) => call.inner("value").cloned(),
            Err(fault) => {
                self.argument_fault(fault, init);
                None
            }
        }
    }

    fn learned(&mut self, name: &'a Name, span: Span, sizes: Vec<usize>, initializer: nn::Call) -> Value<'a> {
        if self.find(&name.text).is_some() {
            return self.unknown();
        }
        self.at(name.span);
        let numbered = self.numbered(&name.text);
        let wanted = Wanted::own(&sizes, initializer);
        match self.network.parameter(&numbered, wanted) {
            Ok(node) => {
                self.note(node, span, None);
                self.network.name_value(node, &name.text);
                Value::Tensor(node)
            }
            Err(fault) => self.fault(fault, name.span),
        }
    }

    /// The name of a parameter below the current path: the second of a name, made by another call, is numbered.
    fn numbered(&mut self, name: &str) -> String {
        let key = format!("{}.{name}", self.network.path());
        let count = self.counts.entry(key).or_insert(0);
        *count += 1;
        if *count == 1 { name.to_owned() } else { format!("{name}_{count}") }
    }

    /// `setting lambda = 1e-3;`
    pub(super) fn setting(&mut self, name: &'a Name, value: &'a Expression) {
        let value = match self.declared_number(("setting", name), value, "a setting begins as a number") {
            Some(Value::Number(number)) if self.find(&name.text).is_none() => {
                self.at(name.span);
                match self.network.setting(&name.text, number) {
                    Ok(node) => {
                        self.note(node, name.span, None);
                        Value::Tensor(node)
                    }
                    Err(fault) => self.fault(fault, value.span),
                }
            }
            // Whatever its value will be, it is a scalar: what is computed with it has a shape.
            Some(Value::Later) => Value::Later,
            _ => self.unknown(),
        };
        self.define(name, value);
    }

    /// `const width = 128;`
    pub(super) fn constant(&mut self, name: &'a Name, value: &'a Expression) {
        let rule = "a constant is a number known when the network is built";
        let value = self.declared_number(("constant", name), value, rule);
        let value = value.unwrap_or(Value::Unknown);
        self.define(name, value);
    }

    /// The written number, or the one that replaces it.
    fn declared_number(&mut self, (kind, name): (&str, &Name), value: &'a Expression, rule: &str) -> Option<Value<'a>> {
        let written = self.expression(value);
        if let Some(other) = self.options.sizes.get(&name.text) {
            if let Err(fault) = check_bounds(kind, &name.text, Kind::ANY, *other) {
                self.fault(fault, value.span);
                return None;
            }
            return Some(Value::Number(*other));
        }
        match written {
            Value::Number(_) | Value::Later => Some(written),
            Value::Unknown => None,
            other => {
                let message = format!("{rule}; this is {}", other.kind());
                self.report(Diagnostic::error(WRONG_VALUE, value.span, message).write("1"));
                None
            }
        }
    }

    /// A replaced constant or setting must be one of the network's.
    pub(super) fn check_overrides(&mut self, network: &'a ast::Network) {
        let known: Vec<&str> = network
            .statements
            .iter()
            .filter_map(|statement| match &statement.kind {
                ast::StatementKind::Const { name, .. } | ast::StatementKind::Setting { name, .. } => Some(name.text.as_str()),
                _ => None,
            })
            .collect();
        for name in self.options.sizes.keys().filter(|name| !known.contains(&name.as_str())) {
            let message = format!("`{}` has no constant or setting `{name}`", network.name.text);
            let mistake = Diagnostic::error(NAME_UNKNOWN, network.name.span, message);
            // What is wrong stands outside of the text.
            self.diagnostics.push(match nearest(name, known.iter().copied()) {
                Some(near) => mistake.help(format!("write `{near}`")),
                None if known.is_empty() => mistake.help("declare it there, or leave it as it is"),
                None => mistake.help(format!("there are `{}`", known.join("`, `"))),
            });
        }
    }
}

/// A size that was perhaps meant.
fn size_like(value: &Value, otherwise: usize) -> String {
    match value {
        Value::Number(value) if value.abs() >= 1.0 && value.abs() < 1e6 => number(value.abs().floor()),
        _ => otherwise.to_string(),
    }
}
