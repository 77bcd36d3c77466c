//! One language, three doors: text, `network!` and builder give the same graphs for every case.

mod networks;

use gradc::builder::{Argument, Call, Declared, Element, Net, Rule, Tensor, Update, call, declare};
use gradc::compiler::base::place::Source;
use gradc::compiler::language::declaration::Declaration;
use gradc::compiler::language::shown::shown;
use gradc::compiler::nn::Network;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A case's name, the macro's declaration and the builder's.
type Case = (&'static str, fn() -> gradc::Result<Declaration>, fn() -> Declared);

const CASES: &[Case] = &[
    ("blocks", networks::blocks::declaration, blocks),
    ("clipped", networks::clipped::declaration, clipped),
    ("digits", networks::digits::declaration, digits),
    ("groups", networks::groups::declaration, groups),
    ("images", networks::images::declaration, images),
    ("optimizer", networks::optimizer::declaration, optimizer),
    ("regression", networks::regression::declaration, regression),
    ("sequences", networks::sequences::declaration, sequences),
    ("w2", networks::w2::declaration, w2),
    ("words", networks::words::declaration, words),
    ("xor", networks::xor::declaration, xor),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(folder().join("cases").join(name).with_extension("net")).expect("a case is a text")
}

/// Both graphs without places.
fn graphs(training: &Network, evaluation: &Network) -> String {
    format!("{}\n{}", shown(training, false), shown(evaluation, false))
}

fn graphs_of(declaration: &Declaration) -> String {
    let elaborated = declaration.elaborate().expect("a case is right");
    graphs(&elaborated.training, &elaborated.evaluation)
}

#[test]
fn the_three_doors_give_the_same_graphs() {
    let mut unlike = Vec::new();
    for (name, written, built) in CASES {
        let text = Declaration::parse(Source::new(name, &text_of(name))).expect("a case is read");
        let expected = graphs_of(&text);
        let declared = built();
        let (training, evaluation) = declared.networks().unwrap_or_else(|why| panic!("{name}: {why}"));
        for (door, found) in
            [("macro", graphs_of(&written().expect("it is read again"))), ("builder", graphs(training, evaluation))]
        {
            if found != expected {
                let line = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
                unlike.push(format!("{name} by the {door}: {line:#?}\n{found}"));
            }
        }
    }
    assert!(unlike.is_empty(), "{}", unlike.join("\n"));
}

/// What more than normalisation reads keeps its bias, through the builder too.
#[test]
fn a_bias_with_other_readers_stays_through_every_door() {
    let text = "Shortcut { input x: [batch, 4]; let a = x.dense(4); let y = a.batch_norm() + a; predict y; minimize y.mean(); using sgd(0.1); }";
    let written = Declaration::parse(Source::new("shortcut", text)).expect("it is read");
    let declared = declare("Shortcut", |net| {
        let x = net.input("x", &[4]);
        let a = net.named("a", || x.dense(4));
        let y = net.named("y", || a.batch_norm() + a);
        net.predict("prediction", y);
        net.minimize(y.apply(&call("mean")));
        net.using(call("sgd").with(0.1), &[]);
    });
    let (training, evaluation) = declared.networks().expect("it is right");
    assert_eq!(graphs(training, evaluation), graphs_of(&written));
}

/// `tests/doors/networks.rs` holds the text of every case in `network!`; `BLESS=1` writes it anew.
#[test]
fn the_macro_reads_the_text_of_every_case() {
    let mut cases: Vec<String> = std::fs::read_dir(folder().join("cases"))
        .expect("the cases")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".net").map(str::to_owned))
        .collect();
    cases.sort();
    assert_eq!(cases, CASES.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    let mut written = String::from(
        "//! Made from `tests/cases` by `BLESS=1 cargo test --test main doors`.\n\n#![allow(dead_code, missing_docs, unused_imports, deprecated)]\n",
    );
    for case in &cases {
        let text = text_of(case);
        let parsed = Declaration::parse(Source::new(case, &text)).and_then(|declaration| declaration.elaborate());
        let name = parsed.expect("a case is right").training.name;
        written += &format!(
            "\n#[rustfmt::skip]\npub mod {case} {{\nuse gradc::prelude::*;\nnetwork! {{\n{}\n}}\npub fn declaration() -> gradc::Result<gradc::Declaration> {{\n    {name}::declaration()\n}}\n}}\n",
            text.trim_end()
        );
    }
    let file = folder().join("doors/networks.rs");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &written).expect("it is written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == written, "{} is not what the cases say; BLESS=1 writes it anew", file.display());
}

#[test]
fn a_mistake_of_the_builder_names_file_and_line() {
    let line = line!() + 4;
    let declared = declare("Wrong", |net| {
        let x = net.input("x", &[8]);
        let y = net.target("y", &[4]);
        let p = x + x.dense(4);
        net.predict("p", p.apply(&call("no_such_layer")));
        net.minimize(x.dense(4).with("mean_squared_error", &[y, p]));
        net.using(call("sgdd").with(0.1), &[]);
    });
    let mistakes = declared.networks().expect_err("two mistakes").to_string();
    assert!(mistakes.contains(&format!("tests/doors.rs:{line}:")), "{mistakes}");
    assert!(mistakes.contains("cannot be added") && mistakes.contains("sgdd"), "{mistakes}");
    assert_eq!(mistakes.matches("error[").count(), 2, "{mistakes}");
}

#[test]
fn a_mistake_of_the_builder_says_what_to_write() {
    type Mistake = (fn(&Net), &'static str);
    let helps: &[Mistake] = &[
        (|net| net.using(call("sgdd").with(0.1), &[]), "write `sgd`"),
        (|net| net.using(call("adam"), &[]), "add `.set(\"rate\", …)` to the call"),
        (|net| net.using(call("adam").set("lr", 0.1), &[]), "write `rate`"),
        (
            |net| net.using(call("sgd").with(0.1), &[call("clamp").with(1.0)]),
            "there are `clip_value`, `clip_norm`, `clip_global_norm`",
        ),
        (|net| _ = net.learned("p.dense.wieght"), "there is `p.dense.weight`"),
        (|net| _ = net.input("z", &[0]), "write at least 1; the batch is not among the sizes"),
        (|net| _ = net.input("z", &[1 << 62]), "take smaller sizes, such as 64"),
        (|net| _ = net.learned("p.dense.weight").dense(1 << 60), "take a smaller size, such as 64"),
    ];
    for (mistake, help) in helps {
        let declared = declare("Net", |net| {
            let p = net.named("p", || net.input("x", &[8]).dense(1));
            net.minimize(p.with("mean_squared_error", &[net.target("y", &[1])]));
            mistake(net);
        });
        let mistakes = declared.networks().expect_err(help).to_string();
        assert!(mistakes.contains(&format!("help: {help}\n")), "{mistakes}");
    }
}

#[test]
fn a_parameter_of_ones_own_is_the_same_by_every_door() {
    let text = "Net { input x: [batch, 3]; target y: [batch, 3]; parameter gain: [3] = ones; parameter mix: [2, 3] = he; \
                minimize (x * gain).mean_squared_error(y) + mix.sum(); using sgd(0.1); }";
    let written = Declaration::parse(Source::new("own.net", text)).and_then(|declaration| declaration.elaborate());
    let declared = declare("Net", |net| {
        let (x, y) = (net.input("x", &[3]), net.target("y", &[3]));
        let (gain, mix) = (net.parameter("gain", &[3], "ones"), net.parameter("mix", &[2, 3], "he"));
        net.minimize((x * gain).with("mean_squared_error", &[y]) + mix.sum());
        net.using(call("sgd").with(0.1), &[]);
    });
    let wanted = |network: &Network| network.parameters.iter().map(|known| known.wanted.clone()).collect::<Vec<_>>();
    let (built, _) = declared.networks().expect("it is right");
    assert_eq!(wanted(built), wanted(&written.expect("it is right").training));
}

#[test]
fn nothing_that_is_given_to_the_builder_panics() {
    let sizes = [0, 1, usize::MAX, 1 << 40];
    let numbers = [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300];
    for size in sizes {
        let declared = declare("", |net| {
            let x = net.input("", &[size, size]);
            let y = net.input_of(Element::F64, "y", &[size]);
            let c = net.class_target("c", size as u32);
            let w = net.parameter("w", &[size, size], "nothing");
            let s = net.setting("s", f64::NAN);
            net.learned("nobody");
            for number in numbers {
                let h = net.named("", || x.dense(size).dropout(number).leaky_relu(number) * number / x);
                net.within("", || h.apply(&call("conv2d").with(number).with(size as f64).set("", "")));
                net.shared("", || h.apply(&call("reshape").with([size as f64, number].as_slice())));
                h.apply(&call("dense").set("width", number).set("init", call("normal").with(number)));
                net.penalize(&call("l2").with(number));
                net.using(call("adam").with(number), &[call("clip_norm").with(number), call("")]);
                net.group(call("").with(number));
                net.report("", h);
                net.predict("", c);
                net.minimize(h.with("cross_entropy", &[c, y, w, s]));
                net.parameter("p", &[], number);
            }
        });
        assert!(declared.networks().is_err());
        assert!(declared.compile().is_err());
    }
    // A value of another network is none of this one.
    let outer = declare("outer", |outer| {
        let x = outer.input("x", &[3]);
        let far = (0..50).fold(x, |far, _| far.tanh());
        let inner = declare("inner", |inner| inner.minimize(inner.input("x", &[3]).with("mse", &[far])));
        assert!(inner.networks().is_err());
    });
    assert!(outer.networks().is_ok());
}

fn swish(x: Tensor) -> Tensor {
    x * (1.0 * x).sigmoid()
}

fn without_bias(width: usize) -> Call {
    call("dense").with(width as f64).set("bias", false)
}

fn residual<'n>(net: &'n Net, x: Tensor<'n>, width: usize) -> Tensor<'n> {
    let inner = net.named("inner", || swish(x.dense(width).batch_norm()));
    let gain = net.parameter("gain", &[width], "ones");
    x + inner.apply(&without_bias(width)) * gain
}

fn encoder(x: Tensor, width: usize) -> Tensor {
    x.dense(2 * width).relu().dense(width)
}

fn blocks() -> Declared {
    declare("Blocks", |net| {
        let (left, right) = (net.input("left", &[16]), net.input("right", &[16]));
        let same = net.target("same", &[1]);
        let width = 8;
        let mut a = net.named("a", || net.shared("encoder", || encoder(left, width)));
        for turn in 0..2 {
            a = net.named("a", || net.within(&turn.to_string(), || residual(net, a, width)));
        }
        for (turn, size) in [4, width].into_iter().enumerate() {
            a = net.named("a", || net.within(&turn.to_string(), || a.dense(size).elu()));
        }
        let b = net.named("b", || net.shared("encoder", || encoder(right, width)));
        let tied = net.learned("encoder.dense_2.weight").apply(&call("transpose"));
        let decoded = net.named("decoded", || b.with("matmul", &[tied]));
        let logit = net.named("logit", || a.with("concat", &[b, (a - b).apply(&call("abs"))]).dense(1));
        net.predict("same", logit.sigmoid());
        net.predict("code", b);
        let loss = logit.with("binary_cross_entropy", &[same]) + 0.1 * (decoded * decoded).mean();
        net.penalize(&call("l2").with(1e-4));
        net.minimize(loss);
        net.using(call("nadam").with(1e-3), &[call("clip_norm").with(1.0)]);
        net.report("accuracy", logit.with("accuracy", &[same]));
    })
}

fn clipped() -> Declared {
    declare("Clipped", |net| {
        let signal = net.input("signal", &[96]);
        let answer = net.target("answer", &[1]);
        let first = net.named("first", || signal.dense(160).batch_norm().relu());
        let second = net.named("second", || first.dense(64).tanh());
        let guess = net.named("answer_guess", || second.dense(1));
        net.minimize(guess.with("mean_squared_error", &[answer]));
        net.using(call("sgd").set("rate", 1e-2), &[call("clip_value").with(0.5)]);
    })
}

fn digits() -> Declared {
    declare("Digits", |net| {
        let pixels = net.input("pixels", &[64]);
        let digit = net.class_target("digit", 10);
        let x = net.named("x", || pixels.standardize());
        let hidden = net.named("hidden", || x.dense(128).batch_norm().relu().dropout(0.2));
        let logits = net.named("logits", || hidden.dense(10));
        net.predict("prediction", logits.softmax());
        let loss = logits.with("cross_entropy", &[digit]);
        net.penalize(&call("l2").with(1e-4));
        net.minimize(loss);
        net.using(call("adam").set("rate", 1e-3), &[call("clip_global_norm").with(1.0)]);
        net.report("accuracy", logits.with("accuracy", &[digit]));
    })
}

fn groups() -> Declared {
    declare("Groups", |net| {
        let pixels = net.input("pixels", &[64]);
        let digit = net.class_target("digit", 10);
        let dense = |width: usize| call("dense").with(width as f64);
        let low = net.named("low", || pixels.apply(&dense(32).set("frozen", true)).relu());
        let slow = dense(32).set("rate_factor", 0.1).set("penalty", call("l1").with(1e-5));
        let middle = net.named("middle", || low.apply(&slow).relu());
        let high = net.named("high", || {
            let free = middle.apply(&dense(16).set("penalty", "none")).relu();
            free.apply(&call("batch_norm").set("frozen", true))
        });
        let logits = net.named("logits", || high.dense(10));
        net.predict("prediction", logits.softmax());
        let loss = logits.apply(&call("cross_entropy").with(digit).set("label_smoothing", 0.1));
        net.penalize(&call("l2").with(1e-4));
        net.minimize(loss);
        net.using(call("adamw").with(1e-3), &[call("clip_global_norm").with(1.0)]);
        net.group(call("group").with("high.*").set("weight_decay", 0.0));
        net.group(call("group").with("*.bias").set("rate_factor", 2.0).set("weight_decay", 0.0));
        net.report("accuracy", logits.with("accuracy", &[digit]));
    })
}

fn list(values: &[f64]) -> Argument {
    values.into()
}

fn images() -> Declared {
    declare("Images", |net| {
        let pixels = net.input("pixels", &[64]);
        let digit = net.class_target("digit", 10);
        let image = net.named("image", || pixels.apply(&call("reshape").with(list(&[1.0, 8.0, 8.0]))));
        let small = net.named("small", || {
            let wide = image.apply(&call("conv2d").with(4.0).with(3.0).set("padding", "same"));
            wide.batch_norm().relu().apply(&call("max_pool").with(2.0))
        });
        let wide = net.named("wide", || {
            let kernel = call("conv2d").with(8.0).with(list(&[3.0, 2.0]));
            let strided = kernel.set("stride", list(&[1.0, 2.0])).set("padding", list(&[1.0, 0.0]));
            small.apply(&strided).elu().apply(&call("average_pool").with(2.0))
        });
        let logits = net.named("logits", || wide.flatten().dense(10));
        net.predict("prediction", logits.softmax());
        net.minimize(logits.with("cross_entropy", &[digit]));
        net.using(call("rmsprop").with(1e-3).set("momentum", 0.9), &[]);
        net.report("accuracy", logits.with("accuracy", &[digit]));
    })
}

/// `m = beta * m - rate * gradient; theta = theta + m`, with the gradient at `theta + beta * m`.
fn heavy_ball() -> Rule {
    let point = |update: &mut Update, call: &Call| {
        let beta = update.number(call, "beta");
        let m = update.state("m", 0.0)?;
        let ahead = update.builder.mul(beta, m)?;
        Ok(update.builder.add(update.theta, ahead)?)
    };
    let build = |update: &mut Update, call: &Call| {
        let beta = update.number(call, "beta");
        let m = update.state("m", 0.0)?;
        let (kept, step) = (update.builder.mul(beta, m)?, update.builder.mul(update.rate, update.gradient)?);
        let next = update.builder.sub(kept, step)?;
        update.set_state(m, next);
        Ok(update.builder.add(update.theta, next)?)
    };
    Rule::Own {
        name: "heavy_ball".into(),
        formula: "m = zeros; gradient at theta + beta * m; m = beta * m - rate * gradient; theta = theta + m".into(),
        at: Some(Arc::new(point)),
        build: Arc::new(build),
    }
}

fn optimizer() -> Declared {
    declare("Own", |net| {
        let x = net.input("x", &[3]);
        let y = net.target("y", &[1]);
        let warmth = net.setting("warmth", 100.0);
        let he = call("dense").with(5.0).set("init", "he_uniform");
        let p = net.named("p", || x.apply(&he).tanh().dense(1));
        net.predict("prediction", p);
        net.minimize(p.with("mean_squared_error", &[y]));
        let rate = 1e-2 * (net.step() / warmth).with("min", &[net.number(1.0)]);
        let numbers = call("heavy_ball").set("rate", rate).set("beta", 0.9);
        net.using_own(heavy_ball(), numbers, &[call("clip_value").with(5.0)]);
    })
}

fn regression() -> Declared {
    declare("Regression", |net| {
        let features = net.input("features", &[6]);
        let (price, w) = (net.target("price", &[1]), net.target("w", &[]));
        let lambda = net.setting("lambda", 1e-3);
        let x = net.named("x", || features.apply(&call("rescale").with(-1.0).with(1.0)));
        let y = net.named("y", || price.standardize());
        let h = net.named("h", || x.apply(&call("noise").with(0.1)));
        let h = net.named("h", || if net.is_training() { h.dropout(0.1) } else { h * 1.0 });
        let h = net.named("h", || h.dense(12).leaky_relu(0.2));
        let p = net.named("p", || h.dense(1));
        net.predict("price", p.with("restore", &[price]));
        let loss = p.apply(&call("huber").with(y).set("delta", 2.0).set("weights", w));
        net.penalize(&call("l1").with(lambda).set("proximal", true));
        net.penalize(&call("l2").with(0.1 * lambda).set("on", "all"));
        net.minimize(loss);
        net.using(call("adamw").with(1e-3).set("weight_decay", 0.1), &[]);
        net.report("rmse", p.with("rmse", &[y]));
        net.report("mean_absolute_error", p.with("mean_absolute_error", &[y]));
    })
}

fn sequences() -> Declared {
    declare("Sequences", |net| {
        let letters = net.input_of(Element::Class(27), "letters", &[3]);
        let n = net.input_of(Element::U32, "n", &[]);
        let next = net.class_target("next", 27);
        let embedded = net.named("embedded", || letters.embedding(4));
        let read = net.named("read", || embedded.apply(&call("gru").with(6.0)).apply(&call("last").set("lengths", n)));
        let attention = call("attention").with(2.0).set("causal", true);
        let seen = net.named("seen", || embedded.apply(&attention).apply(&call("last")));
        let dense = call("dense").with(27.0).set("init", "orthogonal");
        let logits = net.named("logits", || read.with("concat", &[seen]).apply(&dense));
        net.predict("prediction", logits.softmax());
        net.minimize(logits.with("cross_entropy", &[next]));
        net.using(call("adam").with(1e-3), &[call("clip_global_norm").with(1.0)]);
    })
}

fn w2() -> Declared {
    declare("Wide", |net| {
        let pixels = net.input("pixels", &[784]);
        let digit = net.class_target("digit", 10);
        let first = net.named("first", || pixels.dense(512).batch_norm().relu().dropout(0.2));
        let second = net.named("second", || first.dense(512).batch_norm().relu().dropout(0.2));
        let logits = net.named("logits", || second.dense(10));
        net.minimize(logits.with("cross_entropy", &[digit]));
        net.using(call("adam").set("rate", 1e-3), &[call("clip_global_norm").with(1.0)]);
    })
}

fn words() -> Declared {
    declare("Words", |net| {
        let letters = net.input_of(Element::Class(27), "letters", &[4]);
        let next = net.class_target("next", 27);
        let embedded = net.named("embedded", || letters.embedding(10).flatten());
        let hidden = net.named("hidden", || embedded.dense(40).layer_norm().gelu());
        let logits = net.named("logits", || hidden.dense(27));
        net.predict("prediction", logits.log_softmax());
        net.minimize(logits.apply(&call("cross_entropy").with(next).set("ignore", 0.0)));
        let momentum = call("momentum").set("rate", 0.1).set("beta", 0.95).set("semantics", "torch");
        net.using(momentum, &[]);
        net.report("accuracy", logits.with("accuracy", &[next]));
    })
}

fn xor() -> Declared {
    declare("Xor", |net| {
        let x = net.input("x", &[2]);
        let y = net.target("y", &[1]);
        let h = net.named("h", || x.dense(4).sigmoid());
        let p = net.named("p", || h.dense(1));
        net.predict("probability", p.sigmoid());
        net.minimize(p.with("binary_cross_entropy", &[y]));
        net.using(call("sgd").set("rate", 0.5), &[]);
    })
}
