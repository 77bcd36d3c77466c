//! The stages that one can look at: one line a stage says its file name and what it shows.

pub mod between;
mod read;
mod rewrite;
pub mod run;

#[cfg(feature = "codegen")]
use crate::codegen::{self, Module};
use crate::graph::Graph;
use crate::ops::Primitive;
use crate::pipeline::Front;
use crate::program::Assembled;
use crate::{fusion, graph, loops, memory};
pub use read::{Staged, read};
pub use rewrite::{fused, rewrite};
use std::fmt::Write;

macro_rules! stages {
    ($($name:ident => $file:literal, $doc:literal;)*) => {
        /// A stage of compiling, as text.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        pub enum Stage { $(#[doc = $doc] $name),* }

        impl Stage {
            /// All stages, in the order in which a network passes them.
            pub const ALL: &'static [Stage] = &[$(Stage::$name),*];
            /// Name of the stage's file, without `.txt`.
            pub fn file_name(self) -> &'static str {
                match self { $(Stage::$name => $file),* }
            }
            /// What it shows.
            pub fn about(self) -> &'static str {
                match self { $(Stage::$name => $doc),* }
            }
        }
    };
}

stages! {
    Declaration => "01-declaration", "What was written, defaults filled in.";
    Graph => "02-graph", "The forward pass at training time.";
    Gradient => "03-gradient", "The whole step: forward, backward rule by rule, clipping, penalties, updates.";
    Simplified => "04-simplified", "The step after all rewrites; it fixes every bit.";
    Rewrites => "04-simplified.log", "Each rewrite: rule, before, after, exactness.";
    Fused => "05-fused", "Which nodes share a kernel, and why; passes over memory.";
    Loops => "06-loops", "Kernels as nests and blocks, and the driver.";
    Memory => "07-memory", "Lifetimes and places of temporaries.";
    Clif => "08-clif", "What Cranelift was given.";
    Assembly => "09-assembly", "Machine instructions with the nodes that they serve, every byte of them.";
}

impl Stage {
    /// The stage of this number, or whose name or file name starts like this: `3`, `03`, `fused`, `06-loops`.
    pub fn find(name: &str) -> Option<Stage> {
        let number: Option<usize> = name.parse().ok();
        let matches = |stage: &&Stage| {
            let file = stage.file_name();
            number.map_or_else(|| file.starts_with(name) || file[3..].starts_with(name), |number| file[..2].parse() == Ok(number))
        };
        Stage::ALL.iter().find(matches).copied()
    }
}

/// The text of a stage. Canonical: the same network and target give the same bytes.
#[cfg(feature = "codegen")]
pub fn text(stage: Stage, front: &Front, assembled: &Assembled, module: &Module, target: &str) -> String {
    if let Some(text) = portable(stage, front, assembled) {
        return text;
    }
    let mut text = header(stage, front);
    let _ = writeln!(text, "// target {target}");
    for (number, function) in module.functions().iter().enumerate() {
        let _ = writeln!(text, "\n// {}", function.name);
        match &function.text {
            Some(both) if stage == Stage::Clif => text.push_str(&both.clif),
            Some(both) => {
                text.push_str(&codegen::text::assembly(&function.name, &both.lines, &|node| place(assembled, number, node)))
            }
            None => text.push_str("(not kept: set GRADC_DUMP, or `Options::text`)\n"),
        }
    }
    text
}

fn header(stage: Stage, front: &Front) -> String {
    format!("// {} {}: {}\n", stage.file_name(), front.info.name, stage.about())
}

/// A graph behind a line that counts what is in it, so that two compare at a glance.
fn counted(graph: &Graph) -> String {
    let of = |primitive| graph.nodes.iter().filter(move |node| node.primitive == primitive);
    let values = of(Primitive::Parameter).fold(0usize, |sum, node| sum.saturating_add(node.ty.shape.count(1)));
    let (parameters, states) = (of(Primitive::Parameter).count(), of(Primitive::State).count());
    let counts = format!("// nodes {}, parameters {parameters} ({values} values), states {states}\n", graph.nodes.len());
    counts + &graph::text::print(graph, true)
}

/// The text of a stage that knows no machine; `None` for those that do.
pub fn portable(stage: Stage, front: &Front, assembled: &Assembled) -> Option<String> {
    let mut text = header(stage, front);
    match stage {
        Stage::Declaration => text.push_str(&front.declaration),
        Stage::Graph => text.push_str(&counted(&front.forward)),
        Stage::Gradient => text.push_str(&counted(&front.gradient)),
        Stage::Simplified => text.push_str(&front.graphs.training.as_ref().map_or_else(String::new, counted)),
        Stage::Rewrites => text.push_str(if front.log.is_empty() { "(unchanged)\n" } else { &front.log }),
        Stage::Fused => {
            for unit in &assembled.units {
                let _ = writeln!(text, "\nunit {}", unit.name);
                text.push_str(&fusion::text::print(&unit.graph, &unit.fusion, true));
            }
        }
        Stage::Loops => {
            text.push_str(&loops::text::print(&assembled.program, Some(&|kernel, node| place(assembled, kernel, node))))
        }
        Stage::Memory => {
            for unit in &assembled.units {
                let _ = writeln!(text, "\nunit {}", unit.name);
                text.push_str(&memory::print(&assembled.program, &unit.memory));
            }
        }
        Stage::Clif | Stage::Assembly => return None,
    }
    Some(text)
}

/// Layer path and place of the node that an instruction of a kernel serves.
fn place(assembled: &Assembled, kernel: usize, node: u32) -> Option<String> {
    let unit = assembled.units.iter().find(|unit| unit.memory.kernels.contains(&(kernel as u32)))?;
    let known = (node as usize) < unit.graph.nodes.len();
    known.then(|| unit.graph.origin(graph::NodeId(node)).to_string()).filter(|text| !text.is_empty())
}

#[cfg(test)]
pub(crate) mod tests;
