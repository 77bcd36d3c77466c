//! smoke2
use gradc_compiler::ops::{Array, Environment};
use gradc_runtime::model::{Model, Options};
#[path = "smoke.rs"]
#[allow(dead_code)]
mod smoke;
fn main() {
    let front = gradc_compiler::driver::front(&smoke::build(true), &smoke::build(false), String::new(), None).map_err(|e| e.to_string()).unwrap();
    let graph = front.graphs.training.clone().unwrap();
    let info = front.info.clone();
    let gradient = front.gradient.clone();
    let mut m = Model::compile(front, &Options::default()).unwrap();
    let data = gradc_runtime::data::digits().unwrap().take(20);
    let mut env = Environment { batch: data.rows(), step: 1, seed: 0, ..Environment::default() };
    let pix = match &data.column("pixels").unwrap().values { gradc_runtime::data::Values::F32(v) => v.clone(), _ => panic!() };
    let dig = match &data.column("digit").unwrap().values { gradc_runtime::data::Values::U32(v) => v.clone(), _ => panic!() };
    env.sources.insert("pixels".into(), Array::new(vec![20, 64], pix.iter().map(|x| *x as f64).collect()));
    env.sources.insert("digit".into(), Array::new(vec![20], dig.iter().map(|x| *x as f64).collect()));
    for s in &info.settings { env.sources.insert(s.name.clone(), Array::scalar(s.value)); println!("setting {} {}", s.name, s.value); }
    let _ = m.evaluate(&data);
    for round in 0..3 {
        env.step = round + 1;
        if round == 0 { let names: Vec<(String, Vec<usize>)> = info.parameters.iter().map(|p| (p.name.clone(), p.shape.clone())).chain(info.states.iter().map(|p| (p.name.clone(), p.shape.clone()))).collect();
        // measure scalers first
        for (name, shape) in &names { let v = m.parameter(name).unwrap(); println!("{name} {shape:?} first {:?} rms {}", &v[..v.len().min(3)], (v.iter().map(|x| x*x).sum::<f32>()/v.len() as f32).sqrt()); env.sources.insert(name.clone(), Array::new(shape.clone(), v.iter().map(|x| *x as f64).collect())); }
        }
        let loss = m.step(&data).unwrap();
        if round == 0 { for s in &info.scalers { for n in [&s.shift, &s.scale] { let v = m.parameter(n).unwrap(); env.sources.insert(n.clone(), Array::new(vec![v.len()], v.iter().map(|x| *x as f64).collect())); } } }
        let (out, upd) = gradc_compiler::reference::run(&graph, &env);
        let (out2, _) = gradc_compiler::reference::run(&gradient, &env);
        println!("loss native {loss} reference {:?} unsimplified {:?}", out["loss"].data, out2["loss"].data);
        for (name, a) in &upd {
            let v = m.parameter(name).unwrap();
            let worst = v.iter().zip(&a.data).map(|(x, y)| (f64::from(*x) - y).abs() / (1e-6 + y.abs())).fold(0.0, f64::max);
            println!("  {name:40} worst relative {worst:.2e}  native {:?} reference {:?}", &v[..v.len().min(2)], &a.data[..a.data.len().min(2)]);
            env.sources.insert(name.clone(), a.clone());
        }
    }
    m.dump("/tmp/dump").unwrap();
}
