//! smoke3
use gradc_compiler::base::place::Source;
use gradc_compiler::language::declaration::Declaration;
use gradc_runtime::model::{Model, Options};
fn main() {
    let file = std::env::args().nth(1).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let d = Declaration::parse(Source::new(file.as_str(), text.as_str())).map_err(|d| println!("{}", d.render(&Source::new(file.as_str(), text.as_str())))).unwrap();
    let mut o = Options::default(); o.seed = 7;
    for _ in 0..5 { let m = Model::from_declaration(&d, &o).unwrap(); println!("{:?}", m.compile_times()); }
    let mut m = Model::from_declaration(&d, &o).unwrap();
    println!("{}", m.summary());
    let [train, valid, test] = gradc_runtime::data::digits().unwrap().shuffled(7).split([0.7, 0.15, 0.15]).unwrap();
    let h = m.fit(&train).validate(&valid).batch(64).epochs(60).patience(8).threads(1).quiet().run().unwrap();
    println!("{} {:?} {}", h.line(), h.elapsed, h.samples_per_second);
    println!("test {:?}", m.evaluate(&test).unwrap());
    m.dump("/tmp/dump").unwrap();
}
