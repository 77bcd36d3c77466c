//! One function from loop IR to bytes.

use cranelift_codegen::Context;
use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{self, Function, UserFuncName};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{FuncId, ModuleReloc, ModuleRelocTarget};

use super::function::{Batch, Emitter, Machine};
use super::listing::{Line, Made, Serves, listing};
use super::outline::{Outline, Part};
use super::symbols::{Callee, Names, signature};
use super::synchronize::Step;
use super::target::Effort;
use super::text;
use super::wide::{self, Form, Wide};
use super::{Error, InstructionSet, Target, Widen};
use crate::loops::Program;

/// A compiled function, not yet in executable memory.
#[derive(Clone)]
pub struct Compiled {
    /// Its name in the module, which the disassembly and profilers show.
    pub name: String,
    /// Number of Cranelift instructions it was compiled from.
    pub instructions: usize,
    /// What a reader may want to see, if the target asks for it.
    pub text: Option<Text>,
    pub(super) number: u32,
    /// Size of the code in bytes.
    pub size: usize,
    /// Where its code stands, once it is linked; for profilers and debuggers.
    pub address: usize,
    pub(super) alignment: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) relocations: Vec<ModuleReloc>,
}

/// The text of a compiled function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// Cranelift's input; `@` and a hexadecimal number give the graph node that an instruction serves.
    pub clif: String,
    /// Machine instructions with what they serve, every byte of the function.
    pub lines: Vec<Line>,
}

/// Compiles kernel `index` of a program.
///
/// # Errors
/// If there is no such kernel, or it breaks a rule of the loop IR.
pub fn compile_kernel(program: &Program, index: usize, target: Target) -> Result<Compiled, Error> {
    if index >= program.kernels.len() {
        return Err(Error::Malformed(format!("there is no kernel {index}")));
    }
    compile_function(&Outline::of(program)?, index, target)
}

/// Compiles entry `index` of a program.
///
/// # Errors
/// If there is no such entry, or it breaks a rule of the loop IR.
pub fn compile_entry(program: &Program, index: usize, target: Target) -> Result<Compiled, Error> {
    if index >= program.entries.len() {
        return Err(Error::Malformed(format!("there is no entry {index}")));
    }
    compile_function(&Outline::of(program)?, program.kernels.len() + index, target)
}

/// Compiles a function of a program: of its kernels, then its entries, then the parts of those.
pub(super) fn compile_function(outline: &Outline, index: usize, target: Target) -> Result<Compiled, Error> {
    let (kernels, entries) = (&outline.program.kernels, &outline.entries);
    if index < kernels.len() {
        return compile_kernel_with(outline, index, target, 0);
    }
    let index = index - kernels.len();
    if let Some(steps) = entries.get(index) {
        let callee = Callee::Entry(index as u32);
        // Beside a turn of a few instructions the driver's own count.
        let effort = if steps.iter().any(Step::has_alone) { Effort::Optimize } else { Effort::Quick };
        return function(outline, callee, target, effort, |e, _| e.entry(steps));
    }
    let index = index - entries.len();
    let part = outline.parts.get(index).ok_or_else(|| Error::Malformed(format!("there is no part {index}")))?;
    let callee = Callee::Part(index as u32);
    match part {
        Part::Run(steps) => function(outline, callee, target, Effort::Quick, |e, arguments| {
            let &[_, n] = arguments else {
                return Err(Error::Malformed("a part takes two arguments".to_owned()));
            };
            e.part(steps, n)
        }),
        Part::Alone(alone) => function(outline, callee, target, Effort::Optimize, |e, _| e.alone(alone)),
    }
}

/// Compiles a kernel whose pointers are so many bytes further than they will be, but for the near ones.
pub(super) fn compile_kernel_with(outline: &Outline, index: usize, target: Target, far: i32) -> Result<Compiled, Error> {
    let kernel = &outline.program.kernels[index];
    function(outline, Callee::Kernel(index as u32), target, Effort::Optimize, |e, arguments| {
        let &[_, n, first, end] = arguments else {
            return Err(Error::Malformed("a kernel takes four arguments".to_owned()));
        };
        e.batch = Batch::Argument(n);
        e.far = far;
        e.kernel(kernel, first, end)
    })
}

/// Writes a function with `write`, which gets its arguments, and compiles it.
fn function(
    outline: &Outline,
    callee: Callee,
    target: Target,
    effort: Effort,
    write: impl FnOnce(&mut Emitter, &[ir::Value]) -> Result<(), Error>,
) -> Result<Compiled, Error> {
    let names = &outline.names;
    let name = names.name(callee);
    let number = names.number(callee);
    let back_end = target.back_end(effort)?;
    let signature = signature(callee, back_end.default_call_conv());
    let function = Function::with_name_signature(UserFuncName::user(0, number), signature);
    let mut context = Context::for_function(function);
    let mut frontend = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut context.func, &mut frontend);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let arguments = builder.block_params(entry).to_vec();
    let Some(&first) = arguments.first() else {
        return Err(Error::Malformed("a function without a context".to_owned()));
    };
    let machine = Machine {
        convention: back_end.default_call_conv(),
        x86: cfg!(target_arch = "x86_64"),
        marks: target.marks,
        blend: target.instruction_set != InstructionSet::Portable,
        wide: Form::of(target),
        always_wide: target.widen == Widen::Always,
    };
    let mut emitter = Emitter::new(builder, outline.program, names, &outline.places, machine, first);
    write(&mut emitter, &arguments).map_err(|error| Error::In { function: name.clone(), error: Box::new(error) })?;
    let (titles, wides) = emitter.finish(back_end.frontend_config());
    let clif = target.text.then(|| text::clif(&context.func, names, &titles));
    let instructions = context.func.dfg.num_insts();
    let compiled = finish(&mut context, &*back_end, name, number, names, instructions, clif)?;
    append(compiled, &wides, names)
}

fn finish(
    context: &mut Context,
    back_end: &dyn TargetIsa,
    name: String,
    number: u32,
    names: &Names,
    instructions: usize,
    clif: Option<String>,
) -> Result<Compiled, Error> {
    context
        .compile(back_end, &mut ControlPlane::default())
        .map_err(|error| Error::Cranelift(format!("{name}: {:?}", error.inner)))?;
    let code = context.compiled_code().ok_or_else(|| Error::Cranelift(format!("{name}: no code")))?;
    let id = FuncId::from_u32(number);
    let relocations: Vec<ModuleReloc> =
        code.buffer.relocs().iter().map(|relocation| ModuleReloc::from_mach_reloc(relocation, &context.func, id)).collect();
    let kept = context.func.sized_stack_slots.values().map(|slot| u64::from(slot.size).next_multiple_of(8)).sum();
    let lines =
        |relocations: &[ModuleReloc]| listing(code.code_buffer(), code.buffer.get_srclocs_sorted(), relocations, names, kept);
    let text = clif.map(|clif| Text { clif, lines: lines(&relocations) });
    Ok(Compiled {
        name,
        instructions,
        text,
        number,
        alignment: u64::from(code.buffer.alignment),
        size: code.code_buffer().len(),
        address: 0,
        bytes: code.code_buffer().to_vec(),
        relocations,
    })
}

/// Puts wide functions behind the code that calls them, and lets the calls lead there.
fn append(mut compiled: Compiled, wides: &[Wide], names: &Names) -> Result<Compiled, Error> {
    let mut starts = Vec::new();
    for (number, wide) in (0..).zip(wides) {
        let end = compiled.bytes.len();
        let start = end.next_multiple_of(wide.alignment);
        compiled.bytes.resize(start, 0);
        compiled.bytes.extend(&wide.bytes);
        compiled.alignment = compiled.alignment.max(wide.alignment as u64);
        starts.push(start);
        if let Some(text) = &mut compiled.text {
            if start > end {
                let (size, text_of) = (start - end, "padding".to_owned());
                // As the constants' alignment asks for it, it is theirs.
                let serves = wide.constants.first().map_or(Serves::Function, |&(_, serves)| serves);
                let made = Some(Made::Constant);
                text.lines.push(Line { offset: end, size, text: text_of, label: None, serves, made });
            }
            text.lines.extend(wide::lines(wide, start, &names.name(Callee::Wide(number))));
        }
    }
    let mut refused = None;
    compiled.relocations.retain(|relocation| {
        let ModuleRelocTarget::User { index, .. } = relocation.name else { return true };
        let Some(Callee::Wide(number)) = names.callee(index) else { return true };
        let at = relocation.offset as usize;
        match (starts.get(number as usize), compiled.bytes.get_mut(at..at + 4), relocation.kind) {
            (Some(&start), Some(place), Reloc::X86CallPCRel4) => {
                let distance = start as i64 - at as i64 + relocation.addend;
                place.copy_from_slice(&(distance as i32).to_le_bytes());
            }
            _ => refused = Some(Error::Malformed(format!("a call of wide function {number} that cannot be led there"))),
        }
        false
    });
    compiled.size = compiled.bytes.len();
    refused.map_or(Ok(compiled), Err)
}
