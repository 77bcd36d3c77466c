//! The table 'What may stand in a network', row by row, in canonical text.

use super::{DIGITS, canonical, read};
use crate::language::ast::{ExpressionKind, Item, Number, StatementKind};
use crate::language::print;

/// Each is canonical already: it is read without mistakes and prints as it stands.
const NETWORKS: [&str; 36] = [
    "input name: [batch, 64];",
    "input words: class(65)[batch, 64];",
    "input a: f32[batch];\ninput b: i32[batch];\ninput c: u32[batch];\ninput d: bool[batch];",
    "/// The pixels.\ninput pixels: [batch, 1, 8, 8];",
    "target name: class(10);",
    "target name: [batch, 1];",
    "target w: [batch];",
    "parameter gain: [64] = ones;",
    "parameter table: [width, 2 * width + 1] = normal(0, 0.02);",
    "setting lambda = 1e-3;",
    "const width = 128;",
    "let name = x;",
    "let y = x.dense(64).relu();",
    "let y = x * sigmoid(1.702 * x);",
    "let y = x + y - z / w;",
    "let y = x - (y - z) - (a + b) / c * (d / e);",
    "let y = -x + -(a + b) * -c.exp();",
    "let y = (-x).exp() + (a + b).log();",
    "let y = (a < b) * x + (a >= b) * z;",
    "let y = x.dense(128, init = he_uniform, bias = false, penalty = l1(1e-5), rate_factor = 0.1, frozen = true);",
    "let y = residual(x, width = 3);",
    "let y = where(a == b, x, -x).where(c != d, 0);",
    "layer encoder = dense(64).relu().dense(16);\nlet a = encoder(x);\nlet tied = a.matmul(encoder.dense.weight.transpose());",
    "let mut h = x;\nfor i in 0..20 {\n  h = h.dense(100).elu();\n}\nlet w = h.0.dense.weight;",
    "for width in [512, 256] {\n  h = h.dense(width);\n}",
    "for _ in 1..=depth {\n  for j in 0..2 {\n    h = h + j;\n  }\n}",
    "if training {\n  h = h.noise(0.1);\n} else {\n  h = 2 * h;\n}",
    "if training {\n  h = h.noise(0.1);\n}",
    "let y = if training {\n  let z = x.noise(0.1);\n  z * z\n} else {\n  x\n};",
    "predict logits.softmax();",
    "predict class = logits.softmax(), depth = d;\nminimize a + 0.3 * b;\nreport hit = accuracy(logits, digit), part = a;",
    "using sgd(rate = 1e-3 * min(step / 500, 1));\nusing adam(warm_up(500).then(cosine(1e-3, to = 0))).group(\"encoder.*\", rate_factor = 0.1);",
    "allow(minimized_mean_error, penalty_on_unscaled_inputs);",
    "let x = features.standardize();\nlet z = features.rescale(0, 1);\npredict p.restore(y);",
    "input x: [batch, crate::WIDTH, {WIDTH * 2}, {WIDTH}];\nlet y = x.dense(::sizes::HIDDEN).dropout({RATE});",
    "minimize logits.cross_entropy(y, class_weights = [0.7, 0.15, 1_000.5]);",
];

const ITEMS: [&str; 5] = [
    "fn swish(x) {\n  x * x.sigmoid()\n}\n",
    "fn residual(x, width = 64) {\n  let y = x.dense(width).relu();\n  parameter gain: [width] = ones;\n  x + gain * y\n}\n",
    "/// Momentum as Polyak wrote it.\noptimizer heavy_ball(rate, beta = 0.9) {\n  at theta + beta * m;\n  state m = zeros;\n  let g = gradient;\n  m = beta * m - rate * g;\n  theta = theta + m;\n}\n",
    "fn noisy(x) {\n  if training {\n    x.noise(0.1)\n  } else {\n    x\n  }\n}\n",
    "/// One.\n///\n/// Two.\npub(crate) Small {}\n\npub(in crate::models) Other {\n  predict x;\n}\n\nThird {}\n",
];

fn network(statements: &str) -> String {
    let indented = statements.replace('\n', "\n  ");
    format!("Net {{\n  {indented}\n}}\n")
}

#[test]
fn every_form_of_the_table_prints_as_it_is_read() {
    let networks = NETWORKS.map(network);
    let items = ITEMS.map(str::to_owned);
    for text in networks.iter().chain(&items) {
        assert_eq!(canonical(text), *text);
    }
}

#[test]
fn the_first_example_prints_canonically() {
    let expected = "\
/// Handwritten digits: 8×8 grey pixels in, one of ten classes out.
pub Digits {
  input pixels: [batch, 64];
  target digit: class(10);
  let x = pixels.standardize();
  let hidden = x.dense(128).batch_norm().relu().dropout(0.2);
  let logits = hidden.dense(10);
  predict logits.softmax();
  minimize logits.cross_entropy(digit) + l2(1e-4);
  using adam(rate = 1e-3).clip_global_norm(1.0);
  report accuracy = accuracy(logits, digit);
}
";
    assert_eq!(canonical(DIGITS), expected);
    assert_eq!(canonical(expected), expected);
}

#[test]
fn what_says_the_same_prints_the_same() {
    let pairs = [
        ("let y = ((x)) + (2 * (3));", "let y = x + 2 * 3;"),
        ("let y = x.f(1,);", "let y = x.f(1);"),
        ("let y = --x;", "let y = --x;"),
        ("let y = (1.).exp() + 2.;", "let y = (1.0).exp() + 2.0;"),
        ("let y = r#\"a\"b\"#;", "let y = \"a\\\"b\";"),
        ("let y = x; ; // said twice\n", "let y = x;"),
        ("let y = { A  +\n B };", "let y = {A + B};"),
        ("#[doc = \" Out.\"] predict x;", "/// Out.\npredict x;"),
        ("let y = if training { a } else { b } + 1;", "let y = (if training {\n  a\n} else {\n  b\n}) + 1;"),
    ];
    for (written, expected) in pairs {
        let text = canonical(&network(written));
        assert_eq!(text, network(expected));
        assert_eq!(canonical(&text), text);
    }
}

#[test]
fn numbers_of_rust_are_listed_in_their_order() {
    let file = read("Net { let y = x.dense(crate::WIDTH).dense({f(1) + 2}); }");
    let texts: Vec<&str> = file.rust.iter().map(|number| number.text.as_str()).collect();
    assert_eq!(texts, ["crate::WIDTH", "f(1) + 2"]);
    assert_eq!(file.rust[1].span.start(), (1, 43));
    // A name like a constant is Rust's, unless the text declares it.
    let file = read(
        "Net { input X: [batch, N_IN]; const WIDTH = 3; let y = X.dense(WIDTH).dense(OUT).f(BETA); } fn f(x, BETA) { x * BETA }",
    );
    let texts: Vec<&str> = file.rust.iter().map(|number| number.text.as_str()).collect();
    assert_eq!(texts, ["N_IN", "OUT"]);
}

#[test]
fn numbers_keep_their_text_and_have_their_value() {
    for (text, number, whole) in [
        ("1_000", 1000.0, true),
        ("0xff", 255.0, true),
        ("1e-3", 0.001, false),
        ("2.", 2.0, false),
        ("18446744073709551616", 18446744073709551616.0, true),
    ] {
        let file = read(&format!("Net {{ let y = {text}; }}"));
        let Item::Network(network) = &file.items[0] else {
            panic!("a network was written");
        };
        let StatementKind::Let { value, .. } = &network.statements[0].kind else {
            panic!("a let was written");
        };
        let expected = ExpressionKind::Number(Number::Literal { text: text.to_owned(), value: number, integer: whole });
        assert_eq!(value.kind, expected);
    }
}

#[test]
fn chains_and_dotted_names_come_apart() {
    let file = read("Net { layer e = dense(64).relu(); let w = e.dense.weight; let y = x.relu(); }");
    let Item::Network(network) = &file.items[0] else {
        panic!("a network was written");
    };
    let values: Vec<_> = network
        .statements
        .iter()
        .filter_map(|statement| match &statement.kind {
            StatementKind::Layer { value, .. } | StatementKind::Let { value, .. } => Some(value),
            _ => None,
        })
        .collect();
    let names = |value: &crate::language::ast::Expression| {
        let calls = value.chain()?;
        Some(calls.iter().map(|call| call.name.text.clone()).collect::<Vec<_>>())
    };
    assert_eq!(names(values[0]), Some(vec!["dense".to_owned(), "relu".to_owned()]));
    assert_eq!(names(values[2]), None);
    let words: Vec<_> = values[1].dotted().into_iter().flatten().collect();
    assert_eq!(words.len(), 3);
    assert_eq!(words[2].text, "weight");
    assert_eq!(print::expression(values[1]), "e.dense.weight");
}
