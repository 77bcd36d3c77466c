//! What happens when a loss is not finite: nothing is lost, and the place where it arose gets a name.
//!
//! The step whose loss is not finite has changed no parameter. An earlier one may have: then the last snapshot is put back and the steps
//! since then are run again, natively, from epoch to epoch, up to the last one that leaves all parameters finite. A step is a pure function
//! of state, seed, step and batch, so they end where they ended before. The interpreter of graphs, or of loops, then runs the failing step to find the first node.

use crate::error::{Error, Result};
use crate::fit::{Group, Interpreter, Plan};
use crate::history::History;
use crate::memory::Arena;
use crate::model::Model;
use crate::workspace::{Slots, Workspace, arena};
use gradc_compiler::graph::NodeId;
use gradc_compiler::loops::interpret::{Memory, run_kernel, tiles};
use gradc_compiler::loops::{BufferId, Lane, Space};
use gradc_compiler::lower::{EPOCH, STEPS};
use gradc_compiler::memory::touched;
use gradc_compiler::not_finite::{Cause, cause_in_f32, named};
use gradc_compiler::ops::Array;
use gradc_compiler::reference;

/// The most values of a step that are kept in f64, all at once: 512 MiB of them.
const MOST_VALUES: usize = 1 << 26;

/// Where a batch begins: an epoch, as the order of its rows is numbered, and how many rows lie before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub epoch: u64,
    pub position: usize,
}

impl Place {
    /// Where the batch behind this one begins.
    fn next(self, plan: &Plan) -> Place {
        let position = plan.turn(self.position).to;
        if position < plan.used { Place { position, ..self } } else { Place { epoch: self.epoch + 1, position: 0 } }
    }
}

/// A copy of everything that is kept between steps, and where the run stood. It is made before the run and written in place.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Whether there is a copy; if not, it knows where the run stood.
    holds: bool,
    buffers: Vec<BufferId>,
    /// For each buffer where its tensor stands, and its copy.
    tensors: Vec<*const f32>,
    copies: Vec<Arena>,
    step: u64,
    batches: u64,
    place: Place,
}

// SAFETY: the pointers lead into the model's store, which outlives the run; they are read on the first thread while no kernel runs.
unsafe impl Send for Snapshot {}

impl Snapshot {
    /// Room for a copy of the model's parameters and states, if one is to be kept; [`take`](Snapshot::take) fills it. A run may have left it.
    ///
    /// # Errors
    /// When memory is refused.
    pub fn new(model: &Model, holds: bool) -> Result<Self> {
        let kept = |buffer: &BufferId| {
            matches!(model.compiled.assembled.program.buffers[buffer.0 as usize].space, Space::Parameter(_) | Space::State(_))
        };
        let buffers: Vec<BufferId> = model.store.buffers().filter(|buffer| holds && kept(buffer)).collect();
        let tensors = buffers.iter().map(|buffer| model.store.pointer(*buffer).cast_const().cast::<f32>()).collect();
        let left = model.spare.copies();
        let lengths = || buffers.iter().map(|buffer| model.store.get(*buffer).len());
        let copies =
            if left.iter().map(Arena::len).eq(lengths()) { left } else { lengths().map(arena).collect::<Result<_>>()? };
        let place = Place { epoch: model.epoch, position: 0 };
        Ok(Snapshot { holds, buffers, tensors, copies, step: model.step, batches: model.batches, place })
    }

    /// Copies the state as it is now, after so many steps and batches, where a step begins.
    pub fn take(&mut self, step: u64, batches: u64, place: Place) {
        for (from, to) in self.tensors.iter().zip(&mut self.copies) {
            // SAFETY: `from` leads to a tensor of the store of exactly this length; no kernel runs meanwhile.
            unsafe { std::ptr::copy_nonoverlapping(*from, to.as_ptr(), to.len()) };
        }
        (self.step, self.batches, self.place) = (step, batches, place);
    }

    /// Leaves the room for the copy to the model's next run.
    pub fn leave(self, model: &Model) {
        model.spare.put_copies(self.copies);
    }

    fn restore(&self, model: &mut Model) {
        for (buffer, values) in self.buffers.iter().zip(&self.copies) {
            model.store.get_mut(*buffer).copy_from_slice(values.as_slice());
        }
        (model.step, model.batches) = (self.step, self.batches);
    }
}

/// Whether there is no NaN and no infinity, looked at a block at a time, so that vectors do the work.
fn all_finite(values: &[f32]) -> bool {
    values.chunks(1024).all(|block| block.iter().fold(true, |finite, value| finite & value.is_finite()))
}

impl Model {
    /// Brings back the last good state and makes the error. A loss that is finite means that the step after the last would have failed.
    /// `failing` is where the failing batch begins.
    pub(crate) fn recover(
        &mut self,
        plan: &Plan,
        snapshot: &Snapshot,
        workspace: &mut Workspace,
        mut failing: Place,
        loss: f64,
        history: History,
    ) -> Error {
        let failed = self.step;
        // The failing step itself has changed nothing.
        (self.step, self.batches) = (failed.saturating_sub(1), self.batches.saturating_sub(1));
        if snapshot.holds && !self.parameters_finite() {
            let (good, _) = self.replay(plan, snapshot, workspace, failed);
            if good < failed.saturating_sub(1) {
                (_, failing) = self.replay(plan, snapshot, workspace, good);
                while !plan.turn(failing.position).is_last {
                    failing = failing.next(plan);
                }
            }
        }
        let cause = self.cause(plan, workspace, failing);
        let step = if loss.is_finite() { self.step + 1 } else { failed };
        let kept = self.parameters_finite().then_some(self.step);
        Error::diverged((step, loss), kept, cause, Some(history))
    }

    /// Whether no parameter holds a NaN or an infinity.
    pub(crate) fn parameters_finite(&self) -> bool {
        let names = self.compiled.info.parameters.iter().map(|parameter| parameter.name.as_str());
        names.filter_map(|name| self.parameter(name).ok()).all(all_finite)
    }

    /// Runs steps again from the snapshot, to `until` at most; gives the last step with finite parameters, and where the one after it begins.
    fn replay(&mut self, plan: &Plan, snapshot: &Snapshot, workspace: &mut Workspace, until: u64) -> (u64, Place) {
        snapshot.restore(self);
        let mut place = snapshot.place;
        let mut good = (self.step, place);
        while self.step < until {
            self.bind_turn(plan, workspace, place);
            let finite = self.run("step", workspace).is_ok() && Slots(&self.compiled.assembled).get(workspace, "finite") != 0.0;
            if !finite {
                break;
            }
            self.batches += 1;
            let is_last = plan.turn(place.position).is_last;
            place = place.next(plan);
            if is_last {
                self.step += 1;
                if !self.parameters_finite() {
                    break;
                }
                good = (self.step, place);
            }
        }
        good
    }

    /// Rows and scalars of a batch of the step after the present state.
    fn bind_turn(&self, plan: &Plan, workspace: &mut Workspace, place: Place) {
        let mut order: Vec<u32> = (0..plan.train.rows as u32).collect();
        plan.order(self.seed, place.epoch, &mut order);
        let turn = plan.turn(place.position);
        let rows = &order[turn.from..turn.to];
        workspace.bind(&plan.train);
        workspace.rows_mut()[..rows.len()].copy_from_slice(rows);
        Group::of(self).set(workspace, turn);
        let slots = Slots(&self.compiled.assembled);
        slots.set(workspace, "batch", rows.len() as f64);
        slots.set(workspace, "step", (self.step + 1) as f64);
        slots.set(workspace, "step.word", f64::from((self.batches + 1) as u32 as i32));
        slots.set(workspace, EPOCH, (place.epoch + 1) as f64);
    }

    /// What becomes NaN or infinite in the step after the present state, and why: in f64, where nothing is fused and each operation
    /// has its own value, if that knows the element; else as the loops compute it, whose sums f32 may lose on their way.
    pub(crate) fn cause(&self, plan: &Plan, workspace: &mut Workspace, failing: Place) -> Option<Cause> {
        self.bind_turn(plan, workspace, failing);
        let known = self.cause_in_f64(plan, workspace, failing).filter(|cause| cause.why.is_some());
        known.or_else(|| self.first_not_finite(plan, workspace))
    }

    /// Evaluates the step that is bound, unless its values would take too much memory.
    fn cause_in_f64(&self, plan: &Plan, workspace: &mut Workspace, failing: Place) -> Option<Cause> {
        let graph = self.compiled.front.graphs.training.as_ref()?;
        let turn = plan.turn(failing.position);
        let rows = workspace.rows_mut()[..turn.to - turn.from].to_vec();
        let values = graph.ids().map(|id| graph.ty(id).shape.count(rows.len())).fold(0, usize::saturating_add);
        if values > MOST_VALUES {
            return None;
        }
        let slot = |name: &str| Slots(&self.compiled.assembled).get(workspace, name);
        let setting = |name: &String| (name.clone(), Array::scalar(slot(&format!("setting.{name}"))));
        let settings = self.compiled.info.settings.iter().map(|one| setting(&one.name)).collect();
        let interpreter = Interpreter { settings, steps: slot(STEPS), ..self.interpreter() };
        let environment = interpreter.environment(&plan.train, &rows, [self.step + 1, self.batches + 1, failing.epoch + 1]);
        cause_in_f32(graph, &reference::evaluate(graph, &environment))
    }

    /// Interprets the step that is bound; names the first node with a value that is not finite, and its place.
    fn first_not_finite(&self, plan: &Plan, workspace: &mut Workspace) -> Option<Cause> {
        let compiled = &self.compiled;
        let unit = compiled.assembled.unit("train")?;
        let program = &compiled.assembled.program;
        let n = Slots(&compiled.assembled).get(workspace, "batch") as i64;
        let mut memory = Memory::new(program, n.max(1));
        for (number, buffer) in program.buffers.iter().enumerate() {
            let id = BufferId(number as u32);
            match buffer.space {
                Space::Parameter(_) | Space::State(_) | Space::Saved(_) => memory.set_floats(id, self.store.get(id)),
                Space::Rows => memory.words[number] = (0..n as u32).collect(),
                Space::Input(_) => {
                    let field = compiled.fields.iter().position(|field| *field == buffer.name);
                    memory.words[number] =
                        field.map_or_else(Vec::new, |field| gather(plan, field, &workspace.rows_mut()[..n as usize]));
                }
                Space::Control => {
                    for (slot, info) in (0..).map(gradc_compiler::loops::Slot).zip(&program.slots) {
                        match info.lane {
                            Lane::F64 => memory.set_slot_f64(slot, workspace.f64(slot)),
                            _ => memory.set_slot_i32(slot, workspace.i32(slot)),
                        };
                    }
                }
                _ => {}
            }
        }
        for &kernel in &unit.memory.kernels {
            let kernel = &program.kernels[kernel as usize];
            if run_kernel(program, kernel, &mut memory, n, tiles(kernel, n)).is_err() {
                return None;
            }
            let bad = |buffer: &BufferId| {
                let info = &program.buffers[buffer.0 as usize];
                info.lane == Lane::F32
                    && !matches!(info.space, Space::Parameter(_) | Space::State(_))
                    && memory.floats(*buffer).iter().any(|value| !value.is_finite())
            };
            let nodes = touched(kernel)
                .writes
                .into_iter()
                .filter(bad)
                .filter_map(|buffer| node_of(&program.buffers[buffer.0 as usize].name));
            if let Some(node) = nodes.min() {
                let (node, place) = named(&unit.graph, node);
                return Some(Cause { node, place, ..Cause::default() });
            }
        }
        None
    }
}

/// The batch's rows of a field.
fn gather(plan: &Plan, field: usize, rows: &[u32]) -> Vec<u32> {
    let words = plan.train.words(field).unwrap_or_default();
    let width = words.len() / plan.train.rows.max(1);
    rows.iter().flat_map(|row| words.iter().skip(*row as usize * width).take(width).copied()).collect()
}

/// The graph node that a buffer's name holds: `train.%41` or `train.3.%41 exp hidden`.
fn node_of(name: &str) -> Option<NodeId> {
    let digits: String = name.split_once('%')?.1.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(NodeId)
}
