//! Trajectories of the 5-7-3 network under every optimizer, clip and penalty.

use super::golden::*;
use crate::nn::parameters::{Setting, State};
use crate::nn::{Call, Network};
use crate::ops::Array;
use crate::step;
use serde_json::Value;

const RENAMED: &[(&str, &str)] =
    &[("w1", "hidden.dense.weight"), ("b1", "hidden.dense.bias"), ("w2", "logits.dense.weight"), ("b2", "logits.dense.bias")];
/// Arguments of a case that are no arguments of the optimizer.
const BESIDE: &[&str] = &["clip_value", "clip_norm", "clip_global_norm", "l1", "l2", "l1_proximal", "on"];

pub fn network(x: &Array, y: &Array, case: &Value) -> Result<Network, crate::nn::Fault> {
    let mut net = Network::new("Golden", true);
    let input = input(&mut net, "x", x);
    let label = class_target(&mut net, "y", 3, y);
    net.enter("hidden");
    let hidden = net.call("dense", input, &Call::new("dense").with(7.0))?;
    let hidden = net.call("tanh", hidden, &Call::new("tanh"))?;
    net.leave();
    net.enter("logits");
    let logits = net.call("dense", hidden, &Call::new("dense").with(3.0))?;
    net.leave();
    net.enter("minimize");
    let loss = net.call("cross_entropy", logits, &Call::new("cross_entropy").with(label))?;
    net.minimize(loss)?;
    let args = &case["args"];
    for (name, penalty) in [("l2", "l2"), ("l1", "l1"), ("l1_proximal", "l1")] {
        if let Some(strength) = args[name].as_f64() {
            net.penalize(&Call::new(penalty).with(strength).set("proximal", true).kept(name == "l1_proximal", "proximal"))?;
        }
    }
    let clips: Vec<Call> = ["clip_value", "clip_norm", "clip_global_norm"]
        .into_iter()
        .filter_map(|clip| args[clip].as_f64().map(|limit| Call::new(clip).with(limit)))
        .collect();
    let mut call = call(case["name"].as_str().unwrap_or_default(), args, BESIDE);
    let source = case["source"].as_str().unwrap_or_default();
    if source != "formula" && call.name != "sgd" {
        call = call.set("semantics", source);
    }
    net.using(&call, &clips)?;
    Ok(net)
}

impl Call {
    /// Without an argument unless `keep`.
    fn kept(mut self, keep: bool, name: &str) -> Self {
        self.arguments.retain(|(known, _)| keep || known != name);
        self
    }
}

pub fn put_settings(sources: &mut Values, settings: &[Setting]) {
    for setting in settings {
        sources.insert(setting.name.clone(), Array::scalar(setting.value));
    }
}

pub fn put_states(sources: &mut Values, states: &[State]) {
    for state in states {
        sources.insert(state.name.clone(), Array::filled(state.ty.shape.at(0), state.initial));
    }
}

#[test]
fn trajectories_agree_with_frameworks() {
    let all = cases("optimizers");
    let (x, y) = (array(&all[0]["data"]["x"]), array(&all[0]["data"]["y"]));
    for case in &all {
        let title = title("optimizers", case);
        let net = network(&x, &y, case).unwrap_or_else(|fault| panic!("{title}: {fault}"));
        let step = step::training_step(&net).unwrap_or_else(|fault| panic!("{title}: {fault}"));
        crate::graph::verify::verify(&step.graph).unwrap_or_else(|why| panic!("{title}: {why}"));
        let mut sources = Values::from([("x".to_string(), x.clone()), ("y".to_string(), y.clone())]);
        put_settings(&mut sources, &net.settings);
        put_states(&mut sources, &step.states);
        let snapshots = case["parameters"].as_object().expect("snapshots");
        for (theirs, ours) in RENAMED {
            sources.insert(ours.to_string(), array(&snapshots["0"][theirs]));
        }
        let losses: Vec<f64> = array_of(&case["losses"]);
        for (index, expected) in losses.iter().enumerate() {
            let outputs = advance(&step.graph, &mut sources, x.dims[0], index as u64 + 1);
            // Penalised cases record the total.
            let loss = outputs.get("total").unwrap_or(&outputs["loss"]).data[0];
            close(&title, &format!("loss of step {}", index + 1), &[loss], &[*expected]);
            if let Some(snapshot) = snapshots.get(&(index + 1).to_string()) {
                for (theirs, ours) in RENAMED {
                    let what = format!("{ours} after step {}", index + 1);
                    close(&title, &what, &sources[*ours].data, &array(&snapshot[theirs]).data);
                }
            }
        }
    }
}

pub fn array_of(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(|value| value.as_f64().expect("a number")).collect()
}
