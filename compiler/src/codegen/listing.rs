//! Every byte of a function, and what it is for.
//!
//! While a function is written, each instruction carries the graph node that it serves (in a driver: the kernel that it runs), and
//! Cranelift keeps that through optimisation, register allocation and layout. The listing reads the bytes back, so that nothing can be
//! left out: what carries no node is the compiler's own, and is named as such.

use cranelift_codegen::ir::SourceLoc;
use cranelift_codegen::{Final, MachSrcLoc};
use cranelift_module::{ModuleReloc, ModuleRelocTarget};
use iced_x86::{Decoder, DecoderOptions, FastFormatter, Instruction, Register};
use std::collections::{BTreeMap, BTreeSet};

use super::symbols::Names;

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

/// Decodes the bytes of a function, whose statements keep `kept` bytes on the stack for themselves: what lies above them is spilled.
pub(super) fn listing(
    code: &[u8],
    places: &[MachSrcLoc<Final>],
    relocations: &[ModuleReloc],
    names: &Names,
    kept: u64,
) -> Vec<Line> {
    let (instructions, end) = decode(code, relocations);
    let targets: BTreeSet<u64> = instructions.iter().filter(|one| is_jump(one)).map(Instruction::near_branch_target).collect();
    let labels: BTreeMap<u64, String> =
        targets.into_iter().zip(1..).map(|(target, number)| (target, format!("L{number}"))).collect();
    let own: Vec<Serves> = instructions.iter().map(|one| place(one, places)).collect();
    let body = own.iter().position(|serves| serves.is_placed()).unwrap_or(0);
    let mut formatter = FastFormatter::new();
    // Constants by their place, with what they serve.
    let mut read: BTreeMap<usize, Serves> = BTreeMap::new();
    let mut lines = Vec::new();
    for (at, one) in instructions.iter().enumerate() {
        let saves = is_stack_move(one, kept) && (at < body || leads_to_return(&instructions[at..], &own[at..]));
        let around = is_frame(one) || saves;
        let (serves, made) = match own[at] {
            Serves::Function if around => (Serves::Function, Some(Made::Frame)),
            Serves::Function => (beside(&instructions, &own, at), is_stack_move(one, kept).then_some(Made::Spill)),
            placed => (placed, is_stack_move(one, kept).then_some(Made::Spill)),
        };
        if let Some(address) = constant(one, relocations) {
            read.entry(address as usize).or_insert(serves);
        }
        let mut text = String::new();
        formatter.format(one, &mut text);
        let offset = one.ip() as usize;
        lines.push(Line {
            offset,
            size: one.len(),
            text: named(text, one, relocations, names, &labels, end),
            label: labels.get(&one.ip()).cloned(),
            serves,
            made,
        });
    }
    if end < code.len() {
        // Padding before the first constant serves nothing.
        read.entry(end).or_insert(Serves::Function);
    }
    let starts: Vec<(usize, Serves)> = read.into_iter().collect();
    for (at, &(start, serves)) in starts.iter().enumerate() {
        let next = starts.get(at + 1).map_or(code.len(), |(next, _)| *next);
        let bytes: Vec<String> = code[start..next].iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("bytes {}", bytes.join(" "));
        let label = (start == end).then(|| "constants".into());
        lines.push(Line { offset: start, size: next - start, text, label, serves, made: Some(Made::Constant) });
    }
    lines
}

/// Instructions, and where they end: constants follow, and an instruction that reads one tells where they begin.
fn decode(code: &[u8], relocations: &[ModuleReloc]) -> (Vec<Instruction>, usize) {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut end = code.len() as u64;
    let mut instructions = Vec::new();
    while decoder.can_decode() && decoder.ip() < end {
        let one = decoder.decode();
        if let Some(address) = constant(&one, relocations) {
            end = end.min(address);
        }
        instructions.push(one);
    }
    // What was decoded between the last return and the constants is padding.
    while instructions.last().is_some_and(|one| one.is_invalid() || one.next_ip() > end || is_padding(one)) {
        instructions.pop();
    }
    let end = instructions.last().map_or(0, |one| one.next_ip() as usize);
    (instructions, end)
}

/// Where the constant lies that an instruction reads.
fn constant(one: &Instruction, relocations: &[ModuleReloc]) -> Option<u64> {
    (one.is_ip_rel_memory_operand() && relocation(one, relocations).is_none()).then(|| one.ip_rel_memory_address())
}

/// Zeros decode to an addition to memory that generated code never makes.
fn is_padding(one: &Instruction) -> bool {
    one.code() == iced_x86::Code::Add_rm8_r8 || one.mnemonic() == iced_x86::Mnemonic::Nop
}

fn is_jump(one: &Instruction) -> bool {
    one.is_jmp_short_or_near() || one.is_jcc_short_or_near()
}

fn is_stack_move(one: &Instruction, kept: u64) -> bool {
    use iced_x86::Mnemonic::{Mov, Movdqu, Movsd, Movss, Movupd, Movups};
    one.memory_base() == Register::RSP
        && one.memory_displacement64() >= kept
        && matches!(one.mnemonic(), Mov | Movups | Movupd | Movdqu | Movss | Movsd)
}

fn is_frame(one: &Instruction) -> bool {
    use iced_x86::Mnemonic::{Pop, Push, Ret};
    let moves_frame = one.op0_register() == Register::RBP && one.op1_register() == Register::RSP;
    matches!(one.mnemonic(), Push | Pop | Ret) || one.op0_register() == Register::RSP || moves_frame
}

/// Whether only instructions that serve nothing stand between this one and the return.
fn leads_to_return(instructions: &[Instruction], serves: &[Serves]) -> bool {
    let pairs = serves.iter().zip(instructions);
    let unplaced = pairs.take_while(|(serves, one)| **serves == Serves::Function && !is_jump(one)).count();
    instructions[..unplaced].iter().any(|one| one.mnemonic() == iced_x86::Mnemonic::Ret)
}

/// What an instruction serves that says nothing: a value that the optimiser made stands before the instruction that asked for it, and
/// moves between registers on the way back into a loop stand behind the loop's last one.
fn beside(instructions: &[Instruction], own: &[Serves], at: usize) -> Serves {
    let straight = instructions[at..].iter().take_while(|one| !is_jump(one)).count();
    let ahead = own[at..at + straight].iter().find(|serves| serves.is_placed());
    let behind = || own[..at].iter().rfind(|serves| serves.is_placed());
    let found = ahead.or_else(behind).or_else(|| own[at..].iter().find(|serves| serves.is_placed()));
    found.copied().unwrap_or(Serves::Function)
}

fn place(one: &Instruction, places: &[MachSrcLoc<Final>]) -> Serves {
    let offset = one.ip() as u32;
    let after = places.partition_point(|place| place.start <= offset);
    let found = after.checked_sub(1).map(|at| &places[at]).filter(|place| offset < place.end);
    found.map_or(Serves::Function, |place| Serves::of(place.loc))
}

/// The function whose address is put into the instruction.
fn relocation<'a>(one: &Instruction, relocations: &'a [ModuleReloc]) -> Option<&'a ModuleReloc> {
    relocations.iter().find(|relocation| (one.ip()..one.next_ip()).contains(&u64::from(relocation.offset)))
}

/// The text with names in place of addresses.
fn named(
    text: String,
    one: &Instruction,
    relocations: &[ModuleReloc],
    names: &Names,
    labels: &BTreeMap<u64, String>,
    end: usize,
) -> String {
    let last = |name: &str| {
        let head = text.rfind([',', ' ']).map_or("", |position| &text[..=position]);
        format!("{head}{name}")
    };
    if let Some(relocation) = relocation(one, relocations) {
        return match &relocation.name {
            ModuleRelocTarget::User { index, .. } => {
                last(&names.callee(*index).map_or_else(String::new, |callee| names.name(callee)))
            }
            other => last(&other.to_string()),
        };
    }
    if is_jump(one) {
        return last(labels.get(&one.near_branch_target()).map_or("", String::as_str));
    }
    if let (true, Some(open), Some(close)) = (one.is_ip_rel_memory_operand(), text.find('['), text.find(']')) {
        return format!("{}[constants+{}{}", &text[..open], one.ip_rel_memory_address() as usize - end, &text[close..]);
    }
    text
}
