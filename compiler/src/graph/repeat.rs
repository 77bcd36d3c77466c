//! Making a scan: a body is built like any graph, its sources bound to nodes outside.

use super::scan::{Role, Scan};
use super::{Attributes, BuildError, Builder, Contraction, Graph, NodeId, Origin, Type};
use crate::graph::builder::Built;
use crate::ops::{self, Lowering, Primitive};
use crate::passes;
use std::collections::HashMap;
use std::sync::Arc;

/// One step of a scan in the making.
#[derive(Clone, Debug)]
pub struct Body {
    /// Where the step is built.
    pub builder: Builder,
    bound: Bound,
}

/// What the sources of a body stand for outside.
#[derive(Clone, Debug, Default)]
struct Bound {
    carries: Vec<NodeId>,
    sequences: Vec<NodeId>,
    constants: Vec<NodeId>,
}

impl Body {
    /// An empty body; its nodes get the origin that those of `outer` get.
    pub fn new(outer: &Builder) -> Self {
        let mut builder = Builder::new("step");
        builder.set_origin(outer.origin().clone());
        Body { builder, bound: Bound::default() }
    }

    /// A carry that begins as `first` `[batch, width]`.
    pub fn carry(&mut self, outer: &Builder, first: NodeId) -> Built {
        self.bound.carries.push(first);
        self.source(Role::Carry(self.bound.carries.len() - 1), outer.ty(first).clone())
    }

    /// The step's part `[batch, …]` of a sequence `[batch, steps, …]`.
    pub fn sequence(&mut self, outer: &Builder, sequence: NodeId) -> Built {
        let ty = outer.ty(sequence);
        let number = number_of(&mut self.bound.sequences, sequence);
        self.source(Role::Sequence(number), Type { element: ty.element, shape: ty.shape.without(&[1]) })
    }

    /// Whether it says how many steps there are.
    pub fn has_sequences(&self) -> bool {
        !self.bound.sequences.is_empty()
    }

    /// What is the same for all steps.
    pub fn constant(&mut self, outer: &Builder, constant: NodeId) -> Built {
        let number = number_of(&mut self.bound.constants, constant);
        self.source(Role::Constant(number), outer.ty(constant).clone())
    }

    fn source(&mut self, role: Role, ty: Type) -> Built {
        let (primitive, name) = role.source();
        self.builder.source(primitive, &name, ty)
    }
}

/// The place of an operand in a list, at its end if it is new.
fn number_of(list: &mut Vec<NodeId>, operand: NodeId) -> usize {
    list.iter().position(|known| *known == operand).unwrap_or_else(|| {
        list.push(operand);
        list.len() - 1
    })
}

impl Builder {
    /// Repeats a body for every step; `next` are the carries after a step and `more` what else it gives, all `[batch, width]`. The result is
    /// `[batch, steps, widths]`. The body is simplified, and what it computes of constants alone is computed once, outside.
    pub fn scan(&mut self, body: Body, next: &[NodeId], more: &[NodeId], reversed: bool) -> Built {
        let Body { builder, mut bound } = body;
        if next.len() != bound.carries.len() {
            return Err(BuildError::new(format!("{} carries go on as {} values", bound.carries.len(), next.len())));
        }
        let mut graph = builder.finish();
        graph.roots.clear();
        let mut named = Builder::continue_from(graph);
        for (number, node) in next.iter().enumerate() {
            named.output(format!("h{number}"), *node);
        }
        for (number, node) in more.iter().enumerate() {
            named.output(format!("y{number}"), *node);
        }
        let simple = passes::run(passes::BODY, &named.finish(), &mut passes::Context::new())
            .map_err(|bug| BuildError::new(format!("the body of a scan: {}", bug.message)))?;
        let body = Outside { outer: self, body: &simple, values: HashMap::new() }.settled(&mut bound)?;
        let scan = Scan { body: Arc::new(body), reversed, carries: bound.carries.len(), sequences: bound.sequences.len() };
        let operands = [bound.carries, bound.sequences, bound.constants].concat();
        self.apply(Primitive::Scan, &operands, Attributes::Scan(scan), None)
    }
}

/// A product with a constant that is transposed outside.
struct Turned {
    position: usize,
    outside: NodeId,
    spec: Contraction,
}

/// What of a body is computed outside.
struct Outside<'a> {
    outer: &'a mut Builder,
    body: &'a Graph,
    /// Nodes outside for nodes of the body; `None` where they depend on the step.
    values: HashMap<NodeId, Option<NodeId>>,
}

impl Outside<'_> {
    /// The body with every computation of constants alone replaced by a constant, and without operands that it does not ask for.
    fn settled(mut self, bound: &mut Bound) -> Result<Graph, BuildError> {
        let body = self.body;
        let mut moved: HashMap<NodeId, NodeId> = HashMap::new();
        let mut products: HashMap<NodeId, Turned> = HashMap::new();
        let mut needed = vec![false; body.nodes.len()];
        for root in &body.roots {
            needed[root.node().index()] = true;
        }
        for id in body.ids().rev() {
            if !needed[id.index()] {
                continue;
            }
            if self.is_flat_and_computed(id)
                && let Some(outside) = self.value(id, bound)?
            {
                moved.insert(id, outside);
                continue;
            }
            let turned = self.turned(id, bound)?;
            let away = turned.as_ref().map(|turned| turned.position);
            for (position, operand) in body.node(id).operands.iter().enumerate() {
                needed[operand.index()] |= Some(position) != away;
            }
            products.extend(turned.map(|turned| (id, turned)));
        }
        self.renumbered(&needed, &moved, &products, bound)
    }

    /// A constant factor whose columns do not lie side by side would be copied so in every step: it is transposed once, outside.
    fn turned(&mut self, id: NodeId, bound: &Bound) -> Result<Option<Turned>, BuildError> {
        let node = self.body.node(id);
        let Attributes::Contract(spec) = &node.attributes else { return Ok(None) };
        for (position, labels) in [&spec.left, &spec.right].into_iter().enumerate() {
            let (own, other) = (node.operands[position], node.operands[1 - position]);
            let is_summed = |label: &u8| !spec.out.contains(label);
            let Some(Role::Constant(number)) = Role::of(self.body.node(own)) else { continue };
            let runs_along = spec.out.last().is_some_and(|last| labels.contains(last));
            if !self.body.shape(other).has_batch() || !labels.last().is_some_and(is_summed) || !runs_along {
                continue;
            }
            let columns = spec.out.iter().filter(|label| labels.contains(label));
            let order: Vec<u8> = labels.iter().filter(|label| is_summed(label)).chain(columns).copied().collect();
            let axes: Vec<usize> = order.iter().filter_map(|label| labels.iter().position(|own| own == label)).collect();
            let Some(&constant) = bound.constants.get(number) else { continue };
            let outside = self.outer.transpose(constant, &axes)?;
            let mut spec = spec.clone();
            *(if position == 0 { &mut spec.left } else { &mut spec.right }) = order;
            return Ok(Some(Turned { position, outside, spec }));
        }
        Ok(None)
    }

    fn is_flat_and_computed(&self, id: NodeId) -> bool {
        let node = self.body.node(id);
        let lowering = &ops::record(node.primitive).lowering;
        !node.ty.shape.has_batch() && !matches!(lowering, Lowering::Source | Lowering::Coordinate | Lowering::View)
    }

    /// The same value outside, unless it depends on the step.
    fn value(&mut self, id: NodeId, bound: &Bound) -> Result<Option<NodeId>, BuildError> {
        if let Some(known) = self.values.get(&id) {
            return Ok(*known);
        }
        let node = self.body.node(id);
        let value = match Role::of(node) {
            Some(Role::Constant(number)) => bound.constants.get(number).copied(),
            Some(_) => None,
            None => {
                let mut operands = Vec::with_capacity(node.operands.len());
                for &operand in &node.operands {
                    operands.extend(self.value(operand, bound)?);
                }
                match operands.len() == node.operands.len() {
                    true => Some(self.outer.apply(node.primitive, &operands, node.attributes.clone(), Some(node.ty.clone()))?),
                    false => None,
                }
            }
        };
        self.values.insert(id, value);
        Ok(value)
    }

    fn renumbered(
        &self,
        needed: &[bool],
        moved: &HashMap<NodeId, NodeId>,
        products: &HashMap<NodeId, Turned>,
        bound: &mut Bound,
    ) -> Result<Graph, BuildError> {
        let body = self.body;
        let old = Bound { carries: bound.carries.clone(), ..std::mem::take(bound) };
        bound.carries = old.carries;
        let mut builder = Builder::new(body.name.clone());
        let mut map: Vec<Option<NodeId>> = vec![None; body.nodes.len()];
        for id in body.ids().filter(|id| needed[id.index()]) {
            let node = body.node(id);
            builder.set_origin(Origin { of: None, ..body.origin(id).clone() });
            let missing = || BuildError::new("a body names an operand that it does not have");
            let push = |list: &mut Vec<NodeId>, operand: Option<&NodeId>| {
                list.push(*operand.ok_or_else(missing)?);
                Ok::<_, BuildError>(list.len() - 1)
            };
            let role = match (moved.get(&id), Role::of(node)) {
                (Some(outside), _) => Some(Role::Constant(number_of(&mut bound.constants, *outside))),
                (None, Some(Role::Sequence(number))) => {
                    Some(Role::Sequence(push(&mut bound.sequences, old.sequences.get(number))?))
                }
                (None, Some(Role::Constant(number))) => {
                    Some(Role::Constant(push(&mut bound.constants, old.constants.get(number))?))
                }
                (None, role) => role,
            };
            map[id.index()] = Some(match role {
                Some(role) => {
                    let (primitive, name) = role.source();
                    builder.source(primitive, &name, node.ty.clone())?
                }
                None => {
                    let mut operands: Vec<NodeId> = node.operands.iter().filter_map(|operand| map[operand.index()]).collect();
                    let mut attributes = node.attributes.clone();
                    if let Some(turned) = products.get(&id) {
                        let number = number_of(&mut bound.constants, turned.outside);
                        let (primitive, name) = Role::Constant(number).source();
                        let ty = self.outer.ty(turned.outside).clone();
                        let source = builder.source(primitive, &name, ty)?;
                        let other = map[node.operands[1 - turned.position].index()].ok_or_else(missing)?;
                        operands = if turned.position == 0 { vec![source, other] } else { vec![other, source] };
                        attributes = Attributes::Contract(turned.spec.clone());
                    }
                    builder.apply(node.primitive, &operands, attributes, Some(node.ty.clone()))?
                }
            });
        }
        if bound.sequences.is_empty() {
            // Its steps are still counted.
            bound.sequences.extend(old.sequences.first());
        }
        for root in &body.roots {
            let node = map[root.node().index()].ok_or_else(|| BuildError::new("a body lacks one of its roots"))?;
            if let super::Root::Output { name, .. } = root {
                builder.output(name.clone(), node);
            }
        }
        Ok(builder.finish())
    }
}
