//! Texts that were cut, altered or written to harm are read, or refused with the line; what was read can be shown, rewritten and run.

use super::*;
use crate::draw;
use crate::graph::Graph;
use crate::loops::{self, Program};
use crate::splitmix::Random;

/// Most forms of the language, in few nodes.
const NETWORK: &str = "Net { input x: [batch, 4]; input c: class(3)[batch]; target t: [batch, 2]; setting rate = 0.1; \
    let h = x.dense(3).batch_norm().relu().dropout(0.2); let e = c.embedding(3); \
    let z = (h + e).dense(2); predict z.softmax(); minimize z.mean_squared_error(t) + l2(1e-3); \
    using adam(rate = rate).clip_global_norm(1); report mae(z, t); }";

/// The texts of the stages that can be read back.
fn texts() -> Vec<String> {
    let declaration = Declaration::parse(Source::new("a.net", NETWORK)).expect("it is a network");
    let networks = declaration.elaborate().expect("it has a meaning");
    let front = front(&networks.training, &networks.evaluation, declaration.text(), None).expect("it has a step");
    let assembled = assemble(&front.info.name, &front.graphs, &front.fusion).expect("it can be lowered");
    let stages = [Stage::Graph, Stage::Gradient, Stage::Simplified, Stage::Loops];
    stages.iter().map(|stage| portable(*stage, &front, &assembled).expect("these stages know no machine")).collect()
}

/// What stands in the place of a word: numbers at every edge, and words from elsewhere.
const WORDS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "5",
    "64",
    "255",
    "256",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "1099511627776",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
    "-9223372036854775808",
    "n",
    "2n",
    "9223372036854775807n",
    "NaN",
    "inf",
    "1e999",
    "%0",
    "%1",
    "%4294967295",
    "@0",
    "$0",
    "i0",
    "t0",
    "z9",
    "x4294967295",
    "f32",
    "f64",
    "i32",
    "u32",
    "bool",
    "class(0)",
    "class(3)",
    "class(4294967295)",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "->",
    ",",
    ":",
    ";",
    "=",
    "\"",
    "\\",
    "é",
    "\u{0}",
    "axis",
    "slice",
    "pad",
    "stream",
    "[n]",
    "f32[n, n]",
    "f32[0]",
    "f32[]",
    "f64[]",
    "input",
    "parameter",
    "state",
    "constant",
    "step",
    "batch_size",
    "uniform",
    "iota",
    "add",
    "select",
    "cast",
    "sum",
    "contract",
    "broadcast",
    "reshape",
    "transpose",
    "concat",
    "gather",
    "min(",
    "rows",
    "control",
    "arena",
    "scratch",
    "output",
    "load",
    "store",
    "index",
    "vector",
    "parallel",
    "over",
    "by",
    "run",
    "loop",
    "if",
    "else",
    "copy",
    "barrier",
    "scalar",
    "batch",
    "call",
    "until",
    "nest",
    "product",
    "tiles",
    "kernel",
    "entry",
];

/// The text with lines or words in the place of others; `gently`: with one word that is another of its kind.
fn altered(text: &str, gently: bool, random: &mut Random) -> String {
    let mut lines: Vec<String> = text.lines().filter(|line| !line.starts_with("//")).map(str::to_owned).collect();
    for _ in 0..if gently { 1 } else { 1 + random.below(3) } {
        let (at, other) = (random.below(lines.len()), random.below(lines.len()));
        match if gently { 4 } else { random.below(8) } {
            0 => lines.swap(at, other),
            1 => drop(lines.remove(at)),
            2 => lines.insert(at, lines[other].clone()),
            3 => {
                let letters: Vec<char> = lines[at].chars().collect();
                lines[at] = letters[..random.below(letters.len() + 1)].iter().collect();
            }
            _ => {
                let mut words = words(&lines[at]);
                let elsewhere = self::words(&lines[other]);
                let kind = |word: &str| word.chars().next().map(|first| (first.is_ascii_digit(), first.is_alphabetic(), first));
                let own: Vec<usize> = (0..words.len()).filter(|word| words[*word] != " ").collect();
                if !own.is_empty() {
                    let place = own[random.below(own.len())];
                    let alike = |word: &&str| {
                        let (new, old) = (kind(word), kind(&words[place]));
                        new == old || new.zip(old).is_some_and(|(new, old)| (new.0, new.1) == (old.0, old.1) && (old.0 || old.1))
                    };
                    let known: Vec<&str> = elsewhere.iter().map(String::as_str).chain(WORDS.iter().copied()).collect();
                    let choice: Vec<&str> = known.iter().copied().filter(|word| !gently || alike(word)).collect();
                    if !choice.is_empty() {
                        words[place] = (*random.pick(&choice)).to_owned();
                    }
                }
                lines[at] = words.concat();
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

/// Names and numbers whole, every other letter for itself.
fn words(line: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '%' | '@' | '$' | '.');
    let mut words: Vec<String> = Vec::new();
    for letter in line.chars() {
        match words.last_mut().filter(|word| is_part(letter) && letter != '%' && word.ends_with(is_part)) {
            Some(word) => word.push(letter),
            None => words.push(letter.into()),
        }
    }
    words
}

/// Whatever can be asked of a text; the error where it cannot be read.
fn tried(text: &str) -> Result<(), String> {
    match read(text)? {
        Staged::Graph(graph) => tried_graph(&graph),
        Staged::Loops(program) => tried_loops(&program),
    }
    Ok(())
}

fn inputs(batch: usize) -> run::Inputs {
    run::Inputs { given: [("x".to_owned(), vec![0.5])].into(), batch, seed: 7 }
}

fn tried_graph(graph: &Graph) {
    graph::text::print(graph, true);
    for (lines, batch) in [(None, 0), (Some(0), 3), (Some(usize::MAX), usize::MAX)] {
        let picture = draw::picture(graph, draw::Options { lines, batch, folded: batch == 3 });
        draw::svg::svg(&picture);
        draw::dot::dot(&picture);
    }
    // A pass may refuse a graph; what it must not do is fall over it.
    let _ = rewrite(graph, passes::STEP, &Context { validate: true, ..Context::new() });
    for batch in [0, 3, usize::MAX] {
        if let Ok(results) = run::graph(graph, &inputs(batch)) {
            run::print(&results);
        }
    }
}

fn tried_loops(program: &Program) {
    let _ = loops::text::parse(&loops::text::print(program, None));
    for capacity in [i64::MIN, 0, 1, 3, 4096, i64::MAX] {
        let _ = loops::verify::verify(program, capacity);
    }
    for entry in ["step", "initialize", "predict", ""] {
        for batch in [0, 3, usize::MAX] {
            if let Ok(results) = run::loops(program, entry, &inputs(batch)) {
                run::print(&results);
            }
        }
    }
}

#[test]
fn altered_stages_do_no_harm() {
    let turns: usize = std::env::var("TURNS").ok().and_then(|turns| turns.parse().ok()).unwrap_or(250);
    for (text, seed) in texts().iter().zip(3..) {
        assert_eq!(tried(text), Ok(()));
        let mut random = Random(seed);
        for _ in 0..turns {
            let gently = random.below(4) > 0;
            if let Err(why) = tried(&altered(text, gently, &mut random)) {
                assert!(why.len() > 8, "{why}");
            }
        }
    }
}

#[test]
fn truncated_stages_do_no_harm() {
    for text in texts() {
        let ends: Vec<usize> = text.char_indices().map(|(end, _)| end).collect();
        for end in ends.iter().step_by(ends.len() / 60 + 1) {
            let _ = tried(&text[..*end]);
        }
    }
}

#[test]
fn graphs_that_go_beyond_every_number_are_refused() {
    for (lines, words) in [
        ("%0 = input \"x\" : f32[n, 18446744073709551615]", "too many values"),
        ("%0 = input \"x\" : f32[18446744073709551616]", "no type"),
        ("%0 = input \"x\" : f32[4294967296, 4294967296]", "too many values"),
        ("%0 = input \"x\" : f32[0, 4294967296, 4294967296]", "too many values"),
        ("%0 = input \"x\" : f32[n, n]", "batch on two axes"),
        ("%0 = input \"x\" : class(4294967296)[n]", "no type"),
        ("%1 = input \"x\" : f32[]", "expected %0"),
        ("%99999999999 = input \"x\" : f32[]", "no node"),
        ("%0 = add %0, %0 : f32[]", "before it is made"),
        ("%0 = add %7, %4294967295 : f32[]", "before it is made"),
        ("update %0 = %0", "does not exist"),
        ("output \"x\" = %4294967295", "does not exist"),
        ("%0 = parameter \"p\" : f32[2]\nupdate %9 = %0", "does not exist"),
        ("%0 = input \"x\" : f32[2]\n%1 = pad %0 pad 0 18446744073709551615 1 : f32[2]", "cannot pad"),
        ("%0 = input \"x\" : f32[2]\n%1 = slice %0 slice 9 0 1 : f32[1]", "cannot take"),
        ("%0 = input \"x\" : f32[2]\n%1 = slice %0 slice 0 2 1 : f32[1]", "cannot take"),
        ("%0 = input \"x\" : f32[2]\n%1 = sum %0 {18446744073709551615} : f32[]", "cannot reduce"),
        ("%0 = input \"x\" : f32[2]\n%1 = transpose %0 {1} : f32[2]", "permutation"),
        ("%0 = input \"x\" : f32[2]\n%1 = broadcast %0 {9} : f32[2, 2]", "laid on axes"),
        ("%0 = input \"x\" : f32[2]\n%1 = concat %0 axis 18446744073709551615 : f32[2]", "joined"),
        ("%0 = uniform stream 4294967295 : f32[n]", "no stream"),
        ("%0 = iota axis 3 : i32[n]", ""),
        ("%0 = constant 1 2 : f32[]", "cannot be read"),
        ("%0 = nothing : f32[]", "no primitive"),
        ("%0 = ", ""),
    ] {
        let why = tried(&format!("graph G\n{lines}\n")).expect_err(lines);
        assert!(why.contains(words) && why.contains(['%', 'l']), "{lines}: {why}");
    }
    let labels: Vec<String> = (0..300).map(|label| format!("l{label}")).collect();
    let sides = labels.join(" ");
    let ones = vec!["1"; 300].join(", ");
    let many =
        format!("graph G\n%0 = input \"x\" : f32[{ones}]\n%1 = contract %0, %0 [{sides}, {sides} -> {sides}] : f32[{ones}]\n");
    assert!(tried(&many).is_err_and(|why| why.contains("line 3") && why.contains("contraction")));
}

#[test]
fn large_texts_are_read_in_time() {
    let many: String =
        (0..60_000).map(|node| format!("%{node} = constant {node} : f64[] ; l{node} @ a.net:{node}:1\n")).collect();
    assert_eq!(tried_reading(&format!("graph G\n{many}")), Ok(()));
    let long = "x".repeat(1_000_000);
    assert_eq!(
        tried(&format!("graph {long}\n%0 = input \"{long}\" : f32[n, 2] ; {long} @ {long}\noutput \"{long}\" = %0\n")),
        Ok(())
    );
    let deep: String = (0..10_000).map(|depth| format!("{}entry \"a\"\n", " ".repeat(depth.min(300)))).collect();
    assert!(tried(&format!("program \"p\"\n{deep}")).is_err());
    let nested: String = (1..1000).map(|depth| format!("{}if $0\n", " ".repeat(depth))).collect();
    let why = tried(&format!("program \"p\"\n  slot $0 s : i32\nentry \"a\"\n{nested}")).expect_err("it is too deep");
    assert!(why.contains("nested too deeply"), "{why}");
}

fn tried_reading(text: &str) -> Result<(), String> {
    read(text).map(|_| ())
}

#[test]
fn programs_that_ask_for_too_much_are_refused() {
    let program = |words: &str, kernel: &str| {
        format!("program \"p\"\n  buffer @0 a : f32[{words}] output 0\n  buffer @1 control : f64[1] control\n{kernel}")
    };
    let nest = |axes: &str, place: &str| {
        format!("kernel 0 \"k\" vars 2\n  nest \"n\" for {axes}\n    %0 = f32 1\n    store a[{place}] = %0\n")
    };
    let run = |text: &str, batch| match read(text).expect("it can be read") {
        Staged::Loops(program) => run::loops(&program, "step", &inputs(batch)).map(|_| ()),
        Staged::Graph(_) => Ok(()),
    };
    for (words, kernel, why) in [
        ("1099511627776", String::new(), "words of memory"),
        ("9223372036854775807n", String::new(), "words of memory"),
        ("8", nest("i0 < 1099511627776", "0"), "turns of loops"),
        ("8", nest("i0 < 4611686018427387904, i1 < 4611686018427387904", "0"), "turns of loops"),
        ("8", nest("i0 < 9", "i0"), "8 words"),
        (
            "8",
            nest("i0 < 9223372036854775807, i1 < 9223372036854775807", "9223372036854775807*i0 + 9223372036854775807*i1"),
            "8 words",
        ),
        ("8", nest("i0 < 3", "9223372036854775807n*i0"), "8 words"),
        ("8", nest("i0 < 3", "-9223372036854775808*i0"), "down to"),
        ("8", "kernel 0 \"k\" vars 1\n  nest \"n\" for i0 < 2\n    store a[i0] = %7\n".into(), "not defined"),
        ("8", "kernel 0 \"k\" parallel t0 over 9223372036854775807 by 0, vars 1\n".into(), "tiles of 0"),
        ("8", "entry \"step\"\n  run 7\n".into(), "no kernel 7"),
        ("8", "entry \"step\"\n  copy @7 -> @9\n".into(), "no buffer"),
    ] {
        let text = program(words, &kernel);
        let found = run(&text, 3).expect_err(&text);
        assert!(found.contains(why) || kernel.is_empty(), "{text}{found}");
        let _ = tried(&text);
    }
    let why = tried(&program("8", "kernel 0 \"k\" vars 4294967295\n")).expect_err("there are none so large");
    assert!(why.contains("line 4") && why.contains("loop variables"), "{why}");
    assert!(run(&program("8n", &nest("i0 < 8n", "i0")), usize::MAX).is_err());
    assert!(run(&program("8n", &nest("i0 < 8n", "i0")), 1).is_err_and(|why| !why.contains("8 words")), "`x` is unknown there");
}
