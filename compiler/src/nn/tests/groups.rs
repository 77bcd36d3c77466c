//! Layers that learn at rates of their own, not at all, or under penalties of their own: one step against the same step without.

use super::trial::{Values, advance, beginning, elaborated, initial, training_step};
use crate::ops::Array;

/// How far each parameter of a network moves in its first step, on the same batch from the same first values.
fn moved(layer: &str, minimize: &str, using: &str) -> Values {
    let text = format!(
        "Net {{ input x: [batch, 6]; target t: class(3); let low = x.dense(5{layer}).tanh(); let high = low.dense(3); \
         minimize high.cross_entropy(t){minimize}; using {using}; }}"
    );
    let network = elaborated(&text).training;
    let step = training_step(&network);
    let mut sources = beginning(&network, &step);
    let first = initial(&network, 3);
    sources.extend(first.clone());
    let wave = |count: usize| (0..count).map(|index| (index as f64 * 1.7).sin()).collect();
    sources.insert("x".into(), Array::new(vec![4, 6], wave(24)));
    sources.insert("t".into(), Array::new(vec![4], vec![0.0, 2.0, 1.0, 2.0]));
    advance(&step.graph, &mut sources, 4, 1);
    let difference = |name: &String, before: &Array| {
        let data = sources[name].data.iter().zip(&before.data).map(|(after, before)| after - before).collect();
        (name.clone(), Array::new(before.dims.clone(), data))
    };
    let mut moved: Values = first.iter().map(|(name, before)| difference(name, before)).collect();
    moved.extend(first.into_iter().map(|(name, before)| (format!("{name} before"), before)));
    moved
}

fn close(found: &[f64], expected: impl Iterator<Item = f64>, what: &str) {
    let expected: Vec<f64> = expected.collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-14, "{what}: {found} should be {expected}");
    }
}

const LOW: [&str; 2] = ["low.dense.weight", "low.dense.bias"];
const HIGH: [&str; 2] = ["high.dense.weight", "high.dense.bias"];

#[test]
fn a_rate_factor_multiplies_the_rate_of_its_layer_alone() {
    for using in ["sgd(0.1)", "momentum(0.1)", "nesterov(0.1)", "adam(0.1)", "adamw(0.1)", "lion(0.1)"] {
        let (plain, slow) = (moved("", "", using), moved(", rate_factor = 0.25", "", using));
        for name in LOW {
            close(&slow[name].data, plain[name].data.iter().map(|step| step * 0.25), &format!("{using} {name}"));
        }
        for name in HIGH {
            assert_eq!(slow[name], plain[name], "{using} {name}");
        }
    }
}

#[test]
fn a_frozen_layer_stays_where_it_is() {
    for (minimize, using) in
        [("", "adam(0.1)"), (" + l2(0.1)", "sgd(0.1)"), (" + l1(0.1, proximal = true)", "sgd(0.1)"), ("", "adamw(0.1)")]
    {
        let frozen = moved(", frozen = true", minimize, using);
        for name in LOW {
            assert!(frozen[name].data.iter().all(|step| *step == 0.0), "{using} {name}");
        }
        assert!(frozen[HIGH[0]].data.iter().all(|step| *step != 0.0), "{using}");
    }
}

#[test]
fn a_layers_penalty_replaces_the_networks() {
    let plain = moved("", "", "sgd(0.5)");
    let all = moved("", " + l2(0.01)", "sgd(0.5)");
    let own = moved(", penalty = l1(0.02)", " + l2(0.01)", "sgd(0.5)");
    let none = moved(", penalty = none", " + l2(0.01)", "sgd(0.5)");
    let before = |name: &str| plain[&format!("{name} before")].data.clone();
    let with = |name: &str, pull: fn(f64) -> f64| {
        let steps = plain[name].data.iter().zip(before(name)).map(|(step, theta)| step - 0.5 * pull(theta));
        steps.collect::<Vec<f64>>().into_iter()
    };
    close(&all[LOW[0]].data, with(LOW[0], |theta| 2.0 * 0.01 * theta), "l2 of the network");
    close(&own[LOW[0]].data, with(LOW[0], |theta| 0.02 * theta.signum()), "l1 of the layer");
    assert_eq!(none[LOW[0]], plain[LOW[0]], "none");
    for one in [&all, &own, &none] {
        close(&one[HIGH[0]].data, with(HIGH[0], |theta| 2.0 * 0.01 * theta), "l2 on the other layer");
        // Biases are under no penalty unless told.
        assert_eq!((&one[LOW[1]], &one[HIGH[1]]), (&plain[LOW[1]], &plain[HIGH[1]]));
    }
}

#[test]
fn a_proximal_penalty_shrinks_by_the_layers_own_rate() {
    let minimize = " + l1(0.3, proximal = true)";
    let (plain, shrunk) = (moved(", rate_factor = 0.5", "", "sgd(0.5)"), moved(", rate_factor = 0.5", minimize, "sgd(0.5)"));
    for (name, rate) in [(LOW[0], 0.25), (HIGH[0], 0.5)] {
        let before = &plain[&format!("{name} before")].data;
        let expected = plain[name].data.iter().zip(before).map(|(step, before)| {
            let after = before + step;
            after.signum() * (after.abs() - rate * 0.3).max(0.0) - before
        });
        close(&shrunk[name].data, expected, name);
    }
}

/// A parameter of one's own is a weight, whatever its shape; a group says otherwise.
#[test]
fn penalties_and_decay_act_on_parameters_of_ones_own() {
    let after = |minimize: &str, using: &str| {
        let text = format!(
            "Net {{ input x: [batch, 2]; parameter t: [2] = 0.5; parameter u: [2, 1] = 0.5; \
             let y = (x * t).matmul(u).prelu().dense(1, init = ones); predict y; minimize y.mean(){minimize}; using {using}; }}"
        );
        let network = elaborated(&text).training;
        let step = training_step(&network);
        let mut sources = beginning(&network, &step);
        sources.extend(initial(&network, 1));
        sources.insert("x".into(), Array::new(vec![1, 2], vec![1.0, 2.0]));
        advance(&step.graph, &mut sources, 1, 1);
        sources
    };
    let (plain, group) = (after("", "sgd(0.5)"), "sgd(0.5).group(\"t\", penalty = l2(0.3)).group(\"u\", penalty = none)");
    let (all, own) = (after(" + l2(0.1)", "sgd(0.5)"), after(" + l1(0.1)", group));
    let (still, decayed) = (after("", "adamw(0.5, weight_decay = 0)"), after("", "adamw(0.5, weight_decay = 0.2)"));
    for name in ["t", "u"] {
        close(&all[name].data, plain[name].data.iter().map(|theta| theta - 0.5 * 2.0 * 0.1 * 0.5), name);
        close(&decayed[name].data, still[name].data.iter().map(|theta| theta - 0.5 * 0.2 * 0.5), name);
    }
    close(&own["t"].data, plain["t"].data.iter().map(|theta| theta - 0.5 * 2.0 * 0.3 * 0.5), "l2 of the group");
    assert_eq!(own["u"], plain["u"]);
    // The slope is none, nor is a bias.
    for name in ["y.prelu.slope", "y.dense.bias"] {
        assert_eq!((&all[name], &own[name]), (&plain[name], &plain[name]), "{name}");
    }
}

#[test]
fn a_group_has_a_rate_and_a_decay_of_its_own() {
    let plain = moved("", "", "adam(0.1)");
    let decayed = moved("", "", "adamw(0.1, weight_decay = 0.2)");
    let grouped = moved("", "", "adamw(0.1, weight_decay = 0.2).group(\"low.*\", rate_factor = 0.5, weight_decay = 0)");
    for name in LOW {
        close(&grouped[name].data, plain[name].data.iter().map(|step| step * 0.5), name);
    }
    for name in HIGH {
        assert_eq!(grouped[name], decayed[name], "{name}");
    }
    // A decay where the optimizer has none, and the last group counts.
    let using = "adamw(0.1, weight_decay = 0).clip_norm(9).group(\"*\", weight_decay = 7).group(\"*weight\", weight_decay = 0.2)\
                 .group(\"*bias\", weight_decay = 0.2)";
    let grouped = moved("", "", using);
    for name in LOW.iter().chain(&HIGH) {
        close(&grouped[*name].data, decayed[*name].data.iter().copied(), name);
    }
}

#[test]
fn a_group_freezes_by_name() {
    let frozen = moved("", "", "adamw(0.1).group(\"low.*\", frozen = true)");
    let plain = moved(", frozen = true", "", "adamw(0.1)");
    assert_eq!(frozen, plain);
    // The last group that matches counts, also over what the layer says.
    let free = moved(", frozen = true", "", "sgd(0.1).group(\"*\", frozen = true).group(\"*\", frozen = false)");
    assert_eq!(free, moved("", "", "sgd(0.1)"));
}

#[test]
fn a_batch_norm_that_a_group_freezes_keeps_its_statistics() {
    let text = |layer: &str, group: &str| {
        format!(
            "Net {{ input x: [batch, 3]; let y = x.dense(4).batch_norm({layer}); minimize y.mean(); using sgd(0.1){group}; }}"
        )
    };
    let by_group = training_step(&elaborated(&text("", ".group(\"y.batch_norm.*\", frozen = true)")).training);
    let by_layer = training_step(&elaborated(&text("frozen = true", "")).training);
    assert_eq!(by_group.graph.roots, by_layer.graph.roots);
    let kinds = |graph: &crate::graph::Graph| graph.nodes.iter().map(|node| node.primitive).collect::<Vec<_>>();
    assert_eq!(kinds(&by_group.graph), kinds(&by_layer.graph));
}

/// Gradients that are NaN or overflow beside a finite loss change nothing but the count.
#[test]
fn a_step_whose_norm_is_not_finite_is_skipped_and_counted() {
    for clip in ["clip_global_norm(1, non_finite = skip)", "clip_norm(1, non_finite = skip)"] {
        // The root's derivative at 0 is infinite, and times the 0 of |a| - a behind it, NaN.
        let text = format!(
            "Net {{ input x: [batch, 2]; parameter a: [2] = ones; let h = (x * a).batch_norm(); \
             minimize h.mean() + (x * a).sum().abs().sqrt(); using adam(0.1).{clip}; }}"
        );
        let network = elaborated(&text).training;
        let step = training_step(&network);
        let mut sources = beginning(&network, &step);
        sources.extend(initial(&network, 1));
        assert_eq!(sources["skipped"].data, [0.0]);
        let good = Array::new(vec![2, 2], vec![1.0, 2.0, 3.0, -1.0]);
        let bad = Array::new(vec![2, 2], vec![0.0; 4]);
        let mut run = |x: &Array, number: u64| {
            sources.insert("x".into(), x.clone());
            let before = sources.clone();
            let loss = advance(&step.graph, &mut sources, 2, number)["loss"].data[0];
            assert!(loss.is_finite(), "{loss}");
            (before, sources.clone())
        };
        let (before, after) = run(&good, 1);
        assert_ne!(before["a"], after["a"]);
        assert_eq!(after["skipped"].data, [0.0]);
        let (mut before, after) = run(&bad, 2);
        before.insert("skipped".into(), Array::scalar(1.0));
        assert_eq!(before, after, "{clip}");
        let (before, after) = run(&good, 3);
        assert_ne!(before["a"], after["a"]);
        assert_eq!(after["skipped"].data, [1.0]);
    }
}
