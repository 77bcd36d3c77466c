//! Random graphs, from the graph to machine code: generated code against the loop interpreter bit for bit on every instruction set of
//! this machine, both against the f64 reference; with fusion and without, with a memory plan that shares and one that does not,
//! tiles in order and in two halves of which the second comes first.

use super::{Native, symbols};
use crate::codegen::{Module, Target, compile};
use crate::graph::Graph;
use crate::loops::interpret::{Memory, tiles};
use crate::loops::places::Places;
use crate::lower::tests::asked;
use crate::lower::tests::coverage::Coverage;
use crate::lower::tests::random;
use crate::lower::tests::trial::{CAPACITY, Data, POISON, Results, Trial, close, same};
use crate::memory;
use crate::passes;

/// Draws `GRADC_RANDOM_COUNT` graphs from the seed `GRADC_RANDOM_SEED` on.
#[test]
fn random_graphs_run_as_they_are_interpreted() {
    let first = asked("GRADC_RANDOM_SEED", 0);
    let count = asked("GRADC_RANDOM_COUNT", 500);
    let placed: Vec<(String, Graph)> = random::placed::graphs().chain(random::placed::convolutions()).collect();
    let targets: Vec<Target> = super::targets().into_iter().map(|target| Target { text: false, ..target }).collect();
    let half = |start: usize| {
        let (mut coverage, mut failures, mut gathering) = (Coverage::default(), Vec::new(), 0);
        let mut run = |name: String, check: &dyn Fn() -> Result<Trial, String>| {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
            match outcome.unwrap_or_else(|_| Err("a panic".into())) {
                Ok(trial) => {
                    gathering += usize::from(!Places::of(&trial.program).tables().is_empty());
                    coverage.record(&trial);
                }
                Err(why) => failures.push(format!("{name}: {why}")),
            }
        };
        for seed in (first + start as u64..first + count).step_by(2) {
            run(format!("seed {seed}"), &|| check(&drawn(seed)?, seed, &targets));
        }
        for (number, (name, graph)) in placed.iter().enumerate().skip(start).step_by(2) {
            // Small as they are, one target at a time will do.
            let target = targets[number / 2 % targets.len()];
            run(name.clone(), &|| check(graph, number as u64, &[target]));
        }
        (coverage, failures, gathering)
    };
    let ((mut coverage, mut failures, gathering), (more, others, also)) = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        (half(0), other.join().expect("panics are caught"))
    });
    coverage.merge(more);
    failures.extend(others);
    let (table, empty) = coverage.table();
    println!("{table}\n{} programs whose products gather windows", gathering + also);
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    // Fewer graphs than usual cannot be expected to hold everything.
    assert!(count < 500 || gathering + also >= 20, "only {} programs gather windows", gathering + also);
    assert!(count < 500 || empty.is_empty(), "nothing drawn for: {}", empty.join(", "));
}

fn drawn(seed: u64) -> Result<Graph, String> {
    let graph = random::graph(seed);
    if !seed.is_multiple_of(3) {
        return Ok(graph);
    }
    passes::simplify_step(&graph, &mut passes::Context::new()).map_err(|bug| bug.to_string())
}

fn check(graph: &Graph, seed: u64, targets: &[Target]) -> Result<Trial, String> {
    let data = Data::draw(graph, seed);
    let fused = Trial::new(graph, true)?;
    let alone = Trial::new(graph, false)?;
    let name = |target: Target| format!("{}, {:?} wide", target.instruction_set, target.widen);
    let compiled = |trial: &Trial, target: Target| {
        compile(&trial.program, target, &symbols(), 1).map_err(|error| format!("{}: {error}", name(target)))
    };
    let mut modules = Vec::new();
    for &target in targets {
        modules.push((target, &fused, compiled(&fused, target)?));
    }
    // Kernels of one node are many: one target at a time.
    let turn = targets[seed as usize % targets.len()];
    modules.push((turn, &alone, compiled(&alone, turn)?));
    let batches = [[1, 33], [64, 2], [3, 1], [17, 64]][(seed / 2 % 4) as usize];
    for n in batches {
        let at = |what: String, why: String| format!("{what}, batch {n}: {why}");
        let results = fused.run(&data, n, false).map_err(|why| at("interpreted".into(), why))?;
        close(&results, &data.expected(graph, n)).map_err(|why| at("interpreted against the reference".into(), why))?;
        let others = alone.run(&data, n, true).map_err(|why| at("interpreted alone".into(), why))?;
        same(&results, &others).map_err(|why| at("interpreted alone".into(), why))?;
        for (target, trial, module) in &modules {
            for halves in [false, true] {
                let shared = halves;
                let found = run(trial, module, &trial.memory(&data, n), n, halves, shared)?;
                let fused = if std::ptr::eq(*trial, &fused) { "fused" } else { "alone" };
                let what = format!(
                    "{}, {fused}, {}",
                    name(*target),
                    if halves { "halves, shared memory" } else { "in order, memory apart" }
                );
                same(&results, &found).map_err(|why| at(what, why))?;
            }
        }
    }
    Ok(fused)
}

/// Runs generated code; `shared` places temporaries by the memory plan, `halves` runs each kernel's tiles in two calls, the later first.
fn run(trial: &Trial, module: &Module, memory: &Memory, n: usize, halves: bool, shared: bool) -> Result<Results, String> {
    let mut native = Native::of(memory).with_places(&trial.program);
    let mut pointers = native.pointers();
    let plan = memory::plan(&trial.program, &trial.kernels);
    let layout = plan.layout(CAPACITY);
    let mut arena = vec![POISON; layout.words as usize];
    let mut scratch = vec![POISON; plan.scratch_words.at(CAPACITY) as usize];
    if shared {
        memory::check(&trial.program, &plan)?;
        plan.prove(&layout, CAPACITY).map_err(|both| format!("{both:?} meet"))?;
        for (life, offset) in plan.lives.iter().zip(&layout.offsets) {
            let end = offset + life.words.at(CAPACITY);
            pointers[life.buffer.0 as usize] = arena[*offset as usize..end as usize].as_mut_ptr().cast();
        }
        for (buffer, offset) in &plan.scratch {
            let end = offset.plus(trial.program.buffers[buffer.0 as usize].words).at(CAPACITY) as usize;
            pointers[buffer.0 as usize] = scratch[offset.at(CAPACITY) as usize..end].as_mut_ptr().cast();
        }
    }
    let context = native.context(&pointers);
    for &kernel in &trial.kernels {
        let function = module.kernel(kernel as usize).ok_or("a kernel is missing")?;
        let all = tiles(&trial.program.kernels[kernel as usize], n as i64);
        let middle = if halves { (all.start + all.end) / 2 } else { all.start };
        for part in [middle..all.end, all.start..middle] {
            if !part.is_empty() {
                // SAFETY: the context and all buffers outlive the call, and the interpreter found no access outside them.
                unsafe { function(&context, n as i64, part.start, part.end) };
            }
        }
    }
    // A look at every guard.
    for buffer in 0..trial.program.buffers.len() {
        native.words(buffer);
    }
    trial.results(n, |buffer| native.words(buffer))
}
