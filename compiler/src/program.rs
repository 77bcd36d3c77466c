//! Assembly: the graphs of a network's life become one program. Their kernels stand beside each other over the same parameters, and
//! the driver's entry points run them: `initialize`, `fit`, `step`, `evaluate`, `predict`.
//!
//! What never varies is left to functions of the symbol table, called on the first thread (see [`calls`]): they bind the next batch,
//! the permutation of an epoch, and report its end. Everything that decides (sums, means, the test of the loss, patience, the
//! best copy) is code of the program.

mod measure;
#[cfg(test)]
mod tests;

use crate::aggregate::Combination;
use crate::fusion::{self, Fusion};
use crate::graph::{Graph, Root};
use crate::loops::block::BlockBuilder;
use crate::loops::{BufferId, Comparison, Control, Entry, Lane, Linear, Program, Slot, Space, Value, View};
use crate::lower::{self, Layout, LowerError};
use crate::memory::{self, MemoryPlan};
use crate::ops::Primitive;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Functions of the symbol table that drivers call; each receives the context of the first thread.
pub mod calls {
    /// Start of an epoch: makes its permutation, keeps a snapshot of the state, sets the slots `steps` (turns) and `train.rows` to 0.
    pub const EPOCH: &str = "epoch";
    /// Fills `rows` and the slots `batch` for the next step of training; raises `stop` if asked to from outside.
    pub const NEXT: &str = "next";
    /// After a step: shared counters for whoever watches.
    pub const STEPPED: &str = "stepped";
    /// Start of a pass over the validation rows: sets the slot `chunks`.
    pub const VALIDATION: &str = "validation";
    /// Fills `rows` and `batch` for the next chunk of an evaluation.
    pub const CHUNK: &str = "chunk";
    /// After a chunk of an evaluation: keeps the scores that are to be put in order.
    pub const SCORED: &str = "scored";
    /// End of a pass in which scores were kept: sets the sums of the values that follow from their order.
    pub const RANKED: &str = "ranked";
    /// End of an epoch: its record for the history.
    pub const EPOCH_END: &str = "epoch_end";
    /// All of them.
    pub const ALL: [&str; 8] = [EPOCH, NEXT, STEPPED, VALIDATION, CHUNK, SCORED, RANKED, EPOCH_END];
}

/// The graphs of a network, simplified, by what they are run for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Graphs {
    /// Outputs `loss`, `penalty` (optional) and metrics; updates of parameters and states.
    pub training: Option<Graph>,
    /// Outputs `loss` and metrics.
    pub evaluation: Option<Graph>,
    /// Outputs by the name under which they are served.
    pub prediction: Option<Graph>,
    /// Updates that give every parameter its first value.
    pub initial: Option<Graph>,
    /// Outputs that are no means over rows, and how chunks of rows combine: each has companion outputs `name.part`.
    pub combinations: BTreeMap<String, Combination>,
}

/// One graph on its way through the stages.
#[derive(Clone, Debug)]
pub struct Unit {
    /// `train`, `evaluate`, `predict` or `initialize`.
    pub name: &'static str,
    /// The graph in legal form.
    pub graph: Graph,
    /// Which nodes share a kernel.
    pub fusion: Fusion,
    /// Where temporaries lie.
    pub memory: MemoryPlan,
}

/// A program with everything that led to it.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// All kernels and entries.
    pub program: Program,
    /// The graphs that they were made from.
    pub units: Vec<Unit>,
    /// Slots by name.
    pub slots: BTreeMap<String, Slot>,
    /// Buffers of outputs, by `unit.name`.
    pub outputs: BTreeMap<String, BufferId>,
    /// Buffers of parameters and states, by name.
    pub kept: BTreeMap<String, BufferId>,
    /// For each parameter and state that is kept for restoring: its buffer and that of the copy.
    pub saved: Vec<(BufferId, BufferId)>,
    /// What an evaluation counts by cells, in the order of the names.
    pub tables: Vec<Table>,
    /// Names of the values that follow from the order of all scores.
    pub ranked: Vec<String>,
}

/// Sums of an evaluation that a reader wants as a table: cells from the `first` f64 of the buffer on, row by row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// Name of the reported value.
    pub name: String,
    /// A buffer of [`Space::Sums`].
    pub buffer: BufferId,
    /// Place of the first cell.
    pub first: usize,
    /// Number of cells.
    pub cells: usize,
    /// Cells of a row, at least 1.
    pub columns: usize,
}

impl Assembled {
    /// The unit of this name.
    pub fn unit(&self, name: &str) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.name == name)
    }
}

/// Lowers the graphs and writes the driver.
pub fn assemble(name: &str, graphs: &Graphs, options: &fusion::Options) -> Result<Assembled, LowerError> {
    let mut assembly = Assembly {
        program: Program { name: name.to_string(), ..Program::default() },
        layout: Layout::default(),
        units: Vec::new(),
        combinations: graphs.combinations.clone(),
        sums: BTreeMap::new(),
    };
    let parts = [
        ("initialize", &graphs.initial),
        ("train", &graphs.training),
        ("evaluate", &graphs.evaluation),
        ("predict", &graphs.prediction),
    ];
    for (unit, graph) in parts {
        if let Some(graph) = graph {
            assembly.unit(unit, graph, options)?;
        }
    }
    assembly.finish()
}

struct Assembly {
    program: Program,
    layout: Layout,
    units: Vec<Unit>,
    combinations: BTreeMap<String, Combination>,
    /// By pass and value.
    sums: BTreeMap<String, measure::Sums>,
}

impl Assembly {
    fn unit(&mut self, name: &'static str, graph: &Graph, options: &fusion::Options) -> Result<(), LowerError> {
        let graph = fusion::legalize::legalize(graph).map_err(|error| LowerError(error.message))?;
        let fusion = fusion::fuse(&graph, options).map_err(LowerError)?;
        let kernels = lower::lower(&graph, &fusion, &mut self.layout, &mut self.program, name)?;
        let memory = memory::plan(&self.program, &kernels);
        self.units.push(Unit { name, graph, fusion, memory });
        Ok(())
    }

    fn slot(&mut self, name: &str, lane: Lane) -> Slot {
        self.layout.slot(&mut self.program, name, lane)
    }

    fn finish(mut self) -> Result<Assembled, LowerError> {
        let control = self.layout.control(&mut self.program);
        self.layout.rows(&mut self.program);
        for name in ["seed.low", "seed.high", "step.word"] {
            self.slot(name, Lane::I32);
        }
        self.slot("step", Lane::F64);
        let saved = self.saved_copies();
        let units = std::mem::take(&mut self.units);
        let unit = |name: &str| units.iter().find(|unit| unit.name == name);
        let mut entries = Vec::new();
        if let Some(unit) = unit("initialize") {
            entries.push(Entry { name: "initialize".into(), body: self.kernels(unit, 0..unit.memory.kernels.len()) });
        }
        if let Some(unit) = unit("predict") {
            let batch = self.slot("batch", Lane::I32);
            let mut body = vec![Control::Batch(batch)];
            body.extend(self.kernels(unit, 0..unit.memory.kernels.len()));
            entries.push(Entry { name: "predict".into(), body });
        }
        let evaluation = unit("evaluate");
        if let Some(unit) = evaluation {
            entries.push(Entry { name: "evaluate".into(), body: self.evaluation(unit, control) });
        }
        if let Some(unit) = unit("train") {
            let mut body = vec![Control::Barrier];
            body.extend(self.training_step(unit, control));
            entries.push(Entry { name: "step".into(), body });
            let body = self.fit(unit, evaluation, control, &saved);
            entries.push(Entry { name: "fit".into(), body });
        }
        self.program.entries = entries;
        let slots =
            self.program.slots.iter().enumerate().map(|(number, info)| (info.name.clone(), Slot(number as u32))).collect();
        let outputs = units.iter().flat_map(|unit| self.outputs(unit)).collect();
        let kept = kept(&self.program);
        let tables = self.tables();
        let ranked =
            self.combinations.iter().filter(|(_, combination)| combination.ranked).map(|(name, _)| name.clone()).collect();
        Ok(Assembled { program: self.program, units, slots, outputs, kept, saved, tables, ranked })
    }

    fn outputs(&self, unit: &Unit) -> Vec<(String, BufferId)> {
        let names = unit.graph.roots.iter().filter_map(|root| match root {
            Root::Output { name, .. } => Some(format!("{}.{name}", unit.name)),
            Root::Update { .. } => None,
        });
        names.filter_map(|name| self.layout.find_output(&name).map(|buffer| (name, buffer))).collect()
    }

    /// One copy of each parameter, and of each state that evaluation reads: what the best epoch leaves behind.
    fn saved_copies(&mut self) -> Vec<(BufferId, BufferId)> {
        let evaluated: BTreeSet<String> = self
            .units
            .iter()
            .filter(|unit| unit.name == "evaluate")
            .flat_map(|unit| source_names(&unit.graph, Primitive::State))
            .collect();
        let mut saved = Vec::new();
        for number in 0..self.program.buffers.len() {
            let buffer = self.program.buffers[number].clone();
            let keeps = match buffer.space {
                Space::Parameter(_) => true,
                Space::State(_) => evaluated.contains(&buffer.name),
                _ => false,
            };
            if keeps {
                let space = Space::Saved(saved.len() as u32);
                let copy = self.program.add_buffer(format!("best.{}", buffer.name), space, buffer.lane, buffer.words);
                saved.push((BufferId(number as u32), copy));
            }
        }
        saved
    }

    /// Kernels of a unit, by their places in its list, with the barriers between them and one at the end.
    fn kernels(&self, unit: &Unit, range: Range<usize>) -> Vec<Control> {
        let mut body = Vec::new();
        for position in range.clone() {
            if unit.memory.barriers[position] && position > range.start {
                body.push(Control::Barrier);
            }
            body.push(Control::Kernel(unit.memory.kernels[position]));
        }
        body.push(Control::Barrier);
        body
    }

    /// Forward and backward, the test of the loss, then the updates.
    fn training_step(&mut self, unit: &Unit, control: BufferId) -> Vec<Control> {
        let batch = self.slot("batch", Lane::I32);
        let finite = self.slot("finite", Lane::I32);
        let mut body = vec![Control::Batch(batch)];
        let updates = |kernel: &u32| {
            let writes = memory::touched(&self.program.kernels[*kernel as usize]).writes;
            writes.iter().any(|buffer| self.program.buffers[buffer.0 as usize].space.is_kept())
        };
        let count = unit.memory.kernels.len();
        let split = unit.memory.kernels.iter().position(updates).unwrap_or(count);
        body.extend(self.kernels(unit, 0..split));
        // A product of the loss with 0 is 0 only if the loss is finite.
        let mut block = BlockBuilder::new();
        let loss = self.output(&mut block, "train.loss");
        let zero = block.f64(0.0);
        let none = block.mul(loss, zero);
        let is_finite = block.compare(Comparison::Eq, none, zero);
        set(&mut block, control, finite, is_finite);
        body.push(Control::Scalar(block.finish()));
        body.push(Control::Barrier);
        let then = self.kernels(unit, split..count);
        body.push(Control::If { condition: finite, then, otherwise: Vec::new() });
        body
    }

    /// A pass over the bound rows in chunks: the same code for `evaluate` and for validation in `fit`.
    fn evaluation(&mut self, unit: &Unit, control: BufferId) -> Vec<Control> {
        let (batch, chunk, chunks) =
            (self.slot("batch", Lane::I32), self.slot("chunk", Lane::I32), self.slot("chunks", Lane::I32));
        let mut turn = vec![call(calls::CHUNK), Control::Barrier, Control::Batch(batch)];
        turn.extend(self.kernels(unit, 0..unit.memory.kernels.len()));
        turn.extend(self.accumulate(unit, control, "evaluate"));
        let ranks = self.combinations.values().any(|combination| combination.ranked);
        if ranks {
            turn.extend([call(calls::SCORED), Control::Barrier]);
        }
        let mut body = self.clear(unit, control, "evaluate");
        body.extend([
            call(calls::VALIDATION),
            Control::Barrier,
            Control::Loop { counter: chunk, count: chunks, stop: None, body: turn },
            Control::Barrier,
        ]);
        if ranks {
            body.extend([call(calls::RANKED), Control::Barrier]);
        }
        body
    }

    /// Epochs of steps, validation, patience, the best copy.
    fn fit(&mut self, unit: &Unit, evaluation: Option<&Unit>, control: BufferId, saved: &[(BufferId, BufferId)]) -> Vec<Control> {
        let (epoch, epochs) = (self.slot("epoch", Lane::I32), self.slot("epochs", Lane::I32));
        let (turn, steps) = (self.slot("turn", Lane::I32), self.slot("steps", Lane::I32));
        let (stop, finite) = (self.slot("stop", Lane::I32), self.slot("finite", Lane::I32));
        let (validates, improved, restore) =
            (self.slot("validates", Lane::I32), self.slot("improved", Lane::I32), self.slot("restore", Lane::I32));
        let mut step = vec![call(calls::NEXT), Control::Barrier];
        step.extend(self.training_step(unit, control));
        step.extend(self.accumulate(unit, control, "train"));
        step.push(Control::Scalar(self.stop_unless_finite(control, finite, stop)));
        step.push(call(calls::STEPPED));
        step.push(Control::Barrier);
        let mut body = self.clear(unit, control, "train");
        body.extend([
            call(calls::EPOCH),
            Control::Barrier,
            Control::Loop { counter: turn, count: steps, stop: Some(stop), body: step },
            Control::Barrier,
        ]);
        if let Some(evaluation) = evaluation {
            let mut then = self.evaluation(evaluation, control);
            then.push(Control::Scalar(self.judge(evaluation, control)));
            then.push(Control::Barrier);
            let copies = saved.iter().map(|&(from, to)| Control::Copy { from, to }).collect();
            // A run that does not restore never touches the copies.
            let keep = Control::If { condition: restore, then: copies, otherwise: Vec::new() };
            then.push(Control::If { condition: improved, then: vec![keep], otherwise: Vec::new() });
            // A run that is stopped from outside still ends its epoch; one whose loss is not finite does not.
            body.push(Control::If {
                condition: finite,
                then: vec![Control::If { condition: validates, then, otherwise: Vec::new() }],
                otherwise: Vec::new(),
            });
        }
        body.push(call(calls::EPOCH_END));
        body.push(Control::Barrier);
        let restores = saved.iter().map(|&(to, from)| Control::Copy { from, to }).collect();
        vec![
            Control::Barrier,
            Control::Loop { counter: epoch, count: epochs, stop: Some(stop), body },
            Control::Barrier,
            Control::If {
                condition: restore,
                then: vec![Control::If { condition: finite, then: restores, otherwise: Vec::new() }],
                otherwise: Vec::new(),
            },
            Control::Barrier,
        ]
    }
}

fn call(symbol: &str) -> Control {
    Control::Call { symbol: symbol.to_string() }
}

fn set(block: &mut BlockBuilder, control: BufferId, slot: Slot, value: Value) {
    let place = View { buffer: control, offset: Linear::fixed(i64::from(slot.0)), strides: Vec::new(), table: None, pick: None };
    block.store(place, value);
}

fn kept(program: &Program) -> BTreeMap<String, BufferId> {
    let mut kept = BTreeMap::new();
    for (number, buffer) in program.buffers.iter().enumerate() {
        if buffer.space.is_kept() {
            kept.entry(buffer.name.clone()).or_insert(BufferId(number as u32));
        }
    }
    kept
}

fn source_names(graph: &Graph, primitive: Primitive) -> Vec<String> {
    graph
        .ids()
        .filter(|id| graph.node(*id).primitive == primitive)
        .filter_map(|id| graph.source_name(id).map(str::to_string))
        .collect()
}
