//! What an optimizer's record promises about conventions.

use super::trial::elaborated;
use crate::nn::{Kind, SEMANTICS, optimizers};
use crate::summary;
use serde_json::Value;
use std::path::Path;

/// The words of an optimizer's `semantics`.
fn words(optimizer: &optimizers::Optimizer) -> &'static [&'static str] {
    let parameter = optimizer.parameters.iter().find(|parameter| parameter.name == SEMANTICS);
    match parameter.map(|parameter| parameter.kind) {
        Some(Kind::Choice(words)) => words,
        _ => panic!("{} does not say whose it is", optimizer.name),
    }
}

#[test]
fn every_word_has_one_form_and_defaults_are_of_words_that_are_offered() {
    for optimizer in optimizers::LIST {
        let mut offered = words(optimizer).to_vec();
        let mut formed: Vec<&str> = optimizer.forms.iter().flat_map(|form| form.of.iter().copied()).collect();
        assert_eq!(optimizer.forms[0].of[0], "paper", "{}", optimizer.name);
        offered.sort_unstable();
        formed.sort_unstable();
        assert_eq!(offered, formed, "{}", optimizer.name);
        for (word, _) in optimizer.parameters.iter().flat_map(|parameter| parameter.elsewhere) {
            assert!(offered.contains(word), "{}: {word}", optimizer.name);
        }
    }
}

#[test]
fn every_framework_is_held_to_its_own_trajectories() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/conventions.json");
    let text = std::fs::read_to_string(path).expect("a golden file");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let cases = file["cases"].as_array().expect("cases");
    for optimizer in optimizers::LIST {
        for word in words(optimizer).iter().filter(|word| **word != "paper") {
            let own = cases.iter().filter(|case| case["name"] == optimizer.name && case["source"] == *word);
            let arguments: Vec<_> = own.map(|case| case["args"].as_object().expect("arguments")).collect();
            let by_default = |given: &&&serde_json::Map<String, Value>| given.keys().all(|name| name == "rate");
            assert_eq!(arguments.iter().filter(by_default).count(), 1, "{}, {word}: its own defaults", optimizer.name);
            for parameter in optimizer.parameters.iter().filter(|parameter| parameter.name != SEMANTICS) {
                // What the form of a word does not name, it does not read.
                let form = optimizer.forms.iter().find(|form| form.of.contains(word)).expect("a form");
                let is_read = parameter.name == "initial" || form.formula.contains(parameter.name);
                let is_given = arguments.iter().any(|given| given.contains_key(parameter.name));
                assert!(is_given || !is_read, "{}, {word}: no trajectory with `{}`", optimizer.name, parameter.name);
            }
        }
    }
}

#[test]
fn defaults_follow_the_convention_and_are_said() {
    let shown = |using: &str| {
        let text = format!("Net {{ parameter a: [1] = zeros; minimize a.sum(); using {using}; }}");
        let networks = elaborated(&text);
        let text = summary::summary(&networks.training, &networks.evaluation);
        text.lines().find_map(|line| line.trim().strip_prefix("optimizer")).expect("an optimizer").trim().to_owned()
    };
    assert_eq!(shown("adam(0.1)"), "adam(0.1)");
    assert_eq!(shown("adam(0.1, semantics = torch)"), "adam(0.1, semantics = torch)");
    assert_eq!(shown("adam(0.1, semantics = keras)"), "adam(0.1, epsilon = 1e-7, semantics = keras)");
    // What is the catalogue's default, but not that of the convention.
    assert_eq!(shown("adam(0.1, epsilon = 1e-8, semantics = keras)"), "adam(0.1, epsilon = 1e-8, semantics = keras)");
    assert_eq!(shown("adagrad(0.1, semantics = optax)"), "adagrad(0.1, initial = 0.1, semantics = optax)");
    assert_eq!(shown("adamw(0.1, semantics = optax)"), "adamw(0.1, weight_decay = 1e-4, semantics = optax)");
    assert_eq!(shown("adadelta(semantics = keras)"), "adadelta(rate = 1e-3, rho = 0.95, epsilon = 1e-7, semantics = keras)");
}
