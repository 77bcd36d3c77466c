//! A network as text: what the three ways of declaring one are compared by.

use crate::graph::Root;
use crate::graph::text::{number, print};
use crate::nn::Network;
use crate::nn::choice::{self, Choices};
use std::fmt::Write;

/// Settings, parameters with their initialisers, and the graph of what is asked for.
pub fn shown(network: &Network, origins: bool) -> String {
    let mut text = String::new();
    for setting in &network.settings {
        let declared = if setting.declared { "" } else { "    ; unnamed" };
        let _ = writeln!(text, "setting {} = {}{declared}", setting.name, number(setting.value));
    }
    let choices = Choices::of(network);
    for learned in network.learned() {
        let initial = choice::show(&choices.choose(learned).initializer);
        let _ = writeln!(text, "parameter {} : {} = {initial}", learned.name, learned.shape);
    }
    for penalty in &network.penalties {
        let _ = writeln!(text, "penalty {}", penalty.penalty.name);
    }
    if let Some(optimizer) = &network.optimizer {
        let clips: String = optimizer.clips.iter().map(|clip| format!(".{}", clip.clip.name)).collect();
        let _ = writeln!(text, "using {}{clips}: {}", optimizer.rule.name(), optimizer.rule.formula(&optimizer.call));
    }
    let mut graph = network.builder.graph().clone();
    let output = |name: &str, node| Root::Output { name: name.to_owned(), node };
    graph.roots = network.predicts.iter().map(|(name, node)| output(name, *node)).collect();
    graph.roots.extend(network.loss.map(|node| output("loss", node)));
    graph.roots.extend(network.reports.iter().map(|report| output(&report.name, report.node)));
    graph.roots.extend(network.next_states.iter().map(|&(source, node)| Root::Update { source, node }));
    text + &print(&graph.pruned(), origins)
}
