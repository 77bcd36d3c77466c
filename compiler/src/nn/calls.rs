//! Calls of functions by name: arguments checked, defaults filled in, what they build noted; and what builders ask of a call.

use super::formulas::Bounded;
use super::network::{Network, Use, shape_text};
use super::parameters::{Governed, Wanted};
use super::penalties::Applied;
use super::{Argument, Call, Family, Fault, Function, Kind, Parameter, Receiver, arguments, fault};
use crate::graph::{Element, NodeId, Type};

impl Network {
    /// Calls a function by name on a receiver: checks the arguments, fills in defaults, builds.
    pub fn call(&mut self, name: &str, receiver: NodeId, call: &Call) -> Result<NodeId, Fault> {
        let Some(function) = super::function(name) else {
            let known = super::functions().map(|function| function.name);
            return Err(arguments::unknown_name("layer or function", name, known));
        };
        self.check_receiver(function, receiver)?;
        let mut call =
            arguments::resolve(function.name, function.parameters, call).map_err(|fault| self.locate(fault, receiver))?;
        self.check_numbers(function.name, function.parameters, &mut call)?;
        let segment = if function.family == Family::Operation { None } else { Some(self.numbered(function.name)) };
        let path = segment.as_ref().map_or_else(|| self.path(), |segment| self.path_of(segment));
        let (nodes, parameters) = (self.builder.graph().nodes.len(), self.parameters.len());
        if let Some(segment) = &segment {
            self.enter(segment.clone());
        }
        let built = (function.build)(self, receiver, &call);
        if segment.is_some() {
            self.leave();
        }
        let output = built.map_err(|fault| self.locate(fault, receiver))?;
        self.uses.push(Use {
            function,
            path,
            call,
            input: receiver,
            output,
            parameters: parameters..self.parameters.len(),
            nodes: nodes..self.builder.graph().nodes.len(),
            place: self.place.clone(),
        });
        Ok(output)
    }
    fn locate(&self, fault: Fault, receiver: NodeId) -> Fault {
        if fault.value.is_none() { fault.about(receiver) } else { fault }
    }
    fn check_receiver(&self, function: &Function, receiver: NodeId) -> Result<(), Fault> {
        let ty = self.builder.ty(receiver);
        let real = match ty.element {
            Element::Bool => "write `where(…, 1, 0)` around the condition",
            Element::I32 | Element::U32 => {
                "`embedding(width)` or `one_hot()` for what integers name, `x / 1` for what they count"
            }
            _ => "use `embedding(width)` or `one_hot()` for classes",
        };
        let (fits, needs, help) = match function.receiver {
            Receiver::Real => (ty.element.is_real(), "real numbers", real),
            Receiver::Index => (ty.element.is_integer(), "class indices", "declare the input as `class(n)`"),
            Receiver::Any => (true, "", ""),
        };
        if fits {
            return Ok(());
        }
        let value = self.describe(receiver, "its receiver");
        let message = format!("{} needs {needs}; {value} is {}{}", function.name, ty.element, shape_text(&ty.shape));
        Err(Fault::new(fault::WRONG_ELEMENT, message).help(help).about(receiver))
    }
    /// Holds each argument that stands for a number to the bounds of its parameter.
    pub(super) fn check_numbers(&mut self, owner: &str, parameters: &[Parameter], call: &mut Call) -> Result<(), Fault> {
        for parameter in parameters {
            if let (Kind::Number { .. }, Some(node)) = (parameter.kind, call.tensor(parameter.name)) {
                self.check_number(owner, parameter.name, parameter.kind, node)?;
            }
        }
        let value = |name: &str| match call.get(name) {
            Some(Argument::Tensor(node)) => self.known_number(*node),
            _ => call.number(name),
        };
        arguments::check_order(owner, parameters, call, &value, &|name| call.tensor(name).is_some())
    }
    /// A tensor that stands for a number must be an f64 scalar; the value of a setting or of a formula of settings must lie inside the
    /// bounds, now and when a setting changes.
    pub(super) fn check_number(&mut self, owner: &str, name: &str, kind: Kind, node: NodeId) -> Result<(), Fault> {
        if self.builder.ty(node) != &Type::f64() {
            let message = format!(
                "{owner}: `{name}` must be a number or a formula of settings and the step; {} is {}",
                self.describe(node, "it"),
                self.shape_text(node)
            );
            return Err(Fault::new(fault::ARGUMENT_KIND, message).at(name).against(node));
        }
        if let Some(constant) = self.builder.graph().constant(node) {
            arguments::check_bounds(owner, name, kind, constant)?;
        }
        if let Some(setting) = self.settings.iter_mut().find(|setting| setting.node == node) {
            arguments::check_bounds(owner, name, kind, setting.value).map_err(|fault| fault.against(node))?;
            setting.kinds.push(kind);
            return Ok(());
        }
        let Some(bounded) = Bounded::of(self.builder.graph(), node, owner, name, kind) else { return Ok(()) };
        bounded.check(&|name| self.setting_value(name))?;
        if self.settings.iter().any(|setting| bounded.reads(&setting.name)) {
            self.bounded.push(bounded);
        }
        Ok(())
    }
    /// A number argument as an f64 scalar; 0 if absent.
    pub fn number(&mut self, call: &Call, name: &str) -> NodeId {
        match call.get(name) {
            Some(Argument::Tensor(node)) => *node,
            Some(Argument::Number(value)) => self.builder.constant_f64(*value),
            _ => self.builder.constant_f64(0.0),
        }
    }
    /// A number argument as an f64 scalar that may change without compiling: a literal becomes a setting of this name.
    pub fn tunable(&mut self, call: &Call, name: &str, kind: Kind, setting: &str) -> Result<NodeId, Fault> {
        match call.number(name) {
            Some(value) if self.is_fixed => Ok(self.builder.constant_f64(value)),
            Some(value) => self.literal_setting(setting, value, kind),
            None => Ok(self.number(call, name)),
        }
    }
    /// The same under the path of the call that is being built, such as `hidden.dropout.rate`; shared blocks find it again.
    pub fn tunable_here(&mut self, call: &Call, name: &str, kind: Kind) -> Result<NodeId, Fault> {
        let path = self.path_of(name);
        match self.settings.iter().find(|known| known.name == path && self.scopes.iter().any(|scope| scope.shared)) {
            Some(known) => Ok(known.node),
            None => self.tunable(call, name, kind, &path),
        }
    }
    /// What a layer's common arguments (`init`, `frozen`, `rate_factor`, `penalty`) say about its parameter.
    pub fn governed(&mut self, call: &Call, wanted: Wanted) -> Result<Wanted, Fault> {
        let mut wanted = wanted;
        if let Some(initializer) = call.inner("init") {
            wanted.initializer = Some(initializer.clone());
        }
        wanted.frozen |= call.flag("frozen");
        if call.get("rate_factor").is_some() {
            wanted.rate_factor = Some(self.number(call, "rate_factor"));
        }
        if call.word("penalty") == Some("none") {
            wanted.governed = Governed::Free;
        } else if let Some(penalty) = call.inner("penalty") {
            let name = self.path_of(&penalty.name);
            wanted.governed = Governed::ByOwn(self.applied(penalty, &name)?);
        }
        Ok(wanted)
    }
    /// A penalty whose strength is a setting of this name.
    pub(super) fn applied(&mut self, call: &Call, setting: &str) -> Result<Applied, Fault> {
        let penalty = super::penalties::find(&call.name)?;
        let mut call = arguments::resolve(penalty.name, penalty.parameters, call)?;
        self.check_numbers(penalty.name, penalty.parameters, &mut call)?;
        let strength = self.tunable(&call, "strength", Kind::NOT_NEGATIVE, setting)?;
        let (proximal, on_all) = (call.flag("proximal"), call.word("on") == Some("all"));
        Ok(Applied { penalty, strength, proximal, on_all, place: self.place.clone() })
    }
}
