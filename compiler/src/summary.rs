//! The model as a table that a person reads: one row a layer, then what it costs and how it is trained.
//!
//! Parameters are counted as they are learned: a bias that batch normalisation takes out again is none. FLOPs are those of matrix
//! products alone, for one row of the batch: a product of m by k with k by n costs 2·m·k·n forward, and as much again backward for
//! each of its operands that a trained parameter stands behind. So the first layer's input costs nothing, nor does a frozen weight.

mod calls;
mod costs;
#[cfg(test)]
mod tests;

use crate::base::columns::{left, right};
use crate::base::size::{bytes, counted};
use crate::graph::{Element, NodeId, Type};
use crate::nn::choice::{self, Choices};
use crate::nn::network::{Use, shape_text};
use crate::nn::optimizers::Rule;
use crate::nn::parameters::Learned;
use crate::nn::{Call, Family, Network, groups};
use calls::{brief, scalar};
use costs::{Costs, Moved};
use std::collections::HashSet;

const HEADER: [&str; 7] = ["layer", "function", "output", "initialiser", "parameters", "FLOPs", "bytes"];
/// Columns of numbers stand to the right.
const FIRST_NUMBER: usize = 4;

/// The table of a network, given at both its times.
pub fn summary(training: &Network, evaluation: &Network) -> String {
    let costs = Costs::of(training);
    let learned: Vec<&Learned> = training.learned().collect();
    let choices = Choices::of(training);
    let rows = rows(training, &learned, &costs, &choices);
    let count: usize = learned.iter().map(|one| values(one)).sum();
    let moved = moved(training, &costs);
    let bytes = or_blank(moved.forward + moved.backward);
    let total = ["".into(), "".into(), "".into(), "".into(), grouped(count), grouped(costs.total()), bytes];
    let mut text = format!("{}\n\n", training.name);
    text.push_str(&table(&rows, &total));
    text.push('\n');
    for (key, value) in facts(training, evaluation, &learned, &costs) {
        text.push_str(format!("{key:11}  {value}").trim_end());
        text.push('\n');
    }
    text
}

type Row = [String; 7];

/// Rows in the order in which values are computed.
fn rows(network: &Network, learned: &[&Learned], costs: &Costs, choices: &Choices) -> Vec<Row> {
    let mut rows: Vec<(usize, Row)> = Vec::new();
    let mut of_layers = HashSet::new();
    let all: HashSet<NodeId> = learned.iter().map(|one| one.node).collect();
    for one in network.uses.iter().filter(|one| is_row(network, one)) {
        let own: Vec<&Learned> =
            network.parameters[one.parameters.clone()].iter().filter(|known| all.contains(&known.node)).collect();
        of_layers.extend(own.iter().map(|learned| learned.node));
        let size: usize = own.iter().map(|learned| values(learned)).sum();
        let is_shared = own.is_empty() && costs.parameters_in(network, &one.nodes).any(|node| of_layers.contains(&node));
        let moved = costs.moved(network, one);
        let row = [
            one.path.clone(),
            brief(network, one.function.name, one.function.parameters, &one.call),
            type_text(network.builder.ty(one.output)),
            initialisers(choices, &own),
            if is_shared { "shared".into() } else { or_blank(size) },
            or_blank(costs.of_nodes(&one.nodes)),
            or_blank(moved.forward + moved.backward),
        ];
        rows.push((one.nodes.end, row));
    }
    for one in learned.iter().filter(|one| !of_layers.contains(&one.node)) {
        let shape = shape_text(&one.shape);
        let row = [
            one.name.clone(),
            "parameter".into(),
            shape,
            initialisers(choices, &[one]),
            grouped(values(one)),
            "".into(),
            "".into(),
        ];
        rows.push((one.node.index() + 1, row));
    }
    rows.sort_by_key(|(end, _)| *end);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What all rows of the table move.
fn moved(network: &Network, costs: &Costs) -> Moved {
    let rows = network.uses.iter().filter(|one| is_row(network, one)).map(|one| costs.moved(network, one));
    rows.fold(Moved::default(), |sum, one| Moved { forward: sum.forward + one.forward, backward: sum.backward + one.backward })
}

/// Layers and activations; of operations those that multiply matrices or change the shape of rows.
fn is_row(network: &Network, one: &Use) -> bool {
    let graph = network.builder.graph();
    match one.function.family {
        Family::Layer | Family::Activation => true,
        Family::Operation => graph.shape(one.output).has_batch() && graph.shape(one.output) != graph.shape(one.input),
        Family::Loss | Family::Metric => false,
    }
}

/// How the parameters begin and why; biases that begin at 0 go without saying.
fn initialisers(choices: &Choices, learned: &[&Learned]) -> String {
    let mut shown: Vec<String> = Vec::new();
    for one in learned {
        let choice = choices.choose(one);
        let call = choice::show(&choice.initializer);
        let text = if choice.reason.is_empty() { call } else { format!("{call} ({})", choice.reason) };
        if text != "zeros" && !shown.contains(&text) {
            shown.push(text);
        }
    }
    shown.join(", ")
}

fn values(learned: &Learned) -> usize {
    learned.shape.fixed_count()
}

/// What stands below the table.
fn facts(training: &Network, evaluation: &Network, learned: &[&Learned], costs: &Costs) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let sources = |list: &[crate::nn::parameters::Source]| {
        let texts: Vec<String> = list.iter().map(|source| format!("{} {}", source.name, type_text(&source.ty))).collect();
        texts.join(", ")
    };
    facts.push(("inputs", sources(&training.inputs)));
    facts.push(("targets", sources(&training.targets)));
    let graph = evaluation.builder.graph();
    let served: Vec<String> =
        evaluation.predicts.iter().map(|(name, node)| format!("{name} {}", type_text(graph.ty(*node)))).collect();
    facts.push(("predicts", served.join(", ")));
    facts.push(("parameters", parameters(training, learned)));
    let (forward, backward) = (costs.forward(), costs.backward());
    let served: Vec<NodeId> = evaluation.predicts.iter().map(|(_, node)| *node).collect();
    let prediction = costs::forward_of(graph, &served);
    facts.push((
        "FLOPs",
        format!(
            "{} a row in training ({} forward, {} backward), {} in prediction; matrix products alone",
            grouped(forward + backward),
            grouped(forward),
            grouped(backward),
            grouped(prediction)
        ),
    ));
    let Moved { forward, backward } = moved(training, costs);
    facts.push((
        "bytes",
        format!(
            "{} a row in training ({} forward, {} backward), were each layer a pass of its own; fusion moves less",
            grouped(forward + backward),
            grouped(forward),
            grouped(backward)
        ),
    ));
    facts.extend(losses(training));
    facts.extend(penalties(training));
    facts.extend(optimizer(training));
    for one in training.uses.iter().map(|one| one.function).filter(|one| !one.conventions.is_empty()) {
        if facts.iter().all(|(name, _)| *name != one.name) {
            facts.push((one.name, one.conventions.into()));
        }
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn parameters(network: &Network, learned: &[&Learned]) -> String {
    let count: usize = learned.iter().map(|one| values(one)).sum();
    let frozen: usize = learned.iter().filter(|one| one.wanted.frozen).map(|one| values(one)).sum();
    let states: usize = network.states.iter().map(|state| state.ty.shape.fixed_count()).sum();
    let mut text =
        format!("{} values in {}, {}", grouped(count), counted(learned.len(), "tensor"), bytes(size_of::<f32>() * count));
    if frozen > 0 {
        text += &format!("; {} of them frozen", grouped(frozen));
    }
    if states > 0 {
        text += &format!("; {} measured values saved with them", grouped(states));
    }
    text
}

/// The losses that what is minimised is made of.
fn losses(network: &Network) -> Vec<(&'static str, String)> {
    let Some(loss) = network.loss else { return Vec::new() };
    let live = network.builder.graph().ancestors([loss]);
    let mut found: Vec<&Use> = Vec::new();
    for one in network.uses.iter().filter(|one| one.function.family == Family::Loss && live[one.output.index()]) {
        if found.iter().all(|known| known.output != one.output) {
            found.push(one);
        }
    }
    let text = |one: &Use| {
        let call = brief(network, one.function.name, one.function.parameters, &one.call);
        format!("{call}: {}", one.function.formula)
    };
    keyed("loss", found.into_iter().map(text))
}

fn penalties(network: &Network) -> Vec<(&'static str, String)> {
    let text = |applied: &crate::nn::penalties::Applied| {
        let strength = scalar(network, applied.strength);
        let on = if applied.on_all { "on every parameter" } else { "on weights" };
        match applied.proximal {
            true => format!(
                "{}({strength}) {on}, after the step: theta = sign(theta) * max(|theta| - rate * lambda, 0)",
                applied.penalty.name
            ),
            false => format!("{}({strength}) {on}: {}", applied.penalty.name, applied.penalty.formula),
        }
    };
    keyed("penalty", network.penalties.iter().map(text))
}

/// The optimizer, its formula line by line, and the clips before it.
fn optimizer(network: &Network) -> Vec<(&'static str, String)> {
    let Some(optimizer) = &network.optimizer else { return Vec::new() };
    let clip = |one: &crate::nn::clips::ClipUse| {
        let skips = if one.skips { "; a step whose norm is not finite is skipped" } else { "" };
        format!("{}({}): {}{skips}", one.clip.name, scalar(network, one.limit), one.clip.formula)
    };
    let mut facts = keyed("clip", optimizer.clips.iter().map(clip));
    let call = match &optimizer.rule {
        Rule::Known(known) => brief(network, known.name, known.parameters, &optimizer.call),
        Rule::Own { name, .. } => calls::all(network, name, &optimizer.call),
    };
    facts.push(("optimizer", call));
    let group = |one: &Call| {
        let brief = brief(network, "", &groups::PARAMETERS[1..], one);
        format!("{}: {}", one.word("pattern").unwrap_or_default(), brief.trim_matches(['(', ')']))
    };
    let formula = optimizer.rule.formula(&optimizer.call);
    facts.extend(formula_lines(formula));
    facts.extend(keyed("group", network.groups.iter().map(group)));
    facts
}

/// An update line by line.
fn formula_lines(formula: &str) -> impl Iterator<Item = (&'static str, String)> {
    formula.split(';').map(|line| ("", line.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// The key stands before the first of several.
fn keyed(key: &'static str, values: impl Iterator<Item = String>) -> Vec<(&'static str, String)> {
    values.enumerate().map(|(index, value)| (if index == 0 { key } else { "" }, value)).collect()
}

/// Aligned columns; those that no row fills are left out.
fn table(rows: &[Row], total: &Row) -> String {
    let header: Row = HEADER.map(String::from);
    let width = |column: usize| {
        let cells = rows.iter().chain([&header, total]).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let columns: Vec<(usize, usize)> = (0..HEADER.len())
        .filter(|&column| rows.iter().any(|row| !row[column].is_empty()))
        .map(|column| (column, width(column)))
        .collect();
    let line = |row: &Row| {
        let cells: Vec<String> = columns
            .iter()
            .map(|&(column, width)| match column < FIRST_NUMBER {
                true => left(&row[column], width),
                false => right(&row[column], width),
            })
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    let rule = "-".repeat(columns.iter().map(|(_, width)| width + 2).sum::<usize>().saturating_sub(2));
    let body: String = rows.iter().map(&line).collect();
    format!("{}{rule}\n{body}{rule}\n{}", line(&header), line(total))
}

fn type_text(ty: &Type) -> String {
    let shape = shape_text(&ty.shape);
    match ty.element {
        Element::F32 => shape,
        Element::Class(count) => format!("class({count}){shape}"),
        other => format!("{other}{shape}"),
    }
}

fn or_blank(count: usize) -> String {
    if count == 0 { String::new() } else { grouped(count) }
}

/// `1 234 567`.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
