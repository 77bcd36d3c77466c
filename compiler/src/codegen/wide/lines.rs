//! A wide function as text, read back from its bytes.

use iced_x86::{Decoder, DecoderOptions, FastFormatter, Instruction};
use std::collections::BTreeMap;

use super::super::listing::{Line, Made, Serves, in_hex};
use super::{Span, Wide};

/// The lines of a function that stands `start` bytes behind its kernel's beginning and is called `name`.
pub(in super::super) fn lines(wide: &Wide, start: usize, name: &str) -> Vec<Line> {
    let decoder = Decoder::with_ip(64, &wide.bytes[..wide.end], 0, DecoderOptions::NONE);
    let instructions: Vec<Instruction> = decoder.into_iter().collect();
    let mut labels = BTreeMap::from([(0, name.to_owned())]);
    let mut targets: Vec<u64> =
        instructions.iter().filter(|one| one.is_jcc_short_or_near()).map(Instruction::near_branch_target).collect();
    targets.sort_unstable();
    targets.dedup();
    labels.extend(targets.into_iter().zip(1..).map(|(target, number)| (target as usize, format!("{name}.L{number}"))));
    let mut formatter = FastFormatter::new();
    let mut lines = Vec::new();
    for one in &instructions {
        let offset = one.ip() as usize;
        let found = wide.spans.binary_search_by_key(&offset, |span| span.offset).map(|at| wide.spans[at]);
        let span = found.unwrap_or(Span { offset, serves: Serves::Function, made: None });
        let mut text = String::new();
        formatter.format(one, &mut text);
        if one.is_jcc_short_or_near() {
            let label = labels.get(&(one.near_branch_target() as usize)).map_or("", String::as_str);
            text = format!("{} {label}", text.split(' ').next().unwrap_or_default());
        } else if let (true, Some(open), Some(close)) = (one.is_ip_rel_memory_operand(), text.find('['), text.find(']')) {
            let constant = one.ip_rel_memory_address() as usize - wide.pool;
            text = format!("{}[{name}.constants+{constant}{}", &text[..open], &text[close..]);
        }
        let label = labels.get(&offset).cloned();
        lines.push(Line { offset: start + offset, size: one.len(), text, label, serves: span.serves, made: span.made });
    }
    if wide.end < wide.pool {
        // Padding is there for the constant behind it.
        let serves = wide.constants.first().map_or(Serves::Function, |&(_, serves)| serves);
        lines.push(bytes(wide, start, wide.end, wide.pool, serves, None));
    }
    for (at, &(offset, serves)) in wide.constants.iter().enumerate() {
        let end = wide.constants.get(at + 1).map_or(wide.bytes.len(), |&(next, _)| next);
        let label = (at == 0).then(|| format!("{name}.constants"));
        lines.push(bytes(wide, start, offset, end, serves, label));
    }
    lines
}

fn bytes(wide: &Wide, start: usize, from: usize, to: usize, serves: Serves, label: Option<String>) -> Line {
    let text = format!("bytes {}", in_hex(&wide.bytes[from..to]));
    Line { offset: start + from, size: to - from, text, label, serves, made: Some(Made::Constant) }
}
