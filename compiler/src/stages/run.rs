//! Executing a stage: graphs by the f64 reference, loops by their interpreter.
//!
//! Sources that are not given are drawn at random, by their name and a seed, so that two stages of one network see the same values and
//! their results can be compared. Whole numbers are 0 and 1: loops do not say how many classes there are.

use crate::base::columns::left;
use crate::graph::{Element, Graph, Shape};
use crate::loops::interpret::{Memory, run_entry, run_kernel, tiles};
use crate::loops::verify::verify;
use crate::loops::{Buffer, BufferId, Extent, Kernel, Lane, Parallel, Program, Space, Statement, Var};
use crate::lower::{EPOCH, STEPS};
use crate::ops::Array;
use crate::passes::validate;
use crate::reference;
use crate::splitmix::Random;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What the names of settings begin with where they are slots.
const SETTING: &str = "setting.";

/// What a stage is executed on.
#[derive(Clone, PartialEq, Debug)]
pub struct Inputs {
    /// Values by name, row-major.
    pub given: BTreeMap<String, Vec<f64>>,
    /// Rows of the batch.
    pub batch: usize,
    /// What values that are not given are drawn from.
    pub seed: u64,
}

/// Words of memory beyond which a stage is not executed: 1 GiB.
const MOST_WORDS: usize = 1 << 28;

/// Multiply-adds, or turns of loops, beyond which a stage is not executed.
const MOST_TURNS: usize = 1 << 32;

/// Values by name that a run leaves.
pub type Results = Vec<(String, Array)>;

/// Outputs of a graph, then the next values of parameters and states.
///
/// # Errors
/// A given value that the graph does not know, or of another size; a graph that is too large to be interpreted.
pub fn graph(graph: &Graph, inputs: &Inputs) -> Result<Results, String> {
    let size = |shape: &Shape| shape.0.iter().fold(2usize, |words, dim| words.saturating_mul(dim.at(inputs.batch).max(1)));
    let words = graph.ids().map(|id| size(graph.shape(id))).fold(0, usize::saturating_add);
    is_small(words, validate::cost(graph, inputs.batch), inputs.batch)?;
    let mut environment = validate::sample(graph, inputs.batch, inputs.seed);
    for id in graph.ids().filter(|id| !graph.ty(*id).element.is_real()) {
        let Some((name, array)) = graph.source_name(id).and_then(|name| Some((name, environment.sources.get_mut(name)?))) else {
            continue;
        };
        let most = if let Element::Class(count) = graph.ty(id).element { f64::from(count) - 1.0 } else { 1.0 };
        array.data = drawn(name, array.data.len(), Drawn::Whole, inputs.seed).iter().map(|value| value.min(most)).collect();
    }
    for (name, values) in &inputs.given {
        let known: Vec<String> = environment.sources.keys().cloned().collect();
        let array = environment.sources.get_mut(name).ok_or_else(|| unknown(name, &known))?;
        array.data = fitted(name, values, array.data.len())?;
    }
    let (outputs, updates) = reference::run(graph, &environment);
    let updates = updates.into_iter().map(|(name, value)| (format!("next {name}"), value));
    Ok(outputs.into_iter().chain(updates).collect())
}

/// What a program leaves in its outputs, parameters and states after `entry`, or after all kernels in order if it has no entries.
///
/// # Errors
/// A given value that the program does not know, no such entry, a program that breaks its rules or is too large to be interpreted.
pub fn loops(program: &Program, entry: &str, inputs: &Inputs) -> Result<Results, String> {
    let batch = i64::try_from(inputs.batch).unwrap_or(i64::MAX);
    verify(program, batch.max(1)).map_err(|error| error.to_string())?;
    let words = |buffer: &Buffer| usize::try_from(buffer.words.at(batch)).unwrap_or(0).saturating_mul(2);
    let words = program.buffers.iter().map(words).fold(0, usize::saturating_add);
    is_small(words, program.kernels.iter().map(|kernel| turns(kernel, batch)).fold(0, usize::saturating_add), inputs.batch)?;
    let mut memory = Memory::new(program, batch);
    fill(program, &mut memory, inputs)?;
    if program.entries.is_empty() {
        for kernel in &program.kernels {
            let tiles = tiles(kernel, batch);
            run_kernel(program, kernel, &mut memory, batch, tiles).map_err(|fault| fault.to_string())?;
        }
    } else {
        // The runtime's part (the next batch, an epoch's permutation) has been done: the rows are bound.
        run_entry(program, entry, &mut memory, &mut |_, _| {}).map_err(|fault| {
            let names: Vec<&str> = program.entries.iter().map(|entry| entry.name.as_str()).collect();
            format!("{fault} (entries: {})", names.join(", "))
        })?;
    }
    let kept = |space| matches!(space, Space::Output(_) | Space::Parameter(_) | Space::State(_));
    let left = (0..).map(BufferId).zip(&program.buffers).filter(|(_, buffer)| kept(buffer.space) && buffer.lane == Lane::F32);
    Ok(left
        .map(|(id, buffer)| {
            let data: Vec<f64> = memory.floats(id).into_iter().map(f64::from).collect();
            (buffer.name.clone(), Array::new(vec![data.len()], data))
        })
        .collect())
}

fn is_small(words: usize, turns: usize, batch: usize) -> Result<(), String> {
    let too_large = |what: &str, found: usize, most: usize| {
        Err(format!("for {batch} rows it asks for {found} {what}, more than the {most} that are interpreted; take fewer rows"))
    };
    match (words <= MOST_WORDS, turns <= MOST_TURNS) {
        (true, true) => Ok(()),
        (false, _) => too_large("words of memory", words, MOST_WORDS),
        (true, false) => too_large("turns of loops", turns, MOST_TURNS),
    }
}

/// At most so many turns the loops of a kernel make, all taken together.
fn turns(kernel: &Kernel, batch: i64) -> usize {
    fn whole(count: i64) -> usize {
        usize::try_from(count).unwrap_or(0)
    }
    fn of(extent: Extent, batch: i64) -> usize {
        match extent {
            Extent::Whole(count) => whole(count.at(batch)),
            Extent::Tile { step, total, .. } => whole(step.min(total.at(batch))),
        }
    }
    fn body(statements: &[Statement], batch: i64) -> usize {
        let one = |statement: &Statement| match statement {
            Statement::Nest(nest) => {
                let turns = nest.axes.iter().fold(1usize, |turns, axis| turns.saturating_mul(of(axis.extent, batch)));
                turns.saturating_mul(nest.block.code.len().max(1))
            }
            // At least 1 each: a row is made even if no element is stored.
            Statement::Product(product) => [product.m, product.n, product.k]
                .into_iter()
                .fold(1usize, |turns, extent| turns.saturating_mul(of(extent, batch).max(1))),
            Statement::Tiles { step, total, body: inner, .. } => {
                let tiles = Parallel { var: Var(0), step: *step, total: *total }.tiles(batch);
                whole(tiles).saturating_mul(body(inner, batch).max(1))
            }
        };
        statements.iter().map(one).fold(0, usize::saturating_add)
    }
    whole(tiles(kernel, batch).end).saturating_mul(body(&kernel.body, batch).max(1))
}

/// Gives every buffer and slot that comes from outside its first words.
fn fill(program: &Program, memory: &mut Memory, inputs: &Inputs) -> Result<(), String> {
    for (id, buffer) in (0..).map(BufferId).zip(&program.buffers) {
        let words = &mut memory.words[id.0 as usize];
        let given = inputs.given.get(&buffer.name);
        match buffer.space {
            Space::Rows => words.iter_mut().zip(0..).for_each(|(word, row)| *word = row),
            Space::Parameter(_) | Space::State(_) | Space::Input(_) => {
                let values = match given {
                    Some(values) => fitted(&buffer.name, values, words.len())?,
                    None => drawn(&buffer.name, words.len(), Drawn::of(buffer), inputs.seed),
                };
                for (word, value) in words.iter_mut().zip(values) {
                    *word = if buffer.lane == Lane::I32 { value.max(0.0) as u32 } else { (value as f32).to_bits() };
                }
            }
            _ if given.is_some() => return Err(format!("`{}` is not filled from outside", buffer.name)),
            _ => {}
        }
    }
    for (slot, info) in (0..).map(crate::loops::Slot).zip(&program.slots) {
        let usual = match info.name.as_str() {
            "batch" => inputs.batch as f64,
            "step" | "step.word" => validate::step_of(inputs.seed) as f64,
            STEPS => validate::STEPS,
            EPOCH => validate::step_of(inputs.seed) as f64,
            "seed.low" => f64::from(inputs.seed as u32 as i32),
            // Settings; what the driver keeps there it writes before it reads it.
            name if info.lane == Lane::F64 => {
                drawn(name.strip_prefix(SETTING).unwrap_or(name), 1, Drawn::Positive, inputs.seed)[0]
            }
            _ => 0.0,
        };
        let given = inputs.given.get(&info.name).or_else(|| inputs.given.get(info.name.strip_prefix(SETTING)?));
        let value = given.and_then(|values| values.first()).copied().unwrap_or(usual);
        let _ = if info.lane == Lane::F64 { memory.set_slot_f64(slot, value) } else { memory.set_slot_i32(slot, value as i32) };
    }
    let slots = program.slots.iter().map(|slot| slot.name.strip_prefix(SETTING).unwrap_or(&slot.name));
    let known: Vec<String> = program.buffers.iter().map(|buffer| buffer.name.as_str()).chain(slots).map(str::to_string).collect();
    inputs.given.keys().find(|name| !known.contains(name)).map_or(Ok(()), |name| Err(unknown(name, &known)))
}

/// Which numbers a source is made of.
#[derive(Clone, Copy, PartialEq)]
enum Drawn {
    Real,
    /// States and settings, such as deviations and rates.
    Positive,
    Whole,
}

impl Drawn {
    fn of(buffer: &Buffer) -> Drawn {
        match (buffer.lane, buffer.space) {
            (Lane::I32, _) => Drawn::Whole,
            (_, Space::State(_)) => Drawn::Positive,
            _ => Drawn::Real,
        }
    }
}

/// The values of a source of this name; reals are those that [`validate::sample`] draws.
fn drawn(name: &str, count: usize, kind: Drawn, seed: u64) -> Vec<f64> {
    let mut random = Random(validate::seed_of(name, seed));
    let mut one = || match kind {
        Drawn::Real => f64::from(random.between(-1.5, 1.5) as f32),
        Drawn::Positive => f64::from(random.between(0.01, 1.0) as f32),
        Drawn::Whole => random.below(2) as f64,
    };
    (0..count).map(|_| one()).collect()
}

fn fitted(name: &str, values: &[f64], count: usize) -> Result<Vec<f64>, String> {
    match values {
        [one] => Ok(vec![*one; count]),
        _ if values.len() == count => Ok(values.to_vec()),
        _ => Err(format!("`{name}` takes {count} values (or one for all), found {}", values.len())),
    }
}

fn unknown(name: &str, known: &[String]) -> String {
    format!("nothing is called `{name}`; there are: {}", known.join(", "))
}

/// Results as text, one line a value; of a long one the first elements.
pub fn print(results: &Results) -> String {
    const SHOWN: usize = 8;
    let width = results.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, array) in results {
        let shown: Vec<String> = array.data.iter().take(SHOWN).map(|value| format!("{value:.6}")).collect();
        let rest = if array.data.len() > SHOWN { format!(" … {} in all", array.data.len()) } else { String::new() };
        let _ = writeln!(text, "{} {:?} = {}{rest}", left(name, width), array.dims, shown.join(" "));
    }
    text
}
