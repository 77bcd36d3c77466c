//! What `network!` costs rustc: both elaborations of networks of growing depth, in the profile that this is run in.
//!
//! `cargo run -p gradc-compiler --example macro_cost` measures the macro as cargo builds it for a debug build.

use gradc_compiler::base::place::Source;
use gradc_compiler::language::ast::Item;
use gradc_compiler::language::elaborate::{Elaboration, elaborate};
use gradc_compiler::language::parse::parse_text;
use gradc_compiler::summary::summary;
use std::time::Instant;

fn main() {
    println!("layers  milliseconds  a layer");
    for layers in [25, 50, 100, 200, 400] {
        let times = (0..5).map(|_| milliseconds(layers));
        let best = times.fold(f64::INFINITY, f64::min);
        println!("{layers:6}  {best:12.1}  {:7.3}", best / f64::from(layers));
    }
}

fn milliseconds(layers: u32) -> f64 {
    let written: String =
        (0..layers).map(|layer| format!("let h{} = h{layer}.dense(64).batch_norm().relu();\n", layer + 1)).collect();
    let text = format!(
        "Net {{ input x: [batch, 64]; target t: class(10); let h0 = x;\n{written} let y = h{layers}.dense(10); predict y;
         minimize y.cross_entropy(t) + l2(1e-4); using adam(1e-3); }}"
    );
    let start = Instant::now();
    let source = Source::new("net.rs", &text);
    let (file, mistakes) = parse_text(&source);
    assert!(mistakes.is_empty());
    let Some(Item::Network(network)) = file.items.first() else { return f64::NAN };
    let [training, evaluation] = [true, false].map(|training| {
        let (built, mistakes) = elaborate(&file, network, &source, &Elaboration { training, ..Elaboration::default() });
        assert!(mistakes.is_empty());
        built
    });
    assert!(!summary(&training, &evaluation).is_empty());
    1e3 * start.elapsed().as_secs_f64()
}
