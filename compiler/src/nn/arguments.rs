//! Arguments: what was written is held against what a function takes; defaults are filled in.
//!
//! In a [`Call`] as the language hands it over, an argument without a name is positional. After [`resolve`] every argument stands under
//! its parameter's name, in the parameters' order, with its kind and bounds checked; what may be left out and was is absent.

use super::fault::{
    ARGUMENT_BOUNDS, ARGUMENT_KIND, ARGUMENT_MISSING, ARGUMENT_SURPLUS, ARGUMENT_TWICE, ARGUMENT_UNKNOWN, Fault, NAME_UNKNOWN,
};
use super::{Argument, Call, Kind, Parameter, SEMANTICS, initializers, penalties};
use crate::graph::text::number;

/// The call with every argument under its name, checked, defaults filled in.
pub fn resolve(owner: &str, parameters: &[Parameter], given: &Call) -> Result<Call, Fault> {
    let slots = assign(owner, parameters, given)?;
    let semantics = parameters.iter().zip(&slots).find_map(|(parameter, slot)| match slot {
        Some(Argument::Word(word)) if parameter.name == SEMANTICS => Some(word.clone()),
        _ => None,
    });
    let mut arguments = Vec::new();
    let given_names: Vec<&str> =
        parameters.iter().zip(&slots).filter(|(_, slot)| slot.is_some()).map(|(parameter, _)| parameter.name).collect();
    for (parameter, slot) in parameters.iter().zip(slots) {
        let argument = match (slot, parameter.default_under(semantics.as_deref())) {
            (Some(argument), _) => check(owner, parameter, argument)?,
            (None, Some("")) => continue,
            (None, Some(text)) => check(owner, parameter, default_argument(text))?,
            (None, None) => {
                let message = format!("{owner} needs `{}`: {}", parameter.name, parameter.doc);
                return Err(Fault::new(ARGUMENT_MISSING, message).at(parameter.name));
            }
        };
        arguments.push((parameter.name.to_string(), argument));
    }
    let call = Call { name: given.name.clone(), arguments };
    check_order(owner, parameters, &call, &|name| call.number(name), &|name| given_names.contains(&name))?;
    Ok(call)
}

/// Whether each argument that must not lie below another does not, as far as their values are known. What is said is said of one that
/// was given.
pub(super) fn check_order(
    owner: &str,
    parameters: &[Parameter],
    call: &Call,
    value: &dyn Fn(&str) -> Option<f64>,
    is_given: &dyn Fn(&str) -> bool,
) -> Result<(), Fault> {
    for parameter in parameters.iter().filter(|parameter| call.get(parameter.name).is_some()) {
        let Some((other, may_equal)) = parameter.not_below else { continue };
        let (Some(low), Some(high)) = (value(other), value(parameter.name)) else { continue };
        if high > low || may_equal && high == low {
            continue;
        }
        let distance = if may_equal { 0.0 } else { 1.0 };
        let (name, than, bound, found, instead) = match is_given(parameter.name) || !is_given(other) {
            true => (parameter.name, if may_equal { "at least" } else { "above" }, (other, low), high, low + distance),
            false => (other, if may_equal { "at most" } else { "below" }, (parameter.name, high), low, high - distance),
        };
        let message = format!("{owner}: `{name}` must be {than} `{}`, {}, got {}", bound.0, number(bound.1), number(found));
        return Err(Fault::new(ARGUMENT_BOUNDS, message).meant(number(instead)).at(name));
    }
    Ok(())
}

/// Which argument goes to which parameter.
fn assign(owner: &str, parameters: &[Parameter], given: &Call) -> Result<Vec<Option<Argument>>, Fault> {
    let mut slots: Vec<Option<Argument>> = vec![None; parameters.len()];
    let mut next = 0;
    for (name, argument) in &given.arguments {
        if !name.is_empty() {
            let Some(place) = parameters.iter().position(|parameter| parameter.name == name) else {
                return Err(unknown_argument(owner, parameters, name));
            };
            if slots[place].is_some() {
                return Err(Fault::new(ARGUMENT_TWICE, format!("{owner} is given `{name}` twice")).at(name));
            }
            slots[place] = Some(argument.clone());
            continue;
        }
        // Several tensors in a row fill one parameter of that kind.
        if let (Some(Kind::Tensors), Argument::Tensor(_)) = (parameters.get(next).map(|parameter| parameter.kind), argument) {
            match &mut slots[next] {
                Some(Argument::List(list)) => list.push(argument.clone()),
                slot => *slot = Some(Argument::List(vec![argument.clone()])),
            }
            continue;
        }
        while next < parameters.len() && slots[next].is_some() {
            next += 1;
        }
        if next == parameters.len() {
            let message = match parameters.len() {
                0 => format!("{owner} takes no arguments"),
                1 => format!("{owner} takes 1 argument, `{}`", parameters[0].name),
                count => format!("{owner} takes at most {count} arguments: {}", names(parameters)),
            };
            return Err(Fault::new(ARGUMENT_SURPLUS, message).at(show(argument)));
        }
        slots[next] = Some(argument.clone());
    }
    Ok(slots)
}

fn unknown_argument(owner: &str, parameters: &[Parameter], name: &str) -> Fault {
    let help = if parameters.is_empty() { "it takes none".to_string() } else { format!("it takes {}", names(parameters)) };
    Fault::new(ARGUMENT_UNKNOWN, format!("{owner} has no argument `{name}`"))
        .help(help)
        .at(name)
        .known(parameters.iter().map(|parameter| parameter.name))
}

fn names(parameters: &[Parameter]) -> String {
    let quoted: Vec<String> = parameters.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
    quoted.join(", ")
}

/// The default of a parameter under a convention, as a resolved call holds it; nothing if it has none.
pub fn default_of(parameter: &Parameter, semantics: Option<&str>) -> Option<Argument> {
    let text = parameter.default_under(semantics).filter(|text| !text.is_empty())?;
    check("", parameter, default_argument(text)).ok()
}

/// A default's source text as an argument: a number, a fraction, a flag, a list of nothing, or a word.
fn default_argument(text: &str) -> Argument {
    if let Ok(value) = text.parse::<f64>() {
        return Argument::Number(value);
    }
    if let Some((over, under)) = text.split_once('/')
        && let (Ok(over), Ok(under)) = (over.trim().parse::<f64>(), under.trim().parse::<f64>())
    {
        return Argument::Number(over / under);
    }
    match text {
        "true" => Argument::Flag(true),
        "false" => Argument::Flag(false),
        word => Argument::Word(word.to_string()),
    }
}

/// An argument as a user would write it.
pub fn show(argument: &Argument) -> String {
    match argument {
        Argument::Number(value) => number(*value),
        Argument::Flag(flag) => flag.to_string(),
        Argument::Word(word) => word.clone(),
        Argument::Tensor(_) => "a tensor".to_string(),
        Argument::List(list) => format!("[{}]", list.iter().map(show).collect::<Vec<_>>().join(", ")),
        Argument::Call(call) => show_call(call),
    }
}

/// A call as a user would write it.
pub fn show_call(call: &Call) -> String {
    let arguments: Vec<String> = call
        .arguments
        .iter()
        .map(|(name, argument)| if name.is_empty() { show(argument) } else { format!("{name} = {}", show(argument)) })
        .collect();
    if arguments.is_empty() { call.name.clone() } else { format!("{}({})", call.name, arguments.join(", ")) }
}

fn check(owner: &str, parameter: &Parameter, argument: Argument) -> Result<Argument, Fault> {
    let wrong = |expected: &str, argument: &Argument| {
        let message = format!("{owner}: `{}` must be {expected}, got {}", parameter.name, show(argument));
        Err(Fault::new(ARGUMENT_KIND, message).at(parameter.name))
    };
    match (parameter.kind, argument) {
        (Kind::Size { least }, argument) => match size(&argument, least) {
            Some(_) => Ok(argument),
            None => wrong(&format!("a whole number of at least {least}"), &argument),
        },
        (Kind::Integer, Argument::Number(value)) if value.fract() == 0.0 && value.abs() < 9e15 => Ok(Argument::Number(value)),
        (Kind::Integer, argument) => wrong("a whole number", &argument),
        (Kind::Sizes, Argument::List(list)) if list.iter().all(|one| size(one, 1).is_some()) => Ok(Argument::List(list)),
        (Kind::Sizes, argument) if size(&argument, 1).is_some() => Ok(Argument::List(vec![argument])),
        (Kind::Sizes, argument) => wrong("sizes of at least 1, such as [2, 3]", &argument),
        (Kind::Padding, Argument::Word(word)) if word == "same" => Ok(Argument::Word(word)),
        (Kind::Padding, Argument::List(list)) if list.iter().all(|one| size(one, 0).is_some()) => Ok(Argument::List(list)),
        (Kind::Padding, argument) if size(&argument, 0).is_some() => Ok(Argument::List(vec![argument])),
        (Kind::Padding, argument) => wrong("sizes of at least 0, such as [1, 0], or same", &argument),
        (kind @ Kind::Number { .. }, Argument::Number(value)) => {
            check_bounds(owner, parameter.name, kind, value)?;
            Ok(Argument::Number(value))
        }
        (Kind::Number { .. }, Argument::Tensor(node)) if parameter.is_known => {
            let name = parameter.name;
            let message =
                format!("{owner}: `{name}` must be known when the network is compiled, before settings have their values");
            Err(Fault::new(ARGUMENT_KIND, message).help("write the number itself").at(name).against(node))
        }
        // Whether the tensor is a scalar is seen where the graph is at hand.
        (Kind::Number { .. }, Argument::Tensor(node)) => Ok(Argument::Tensor(node)),
        (Kind::Number { .. }, argument) => wrong("a number", &argument),
        (Kind::Flag, Argument::Flag(flag)) => Ok(Argument::Flag(flag)),
        (Kind::Flag, argument) => wrong("true or false", &argument).map_err(|fault| fault.known(["true", "false"])),
        (Kind::Choice(words), Argument::Word(word)) if words.contains(&word.as_str()) => Ok(Argument::Word(word)),
        (Kind::Choice(words), argument) => {
            let fault = wrong(&words.join(" or "), &argument);
            fault.map_err(|fault| fault.known(words.iter().copied()))
        }
        (Kind::Tensor, Argument::Tensor(node)) => Ok(Argument::Tensor(node)),
        (Kind::Tensor, argument) => wrong("a value of the network", &argument),
        (Kind::Tensors, Argument::List(list)) if list.iter().all(|one| matches!(one, Argument::Tensor(_))) => {
            Ok(Argument::List(list))
        }
        (Kind::Tensors, argument) => wrong("values of the network", &argument),
        (Kind::Initializer, argument) => match as_call(&argument) {
            Some(call) => {
                let initializer = initializers::find(&call.name).map_err(|fault| fault.at(parameter.name))?;
                Ok(Argument::Call(resolve(initializer.name, initializer.parameters, &call)?))
            }
            None => wrong("an initialiser, such as he_uniform", &argument),
        },
        (Kind::Penalty, Argument::Word(word)) if word == "none" => Ok(Argument::Word(word)),
        (Kind::Penalty, argument) => match as_call(&argument) {
            Some(call) => {
                let penalty = penalties::find(&call.name).map_err(|fault| fault.at(parameter.name))?;
                Ok(Argument::Call(resolve(penalty.name, penalty.parameters, &call)?))
            }
            None => wrong("a penalty, such as l2(1e-4), or none", &argument),
        },
        (Kind::Numbers, Argument::List(list))
            if list.iter().all(|one| matches!(one, Argument::Number(value) if is_representable(*value))) =>
        {
            Ok(Argument::List(list))
        }
        (Kind::Numbers, argument) => wrong("numbers in brackets", &argument),
        (Kind::Text, Argument::Word(text)) => Ok(Argument::Word(text)),
        (Kind::Text, argument) => wrong("a text in quotes", &argument),
    }
}

/// A bare word is a call without arguments.
fn as_call(argument: &Argument) -> Option<Call> {
    match argument {
        Argument::Word(word) => Some(Call { name: word.clone(), arguments: Vec::new() }),
        Argument::Call(call) => Some(call.clone()),
        _ => None,
    }
}

fn size(argument: &Argument, least: usize) -> Option<usize> {
    match argument {
        // 2^53: above it, f64 does not tell whole numbers apart.
        Argument::Number(value) if value.fract() == 0.0 && *value >= least as f64 && *value < 9.007e15 => Some(*value as usize),
        _ => None,
    }
}

/// Below it, a number above 1 is a slip rather than a percentage.
const LEAST_PERCENTAGE: f64 = 5.0;

/// Whether a number is one that a network can compute with: finite, in f32 as well.
pub fn is_representable(value: f64) -> bool {
    (value as f32).is_finite()
}

/// Whether a number lies inside a kind's bounds; NaN never does, nor does what is infinite in f32.
pub fn check_bounds(owner: &str, name: &str, kind: Kind, value: f64) -> Result<(), Fault> {
    let Kind::Number { low, low_included, high, high_included } = kind else { return Ok(()) };
    let above = value > low || low_included && value == low;
    let below = value < high || high_included && value == high;
    if above && below && is_representable(value) {
        return Ok(());
    }
    if above && below {
        let message = format!("{owner}: `{name}` is {}; numbers are f32, which end at 3.4e38", number(value));
        return Err(Fault::new(ARGUMENT_BOUNDS, message).at(name));
    }
    let range = range(kind);
    let must = format!("{owner}: `{name}` must be {range}");
    let found = number(value);
    let fault = match high == 1.0 && (LEAST_PERCENTAGE..100.0).contains(&value) {
        true => {
            let share = number(value / 100.0);
            Fault::new(ARGUMENT_BOUNDS, format!("{must}; {found} looks like a percentage, write {share}")).meant(share)
        }
        false => Fault::new(ARGUMENT_BOUNDS, format!("{must}; got {found}")),
    };
    Err(fault.at(name))
}

/// What a number of this kind must be: `at least 0`, `in [0, 1)`.
pub fn range(kind: Kind) -> String {
    let Kind::Number { low, low_included, high, high_included } = kind else { return String::new() };
    match (low.is_finite(), high.is_finite()) {
        (false, false) => "finite".to_string(),
        (true, false) if low_included => format!("at least {}", number(low)),
        (true, false) => format!("above {}", number(low)),
        (false, true) if high_included => format!("at most {}", number(high)),
        (false, true) => format!("below {}", number(high)),
        (true, true) => {
            let (open, close) = (if low_included { '[' } else { '(' }, if high_included { ']' } else { ')' });
            format!("in {open}{}, {}{close}", number(low), number(high))
        }
    }
}

/// A name that no record has.
pub fn unknown_name(what: &str, name: &str, known: impl IntoIterator<Item = &'static str>) -> Fault {
    Fault::new(NAME_UNKNOWN, format!("no {what} is called `{name}`")).at(name).known(known)
}
