//! What the forms of the language mean.

use super::super::{Elaboration, elaborate};
use super::{mistakes, sound};
use crate::base::place::Source;
use crate::language::{ast::Item, parse::parse_text};
use crate::nn::Network;

fn names(network: &Network) -> Vec<&str> {
    network.parameters.iter().map(|learned| learned.name.as_str()).collect()
}

/// A network around a body that defines `y` from `x: [batch, 8]`.
fn around(functions: &str, body: &str) -> String {
    format!(
        "{functions} Net {{ input x: [batch, 8]; target t: [batch, 8]; {body} \
         minimize mean_squared_error(y, t); using sgd(0.1); }}"
    )
}

#[test]
fn parameters_are_named_after_where_they_stand() {
    for (functions, body, expected) in [
        ("", "let y = x.dense(8);", vec!["y.dense.weight", "y.dense.bias"]),
        ("", "let y = x.dense(4).dense(8);", vec!["y.dense.weight", "y.dense.bias", "y.dense_2.weight", "y.dense_2.bias"]),
        ("", "let mut y = x; for i in 0..2 { y = y.dense(8, bias = false); }", vec!["y.0.dense.weight", "y.1.dense.weight"]),
        (
            "",
            "let mut y = x; for w in [5, 8] { let z = y.dense(w, bias = false); y = z; }",
            vec!["z.0.dense.weight", "z.1.dense.weight"],
        ),
        (
            "fn block(x) { let inner = x.dense(8, bias = false); inner.dense(8, bias = false) }",
            "let y = x.block();",
            vec!["y.inner.dense.weight", "y.dense.weight"],
        ),
        (
            "fn block(x) { let inner = x.dense(8, bias = false); inner }",
            "let y = block(block(x));",
            vec!["y.inner.dense.weight", "y.inner.dense_2.weight"],
        ),
        ("fn scaled(x) { parameter gain: [8] = ones; x * gain }", "let y = scaled(scaled(x));", vec!["y.gain", "y.gain_2"]),
        (
            "fn deep(x) { let mut h = x; for i in 0..2 { h = h.dense(8, bias = false); } h }",
            "let mut y = x; for k in 0..2 { y = deep(y); }",
            vec!["y.0.h.0.dense.weight", "y.0.h.1.dense.weight", "y.1.h.0.dense.weight", "y.1.h.1.dense.weight"],
        ),
        ("", "layer twice = dense(8, bias = false); let a = twice(x); let y = twice(a.relu());", vec!["twice.dense.weight"]),
        (
            "fn block(x) { parameter gain: [8] = ones; let inner = x.dense(8, bias = false); inner * gain }",
            "layer shared = block(); let y = shared(x) + x.shared();",
            vec!["shared.gain", "shared.inner.dense.weight"],
        ),
        (
            "",
            "layer inner = dense(8, bias = false); layer outer = dense(8, bias = false).inner().dense(8, bias = false); \
             let y = outer(x) + outer(x.relu());",
            vec!["outer.dense.weight", "inner.dense.weight", "outer.dense_2.weight"],
        ),
    ] {
        let text = around(functions, body);
        assert_eq!(names(&sound(&text, true)), expected, "{text}");
        assert_eq!(names(&sound(&text, false)), expected, "{text}");
    }
    let served = "Net { input x: [batch, 8]; target t: [batch, 8]; minimize x.dense(8).mean_squared_error(t); \
                  predict x.dense(8, frozen = true); using sgd(0.1); }";
    assert_eq!(
        names(&sound(served, true)),
        ["minimize.dense.weight", "minimize.dense.bias", "predict.dense.weight", "predict.dense.bias"]
    );
}

#[test]
fn tied_weights_are_values() {
    let text = around(
        "",
        "layer encoder = dense(4, bias = false); let code = encoder(x); \
         let y = code.matmul(encoder.dense.weight.transpose());",
    );
    assert_eq!(names(&sound(&text, true)), ["encoder.dense.weight"]);
    let text = around("", "let h = x.dense(8); let y = h.matmul(h.dense.weight);");
    assert_eq!(names(&sound(&text, true)), ["h.dense.weight", "h.dense.bias"]);
}

#[test]
fn numbers_are_computed_and_settings_stay_settings() {
    let text = around(
        "",
        "const width = 2 * 3 + 4 / 2; setting lambda = 1e-3; setting half = 0.5; \
         let y = x.dense(width, penalty = l2(lambda / 2)).dropout(half);",
    )
    .replace("sgd(0.1)", "adam(rate = 1e-3 * min(step / 500, 1)).clip_norm(2)");
    let network = sound(&text, true);
    let declared: Vec<(&str, f64)> = network
        .settings
        .iter()
        .filter(|setting| setting.declared)
        .map(|setting| (setting.name.as_str(), setting.value))
        .collect();
    assert_eq!(declared, [("lambda", 1e-3), ("half", 0.5)]);
    let unnamed: Vec<&str> =
        network.settings.iter().filter(|setting| !setting.declared).map(|setting| setting.name.as_str()).collect();
    assert_eq!(unnamed, ["clip_norm"]);
}

/// What is served and measured may stand above the loss that scales the target.
#[test]
fn what_is_restored_may_be_scaled_below() {
    let functions = "fn price(p, y) { p.restore(y) } fn scaled(y) { y.standardize() }";
    let minimize = "minimize p.mean_squared_error(t.standardize());";
    for (served, lowered) in [
        ("predict p.restore(t);", minimize),
        ("predict restore(p, t) + 0;", minimize),
        ("predict price(p, t);", minimize),
        ("predict p.restore(t);", "minimize p.mean_squared_error(scaled(t));"),
        ("report error = p.restore(t).mean_absolute_error(t);", minimize),
        ("predict p.restore(t);", "let y = t.standardize(); minimize p.mean_squared_error(y);"),
        ("let y = t.standardize(); predict p.restore(y);", "minimize p.mean_squared_error(y);"),
    ] {
        let orders = if served.starts_with("let") { 1 } else { 2 };
        for body in [format!("{served} {lowered}"), format!("{lowered} {served}")].into_iter().take(orders) {
            let text = format!(
                "{functions} Net {{ input x: [batch, 8]; target t: [batch, 8]; let p = x.dense(8); {body} using sgd(0.1); }}"
            );
            let network = sound(&text, true);
            assert_eq!((network.predicts.len() + network.reports.len(), network.scalers.len()), (1, 1), "{text}");
        }
    }
}

/// What a number must be, a formula must be too, as soon as its settings have values.
#[test]
fn formulas_are_held_to_the_bounds_of_numbers() {
    let with = |setting: f64, layer: &str, using: &str| {
        let text = around("", &format!("setting s = {setting}; let y = x.dense(8){layer};"));
        mistakes(&text.replace("sgd(0.1)", using))
    };
    for (setting, layer, using, expected) in [
        (0.5, ".dropout(2 * s)", "sgd(0.1)", "dropout: `rate` must be in [0, 1); got 1"),
        (0.5, ".dropout(s - 1)", "sgd(0.1)", "dropout: `rate` must be in [0, 1); got -0.5"),
        (30.0, ".dropout(s + 20)", "sgd(0.1)", "dropout: `rate` must be in [0, 1); 50 looks like a percentage, write 0.5"),
        (0.5, ".noise(s - 1)", "sgd(0.1)", "noise: `deviation` must be at least 0; got -0.5"),
        (0.5, ".dropout(2 * step * s)", "sgd(0.1)", "dropout: `rate` must be in [0, 1); got 1"),
        (0.5, "", "sgd(-0.1 * step)", "sgd: `rate` must be at least 0; got -0.1"),
        (0.5, "", "sgd(-s * cosine(0.5))", "sgd: `rate` must be at least 0; got -0.25"),
        (0.5, "", "adam(0.1, beta1 = 2 * s)", "adam: `beta1` must be in [0, 1); got 1"),
        (0.5, "", "sgd(0.1).clip_norm(s - epoch)", "clip_norm: `limit` must be above 0; got -0.5"),
        (0.5, "", "sgd(0.1).group(\"*\", rate_factor = -s)", "group: `rate_factor` must be at least 0; got -0.5"),
        (1.5, ".dropout(2 - s)", "sgd(1 - step)", ""),
        (0.5, ".dropout(1 - step / steps)", "sgd(one_cycle(s, rise = 100 / steps))", ""),
        (0.5, ".dropout(s * s)", "sgd(0.1 * steps)", ""),
    ] {
        let shown = with(setting, layer, using);
        assert!(shown.contains(expected) && shown.is_empty() == expected.is_empty(), "{layer} {using}: {shown}");
    }
    for penalty in ["l2(s - 1)", "l2(-s)", "-2 * l2(s)", "l1(s - 1, proximal = true)"] {
        let text = around("", "setting s = 0.5; let y = x.dense(8);").replace("(y, t);", &format!("(y, t) + {penalty};"));
        let shown = mistakes(&text);
        assert!(shown.contains("error[E0305]") && shown.contains("`strength` must be at least 0"), "{penalty}: {shown}");
    }
}

/// What a run is told, and no network, is looked for in the network: the message says where it stands.
#[test]
fn what_a_run_is_told_has_its_place_named() {
    for (word, flag) in [("plateau(0.5, 3)", "`--plateau 0.5,3`"), ("early_stopping(8)", "`--patience 8`")] {
        let shown = mistakes(&around("", "let y = x.dense(8);").replace("sgd(0.1)", &format!("sgd({word})")));
        assert!(shown.contains("is told to the run") && shown.contains(flag), "{shown}");
    }
}

/// An optimizer of one's own takes its arguments as others do, and its rate within the same bounds.
#[test]
fn arguments_of_an_own_optimizer_are_held_to_the_rules_of_all() {
    let with = |using: &str, declared: &str| {
        let text = around("", "setting s = -0.5; let y = x.dense(8) * s;").replace("sgd(0.1)", using);
        mistakes(&format!("optimizer own({declared}) {{ theta = theta - rate * gradient; }}\n{text}"))
    };
    for (using, declared, expected) in [
        ("own(-0.1)", "rate", "own: `rate` must be at least 0; got -0.1"),
        ("own(b = 2, rate = 0.1)", "rate, b", ""),
        ("own(0.1, rate = 0.2)", "rate", "`own` is given `rate` twice"),
        ("own()", "rate = -1", "own: `rate` must be at least 0; got -1"),
        ("own(s)", "rate", "own: `rate` must be at least 0; got -0.5"),
        ("own(-0.1 * step)", "rate", "own: `rate` must be at least 0; got -0.1"),
        ("own(2 * s, b = 1)", "b, rate", "`own` is given `b` twice"),
        ("own(1, s)", "b, rate", "own: `rate` must be at least 0; got -0.5"),
        ("own(0.1, b = 1 / (s + 0.5))", "rate, b", "own: `b` must be finite; got inf"),
        ("own(0.1, b = -3)", "rate, b", ""),
        ("own(0.1, 0.2)", "rate", "`own` takes 1 argument\n"),
    ] {
        let shown = with(using, declared);
        assert!(shown.contains(expected) && shown.is_empty() == expected.is_empty(), "{using} {declared}: {shown}");
    }
    let shown = with("own(1, -0.1)", "b, rate");
    assert!(shown.contains("^^^^") && shown.contains("help: write `0.001`"), "{shown}");
}

/// The same when a setting changes: formulas know the values of all others.
#[test]
fn a_setting_is_held_to_the_bounds_of_its_formulas() {
    let text = around("", "setting s = 0.2; setting k = 2; let y = x.dense(8).dropout(s * k);");
    let [training, evaluation] = [true, false].map(|training| sound(&text, training));
    let info = crate::pipeline::front(&training, &evaluation, String::new(), None).expect("a front half").info;
    let place = |name: &str| info.settings.iter().position(|setting| setting.name == name).expect("a setting");
    let set = |name: &str, value: f64| {
        let mut values: Vec<f64> = info.settings.iter().map(|setting| setting.value).collect();
        values[place(name)] = value;
        info.check_setting(place(name), &values)
    };
    assert_eq!(set("s", 0.4), Ok(()));
    assert_eq!(set("s", 0.5), Err("another number: dropout: `rate` must be in [0, 1); got 1".into()));
    assert_eq!(set("k", -1.0), Err("another number: dropout: `rate` must be in [0, 1); got -0.2".into()));
    assert_eq!(set("rate", 0.5), Ok(()));
}

/// What f32 does not hold is refused where it is written, computed, or set.
#[test]
fn a_number_that_f32_does_not_hold_is_none() {
    let network = |setting: &str, layer: &str| around("", &format!("setting s = {setting}; let y = x.dense(8){layer} * s;"));
    for (setting, layer, expected) in [
        ("1", ".elu(1e39)", "this number is too large"),
        ("1", ".noise(1e39)", "this number is too large"),
        ("-1e39", "", "this number is too large"),
        ("1e30 * 1e30", "", "1e30 * 1e30 is more than f32 holds, which ends at 3.4e38"),
        ("1e20", ".noise(s * s)", "noise: `deviation` is 1e40; numbers are f32, which end at 3.4e38"),
        ("3.4e38", "", ""),
    ] {
        let shown = mistakes(&network(setting, layer));
        assert!(shown.contains(expected) && shown.is_empty() == expected.is_empty(), "{setting} {layer}: {shown}");
    }
    let text = network("1", "").replace("dense(8)", "dense(8) * c").replace("setting", "const c = 2; setting");
    let source = Source::new("test.net", &text);
    let (file, _) = parse_text(&source);
    let Some(Item::Network(network)) = file.items.first() else { panic!("a network") };
    for (name, value, expected) in [("s", 1e39, "1e39; numbers are f32"), ("c", -1e39, "-1e39; numbers are f32"), ("c", 3.0, "")]
    {
        let options = Elaboration { training: true, sizes: [(name.to_string(), value)].into(), ..Elaboration::default() };
        let shown = elaborate(&file, network, &source, &options).1.render(&source);
        assert!(shown.contains(expected) && shown.is_empty() == expected.is_empty(), "{name} = {value}: {shown}");
    }
}

#[test]
fn the_two_times_differ_where_told() {
    let text = around("", "let mut y = x.dense(8); if training { y = y.relu(); } else { y = y.tanh(); }");
    let used = |training: bool| {
        let network = sound(&text, training);
        network.uses.iter().map(|one| one.function.name).collect::<Vec<_>>()
    };
    assert_eq!(used(true), ["dense", "relu", "mean_squared_error"]);
    assert_eq!(used(false), ["dense", "tanh", "mean_squared_error"]);
}

#[test]
fn a_penalty_is_a_term_with_factors() {
    let text = around("", "let y = x.dense(8);").replace("(y, t);", "(y, t) + l2(1e-4) + 0.5 * l1(2, proximal = true);");
    let network = sound(&text, true);
    let strengths: Vec<f64> =
        network.settings.iter().filter(|setting| setting.name.starts_with('l')).map(|setting| setting.value).collect();
    assert_eq!(strengths, [1e-4, 1.0]);
    assert!(network.penalties[1].proximal);
}

#[test]
fn an_optimizer_of_ones_own_equals_the_one_of_the_catalogue() {
    let own = "optimizer heavy(rate, beta = 0.9) { state m = zeros; m = m * beta - gradient * rate; theta = theta + m; }";
    let step = |using: &str| {
        let text = around(own, "let y = x.dense(8, rate_factor = 0.1);").replace("sgd(0.1)", using);
        crate::step::training_step(&sound(&text, true)).expect("the step can be built")
    };
    let (mine, theirs) = (step("heavy(0.1)"), step("momentum(0.1)"));
    let text = |graph: &crate::graph::Graph| crate::graph::text::print(&graph.pruned(), false).replace("momentum", "heavy");
    assert_eq!(text(&mine.graph), text(&theirs.graph));
    assert_eq!(mine.states.len(), 2);
}

/// Nobody could set a literal in an optimizer's lines: it is what a parameter of that value is, and no setting.
#[test]
fn a_literal_in_an_optimizer_s_lines_is_a_constant() {
    let step = |functions: &str, gradient: &str| {
        let own = format!("{functions} optimizer own(rate, k = 0.5) {{ theta = theta - rate * {gradient}; }}");
        let text = around(&own, "let y = x.dense(8);").replace("sgd(0.1)", "own(0.1)");
        let network = sound(&text, true);
        let names: Vec<&str> = network.settings.iter().map(|setting| setting.name.as_str()).collect();
        assert_eq!(names, ["rate"], "{gradient}");
        let step = crate::step::training_step(&network).expect("the step can be built");
        crate::graph::text::print(&step.graph.pruned(), false)
    };
    for layer in ["noise", "dropout"] {
        let expected = step("", &format!("gradient.{layer}(k)"));
        assert_eq!(step("", &format!("gradient.{layer}(0.5)")), expected);
        assert_eq!(step("", &format!("{layer}(gradient, 0.5)")), expected);
        assert_eq!(step(&format!("fn shaken(g) {{ g.{layer}(0.5) }}"), "shaken(gradient)"), expected);
    }
}

/// An optimizer that leaves theta as it is trains nothing, which is hardly meant.
#[test]
fn an_optimizer_that_sets_nothing_is_warned_of() {
    for (lines, is_warned) in [
        ("", true),
        ("state m = zeros; m = 0.9 * m + gradient;", true),
        ("theta = theta;", true),
        ("theta = theta - rate * gradient;", false),
    ] {
        let text = around(&format!("optimizer own(rate) {{ {lines} }}"), "let y = x.dense(8);").replace("sgd(0.1)", "own(0.1)");
        let shown = mistakes(&text);
        assert_eq!(shown.contains("warning[nothing_trained]"), is_warned, "{lines}: {shown}");
        assert!(!mistakes(&text.replace("minimize", "allow(nothing_trained); minimize")).contains("nothing_trained"), "{lines}");
    }
}

#[test]
fn a_point_of_ones_own_moves_the_gradient() {
    let own = "optimizer ahead(rate, beta = 0.9) { at theta + m * beta; state m = zeros; m = m * beta - gradient * rate; theta = theta + m; }";
    let text = around(own, "let y = x.dense(8);").replace("sgd(0.1)", "ahead(0.1)");
    let theirs = around("", "let y = x.dense(8);").replace("sgd(0.1)", "nesterov(0.1)");
    let shown = |text: &str| {
        let step = crate::step::training_step(&sound(text, true)).expect("the step can be built");
        crate::graph::text::print(&step.graph.pruned(), false).replace("nesterov", "ahead")
    };
    assert_eq!(shown(&text), shown(&theirs));
}

#[test]
fn an_unknown_rust_number_silences_what_follows() {
    let text = "Net { input x: [batch, {N}]; target t: class({C}); let h = x.dense({W}).relu().dropout({P}); \
                let y = h.dense(8) + h.dense(9); minimize y.cross_entropy(t) + l2({L}); using adam({R}); }";
    let source = Source::new("main.rs", text);
    let (file, mistakes) = parse_text(&source);
    assert!(mistakes.is_empty());
    let Some(Item::Network(network)) = file.items.first() else { panic!("a network") };
    let options = Elaboration { training: true, rust: vec![None; file.rust.len()], ..Elaboration::default() };
    let (_, mistakes) = elaborate(&file, network, &source, &options);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&source));
    let values = [3.0, 4.0, 5.0, 0.5, 1e-3, 1e-2];
    let options = Elaboration { training: true, rust: values.map(Some).to_vec(), ..Elaboration::default() };
    let (_, mistakes) = elaborate(&file, network, &source, &options);
    assert_eq!(mistakes.len(), 1, "{}", mistakes.render(&source));
}

#[test]
fn a_constant_of_one_letter_is_told_its_braces() {
    let shown = mistakes(&around("", "let y = x.dense(N);"));
    assert!(shown.contains("nothing is called `N`") && shown.contains("write `64`, or `{N}` for a constant"), "{shown}");
    let shown = mistakes("Net { input x: [batch, N]; let p = x.dense(1); predict p; }");
    assert!(shown.contains("`const N = 64;`, or `{N}` for a constant"), "{shown}");
}

#[test]
fn one_mistake_is_one_message() {
    let text =
        around("", "let a = x.dens(4); let b = a.relu().dense(3) + a; let c = b.softmax().cross_entropy(t); let y = c * a + b;");
    let shown = mistakes(&text);
    assert_eq!(shown.matches("error[").count(), 1, "{shown}");
    assert!(shown.contains("help: write `dense`"), "{shown}");
}

/// What stands below the place where the walk was given up is not missing.
#[test]
fn a_network_that_is_too_large_has_no_other_mistake() {
    let turns: String = (0..6).map(|depth| format!("for i{depth} in 0..10 {{ ")).collect();
    let loops = around("", &format!("let mut y = x; {turns} y = y + 1; {}", "}".repeat(6)));
    let doubled: String = (1..19).map(|index| format!("fn f{index}(x) {{ f{0}(f{0}(x)) }} ", index - 1)).collect();
    let calls = around(&format!("fn f0(x) {{ x + 1 }} {doubled}"), "let y = x.f18();");
    for text in [loops, calls] {
        let shown = mistakes(&text);
        assert!(shown.contains("error[E0407]") && shown.matches("error[").count() == 1, "{shown}");
    }
}

#[test]
fn a_mistake_in_a_loop_names_its_turn() {
    let shown = mistakes(&around("", "let mut y = x; for w in [8, 8, 7] { y = y + y.dense(w); }"));
    assert!(shown.contains("in turn 3 of 3"), "{shown}");
    assert_eq!(shown.matches("error[").count(), 1, "{shown}");
}

#[test]
fn a_mistake_in_a_function_names_the_call() {
    let shown = mistakes(&around("fn block(x, w) {\n x + x.dense(w) }\n", "\nlet y = x.block(8).block(7);"));
    assert!(shown.contains("in this use of `block`"), "{shown}");
}
