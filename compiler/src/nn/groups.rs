//! Groups: what the optimizer does differently with the parameters whose names match a pattern.
//!
//! `using adamw(1e-3).group("encoder.*", rate_factor = 0.1, weight_decay = 0).group("stem.*", frozen = true)`;
//! `.group("gain", penalty = none)`. Groups act in the order written, after all layers:
//! the last one that matches a parameter counts, also over what its layer says.

use super::fault::{ARGUMENT_BOUNDS, ARGUMENT_UNKNOWN, Detail, NAME_UNKNOWN};
use super::parameters::Governed;
use super::{Argument, Call, Fault, Kind, Network, Parameter, arguments};

/// The word behind `using`.
pub const NAME: &str = "group";

/// What a group takes.
pub const PARAMETERS: &[Parameter] = &[
    Parameter::required("pattern", Kind::Text, "names of parameters, such as \"encoder.*\"; `*` stands for any letters"),
    Parameter::optional("rate_factor", Kind::NOT_NEGATIVE, "", "multiplies the optimizer's rate"),
    Parameter::optional("weight_decay", Kind::NOT_NEGATIVE, "", "in place of the optimizer's"),
    Parameter::optional("penalty", Kind::Penalty, "", "in place of the penalties that they are under, or none"),
    Parameter::optional("frozen", Kind::Flag, "", "keeps them as they are"),
];

impl Network {
    /// Announces a group that freezes or does not, before the layers that it means: a frozen batch norm is another formula.
    pub fn announce(&mut self, pattern: &str, frozen: bool) {
        self.announced.push((pattern.to_string(), frozen));
    }
    /// Whether a parameter of the scopes is frozen by the last group that says so, or by its layer.
    pub(super) fn is_frozen(&self, name: &str, by_layer: bool) -> bool {
        let said = self.announced.iter().rev().find(|(pattern, _)| matches(pattern, name));
        said.map_or(by_layer, |(_, frozen)| *frozen)
    }
    /// States a group. The parameters that it means and the optimizer are there already.
    pub fn group(&mut self, call: &Call) -> Result<(), Fault> {
        let mut call = arguments::resolve(NAME, PARAMETERS, call)?;
        self.check_numbers(NAME, PARAMETERS, &mut call)?;
        let pattern = call.word("pattern").unwrap_or_default().to_string();
        let given = |call: &Call, name: &str| call.get(name).is_some();
        let rate_factor = given(&call, "rate_factor").then(|| self.number(&call, "rate_factor"));
        let weight_decay = given(&call, "weight_decay").then(|| self.number(&call, "weight_decay"));
        let governed = match call.inner("penalty") {
            Some(penalty) => Some(Governed::ByOwn(self.applied(penalty, &format!("{NAME}.{}", penalty.name))?)),
            None => (call.word("penalty") == Some("none")).then_some(Governed::Free),
        };
        let frozen = given(&call, "frozen").then(|| call.flag("frozen"));
        let decays = self.optimizer.as_ref().is_none_or(|optimizer| given(&optimizer.call, "weight_decay"));
        if weight_decay.is_some() && !decays {
            let name = self.optimizer.as_ref().map_or("", |optimizer| optimizer.rule.name());
            let fault = Fault::new(ARGUMENT_UNKNOWN, format!("{name} has no weight decay to replace"));
            return Err(fault.help("take `adamw`, or a penalty: `l2(…)`").at("weight_decay"));
        }
        let mut matched = self.parameters.iter_mut().filter(|learned| matches(&pattern, &learned.name)).peekable();
        if matched.peek().is_none() {
            let names: Vec<String> = self.parameters.iter().take(4).map(|learned| format!("`{}`", learned.name)).collect();
            let help = if names.is_empty() { "there are none".into() } else { format!("there are {}", names.join(", ")) };
            let fault = Fault::new(NAME_UNKNOWN, format!("no parameter is called `{pattern}`"));
            return Err(fault.help(help).with(Detail::Pattern).at("pattern"));
        }
        let (mut reached, asked) = (false, call.inner("penalty").map(|penalty| penalty.name.clone()));
        for learned in matched {
            if let Some(governed) = &governed {
                learned.wanted.governed = governed.clone();
                reached |= matches!(governed, Governed::ByOwn(own) if own.on_all || learned.wanted.penalised);
            }
            learned.wanted.rate_factor = rate_factor.or(learned.wanted.rate_factor);
            learned.wanted.weight_decay = weight_decay.or(learned.wanted.weight_decay);
            // What is asked for by name is decayed, whatever it is.
            learned.wanted.decayed |= weight_decay.is_some();
            learned.wanted.frozen = frozen.unwrap_or(learned.wanted.frozen);
        }
        if let (Some(penalty), false) = (asked, reached) {
            let message = format!("{penalty} acts on weights, and `{pattern}` names biases and normalisation parameters alone");
            let fault = Fault::new(ARGUMENT_BOUNDS, message).help("write `on = all` behind its strength");
            return Err(fault.with(Detail::NoWeights).at("penalty"));
        }
        self.groups.push(call);
        Ok(())
    }
}

/// An optimizer's call with a weight decay of a parameter's own.
pub fn with_decay(call: &Call, decay: Argument) -> Call {
    let mut call = call.clone();
    if let Some((_, argument)) = call.arguments.iter_mut().find(|(name, _)| name == "weight_decay") {
        *argument = decay;
    }
    call
}

/// Whether a name is of a pattern's form.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, expected) in [
            ("encoder.*", "encoder.dense.weight", true),
            ("encoder.*", "decoder.dense.weight", false),
            ("encoder.*", "encoder", false),
            ("*.bias", "encoder.dense.bias", true),
            ("*.bias", "encoder.dense.biased", false),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("*", "anything", true),
            ("same", "same", true),
            ("same", "same.not", false),
            ("aa*aa", "aaa", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
