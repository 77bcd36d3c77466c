//! Bytes of a processor for which there is no reader: a word a line, so that each still leads to what it is for.

use cranelift_module::ModuleReloc;

use super::{Act, Decoded, Refers, in_hex, relocation};

/// Bytes in a line.
const WORD: usize = 4;

/// The bytes as words, each with the symbol that is put into it.
pub(super) fn decode(code: &[u8], relocations: &[ModuleReloc]) -> (Vec<Decoded>, usize) {
    let words = code.chunks(WORD).zip((0..).step_by(WORD)).map(|(word, offset)| {
        let refers = relocation(relocations, offset..offset + word.len()).map(Refers::Symbol);
        let text = format!("bytes {}{}", in_hex(word), if refers.is_some() { " with " } else { "" });
        Decoded { offset, size: word.len(), text, rest: String::new(), refers, act: Act::Other }
    });
    (words.collect(), code.len())
}
