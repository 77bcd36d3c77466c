//! Nothing that can be written harms the process or takes long.

use super::{DIGITS, parse};
use crate::language::parse::{MAX_ERRORS, MAX_HEIGHT, MAX_NESTING};
use crate::language::print;

/// Runs with a small stack, so that recursion shows.
fn on_small_stack(check: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(check);
    let outcome = thread.map(std::thread::JoinHandle::join);
    assert!(matches!(outcome, Ok(Ok(()))));
}

fn codes(text: &str) -> Vec<&'static str> {
    parse(text).1.iter().map(|mistake| mistake.code).collect()
}

#[test]
fn deep_nesting_is_a_mistake() {
    on_small_stack(|| {
        for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("if training {", "} else {x}")] {
            let text = |depth: usize| {
                let (open, close) = (open.repeat(depth), close.repeat(depth));
                format!("Net {{ let y = {open}x{close}; }}")
            };
            assert_eq!(codes(&text(MAX_NESTING - 1)), [""; 0]);
            assert_eq!(codes(&text(MAX_NESTING)), ["E0103"]);
            assert_eq!(codes(&text(100_000)), ["E0103"]);
        }
        let loops = "for i in 0..1 {".repeat(100_000) + &"}".repeat(100_000);
        assert_eq!(codes(&format!("Net {{ {loops} }}")), ["E0103"]);
    });
}

#[test]
fn long_chains_are_a_mistake() {
    on_small_stack(|| {
        for (link, end) in [("-", "x"), ("x + ", "x"), ("x * ", "x")] {
            let text = |length: usize| format!("Net {{ let y = {}{end}; }}", link.repeat(length));
            assert_eq!(codes(&text(MAX_HEIGHT - 1)), [""; 0]);
            assert_eq!(codes(&text(100_000)), ["E0103"]);
        }
        for link in [".f()", ".f", ".f(x)"] {
            let text = |length: usize| format!("Net {{ let y = x{}; }}", link.repeat(length));
            assert_eq!(codes(&text(MAX_HEIGHT / 2)), [""; 0]);
            assert_eq!(codes(&text(100_000)), ["E0103"]);
        }
        // Chains within brackets within chains.
        let mut nested = "x".to_owned();
        for _ in 0..MAX_NESTING - 2 {
            nested = format!("({nested}){}", ".f()".repeat(100));
        }
        assert!(!codes(&format!("Net {{ let y = {nested}; }}")).is_empty());
    });
}

#[test]
fn the_highest_tree_prints_on_a_small_stack() {
    on_small_stack(|| {
        let depth = MAX_NESTING - 1;
        let text = format!("Net {{ let y = {}x{}; }}", "-f(".repeat(depth), ")".repeat(depth));
        let (file, mistakes) = parse(&text);
        assert!(mistakes.is_empty());
        let printed = print::file(&file);
        assert_eq!(print::file(&parse(&printed).0), printed);
    });
}

#[test]
fn huge_numbers_and_many_mistakes_end_early() {
    let digits = "9".repeat(1_000_000);
    for number in [digits.clone(), format!("0x{digits}"), format!("h.{digits}")] {
        assert_eq!(codes(&format!("Net {{ let y = {number}; }}")).len(), 1);
    }
    assert_eq!(codes(&format!("Net {{ {} }}", "= ;".repeat(50_000))).len(), MAX_ERRORS + 1);
    assert!(codes(&"§".repeat(100_000)).len() <= MAX_ERRORS + 1);
}

/// Multiplicative congruential generator of Steele and Vigna (2021), high bits.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0xd130_2b97_0f1f_3a6d).wrapping_add(1);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// Words and symbols of all forms, and some of none.
const PIECES: [&str; 60] = [
    "input",
    "target",
    "parameter",
    "setting",
    "const",
    "let",
    "mut",
    "layer",
    "for",
    "in",
    "if",
    "training",
    "else",
    "predict",
    "minimize",
    "using",
    "report",
    "allow",
    "fn",
    "optimizer",
    "state",
    "at",
    "pub",
    "crate",
    "where",
    "batch",
    "class",
    "f32",
    "x",
    "dense",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    ";",
    ":",
    "::",
    "..",
    "..=",
    "=",
    "==",
    "<",
    "<=",
    "+",
    "-",
    "*",
    "/",
    "#",
    "!",
    "1",
    "2.5",
    "1e-3",
    "\"s\"",
    "'a",
    "/// d\n",
    "§",
];

#[test]
fn random_mutations_are_read_without_harm() {
    let everything = format!(
        "{DIGITS}\nfn f(x, w = 3) {{ let y = x.dense(w); if training {{ y }} else {{ x }} }}\n\
         optimizer o(rate) {{ at theta; state m = zeros; theta = theta - rate * m; }}\n\
         Net {{ input x: class(3)[batch]; let mut h = x; for i in 0..3 {{ h = h.dense({{W}}); }} \
         layer e = dense(3); if training {{ h = e(h); }} allow(some); predict a = h, b = -h * (h + 1); }}"
    );
    let tokens: Vec<&str> = everything.split_inclusive([' ', '(', ')', ';', '.', ',']).collect();
    let mut random = Random(7);
    for _ in 0..4_000 {
        let mut mutant = tokens.clone();
        for _ in 0..1 + random.below(6) {
            let at = random.below(mutant.len());
            let piece = PIECES[random.below(PIECES.len())];
            match random.below(4) {
                0 => mutant[at] = piece,
                1 => mutant.insert(at, piece),
                2 => {
                    mutant.remove(at);
                }
                _ => {
                    let other = random.below(mutant.len());
                    mutant.swap(at, other);
                }
            }
        }
        let text = mutant.concat();
        let (file, mistakes) = parse(&text);
        if !mistakes.has_errors() {
            let printed = print::file(&file);
            let (again, mistakes) = parse(&printed);
            assert!(mistakes.is_empty(), "{text}\n---\n{printed}");
            assert_eq!(print::file(&again), printed, "{text}");
        }
    }
}

#[test]
fn random_soup_is_read_without_harm() {
    let mut random = Random(11);
    for _ in 0..4_000 {
        let length = random.below(60);
        let soup: Vec<&str> = (0..length).map(|_| PIECES[random.below(PIECES.len())]).collect();
        let (file, mistakes) = parse(&soup.join(" "));
        assert!(mistakes.has_errors() || file.rust.is_empty() || !file.items.is_empty());
        let (file, mistakes) = parse(&format!("Net {{ {} }}", soup.join(" ")));
        if !mistakes.has_errors() {
            let printed = print::file(&file);
            assert_eq!(print::file(&parse(&printed).0), printed);
        }
    }
}
