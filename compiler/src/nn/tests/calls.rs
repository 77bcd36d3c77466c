//! Every argument of every function is held to its kind and its bounds, and the messages say what it must be.

use crate::graph::NodeId;
use crate::nn::arguments::resolve;
use crate::nn::{Argument, Call, Kind, Parameter, clips, functions, initializers, optimizers, penalties};

/// Everything that takes arguments.
fn all() -> Vec<(&'static str, &'static [Parameter])> {
    let functions = functions().map(|function| (function.name, function.parameters));
    let optimizers = optimizers::LIST.iter().map(|optimizer| (optimizer.name, optimizer.parameters));
    let clips = clips::LIST.iter().map(|clip| (clip.name, clip.parameters));
    let penalties = penalties::LIST.iter().map(|penalty| (penalty.name, penalty.parameters));
    let initializers = initializers::LIST.iter().map(|initializer| (initializer.name, initializer.parameters));
    functions.chain(optimizers).chain(clips).chain(penalties).chain(initializers).collect()
}

fn word(text: &str) -> Argument {
    Argument::Word(text.into())
}

fn numbers(list: &[f64]) -> Argument {
    Argument::from(list)
}

/// Values that a kind takes, and values that it refuses.
fn samples(kind: Kind) -> (Vec<Argument>, Vec<Argument>) {
    let number = Argument::Number;
    match kind {
        Kind::Size { least } => {
            let least = least as f64;
            let wrong = [least - 1.0, least + 0.5, -1.0, f64::NAN, f64::INFINITY, 1e16].map(number);
            (vec![number(least), number(least + 7.0)], [wrong.to_vec(), vec![Argument::Flag(true), word("x")]].concat())
        }
        Kind::Integer => (vec![number(-1.0), number(0.0)], vec![number(0.5), number(f64::NAN), word("x")]),
        Kind::Sizes => {
            let wrong = vec![number(0.0), number(1.5), numbers(&[2.0, 0.0]), Argument::Flag(true)];
            (vec![number(2.0), numbers(&[2.0, 3.0])], wrong)
        }
        Kind::Padding => {
            let right = vec![number(0.0), numbers(&[1.0, 0.0]), word("same")];
            (right, vec![number(-1.0), number(0.5), word("valid"), Argument::Flag(true)])
        }
        Kind::Number { low, low_included, high, high_included } => {
            let (mut right, mut wrong) = (vec![], vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e39, -1e39]);
            if low.is_finite() {
                wrong.push(low - 0.1);
                if low_included { right.push(low) } else { wrong.push(low) }
            }
            if high.is_finite() {
                wrong.extend([high + 0.5, high * 50.0 + 1.0]);
                if high_included { right.push(high) } else { wrong.push(high) }
            }
            right.push(match (low.is_finite(), high.is_finite()) {
                (true, true) => (low + high) / 2.0,
                (true, false) => low + 3.0,
                (false, _) => high.min(0.5),
            });
            let wrong = wrong.into_iter().map(number).chain([Argument::Flag(true), word("x"), numbers(&[0.5])]);
            (right.into_iter().map(number).collect(), wrong.collect())
        }
        Kind::Flag => (vec![Argument::Flag(true), Argument::Flag(false)], vec![number(1.0), word("yes")]),
        Kind::Choice(words) => {
            let right = words.iter().map(|one| word(one)).collect();
            (right, vec![word("nonsense"), number(1.0), Argument::Flag(true)])
        }
        Kind::Tensor => (vec![Argument::Tensor(NodeId(0))], vec![number(1.0), word("x"), Argument::Flag(true)]),
        Kind::Tensors => (vec![Argument::List(vec![Argument::Tensor(NodeId(0))])], vec![number(1.0), word("x")]),
        Kind::Initializer => (vec![word("he"), Argument::Call(Call::new("zeros"))], vec![word("nonsense"), number(0.1)]),
        Kind::Penalty => {
            let right = vec![word("none"), Argument::Call(Call::new("l1").with(1e-5))];
            (right, vec![word("nonsense"), number(0.1), Argument::Call(Call::new("l1").with(-1.0)), word("l1")])
        }
        Kind::Text => (vec![word("encoder.*")], vec![number(1.0), Argument::Flag(true)]),
        Kind::Numbers => (vec![numbers(&[1.0, 2.0])], vec![number(1.0), numbers(&[f64::NAN]), numbers(&[1e39]), word("x")]),
    }
}

#[test]
fn every_argument_is_held_to_its_kind_and_bounds() {
    for (name, parameters) in all() {
        for tried in parameters {
            let others = parameters.iter().filter(|other| other.default.is_none() && other.name != tried.name);
            let others = others.map(|other| (other.name.to_string(), samples(other.kind).0[0].clone()));
            let base = Call { name: name.into(), arguments: others.collect() };
            let (right, wrong) = samples(tried.kind);
            // What must not lie below another argument, or above it, needs that one to give way.
            let above = parameters.iter().find(|other| other.not_below.is_some_and(|(name, _)| name == tried.name));
            let above = above.map(|other| (other.name, other.not_below, 1.0));
            let partner = above.or(tried.not_below.map(|(name, _)| (name, tried.not_below, -1.0)));
            for argument in right {
                let mut call = base.clone().set(tried.name, argument.clone());
                if let (Some((name, Some((_, may_equal)), side)), Argument::Number(value)) = (partner, argument) {
                    call.arguments.retain(|(known, _)| known != name);
                    call = call.set(name, if may_equal { value } else { value + side });
                }
                resolve(name, parameters, &call).unwrap_or_else(|fault| panic!("{call:?}: {fault}"));
            }
            for argument in wrong {
                let call = base.clone().set(tried.name, argument);
                let fault = resolve(name, parameters, &call).expect_err(&format!("{call:?}"));
                assert!(fault.argument.is_some(), "{call:?}: {fault}");
            }
        }
    }
}

#[test]
fn every_default_is_one_that_its_kind_takes() {
    for (name, parameters) in all() {
        for parameter in parameters.iter().filter(|parameter| parameter.default.is_some_and(|text| !text.is_empty())) {
            let words = parameter.elsewhere.iter().map(|(word, _)| Some(*word));
            for word in words.chain([None]) {
                assert!(crate::nn::arguments::default_of(parameter, word).is_some(), "{name}: {} {word:?}", parameter.name);
            }
        }
    }
}

#[test]
fn what_must_be_given_is_asked_for_and_nothing_more_is_taken() {
    for (name, parameters) in all() {
        let missing = resolve(name, parameters, &Call::new(name));
        assert_eq!(missing.is_err(), parameters.iter().any(|parameter| parameter.default.is_none()), "{name}");
        assert!(resolve(name, parameters, &Call::new(name).set("no_such_argument", 1.0)).is_err(), "{name}");
    }
}

/// What may be equal may be so, by default or not.
#[test]
fn bounds_of_a_range_may_meet_where_a_range_of_one_number_is_one() {
    for (name, low, high, is_sound) in
        [("clamp", 1.0, 1.0, true), ("uniform", 0.0, 0.0, true), ("rrelu", 0.2, 0.2, true), ("rescale", 1.0, 1.0, false)]
    {
        let parameters = all().into_iter().find(|(known, _)| *known == name).expect("a function").1;
        assert_eq!(resolve(name, parameters, &Call::new(name).with(low).with(high)).is_ok(), is_sound, "{name}");
    }
}

#[test]
fn messages_say_what_an_argument_must_be() {
    let message = |name: &str, call: Call| {
        let parameters = all().into_iter().find(|(known, _)| *known == name).expect("a function").1;
        resolve(name, parameters, &call).expect_err("a fault").message
    };
    let positional = |name: &str, value: f64| Call::new(name).with(value);
    for (name, call, expected) in [
        ("dropout", positional("dropout", 1.5), "dropout: `rate` must be in [0, 1); got 1.5"),
        ("dropout", positional("dropout", 50.0), "dropout: `rate` must be in [0, 1); 50 looks like a percentage, write 0.5"),
        ("dropout", positional("dropout", 1.0), "dropout: `rate` must be in [0, 1); got 1"),
        ("dense", positional("dense", -1.0), "dense: `width` must be a whole number of at least 1, got -1"),
        ("dense", positional("dense", 0.0), "dense: `width` must be a whole number of at least 1, got 0"),
        ("dense", positional("dense", 2.5), "dense: `width` must be a whole number of at least 1, got 2.5"),
        ("dense", Call::new("dense"), "dense needs `width`: the number of outputs"),
        ("leaky_relu", Call::new("leaky_relu").with("x"), "leaky_relu: `slope` must be a number, got x"),
        ("adam", positional("adam", -1e-3), "adam: `rate` must be at least 0; got -0.001"),
        ("adam", positional("adam", 0.1).set("beta1", 1.0), "adam: `beta1` must be in [0, 1); got 1"),
        ("adam", positional("adam", 1e39), "adam: `rate` is 1e39; numbers are f32, which end at 3.4e38"),
        ("clip_norm", positional("clip_norm", 0.0), "clip_norm: `limit` must be above 0; got 0"),
        ("batch_norm", Call::new("batch_norm").set("epsilon", 0.0), "batch_norm: `epsilon` must be above 0; got 0"),
        ("relu", positional("relu", 0.1), "relu takes no arguments"),
        ("clamp", positional("clamp", 1.0).with(-1.0), "clamp: `high` must be at least `low`, 1, got -1"),
        ("rescale", positional("rescale", 0.0).with(0.0), "rescale: `high` must be above `low`, 0, got 0"),
        ("rescale", positional("rescale", 1.0), "rescale: `low` must be below `high`, 1, got 1"),
        ("uniform", Call::new("uniform").set("high", -2.0), "uniform: `high` must be at least `low`, -1, got -2"),
        ("uniform", positional("uniform", 2.0), "uniform: `low` must be at most `high`, 1, got 2"),
        ("rrelu", positional("rrelu", 0.5).with(0.1), "rrelu: `upper` must be at least `lower`, 0.5, got 0.1"),
    ] {
        assert_eq!(message(name, call), expected);
    }
}
