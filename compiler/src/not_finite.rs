//! Where a NaN or an infinity arises, and how that is said.

use crate::graph::{Element, Graph, NodeId, Origin, text};
use crate::ops::{self, Array, Primitive, Record, Sample};

/// What became NaN or infinite, and by what.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Cause {
    /// The node, as [`named`] calls it.
    pub node: String,
    /// File, line and column of the call that made it.
    pub place: Option<String>,
    /// Its first element that is not finite, such as `log of -0.3125 is NaN`; none where an element is made of many.
    pub why: Option<String>,
    /// What to do about it.
    pub help: String,
    /// Whether it was made of numbers that the operation takes none of, such as the log of a negative one; else they were too large.
    pub is_outside: bool,
}

/// As [`cause`], where numbers are kept in f32: what is too large for it alone counts too.
pub fn cause_in_f32(graph: &Graph, values: &[Option<Array>]) -> Option<Cause> {
    cause(graph, &rounded(graph, values))
}

/// The values as f32 holds them.
fn rounded(graph: &Graph, values: &[Option<Array>]) -> Vec<Option<Array>> {
    let round = |id: NodeId| match &values[id.index()] {
        Some(array) if graph.ty(id).element == Element::F32 => {
            let data = array.data.iter().map(|value| f64::from(*value as f32)).collect();
            Some(Array::new(array.dims.clone(), data))
        }
        other => other.clone(),
    };
    graph.ids().map(round).collect()
}

/// Where what roots give stops being finite, if it does; `values` are those of the graph's nodes.
pub fn cause(graph: &Graph, values: &[Option<Array>]) -> Option<Cause> {
    let node = arises(graph, values)?;
    let (name, place) = named(graph, node);
    let record = ops::record(graph.node(node).primitive);
    let element = element(graph, values, node);
    let why = element.as_ref().map(|(of, value)| {
        let of: Vec<String> = of.iter().map(|value| short(*value)).collect();
        format!("{} of {} is {}", record.name, of.join(" and "), short(*value))
    });
    let outside = outside(record, element.as_ref().map_or(&[], |(of, _)| of));
    let help = match outside {
        Some(what) => format!("`{}` {what}", record.name),
        None => format!("keep what `{}` takes smaller: normalise it before, or multiply it by less", record.name),
    };
    Some(Cause { node: name, place, why, help, is_outside: outside.is_some() })
}

/// The first node that spoils a root although all that it is made of is finite; else the first of those that spoil one and are made of anything.
/// What is not finite but chosen away on the way to the roots is none.
fn arises(graph: &Graph, values: &[Option<Array>]) -> Option<NodeId> {
    let is_sound = |id: NodeId| values[id.index()].as_ref().is_none_or(|array| array.data.iter().all(|value| value.is_finite()));
    let sound: Vec<bool> = graph.ids().map(is_sound).collect();
    let mut spoils = vec![false; graph.nodes.len()];
    graph.roots.iter().for_each(|root| spoils[root.node().index()] = !sound[root.node().index()]);
    for id in graph.ids().rev().filter(|id| !graph.node(*id).operands.is_empty()) {
        if spoils[id.index()] {
            graph.node(id).operands.iter().for_each(|operand| spoils[operand.index()] |= !sound[operand.index()]);
        }
    }
    let made: Vec<NodeId> = graph.ids().filter(|id| spoils[id.index()] && !graph.node(*id).operands.is_empty()).collect();
    let of_sound = |id: &&NodeId| graph.node(**id).operands.iter().all(|operand| sound[operand.index()]);
    made.iter().find(of_sound).or(made.first()).copied()
}

/// How an error names a node, and the place of the call that made it.
pub fn named(graph: &Graph, node: NodeId) -> (String, Option<String>) {
    let origin = graph.origin(node);
    let name = text::node_text(graph, node);
    let name = if origin.path.is_empty() { name } else { format!("`{}`: {name}", origin.path) };
    let name = if is_rate(graph, node) { format!("the rate or another number of the optimizer, {name}") } else { name };
    let place = |origin: &Origin| Some(origin.place.clone()).filter(|place| !place.is_empty());
    match source(graph, node) {
        Some(source) => (format!("{name}, made of what comes from `{}`", source.path), place(source).or(place(origin))),
        None => (name, place(origin)),
    }
}

/// The call from which all comes that a node is made of, if it is made of one value and stands in what no layer made: the gradient that a clip
/// takes the norm of.
fn source(graph: &Graph, mut node: NodeId) -> Option<&Origin> {
    let own = graph.origin(node).path.as_str();
    let of_loss = graph.ancestors(graph.output("loss"));
    if graph.ids().any(|id| of_loss[id.index()] && graph.origin(id).path == own) {
        return None;
    }
    while graph.origin(node).path == own {
        let (first, others) = graph.node(node).operands.split_first()?;
        if others.iter().any(|other| other != first) {
            return None;
        }
        node = *first;
    }
    Some(graph.origin(node)).filter(|origin| !origin.path.is_empty())
}

/// Whether a node belongs to the update alone and follows from no data, parameter or state: then it is what the optimizer was given.
fn is_rate(graph: &Graph, node: NodeId) -> bool {
    let of_loss = graph.output("loss").is_some_and(|loss| graph.ancestors([loss])[node.index()]);
    let made_of = graph.ancestors([node]);
    let is_given = |id: NodeId| {
        matches!(
            graph.node(id).primitive,
            Primitive::Input | Primitive::Target | Primitive::Parameter | Primitive::State | Primitive::Uniform
        )
    };
    !of_loss && !graph.ids().any(|id| made_of[id.index()] && is_given(id))
}

/// The first element of a node that is not finite: the elements that it is made of, where it is one of each operand, and its value.
fn element(graph: &Graph, values: &[Option<Array>], node: NodeId) -> Option<(Vec<f64>, f64)> {
    let all = |id: NodeId| values[id.index()].as_ref().map(|array| &array.data);
    let operands = &graph.node(node).operands;
    let (place, value) = all(node)?.iter().enumerate().find(|(_, value)| !value.is_finite())?;
    let of: Option<Vec<f64>> = operands.iter().map(|operand| all(*operand)?.get(place).copied()).collect();
    of.filter(|_| ops::record(graph.node(node).primitive).is_pointwise()).map(|of| (of, *value))
}

/// What a primitive takes, where some of these operands are none of it.
fn outside(record: &Record, of: &[f64]) -> Option<&'static str> {
    let sample = |place: usize| record.samples.get(place).or(record.samples.last());
    of.iter().enumerate().find_map(|(place, value)| match sample(place) {
        Some(Sample::Positive) if *value <= 0.0 => {
            Some("takes numbers above 0: `softmax` and `sigmoid` make shares of 1, `exp` and `softplus` positive numbers")
        }
        Some(Sample::Unit) if *value <= 0.0 || *value >= 1.0 => Some("takes numbers between 0 and 1, which `sigmoid` makes"),
        Some(Sample::NonZero) if *value == 0.0 => Some("takes no 0: add a small number to what may become 0"),
        _ => None,
    })
}

/// Four digits.
fn short(value: f64) -> String {
    let size = value.abs();
    let is_plain = size == 0.0 || !value.is_finite() || (1e-3..1e5).contains(&size);
    if is_plain { format!("{}", (value * 1e4).round() / 1e4) } else { format!("{value:.3e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Builder, Root, Shape, Type};
    use crate::ops::Environment;
    use crate::reference;

    /// The cause of what `build` makes of a vector.
    fn cause_of(x: &[f64], build: impl Fn(&mut Builder, NodeId) -> NodeId) -> Option<Cause> {
        let mut builder = Builder::default();
        let ty = Type::f32(Shape::fixed(&[x.len()]));
        let input = builder.source(Primitive::Input, "x", ty).expect("a source");
        let node = build(&mut builder, input);
        let graph = Graph { roots: vec![Root::Output { name: "y".into(), node }], ..builder.graph().clone() };
        let sources = [("x".to_owned(), Array::new(vec![x.len()], x.to_vec()))].into();
        let values = reference::evaluate(&graph, &Environment { batch: 1, sources, ..Environment::default() });
        cause(&graph, &values)
    }

    #[test]
    fn the_first_element_says_why() {
        let log = |b: &mut Builder, x| b.unary(Primitive::Log, x).expect("a log");
        let cause = cause_of(&[0.5, -0.25, -1.0], log).expect("a cause");
        assert_eq!(cause.node, "log %0 : f32[3]");
        assert_eq!(cause.why.as_deref(), Some("log of -0.25 is NaN"));
        assert!(cause.help.starts_with("`log` takes numbers above 0"), "{}", cause.help);
        assert_eq!(cause_of(&[0.5, 0.25], log), None);
        let share = |b: &mut Builder, x| {
            let zero = b.sub(x, x).expect("a difference");
            let quotient = b.div(x, zero).expect("a quotient");
            b.sum_all(quotient).expect("a sum")
        };
        let cause = cause_of(&[2.0], share).expect("a cause");
        assert_eq!(cause.why.as_deref(), Some("div of 2 and 0 is inf"));
        assert!(cause.help.starts_with("`div` takes no 0"), "{}", cause.help);
        let large = cause_of(&[800.0], |b, x| b.unary(Primitive::Exp, x).expect("a power")).expect("a cause");
        assert!(large.help.starts_with("keep what `exp` takes smaller"), "{}", large.help);
    }

    #[test]
    fn what_is_chosen_away_spoils_nothing() {
        let cause = cause_of(&[-1.0, 900.0], |b, x| {
            let (log, zero) = (b.unary(Primitive::Log, x).expect("a log"), b.constant_like(x, 0.0).expect("zeros"));
            let is_positive = b.binary(Primitive::Lt, zero, x).expect("a condition");
            let kept = b.select(is_positive, log, zero).expect("a choice");
            let power = b.unary(Primitive::Exp, x).expect("a power");
            b.add(kept, power).expect("a sum")
        });
        assert_eq!(cause.expect("a cause").why.as_deref(), Some("exp of 900 is inf"));
    }
}
