//! PyTorch's `Sequential` as text, and the calls of ours that mean the same.

use super::Call;

/// A module of PyTorch's `Sequential`, as its text says: `(1): BatchNorm1d(8, eps=1e-05, momentum=0.1)`.
pub(super) struct Module {
    pub(super) index: String,
    pub(super) kind: String,
    pub(super) arguments: Vec<(String, String)>,
}

/// The modules in their order.
pub(super) fn modules(model: &str) -> Vec<Module> {
    let line = |line: &str| {
        let (index, rest) = line.trim().strip_prefix('(')?.split_once("): ")?;
        let (kind, arguments) = rest.split_once('(')?;
        // Pairs in parentheses are one argument.
        let arguments = arguments.strip_suffix(')').unwrap_or(arguments).replace("(", "").replace("), ", ",").replace(')', "");
        let pair = |argument: &str| match argument.split_once('=') {
            Some((name, value)) => (name.to_string(), value.to_string()),
            None => (String::new(), argument.to_string()),
        };
        let mut pairs: Vec<(String, String)> = Vec::new();
        for argument in arguments.split([',', ' ']).filter(|argument| !argument.is_empty()) {
            match pairs.last_mut() {
                // The second of a pair: `kernel_size=3, 2`.
                Some((name, value)) if !name.is_empty() && !argument.contains('=') => *value += &format!(",{argument}"),
                _ => pairs.push(pair(argument)),
            }
        }
        Some(Module { index: index.into(), kind: kind.into(), arguments: pairs })
    };
    let mut modules: Vec<Module> = Vec::new();
    for module in model.lines().filter_map(line) {
        match modules.last_mut() {
            // `(0): Last( (r): RNN(3, 6) )`: a recurrent layer, then its last state.
            Some(outer) if outer.kind == "Last" && outer.arguments.is_empty() && module.index == "r" => {
                let index = std::mem::take(&mut outer.index);
                outer.index = format!("{index}.last");
                modules.insert(modules.len() - 1, Module { index, ..module });
            }
            // The parts of an attention go by its name.
            Some(outer) if outer.kind == "Attention" && module.index.parse::<usize>().is_err() => {}
            _ => modules.push(module),
        }
    }
    modules
}

impl Module {
    fn number(&self, name: &str) -> f64 {
        let found = self.arguments.iter().find(|(known, _)| known == name);
        found.and_then(|(_, value)| value.parse().ok()).unwrap_or_else(|| panic!("{} has no {name}", self.kind))
    }
    fn numbers(&self, name: &str) -> Vec<f64> {
        let found = self.arguments.iter().find(|(known, _)| known == name);
        let numbers = found.and_then(|(_, value)| value.split(',').map(|one| one.parse().ok()).collect());
        numbers.unwrap_or_else(|| panic!("{} has no {name}", self.kind))
    }
    /// Numbers that PyTorch prints only where they are not this one.
    fn given(&self, name: &str, otherwise: f64) -> Vec<f64> {
        if self.arguments.iter().any(|(known, _)| known == name) { self.numbers(name) } else { vec![otherwise] }
    }
    /// The call of ours that means the same.
    pub(super) fn call(&self) -> Call {
        match self.kind.as_str() {
            // The bias is there even where batch norm takes it out again: the running mean knows of it.
            "Linear" => Call::new("dense").with(self.number("out_features")).set("bias", true),
            "BatchNorm1d" | "BatchNorm2d" => {
                Call::new("batch_norm").set("momentum", self.number("momentum")).set("epsilon", self.number("eps"))
            }
            "LayerNorm" => Call::new("layer_norm").set("epsilon", self.number("eps")),
            "Embedding" => {
                let width = self.arguments[1].1.parse::<f64>().expect("a width");
                Call::new("embedding").with(width)
            }
            "Conv2d" => Call::new("conv2d")
                .with(self.arguments[1].1.parse::<f64>().expect("channels"))
                .set("kernel", self.numbers("kernel_size").as_slice())
                .set("stride", self.numbers("stride").as_slice())
                .set("padding", self.given("padding", 0.0).as_slice())
                .set("dilation", self.given("dilation", 1.0).as_slice())
                .set("groups", self.given("groups", 1.0)[0])
                .set("bias", true),
            "MaxPool2d" | "AvgPool2d" => {
                let name = if self.kind == "MaxPool2d" { "max_pool" } else { "average_pool" };
                Call::new(name)
                    .set("size", self.numbers("kernel_size").as_slice())
                    .set("stride", self.numbers("stride").as_slice())
                    .set("padding", self.numbers("padding").as_slice())
            }
            "RNN" | "LSTM" | "GRU" => {
                Call::new(self.kind.to_lowercase()).with(self.arguments[1].1.parse::<f64>().expect("a width"))
            }
            "Attention" => Call::new("attention").with(2.0).set("causal", true),
            "PReLU" => Call::new("prelu").set("per", "channel"),
            "LeakyReLU" => Call::new("leaky_relu").set("slope", self.number("negative_slope")),
            "ELU" => Call::new("elu").set("alpha", self.number("alpha")),
            kind => Call::new(kind.to_lowercase()),
        }
    }
    /// Our name of a parameter of theirs.
    pub(super) fn renamed(&self, theirs: &str) -> String {
        let call = self.call().name;
        let ours = match (call.as_str(), theirs) {
            ("batch_norm" | "layer_norm", "weight") => "gamma",
            ("batch_norm" | "layer_norm", "bias") => "beta",
            ("batch_norm", "running_var") => "running_variance",
            ("prelu", "weight") => "slope",
            ("rnn" | "lstm" | "gru", "r.weight_ih_l0") => "weight",
            ("rnn" | "lstm" | "gru", "r.weight_hh_l0") => "state_weight",
            ("rnn" | "lstm" | "gru", "r.bias_ih_l0") => "bias",
            ("rnn" | "lstm" | "gru", "r.bias_hh_l0") => "state_bias",
            ("attention", "qkv.weight") => "weight",
            ("attention", "qkv.bias") => "bias",
            ("attention", "out.weight") => "output_weight",
            ("attention", "out.bias") => "output_bias",
            (_, theirs) => theirs,
        };
        format!("m{}.{call}.{ours}", self.index)
    }
}
