//! One slip, one message, at the token, with what to write instead; and reading goes on.

use super::{canonical, parse};
use crate::base::place::Source;
use crate::language::print;

/// Reports of a text: `line:column code message (help)`.
fn reports(text: &str) -> Vec<String> {
    let (_, mistakes) = parse(text);
    mistakes
        .iter()
        .map(|mistake| {
            let (line, column) = mistake.primary.span.start();
            let help = mistake.help.as_ref().map(|help| format!(" ({help})"));
            let help = help.unwrap_or_default();
            format!("{line}:{column} {} {}{help}", mistake.code, mistake.message)
        })
        .collect()
}

/// The one report of a statement in a network, and what of the network was read.
fn report(statement: &str) -> (String, String) {
    let text = format!("Net {{\n{statement}\nlet last = 1;\n}}");
    let reports = reports(&text);
    assert_eq!(reports.len(), 1, "{statement}: {reports:#?}");
    let (file, _) = parse(&text);
    let printed = print::file(&file);
    assert!(printed.contains("let last = 1;"), "{statement}: {printed}");
    (reports[0].clone(), printed)
}

#[test]
fn each_slip_has_its_message() {
    for (statement, expected) in [
        ("let y = ;", "2:9 E0102 expected a value, found `;`"),
        ("let y = x", "2:10 E0102 expected `;` behind the statement (write `;` here)"),
        ("let y = x z;", "2:11 E0102 expected `;`, found `z` (end the statement here, or join the two)"),
        ("let y = x.;", "2:11 E0102 expected a name behind the point, found `;` (take the point away)"),
        ("let y = x @ w;", "2:11 E0107 `@` is no operator of the language (a product of matrices is `a.matmul(b)`)"),
        ("# a = 1, twice", "2:1 E0107 a comment begins with `//` (write `//`)"),
        ("let y = x.dense(64", "2:16 E0101 this `(` is never closed"),
        ("let = x;", "2:5 E0102 expected a name, found `=` (write a name before it, such as `a`)"),
        ("let loop = x;", "2:5 E0102 expected a name, found `loop`, a keyword of Rust (write `loop_`)"),
        ("let y = f(type = 3);", "2:11 E0102 expected a name, found `type`, a keyword of Rust (write `type_`)"),
        ("let y = type.relu();", "2:9 E0102 expected a value, found `type`, a keyword of Rust (write `type_`)"),
        ("report type = x;", "2:8 E0102 expected a name, found `type`, a keyword of Rust (write `type_`)"),
        ("let y: f32 = x;", "2:6 E0107 the type of a value follows from what it is (write `y = …`)"),
        ("let y x;", "2:7 E0102 expected `=`, found `x` (write `=` before it)"),
        ("inptu x: [batch];", "2:1 E0105 `inptu` begins no statement (write `input`)"),
        ("var y = x;", "2:1 E0105 `var` begins no statement (write `let`)"),
        ("minimise (a - b).mean();", "2:1 E0105 `minimise` begins no statement (write `minimize`)"),
        ("maximize a + b;", "2:1 E0105 `maximize` begins no statement (lower its negative: `minimize -(a + b);`)"),
        ("return x;", "2:1 E0105 `return` begins no statement (write `predict`)"),
        ("minimize: x;", "2:9 E0102 the value stands right behind the word, found `:` (take the `:` away)"),
        ("while a { h = i; }", "2:1 E0107 a loop has as many turns as are known beforehand (write `for i in 0..3 { … }`)"),
        ("let y = x |> dense(3);", "2:11 E0107 a layer follows its value behind a point: `x.dense(64)` (write `.`)"),
        ("let y = x -> dense(3);", "2:11 E0107 a layer follows its value behind a point: `x.dense(64)` (write `.`)"),
        ("let y = x − 1;", "2:11 E0101 `−` means nothing here (write `-`)"),
        ("let y = f(“he”);", "2:11 E0101 a text stands in double quotes (write `\"he\"`)"),
        ("let y = f('he');", "2:11 E0101 a text stands in double quotes (write `\"he\"`)"),
        ("input x: batch;", "2:10 E0102 `batch` is no element type (write `[batch, 64]`)"),
        ("input x: (batch, 8);", "2:10 E0102 expected a type or a shape, found `(` (write `[batch, 8]`)"),
        ("input x;", "2:8 E0102 expected `:`, found `;` (write `:` before it)"),
        ("input x: ;", "2:10 E0102 expected a type or a shape, found `;` (for example `[batch, 64]` or `class(10)`)"),
        ("input x: f64[batch];", "2:10 E0102 `f64` is no element type (write `f32`)"),
        ("input x: class;", "2:15 E0102 expected the number of classes, found `;` (write `class(10)`)"),
        (
            "parameter gain: [64];",
            "2:21 E0102 expected `=`, found `;` (a parameter begins somewhere: `= zeros`, `= ones`, `= he`)",
        ),
        ("x.relu();", "2:1 E0105 nothing uses this value (name it: `let name = …;`)"),
        ("h += x;", "2:3 E0107 `+=` is no operator of the language (write `h = h + …`)"),
        ("let y = x[0];", "2:10 E0107 a value is not indexed with brackets (write `.slice(axis, from, to)`)"),
        ("let y = x ^ 2;", "2:11 E0107 `^` is no operator of the language (a square is `x * x`, any power `exp(a * log(x))`)"),
        ("let y = a < b < c;", "2:15 E0107 comparisons do not chain (put one of them in parentheses)"),
        ("let y = (a, b);", "2:11 E0107 the language has no tuples (a list is written `[a, b]`)"),
        ("let y = ();", "2:9 E0102 expected a value between the parentheses"),
        ("let y = {};", "2:9 E0102 expected a Rust expression between the braces"),
        ("let y = 'a';", "2:9 E0102 expected a value, found `'a'` (numbers, \"strings\", `true` and `false` may stand here)"),
        ("let y = 0.5f32;", "2:9 E0104 a number has no suffix here, found `f32` (write `0.5`)"),
        ("let y = 1e999;", "2:9 E0104 this number is too large: numbers are f32, which end at 3.4e38 (write `1e30`)"),
        (
            "let y = x.elu(alpha = -3.5e38);",
            "2:24 E0104 this number is too large: numbers are f32, which end at 3.4e38 (write `1e30`)",
        ),
        ("let y = 1e-46;", "2:9 E0104 this number is too small: numbers are f32, which rounds it to 0 (write `1e-30`)"),
        ("let y = f(1 2);", "2:13 E0102 expected `,` or `)`, found `2` (write `,` before it)"),
        (
            "let y = f(a = 1, 2);",
            "2:18 E0106 an argument without a name stands behind one with a name (put it first, or name it)",
        ),
        ("let y = f(a = 1, a = 2);", "2:18 E0106 argument `a` is given twice (take this argument away)"),
        ("let y = size::of(3);", "2:9 E0107 a Rust function cannot be called here (write it in braces: `{size::of(…)}`)"),
        (
            "let y = if training { a };",
            "2:9 E0102 this value lacks its other half: what it is when not training (add `else { … }`)",
        ),
        (
            "let y = if x > 0 { a } else { b };",
            "2:12 E0107 only `training` may stand behind `if`, found `x` (values are chosen element by element: `where(condition, a, b)`)",
        ),
        (
            "let y = if training { a } else { let b = 1; };",
            "2:45 E0102 this block needs a value: an expression at its end, without `;` (write a value before it, such as `0`)",
        ),
        ("for i in n { h = i; }", "2:10 E0102 a loop runs over a range `0..20` or a list `[512, 256]` (write `0..n`)"),
        ("for i 0..3 { h = i; }", "2:7 E0102 expected `in`, found `0` (write `in` before it)"),
        ("for i in 0..3 h = i;", "2:15 E0102 expected `{` and the body of the loop, found `h` (write `{ h = i; }`)"),
        (
            "for i in 0..3 { i }",
            "2:17 E0105 nothing uses this value (assign it: `name = …;`, with `let mut name` before the braces)",
        ),
        ("for i in 0..3 { minimize i; }", "2:17 E0105 `minimize` may stand in a network only, not in a block of it"),
        ("allow();", "2:6 E0102 expected the name of a lint"),
        (
            "#[cfg(x)] let y = 1;",
            "2:1 E0107 the language has no attributes (take it away; a lint is silenced with `allow(name);` in the network)",
        ),
        ("//! inner", "2:1 E0107 a doc comment is written before what it describes (write `///`, or `//` for a comment)"),
        ("let y = `x`;", ""),
    ] {
        if statement.contains('`') || statement.ends_with("64") {
            // These stop the reading of tokens, so there is no `last`.
            let found = reports(&format!("Net {{\n{statement}\n}}"));
            assert!(found[0].starts_with(expected), "{found:#?}");
            continue;
        }
        assert_eq!(report(statement).0, expected, "{statement}");
    }
}

#[test]
fn what_a_slip_leaves_is_still_defined() {
    for (statement, expected) in [
        ("let y = ;", "let y = ?;"),
        ("let y = f(1, *, 3);", "let y = f(1, ?, 3);"),
        ("input x: f64[batch];", "input x: [?];"),
        ("layer e dense(3);", "layer e = ?;"),
        ("parameter g: [3];", "parameter g: [3] = ?;"),
        ("for i 0..3 { h = i; }", "for _ in [?] {"),
        ("minimize a +;", "minimize ?;"),
        ("report a = x y, b = z;", "report a = x;"),
        ("predict a = *, b = z;", "predict a = ?, b = z;"),
    ] {
        let (_, printed) = report(statement);
        assert!(printed.contains(expected), "{statement}: {printed}");
    }
}

#[test]
fn items_have_their_messages() {
    for (text, expected) in [
        (
            "network! { Net {} }",
            "1:1 E0107 the text begins inside the braces of `network!` (write what stands between the braces, `Name { … }`)",
        ),
        (
            "network Net {}",
            "1:1 E0105 `network` begins nothing that may stand outside a network (a network is written `Name { … }`)",
        ),
        ("Net: { }", "1:4 E0102 expected `{` and the statements of the network, found `:` (take it away)"),
        ("Net;", "1:4 E0102 expected `{` and the statements of the network, found `;`"),
        ("fn f(x: f32) { x }", "1:7 E0107 a parameter has no type: it is what the call gives (write `x`)"),
        ("fn f(x) -> f32 { x }", "1:9 E0107 what a function returns follows from its body (take `-> …` away)"),
        (
            "fn f(x) { }",
            "1:11 E0102 this block needs a value: an expression at its end, without `;` (write a value before it, such as `x`)",
        ),
        (
            "fn f(x) { x.relu(); }",
            "1:19 E0102 the value of a function is the expression at its end, without `;` (take the `;` away)",
        ),
        (
            "fn f(x) { return x.relu(); }",
            "1:11 E0107 the value of a function is the expression at its end, without a word or `;` (write `x.relu()`)",
        ),
        ("def f(x) { x }", "1:1 E0105 `def` begins nothing that may stand outside a network (write `fn`)"),
        (
            "fn f(x) { for i in range(1, n) { } x }",
            "1:20 E0102 a loop runs over a range `0..20` or a list `[512, 256]` (write `1..n`)",
        ),
        ("fn f(x, x) { x }", "1:9 E0105 two parameters are named `x` (write `x_2`)"),
        ("fn f(a = 1, x) { x }", "1:13 E0105 a parameter without default stands behind one with a default"),
        ("fn f(x) { predict x; x }", "1:11 E0105 `predict` may stand in a network only, not in a block of it"),
        (
            "optimizer o(rate) { minimize x; }",
            "1:21 E0102 expected a line of an optimizer, found `minimize` (write `state m = zeros;`, `at …;`, `let name = …;` or `theta = …;`)",
        ),
        ("/// Nothing.", "1:1 E0102 this doc comment describes nothing"),
        ("3", "1:1 E0102 expected a network, `fn` or `optimizer`, found `3`"),
        ("Net { let y = 1 }", "1:16 E0102 expected `;` behind the statement (write `;` here)"),
        ("Net { ) }", "1:5 E0101 this `{` is never closed (write `}` before it)"),
        (") Net {}", "1:1 E0101 no bracket is open that this `)` could close (take it away)"),
        ("Net { let y = \"x; }", "1:15 E0101 this string has no end, or an escape it may not have"),
    ] {
        let found = reports(text);
        assert_eq!(found, [expected], "{text}");
    }
}

#[test]
fn all_mistakes_come_at_once_and_in_order() {
    let text = "\
Net {
  inptu pixels: [batch, 64];
  let a = pixels.dense(12 8, init = );
  let b = a.relu()
  let c = b § 2;
  for i in 0..3 { c = c.; }
  predict c.softmax(;
}
fn f(x { x }
Other { minimize ; }
";
    // The last three lines hold unclosed brackets, which are said alone.
    let found = reports(text);
    assert!(found.iter().all(|report| report.contains("E0101")), "{found:#?}");
    let closed = text.replace("softmax(;", "softmax();").replace("f(x {", "f(x) {");
    let found = reports(&closed);
    let places: Vec<&str> = found.iter().filter_map(|r| r.split(' ').next()).collect();
    assert_eq!(places, ["2:3", "3:27", "3:37", "4:19", "5:13", "5:15", "6:25", "10:18"], "{found:#?}");
}

#[test]
fn a_message_shows_the_place() {
    let text = "Net {\n  let y = x.dense(64 init = he);\n}\n";
    let (_, mistakes) = parse(text);
    let expected = "\
error[E0102]: expected `,` or `)`, found `init`
 --> net.net:2:22
  |
2 |   let y = x.dense(64 init = he);
  |                      ^^^^
  |
help: write `,` before it
";
    let shown = mistakes.render(&Source::new("net.net", text));
    let squeezed: Vec<&str> = shown.lines().map(str::trim_start).collect();
    let wanted: Vec<&str> = expected.lines().map(str::trim_start).collect();
    assert_eq!(squeezed, wanted);
}

#[test]
fn words_of_the_language_may_name_values() {
    let text = "fn loss(input, target) {\n  target - input\n}\n";
    assert_eq!(canonical(text), text);
    let text = "Net {\n  let mut target = x;\n  target = target + 1;\n}\n";
    assert_eq!(canonical(text), text);
}
