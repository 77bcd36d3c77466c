//! The primitives' page.

use super::{cell, sentence};
use crate::graph::scan::Role;
use crate::graph::text::node_text;
use crate::graph::{Attributes, Builder, Contraction, Element, Graph, NodeId, Scan, Shape, Type, Window};
use crate::loops::block::BlockBuilder;
use crate::loops::{BufferId, Instruction, Lane};
use crate::ops::{Derivative, Exactness, Fold, Lowering, Operation, PRIMITIVES, Primitive, Record, Sample, Vjp, family, record};
use std::fmt::Write;

/// The page: a table of all primitives, then one entry each.
pub fn primitives() -> String {
    let mut text = String::from(
        "# The primitives\n\n\
         *This page is written from the records in `compiler/src/ops`; see [Numbers](numbers.md) for what the exactness means.*\n\n\
         Everything that a network can say is built from the primitives below. Each has one record: its type rule, its value in\n\
         f64, its derivative as a graph, and how it becomes loops. No other part of the compiler knows more of them.\n\n\
         How an entry reads:\n\n\
         - **Elements** that the type rule takes, and the result's; `T` is any of those that follow.\n\
         - **Lowering**. *Pointwise* primitives become block instructions, element by element; the number counts those for one\n  \
           element of the example, without loads, stores and constants. *Views* are another way of indexing, and cost nothing.\n\
         - **Exactness** is what f32 does to a value that f64 would give exactly. An *ulp* is a unit in the last place.\n\
         - **Derivative**: the rule, where `g` is the gradient of the result. Below it stands an example and the nodes that the\n  \
           rule adds to the graph for it, in the text form of [the dumps](dumps.md), before any rewriting.\n\n",
    );
    text.push_str("| primitive | value | lowering | exactness |\n|---|---|---|---|\n");
    for &primitive in PRIMITIVES {
        let record = record(primitive);
        let _ = writeln!(
            text,
            "| [`{0}`](#{0}) | {1} | {2} | {3} |",
            record.name,
            cell(record.doc.trim_end_matches('.')),
            lowering(record),
            exactness(record.exactness)
        );
    }
    for family in families() {
        let _ = writeln!(text, "\n## {}", heading(family));
        for &primitive in PRIMITIVES.iter().filter(|&&primitive| self::family(primitive) == family) {
            entry(&mut text, primitive);
        }
    }
    text
}

/// The families in the order of their first primitive.
fn families() -> Vec<&'static str> {
    let mut families = Vec::new();
    for &primitive in PRIMITIVES {
        if !families.contains(&family(primitive)) {
            families.push(family(primitive));
        }
    }
    families
}

fn heading(family: &str) -> String {
    let words = family.replace('_', " ");
    words[..1].to_uppercase() + &words[1..]
}

fn entry(text: &mut String, primitive: Primitive) {
    let record = record(primitive);
    let _ = writeln!(text, "\n### {}\n\n{}", record.name, sentence(record.doc));
    if record.is_source() {
        return;
    }
    text.push('\n');
    let example = example(primitive);
    let _ = writeln!(text, "| | |\n|---|---|");
    let _ = writeln!(text, "| operands | {} |", record.arity.map_or("any number".to_string(), |arity| arity.to_string()));
    if let Some(example) = &example {
        let _ = writeln!(text, "| elements | {} |", elements(primitive, example));
    }
    let _ = writeln!(text, "| lowering | {} |", lowering_with_count(record, example.as_ref()));
    let _ = writeln!(text, "| exactness | {} |", exactness(record.exactness));
    let rule = match &record.derivative {
        Derivative::Rule { text, .. } => format!("`{}`", cell(text)),
        Derivative::Zero if record.arity == Some(0) => "it has no operands".into(),
        Derivative::Zero => "none flows".into(),
        Derivative::Missing => "there is none; to need it is a mistake of the network".into(),
    };
    let _ = writeln!(text, "| derivative | {rule} |");
    let mut properties = Vec::new();
    if record.commutative {
        properties.push("its operands may be swapped without changing a bit");
    }
    if !record.smooth && matches!(record.derivative, Derivative::Rule { .. }) {
        properties.push("it has kinks: no second derivative there");
    }
    if !properties.is_empty() {
        let _ = writeln!(text, "| also | {} |", properties.join("; "));
    }
    if let Some(example) = example {
        let _ = write!(text, "\n```text\n{}```\n", worked(primitive, &example));
    }
}

fn lowering(record: &Record) -> &'static str {
    match record.lowering {
        Lowering::Source => "source",
        Lowering::Coordinate => "coordinate",
        Lowering::Pointwise(_) => "pointwise",
        Lowering::Reduce(_) => "reduction",
        Lowering::Contract => "product",
        Lowering::View => "view",
        Lowering::Gather => "gather",
        Lowering::Random => "random",
        Lowering::Opaque => "own nest",
        Lowering::Scan => "loop over steps",
    }
}

fn lowering_with_count(record: &Record, example: Option<&Example>) -> String {
    match record.lowering {
        Lowering::Source => "source".into(),
        Lowering::Coordinate => "coordinate: the index along an axis, as the loop has it".into(),
        Lowering::Pointwise(_) => match example.and_then(|example| instructions(record, example)) {
            Some(0) => "pointwise, no instruction".into(),
            Some(1) => "pointwise, 1 block instruction".into(),
            Some(count) => format!("pointwise, {count} block instructions"),
            None => "pointwise".into(),
        },
        Lowering::Reduce(fold) => {
            let name = match fold {
                Fold::Sum => "sums",
                Fold::Max => "maxima",
                Fold::Min => "minima",
            };
            format!("reduction by {name}, from {}", fold.identity())
        }
        Lowering::Contract => "product, by micro-kernels".into(),
        Lowering::View => "view: another way of indexing its operand, no code of its own".into(),
        Lowering::Gather => "gather: read from memory where a value points".into(),
        Lowering::Random => "random: a nest that draws four words at a time".into(),
        Lowering::Opaque => "a nest of its own, which writes its result's memory".into(),
        Lowering::Scan => "a loop over the steps, around the kernels of its body, in tiles of rows".into(),
    }
}

fn exactness(exactness: Exactness) -> String {
    match exactness {
        Exactness::Exact => "exact".into(),
        Exactness::Ulp(count) => format!("{count} ulp"),
        Exactness::Accumulates => "rounds once a term".into(),
    }
}

/// Block instructions of one element of the example.
fn instructions(record: &Record, example: &Example) -> Option<usize> {
    let Lowering::Pointwise(lower) = record.lowering else { return None };
    let elements: Vec<Element> = example.operands.iter().map(|ty| ty.element).collect();
    let mut block = BlockBuilder::new();
    let lane = |element| if element == Element::F32 { Lane::F32 } else { Lane::I32 };
    let operands: Vec<_> =
        elements.iter().enumerate().map(|(at, one)| block.load_scalar(BufferId(0), at as i64, lane(*one))).collect();
    let operation = Operation { operands: &elements, element: example.result.element, attributes: &example.attributes };
    lower(&mut block, &operands, &operation);
    let is_free = |one: &Instruction| {
        matches!(one, Instruction::Load(..) | Instruction::ConstF32(_) | Instruction::ConstI32(_) | Instruction::ConstF64(_))
    };
    Some(block.finish().code.iter().filter(|one| !is_free(one)).count())
}

/// The element of an operand where the free ones are `free`.
fn element(record: &Record, operand: usize, free: Element) -> Element {
    match record.samples.get(operand).or(record.samples.last()) {
        Some(Sample::Bool) => Element::Bool,
        Some(Sample::Integer) => Element::I32,
        _ => free,
    }
}

/// One application of a primitive.
struct Example {
    operands: Vec<Type>,
    attributes: Attributes,
    given: Option<Type>,
    result: Type,
}

/// The first of many applications that the type rule takes and that changes something.
fn example(primitive: Primitive) -> Option<Example> {
    let record = record(primitive);
    let arity = match record.arity {
        Some(0) => return None,
        Some(arity) => arity,
        None => 2,
    };
    for (attributes, given) in applications() {
        for shapes in shapes(record, arity) {
            let operands: Vec<Type> = shapes
                .into_iter()
                .enumerate()
                .map(|(operand, shape)| Type { element: element(record, operand, Element::F32), shape })
                .collect();
            let types: Vec<&Type> = operands.iter().collect();
            let Ok(result) = (record.infer)(&types, &attributes, given.as_ref()) else { continue };
            let is_idle = !record.is_pointwise() && operands[0] == result || given.as_ref() == Some(&operands[0]);
            if !is_idle {
                return Some(Example { operands, attributes, given, result });
            }
        }
    }
    None
}

/// Attributes and given types that are tried, in this order.
fn applications() -> Vec<(Attributes, Option<Type>)> {
    let row = Type::f32(Shape::batch(&[4]));
    let contraction = Contraction { left: vec![0, 1], right: vec![1, 2], out: vec![0, 2] };
    let window = Window { axis: 0, extent: 4, places: 2, stride: 1, size: 3, dilation: 1, offset: 0 };
    let windowed = Window { extent: 6, places: 4, ..window };
    let attributes = [
        Attributes::None,
        Attributes::Axes(vec![1]),
        Attributes::Axes(vec![1, 0]),
        Attributes::Axis(3),
        Attributes::Axis(1),
        Attributes::Slice { axis: 1, from: 1, to: 3 },
        Attributes::Pad { axis: 1, before: 1, after: 2 },
        Attributes::Window(window),
        Attributes::Window(windowed),
        Attributes::Contract(contraction),
        Attributes::Scan(decay()),
    ];
    let given = [None, Some(row.with(Element::I32)), Some(Type::f32(Shape::batch(&[2, 2]))), Some(row)];
    attributes.iter().flat_map(|attributes| given.iter().map(move |given| (attributes.clone(), given.clone()))).collect()
}

/// The scan that serves as an example: `h / 2 + x`.
fn decay() -> Scan {
    let mut body = Builder::new("step");
    let mut source = |role: Role| {
        let (primitive, name) = role.source();
        body.source(primitive, &name, Type::f32(Shape::batch(&[4]))).expect("any type is a source's")
    };
    let (h, x) = (source(Role::Carry(0)), source(Role::Sequence(0)));
    let half = body.scale(h, 0.5).and_then(|half| body.add(half, x)).expect("their types are equal");
    body.output("h0", half);
    Scan { body: body.finish().into(), reversed: false, carries: 1, sequences: 1 }
}

/// Shapes of operands that are tried, in this order; an index has one number a row.
fn shapes(record: &Record, arity: usize) -> Vec<Vec<Shape>> {
    let all = [Shape::batch(&[4]), Shape::fixed(&[4, 3]), Shape::fixed(&[4]), Shape::batch(&[3, 4])];
    let index = [Shape::batch(&[])];
    (0..arity).fold(vec![Vec::new()], |lists, operand| {
        let is_index = element(record, operand, Element::F32) == Element::I32;
        let own = if is_index { &index[..] } else { &all[..] };
        let with = |list: &Vec<Shape>, shape: &Shape| list.iter().chain([shape]).cloned().collect();
        lists.iter().flat_map(|list| own.iter().map(|shape| with(list, shape)).collect::<Vec<_>>()).collect()
    })
}

/// What the type rule says of elements, `T` being any of those that follow: `T, T -> bool` for `f32` `i32`.
fn elements(primitive: Primitive, example: &Example) -> String {
    let record = record(primitive);
    let mut rules: Vec<(String, Vec<Element>)> = Vec::new();
    for free in [Element::F32, Element::F64, Element::I32, Element::U32, Element::Bool, Element::Class(10)] {
        let own: Vec<Element> = (0..example.operands.len()).map(|operand| element(record, operand, free)).collect();
        let operands: Vec<Type> = example.operands.iter().zip(&own).map(|(ty, element)| ty.with(*element)).collect();
        // A conversion's result is what is asked for; a view keeps its operand's elements.
        let is_asked = record.is_pointwise() && example.given.is_some();
        let given = example.given.as_ref().map(|given| if is_asked { given.clone() } else { given.with(free) });
        let types: Vec<&Type> = operands.iter().collect();
        let Ok(result) = (record.infer)(&types, &example.attributes, given.as_ref()) else { continue };
        let is_free = |operand: usize| element(record, operand, Element::F32) != element(record, operand, Element::F64);
        let any_free = (0..own.len()).any(is_free);
        let names = own.iter().enumerate().map(|(operand, one)| if is_free(operand) { "T".into() } else { one.to_string() });
        let result = match is_asked {
            true => "U".to_string(),
            false if any_free && result.element == free => "T".to_string(),
            false => result.element.to_string(),
        };
        let rule = format!("{} -> {result}", names.collect::<Vec<String>>().join(", "));
        // Of booleans to a boolean: one more element of the rule that gives booleans.
        let same = rule.replace("-> T", &format!("-> {free}"));
        let rule = if rules.iter().any(|(known, _)| *known == same) { same } else { rule };
        match rules.iter_mut().find(|(known, _)| *known == rule) {
            Some((_, frees)) => frees.push(free),
            None => rules.push((rule, vec![free])),
        }
    }
    let shown = rules.iter().map(|(rule, frees)| match (rule.contains('T'), frees.as_slice()) {
        (true, [only]) => format!("`{}`", rule.replace('T', &only.to_string())),
        (true, several) => {
            let several = several.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(" ").replace("(10)", "(n)");
            let asked = if rule.ends_with('U') { ", `U` what is asked for" } else { "" };
            format!("`{rule}` for {several}{asked}")
        }
        (false, _) => format!("`{rule}`"),
    });
    shown.collect::<Vec<_>>().join("; ")
}

/// The example as a graph, and what its derivative rule adds.
fn worked(primitive: Primitive, example: &Example) -> String {
    let mut builder = Builder::new("example");
    let mut operands = Vec::new();
    for (name, ty) in ["a", "b", "c"].iter().zip(&example.operands) {
        operands.push(builder.source(Primitive::Input, name, ty.clone()).expect("any type is a source's"));
    }
    let node = builder
        .apply(primitive, &operands, example.attributes.clone(), example.given.clone())
        .expect("the type rule has taken it");
    let mut comments: Vec<(NodeId, String)> = Vec::new();
    if let Derivative::Rule { apply, .. } = &record(primitive).derivative
        && example.result.element.is_real()
    {
        let gradient = builder.source(Primitive::Input, "g", example.result.clone()).expect("any type is a source's");
        let attributes = example.attributes.clone();
        let slopes = apply(&mut Vjp { builder: &mut builder, node, operands: operands.clone(), attributes, gradient })
            .expect("a derivative rule fits what its type rule takes");
        for (name, slope) in ["a", "b", "c"].iter().zip(slopes) {
            if let Some(slope) = slope {
                comments.push((slope, format!("gradient of {name}")));
            }
        }
    }
    print(builder.graph(), &comments)
}

fn print(graph: &Graph, comments: &[(NodeId, String)]) -> String {
    let mut text = String::new();
    for id in graph.ids() {
        let line = format!("%{} = {}", id.0, node_text(graph, id));
        let said: Vec<&str> = comments.iter().filter(|(node, _)| *node == id).map(|(_, said)| said.as_str()).collect();
        let _ = match said.is_empty() {
            true => writeln!(text, "{line}"),
            false => writeln!(text, "{line:56}; {}", said.join(", ")),
        };
    }
    text
}
