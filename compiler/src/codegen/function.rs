//! One function being written: the state that statements of every kind share.
//!
//! Buffers are taken to be disjoint: two buffers that one kernel uses never share a word, so a store to one leaves values that were
//! loaded from another valid.

use std::collections::HashMap;

use cranelift_codegen::ir::{
    self, ExtFuncData, ExternalName, FuncRef, InstBuilder, MemFlagsData, SourceLoc, StackSlot, Type, UserExternalName, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::FunctionBuilder;

use super::Error;
use super::symbols::{Callee, Names, signature};
use super::wide::{Form, Wide};
use crate::abi;
use crate::loops::places::Places;
use crate::loops::{Buffer, BufferId, Lane, Linear, Program, Space, Var};

/// What a loop variable is while its loop is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    Zero,
    At(ir::Value),
}

/// Where the batch size comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Batch {
    /// Not said yet.
    Unknown,
    /// Kernels receive it.
    Argument(ir::Value),
    /// Entries keep it on their stack, since the driver changes it.
    Local(StackSlot),
}

/// What is known about the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub convention: CallConv,
    pub x86: bool,
    /// Marks kernels.
    pub marks: bool,
    /// Has the blends of SSE4.1.
    pub blend: bool,
    /// The wide functions that it can run, if they are wanted.
    pub wide: Option<Form>,
    /// Whether they are wanted where they do not pay.
    pub always_wide: bool,
}

/// A function being written.
pub(super) struct Emitter<'f> {
    pub builder: FunctionBuilder<'f>,
    pub program: &'f Program,
    pub names: &'f Names,
    pub places: &'f Places,
    pub machine: Machine,
    /// Address of the [`abi::Context`].
    pub context: ir::Value,
    pub batch: Batch,
    /// Added to the displacements of pointers that are not [near](NEAR).
    pub far: i32,
    pointers: HashMap<BufferId, ir::Value>,
    /// Loop variables, with the order in which their loops were opened.
    vars: HashMap<Var, (Bound, u32)>,
    opened: u32,
    callees: HashMap<Callee, FuncRef>,
    /// Descriptor of product calls.
    pub descriptor: Option<StackSlot>,
    /// Whether a tile is not the first of the call, where the kernel's product has the same right operand in all of them.
    pub later: Option<ir::Value>,
    /// What instructions serve that serve nothing in particular: the statement's node, or what the driver is at.
    pub statement: Option<u32>,
    /// Whether the driver is being written, whose blocks serve no graph.
    pub is_driver: bool,
    /// The wide functions that it calls.
    pub wides: Vec<Wide>,
    /// Titles of the blocks where statements begin.
    pub titles: Vec<(ir::Block, String)>,
}

/// Pointers of buffers below this lie so near in their table that a displacement of one byte leads there.
pub(super) const NEAR: u32 = 16;

/// Memory that generated code may touch without trapping, at any alignment.
pub(super) const MEMORY: MemFlagsData = MemFlagsData::new().with_notrap();
/// Such memory that no one writes while the function runs.
pub(super) const FIXED: MemFlagsData = MEMORY.with_readonly().with_can_move();

impl<'f> Emitter<'f> {
    /// Begins a function whose entry block is current.
    pub fn new(
        builder: FunctionBuilder<'f>,
        program: &'f Program,
        names: &'f Names,
        places: &'f Places,
        machine: Machine,
        context: ir::Value,
    ) -> Self {
        Emitter {
            builder,
            program,
            names,
            places,
            machine,
            context,
            batch: Batch::Unknown,
            far: 0,
            pointers: HashMap::new(),
            vars: HashMap::new(),
            opened: 0,
            callees: HashMap::new(),
            descriptor: None,
            later: None,
            statement: None,
            is_driver: false,
            wides: Vec::new(),
            titles: Vec::new(),
        }
    }

    /// Ends the function and returns the titles of its blocks and the wide functions that it calls.
    pub fn finish(mut self, config: TargetFrontendConfig) -> (Vec<(ir::Block, String)>, Vec<Wide>) {
        self.statement = None;
        self.origin(None);
        self.builder.ins().return_(&[]);
        self.builder.seal_all_blocks();
        self.builder.finalize(config);
        (self.titles, self.wides)
    }

    /// An i64 constant.
    pub fn int(&mut self, value: i64) -> ir::Value {
        self.builder.ins().iconst(types::I64, value)
    }

    /// `value` plus a constant.
    pub fn plus(&mut self, value: ir::Value, constant: i64) -> ir::Value {
        if constant == 0 {
            return value;
        }
        let constant = self.int(constant);
        self.builder.ins().iadd(value, constant)
    }

    /// `value` times a constant.
    pub fn times(&mut self, value: ir::Value, constant: i64) -> ir::Value {
        if constant == 1 {
            return value;
        }
        let constant = self.int(constant);
        self.builder.ins().imul(value, constant)
    }

    /// The batch size.
    pub fn n(&mut self) -> ir::Value {
        match self.batch {
            Batch::Unknown => self.int(0),
            Batch::Argument(value) => value,
            Batch::Local(slot) => {
                let address = self.builder.ins().stack_addr(types::I64, slot, 0);
                self.builder.ins().load(types::I64, MEMORY, address, 0)
            }
        }
    }

    /// A number affine in the batch size.
    pub fn linear(&mut self, number: Linear) -> ir::Value {
        if number.batch == 0 {
            return self.int(number.constant);
        }
        let n = self.n();
        let scaled = self.times(n, number.batch);
        self.plus(scaled, number.constant)
    }

    /// A field of the context.
    pub fn context_field(&mut self, offset: usize) -> ir::Value {
        self.builder.ins().load(types::I64, MEMORY, self.context, offset as i32)
    }

    /// Loads the pointers of these buffers; called in the entry block.
    pub fn load_pointers(&mut self, buffers: impl IntoIterator<Item = (BufferId, Option<u32>)>) {
        self.load_pointers_as(MEMORY, buffers);
    }

    /// As [`Emitter::load_pointers`], with what is known of the table.
    pub fn load_pointers_as(&mut self, flags: MemFlagsData, buffers: impl IntoIterator<Item = (BufferId, Option<u32>)>) {
        let table = self.context_field(std::mem::offset_of!(abi::Context, pointers));
        for (buffer, origin) in buffers {
            self.origin(origin);
            let offset = 8 * buffer.0 as i32 + if buffer.0 < NEAR { 0 } else { self.far };
            let pointer = self.builder.ins().load(types::I64, flags, table, offset);
            self.pointers.insert(buffer, pointer);
        }
        self.origin(None);
    }

    /// First byte of a buffer.
    pub fn pointer(&self, buffer: BufferId) -> Result<ir::Value, Error> {
        self.pointers.get(&buffer).copied().ok_or_else(|| Error::Malformed(format!("buffer {} is not in the program", buffer.0)))
    }

    /// A buffer of the program.
    pub fn buffer(&self, buffer: BufferId) -> Result<&'f Buffer, Error> {
        let found = self.program.buffers.get(buffer.0 as usize);
        found.ok_or_else(|| Error::Malformed(format!("buffer {} is not in the program", buffer.0)))
    }

    /// Bytes from one element of a buffer to the next.
    pub fn unit(&self, buffer: BufferId) -> Result<i64, Error> {
        let buffer = self.buffer(buffer)?;
        Ok(match (buffer.space, buffer.lane) {
            (Space::Control, _) | (_, Lane::F64) => 8,
            _ => 4,
        })
    }

    /// Binds a loop variable until its loop ends.
    pub fn bind(&mut self, var: Var, bound: Bound) {
        self.vars.insert(var, (bound, self.opened));
        self.opened += 1;
    }

    /// Ends the loop of a variable.
    pub fn unbind(&mut self, var: Var) {
        self.vars.remove(&var);
    }

    /// What a loop variable is here.
    pub fn bound(&self, var: Var) -> Result<Bound, Error> {
        self.opening(var).map(|(bound, _)| bound)
    }

    fn opening(&self, var: Var) -> Result<(Bound, u32), Error> {
        self.vars.get(&var).copied().ok_or_else(|| Error::Malformed(format!("loop variable {} is used outside its loop", var.0)))
    }

    /// `start + Σ var·factor·scale` over the terms but `skip`.
    ///
    /// Terms are added in the order of their loops, so that the sums over outer loops are shared and hoisted.
    pub fn weighted(
        &mut self,
        start: ir::Value,
        terms: impl IntoIterator<Item = (Var, Linear)>,
        scale: i64,
        skip: Option<Var>,
    ) -> Result<ir::Value, Error> {
        let mut sorted = Vec::new();
        for (var, factor) in terms {
            if Some(var) != skip
                && factor != Linear::ZERO
                && let (Bound::At(value), order) = self.opening(var)?
            {
                sorted.push((order, value, factor));
            }
        }
        sorted.sort_by_key(|&(order, ..)| order);
        let mut sum = start;
        for (_, value, factor) in sorted {
            let factor = factor.times(scale);
            let product = if factor.is_fixed() {
                self.times(value, factor.constant)
            } else {
                let factor = self.linear(factor);
                self.builder.ins().imul(value, factor)
            };
            sum = self.builder.ins().iadd(sum, product);
        }
        Ok(sum)
    }

    /// Goes on in a new block, reached from the current one.
    pub fn next_block(&mut self) -> ir::Block {
        let block = self.builder.create_block();
        self.builder.ins().jump(block, &[]);
        self.builder.switch_to_block(block);
        block
    }

    /// Begins a statement: a block of its own with a title for the reader.
    pub fn title(&mut self, title: String, origin: Option<u32>) {
        let block = self.next_block();
        self.titles.push((block, title));
        self.statement = origin;
        self.origin(origin);
    }

    /// The graph node that the next instructions serve; without one, the statement's.
    pub fn origin(&mut self, origin: Option<u32>) {
        let origin = origin.filter(|_| !self.is_driver).or(self.statement);
        let place = origin.map_or(SourceLoc::default(), SourceLoc::new);
        self.builder.set_srcloc(place);
    }

    /// A new block with parameters of these types.
    pub fn head(&mut self, types: &[Type]) -> (ir::Block, Vec<ir::Value>) {
        let block = self.builder.create_block();
        let parameters = types.iter().map(|&ty| self.builder.append_block_param(block, ty)).collect();
        (block, parameters)
    }

    /// Calls a function.
    pub fn call(&mut self, callee: Callee, arguments: &[ir::Value]) -> Option<ir::Value> {
        let reference = match self.callees.get(&callee) {
            Some(&known) => known,
            None => {
                let signature = signature(callee, self.machine.convention);
                let signature = self.builder.import_signature(signature);
                let name = self
                    .builder
                    .func
                    .declare_imported_user_function(UserExternalName { namespace: 0, index: self.names.number(callee) });
                let reference = self.builder.import_function(ExtFuncData {
                    name: ExternalName::user(name),
                    signature,
                    // Functions of one module lie in one arena; all others may be anywhere.
                    colocated: callee.is_compiled() || matches!(callee, Callee::Wide(_)),
                    patchable: false,
                });
                self.callees.insert(callee, reference);
                reference
            }
        };
        let call = self.builder.ins().call(reference, arguments);
        self.builder.inst_results(call).first().copied()
    }
}
