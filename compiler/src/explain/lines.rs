//! Lines of the later stages with the nodes that they serve, read off the marks that the texts themselves carry.

/// A line of a stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    /// The line.
    pub text: &'a str,
    /// The kernel that it belongs to.
    pub kernel: Option<usize>,
    /// The node that it serves, by its number in the kernel's graph.
    pub node: Option<u32>,
}

/// Lines of 06-loops: a mark holds until the next one of its block.
pub fn loops(text: &str) -> Vec<Line<'_>> {
    let (mut kernel, mut node) = (None, None);
    let mut lines: Vec<Line> = Vec::new();
    for line in text.lines() {
        let head = line.trim_start();
        if let Some(rest) = head.strip_prefix("kernel ") {
            (kernel, node) = (number(rest), None);
        } else if head.starts_with("entry ") {
            (kernel, node) = (None, None);
        }
        match (kernel, marked(line)) {
            (Some(_), Some(mark)) => node = Some(mark),
            // A block whose first instruction has no mark serves %0; its head is given the node when that is known.
            (Some(_), None) if head.starts_with("nest ") || head.starts_with("tiles ") => node = None,
            (Some(_), None) if node.is_none() && head.starts_with(['%', 's']) => node = Some(0),
            _ => {}
        }
        lines.push(Line { text: line, kernel, node: if kernel.is_some() { node } else { None } });
    }
    // The head of a nest serves what its first instruction serves.
    for at in (1..lines.len()).rev() {
        if lines[at - 1].node.is_none() && lines[at - 1].text.trim_start().starts_with("nest ") && lines[at - 1].kernel.is_some()
        {
            lines[at - 1].node = lines[at].node;
        }
    }
    lines
}

/// `; %12` at the end of a line, whatever follows the number.
fn marked(line: &str) -> Option<u32> {
    line.rsplit_once("; %").and_then(|(_, rest)| number(rest))
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// Lines of one function of 08-clif: Cranelift writes the place of an instruction before it, in hexadecimal.
pub fn clif(text: &str, kernel: usize) -> Vec<Line<'_>> {
    let place = |line: &str| {
        let digits = line.trim_start().strip_prefix('@')?;
        let end = digits.find(|letter: char| !letter.is_ascii_hexdigit()).unwrap_or(digits.len());
        u32::from_str_radix(&digits[..end], 16).ok()
    };
    text.lines().map(|line| Line { text: line, kernel: Some(kernel), node: place(line) }).collect()
}
