//! What a declaration can be told, and its text with defaults filled in.

use super::{Declaration, Elaborated};
use crate::base::place::Source;
use crate::language::blessed;
use crate::language::shown::shown;

const DIGITS: &str = include_str!("../../../../tests/cases/digits.net");

fn parsed(name: &str, text: &str) -> Declaration {
    let source = Source::new(name, text);
    Declaration::parse(source.clone()).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(&source)))
}

fn elaborated(declaration: &Declaration) -> Elaborated {
    declaration.elaborate().unwrap_or_else(|mistakes| panic!("{}", mistakes.render(declaration.source())))
}

fn mistakes(declaration: &Declaration) -> String {
    declaration.elaborate().map_or_else(|mistakes| mistakes.render(declaration.source()), |_| String::new())
}

/// Both times, without places: what the text means.
fn meaning(declaration: &Declaration) -> String {
    let Elaborated { training, evaluation, .. } = elaborated(declaration);
    format!("{}\n{}", shown(&training, false), shown(&evaluation, false))
}

/// A text without places and reasons.
fn code(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split("//").next().unwrap_or_default().trim_end()).collect()
}

#[test]
fn the_text_with_defaults_means_the_same() {
    let mut failures = Vec::new();
    for (path, text) in blessed::texts("") {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let declaration = parsed(&name, &text);
        let full = declaration.text();
        blessed::check(&path.with_extension("declaration"), &full, &mut failures);
        let again = parsed("again.net", &full);
        let (before, after) = (meaning(&declaration), meaning(&again));
        let difference = before.lines().zip(after.lines()).find(|(before, after)| before != after);
        assert!(before == after, "{name}: {difference:?}\n{full}");
        assert_eq!(code(&again.text()), code(&full), "{name}: nothing is left to fill in");
    }
    blessed::assert_none(&failures);
}

#[test]
fn defaults_are_those_of_the_convention() {
    let full = parsed("digits.net", DIGITS).using("adadelta(semantics = keras)").expect("an expression").text();
    assert!(full.contains("using adadelta(semantics = keras, rate = 0.001, rho = 0.95, epsilon = 1e-7)"), "{full}");
}

#[test]
fn the_optimizer_is_replaced_in_its_place() {
    let declaration = parsed("digits.net", DIGITS).using("nadam(1e-3)\n  .clip_value(5)").expect("an expression");
    assert!(declaration.source().text().contains("using    nadam(1e-3).clip_value(5);"), "{}", declaration.source().text());
    let optimizer = elaborated(&declaration).training.optimizer.expect("an optimizer");
    assert_eq!((optimizer.rule.name(), optimizer.clips.len()), ("nadam", 1));
    // A second time, and in a network that has none yet.
    let declaration = declaration.using("sgd(0.1)").expect("an expression");
    assert_eq!(elaborated(&declaration).training.optimizer.expect("an optimizer").rule.name(), "sgd");
    let bare = DIGITS.replace("using    adam(rate = 1e-3).clip_global_norm(1.0);", "");
    let declaration = parsed("bare.net", &bare).using("sgd(0.1)").expect("an expression");
    assert_eq!(elaborated(&declaration).training.optimizer.expect("an optimizer").rule.name(), "sgd");
}

#[test]
fn what_is_minimised_is_replaced() {
    let declaration = parsed("digits.net", DIGITS).minimize("logits.cross_entropy(digit)").expect("an expression");
    assert!(elaborated(&declaration).training.penalties.is_empty());
}

#[test]
fn a_replacement_keeps_the_lines_and_the_rust_numbers_behind_it() {
    let text = "Net {\n  input x: [batch, 2];\n  using adam(\n    {RATE}\n  );\n  minimize x.dense({WIDTH}).mean();\n}";
    let declaration = parsed("net.rs", text).rust_values(&[0.1, 7.0]).using("sgd(1)").expect("an expression");
    let network = elaborated(&declaration).training;
    assert_eq!(network.parameters[0].shape.at(1), [2, 7]);
    assert_eq!(network.parameters[0].place, "net.rs:6:14");
}

#[test]
fn a_replacement_that_is_no_expression_is_refused() {
    for (given, why) in [
        ("nadam(1e-3", "never closed"),
        ("", "expected a value"),
        ("sgd(0.1); predict x", "expected the end of the expression, found `;`"),
        ("sgd({RATE})", "known to rustc only"),
    ] {
        let refused = parsed("digits.net", DIGITS).using(given).expect_err(given).to_string();
        assert!(refused.contains(why) && refused.contains("--> using:1:"), "{refused}");
    }
    // One that is, and means nothing, is shown where it stands.
    let declaration = parsed("digits.net", DIGITS).using("nadem(1e-3)").expect("an expression");
    let found = mistakes(&declaration);
    assert!(found.contains("digits.net:12:18") && found.contains("write `nadam`"), "{found}");
}

#[test]
fn a_network_of_another_name_is_an_error() {
    let declaration = parsed("digits.net", DIGITS);
    assert!(declaration.clone().network("Digits").is_ok());
    let found = declaration.network("Digts").expect_err("no network").render(&Source::new("digits.net", DIGITS));
    assert!(found.contains("no network is called `Digts`") && found.contains("there is `Digits`"), "{found}");
    let none = Declaration::parse(Source::new("none.net", "fn f(x) { x }")).expect_err("no network");
    assert!(none.has_errors());
}

#[test]
fn a_constant_gets_another_value_and_must_be_there() {
    let text =
        "Net { input x: [batch, 2]; const width = 3; setting rate = 0.1; minimize x.dense(width).mean(); using sgd(rate); }";
    let declaration = parsed("net.net", text).size("width", 5.0).size("rate", 1e-4);
    assert_eq!(elaborated(&declaration).training.parameters[0].shape.at(1), [2, 5]);
    assert!(declaration.text().contains("const width = 5;") && declaration.text().contains("setting rate = 0.0001;"));
    assert_eq!(meaning(&declaration), meaning(&parsed("again.net", &declaration.text())));
    let far = mistakes(&declaration.clone().size("nothing_like_it", 5.0));
    assert!(far.contains("there are `width`, `rate`"), "{far}");
    let found = mistakes(&declaration.size("widht", 5.0));
    assert!(found.contains("`Net` has no constant or setting `widht`") && found.contains("write `width`"), "{found}");
}

/// What only shows when both times are compared is a mistake of the text as any other, with its place.
#[test]
fn a_network_that_is_another_one_in_evaluation_is_a_mistake_of_its_text() {
    let at = |branch: &str| {
        let text = format!(
            "Net {{ input x: [batch, 4]; target y: [batch, 1]; let h = if training {{ x.dense(3) }} else {{ {branch} }};\n\
             let p = h.dense(1); predict p; minimize p.mean_squared_error(y); using sgd(0.1); }}"
        );
        mistakes(&parsed("net", &text))
    };
    assert_eq!(at("x.dense(3, bias = false)"), "");
    let shape = at("x");
    assert!(shape.contains("error[E0403]: `p.dense.weight` is [3, 1] in training and [4, 1] in evaluation"), "{shape}");
    assert!(shape.contains("net:2:11") && shape.contains("help: give it one shape"), "{shape}");
    let untrained = at("x.dense(3).batch_norm()");
    assert!(untrained.contains("error[E0501]: `h.batch_norm.gamma` is there in evaluation only"), "{untrained}");
}

#[test]
fn a_help_stands_on_one_line() {
    let text = "Net { input x: [batch, 4]; target y: [batch, 1]; let p = x.dense(1); predict p, if training { p } else { x }; \
                minimize p.mean_squared_error(y); using sgd(0.1); }";
    let said = mistakes(&parsed("net", text));
    assert!(said.contains("help: write `value = if training { p } else { x }`"), "{said}");
}
