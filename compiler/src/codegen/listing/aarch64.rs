//! The instructions of an AArch64.

use cranelift_codegen::binemit::Reloc;
use cranelift_module::ModuleReloc;
use yaxpeax_arch::{Arch, Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::{ARMv8, Instruction, Opcode, Operand};

use super::{Act, Decoded, Refers, in_hex, relocation};

/// The numbers of the frame's pointer and the stack's among the registers.
const FRAME: u16 = 29;
const STACK: u16 = 31;

/// Instructions, and where they end: constants follow, and an instruction that reads one tells where they begin. The address of a
/// far function stands between instructions.
pub(super) fn decode(code: &[u8], relocations: &[ModuleReloc]) -> (Vec<Decoded>, usize) {
    let decoder = <ARMv8 as Arch>::Decoder::default();
    let mut end = code.len();
    let mut decoded = Vec::new();
    let mut offset = 0;
    while offset < end {
        let symbol = |size| relocation(relocations, offset..offset + size);
        let one = match symbol(1).filter(|&number| relocations[number].kind == Reloc::Abs8) {
            Some(number) => address(offset, number),
            None => {
                let word = &code[offset..end.min(offset + 4)];
                match decoder.decode(&mut U8Reader::new(word)) {
                    Ok(one) => instruction(&one, offset, symbol(4), relocations),
                    Err(_) => unknown(word, offset),
                }
            }
        };
        if let Some(Refers::Constant(at)) = one.refers {
            end = end.min(at);
        }
        offset += one.size;
        decoded.push(one);
    }
    (decoded, end)
}

fn address(offset: usize, symbol: usize) -> Decoded {
    let text = "address of ".to_owned();
    Decoded { offset, size: 8, text, rest: String::new(), refers: Some(Refers::Symbol(symbol)), act: Act::Other }
}

fn unknown(word: &[u8], offset: usize) -> Decoded {
    let text = format!("bytes {}", in_hex(word));
    Decoded { offset, size: word.len(), text, rest: String::new(), refers: None, act: Act::Other }
}

fn instruction(one: &Instruction, offset: usize, symbol: Option<usize>, relocations: &[ModuleReloc]) -> Decoded {
    let distance = one.operands.iter().find_map(|operand| match operand {
        Operand::PCOffset(distance) => Some(*distance),
        _ => None,
    });
    let target = distance.and_then(|distance| offset.checked_add_signed(isize::try_from(distance).ok()?));
    let reads = one.opcode == Opcode::LDR;
    let refers = match (symbol, target) {
        (Some(symbol), _) => Some(Refers::Symbol(symbol)),
        // Of a far function the address lies in the way of the code, and is a line of its own.
        (None, Some(at)) if reads => relocation(relocations, at..at + 1).is_none().then_some(Refers::Constant(at)),
        (None, at) => at.map(Refers::Place),
    };
    let mut text = one.to_string();
    let mut rest = "";
    // A name takes the place of the last operand.
    if refers.is_some() {
        text.truncate(text.rfind([',', ' ']).map_or(text.len(), |last| last + 1));
    }
    if let Some(Refers::Constant(_)) = refers {
        text.push('[');
        rest = "]";
    }
    Decoded { offset, size: 4, text, rest: rest.to_owned(), refers, act: act(one) }
}

fn act(one: &Instruction) -> Act {
    match (one.opcode, one.operands) {
        (Opcode::RET, _) => Act::Return,
        (Opcode::ADD | Opcode::SUB, [Operand::RegisterOrSP(_, STACK), ..]) => Act::Frame,
        (Opcode::ADD, [Operand::RegisterOrSP(_, FRAME), Operand::RegisterOrSP(_, STACK), ..]) => Act::Frame,
        (_, operands) => operands.iter().find_map(on_stack).unwrap_or(Act::Other),
    }
}

/// What an operand in memory says of the stack.
fn on_stack(operand: &Operand) -> Option<Act> {
    match operand {
        Operand::RegPreIndex(STACK, at, false) => u64::try_from(*at).ok().map(Act::Stack),
        Operand::RegPreIndex(STACK, ..) | Operand::RegPostIndex(STACK, _) => Some(Act::Frame),
        _ => None,
    }
}
