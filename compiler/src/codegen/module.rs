//! Functions in executable memory.
//!
//! A module is one piece of memory, sized for its code and made executable once, after which nothing in it changes. Dropping it gives
//! the memory back, so the function pointers that it hands out are good as long as it lives; calling them is unsafe for this and for
//! all that [`crate::abi`] asks of the caller.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cranelift_jit::{ArenaMemoryProvider, JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module as _, ModuleError, ModuleRelocTarget};

use super::classes::{classes, compile_class};
use super::compile::Compiled;
use super::outline::Outline;
use super::symbols::{Callee, Names, library, library_name, signature};
use super::target::Effort;
use super::{Error, Target};
use crate::abi::{EntryFunction, KernelFunction, Symbols};
use crate::loops::{Leaf, Program, Statement, leaves};

/// A compiled program, ready to run.
pub struct Module {
    kernels: Vec<KernelFunction>,
    entries: Vec<(String, EntryFunction)>,
    functions: Vec<Compiled>,
    /// Held for its `Drop`; behind a lock because Cranelift's module may be sent to another thread but not shared.
    _memory: Mutex<Memory>,
}

/// Executable memory that is given back when it is dropped.
struct Memory(Option<JITModule>);

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: pointers into the memory are handed out only by `Module`, whose documentation ends their validity here, and
            // calling one is unsafe for that reason.
            unsafe { module.free_memory() }
        }
    }
}

/// Room in the arena for each function beside its code: Cranelift rounds up to pages, whose size is at most this.
const ROOM: usize = 64 << 10;
/// Room in the arena for each call: on some processors a jump to a far function.
const VENEER: usize = 32;

impl Module {
    /// Puts the functions of a program into executable memory: one for each kernel, entry and part of an entry, in any order.
    ///
    /// # Errors
    /// If a function is missing, a symbol has no address, the machine lacks the instruction set, or there is no memory.
    pub fn link(program: &Program, target: Target, symbols: &Symbols, mut functions: Vec<Compiled>) -> Result<Module, Error> {
        if !target.instruction_set.runs_here() {
            let message = format!("this machine has no {}", target.instruction_set);
            return Err(Error::Host(message));
        }
        let Outline { names, .. } = Outline::of(program)?;
        check_relocations(&functions, &names, symbols)?;
        let mut memory = Memory(Some(JITModule::new(arena(target, &functions, &names, symbols)?)));
        let Memory(Some(jit)) = &mut memory else {
            return Err(Error::Memory("no module".to_owned()));
        };
        declare(jit, &names)?;
        define(jit, &names, &functions)?;
        let address = |callee| jit.get_finalized_function(FuncId::from_u32(names.number(callee)));
        let kernels = (0..program.kernels.len() as u32).map(|index| {
            let address = address(Callee::Kernel(index));
            // SAFETY: the function was compiled with the signature of `Callee::Kernel`, which is that of `KernelFunction`, in the
            // convention of `extern "C"`, and its memory is executable from here on.
            unsafe { std::mem::transmute::<*const u8, KernelFunction>(address) }
        });
        let entries = program.entries.iter().zip(0..).map(|(entry, index)| {
            let address = address(Callee::Entry(index));
            // SAFETY: as above, for `Callee::Entry` and `EntryFunction`.
            let function = unsafe { std::mem::transmute::<*const u8, EntryFunction>(address) };
            (entry.name.clone(), function)
        });
        let (kernels, entries) = (kernels.collect(), entries.collect());
        for function in &mut functions {
            function.address = jit.get_finalized_function(FuncId::from_u32(function.number)) as usize;
            function.bytes = Vec::new();
            function.relocations = Vec::new();
        }
        Ok(Module { kernels, entries, functions, _memory: Mutex::new(memory) })
    }

    /// The function of a kernel, good while the module lives.
    pub fn kernel(&self, index: usize) -> Option<KernelFunction> {
        self.kernels.get(index).copied()
    }

    /// The function of an entry, good while the module lives.
    pub fn entry(&self, name: &str) -> Option<EntryFunction> {
        self.entries.iter().find(|(known, _)| known == name).map(|&(_, function)| function)
    }

    /// The functions it was linked from, with their text if the target asked for it.
    pub fn functions(&self) -> &[Compiled] {
        &self.functions
    }
}

/// One piece of memory for these functions, which knows the addresses of what they call.
fn arena(target: Target, functions: &[Compiled], names: &Names, symbols: &Symbols) -> Result<JITBuilder, Error> {
    let mut builder = JITBuilder::with_isa(target.back_end(Effort::Optimize)?, Box::new(library_name));
    let size = functions.iter().map(|f| f.bytes.len() + VENEER * f.relocations.len() + ROOM).sum::<usize>();
    let memory = ArenaMemoryProvider::new_with_size(size.max(ROOM)).map_err(|error| Error::Memory(error.to_string()))?;
    builder.memory_provider(Box::new(memory));
    for (call, address) in library() {
        builder.symbol(library_name(call), address);
    }
    for callee in names.all() {
        if let Some(address) = names.address(callee, symbols) {
            builder.symbol(names.name(callee), address);
        }
    }
    Ok(builder)
}

/// Declares all that functions call, under the numbers that relocations have.
fn declare(jit: &mut JITModule, names: &Names) -> Result<(), Error> {
    let convention = jit.target_config().default_call_conv;
    for callee in names.all() {
        let linkage = if callee.is_compiled() { Linkage::Local } else { Linkage::Import };
        let id = jit.declare_function(&names.name(callee), linkage, &signature(callee, convention)).map_err(refused)?;
        if id.as_u32() != names.number(callee) {
            return Err(Error::Malformed("functions are numbered twice".to_owned()));
        }
    }
    Ok(())
}

/// Defines the functions, none of which may be missing, and makes their memory executable.
fn define(jit: &mut JITModule, names: &Names, functions: &[Compiled]) -> Result<(), Error> {
    let mut missing: BTreeMap<u32, Callee> =
        names.all().filter(Callee::is_compiled).map(|callee| (names.number(callee), callee)).collect();
    for Compiled { number, name, alignment, bytes, relocations, .. } in functions {
        if missing.remove(number).is_none() {
            return Err(Error::MissingSymbol(name.clone()));
        }
        jit.define_function_bytes(FuncId::from_u32(*number), *alignment, bytes, relocations).map_err(refused)?;
    }
    match missing.first_key_value() {
        Some((_, callee)) => Err(Error::MissingSymbol(names.name(*callee))),
        None => jit.finalize_definitions().map_err(refused),
    }
}

/// Compiles all functions of a program on `threads` threads and links them.
///
/// # Errors
/// As [`compile_kernel`](super::compile_kernel), [`compile_entry`](super::compile_entry) and [`Module::link`].
pub fn compile(program: &Program, target: Target, symbols: &Symbols, threads: usize) -> Result<Module, Error> {
    let outline = Outline::of(program)?;
    let (kernels, all) = (program.kernels.len(), outline.functions());
    let mut order = if target.text { Vec::new() } else { classes(program) };
    order.extend((if target.text { 0 } else { kernels }..all).map(|index| vec![index]));
    // The largest first, so that no thread is left alone with it at the end; entries are small.
    order.sort_by_key(|members| {
        let kernel = members.first().and_then(|&index| program.kernels.get(index));
        std::cmp::Reverse(kernel.map_or(0, |kernel| instructions(&kernel.body)))
    });
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let Some(members) = order.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return Ok(done);
            };
            done.extend(compile_class(&outline, members, target)?);
        }
    };
    let mut functions = std::thread::scope(|scope| {
        // A thread that cannot be had leaves its share to the others.
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads.min(order.len())).map_while(start).collect();
        let mut functions: Vec<Compiled> = work()?;
        for other in others {
            let done: Result<Vec<Compiled>, Error> = match other.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            functions.extend(done?);
        }
        Ok::<_, Error>(functions)
    })?;
    // Whichever thread compiled what, the module is the same.
    functions.sort_by_key(|function| function.number);
    Module::link(program, target, symbols, functions)
}

/// Number of block instructions of statements.
fn instructions(body: &[Statement]) -> usize {
    let of = |leaf| match leaf {
        Leaf::Nest(nest) => nest.block.code.len(),
        Leaf::Product(_) => 1,
    };
    leaves(body).map(of).sum()
}

fn refused(error: ModuleError) -> Error {
    match error {
        ModuleError::Allocation { err } => Error::Memory(err.to_string()),
        other => Error::Cranelift(other.to_string()),
    }
}

/// Sees that everything called has an address, since Cranelift would panic where one is missing.
fn check_relocations(functions: &[Compiled], names: &Names, symbols: &Symbols) -> Result<(), Error> {
    let callees: Vec<Callee> = names.all().collect();
    for relocation in functions.iter().flat_map(|f| &f.relocations) {
        let found = match relocation.name {
            ModuleRelocTarget::User { index, .. } => match callees.get(index as usize) {
                Some(&callee) if callee.is_compiled() || names.address(callee, symbols).is_some() => Ok(()),
                Some(&callee) => Err(names.name(callee)),
                None => Err(format!("function {index}")),
            },
            ModuleRelocTarget::LibCall(call) => match library().iter().any(|&(c, _)| c == call) {
                true => Ok(()),
                false => Err(library_name(call)),
            },
            ModuleRelocTarget::FunctionOffset(..) => Ok(()),
            _ => Err("a symbol of another module".to_owned()),
        };
        found.map_err(Error::MissingSymbol)?;
    }
    Ok(())
}
