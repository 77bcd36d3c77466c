//! What is compiled once and never changed: how, and from a declaration to code.

use crate::calls;
use crate::error::{Error, Result};
use crate::kernels;
use crate::team::gradc_barrier;
use gradc_compiler::abi::Symbols;
use gradc_compiler::codegen::{self, InstructionSet, Module, Target, Widen};
use gradc_compiler::language::declaration::Declaration;
use gradc_compiler::loops::BufferId;
use gradc_compiler::pipeline::{self, Front, FrontError, Info};
use gradc_compiler::program::{Assembled, assemble};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How a model is compiled; nothing here changes a bit of any result but `seed`.
#[derive(Clone, Debug)]
pub struct Options {
    /// Fixes weights, order and masks (default 0).
    pub seed: u64,
    /// Instruction set of kernels and generated code (default: the best of this machine, or `GRADC_ISA`).
    pub instruction_set: InstructionSet,
    /// Which loops have vectors wider than 128 bits (default: those that are worth it; none with `GRADC_WIDE=0`).
    pub widen: Widen,
    /// Keep the text of Cranelift's input and of the machine code (default: when `GRADC_DUMP` is set).
    pub text: bool,
    /// Threads that compile (default: all cores).
    pub compile_threads: usize,
    /// Compile the marks that [`Fit::profile`](crate::fit::Fit::profile) needs (default: no; without them it compiles the step once more).
    pub profile: bool,
}

impl Options {
    /// The set of kernels for products.
    pub(crate) fn kernels(&self) -> kernels::InstructionSet {
        match self.instruction_set {
            InstructionSet::Portable => kernels::InstructionSet::Portable,
            InstructionSet::Avx2 => kernels::InstructionSet::Avx2,
            InstructionSet::Avx512 => kernels::InstructionSet::Avx512,
        }
    }

    fn target(&self) -> Target {
        let mut target = Target::new(self.instruction_set);
        target.text = self.text;
        target.widen = self.widen;
        target.marks = self.profile;
        target
    }

    /// What generated code may call.
    fn symbols(&self) -> Symbols {
        Symbols {
            product: kernels::product(self.kernels()) as *const u8,
            barrier: gradc_barrier as *const u8,
            mark: calls::mark as *const u8,
            driver: calls::table(),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            seed: 0,
            instruction_set: crate::env::instruction_set(),
            widen: crate::env::widen(),
            text: crate::env::dump_folder().is_some(),
            compile_threads: std::thread::available_parallelism().map_or(1, usize::from),
            profile: false,
        }
    }
}

/// What is shared by a model and its predictors: code and description, never changed after compiling.
pub(crate) struct Compiled {
    pub info: Info,
    pub assembled: Assembled,
    pub module: Module,
    pub front: Front,
    pub times: Vec<(&'static str, Duration)>,
    pub fields: Vec<String>,
    pub options: Options,
    /// The same with figures for a diagnosis, once someone has asked for it.
    pub diagnosed: OnceLock<Arc<Compiled>>,
}

impl Compiled {
    /// By the name of what a run restores at its end, the buffer of its best copy.
    pub(crate) fn copies(&self) -> impl Iterator<Item = (&str, BufferId)> {
        let buffers = &self.assembled.program.buffers;
        self.assembled.saved.iter().map(|(own, copy)| (buffers[own.0 as usize].name.as_str(), *copy))
    }

    /// Compiles what the front half of the compiler has made.
    pub fn new(front: Front, options: &Options) -> Result<Compiled> {
        crate::env::check()?;
        if !options.instruction_set.runs_here() {
            let best = format!("one that this machine has, at most {}", InstructionSet::host());
            return Err(Error::setting("instruction_set", options.instruction_set, &best));
        }
        let mut times = Vec::new();
        let start = Instant::now();
        let assembled = assemble(&front.info.name, &front.graphs, &front.fusion)
            .map_err(|error| Error::Internal { pass: "lowering".into(), text: error.to_string() })?;
        times.push(("fuse, lower, plan", start.elapsed()));
        let start = Instant::now();
        check(&assembled)?;
        times.push(("check bounds and lifetimes", start.elapsed()));
        let start = Instant::now();
        let module = codegen::compile(&assembled.program, options.target(), &options.symbols(), options.compile_threads)
            .map_err(|error| Error::Internal { pass: "codegen".into(), text: error.to_string() })?;
        times.push(("generate code", start.elapsed()));
        Ok(Compiled {
            fields: front.info.fields.iter().map(|field| field.name.clone()).collect(),
            info: front.info.clone(),
            front,
            assembled,
            module,
            times,
            options: options.clone(),
            diagnosed: OnceLock::new(),
        })
    }
}

/// Elaborates a declaration for both times and runs the front half of the compiler.
///
/// # Errors
/// As [`Model::from_declaration`](crate::model::Model::from_declaration).
pub fn front(declaration: &Declaration) -> Result<Front> {
    let elaborated = declaration.elaborate().map_err(|diagnostics| Error::Model(diagnostics.render(declaration.source())))?;
    let (training, evaluation) = (&elaborated.training, &elaborated.evaluation);
    pipeline::front(training, evaluation, declaration.text(), crate::env::fuel()).map_err(|error| front_error(&error))
}

/// A mistake of the network, or a bug of the compiler.
pub fn front_error(error: &FrontError) -> Error {
    match error {
        FrontError::Network(fault) => Error::Model(format!("{fault}\n")),
        FrontError::Bug(bug) => Error::Internal { pass: "front".into(), text: bug.to_string() },
    }
}

/// Proves program and memory plans.
fn check(assembled: &Assembled) -> Result<()> {
    const CAPACITY: i64 = 4096;
    let bug = |pass: &str, text: String| Error::Internal { pass: pass.into(), text };
    gradc_compiler::loops::verify::verify(&assembled.program, CAPACITY).map_err(|error| bug("loops", error.to_string()))?;
    for unit in &assembled.units {
        gradc_compiler::memory::check(&assembled.program, &unit.memory).map_err(|text| bug("memory plan", text))?;
    }
    Ok(())
}
