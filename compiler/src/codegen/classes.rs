//! Kernels that are alike: the same statements over other buffers.
//!
//! The layers of a deep network make such kernels by the hundred. Their codes differ in the displacements at which the pointers of
//! their buffers are loaded, so one of a class is compiled and the others get its bytes with displacements of their own. Where those stand
//! in the bytes is not guessed: the kernel is compiled twice, with its pointers in two places that are far apart, and the two codes
//! must differ in these displacements and in nothing else.
//!
//! Names and titles differ too, but are for the reader: where text is asked for, every kernel is compiled by itself.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};

use cranelift_module::{ModuleReloc, ModuleRelocTarget};
use rustc_hash::{FxBuildHasher, FxHasher};

use super::compile::{Compiled, compile_function, compile_kernel_with};
use super::function::NEAR;
use super::kernel::buffers_of;
use super::outline::Outline;
use super::symbols::Callee;
use super::{Error, Target};
use crate::loops::{BufferId, Instruction, Kernel, Lane, Leaf, Program, Space, Statement, View, leaves};

/// Fewer kernels of a class are compiled one by one, for the first of a class takes twice as long.
const FEW: usize = 3;

/// Two places for pointers; they differ in the highest byte of a displacement.
const PLACES: [i32; 2] = [0x1000_0000, 0x2000_0000];

/// What code depends on.
#[derive(PartialEq)]
struct Form {
    /// Without names, with buffers and graph nodes by their ranks.
    kernel: Kernel,
    /// What a buffer holds.
    buffers: Vec<(bool, Lane)>,
    /// Bits of the numbers: equal ones may have different signs.
    numbers: Vec<u64>,
}

/// The kernels of a program, those that are alike together.
pub(super) fn classes(program: &Program) -> Vec<Vec<usize>> {
    let mut classes: Vec<Vec<usize>> = Vec::new();
    let mut forms: HashMap<u64, Vec<(Form, usize)>, FxBuildHasher> = HashMap::default();
    for (index, kernel) in program.kernels.iter().enumerate() {
        let form = form(program, kernel);
        let alike = forms.entry(form.hash()).or_default();
        match alike.iter().find(|(known, _)| *known == form) {
            Some(&(_, class)) => classes[class].push(index),
            None => {
                alike.push((form, classes.len()));
                classes.push(vec![index]);
            }
        }
    }
    classes
}

/// Compiles kernels that are alike.
///
/// # Errors
/// As [`compile_function`].
pub(super) fn compile_class(outline: &Outline, members: &[usize], target: Target) -> Result<Vec<Compiled>, Error> {
    if members.len() >= FEW && !target.text {
        let codes = [
            compile_kernel_with(outline, members[0], target, PLACES[0])?,
            compile_kernel_with(outline, members[0], target, PLACES[1])?,
        ];
        let buffers = far(&outline.program.kernels[members[0]]);
        if let Some(fields) = fields(&codes, &buffers) {
            let [code, _] = codes;
            return Ok(members.iter().map(|&index| adapted(outline, &code, &fields, index)).collect());
        }
    }
    members.iter().map(|&index| compile_function(outline, index, target)).collect()
}

/// A displacement in the bytes, and the rank of the buffer whose pointer is there.
type Field = (usize, usize);

/// The displacements of pointers, if the two codes differ in nothing else.
fn fields(codes: &[Compiled; 2], buffers: &[BufferId]) -> Option<Vec<Field>> {
    let [one, other] = codes;
    let alike = one.bytes.len() == other.bytes.len()
        && one.alignment == other.alignment
        && one.relocations.len() == other.relocations.len()
        && one.relocations.iter().zip(&other.relocations).all(|(a, b)| same_call(a, b));
    if !alike {
        return None;
    }
    let differing = (0..one.bytes.len()).filter(|&at| one.bytes[at] != other.bytes[at]);
    differing
        .map(|last| {
            let at = last.checked_sub(3)?;
            let displacement = |code: &Compiled| code.bytes[at..].first_chunk().map(|bytes| i32::from_le_bytes(*bytes));
            let (from_one, from_other) = (displacement(one)? - PLACES[0], displacement(other)? - PLACES[1]);
            let rank = buffers.iter().position(|buffer| i64::from(from_one) == 8 * i64::from(buffer.0))?;
            (from_one == from_other).then_some((at, rank))
        })
        .collect()
}

/// Whether two places in a code call the same function; a code that refers to itself is no other kernel's.
pub(super) fn same_call(a: &ModuleReloc, b: &ModuleReloc) -> bool {
    use ModuleRelocTarget::{LibCall, User};
    let same_target = match (&a.name, &b.name) {
        (User { namespace, index }, User { namespace: other, index: number }) => (namespace, index) == (other, number),
        (LibCall(one), LibCall(other)) => one == other,
        _ => false,
    };
    same_target && (a.offset, a.kind, a.addend) == (b.offset, b.kind, b.addend)
}

/// The code of a kernel that is like the one compiled.
fn adapted(outline: &Outline, code: &Compiled, fields: &[Field], index: usize) -> Compiled {
    let callee = Callee::Kernel(index as u32);
    let (name, number) = (outline.names.name(callee), outline.names.number(callee));
    let mut adapted = Compiled { name, number, ..code.clone() };
    let buffers = far(&outline.program.kernels[index]);
    for &(at, rank) in fields {
        adapted.bytes[at..at + 4].copy_from_slice(&(8 * buffers[rank].0).to_le_bytes());
    }
    adapted
}

/// The buffers of a kernel whose displacements take four bytes, in ascending order.
fn far(kernel: &Kernel) -> Vec<BufferId> {
    let mut used = BTreeMap::new();
    buffers_of(&kernel.body, &mut used);
    used.into_keys().filter(|buffer| buffer.0 >= NEAR).collect()
}

fn form(program: &Program, kernel: &Kernel) -> Form {
    let mut used = BTreeMap::new();
    buffers_of(&kernel.body, &mut used);
    let used: Vec<BufferId> = used.into_keys().collect();
    let near = used.partition_point(|buffer| buffer.0 < NEAR);
    let mut nodes = Vec::new();
    nodes_of(&kernel.body, &mut nodes);
    nodes.sort_unstable();
    nodes.dedup();
    let mut kernel = kernel.clone();
    kernel.name.clear();
    let mut numbers = Vec::new();
    let rank = |buffer: &mut BufferId| {
        if buffer.0 >= NEAR {
            let rank = used.binary_search(buffer).map_or(0, |place| place - near);
            *buffer = BufferId(NEAR + rank as u32);
        }
    };
    let node = |node: &mut u32| *node = nodes.binary_search(node).map_or(0, |rank| rank as u32);
    strip(&mut kernel.body, &rank, &node, &mut numbers);
    let holds = |buffer: &BufferId| program.buffers.get(buffer.0 as usize).map(|b| (b.space == Space::Control, b.lane));
    Form { kernel, buffers: used.iter().filter_map(holds).collect(), numbers }
}

impl Form {
    /// Of what is cheap to look at and tells most kernels apart.
    fn hash(&self) -> u64 {
        let mut hasher = FxHasher::default();
        (&self.buffers, &self.numbers, self.kernel.vars, self.kernel.body.len()).hash(&mut hasher);
        for statement in &self.kernel.body {
            match statement {
                Statement::Nest(nest) => (nest.axes.len(), nest.block.code.len()).hash(&mut hasher),
                Statement::Product(product) => (product.m, product.n, product.k).hash(&mut hasher),
                Statement::Tiles { step, total, body, .. } => (step, total, body.len()).hash(&mut hasher),
            }
        }
        hasher.finish()
    }
}

fn nodes_of(body: &[Statement], found: &mut Vec<u32>) {
    for leaf in leaves(body) {
        match leaf {
            Leaf::Nest(nest) => found.extend(&nest.block.origins),
            Leaf::Product(product) => found.push(product.origin),
        }
    }
}

/// Drops titles, puts ranks for buffers and nodes, and gathers the bits of numbers.
fn strip(body: &mut [Statement], rank: &dyn Fn(&mut BufferId), node: &dyn Fn(&mut u32), numbers: &mut Vec<u64>) {
    let of_view = |view: &mut View| {
        rank(&mut view.buffer);
        view.table.iter_mut().for_each(|table| rank(&mut table.rows));
    };
    for statement in body {
        match statement {
            Statement::Nest(nest) => {
                nest.title.clear();
                nest.block.origins.iter_mut().for_each(node);
                for instruction in &mut nest.block.code {
                    match instruction {
                        Instruction::Load(view, _) | Instruction::Store(view, _) => of_view(view),
                        Instruction::ConstF32(number) => numbers.push(u64::from(number.to_bits())),
                        Instruction::ConstF64(number) => numbers.push(number.to_bits()),
                        _ => {}
                    }
                }
            }
            Statement::Product(product) => {
                product.title.clear();
                node(&mut product.origin);
                for operand in [&mut product.a, &mut product.b, &mut product.c] {
                    of_view(&mut operand.base);
                    operand.rows.iter_mut().for_each(|rows| rank(&mut rows.rows));
                }
            }
            Statement::Tiles { body, .. } => strip(body, rank, node, numbers),
        }
    }
}
