//! The blessed table of every case, and the sums that a reader can check by hand.

use super::summary;
use crate::base::place::Source;
use crate::language::blessed;
use crate::language::declaration::Declaration;

fn of(name: &str, text: &str) -> String {
    let source = Source::new(name, text);
    let elaborated = Declaration::parse(source.clone()).and_then(|declaration| declaration.elaborate());
    let elaborated = elaborated.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(&source)));
    summary(&elaborated.training, &elaborated.evaluation)
}

#[test]
fn every_case_has_its_table() {
    let mut failures = Vec::new();
    for (path, text) in blessed::texts("") {
        blessed::check(&path.with_extension("summary"), &of("case.net", &text), &mut failures);
    }
    blessed::assert_none(&failures);
}

/// 2·64·128 forward and once backward for the first layer, 2·128·10 forward and twice backward for the second.
#[test]
fn the_first_input_and_frozen_weights_cost_nothing_backward() {
    let text = |first: &str| {
        format!(
            "Net {{ input x: [batch, 64]; target t: class(10); let h = x.dense(128{first}).relu(); let y = h.dense(10); predict y; \
             minimize y.cross_entropy(t); using sgd(0.1); }}"
        )
    };
    let total = 2 * (2 * 64 * 128) + 3 * (2 * 128 * 10);
    assert_eq!(total, 40448);
    assert!(
        of("test.net", &text("")).contains("40 448 a row in training (18 944 forward, 21 504 backward), 18 944 in prediction")
    );
    let frozen = of("test.net", &text(", frozen = true"));
    assert!(frozen.contains("21 504 a row in training (18 944 forward, 2 560 backward)"), "{frozen}");
    assert!(frozen.contains("8 320 of them frozen"), "{frozen}");
}

/// A schedule stands there as it may be written, and reads back as the same.
#[test]
fn a_schedule_is_printed_by_its_name() {
    let written = |rate: &str| {
        let text = format!(
            "Net {{ setting eta = 0.1; input x: [batch, 4]; let y = x.dense(1); minimize y.mean(); using sgd({rate}); }}"
        );
        let found = of("test.net", &text);
        let line = found.lines().find_map(|line| line.strip_prefix("optimizer").map(str::trim)).expect("an optimizer");
        line.strip_prefix("sgd(").and_then(|rest| rest.strip_suffix(')')).expect("a rate").to_owned()
    };
    for (rate, expected) in [
        ("warm_up(500).then(cosine(1e-3, to = 1e-5))", "warm_up(500).then(cosine(1e-3, to = 1e-5))"),
        ("exponential(eta, factor = 0.9, every = 100)", "exponential(eta, 0.9, every = 100)"),
        ("step(1e-3, 30, factor = 0.1)", "step(1e-3, 30)"),
        ("0.5 * one_cycle(0.1)", "0.5 * one_cycle(0.1)"),
    ] {
        assert_eq!(written(rate), expected);
        assert_eq!(written(expected), expected);
    }
}
