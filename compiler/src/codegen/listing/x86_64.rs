//! The instructions of an x86-64.

use cranelift_module::ModuleReloc;
use iced_x86::{Code, Decoder, DecoderOptions, FastFormatter, Instruction, Mnemonic, Register};

use super::{Act, Decoded, Refers, relocation};

/// Instructions, and where they end: constants follow, and an instruction that reads one tells where they begin.
pub(super) fn decode(code: &[u8], relocations: &[ModuleReloc]) -> (Vec<Decoded>, usize) {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut end = code.len() as u64;
    let mut instructions = Vec::new();
    while decoder.can_decode() && decoder.ip() < end {
        let one = decoder.decode();
        let refers = refers(&one, relocations);
        if let Some(Refers::Constant(address)) = refers {
            end = end.min(address as u64);
        }
        instructions.push((one, refers));
    }
    // What was decoded between the last return and the constants is padding.
    while instructions.last().is_some_and(|(one, _)| one.is_invalid() || one.next_ip() > end || is_padding(one)) {
        instructions.pop();
    }
    let end = instructions.last().map_or(0, |(one, _)| one.next_ip() as usize);
    let mut formatter = FastFormatter::new();
    let decoded = instructions.iter().map(|(one, refers)| decoded(one, *refers, &mut formatter));
    (decoded.collect(), end)
}

/// Zeros decode to an addition to memory that generated code never makes.
fn is_padding(one: &Instruction) -> bool {
    one.code() == Code::Add_rm8_r8 || one.mnemonic() == Mnemonic::Nop
}

fn refers(one: &Instruction, relocations: &[ModuleReloc]) -> Option<Refers> {
    let bytes = one.ip() as usize..one.next_ip() as usize;
    let is_jump = one.is_jmp_short_or_near() || one.is_jcc_short_or_near();
    let symbol = relocation(relocations, bytes).map(Refers::Symbol);
    let place = || is_jump.then(|| Refers::Place(one.near_branch_target() as usize));
    let constant = || one.is_ip_rel_memory_operand().then(|| Refers::Constant(one.ip_rel_memory_address() as usize));
    symbol.or_else(place).or_else(constant)
}

fn decoded(one: &Instruction, refers: Option<Refers>, formatter: &mut FastFormatter) -> Decoded {
    let mut text = String::new();
    formatter.format(one, &mut text);
    // A name takes the place of the last operand, that of a constant what stands in brackets.
    let place = match refers {
        None => text.len()..text.len(),
        Some(Refers::Constant(_)) => text.find('[').map_or(0, |open| open + 1)..text.find(']').unwrap_or(text.len()),
        Some(Refers::Place(_) | Refers::Symbol(_)) => text.rfind([',', ' ']).map_or(0, |last| last + 1)..text.len(),
    };
    let rest = text.split_off(place.end);
    text.truncate(place.start);
    Decoded { offset: one.ip() as usize, size: one.len(), text, rest, refers, act: act(one) }
}

fn act(one: &Instruction) -> Act {
    use Mnemonic::{Mov, Movdqu, Movsd, Movss, Movupd, Movups, Pop, Push, Ret};
    let moves_frame = one.op0_register() == Register::RBP && one.op1_register() == Register::RSP;
    match one.mnemonic() {
        Ret => Act::Return,
        Push | Pop => Act::Frame,
        _ if one.op0_register() == Register::RSP || moves_frame => Act::Frame,
        Mov | Movups | Movupd | Movdqu | Movss | Movsd if one.memory_base() == Register::RSP => {
            Act::Stack(one.memory_displacement64())
        }
        _ => Act::Other,
    }
}
