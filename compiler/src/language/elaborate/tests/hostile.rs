//! Nothing that can be written harms the process or takes long, and a slip is found where it stands.

use super::{elaborated, sound};
use crate::base::place::Source;
use crate::language::declaration::Declaration;
use crate::language::shown::shown;

const DIGITS: &str = include_str!("../../../../../tests/cases/digits.net");

/// Mutations of one token: what is replaced, what by, and the line at which a mistake must stand.
const SLIPS: &[(&str, &str, u32)] = &[
    ("[batch, 64]", "[batch, batch]", 3),
    ("[batch, 64]", "[batch, 0]", 3),
    ("[batch, 64]", "[batch, -64]", 3),
    ("[batch, 64]", "[batch, 6.4]", 3),
    ("[batch, 64]", "[64, batch]", 3),
    ("[batch, 64]", "[btach, 64]", 3),
    ("[batch, 64]", "[batch, digit]", 3),
    ("input  pixels", "input  pixel", 6),
    ("input  pixels", "target pixels", 10),
    ("target digit", "target digits", 11),
    ("class(10)", "class(12)", 11),
    ("class(10)", "class(0)", 4),
    ("class(10)", "class(true)", 4),
    ("class(10)", "class(1.5)", 4),
    ("class(10)", "[batch, 10, 10]", 11),
    ("class(10)", "[batch]", 11),
    ("let x ", "let y ", 7),
    ("let hidden", "let x", 7),
    ("let hidden", "let pixels", 7),
    ("let logits", "let batch", 8),
    ("pixels.standardize", "pixel.standardize", 6),
    ("pixels.standardize", "digit.standardize", 6),
    ("standardize()", "standardise()", 6),
    ("standardize()", "standardize(3)", 6),
    ("x.dense(128)", "x.dens(128)", 7),
    ("x.dense(128)", "x.dense()", 7),
    ("x.dense(128)", "x.dense(-128)", 7),
    ("x.dense(128)", "x.dense(\"128\")", 7),
    ("x.dense(128)", "x.dense(true)", 7),
    ("x.dense(128)", "x.dense(batch)", 7),
    ("x.dense(128)", "x.dense(he)", 7),
    ("x.dense(128)", "x.dense(hidden)", 7),
    ("x.dense(128)", "x.dense(128, 7)", 7),
    ("x.dense(128)", "x.dense(128, inti = he)", 7),
    ("x.dense(128)", "x.dense(128, init = hee)", 7),
    ("x.dense(128)", "x.dense(128, bias = 1)", 7),
    ("x.dense(128)", "digit.dense(128)", 7),
    (".batch_norm()", ".batch_norm(momentum = 2)", 7),
    (".batch_norm()", ".batchnorm()", 7),
    (".relu()", ".relu", 7),
    (".relu()", ".logits()", 7),
    (".dropout(0.2)", ".dropout(1.5)", 7),
    (".dropout(0.2)", ".dropout(20)", 7),
    (".dropout(0.2)", ".dropout(rate = 0.2, rate = 0.3)", 7),
    (".dropout(0.2)", ".drop_out(0.2)", 7),
    ("hidden.dense(10)", "hiden.dense(10)", 8),
    ("hidden.dense(10)", "hidden.dense(11)", 11),
    ("predict  logits", "predict  logit", 10),
    ("cross_entropy(digit)", "cross_entropy(digti)", 11),
    ("cross_entropy(digit)", "cross_entropy(digit, from = logit)", 11),
    ("cross_entropy(digit)", "cros_entropy(digit)", 11),
    ("cross_entropy(digit)", "softmax()", 11),
    ("cross_entropy(digit)", "cross_entropy()", 11),
    ("l2(1e-4)", "l2(-1e-4)", 11),
    ("l2(1e-4)", "l3(1e-4)", 11),
    ("l2(1e-4)", "l2()", 11),
    ("minimize", "predict", 2),
    ("adam(rate", "adm(rate", 12),
    ("rate = 1e-3", "rte = 1e-3", 12),
    ("rate = 1e-3", "rate = -1e-3", 12),
    ("rate = 1e-3", "rate = pixels", 12),
    ("clip_global_norm(1.0)", "clip_global_nrm(1.0)", 12),
    ("clip_global_norm(1.0)", "clip_global_norm(0)", 12),
    ("using   ", "minimize", 2),
    ("accuracy(logits", "acuracy(logits", 13),
    ("report   accuracy", "report   loss", 13),
    ("(logits, digit)", "(digit, logits)", 13),
];

#[test]
fn a_slip_is_found_where_it_stands() {
    for (from, to, line) in SLIPS {
        let text = DIGITS.replacen(from, to, 1);
        assert_ne!(text, DIGITS, "{from}");
        let (_, mistakes) = elaborated("digits.net", &text, true);
        let lines: Vec<(u32, &str)> =
            mistakes.iter().filter(|m| m.is_error()).map(|m| (m.primary.span.line, m.message.as_str())).collect();
        assert!(lines.iter().any(|(found, _)| found == line), "{from} -> {to}: {lines:#?}");
        elaborated("digits.net", &text, false);
    }
}

/// Multiplicative congruential generator of Steele and Vigna (2021), high bits.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0xd130_2b97_0f1f_3a6d).wrapping_add(1);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// Every form of the language.
const EVERYTHING: &str = "fn f(x, w = 3) { let y = x.dense(w); parameter p: [3] = normal(0, 0.1); if training { y * p } else { x.dense(3) } }\n\
    optimizer o(rate) { at theta; state m = zeros; m = m + gradient; theta = theta - rate * m; }\n\
    Net { input x: class(3)[batch]; target t: [batch, 3]; const w = 3; setting s = 0.1; \
    let mut h = x.embedding(w); for i in 0..3 { h = h.dense(3).batch_norm().dropout(s); } \
    layer e = dense(3).relu(); if training { h = e(h); } let z = f(h) + e(h) - e.dense.bias; allow(unused_value); \
    predict a = h, b = -z * (h + 1) / sqrt(2); minimize z.mean_squared_error(t) + 0.1 * l2(s); \
    using o(0.1).clip_value(1).group(\"z.*\", rate_factor = 0.1); report mae(z, t), c = where(z > t, z, 0).mean(); }";

#[test]
fn random_mutations_are_elaborated_without_harm() {
    sound(EVERYTHING, true);
    for (text, seed, count) in [(EVERYTHING, 7, 1500), (DIGITS, 11, 500)] {
        let tokens: Vec<&str> = text.split_inclusive([' ', '(', ')', ';', '.', ',', '\n']).collect();
        let mut random = Random(seed);
        for _ in 0..count {
            let mut mutant = tokens.clone();
            for _ in 0..1 + random.below(3) {
                let (at, other) = (random.below(mutant.len()), random.below(tokens.len()));
                match random.below(4) {
                    0 => mutant[at] = tokens[other],
                    1 => mutant.insert(at, tokens[other]),
                    2 => {
                        mutant.remove(at);
                    }
                    _ => {
                        let with = other % mutant.len();
                        mutant.swap(at, with);
                    }
                }
                if mutant.is_empty() {
                    break;
                }
            }
            let text = mutant.concat();
            let (network, mistakes) = elaborated("test.net", &text, true);
            if let (Some(network), false) = (network, mistakes.has_errors()) {
                crate::graph::verify::verify(network.builder.graph()).expect("what is built is sound");
                let full = Declaration::parse(Source::new("test.net", &text)).expect("it was read").text();
                assert_eq!(shown(&network, false), shown(&sound(&full, true), false), "{text}\n{full}");
            }
            elaborated("test.net", &text, false);
        }
    }
}

#[test]
fn endless_things_end() {
    let doubled: String = (1..40).map(|i| format!("fn f{i}(x) {{ f{}(f{}(x)) }}\n", i - 1, i - 1)).collect();
    for text in [
        "fn f(x) { f(x) } Net { input x: [batch, 2]; let y = f(x); }".to_owned(),
        "fn f(x) { g(x) } fn g(x) { f(x) } Net { input x: [batch, 2]; let y = f(x); }".to_owned(),
        "Net { input x: [batch, 2]; for i in 0..1000000000000 { let y = x; } }".to_owned(),
        "Net { input x: [batch, 2]; for i in 0..9999 { for j in 0..9999 { let y = x; } } }".to_owned(),
        format!("fn f0(x) {{ x.relu() }}\n{doubled} Net {{ input x: [batch, 2]; let y = f39(x); }}"),
    ] {
        let (_, mistakes) = elaborated("test.net", &text, true);
        let codes: Vec<&str> = mistakes.iter().map(|mistake| mistake.code).collect();
        assert!(codes.contains(&"E0407"), "{text}: {codes:?}");
    }
}

#[test]
fn the_highest_tree_needs_little_stack() {
    let chain: String =
        (1..60).map(|i| format!("fn f{i}(x) {{ let a = {}f{}(x){}; a }}\n", "-(".repeat(50), i - 1, ")".repeat(50))).collect();
    let text = format!("fn f0(x) {{ x.relu() }}\n{chain} Net {{ input x: [batch, 2]; let y = f59(x); }}");
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        elaborated("test.net", &text, true);
    });
    assert!(matches!(thread.map(std::thread::JoinHandle::join), Ok(Ok(()))));
}
