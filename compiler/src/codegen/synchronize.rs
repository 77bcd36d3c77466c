//! Where the threads of a team must wait for one another on account of the control buffer.
//!
//! The loop interpreter runs an entry on one thread. Generated code runs it on every thread of a team at once: `Scalar`, `Copy`,
//! `Call` and kernels without a parallel loop are executed by the **first** thread alone; all other kernels, the conditions of `If`,
//! `count` and `stop` of `Loop`, and `Batch` by the whole **team**. Both mean the same if no thread sees a control slot too early or
//! too late, and this module makes sure of it. A barrier is implied
//!
//! 1. in a loop, each time after the first thread has written the counter's slot and before `count` is compared with it;
//! 2. before a statement that reads a slot which *other* threads may have written since the last barrier, or that writes a slot which
//!    other threads may have read or written since. A write by the first thread and a read by the team are such a pair; two
//!    statements of the first thread never are.
//!
//! An explicit `Barrier` right after an implied one is dropped. Since all threads take the same branches (rule 2 covers the slots that
//! decide) they meet at the same barriers. Rule 2 looks at slots one by one; a kernel that computes its slot counts as using all,
//! and so does a `Call`, which may read and write any.
//!
//! Data outside the control buffer is the program's affair: what one kernel or scalar block leaves there for another needs an
//! explicit `Barrier` in between, or rule 1.

use std::collections::BTreeSet;

use super::Error;
use crate::loops::{Block, BufferId, Control, Instruction, Kernel, Leaf, Program, Slot, Space, View, leaves};

/// A control statement with every barrier in its place.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Step<'p> {
    Barrier,
    Kernel(u32),
    /// Kernels, barriers and copies that stand in a function of their own.
    Part(u32),
    /// A turn for one row on one thread in a function of its own, of this number, for all others as steps.
    Alone {
        part: u32,
        otherwise: Vec<Step<'p>>,
    },
    Scalar(&'p Block),
    Batch(Slot),
    Copy {
        from: BufferId,
        to: BufferId,
    },
    Call(&'p str),
    If {
        condition: Slot,
        then: Vec<Step<'p>>,
        otherwise: Vec<Step<'p>>,
    },
    Loop(Turns<'p>),
}

impl Step<'_> {
    /// Whether some turn in it has a function of its own.
    pub fn has_alone(&self) -> bool {
        match self {
            Step::Alone { .. } => true,
            Step::If { then, otherwise, .. } => then.iter().chain(otherwise).any(Step::has_alone),
            Step::Loop(turns) => turns.body.iter().any(Step::has_alone),
            _ => false,
        }
    }
}

/// A loop with its barriers; one always stands after the counter's slot is written.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Turns<'p> {
    pub counter: Slot,
    pub count: Slot,
    pub stop: Option<Slot>,
    /// Whether another barrier stands before the counter's slot is written.
    pub before_counter: bool,
    /// Up to the test of `stop`.
    pub body: Vec<Step<'p>>,
}

type Slots = BTreeSet<Slot>;

/// What a statement reads and writes.
#[derive(Clone, Default)]
struct Access {
    reads: Slots,
    writes: Slots,
}

/// Who executes a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    First,
    Team,
}

/// Slots touched since the last barrier.
#[derive(Clone, Default, PartialEq, Eq)]
struct Since {
    first_read: Slots,
    first_written: Slots,
    team_read: Slots,
    team_written: Slots,
}

impl Since {
    /// Whether threads must meet before this access.
    fn conflicts(&self, who: Who, access: &Access) -> bool {
        let meets = |a: &Slots, b: &Slots| !a.is_disjoint(b);
        let team = meets(&access.reads, &self.team_written)
            || meets(&access.writes, &self.team_written)
            || meets(&access.writes, &self.team_read);
        let first = meets(&access.reads, &self.first_written)
            || meets(&access.writes, &self.first_written)
            || meets(&access.writes, &self.first_read);
        team || (who == Who::Team && first)
    }

    fn record(&mut self, who: Who, access: Access) {
        let (read, written) = match who {
            Who::First => (&mut self.first_read, &mut self.first_written),
            Who::Team => (&mut self.team_read, &mut self.team_written),
        };
        read.extend(access.reads);
        written.extend(access.writes);
    }

    fn join(&mut self, other: &Since) {
        self.first_read.extend(&other.first_read);
        self.first_written.extend(&other.first_written);
        self.team_read.extend(&other.team_read);
        self.team_written.extend(&other.team_written);
    }
}

/// Puts every barrier into its place.
///
/// # Errors
/// If a statement names a slot or a kernel that the program lacks.
pub(super) fn synchronize<'p>(program: &'p Program, body: &'p [Control]) -> Result<Vec<Step<'p>>, Error> {
    let mut since = Since::default();
    Walk { program }.sequence(body, &mut since)
}

struct Walk<'p> {
    program: &'p Program,
}

impl<'p> Walk<'p> {
    fn sequence(&self, body: &'p [Control], since: &mut Since) -> Result<Vec<Step<'p>>, Error> {
        let mut steps = Vec::new();
        for statement in body {
            self.statement(statement, since, &mut steps)?;
        }
        Ok(steps)
    }

    fn statement(&self, statement: &'p Control, since: &mut Since, steps: &mut Vec<Step<'p>>) -> Result<(), Error> {
        match statement {
            Control::Barrier => {
                if steps.last() != Some(&Step::Barrier) {
                    steps.push(Step::Barrier);
                }
                *since = Since::default();
            }
            Control::Kernel(index) => {
                let kernel = self
                    .program
                    .kernels
                    .get(*index as usize)
                    .ok_or_else(|| Error::Malformed(format!("there is no kernel {index}")))?;
                let who = match kernel.parallel {
                    Some(_) => Who::Team,
                    None => Who::First,
                };
                access(who, self.kernel(kernel), since, steps);
                steps.push(Step::Kernel(*index));
            }
            Control::Scalar(block) => {
                let mut found = Access::default();
                self.block(block, &mut found);
                access(Who::First, found, since, steps);
                steps.push(Step::Scalar(block));
            }
            Control::Batch(slot) => {
                access(Who::Team, self.read(*slot)?, since, steps);
                steps.push(Step::Batch(*slot));
            }
            Control::Copy { from, to } => {
                let mut found = Access::default();
                if self.is_control(*from) {
                    found.reads = self.all();
                }
                if self.is_control(*to) {
                    found.writes = self.all();
                }
                access(Who::First, found, since, steps);
                steps.push(Step::Copy { from: *from, to: *to });
            }
            Control::Call { symbol } => {
                let found = Access { reads: self.all(), writes: self.all() };
                access(Who::First, found, since, steps);
                steps.push(Step::Call(symbol));
            }
            Control::If { condition, then, otherwise } => {
                access(Who::Team, self.read(*condition)?, since, steps);
                let mut other = since.clone();
                let then = self.sequence(then, since)?;
                let otherwise = self.sequence(otherwise, &mut other)?;
                since.join(&other);
                steps.push(Step::If { condition: *condition, then, otherwise });
            }
            Control::Loop { counter, count, stop, body } => self.repeat(*counter, *count, *stop, body, since, steps)?,
        }
        Ok(())
    }

    /// A loop: what holds before a turn must cover the turn before it, so the body is walked until nothing is added.
    fn repeat(
        &self,
        counter: Slot,
        count: Slot,
        stop: Option<Slot>,
        body: &'p [Control],
        since: &mut Since,
        steps: &mut Vec<Step<'p>>,
    ) -> Result<(), Error> {
        let written = Access { writes: self.read(counter)?.reads, ..Access::default() };
        let mut head = since.clone();
        loop {
            let before_counter = head.conflicts(Who::First, &written);
            // After the counter's barrier.
            let mut tested = Since::default();
            tested.record(Who::Team, self.read(count)?);
            let mut end = tested.clone();
            let mut inside = self.sequence(body, &mut end)?;
            if let Some(stop) = stop {
                access(Who::Team, self.read(stop)?, &mut end, &mut inside);
            }
            let mut covered = head.clone();
            covered.join(&end);
            if covered == head {
                tested.join(&end);
                *since = tested;
                steps.push(Step::Loop(Turns { counter, count, stop, before_counter, body: inside }));
                return Ok(());
            }
            head = covered;
        }
    }

    fn read(&self, slot: Slot) -> Result<Access, Error> {
        if slot.0 as usize >= self.program.slots.len() {
            return Err(Error::Malformed(format!("there is no slot {}", slot.0)));
        }
        Ok(Access { reads: Slots::from([slot]), ..Access::default() })
    }

    fn all(&self) -> Slots {
        (0..self.program.slots.len() as u32).map(Slot).collect()
    }

    fn is_control(&self, buffer: BufferId) -> bool {
        let buffer = self.program.buffers.get(buffer.0 as usize);
        buffer.is_some_and(|buffer| buffer.space == Space::Control)
    }

    fn kernel(&self, kernel: &Kernel) -> Access {
        let mut found = Access::default();
        for leaf in leaves(&kernel.body) {
            // Products work on floats, which the control buffer does not hold.
            if let Leaf::Nest(nest) = leaf {
                self.block(&nest.block, &mut found);
            }
        }
        found
    }

    fn block(&self, block: &Block, found: &mut Access) {
        for instruction in &block.code {
            match instruction {
                Instruction::Load(view, _) if self.is_control(view.buffer) => {
                    found.reads.extend(self.slots(view));
                }
                Instruction::Store(view, _) if self.is_control(view.buffer) => {
                    found.writes.extend(self.slots(view));
                }
                _ => {}
            }
        }
    }

    /// The slots that a view of the control buffer can mean.
    fn slots(&self, view: &View) -> Slots {
        let known = view.strides.is_empty() && view.table.is_none() && view.offset.is_fixed();
        match u32::try_from(view.offset.constant) {
            Ok(slot) if known => Slots::from([Slot(slot)]),
            _ => self.all(),
        }
    }
}

/// Records an access, behind a barrier if it needs one.
fn access(who: Who, access: Access, since: &mut Since, steps: &mut Vec<Step>) {
    if since.conflicts(who, &access) {
        steps.push(Step::Barrier);
        *since = Since::default();
    }
    since.record(who, access);
}
