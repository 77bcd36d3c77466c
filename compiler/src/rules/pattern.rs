//! The pattern language: terms over the graph's primitives, how they are read, matched and built.
//!
//! ```text
//! mul(x, 1)                                       x is any node, 1 a number (seen through broadcasts)
//! div(x, C)                                       C is any number
//! sum{a}(mul(x, y))                               {a} stands for what the node carries: axes, labels, a range
//! div(exp(x), broadcast{~a}(sum{a}(exp(x))))      {~a} are the axes that {a} lacks; equal names stand for equal things
//! F(broadcast{a}(x))                              F is any pointwise primitive without attributes
//! ```
//! Operands of commutative primitives (see the records) match in either order. A built term takes its type from the node that it
//! replaces: numbers are spread over the shape of the operand beside them, `broadcast`, `reshape` and `cast` go to the type asked for.

use crate::graph::{Attributes, Builder, Element, Graph, NodeId, Shape, Type};
use crate::ops::{self, Primitive};

/// A name in a pattern.
pub type Name = &'static str;

/// A pattern, or a part of one.
#[derive(Clone, PartialEq, Debug)]
pub enum Term {
    /// Any node; a lower-case name.
    Variable(Name),
    /// Any number, seen through broadcasts; an upper-case name.
    Constant(Name),
    /// This number, seen through broadcasts.
    Number(f64),
    /// A node of this form.
    Apply {
        /// What it applies.
        head: Head,
        /// A name for its attributes.
        attributes: Option<Held>,
        /// Patterns of its operands.
        operands: Vec<Term>,
    },
}

/// What a term applies.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Head {
    /// This one.
    Primitive(Primitive),
    /// Any pointwise primitive without attributes.
    Pointwise(Name),
}

/// A name for a node's attributes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Held {
    /// The name.
    pub name: Name,
    /// Stands for the axes that the named ones lack.
    pub complement: bool,
}

/// What the names of a pattern stand for, and which nodes it looked into.
#[derive(Clone, Debug)]
pub struct Bindings {
    /// The node that matched as a whole.
    pub root: NodeId,
    /// Nodes that the pattern takes apart, the root first.
    pub inner: Vec<NodeId>,
    pub(super) nodes: Vec<(Name, NodeId)>,
    pub(super) attributes: Vec<(Name, Attributes)>,
    pub(super) heads: Vec<(Name, Primitive)>,
}

impl Bindings {
    /// Bindings of nothing yet.
    pub fn new(root: NodeId) -> Self {
        Bindings { root, inner: Vec::new(), nodes: Vec::new(), attributes: Vec::new(), heads: Vec::new() }
    }
    /// The node behind a variable or a constant's name.
    pub fn node(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().find(|(known, _)| *known == name).map(|(_, node)| *node)
    }
    /// The attributes behind a name.
    pub fn attributes(&self, name: &str) -> Option<&Attributes> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, attributes)| attributes)
    }
    /// The axes behind a name.
    pub fn axes(&self, name: &str) -> Option<&[usize]> {
        match self.attributes(name) {
            Some(Attributes::Axes(axes)) => Some(axes),
            _ => None,
        }
    }
    fn head(&self, name: &str) -> Option<Primitive> {
        self.heads.iter().find(|(known, _)| *known == name).map(|(_, head)| *head)
    }
}

/// Axes below `rank` that are not among `axes`.
pub fn complement(axes: &[usize], rank: usize) -> Vec<usize> {
    (0..rank).filter(|axis| !axes.contains(axis)).collect()
}

// --- reading -------------------------------------------------------------------------------------------------------

/// Reads a term; the error says where it stopped.
pub fn parse(text: &'static str) -> Result<Term, String> {
    let mut rest = text;
    let term = parse_term(&mut rest)?;
    if rest.trim().is_empty() { Ok(term) } else { Err(format!("`{rest}` follows the term in `{text}`")) }
}

fn take(rest: &mut &'static str, symbol: char) -> bool {
    match rest.trim_start().strip_prefix(symbol) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

fn word(rest: &mut &'static str) -> &'static str {
    let text = rest.trim_start();
    let end = text.find(|letter: char| !(letter.is_alphanumeric() || "_.-".contains(letter))).unwrap_or(text.len());
    *rest = &text[end..];
    &text[..end]
}

fn parse_term(rest: &mut &'static str) -> Result<Term, String> {
    let name = word(rest);
    if name.is_empty() {
        return Err(format!("a term is missing before `{rest}`"));
    }
    if let Ok(number) = name.parse::<f64>() {
        return Ok(Term::Number(number));
    }
    let attributes = if take(rest, '{') {
        let complement = take(rest, '~');
        let held = Held { name: word(rest), complement };
        if !take(rest, '}') {
            return Err(format!("`}}` is missing before `{rest}`"));
        }
        Some(held)
    } else {
        None
    };
    let upper = name.starts_with(|letter: char| letter.is_uppercase());
    if !take(rest, '(') {
        return Ok(if upper { Term::Constant(name) } else { Term::Variable(name) });
    }
    let mut operands = vec![parse_term(rest)?];
    while take(rest, ',') {
        operands.push(parse_term(rest)?);
    }
    if !take(rest, ')') {
        return Err(format!("`)` is missing before `{rest}`"));
    }
    let head = if upper {
        Head::Pointwise(name)
    } else {
        let primitive = ops::by_name(name).ok_or_else(|| format!("no primitive is called {name}"))?;
        if ops::record(primitive).arity.is_some_and(|arity| arity != operands.len()) {
            return Err(format!("{name} does not take {} operands", operands.len()));
        }
        Head::Primitive(primitive)
    };
    Ok(Term::Apply { head, attributes, operands })
}

// --- matching ------------------------------------------------------------------------------------------------------

/// What the names must stand for so that the term is this node.
pub fn find(graph: &Graph, term: &Term, root: NodeId) -> Option<Bindings> {
    if !fits(graph, term, root) {
        return None;
    }
    solve(graph, vec![(term, root)], Bindings::new(root))
}

/// Whether a node has the form of a term, whatever its names stand for: most have not, and cost no allocation.
fn fits(graph: &Graph, term: &Term, id: NodeId) -> bool {
    match term {
        Term::Variable(_) => true,
        Term::Constant(_) => graph.constant(id).is_some(),
        Term::Number(number) => {
            let number = rounded(*number, graph.ty(id).element);
            graph.constant(id).is_some_and(|value| value.to_bits() == number.to_bits())
        }
        Term::Apply { head, operands, .. } => {
            let node = graph.node(id);
            let has_head = match head {
                Head::Primitive(own) => *own == node.primitive,
                Head::Pointwise(_) => ops::record(node.primitive).is_pointwise() && node.attributes == Attributes::None,
            };
            let in_order = |terms: &mut dyn Iterator<Item = &Term>| {
                terms.zip(&node.operands).all(|(term, &operand)| fits(graph, term, operand))
            };
            let turned = ops::record(node.primitive).commutative;
            has_head
                && node.operands.len() == operands.len()
                && (in_order(&mut operands.iter()) || turned && in_order(&mut operands.iter().rev()))
        }
    }
}

/// Meets all goals, the last first; backtracks over the orders of commutative operands.
fn solve(graph: &Graph, mut goals: Vec<(&Term, NodeId)>, mut bindings: Bindings) -> Option<Bindings> {
    while let Some((term, id)) = goals.pop() {
        match term {
            Term::Variable(name) => match bindings.node(name) {
                Some(known) if known != id => return None,
                Some(_) => {}
                None => bindings.nodes.push((name, id)),
            },
            Term::Constant(name) => {
                let value = graph.constant(id)?;
                match bindings.node(name) {
                    Some(known) if graph.constant(known).map(f64::to_bits) != Some(value.to_bits()) => return None,
                    Some(_) => {}
                    None => bindings.nodes.push((name, id)),
                }
            }
            Term::Number(number) => {
                let number = rounded(*number, graph.ty(id).element);
                if graph.constant(id)?.to_bits() != number.to_bits() {
                    return None;
                }
            }
            Term::Apply { head, attributes, operands } => {
                let node = graph.node(id);
                if node.operands.len() != operands.len() || !meets_head(*head, node.primitive, &node.attributes, &mut bindings) {
                    return None;
                }
                if let Some(held) = attributes {
                    meets_attributes(graph, *held, id, &mut bindings)?;
                }
                bindings.inner.push(id);
                if ops::record(node.primitive).commutative && node.operands[0] != node.operands[1] {
                    let mut other = goals.clone();
                    other.push((&operands[1], node.operands[0]));
                    other.push((&operands[0], node.operands[1]));
                    goals.push((&operands[1], node.operands[1]));
                    goals.push((&operands[0], node.operands[0]));
                    return solve(graph, goals, bindings.clone()).or_else(|| solve(graph, other, bindings));
                }
                goals.extend(operands.iter().zip(node.operands.iter().copied()).rev());
            }
        }
    }
    Some(bindings)
}

fn meets_head(head: Head, primitive: Primitive, attributes: &Attributes, bindings: &mut Bindings) -> bool {
    match head {
        Head::Primitive(own) => own == primitive,
        Head::Pointwise(name) => {
            if !ops::record(primitive).is_pointwise() || *attributes != Attributes::None {
                return false;
            }
            match bindings.head(name) {
                Some(known) => known == primitive,
                None => {
                    bindings.heads.push((name, primitive));
                    true
                }
            }
        }
    }
}

fn meets_attributes(graph: &Graph, held: Held, id: NodeId, bindings: &mut Bindings) -> Option<()> {
    let node = graph.node(id);
    let own = if held.complement {
        // Axes are those of the larger side: a reduction's operand, a broadcast's result.
        let rank = node.operands.iter().map(|&operand| graph.shape(operand).rank()).fold(node.ty.shape.rank(), usize::max);
        let Attributes::Axes(axes) = &node.attributes else { return None };
        Attributes::Axes(complement(axes, rank))
    } else {
        node.attributes.clone()
    };
    match bindings.attributes(held.name) {
        Some(known) => (*known == own).then_some(()),
        None => {
            bindings.attributes.push((held.name, own));
            Some(())
        }
    }
}

/// The number as a constant of this element holds it.
pub fn rounded(number: f64, element: Element) -> f64 {
    if element == Element::F32 { f64::from(number as f32) } else { number }
}

// --- building ------------------------------------------------------------------------------------------------------

/// Where built nodes come from: made by a builder, or only looked up.
pub trait Nodes {
    /// The graph that they stand in.
    fn graph(&self) -> &Graph;
    /// The node, if it can be had.
    fn node(&mut self, primitive: Primitive, operands: &[NodeId], attributes: Attributes, given: Option<Type>) -> Option<NodeId>;
}

/// Makes what is missing.
pub struct Make<'a>(pub &'a mut Builder);

impl Nodes for Make<'_> {
    fn graph(&self) -> &Graph {
        self.0.graph()
    }
    fn node(&mut self, primitive: Primitive, operands: &[NodeId], attributes: Attributes, given: Option<Type>) -> Option<NodeId> {
        self.0.apply(primitive, operands, attributes, given).ok()
    }
}

/// Finds only what stands already.
pub struct LookUp<'a>(pub &'a Builder);

impl Nodes for LookUp<'_> {
    fn graph(&self) -> &Graph {
        self.0.graph()
    }
    fn node(&mut self, primitive: Primitive, operands: &[NodeId], attributes: Attributes, given: Option<Type>) -> Option<NodeId> {
        self.0.find(primitive, operands, attributes, given)
    }
}

/// A number of this type.
pub fn literal(nodes: &mut impl Nodes, ty: &Type, value: f64) -> Option<NodeId> {
    let scalar = Type { element: ty.element, shape: Shape::scalar() };
    let bits = rounded(value, ty.element).to_bits();
    let number = nodes.node(Primitive::Constant, &[], Attributes::Constant(bits), Some(scalar))?;
    if ty.shape.rank() == 0 {
        return Some(number);
    }
    nodes.node(Primitive::Broadcast, &[number], Attributes::Axes(Vec::new()), Some(ty.clone()))
}

/// The node that a term stands for; `expected` is the type it must have, where that is known.
pub fn build(nodes: &mut impl Nodes, term: &Term, bindings: &Bindings, expected: Option<&Type>) -> Option<NodeId> {
    let (head, attributes, operands) = match term {
        Term::Variable(name) => return bindings.node(name),
        Term::Constant(name) => {
            let bound = bindings.node(name)?;
            let value = nodes.graph().constant(bound)?;
            return match expected {
                Some(ty) => literal(nodes, ty, value),
                None => Some(bound),
            };
        }
        Term::Number(value) => return literal(nodes, expected?, *value),
        Term::Apply { head, attributes, operands } => (head, attributes, operands),
    };
    let primitive = match head {
        Head::Primitive(primitive) => *primitive,
        Head::Pointwise(name) => bindings.head(name)?,
    };
    let pointwise = ops::record(primitive).is_pointwise() && primitive != Primitive::Cast;
    let mut built: Vec<Option<NodeId>> = vec![None; operands.len()];
    for (place, operand) in operands.iter().enumerate().filter(|(_, operand)| has_own_type(operand)) {
        built[place] = Some(build(nodes, operand, bindings, None)?);
    }
    for (place, operand) in operands.iter().enumerate() {
        if built[place].is_some() {
            continue;
        }
        let condition = primitive == Primitive::Select && place == 0;
        let beside = (0..operands.len())
            .filter(|&other| !(primitive == Primitive::Select && other == 0))
            .find_map(|other| built[other])
            .map(|id| nodes.graph().ty(id).clone());
        let ty = beside.or_else(|| expected.cloned()).filter(|_| pointwise);
        let ty = if condition { ty.map(|ty| ty.with(Element::Bool)) } else { ty };
        built[place] = Some(build(nodes, operand, bindings, ty.as_ref())?);
    }
    let built: Vec<NodeId> = built.into_iter().collect::<Option<_>>()?;
    let attributes = match attributes {
        None => Attributes::None,
        Some(held) if held.complement => {
            let operand = built.iter().map(|&id| nodes.graph().shape(id).rank()).max()?;
            let rank = expected.map_or(operand, |ty| ty.shape.rank().max(operand));
            Attributes::Axes(complement(bindings.axes(held.name)?, rank))
        }
        Some(held) => bindings.attributes(held.name)?.clone(),
    };
    nodes.node(primitive, &built, attributes, expected.cloned())
}

/// Whether a term's type follows from its variables, without being asked for.
fn has_own_type(term: &Term) -> bool {
    match term {
        Term::Variable(_) => true,
        Term::Constant(_) | Term::Number(_) => false,
        Term::Apply { head: Head::Primitive(Primitive::Broadcast | Primitive::Reshape | Primitive::Cast), .. } => false,
        Term::Apply { operands, .. } => operands.iter().any(has_own_type),
    }
}

/// The number that a term of numbers comes to.
pub fn number(graph: &Graph, term: &Term, bindings: &Bindings) -> Option<f64> {
    match term {
        Term::Variable(_) => None,
        Term::Constant(name) => graph.constant(bindings.node(name)?),
        Term::Number(value) => Some(*value),
        Term::Apply { head: Head::Primitive(primitive), operands, .. } => {
            let numbers: Option<Vec<ops::Array>> =
                operands.iter().map(|operand| number(graph, operand, bindings).map(ops::Array::scalar)).collect();
            let numbers = numbers?;
            let value = (ops::record(*primitive).value)(&ops::Evaluation {
                operands: &numbers.iter().collect::<Vec<_>>(),
                attributes: &Attributes::None,
                element: Element::F64,
                dims: &[],
                environment: &ops::Environment::default(),
            });
            value.data.first().copied()
        }
        Term::Apply { .. } => None,
    }
}
