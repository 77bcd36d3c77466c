//! The whole life of one node: the words that asked for it, what rules made of it, its kernel, its loops, its instructions.

use super::{Journey, Numbers, lines};
use crate::base::place::Source;
use crate::codegen::{Compiled, Serves, text};
use crate::graph::text::node_text;
use crate::graph::{Graph, NodeId};
use crate::pipeline::Front;
use crate::program::{Assembled, Unit};
use crate::stages::Stage;
use std::fmt::Write;

/// Everything that a life is read from.
#[derive(Clone, Copy)]
pub struct Life<'a> {
    /// Graphs and what rewriting did.
    pub front: &'a Front,
    /// Kernels and memory.
    pub assembled: &'a Assembled,
    /// Compiled functions with their text.
    pub functions: &'a [Compiled],
    /// The user's text.
    pub source: &'a Source,
    /// Lines of each stage that are shown.
    pub shown: usize,
}

impl Life<'_> {
    /// The life of a node of the training step, by its number in a stage.
    ///
    /// # Errors
    /// A network that does not train, a stage without nodes, or a number that it lacks.
    pub fn text(&self, stage: Stage, number: u32) -> Result<String, String> {
        let journey = Journey::new(self.front).ok_or("the network does not train")?;
        let unit = self.assembled.unit("train").ok_or("the network does not train")?;
        let simplified = self.front.graphs.training.as_ref().ok_or("the network does not train")?;
        let node = NodeId(number);
        let (graph, numbers) = match stage {
            Stage::Declaration | Stage::Rewrites => return Err(format!("{} has no nodes", stage.file_name())),
            Stage::Graph => (&self.front.forward, journey.of_written(node)),
            Stage::Gradient => (&self.front.gradient, journey.of_derived(node)),
            Stage::Simplified => (simplified, journey.of_simplified(node)),
            _ => (&unit.graph, journey.of_legal(node)),
        };
        if node.index() >= graph.nodes.len() {
            return Err(format!("{} has nodes %0 to %{}", stage.file_name(), graph.nodes.len().saturating_sub(1)));
        }
        let mut text = format!("%{number} of {}\n", stage.file_name());
        self.source(&mut text, graph, node);
        self.graphs(&mut text, numbers, [simplified, &unit.graph]);
        if let Some(legal) = numbers.legal {
            self.kernels(&mut text, unit, legal);
        } else {
            text.push_str("no kernel: nothing needs it once the rules have been applied\n");
        }
        Ok(text)
    }

    /// The line of the declaration with the words underlined.
    fn source(&self, text: &mut String, graph: &Graph, node: NodeId) {
        let origin = graph.origin(node);
        let mut parts = origin.place.rsplitn(3, ':');
        let (column, line) = (parts.next(), parts.next());
        let (Some(Ok(column)), Some(Ok(line))) = (column.map(str::parse::<usize>), line.map(str::parse::<u32>)) else {
            text.push_str("source         made by the compiler\n");
            return;
        };
        let words = self.source.line(line).unwrap_or_default();
        let before = column.saturating_sub(1).min(words.chars().count());
        let _ = writeln!(text, "source         {}", origin.place);
        let _ = writeln!(text, "  {words}\n  {}^ {}", " ".repeat(before), origin.path);
    }

    fn graphs(&self, text: &mut String, numbers: Numbers, [simplified, legal]: [&Graph; 2]) {
        let all = [
            ("02-graph", &self.front.forward, numbers.written),
            ("03-gradient", &self.front.gradient, numbers.derived),
            ("04-simplified", simplified, numbers.simplified),
            ("05-fused", legal, numbers.legal),
        ];
        for (name, graph, node) in all {
            let Some(node) = node else {
                let _ = writeln!(text, "{name:14} -");
                continue;
            };
            let origin = graph.origin(node);
            let rule = match (origin.rule.as_str(), origin.of) {
                ("", _) => String::new(),
                (rule, Some(of)) => format!("    <- {rule} of %{}", of.0),
                (rule, None) => format!("    <- {rule}"),
            };
            let _ = writeln!(text, "{name:14} %{} = {}{rule}", node.0, node_text(graph, node));
            if name == "03-gradient" {
                self.rules(text, node);
            }
        }
    }

    /// Applications of rules at a node of 03-gradient.
    fn rules(&self, text: &mut String, node: NodeId) {
        let head = format!("%{} = ", node.0);
        for application in self.front.step_rewrites.log.iter().filter(|application| application.before.starts_with(&head)) {
            let _ = writeln!(
                text,
                "  rule {}: {} -> {}  ({})",
                application.rule, application.before, application.after, application.exactness
            );
        }
    }

    fn kernels(&self, text: &mut String, unit: &Unit, node: NodeId) {
        for (group, kernel) in unit.fusion.groups.iter().zip(&unit.memory.kernels) {
            for (member, reason) in group.members.iter().zip(&group.reasons).filter(|(member, _)| member.node == node) {
                let half = if member.total { ", total of the cells" } else { "" };
                let name = &self.assembled.program.kernels[*kernel as usize].name;
                let _ = writeln!(text, "kernel         {kernel} {name:?}{half}: {reason}");
            }
        }
        if unit.fusion.inlined.get(node.index()) == Some(&true) {
            let users = unit.graph.users();
            let readers: Vec<String> = users[node.index()].iter().map(|reader| format!("%{}", reader.0)).collect();
            let _ = writeln!(text, "kernel         inlined: computed where {} read it", readers.join(", "));
        }
        let program = crate::loops::text::print(&self.assembled.program, None);
        let loops = lines::loops(&program);
        let own = |line: &&lines::Line| {
            line.node == Some(node.0) && line.kernel.is_some_and(|kernel| unit.memory.kernels.contains(&(kernel as u32)))
        };
        self.list(
            text,
            "06-loops",
            loops.iter().filter(own).map(|line| (line.kernel, line.text.trim_start().to_string())).collect(),
        );
        let (mut clif, mut instructions, mut bytes) = (Vec::new(), Vec::new(), 0);
        for &kernel in &unit.memory.kernels {
            let Some(both) = self.functions.get(kernel as usize).and_then(|function| function.text.as_ref()) else { continue };
            let kernel = kernel as usize;
            let served = lines::clif(&both.clif, kernel);
            clif.extend(served.iter().filter(own).map(|line| (Some(kernel), line.text.trim_start().to_string())));
            for line in both.lines.iter().filter(|line| line.serves == Serves::Node(node.0)) {
                bytes += line.size;
                let made = line.made.map_or_else(String::new, |made| format!("    ; {made}"));
                instructions.push((Some(kernel), format!("{:>5x}  {}{made}", line.offset, line.text)));
            }
        }
        self.list(text, "08-clif", clif);
        self.list(text, "09-assembly", instructions);
        let _ = writeln!(text, "{bytes} bytes of machine code serve it");
    }

    fn list(&self, text: &mut String, name: &str, lines: Vec<(Option<usize>, String)>) {
        let _ = writeln!(text, "{name:14} {} lines", lines.len());
        let mut known = None;
        for (kernel, line) in lines.iter().take(self.shown) {
            if known != Some(*kernel) {
                let _ = writeln!(text, "  in kernel {}", kernel.unwrap_or_default());
                known = Some(*kernel);
            }
            let _ = writeln!(text, "    {line}");
        }
        if lines.len() > self.shown {
            let _ = writeln!(text, "    … {} more", lines.len() - self.shown);
        }
    }
}

/// Shares of all functions, one line each, and of the whole program.
pub fn bytes(functions: &[Compiled]) -> String {
    let mut text = String::new();
    let lines = |function: &Compiled| function.text.as_ref().map(|both| both.lines.clone()).unwrap_or_default();
    let width = functions.iter().map(|function| function.name.chars().count()).max().unwrap_or(0);
    for function in functions {
        let _ = writeln!(text, "{:width$}  {}", function.name, text::Shares::of(&lines(function)));
    }
    let all: Vec<_> = functions.iter().flat_map(lines).collect();
    let _ = writeln!(text, "{:width$}  {}", "all", text::Shares::of(&all));
    text
}
