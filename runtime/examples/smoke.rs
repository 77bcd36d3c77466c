//! smoke
use gradc_compiler::graph::{Element, Shape, Type, Dim};
use gradc_compiler::nn::{Argument, Call, Network};
use gradc_runtime::model::{Model, Options};
pub fn build(training: bool) -> Network {
    let mut n = Network::new("Digits", training);
    let x = n.input("pixels", Type::f32(Shape::batch(&[64])), "d:1:1").unwrap();
    let y = n.target("digit", Type { element: Element::Class(10), shape: Shape(vec![Dim::Batch]) }, "d:2:1").unwrap();
    let c = |name: &str, a: &[(&str, f64)]| { let mut c = Call::new(name); for (k, v) in a { c.arguments.push((k.to_string(), Argument::Number(*v))); } c };
    n.enter("x");
    let x = n.call("standardize", x, &c("standardize", &[])).unwrap_or_else(|e| { println!("{e}"); x });
    n.leave();
    n.enter("hidden");
    let mut h = n.call("dense", x, &c("dense", &[("width", 128.0)])).unwrap();
    h = n.call("batch_norm", h, &c("batch_norm", &[])).unwrap();
    h = n.call("relu", h, &c("relu", &[])).unwrap();
    h = n.call("dropout", h, &c("dropout", &[("rate", 0.2)])).unwrap();
    n.leave();
    n.enter("logits");
    let l = n.call("dense", h, &c("dense", &[("width", 10.0)])).unwrap();
    n.leave();
    let mut ce = Call::new("cross_entropy");
    ce.arguments.push(("y".into(), Argument::Tensor(y)));
    let p = n.call("softmax", l, &c("softmax", &[])).unwrap();
    n.predict("predict", p).unwrap();
    let loss = n.call("cross_entropy", l, &ce).unwrap();
    n.minimize(loss).unwrap();
    n.penalize(&c("l2", &[("strength", 1e-4)])).unwrap();
    let acc = { let mut a = Call::new("accuracy"); a.arguments.push(("y".into(), Argument::Tensor(y))); n.call("accuracy", l, &a).unwrap() };
    n.report("accuracy", acc).unwrap();
    n.using(&c("adam", &[("rate", 1e-3)]), &[c("clip_global_norm", &[("limit", 1.0)])]).unwrap();
    n
}
fn main() {
    let t = std::time::Instant::now();
    let front = gradc_compiler::driver::front(&build(true), &build(false), String::new(), None).map_err(|e| e.to_string()).unwrap();
    println!("front {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let mut m = Model::compile(front, &Options::default()).unwrap();
    println!("compile {:?} {:?}", t.elapsed(), m.compile_times());
    let [train, valid, test] = gradc_runtime::data::digits().unwrap().shuffled(7).split([0.7, 0.15, 0.15]).unwrap();
    let threads: usize = std::env::args().nth(1).map_or(1, |a| a.parse().unwrap());
    let h = m.fit(&train).validate(&valid).batch(64).epochs(60).patience(8).threads(threads).run().unwrap();
    println!("{} {:?} {}", h.line(), h.elapsed, h.samples_per_second);
    println!("test {:?}", m.evaluate(&test).unwrap());
    let w = m.parameter("hidden.dense.weight").unwrap();
    println!("sum {:?}", w.iter().map(|x| f64::from(*x)).sum::<f64>());
}
