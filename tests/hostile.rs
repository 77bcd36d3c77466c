//! No public function of the library panics, hangs or asks for all memory, whatever it is given: it returns an error that says
//! what and where, or something that is defined.

use crate::networks::{Digits, DigitsInputs, Mixed, bits, digits, mixed};
use gradc::builder::{Argument, call, declare};
use gradc::compiler::base::diagnostics::Diagnostic;
use gradc::compiler::base::place::{Source, Span};
use gradc::compiler::codegen::InstructionSet;
use gradc::compiler::explain::{derivation, life};
use gradc::compiler::gradient_check;
use gradc::compiler::graph::NodeId;
use gradc::compiler::splitmix::Random;
use gradc::compiler::stages::between;
use gradc::prelude::*;
use gradc::{Declaration, Epoch, Error, Options, Result, Rows, Stopped};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The message of what must fail, with all the words in it.
fn refused<T>(result: Result<T>, words: &[&str]) {
    let message = match result {
        Ok(_) => panic!("it was accepted; the message should have had {words:?}"),
        Err(error) => error.to_string(),
    };
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in:\n{message}");
    }
}

fn net() -> Digits {
    Digits::options().seed(u64::MAX).compile().expect("it compiles")
}

#[test]
fn sizes_that_no_network_can_have_are_refused() {
    for size in [0, usize::MAX, usize::MAX / 2, 1 << 45] {
        refused(Mixed::options().width(size).compile().map(|_| ()), &["error[", "width"]);
    }
    let declaration = || Mixed::declaration().expect("it can be read");
    for value in [f64::NAN, f64::INFINITY, -1.0, 0.0, 0.5, 1e300] {
        assert!(declaration().size("width", value).elaborate().is_err(), "{value}");
    }
    for name in ["", "left", "widht", "\0", &"w".repeat(100_000)] {
        assert!(declaration().size(name, 3.0).elaborate().is_err(), "{name:.10}");
    }
    for values in [&[][..], &[f64::NAN], &[f64::INFINITY], &[-1.0], &[1e300], &[0.0], &[5.0, 5.0]] {
        let networks = declaration().rust_values(values).elaborate();
        assert!(networks.is_err() || values.len() == 2, "{values:?}");
    }
}

#[test]
fn statements_put_in_place_of_others_are_refused_with_their_text() {
    let declaration = || Digits::declaration().expect("it can be read");
    let deep = "(".repeat(100_000);
    let long = format!("adam({})", "9".repeat(100_000));
    for text in [
        "",
        ";",
        "}",
        "} pub B {",
        "adam(",
        "adam(1e-3); minimize x",
        "{WIDE}",
        "super::X",
        "\"",
        "é",
        "\0",
        "//",
        "/*",
        &deep,
        &long,
    ] {
        for replaced in [declaration().using(text), declaration().minimize(text)] {
            match replaced {
                Ok(declaration) => assert!(declaration.elaborate().is_err(), "{text:.20}"),
                Err(error) => assert!(error.to_string().contains("error["), "{text:.20}"),
            }
        }
    }
    for name in ["", "Digit", "\0", &deep] {
        let refused = declaration().network(name).expect_err("there is no such network");
        assert!(refused.iter().any(|mistake| mistake.message.contains("no network")));
    }
}

#[test]
fn altered_declarations_are_read_or_refused() {
    let declared = Mixed::declaration().expect("it can be read").text();
    for text in [include_str!("cases/digits.net"), &declared] {
        let mut random = Random(5);
        for _ in 0..400 {
            let mut letters: Vec<char> = text.chars().collect();
            for _ in 0..1 + random.below(3) {
                let place = random.below(letters.len());
                match random.below(4) {
                    0 => letters.truncate(place.max(1)),
                    1 => drop(letters.remove(place)),
                    2 => letters
                        .insert(place, *random.pick(&['(', ')', '{', '}', '"', '\'', '/', '*', ';', '\0', 'é', '9', '\n', '#'])),
                    _ => letters[place] = letters[random.below(letters.len())],
                }
                if letters.is_empty() {
                    break;
                }
            }
            let text: String = letters.into_iter().collect();
            let source = Source::within("a.net", &text, *random.pick(&[0, 1, 7, u32::MAX - 100_000]));
            match Declaration::parse(source.clone()) {
                Ok(declaration) => match declaration.elaborate() {
                    Ok(_) => drop(declaration.text()),
                    Err(mistakes) => assert!(mistakes.render(&source).contains("error[")),
                },
                Err(mistakes) => assert!(mistakes.render_in_colour(&source).contains("error")),
            }
        }
    }
}

#[test]
fn places_outside_of_a_text_are_left_out() {
    let numbers = [0, 1, 2, 3, 1000, u32::MAX];
    for text in ["", "a", "é\r\nb", "\n\n"] {
        for first in [0, 1, u32::MAX] {
            let source = Source::within("a.net", text, first);
            for line in numbers {
                assert!(source.line(line).is_none_or(|line| line.len() <= 3));
                for column in numbers {
                    let span = Span::new((line, column), (first, line));
                    let diagnostic = Diagnostic::error("E0101", span, "no").because(Span::new((column, 1), (line, 9)), "there");
                    assert!(diagnostic.write("x").render(&source).contains("no"));
                }
            }
        }
    }
}

#[test]
fn mistakes_of_a_builder_are_kept_until_it_is_compiled() {
    let sizes: &[&[usize]] = &[&[0], &[usize::MAX], &[usize::MAX, 2], &[1 << 32, 1 << 32]];
    for shape in sizes {
        let declared = declare("Net", |net| {
            let x = net.input("x", shape);
            net.predict("y", x.flatten().dense(2) + x * 2.0);
        });
        refused(declared.compile(), &["error[", "tests/hostile.rs:"]);
        refused(declare("Net", |net| net.predict("y", net.parameter("p", shape, "zeros"))).compile(), &["error["]);
    }
    let values: Vec<fn() -> Argument> = vec![
        || Argument::Number(f64::NAN),
        || Argument::Number(-1e300),
        || Argument::Word(String::new()),
        || Argument::Tensor(NodeId(u32::MAX)),
        || call("dense").with(Argument::Tensor(NodeId(7_000))).into(),
        || Argument::List(vec![Argument::Tensor(NodeId(u32::MAX))]),
        || call("").into(),
    ];
    for value in values {
        let with = |declaration: &dyn Fn(&gradc::builder::Net)| {
            let declared = declare("Net", |net| {
                let x = net.input("x", &[2]);
                let y = net.target("y", &[1]);
                let p = net.named("p", || x.dense(1));
                net.minimize(p.with("mean_squared_error", &[y]));
                declaration(net);
            });
            refused(declared.compile(), &["error["]);
        };
        let adam = || call("adam").set("rate", 1e-3);
        with(&|net| net.using(call("adam").set("rate", value()), &[]));
        with(&|net| net.using(adam().set("beta1", value()), &[]));
        with(&|net| net.using(adam(), &[call("clip_norm").with(value())]));
        with(&|net| net.penalize(&call("l2").with(value())));
        with(&|net| net.group(call("group").with("*").set("rate_factor", value())));
        with(&|net| net.group(call("group").with(value())));
        // Any finite number can be what a parameter begins with.
        if !matches!(value(), Argument::Number(number) if number.is_finite()) {
            with(&|net| {
                net.parameter("q", &[2], value());
            });
        }
        with(&|net| {
            net.input("z", &[2]).apply(&call("dense").with(value()));
        });
        with(&|net| {
            net.input("z", &[2]).apply(&call("dense").with(3.0).set("init", value()));
        });
        with(&|net| {
            net.input("z", &[2]).apply(&call("huber").with(value()));
        });
    }
    let other = declare("Outer", |outer| {
        let all: Vec<_> = (0..50).map(|number| outer.input(&format!("x{number}"), &[2])).collect();
        // The number of the first is one that the inner network has too.
        for foreign in [all[0], all[49]] {
            let uses: [&dyn Fn(&gradc::builder::Net); 5] = [
                &|inner| {
                    inner.input("z", &[2]).with("mean_squared_error", &[foreign]);
                },
                &|inner| {
                    let _ = inner.input("z", &[2]) + foreign;
                },
                &|inner| inner.predict("y", foreign),
                &|inner| inner.report("y", foreign),
                &|inner| inner.minimize(foreign),
            ];
            for usage in uses {
                refused(declare("Inner", usage).compile(), &["error[", "another network", "tests/hostile.rs:"]);
            }
        }
        let x = all[49];
        let inner = declare("Inner", |inner| {
            inner.using(call("adam").set("rate", x), &[]);
            inner.penalize(&call("l2").with(x));
            inner.group(call("group").with(x));
            inner.predict("y", inner.input("z", &[2]).apply(&call("where").with(x).with(x)));
        });
        refused(inner.compile(), &["error["]);
    });
    assert!(other.networks().is_ok());
    for name in ["", "a b", "__metadata__", "é\0\n\"", "batch", &"n".repeat(100_000)] {
        let declared = declare(name, |net| {
            let x = net.named(name, || net.input(name, &[2]).dense(3));
            net.within(name, || net.shared(name, || net.parameter(name, &[3], "zeros")));
            net.predict(name, x);
            net.report(name, x.mean());
        });
        if let Ok(model) = declared.compile() {
            assert!(!model.summary().is_empty());
            Stage::ALL.iter().for_each(|stage| drop(model.stage(*stage)));
        }
    }
    refused(declare("Net", |_| {}).compile().and_then(|mut model| model.fit(()).quiet().run()), &["Net"]);
}

/// Data and parameters are those of both times.
#[test]
fn a_network_that_is_another_one_in_evaluation_is_refused() {
    let differing = |width: fn(bool) -> usize, input: fn(bool) -> &'static str| {
        declare("Net", |net| {
            let x = net.input(input(net.is_training()), &[2]);
            let p = net.named("p", || x.dense(width(net.is_training())).dense(1));
            net.predict("p", p);
            net.minimize(p.with("mean_squared_error", &[net.target("y", &[1])]));
            net.using(call("sgd").set("rate", 0.1), &[]);
        })
        .compile()
    };
    assert!(differing(|_| 4, |_| "x").is_ok());
    refused(differing(|training| if training { 4 } else { 5 }, |_| "x"), &["E0403", "p.dense.weight", "[2, 4]", "[2, 5]"]);
    refused(differing(|_| 4, |training| if training { "x" } else { "z" }), &["`x:", "`z:", "in evaluation"]);
    let text = "Net { input x: [batch, 2]; target y: [batch, 1]; let h = if training { x } else { x.dense(3) }; \
                minimize mean(h) + mean(y * x.dense(1)); using sgd(0.1); }";
    let declaration = Declaration::parse(Source::new("net.net", text)).expect("it can be read");
    refused(Model::from_declaration(&declaration, &Options::default()), &["E0501", "h.dense.weight", "evaluation only"]);
}

#[test]
fn options_of_compiling_are_checked() {
    let declaration = Digits::declaration().expect("it can be read");
    for threads in [0, 3, usize::MAX] {
        let options = Options { compile_threads: threads, text: true, seed: u64::MAX, ..Options::default() };
        assert!(Model::from_declaration(&declaration, &options).is_ok());
    }
    for set in InstructionSet::ALL {
        let compiled = Model::from_declaration(&declaration, &Options { instruction_set: set, ..Options::default() });
        match set.runs_here() {
            true => assert_eq!(compiled.expect("the machine has it").instruction_set(), set),
            false => refused(compiled, &["instruction_set", &set.to_string()]),
        }
    }
}

#[test]
fn rows_of_every_wrong_kind_are_refused() {
    let net = net();
    let data = digits(3).expect("the data is there")[2].take(5);
    refused(net.evaluate(&data.take(0)), &["no rows"]);
    refused(net.evaluate(&Dataset::new()), &["no rows"]);
    refused(net.predict(&DigitsInputs { pixels: &[] }), &["no rows"]);
    refused(net.predict(&DigitsInputs { pixels: &[1.0; 63] }), &["pixels", "63"]);
    refused(net.evaluate(Rows::inputs().f32("pixels", &[1.0; 64]).done()), &["digit"]);
    refused(net.predict(Rows::inputs().done()), &["pixels"]);
    refused(net.predict(Rows::inputs().u32("pixels", &[1; 64]).done()), &["pixels", "f32"]);
    refused(net.predict(Rows::inputs().bool("pixels", &[true; 64]).done()), &["pixels"]);
    refused(net.evaluate(Rows::inputs().f32("pixels", &[1.0; 64]).i32("digit", &[-1]).done()), &["digit"]);
    refused(net.evaluate(Rows::inputs().f32("pixels", &[1.0; 64]).u32("digit", &[u32::MAX]).done()), &["digit", "row 0"]);
    let twice = Rows::inputs().f32("pixels", &[1.0; 64]).f32("pixels", &[f32::NAN]).done();
    refused(net.predict(twice), &["`pixels` is given twice"]);
    refused(net.predict(Rows::inputs().f32("pixels", &[1.0; 64]).u32("", &[]).done()), &["no field ``"]);
    // A target is known, and not looked at.
    let beside = Rows::inputs().f32("pixels", &[1.0; 64]).u32("digit", &[u32::MAX]).done();
    let prediction = net.predict(beside).expect("the input is right");
    assert!(prediction.row(usize::MAX).is_empty() && prediction.row(0).len() == 10);
    assert!(net.predict(&DigitsInputs { pixels: &[f32::MAX; 64] }).is_ok());
}

#[test]
fn parameters_and_settings_by_any_name() {
    let mut net = Mixed::options().compile().expect("it compiles");
    let long = "x".repeat(100_000);
    for name in ["", "\0", "é", "encoder", "encoder.dense.weight.", &long] {
        refused(net.parameter(name).map(<[f32]>::len), &["parameter"]);
        refused(net.set_parameter(name, &[1.0]), &["parameter"]);
        refused(net.set(name, 1.0), &["setting"]);
        refused(net.setting(name), &["setting"]);
    }
    refused(net.set_parameter("encoder.dense.weight", &[]), &["0 values", "60"]);
    for value in [f64::NAN, f64::INFINITY, -1.0, -1e300] {
        refused(net.set("rate", value), &["rate"]);
    }
    net.reset(u64::MAX).expect("any seed will do");
    let rates = [0.0, 5e-324, f64::MAX];
    let data = mixed(40).expect("the data is there");
    for rate in rates {
        if net.set_rate(rate).is_ok() {
            let _ = net.fit(&data).epochs(2).batch(8).quiet().run();
            assert!(net.parameter("encoder.dense.weight").expect("it is there").iter().all(|value| value.is_finite()), "{rate}");
        }
    }
}

#[test]
fn runs_with_absurd_options_are_refused_or_stop_at_once() {
    let data = mixed(40).expect("the data is there");
    let mut net = Mixed::options().compile().expect("it compiles");
    refused(net.fit(&data).batch(usize::MAX).quiet().run(), &["batch", "40"]);
    refused(net.fit(&data).epochs(u64::MAX).quiet().run(), &["epochs", "2147483648"]);
    refused(net.fit(&data).steps(u64::MAX).quiet().run(), &["`steps` cannot be", "epochs"]);
    refused(net.fit(&data).epochs(1).steps(1).quiet().run(), &["steps", "epochs"]);
    refused(net.fit(&data).threads_exactly(usize::MAX).quiet().run(), &["threads", "1024"]);
    refused(net.fit(&data).validate(&data.take(0)).quiet().run(), &["no rows"]);
    refused(net.fit(&data).validate(&data).monitor_named("").quiet().run(), &["monitor", "loss"]);
    for least in [f64::NAN, f64::INFINITY, -1.0] {
        refused(net.fit(&data).validate(&data).least(least).quiet().run(), &["least"]);
    }
    // The longest run there is, ended by its first epoch.
    let stop = |_: &Epoch| ControlFlow::Break(());
    let history =
        net.fit(&data).epochs(i32::MAX as u64).batch(40).threads_exactly(3).on_epoch(stop).quiet().run().expect("it ends");
    assert_eq!((history.epochs.len(), history.stopped), (1, Stopped::Interrupted));
    let patient = net.fit(&data).validate(&data).patience(u64::MAX).least(f64::MAX).epochs(3).quiet().run().expect("it runs");
    assert_eq!(patient.epochs.len(), 3);
}

#[test]
fn a_callback_that_panics_loses_nothing() {
    let data = mixed(40).expect("the data is there");
    let run = |panics: bool| {
        let mut net = Mixed::options().seed(4).compile().expect("it compiles");
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            net.fit(&data)
                .epochs(5)
                .batch(8)
                .threads_exactly(2)
                .quiet()
                .on_epoch(|epoch| match (epoch.epoch, panics) {
                    (3, true) => panic!("the callback's own mistake"),
                    (3, false) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                })
                .run()
                .map(|history| history.epochs.len())
        }));
        let panic = outcome.map_err(|panic| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        assert_eq!(panic.is_err(), panics);
        assert!(panic.err().flatten().is_none_or(|text| text == "the callback's own mistake"));
        let kept = bits(&net);
        // It goes on from there: step and epoch are those of the parameters.
        net.fit(&data).epochs(2).batch(8).quiet().run().expect("it goes on");
        (format!("{:?}", &*net), kept, bits(&net))
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn files_of_a_model_can_stand_anywhere_or_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let mut net = net();
    let before = bits(&net);
    std::fs::write(path("file"), "text").expect("it can be written");
    std::fs::write(path("empty"), "").expect("it can be written");
    for place in [folder.path().to_path_buf(), "".into(), "a\0b".into(), path("file").join("below"), path("no").join("such")] {
        let name = place.display().to_string();
        refused(net.save(&place), &["cannot write", &name]);
        refused(net.load(&place), &["cannot read", &name]);
        refused(net.load_matching(&place), &["cannot read", &name]);
        refused(Digits::predictor(&place), &["cannot read", &name]);
        refused(Digits::read(place.clone()), &[&name]);
    }
    for place in [path("file"), path("empty")] {
        refused(net.load(&place), &[&place.display().to_string()]);
        refused(net.load_matching(&place), &[&place.display().to_string()]);
        refused(Digits::predictor(&place), &[&place.display().to_string()]);
        refused(net.dump(&place), &["cannot write"]);
        refused(Digits::read(place.clone()), &[&place.display().to_string()]);
    }
    refused(net.dump(path("file").join("below")), &["cannot write"]);
    net.save(path("net")).expect("it can be written");
    let whole = std::fs::read(path("net")).expect("it can be read");
    let mut random = Random(9);
    for turn in 0..200 {
        let mut bytes = whole.clone();
        // Most of the file is values: half of the changes go where the names are.
        let place = random.below(if turn % 2 == 0 { 1200 } else { bytes.len() });
        match random.below(4) {
            0 => bytes.truncate(place),
            1 => bytes[place] ^= 1 << random.below(8),
            2 => bytes.insert(place, random.bits() as u8),
            _ => drop(bytes.remove(place)),
        }
        std::fs::write(path("altered"), &bytes).expect("it can be written");
        if let Err(error) = net.load(path("altered")) {
            assert!(error.to_string().contains("altered") && error.to_string().contains("help: "), "{error}");
        }
        assert_eq!(bits(&net), before);
    }
    // Parameters of another network: nothing fits, and nothing is changed.
    let other = Mixed::options().compile().expect("it compiles");
    other.save(path("other")).expect("it can be written");
    refused(net.load(path("other")), &["missing in the file", "unknown to the network"]);
    assert!(net.load_matching(path("other")).is_ok_and(|loaded| loaded.taken.is_empty()));
    assert_eq!(bits(&net), before);
}

#[test]
fn a_history_put_together_by_hand_can_be_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let epoch =
        |epoch: u64, loss: f64| Epoch { epoch, step: u64::MAX, loss, penalty: loss, training: vec![loss], ..Epoch::default() };
    let history = |epochs: Vec<Epoch>| History {
        zeros: Vec::new(),
        notes: Vec::new(),
        steps: Vec::new(),
        network: "é<\0".repeat(1000),
        metrics: vec!["a".into(), String::new(), "b".repeat(10_000)],
        epochs,
        stopped: Stopped::Completed,
        restored: Some(u64::MAX),
        elapsed: Duration::MAX,
        samples_per_second: f64::NAN,
        diagnosis: None,
        profile: None,
    };
    let file = folder.path().join("a.svg");
    refused(history(vec![]).plot(&file), &["no finite value"]);
    refused(history(vec![epoch(1, f64::NAN), epoch(2, f64::INFINITY)]).plot(&file), &["no finite value"]);
    assert!(history(vec![]).loss().is_nan() && history(vec![]).line().contains("0 epochs"));
    let numbers = [f64::MIN, -1.0, 0.0, 5e-324, 1.0, f64::MAX, f64::NAN];
    for one in numbers {
        for other in numbers {
            let validation = Some((other, vec![one, other, one, other]));
            let drawn = history(vec![epoch(0, one), epoch(u64::MAX, other), Epoch { validation, ..epoch(1, 1.0) }]);
            drawn.plot(&file).expect("one value is finite");
            assert!(!drawn.line().is_empty());
        }
    }
    refused(history(vec![epoch(1, 1.0)]).plot(folder.path()), &["cannot write"]);
}

#[test]
fn every_node_can_be_asked_for_and_no_other() {
    let declaration = Mixed::declaration().expect("it can be read").rust_values(&[5.0]);
    let model = Model::from_declaration(&declaration, &Options { text: true, ..Options::default() }).expect("it compiles");
    for shown in [0, 1, usize::MAX] {
        let (front, assembled) = (model.front(), model.assembled());
        let life = life::Life { front, assembled, functions: model.functions(), source: declaration.source(), shown };
        for stage in Stage::ALL {
            for number in [0, 7, 1_000_000, u32::MAX - 1, u32::MAX] {
                assert!(life.text(*stage, number).is_ok_and(|text| !text.is_empty()) || life.text(*stage, number).is_err());
            }
        }
    }
    for name in ["", "\0", "encoder", "size_hat.dense.weights"] {
        assert!(derivation::derive(&model.front().gradient, name).is_err(), "{name}");
    }
    for earlier in Stage::ALL {
        for later in Stage::ALL {
            let _ = between::graphs(model.front(), *earlier, *later);
            let _ = between::rules(model.front(), *earlier, *later);
        }
    }
    for text in ["", "%", "%%", "%é", "%99999999999999999999", "a%1%2b%"] {
        assert!(between::renumbered(text, |number| number.to_string()).len() <= text.len());
    }
    for name in ["", "0", "é", "99", &"x".repeat(100_000)] {
        let _ = Stage::find(name);
        assert!(gradc::compiler::language::codes::Page::find(name).is_none());
    }
    let elaborated = declaration.elaborate().expect("it has a meaning");
    for seed in [0, u64::MAX] {
        assert!(gradient_check::compare(&elaborated.training, seed).is_ok());
    }
}

#[test]
fn errors_can_be_made_of_anything() {
    let long = "x".repeat(100_000);
    for text in ["", "\0\n", "é", &long] {
        let errors = [
            Error::data(text, text, text).in_file(text).at(usize::MAX, usize::MAX),
            Error::setting(text, text, text).in_file(text).at(0, None),
            Error::read(text.as_ref(), std::io::ErrorKind::Other.into()),
            Error::Diverged {
                step: u64::MAX,
                loss: f64::NEG_INFINITY,
                kept: Some(u64::MAX),
                node: Some(text.into()),
                place: None,
                why: Some(text.into()),
                remedy: Some(text.into()),
                history: Some(Box::new(History { network: text.into(), ..History::default() })),
            },
        ];
        for error in errors {
            assert_eq!(format!("{error:?}"), error.to_string());
        }
    }
}
