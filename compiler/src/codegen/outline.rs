//! What is compiled of a program: its kernels, its entries, and *parts* of entries.
//!
//! A run of very many kernels or copies, such as the step of a network of a thousand layers, would make one function whose compile time
//! grows faster than it does: pointers to all that is copied live as long as the run. Such a run is cut into parts, which are functions
//! too; entries that have a run in common share its parts. A part takes the context and the number of rows.

use super::Error;
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
    /// Kernels, barriers and copies of each part.
    pub parts: Vec<Vec<Step<'p>>>,
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
            entries.push(cut(steps, &mut parts));
        }
        Ok(Outline { program, names: Names::of(program, parts.len()), places: Places::of(program), entries, parts })
    }

    /// Number of functions: kernels, entries, parts.
    pub fn functions(&self) -> usize {
        self.program.kernels.len() + self.entries.len() + self.parts.len()
    }
}

fn cut<'p>(steps: Vec<Step<'p>>, parts: &mut Vec<Vec<Step<'p>>>) -> Vec<Step<'p>> {
    let is_plain = |step: &Step| matches!(step, Step::Kernel(_) | Step::Barrier | Step::Copy { .. });
    let mut result = Vec::new();
    let mut run: Vec<Step<'p>> = Vec::new();
    let end = |run: &mut Vec<Step<'p>>, result: &mut Vec<Step<'p>>, parts: &mut Vec<Vec<Step<'p>>>| {
        if run.len() <= MOST_STEPS {
            result.append(run);
            return;
        }
        for chunk in std::mem::take(run).chunks(PART_STEPS) {
            let known = parts.iter().position(|part| part == chunk);
            let number = known.unwrap_or_else(|| {
                parts.push(chunk.to_vec());
                parts.len() - 1
            });
            result.push(Step::Part(number as u32));
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
