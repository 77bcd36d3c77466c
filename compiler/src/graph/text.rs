//! The canonical text of a graph: one line a node, types at the end, origins as a trailing comment; [`print()`] and [`parse`] are inverse.
//!
//! ```text
//! graph Xor
//!   %0 = input "x" : f32[n, 2]
//!   %1 = parameter "h.dense.weight" : f32[2, 4]
//!   %2 = contract %0, %1 [n k, k j -> n j] : f32[n, 4]    ; h.dense @ xor.net:3:11
//!   output "loss" = %9
//!   update %1 = %12
//! ```
//! A derived node's comment ends in `<- rule of %node`. The body of a scan is a graph of its own, in the lines behind the node that begin
//! with a bar.

use super::{Attributes, Contraction, Dim, Element, Graph, Node, NodeId, Origin, Root, Scan, Shape, Type, Window, verify};
use crate::base::names::nearest;
use crate::ops;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write};
use std::sync::Arc;

/// Values of a tensor, or of one row of it, beyond which it is none of ours: more than any machine's memory holds.
const MOST_VALUES: usize = 1 << 48;

/// Column at which the trailing comments start.
const COMMENT_COLUMN: usize = 64;

/// The canonical text; `origins` adds the trailing comments.
pub fn print(graph: &Graph, origins: bool) -> String {
    let mut text = format!("graph {}\n", graph.name);
    for id in graph.ids() {
        let mut line = format!("  %{} = {}", id.0, node_text(graph, id));
        let comment = if origins { graph.origin(id).to_string() } else { String::new() };
        if !comment.is_empty() {
            let width = line.chars().count();
            let _ = write!(line, "{:1$}; {comment}", " ", COMMENT_COLUMN.saturating_sub(width).max(1));
        }
        text.push_str(line.trim_end());
        text.push('\n');
        if let Attributes::Scan(scan) = &graph.node(id).attributes {
            for line in print(&scan.body, origins).lines() {
                let _ = writeln!(text, "    | {line}");
            }
        }
    }
    for root in &graph.roots {
        let _ = match root {
            Root::Output { name, node } => writeln!(text, "  output {name:?} = %{}", node.0),
            Root::Update { source, node } => writeln!(text, "  update %{} = %{}", source.0, node.0),
        };
    }
    text
}

/// A node without its number: `add %1, %2 : f32[n, 4]`.
pub fn node_text(graph: &Graph, id: NodeId) -> String {
    let node = graph.node(id);
    let mut line = ops::record(node.primitive).name.to_string();
    for (position, operand) in node.operands.iter().enumerate() {
        let _ = write!(line, "{} %{}", if position > 0 { "," } else { "" }, operand.0);
    }
    let list = |axes: &[usize]| axes.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
    let _ = match &node.attributes {
        Attributes::None => Ok(()),
        Attributes::Name(name) => write!(line, " {name:?}"),
        Attributes::Constant(bits) => write!(line, " {}", number(f64::from_bits(*bits))),
        Attributes::Axes(axes) => write!(line, " {{{}}}", list(axes)),
        Attributes::Axis(axis) => write!(line, " axis {axis}"),
        Attributes::Slice { axis, from, to } => write!(line, " slice {axis} {from} {to}"),
        Attributes::Pad { axis, before, after } => write!(line, " pad {axis} {before} {after}"),
        Attributes::Window(window) => {
            let Window { axis, extent, places, stride, size, dilation, offset } = window;
            write!(line, " window {axis} of {extent}: {places} by {stride} from {offset}, {size} by {dilation}")
        }
        Attributes::Contract(spec) => write!(line, " [{}]", contraction_text(graph, node, spec)),
        Attributes::Stream(stream) => write!(line, " stream {stream}"),
        Attributes::Scan(scan) => {
            let word = if scan.reversed { "reversed" } else { "forward" };
            write!(line, " {word} carries {} sequences {}", scan.carries, scan.sequences)
        }
    };
    let _ = write!(line, " : {}", node.ty);
    line
}

/// The shortest text that reads back to the same number; NaN and infinities by name.
pub fn number(value: f64) -> String {
    if value.is_finite() && (value == 0.0 || (1e-5..1e16).contains(&value.abs())) {
        format!("{value}")
    } else if value.is_finite() {
        format!("{value:e}")
    } else {
        format!("{value}")
    }
}

fn contraction_text(graph: &Graph, node: &Node, spec: &Contraction) -> String {
    // The batch is n; other labels are k, j, i, … in the order of their first use.
    let letters = "kjihmpqrstuvwxyzabcdefglo";
    let shapes = [graph.shape(node.operands[0]), graph.shape(node.operands[1])];
    let batch = |label: u8| {
        [&spec.left, &spec.right]
            .iter()
            .zip(shapes)
            .any(|(labels, shape)| labels.iter().zip(&shape.0).any(|(&own, dim)| own == label && *dim == Dim::Batch))
    };
    let mut names: Vec<(u8, char)> = Vec::new();
    let mut rest = letters.chars();
    for &label in spec.left.iter().chain(&spec.right) {
        if !names.iter().any(|(known, _)| *known == label) {
            let letter = if batch(label) { 'n' } else { rest.next().unwrap_or('?') };
            names.push((label, letter));
        }
    }
    let side = |labels: &[u8]| {
        let letters: Vec<String> = labels
            .iter()
            .map(|label| names.iter().find(|(known, _)| known == label).map_or('?', |(_, letter)| *letter).to_string())
            .collect();
        letters.join(" ")
    };
    format!("{}, {} -> {}", side(&spec.left), side(&spec.right), side(&spec.out))
}

/// Reads `n k, k j -> n j`; labels are words, numbered by their first use.
pub fn parse_contraction(text: &str) -> Option<Contraction> {
    let (operands, out) = text.split_once("->")?;
    let (left, right) = operands.split_once(',')?;
    let mut names: Vec<&str> = Vec::new();
    let mut sides = Vec::new();
    for part in [left, right, out] {
        let mut labels = Vec::new();
        for word in part.split_whitespace() {
            let known = names.iter().position(|known| *known == word);
            labels.push(u8::try_from(known.unwrap_or(names.len())).ok()?);
            if known.is_none() {
                names.push(word);
            }
        }
        sides.push(labels);
    }
    let [left, right, out] = <[Vec<u8>; 3]>::try_from(sides).ok()?;
    Some(Contraction { left, right, out })
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.path.is_empty() {
            parts.push(self.path.clone());
        }
        if !self.place.is_empty() {
            parts.push(format!("@ {}", self.place));
        }
        match (self.rule.is_empty(), self.of) {
            (true, _) => {}
            (false, Some(of)) => parts.push(format!("<- {} of %{}", self.rule, of.0)),
            (false, None) => parts.push(format!("<- {}", self.rule)),
        }
        f.write_str(&parts.join(" "))
    }
}

fn parse_origin(text: &str) -> Origin {
    let (rest, rule, of) = match text.split_once("<- ") {
        None => (text, "", None),
        Some((rest, derived)) => match derived.rsplit_once(" of %") {
            Some((rule, of)) => (rest, rule, of.trim().parse().ok().map(NodeId)),
            None => (rest, derived.trim(), None),
        },
    };
    let (path, place) = rest.split_once("@ ").unwrap_or((rest, ""));
    Origin { path: path.trim().into(), place: place.trim().into(), rule: rule.into(), of }
}

/// Reads a graph's text back; an error names the line.
pub fn parse(text: &str) -> Result<Graph, String> {
    let mut graph = Graph::default();
    let mut origins = HashMap::new();
    // For each node and root its line: what is wrong with it is known when all of them are there.
    let (mut nodes_at, mut roots_at) = (Vec::new(), Vec::new());
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, raw)) = lines.next() {
        let (line, comment) = split_comment(raw);
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let at = |why: String| format!("line {}: {why}", number + 1);
        parse_line(&mut graph, &mut origins, line, comment).map_err(at)?;
        nodes_at.resize(graph.nodes.len(), number + 1);
        roots_at.resize(graph.roots.len(), number + 1);
        let mut body = String::new();
        while let Some((_, inside)) = lines.next_if(|(_, line)| line.trim_start().starts_with('|')) {
            let inside = inside.trim_start().trim_start_matches('|').trim_start();
            if inside.starts_with('|') {
                return Err(at("no scan stands in a scan".into()));
            }
            body.push_str(inside);
            body.push('\n');
        }
        if !body.is_empty() {
            let node = graph.nodes.last_mut().ok_or_else(|| at("a body belongs to a scan".into()))?;
            let Attributes::Scan(scan) = &mut node.attributes else { return Err(at("a body belongs to a scan".into())) };
            let body = parse(&body).map_err(|why| at(format!("its body: {why}")))?;
            scan.body = Arc::new(body);
        }
    }
    check(&graph, &nodes_at, &roots_at)?;
    Ok(graph)
}

/// What holds of every graph, and that no two results have one name, as what someone writes may have.
fn check(graph: &Graph, nodes_at: &[usize], roots_at: &[usize]) -> Result<(), String> {
    for (id, line) in graph.ids().zip(nodes_at) {
        verify::node(graph, id).map_err(|why| format!("line {line}: {why}"))?;
    }
    let (mut updated, mut names) = (HashSet::new(), HashSet::new());
    for (root, line) in graph.roots.iter().zip(roots_at) {
        verify::root(graph, root, &mut updated).map_err(|why| format!("line {line}: {why}"))?;
        if let Root::Output { name, .. } = root
            && !names.insert(name)
        {
            return Err(format!("line {line}: another output is called {name:?}"));
        }
    }
    Ok(())
}

/// Splits at the first `;` outside of quotes.
fn split_comment(line: &str) -> (&str, &str) {
    let mut quoted = false;
    for (position, letter) in line.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            ';' if !quoted => return (&line[..position], line[position + 1..].trim()),
            _ => {}
        }
    }
    (line, "")
}

fn parse_line(graph: &mut Graph, origins: &mut HashMap<Origin, u32>, line: &str, comment: &str) -> Result<(), String> {
    if let Some(name) = line.strip_prefix("graph ") {
        graph.name = name.trim().into();
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix("output ") {
        let (name, node) = rest.rsplit_once(" = ").ok_or("an output needs `= %node`")?;
        let name = unquote(name).ok_or("an output needs a quoted name")?;
        graph.roots.push(Root::Output { name, node: parse_id(node)? });
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix("update ") {
        let (source, node) = rest.split_once(" = ").ok_or("an update needs `= %node`")?;
        graph.roots.push(Root::Update { source: parse_id(source)?, node: parse_id(node)? });
        return Ok(());
    }
    let (id, rest) = line.split_once(" = ").ok_or("a node reads `%n = primitive …`")?;
    if parse_id(id)?.index() != graph.nodes.len() {
        return Err(format!("expected %{}, found {id}", graph.nodes.len()));
    }
    let (body, ty) = rest.rsplit_once(" : ").ok_or("a node ends in its type")?;
    let (name, arguments) = body.split_once(' ').unwrap_or((body, ""));
    let primitive = ops::by_name(name).ok_or_else(|| unknown_primitive(name))?;
    let (operands, attributes) = parse_arguments(arguments.trim())?;
    let origin = parse_origin(comment);
    let origin = *origins.entry(origin.clone()).or_insert_with(|| {
        graph.origins.push(origin);
        graph.origins.len() as u32 - 1
    });
    graph.nodes.push(Node { primitive, attributes, operands, ty: parse_type(ty)?, origin });
    Ok(())
}

fn unknown_primitive(name: &str) -> String {
    let near = nearest(name, ops::PRIMITIVES.iter().map(|primitive| ops::record(*primitive).name));
    let near = near.map_or_else(String::new, |near| format!("; perhaps {near}"));
    format!("no primitive is called {name}{near}")
}

fn parse_arguments(mut text: &str) -> Result<(Vec<NodeId>, Attributes), String> {
    let mut operands = Vec::new();
    while let Some(rest) = text.strip_prefix('%') {
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        operands.push(parse_id(&text[..=end])?);
        text = rest[end..].trim_start_matches(',').trim_start();
    }
    Ok((operands, parse_attributes(text)?))
}

fn parse_attributes(text: &str) -> Result<Attributes, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |word: &str| word.parse::<usize>().map_err(|_| format!("`{word}` is no number"));
    Ok(match words.as_slice() {
        [] => Attributes::None,
        ["axis", axis] => Attributes::Axis(number(axis)?),
        ["slice", axis, from, to] => Attributes::Slice { axis: number(axis)?, from: number(from)?, to: number(to)? },
        [word @ ("forward" | "reversed"), "carries", carries, "sequences", sequences] => Attributes::Scan(Scan {
            body: Arc::default(),
            reversed: *word == "reversed",
            carries: number(carries)?,
            sequences: number(sequences)?,
        }),
        ["pad", axis, before, after] => Attributes::Pad { axis: number(axis)?, before: number(before)?, after: number(after)? },
        ["window", axis, "of", extent, places, "by", stride, "from", offset, size, "by", dilation] => {
            let ahead = |word: &str, end: char| number(word.strip_suffix(end).unwrap_or(word));
            Attributes::Window(Window {
                axis: number(axis)?,
                extent: ahead(extent, ':')?,
                places: number(places)?,
                stride: number(stride)?,
                size: number(size)?,
                dilation: dilation.parse().map_err(|_| format!("`{dilation}` is no number"))?,
                offset: ahead(offset, ',')?,
            })
        }
        ["stream", stream] => {
            // Further streams must find a number behind it.
            let number = stream.parse().ok().filter(|stream| *stream < 1 << 31);
            Attributes::Stream(number.ok_or_else(|| format!("`{stream}` is no stream"))?)
        }
        _ if text.starts_with('"') => Attributes::Name(unquote(text).ok_or("a name must be quoted")?),
        _ if text.starts_with('{') => {
            let inner = text.trim_start_matches('{').trim_end_matches('}');
            Attributes::Axes(inner.split_whitespace().map(number).collect::<Result<_, _>>()?)
        }
        _ if text.starts_with('[') => {
            let inner = text.trim_start_matches('[').trim_end_matches(']');
            Attributes::Contract(parse_contraction(inner).ok_or("a contraction reads [n k, k j -> n j]")?)
        }
        [word] => Attributes::Constant(word.parse::<f64>().map_err(|_| format!("`{word}` is no number"))?.to_bits()),
        _ => return Err(format!("`{text}` cannot be read")),
    })
}

fn unquote(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix('"')?.strip_suffix('"')?;
    Some(inner.replace("\\\"", "\"").replace("\\\\", "\\"))
}

fn parse_id(text: &str) -> Result<NodeId, String> {
    text.trim().strip_prefix('%').and_then(|digits| digits.parse().ok()).map(NodeId).ok_or_else(|| format!("`{text}` is no node"))
}

/// Reads `f32[n, 4]`.
pub fn parse_type(text: &str) -> Result<Type, String> {
    let bad = || format!("`{text}` is no type");
    let (element, shape) = text.trim().strip_suffix(']').and_then(|rest| rest.split_once('[')).ok_or_else(bad)?;
    let element = match element {
        "f32" => Element::F32,
        "f64" => Element::F64,
        "i32" => Element::I32,
        "u32" => Element::U32,
        "bool" => Element::Bool,
        _ => {
            let count =
                element.strip_prefix("class(").and_then(|rest| rest.strip_suffix(')')).and_then(|digits| digits.parse().ok());
            Element::Class(count.ok_or_else(bad)?)
        }
    };
    let dims: Option<Vec<Dim>> = shape
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| if word == "n" { Some(Dim::Batch) } else { word.parse().ok().map(Dim::Fixed) })
        .collect();
    let shape = Shape(dims.ok_or_else(bad)?);
    // An axis of no elements must not hide how long the others are.
    if shape.0.iter().try_fold(1usize, |count, dim| count.checked_mul(dim.at(1).max(1))).is_none_or(|count| count > MOST_VALUES) {
        return Err(format!("`{text}` would hold too many values"));
    }
    Ok(Type { element, shape })
}
