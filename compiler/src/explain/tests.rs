//! Derivations hold; nodes are found again in every stage.

use super::derivation::{TOLERANCE, derive};
use super::{Journey, lines};
use crate::stages::tests::{compiled, compiled_text};

#[test]
fn each_step_of_a_derivation_agrees_with_finite_differences() {
    for (case, parameter) in [("xor", "h.dense.weight"), ("digits", "hidden.batch_norm.gamma"), ("clipped", "first.dense.weight")]
    {
        let (front, _) = compiled(case);
        let derivation = derive(&front.gradient, parameter).unwrap();
        let (difference, node) = derivation.worst();
        assert!(difference <= TOLERANCE, "{case}: {difference} at %{}\n{}", node.0, derivation.text());
        let last = derivation.steps.last().unwrap();
        assert_eq!(derivation.graph.source_name(last.node), Some(parameter));
        assert!(last.probes.iter().any(|probe| probe.derived != 0.0), "{case}: nothing was checked");
        // Gradients have the numbers that they have in the step.
        assert!(last.gradient.index() < front.gradient.nodes.len());
    }
}

#[test]
fn what_is_behind_stop_gradient_is_not_moved() {
    let (front, _) = compiled_text(
        "straight.net",
        "Net { input x: [batch, 3]; target y: [batch, 1]; let h = x.dense(4); let q = h + stop_gradient(h.sign() - h); \
         let p = q.dense(1); minimize p.mean_squared_error(y); using sgd(0.1); }",
    );
    let derivation = derive(&front.gradient, "h.dense.weight").unwrap();
    assert!(derivation.worst().0 <= TOLERANCE, "{}", derivation.text());
}

#[test]
fn a_wrong_gradient_differs() {
    let (front, _) = compiled("xor");
    let mut derivation = derive(&front.gradient, "h.dense.weight").unwrap();
    derivation.steps.last_mut().unwrap().probes[0].derived *= 1.01;
    assert!(derivation.worst().0 > TOLERANCE);
}

#[test]
fn an_unknown_parameter_is_answered_with_the_known_ones() {
    let (front, _) = compiled("xor");
    assert!(derive(&front.gradient, "h").unwrap_err().contains("h.dense.weight"));
}

#[test]
fn a_parameter_is_one_node_in_every_stage() {
    let (front, assembled) = compiled("digits");
    let journey = Journey::new(&front).unwrap();
    let unit = assembled.unit("train").unwrap();
    let graphs = [&front.forward, &front.gradient, front.graphs.training.as_ref().unwrap(), &unit.graph];
    let name = "hidden.dense.weight";
    let [written, derived, simplified, legal] = graphs.map(|graph| graph.find_source(crate::ops::Primitive::Parameter, name));
    let all = super::Numbers { written, derived, simplified, legal };
    assert_eq!(journey.of_written(written.unwrap()), all);
    assert_eq!(journey.of_derived(derived.unwrap()), all);
    assert_eq!(journey.of_simplified(simplified.unwrap()), all);
    assert_eq!(journey.of_legal(legal.unwrap()), all);
}

#[test]
fn lines_of_loops_know_their_node() {
    let (_, assembled) = compiled("digits");
    let text = crate::loops::text::print(&assembled.program, None);
    let lines = lines::loops(&text);
    let mut inside = lines.iter().filter(|line| line.kernel.is_some() && line.text.starts_with("    "));
    assert!(inside.clone().count() > 100);
    let lost = inside.find(|line| line.node.is_none() && !line.text.trim_start().starts_with("tiles"));
    assert!(lost.is_none(), "{lost:?}");
}

#[test]
fn each_node_of_a_step_leads_to_a_line() {
    let text = "Small {
    setting fade = 1e-4;
    input  x: [batch, 4];
    target y: [batch, 3];
    let out = x.dense(8).relu().dense(3);
    minimize out.mean_squared_error(y)
        + l2(fade)
        + l1(1e-4);
    using adam(rate = 1e-3.cosine(to = 1e-5))
        .clip_global_norm(1.0, non_finite = skip)
        .clip_value(0.5);
}
";
    let (front, assembled) = compiled_text("small.net", text);
    let unit = assembled.unit("train").unwrap();
    for graph in [&front.gradient, front.graphs.training.as_ref().unwrap(), &unit.graph] {
        let lost: Vec<_> = graph.ids().filter(|id| graph.origin(*id).place.is_empty()).map(|id| graph.origin(id)).collect();
        assert!(lost.is_empty(), "{} of {} nodes: {lost:?}", lost.len(), graph.nodes.len());
    }
    // Each term and each clip is told from the others: those of several lines lead to their own.
    let lines = |path: &str| {
        let origins = front.gradient.ids().map(|id| front.gradient.origin(id)).filter(|origin| origin.path == path);
        origins.map(|origin| origin.place.split(':').nth(1).unwrap().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(lines("penalty"), ["7", "8"].map(str::to_owned).into());
    assert_eq!(lines("clip_global_norm"), ["10"].map(str::to_owned).into());
    assert_eq!(lines("clip_value"), ["11"].map(str::to_owned).into());
}
