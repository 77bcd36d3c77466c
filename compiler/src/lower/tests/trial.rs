//! Running a graph both ways: lowered and interpreted in f32, and by the f64 reference.

use super::noise;
use crate::fusion::{self, Fusion, Options, legalize::legalize};
use crate::graph::{Attributes, Dim, Element, Graph, Root};
use crate::loops::interpret::{Memory, run_kernel, tiles};
use crate::loops::{BufferId, Lane, Program, Space, Statement};
use crate::lower::{EPOCH, Layout, STEPS, lower};
use crate::memory;
use crate::ops::{Array, Environment, Primitive};
use crate::reference;
use crate::splitmix::Random;
use std::collections::BTreeMap;

/// Most rows of a batch.
pub const CAPACITY: i64 = 64;
/// What memory holds that nobody has written: a NaN of a payload that no arithmetic makes.
pub const POISON: u32 = 0x7fde_ad00;
const SEED: u64 = 0x5eed_0123_4567_89ab;
const STEP: u64 = 3;
const LAST: f64 = 10.0;

/// A real in [-1, 1) that f32 holds exactly.
pub fn real(numbers: &mut Random) -> f64 {
    (numbers.bits() >> 41) as f64 / f64::from(1u32 << 22) - 1.0
}

/// A graph with everything that it became.
pub struct Trial {
    pub graph: Graph,
    pub fusion: Fusion,
    pub program: Program,
    pub kernels: Vec<u32>,
    /// For each node, whether it is kept between kernels.
    pub outside: Vec<bool>,
}

/// Results by name: outputs, and updated sources as `update.name`.
pub type Results = BTreeMap<String, Vec<f32>>;

impl Trial {
    /// Legalizes, fuses and lowers.
    pub fn new(graph: &Graph, fuse: bool) -> Result<Self, String> {
        let graph = legalize(graph).map_err(|error| error.to_string())?;
        let fusion = fusion::fuse(&graph, &Options { fuse })?;
        let (mut layout, mut program) = (Layout::default(), Program { name: graph.name.clone(), ..Program::default() });
        let kernels = lower(&graph, &fusion, &mut layout, &mut program, "t").map_err(|error| error.to_string())?;
        let writes = |kernel: &u32, matches: fn(Space) -> bool| {
            let written = memory::touched(&program.kernels[*kernel as usize]).writes;
            written.iter().any(|buffer| matches(program.buffers[buffer.0 as usize].space))
        };
        let update = kernels.iter().position(|kernel| writes(kernel, Space::is_kept));
        let result = kernels.iter().rposition(|kernel| writes(kernel, |space| matches!(space, Space::Output(_))));
        if result.zip(update).is_some_and(|(result, update)| update <= result) {
            return Err("something is overwritten before all results are known".into());
        }
        let outside = graph.ids().map(|id| layout.kept(id).is_some()).collect();
        Ok(Trial { graph, fusion, program, kernels, outside })
    }

    /// The same with every vector mark taken off.
    pub fn scalar(&self) -> Self {
        fn clear(body: &mut [Statement]) {
            for statement in body {
                match statement {
                    Statement::Nest(nest) => nest.axes.iter_mut().for_each(|axis| axis.vector = false),
                    Statement::Product(_) => {}
                    Statement::Tiles { body, .. } => clear(body),
                }
            }
        }
        let mut program = self.program.clone();
        program.kernels.iter_mut().for_each(|kernel| clear(&mut kernel.body));
        Trial {
            graph: self.graph.clone(),
            fusion: self.fusion.clone(),
            program,
            kernels: self.kernels.clone(),
            outside: self.outside.clone(),
        }
    }

    fn find(&self, name: &str, matches: impl Fn(Space) -> bool) -> Option<BufferId> {
        let position = self.program.buffers.iter().position(|buffer| buffer.name == name && matches(buffer.space));
        position.map(|position| BufferId(position as u32))
    }

    /// Runs all kernels for a batch of `n`, tiles from the last to the first if `backwards`.
    pub fn run(&self, data: &Data, n: usize, backwards: bool) -> Result<Results, String> {
        let mut memory = self.memory(data, n);
        self.interpret(&mut memory, n, backwards)?;
        self.results(n, |buffer| memory.words[buffer].clone())
    }

    /// Memory as a step finds it: sources and rows bound, all else poisoned, with room for the batch and no more.
    pub fn memory(&self, data: &Data, n: usize) -> Memory {
        let mut memory = Memory::new(&self.program, n as i64);
        self.fill(&mut memory, data, n);
        memory
    }

    /// Runs all kernels, scratch poisoned in every tile.
    pub fn interpret(&self, memory: &mut Memory, n: usize, backwards: bool) -> Result<(), String> {
        for &kernel in &self.kernels {
            let kernel = &self.program.kernels[kernel as usize];
            let mut order: Vec<i64> = tiles(kernel, n as i64).collect();
            if backwards {
                order.reverse();
            }
            for tile in order {
                for (buffer, words) in self.program.buffers.iter().zip(&mut memory.words) {
                    if buffer.space == Space::Scratch {
                        words.fill(POISON);
                    }
                }
                run_kernel(&self.program, kernel, memory, n as i64, tile..tile + 1).map_err(|fault| fault.to_string())?;
            }
        }
        Ok(())
    }

    /// The results of a run from the words of each buffer.
    pub fn results(&self, n: usize, words: impl Fn(usize) -> Vec<u32>) -> Result<Results, String> {
        let mut results = Results::new();
        for root in &self.graph.roots {
            let count = self.graph.shape(root.node()).count(n);
            let (key, buffer) = match root {
                Root::Output { name, .. } => {
                    (name.clone(), self.find(&format!("t.{name}"), |space| matches!(space, Space::Output(_))))
                }
                Root::Update { source, .. } => {
                    let name = self.graph.source_name(*source).unwrap_or_default();
                    (format!("update.{name}"), self.find(name, Space::is_kept))
                }
            };
            let buffer = buffer.ok_or_else(|| format!("{key} has no buffer"))?;
            let declared = &self.program.buffers[buffer.0 as usize];
            let words = words(buffer.0 as usize);
            let words = words.iter().take(count);
            let value = |word: u32| if declared.lane == Lane::I32 { word as i32 as f32 } else { f32::from_bits(word) };
            let values: Vec<f32> = match self.graph.ty(root.node()).element {
                Element::Bool => words.map(|word| f32::from(u8::from(*word != 0))).collect(),
                _ => words.map(|word| value(*word)).collect(),
            };
            results.insert(key, values);
        }
        Ok(results)
    }

    fn fill(&self, memory: &mut Memory, data: &Data, n: usize) {
        for (index, buffer) in self.program.buffers.iter().enumerate() {
            let words = &mut memory.words[index];
            match buffer.space {
                Space::Rows => {
                    words.fill(u32::MAX);
                    for (word, row) in words.iter_mut().zip(&data.rows[..n]) {
                        *word = *row as u32;
                    }
                }
                Space::Parameter(_) | Space::State(_) | Space::Input(_) => {
                    if let Some(array) = data.bound.get(&buffer.name) {
                        *words = array.iter().map(|&value| word(value, buffer.lane)).collect();
                    }
                }
                Space::Control => {}
                _ => words.fill(POISON),
            }
        }
        for (slot, info) in self.program.slots.iter().enumerate() {
            let slot = crate::loops::Slot(slot as u32);
            match info.name.as_str() {
                "step" => memory.set_slot_f64(slot, STEP as f64),
                STEPS => memory.set_slot_f64(slot, LAST),
                EPOCH => memory.set_slot_f64(slot, STEP as f64),
                "seed.low" => memory.set_slot_i32(slot, SEED as i32),
                "seed.high" => memory.set_slot_i32(slot, (SEED >> 32) as i32),
                "step.word" => memory.set_slot_i32(slot, STEP as i32),
                name => {
                    let value = name.strip_prefix("setting.").and_then(|name| data.bound.get(name));
                    memory.set_slot_f64(slot, value.map_or(0.0, |value| value[0]))
                }
            };
        }
    }
}

fn word(value: f64, lane: Lane) -> u32 {
    match lane {
        Lane::F32 => (value as f32).to_bits(),
        _ => value as i32 as u32,
    }
}

/// Values of the sources: whole data sets for what has a batch, of which `rows` are the batch.
pub struct Data {
    bound: BTreeMap<String, Vec<f64>>,
    rows: Vec<usize>,
}

impl Data {
    /// Draws values for every source of a graph.
    pub fn draw(graph: &Graph, seed: u64) -> Self {
        let mut numbers = Random(seed);
        let total = 2 * CAPACITY as usize + 5;
        let rows = (0..CAPACITY as usize).map(|_| numbers.below(total)).collect();
        let mut bound = BTreeMap::new();
        for id in graph.ids() {
            let node = graph.node(id);
            let Attributes::Name(name) = &node.attributes else { continue };
            let count = node.ty.shape.count(total);
            let draw = |numbers: &mut Random| match node.ty.element {
                Element::F32 | Element::F64 => real(numbers),
                Element::Bool => numbers.below(2) as f64,
                Element::Class(classes) => numbers.below(classes as usize) as f64,
                _ => numbers.below(8) as f64,
            };
            // Settings are rates, and moments are not negative.
            let settle = |value: f64| match node.primitive {
                Primitive::Setting => 0.5 + 0.25 * value,
                Primitive::State => value.abs(),
                _ => value,
            };
            bound.insert(name.clone(), (0..count).map(|_| settle(draw(&mut numbers))).collect());
        }
        Data { bound, rows }
    }

    fn environment(&self, graph: &Graph, n: usize) -> Environment {
        let mut sources = BTreeMap::new();
        for id in graph.ids() {
            let node = graph.node(id);
            let Attributes::Name(name) = &node.attributes else { continue };
            let dims = node.ty.shape.at(n);
            let bound = &self.bound[name];
            let data = if node.ty.shape.0.first() == Some(&Dim::Batch) {
                let width = node.ty.shape.fixed_count();
                self.rows[..n].iter().flat_map(|row| bound[row * width..(row + 1) * width].iter().copied()).collect()
            } else {
                bound[..node.ty.shape.count(n)].to_vec()
            };
            sources.insert(name.clone(), Array::new(dims, data));
        }
        Environment { sources, batch: n, step: STEP, turn: STEP, steps: LAST, epoch: STEP, seed: SEED }
    }

    /// The reference's results, each with how far a value in f32 may be from it.
    pub fn expected(&self, graph: &Graph, n: usize) -> BTreeMap<String, Vec<(f64, f64)>> {
        let environment = self.environment(graph, n);
        let exact = reference::evaluate(graph, &environment);
        let mut numbers = Random(n as u64);
        let mut rounded = vec![noise::evaluate(graph, &environment, None)];
        rounded.extend((0..4).map(|_| noise::evaluate(graph, &environment, Some(&mut numbers))));
        let mut expected = BTreeMap::new();
        for root in &graph.roots {
            let (name, node) = match root {
                Root::Output { name, node } => (name.clone(), node),
                Root::Update { source, node } => (format!("update.{}", graph.source_name(*source).unwrap_or_default()), node),
            };
            let data = |values: &[Option<Array>]| values[node.index()].as_ref().map_or(Vec::new(), |array| array.data.clone());
            let rounded: Vec<Vec<f64>> = rounded.iter().map(|values| data(values)).collect();
            let values = data(&exact).into_iter().enumerate().map(|(at, value)| {
                let apart = rounded.iter().map(|other| (other[at] - value).abs());
                let worst = apart.fold(0.0, |worst, apart| if apart <= worst { worst } else { apart });
                (value, 16.0 * worst + 1e-6 * value.abs() + 1e-30)
            });
            expected.insert(name, values.collect());
        }
        expected
    }
}

/// Runs a graph for several batch sizes with fusion on and off, forwards and backwards, with vectors and without: all of one set of
/// bits, and close to the reference.
pub fn check(graph: &Graph, seed: u64) -> Result<(), String> {
    let data = Data::draw(graph, seed);
    let fused = Trial::new(graph, true)?;
    let alone = Trial::new(graph, false)?;
    let scalar = fused.scalar();
    let batches = [[1, 33], [2, 64], [1, 3], [3, 33]][(seed % 4) as usize];
    for n in batches {
        let at = |what: &str, why: String| format!("{what}, batch {n}: {why}");
        let results = fused.run(&data, n, false).map_err(|why| at("fused", why))?;
        for (what, trial, backwards) in [
            ("alone", &alone, false),
            ("fused, tiles backwards", &fused, true),
            ("alone, tiles backwards", &alone, true),
            ("fused, without vectors", &scalar, false),
        ] {
            let others = trial.run(&data, n, backwards).map_err(|why| at(what, why))?;
            same(&results, &others).map_err(|why| at(what, why))?;
        }
        close(&results, &data.expected(graph, n)).map_err(|why| at("against the reference", why))?;
    }
    Ok(())
}

/// Equal bits, any NaN being as good as any other.
pub fn same(a: &Results, b: &Results) -> Result<(), String> {
    for (name, values) in a {
        let others = b.get(name).ok_or_else(|| format!("{name} is missing"))?;
        let equal = |x: &f32, y: &f32| x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan());
        if let Some(at) = values.iter().zip(others).position(|(x, y)| !equal(x, y)) {
            return Err(format!("{name}[{at}]: {} is not {}", values[at], others[at]));
        }
    }
    Ok(())
}

/// Near the reference, wherever that is finite whatever the rounding.
pub fn close(found: &Results, expected: &BTreeMap<String, Vec<(f64, f64)>>) -> Result<(), String> {
    for (name, values) in expected {
        let others = found.get(name).ok_or_else(|| format!("{name} is missing"))?;
        if others.len() != values.len() {
            return Err(format!("{name} has {} elements, not {}", others.len(), values.len()));
        }
        for (at, (&(value, tolerance), &other)) in values.iter().zip(others).enumerate() {
            let apart = (value - f64::from(other)).abs();
            if value.is_finite() && tolerance.is_finite() && (apart.is_nan() || apart > tolerance) {
                return Err(format!("{name}[{at}]: {other} should be {value} ± {tolerance}"));
            }
        }
    }
    Ok(())
}
