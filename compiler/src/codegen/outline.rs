//! What is compiled of a program: its kernels, its entries, and *parts* of entries.
//!
//! A run of very many kernels or copies, such as the step of a network of a thousand layers, would make one function whose compile time
//! grows faster than it does: pointers to all that is copied live as long as the run. Such a run is cut into parts, which are functions
//! too; entries that have a run in common share its parts. A part takes the context and the number of rows. What a turn of a loop does
//! between its batch and its next call is a part too, beside the steps that it stands for, if it is short enough to be written
//! [straight](super::straight) for one row on one thread.

use super::Error;
use super::alone::Alone;
use super::symbols::Names;
use super::synchronize::{Step, synchronize};
use crate::loops::Program;
use crate::loops::places::Places;

/// Most kernels, barriers and copies of a run that stays where it is.
const MOST_STEPS: usize = 512;
/// How many of them a part has.
const PART_STEPS: usize = 128;

/// A program's functions.
pub(super) struct Outline<'p> {
    pub program: &'p Program,
    pub names: Names,
    /// What its products look up.
    pub places: Places,
    /// What each entry does.
    pub entries: Vec<Vec<Step<'p>>>,
    pub parts: Vec<Part<'p>>,
}

/// A part of an entry.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Part<'p> {
    /// Kernels, barriers and copies.
    Run(Vec<Step<'p>>),
    /// A turn for one row on one thread.
    Alone(Alone<'p>),
}

impl<'p> Outline<'p> {
    /// Puts every barrier into its place and cuts what is long.
    ///
    /// # Errors
    /// If an entry names a slot or a kernel that the program lacks.
    pub fn of(program: &'p Program) -> Result<Self, Error> {
        let mut parts = Vec::new();
        let mut entries = Vec::new();
        for (number, entry) in program.entries.iter().enumerate() {
            let steps = synchronize(program, &entry.body)
                .map_err(|error| Error::In { function: format!("entry{number}.{}", entry.name), error: Box::new(error) })?;
            entries.push(cut(split(program, steps, false, &mut parts), &mut parts));
        }
        Ok(Outline { program, names: Names::of(program, parts.len()), places: Places::of(program), entries, parts })
    }

    /// Number of functions: kernels, entries, parts.
    pub fn functions(&self) -> usize {
        self.program.kernels.len() + self.entries.len() + self.parts.len()
    }
}

/// The number of a part, which is added if it is new.
fn number<'p>(part: Part<'p>, parts: &mut Vec<Part<'p>>) -> u32 {
    let known = parts.iter().position(|known| *known == part);
    known.unwrap_or_else(|| {
        parts.push(part);
        parts.len() - 1
    }) as u32
}

/// In loops, puts a part for one row on one thread beside what stands between a batch and the next call, where there can be one.
fn split<'p>(program: &'p Program, steps: Vec<Step<'p>>, turns: bool, parts: &mut Vec<Part<'p>>) -> Vec<Step<'p>> {
    let mut result = Vec::new();
    let mut steps = steps.into_iter().peekable();
    while let Some(step) = steps.next() {
        let is_batch = matches!(step, Step::Batch(_));
        result.push(match step {
            Step::If { condition, then, otherwise } => {
                let [then, otherwise] = [then, otherwise].map(|steps| split(program, steps, turns, parts));
                Step::If { condition, then, otherwise }
            }
            Step::Loop(mut inner) => {
                inner.body = split(program, inner.body, true, parts);
                Step::Loop(inner)
            }
            other => other,
        });
        if is_batch && turns {
            let mut otherwise = Vec::new();
            while let Some(step) = steps.next_if(|step| !matches!(step, Step::Call(_) | Step::Batch(_) | Step::Loop(_))) {
                otherwise.push(step);
            }
            match Alone::of(program, &otherwise) {
                Some(alone) => result.push(Step::Alone { part: number(Part::Alone(alone), parts), otherwise }),
                None => result.append(&mut otherwise),
            }
        }
    }
    result
}

fn cut<'p>(steps: Vec<Step<'p>>, parts: &mut Vec<Part<'p>>) -> Vec<Step<'p>> {
    let is_plain = |step: &Step| matches!(step, Step::Kernel(_) | Step::Barrier | Step::Copy { .. });
    let mut result = Vec::new();
    let mut run: Vec<Step<'p>> = Vec::new();
    let end = |run: &mut Vec<Step<'p>>, result: &mut Vec<Step<'p>>, parts: &mut Vec<Part<'p>>| {
        if run.len() <= MOST_STEPS {
            result.append(run);
            return;
        }
        for chunk in std::mem::take(run).chunks(PART_STEPS) {
            result.push(Step::Part(number(Part::Run(chunk.to_vec()), parts)));
        }
    };
    for step in steps {
        if is_plain(&step) {
            run.push(step);
            continue;
        }
        end(&mut run, &mut result, parts);
        result.push(match step {
            Step::If { condition, then, otherwise } => {
                Step::If { condition, then: cut(then, parts), otherwise: cut(otherwise, parts) }
            }
            Step::Loop(mut turns) => {
                turns.body = cut(turns.body, parts);
                Step::Loop(turns)
            }
            other => other,
        });
    }
    end(&mut run, &mut result, parts);
    result
}
