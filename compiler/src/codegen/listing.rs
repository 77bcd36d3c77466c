//! Every byte of a function, and what it is for.
//!
//! While a function is written, each instruction carries the graph node that it serves (in a driver: the kernel that it runs), and
//! Cranelift keeps that through optimisation, register allocation and layout. The listing reads the bytes back, so that nothing can be
//! left out: what carries no node is the compiler's own, and is named as such.

use cranelift_codegen::ir::SourceLoc;
use cranelift_codegen::{Final, MachSrcLoc};
use cranelift_module::{ModuleReloc, ModuleRelocTarget};
use std::collections::{BTreeMap, BTreeSet};

use super::symbols::Names;

#[cfg(any(test, target_arch = "aarch64"))]
mod aarch64;
#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod words;
#[cfg(any(test, target_arch = "x86_64"))]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64::decode;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use words::decode;
#[cfg(target_arch = "x86_64")]
use x86_64::decode;

/// Places from here on are kernels that a driver runs.
pub(super) const KERNEL: u32 = 0x8000_0000;
/// The place of all else that a driver does.
pub(super) const DRIVER: u32 = 0x4000_0000;

/// What bytes are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Serves {
    /// A node of the kernel's graph.
    Node(u32),
    /// Running this kernel.
    Kernel(u32),
    /// A driver's loops, tests, copies and calls.
    Driver,
    /// The function as a whole: its frame, or something that the optimiser made without a word about what for.
    Function,
}

/// What the compiler made on its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Made {
    /// What a function saves and gives back around its work.
    Frame,
    /// Registers did not suffice: a value on its way to the stack or back, on behalf of a node.
    Spill,
    /// Numbers that instructions read (they serve the first that does), and padding before them.
    Constant,
}

impl Serves {
    fn of(place: SourceLoc) -> Serves {
        match place.bits() {
            _ if place.is_default() => Serves::Function,
            bits if bits & KERNEL != 0 => Serves::Kernel(bits & !KERNEL),
            DRIVER => Serves::Driver,
            node => Serves::Node(node),
        }
    }
    /// Whether it leads back to what the user wrote.
    pub fn is_placed(self) -> bool {
        self != Serves::Function
    }
}

/// One instruction, or a piece of the constants behind the code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Bytes from the function's start.
    pub offset: usize,
    /// Its bytes.
    pub size: usize,
    /// The instruction; jumps and calls by name.
    pub text: String,
    /// Name of the place that jumps lead to.
    pub label: Option<String>,
    /// What it is for.
    pub serves: Serves,
    /// Whether it is the compiler's own, and how.
    pub made: Option<Made>,
}

/// An instruction, as the reader of its processor tells it.
struct Decoded {
    /// Bytes from the function's start.
    offset: usize,
    size: usize,
    /// What stands before the name of [`Decoded::refers`], all if it has none.
    text: String,
    /// What stands behind that name.
    rest: String,
    refers: Option<Refers>,
    act: Act,
}

/// What an instruction names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refers {
    /// A place in the function, to which it may jump.
    Place(usize),
    /// A number behind the code, which it reads.
    Constant(usize),
    /// What the relocation with this number is to.
    Symbol(usize),
}

/// What an instruction does for the function as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    /// Saves or gives back registers, or moves the stack pointer.
    Frame,
    Return,
    /// Moves a register to the stack or back, so many bytes above its pointer.
    Stack(u64),
    Other,
}

impl Decoded {
    fn is_jump(&self) -> bool {
        matches!(self.refers, Some(Refers::Place(_)))
    }

    fn is_stack_move(&self, kept: u64) -> bool {
        matches!(self.act, Act::Stack(at) if at >= kept)
    }

    fn is_frame(&self) -> bool {
        matches!(self.act, Act::Frame | Act::Return)
    }

    /// The text with the name in it; constants are counted from the `end` of the code.
    fn named(&self, relocations: &[ModuleReloc], names: &Names, labels: &BTreeMap<usize, String>, end: usize) -> String {
        let name = match self.refers {
            None => return self.text.clone(),
            Some(Refers::Place(at)) => labels.get(&at).cloned().unwrap_or_default(),
            Some(Refers::Constant(at)) => format!("constants+{}", at - end),
            Some(Refers::Symbol(number)) => symbol(&relocations[number], names),
        };
        format!("{}{name}{}", self.text, self.rest)
    }
}

fn symbol(relocation: &ModuleReloc, names: &Names) -> String {
    match &relocation.name {
        ModuleRelocTarget::User { index, .. } => names.callee(*index).map_or_else(String::new, |callee| names.name(callee)),
        other => other.to_string(),
    }
}

/// The relocation within these bytes.
fn relocation(relocations: &[ModuleReloc], bytes: std::ops::Range<usize>) -> Option<usize> {
    relocations.iter().position(|relocation| bytes.contains(&(relocation.offset as usize)))
}

/// Reads the bytes of a function back, whose statements keep `kept` bytes on the stack for themselves: what lies above them is spilled.
pub(super) fn listing(
    code: &[u8],
    places: &[MachSrcLoc<Final>],
    relocations: &[ModuleReloc],
    names: &Names,
    kept: u64,
) -> Vec<Line> {
    let (instructions, end) = decode(code, relocations);
    let targets: BTreeSet<usize> = instructions
        .iter()
        .filter_map(|one| match one.refers {
            Some(Refers::Place(at)) => Some(at),
            _ => None,
        })
        .collect();
    let labels: BTreeMap<usize, String> =
        targets.into_iter().zip(1..).map(|(target, number)| (target, format!("L{number}"))).collect();
    let own: Vec<Serves> = instructions.iter().map(|one| place(one, places)).collect();
    let body = own.iter().position(|serves| serves.is_placed()).unwrap_or(0);
    // Constants by their place, with what they serve.
    let mut read: BTreeMap<usize, Serves> = BTreeMap::new();
    let mut lines = Vec::new();
    for (at, one) in instructions.iter().enumerate() {
        let saves = one.is_stack_move(kept) && (at < body || leads_to_return(&instructions[at..], &own[at..]));
        let around = one.is_frame() || saves;
        let (serves, made) = match own[at] {
            Serves::Function if around => (Serves::Function, Some(Made::Frame)),
            Serves::Function => (beside(&instructions, &own, at), one.is_stack_move(kept).then_some(Made::Spill)),
            placed => (placed, one.is_stack_move(kept).then_some(Made::Spill)),
        };
        if let Some(Refers::Constant(address)) = one.refers {
            read.entry(address).or_insert(serves);
        }
        let text = one.named(relocations, names, &labels, end);
        lines.push(Line { offset: one.offset, size: one.size, text, label: labels.get(&one.offset).cloned(), serves, made });
    }
    if end < code.len() {
        // Padding before the first constant serves nothing.
        read.entry(end).or_insert(Serves::Function);
    }
    let starts: Vec<(usize, Serves)> = read.into_iter().collect();
    for (at, &(start, serves)) in starts.iter().enumerate() {
        let next = starts.get(at + 1).map_or(code.len(), |(next, _)| *next);
        let text = format!("bytes {}", in_hex(&code[start..next]));
        let label = (start == end).then(|| "constants".into());
        lines.push(Line { offset: start, size: next - start, text, label, serves, made: Some(Made::Constant) });
    }
    lines
}

pub(super) fn in_hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// Whether only instructions that serve nothing stand between this one and the return.
fn leads_to_return(instructions: &[Decoded], serves: &[Serves]) -> bool {
    let pairs = serves.iter().zip(instructions);
    let unplaced = pairs.take_while(|(serves, one)| **serves == Serves::Function && !one.is_jump()).count();
    instructions[..unplaced].iter().any(|one| one.act == Act::Return)
}

/// What an instruction serves that says nothing: a value that the optimiser made stands before the instruction that asked for it, and
/// moves between registers on the way back into a loop stand behind the loop's last one.
fn beside(instructions: &[Decoded], own: &[Serves], at: usize) -> Serves {
    let straight = instructions[at..].iter().take_while(|one| !one.is_jump()).count();
    let ahead = own[at..at + straight].iter().find(|serves| serves.is_placed());
    let behind = || own[..at].iter().rfind(|serves| serves.is_placed());
    let found = ahead.or_else(behind).or_else(|| own[at..].iter().find(|serves| serves.is_placed()));
    found.copied().unwrap_or(Serves::Function)
}

fn place(one: &Decoded, places: &[MachSrcLoc<Final>]) -> Serves {
    let offset = one.offset as u32;
    let after = places.partition_point(|place| place.start <= offset);
    let found = after.checked_sub(1).map(|at| &places[at]).filter(|place| offset < place.end);
    found.map_or(Serves::Function, |place| Serves::of(place.loc))
}

#[cfg(test)]
mod tests;
