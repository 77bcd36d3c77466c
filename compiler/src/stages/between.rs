//! What lies between two stages of one network: their texts in one numbering, and the rules that lead from one to the other.

use super::Stage;
use crate::graph::{Graph, text};
use crate::pipeline::{Front, Rewrites};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The text of a graph in which `%n` is replaced by what `label` gives for `n`.
pub fn renumbered(text: &str, label: impl Fn(u32) -> String) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find('%') {
        result.push_str(&rest[..position]);
        rest = &rest[position + 1..];
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        match rest[..end].parse() {
            Ok(number) => result.push_str(&label(number)),
            Err(_) => result.push('%'),
        }
        rest = &rest[end..];
    }
    result.push_str(rest);
    result
}

/// Two graphs of one network in the numbering of the earlier one; nodes that it lacks are `%+n`, by their number in the later one.
///
/// `None` if the stages are not both graphs, or one of them is named twice.
pub fn graphs(front: &Front, earlier: Stage, later: Stage) -> Option<(String, String)> {
    let own = |number: u32| format!("%{number}");
    let graph = |stage| -> Option<&Graph> {
        match stage {
            Stage::Graph => Some(&front.forward),
            Stage::Gradient => Some(&front.gradient),
            Stage::Simplified => front.graphs.training.as_ref(),
            _ => None,
        }
    };
    // The forward half keeps its numbers when it is differentiated.
    let chain: &[&Rewrites] = match (earlier, later) {
        (Stage::Graph, Stage::Gradient) => &[&front.forward_rewrites],
        (Stage::Gradient, Stage::Simplified) => &[&front.step_rewrites],
        (Stage::Graph, Stage::Simplified) => &[&front.step_rewrites, &front.forward_rewrites],
        _ => return None,
    };
    let label = |number: u32| {
        let found = chain.iter().try_fold(number, |number, rewrites| rewrites.labels.get(number as usize).copied().flatten());
        found.map_or_else(|| format!("%+{number}"), own)
    };
    let print = |graph| text::print(graph, false);
    Some((print(graph(earlier)?), renumbered(&print(graph(later)?), label)))
}

/// The rules that were applied between two stages, with how often, one line each.
pub fn rules(front: &Front, earlier: Stage, later: Stage) -> String {
    let mut text = String::new();
    let place = |stage| Stage::ALL.iter().position(|known| *known == stage);
    let crosses = |from: Stage, to: Stage| place(earlier) <= place(from) && place(to) <= place(later);
    if crosses(Stage::Graph, Stage::Gradient) {
        counted(&mut text, "before differentiation", &front.forward_rewrites);
        derived(&mut text, &front.gradient);
    }
    if crosses(Stage::Gradient, Stage::Simplified) {
        counted(&mut text, "on the whole step", &front.step_rewrites);
    }
    text
}

fn counted(text: &mut String, when: &str, rewrites: &Rewrites) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for application in &rewrites.log {
        *counts.entry(application.rule).or_default() += 1;
    }
    let list: Vec<String> = counts.iter().map(|(rule, count)| format!("{rule} x{count}")).collect();
    let _ = writeln!(text, "rules {when}: {}", if list.is_empty() { "none".into() } else { list.join(", ") });
}

fn derived(text: &mut String, graph: &Graph) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in graph.ids().filter(|id| graph.origin(*id).of.is_some()) {
        *counts.entry(graph.origin(id).rule.as_str()).or_default() += 1;
    }
    for (rule, count) in counts {
        let _ = writeln!(text, "derivative {rule} x{count}");
    }
}
