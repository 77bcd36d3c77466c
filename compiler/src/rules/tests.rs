//! Every rule is a statement: built on random types and values, what stands after it has the value of what stood before.
//!
//! Patterns are built from the result's type backwards ([`Instance`]); conditions say themselves what makes them true.

use super::pattern::{self, Bindings, Head, LookUp, Make, Term, literal};
use super::*;
use crate::graph::{Attributes, Contraction, Dim, NodeId, Shape, Type, Window};
use crate::ops::{self, Array, Environment, PRIMITIVES};
use crate::passes::validate;
use crate::reference;
use crate::splitmix::Random;

/// A pattern on its way into a graph of sources.
struct Instance<'a> {
    builder: &'a mut Builder,
    bindings: Bindings,
    random: Random,
    condition: Condition,
}

const ELEMENTS: [Element; 5] = [Element::F32, Element::Bool, Element::I32, Element::F64, Element::Class(5)];

impl Instance<'_> {
    /// A node of this type that the term matches; `None` if this draw of attributes and types does not fit.
    fn build(&mut self, term: &Term, ty: &Type) -> Option<NodeId> {
        match term {
            Term::Variable(name) => self.variable(name, ty),
            Term::Constant(name) => {
                let value = match (self.bindings.node(name), self.condition) {
                    (Some(known), _) => self.builder.graph().constant(known)?,
                    (None, Condition::PowerOfTwo(_)) => *self.random.pick(&[2.0, 0.5, -4.0, 1048576.0, -0.0078125]),
                    (None, _) => *self.random.pick(&[2.0, -0.5, 3.0, 0.1, -1.25, 0.0]),
                };
                let node = literal(&mut Make(self.builder), ty, value)?;
                self.bindings.nodes.push((name, node));
                Some(node)
            }
            Term::Number(value) => literal(&mut Make(self.builder), ty, *value),
            Term::Apply { head, attributes, operands } => {
                let primitive = self.head(*head, operands.len());
                let held = attributes.map(|held| (held, self.bindings.attributes(held.name).cloned()));
                let (own, types) = self.operand_types(primitive, operands, held, ty)?;
                let nodes: Option<Vec<NodeId>> = operands.iter().zip(&types).map(|(term, ty)| self.build(term, ty)).collect();
                let node = self.builder.apply(primitive, &nodes?, own, Some(ty.clone())).ok()?;
                (self.builder.ty(node) == ty).then_some(node)
            }
        }
    }

    fn variable(&mut self, name: pattern::Name, ty: &Type) -> Option<NodeId> {
        if let Some(known) = self.bindings.node(name) {
            return (self.builder.ty(known) == ty).then_some(known);
        }
        // What makes the rule's condition true.
        let node = match self.condition {
            Condition::Negatives(a, b) if name == a && self.bindings.node(b).is_some() => {
                self.builder.neg(self.bindings.node(b)?).ok()?
            }
            Condition::Negatives(a, b) if name == b && self.bindings.node(a).is_some() => {
                self.builder.neg(self.bindings.node(a)?).ok()?
            }
            Condition::Check { doc, .. } if doc.contains("selected by one condition") && name != "a" => {
                self.selection(name, ty)?
            }
            Condition::Check { doc, .. } if doc.contains("counts the classes") => self.classes(name, ty)?,
            Condition::Check { doc: "t is a factor of q", .. } if name == "q" => {
                let factor = self.builder.source(Primitive::Input, "t", Type::f32(Shape::scalar())).ok()?;
                self.bindings.nodes.push(("t", factor));
                let rest = self.builder.source(Primitive::Input, name, ty.clone()).ok()?;
                self.builder.mul(rest, factor).ok()?
            }
            Condition::Check { doc: "c is at least one", .. } if name == "c" => {
                let value = *self.random.pick(&[1.0, 1.25, 2.0]);
                literal(&mut Make(self.builder), ty, value)?
            }
            Condition::Check { doc, .. } if name == "n" && doc.contains("elements along a") => {
                let axes = self.bindings.axes("a")?.to_vec();
                let shape = self.builder.shape(self.bindings.node("x")?);
                let count = self.builder.count(&shape, &axes).ok()?;
                let count = match self.builder.graph().constant(count) {
                    Some(count) if doc.contains("one over") => return literal(&mut Make(self.builder), ty, 1.0 / count),
                    _ => count,
                };
                self.builder.broadcast(count, &ty.shape, &[]).ok()?
            }
            Condition::Check { doc: "a branch is zero", .. } if self.random.below(3) == 0 && "xyzw".contains(name) => {
                literal(&mut Make(self.builder), ty, 0.0)?
            }
            _ => self.builder.source(Primitive::Input, name, ty.clone()).ok()?,
        };
        self.bindings.nodes.push((name, node));
        Some(node)
    }

    /// `i`, the index along the axis that is summed, or `y`, a class.
    fn classes(&mut self, name: &str, ty: &Type) -> Option<NodeId> {
        if ty.element != Element::I32 {
            return None;
        }
        let &[axis] = self.bindings.axes("a")? else { return None };
        if name == "i" {
            return self.builder.iota(ty.shape.clone(), axis).ok();
        }
        let count = self.bindings.node("i").map(|i| self.builder.shape(i).0[axis].at(0))?;
        let class = self.builder.source(Primitive::Input, name, ty.with(Element::Class(count as u32))).ok()?;
        self.builder.cast(class, ty.element).ok()
    }

    /// A selection by the condition `c`, with a zero in a branch.
    fn selection(&mut self, name: &str, ty: &Type) -> Option<NodeId> {
        let condition = self.builder.source(Primitive::Input, "c", ty.with(Element::Bool)).ok()?;
        let value = self.builder.source(Primitive::Input, name, ty.clone()).ok()?;
        let zero = literal(&mut Make(self.builder), ty, 0.0)?;
        if self.random.below(2) == 0 {
            self.builder.select(condition, value, zero).ok()
        } else {
            self.builder.select(condition, zero, value).ok()
        }
    }

    fn head(&mut self, head: Head, arity: usize) -> Primitive {
        match head {
            Head::Primitive(primitive) => primitive,
            Head::Pointwise(name) => {
                let fitting: Vec<Primitive> = PRIMITIVES
                    .iter()
                    .copied()
                    .filter(|&p| ops::record(p).is_pointwise() && ops::record(p).arity == Some(arity))
                    .collect();
                let primitive = *self.random.pick(&fitting);
                self.bindings.heads.push((name, primitive));
                primitive
            }
        }
    }

    /// Attributes and operand types that give the result's type.
    fn operand_types(
        &mut self,
        primitive: Primitive,
        operands: &[Term],
        held: Option<(pattern::Held, Option<Attributes>)>,
        ty: &Type,
    ) -> Option<(Attributes, Vec<Type>)> {
        let record = ops::record(primitive);
        if record.is_pointwise() {
            let draws = (0..40).map(|_| {
                let (first, rest) = (*self.random.pick(&ELEMENTS), *self.random.pick(&ELEMENTS));
                (0..operands.len()).map(|place| ty.with(if place == 0 { first } else { rest })).collect::<Vec<_>>()
            });
            let fits = |types: &Vec<Type>| {
                (record.infer)(&types.iter().collect::<Vec<_>>(), &Attributes::None, Some(ty)).as_ref() == Ok(ty)
            };
            return draws.collect::<Vec<_>>().into_iter().find(fits).map(|types| (Attributes::None, types));
        }
        let rank = ty.shape.rank();
        let dims = &ty.shape.0;
        let of = |dims: Vec<Dim>| Type { element: ty.element, shape: Shape(dims) };
        let known = held.as_ref().and_then(|(_, known)| known.clone());
        let complement = held.as_ref().is_some_and(|(held, _)| held.complement);
        let (attributes, types) = match primitive {
            Primitive::Sum | Primitive::ReduceMax | Primitive::ReduceMin => {
                let axes = match known {
                    Some(Attributes::Axes(axes)) => axes,
                    _ => {
                        let first = self.random.below(rank + 1);
                        (first..=first + self.random.below(2)).collect()
                    }
                };
                let mut inner = dims.clone();
                let size = if self.random.below(2) == 0 { 1 } else { 3 };
                for &axis in &axes {
                    if axis > inner.len() {
                        return None;
                    }
                    inner.insert(axis, Dim::Fixed(size));
                }
                let known = operands.first().and_then(|term| self.known(term));
                (Attributes::Axes(axes), vec![known.unwrap_or_else(|| of(inner))])
            }
            Primitive::Broadcast => {
                let axes = match known {
                    Some(Attributes::Axes(axes)) if complement => pattern::complement(&axes, rank),
                    Some(Attributes::Axes(axes)) => axes,
                    // The other axes are a run, so that reductions along them are one node.
                    _ => {
                        let first = self.random.below(rank + 1);
                        let last = first + self.random.below(rank + 1 - first).min(2);
                        (0..rank).filter(|axis| !(first..last).contains(axis)).collect()
                    }
                };
                let inner = axes.iter().map(|&axis| dims.get(axis).copied()).collect::<Option<Vec<Dim>>>()?;
                (Attributes::Axes(axes), vec![of(inner)])
            }
            Primitive::Reshape => {
                let mut flat = Shape(dims.iter().copied().filter(|dim| *dim == Dim::Batch).collect());
                flat.0.push(Dim::Fixed(ty.shape.fixed_count()));
                let mut longer = ty.shape.clone();
                longer.0.insert(self.random.below(rank + 1), Dim::Fixed(1));
                let inner = self.random.pick(&[ty.shape.clone(), flat, longer]).clone();
                (Attributes::None, vec![of(inner.0)])
            }
            Primitive::Transpose => {
                let mut order: Vec<usize> = (0..rank).collect();
                for place in (1..rank).rev() {
                    order.swap(place, self.random.below(place + 1));
                }
                let mut inner = dims.clone();
                for (axis, &from) in order.iter().enumerate() {
                    inner[from] = dims[axis];
                }
                (Attributes::Axes(order), vec![of(inner)])
            }
            Primitive::Slice | Primitive::Pad => {
                let axis = (0..rank).rev().find(|&axis| dims[axis] != Dim::Batch)?;
                let size = dims[axis].at(0);
                let (before, after) = match (primitive, self.random.below(4)) {
                    // Two halves of an axis may meet.
                    (Primitive::Pad, 0) => (0, size - size / 2),
                    (Primitive::Pad, 1) => (size / 2, 0),
                    _ => (self.random.below(2), self.random.below(2)),
                };
                let mut inner = dims.clone();
                if primitive == Primitive::Slice {
                    inner[axis] = Dim::Fixed(size + before + after);
                    (Attributes::Slice { axis, from: before, to: before + size }, vec![of(inner)])
                } else {
                    inner[axis] = Dim::Fixed(size.checked_sub(before + after).filter(|&size| size > 0)?);
                    (Attributes::Pad { axis, before, after }, vec![of(inner)])
                }
            }
            Primitive::Window => {
                let fixed = |axis: usize| dims.get(axis).copied().filter(|dim| *dim != Dim::Batch).map(|dim| dim.at(0));
                let axis = self.random.below(rank);
                let window = self.windows(fixed(axis)?, fixed(axis + 1)?);
                let mut inner = dims.clone();
                inner.splice(axis..axis + 2, [Dim::Fixed(window.extent)]);
                (Attributes::Window(Window { axis, ..window }), vec![of(inner)])
            }
            Primitive::Unwindow => {
                let axis = self.random.below(rank.max(1));
                let Some(Dim::Fixed(extent)) = dims.get(axis).copied() else { return None };
                let (places, size) = (1 + self.random.below(3), 1 + self.random.below(3));
                let window = Window { axis, extent, ..self.windows(places, size) };
                let mut inner = dims.clone();
                inner.splice(axis..=axis, [places, size].map(Dim::Fixed));
                if !window.fits() {
                    return None;
                }
                (Attributes::Window(window), vec![of(inner)])
            }
            Primitive::Contract => self.contraction(ty)?,
            _ => panic!("rules over {} need types here", record.name),
        };
        if let (Some((held, None)), attributes) = (held, attributes.clone()) {
            let stored = match attributes {
                Attributes::Axes(axes) if complement => Attributes::Axes(pattern::complement(&axes, rank)),
                other => other,
            };
            self.bindings.attributes.push((held.name, stored));
        }
        Some((attributes, types))
    }

    /// Windows of so many places and steps, and perhaps a little more of the axis on either side.
    fn windows(&mut self, places: usize, size: usize) -> Window {
        let (stride, dilation) = (1 + self.random.below(2), *self.random.pick(&[1isize, 2, -1]));
        let reach = dilation.unsigned_abs() * (size - 1);
        let offset = self.random.below(2) + if dilation < 0 { reach } else { 0 };
        let extent = offset + (places - 1) * stride + 1 + if dilation < 0 { 0 } else { reach } + self.random.below(2);
        Window { axis: 0, extent, places, stride, size, dilation, offset }
    }

    /// A product with one or two summed labels, operands in a random order of axes.
    fn contraction(&mut self, ty: &Type) -> Option<(Attributes, Vec<Type>)> {
        let rank = ty.shape.rank();
        let split = self.random.below(rank + 1);
        let out: Vec<u8> = (0..rank as u8).collect();
        let summed: Vec<u8> = (rank as u8..rank as u8 + 1 + self.random.below(2) as u8).collect();
        let mut left: Vec<u8> = out[..split].iter().chain(&summed).copied().collect();
        let mut right: Vec<u8> = summed.iter().chain(&out[split..]).copied().collect();
        if self.random.below(2) == 0 {
            left.reverse();
        }
        if self.random.below(2) == 0 {
            right.reverse();
        }
        let dim = |label: &u8| ty.shape.0.get(*label as usize).copied().unwrap_or(Dim::Fixed(2 + *label as usize));
        let types = [&left, &right].map(|labels| Type::f32(Shape(labels.iter().map(dim).collect()))).to_vec();
        (ty.element == Element::F32).then_some((Attributes::Contract(Contraction { left, right, out }), types))
    }

    /// Type of a term whose variables are bound.
    fn known(&self, term: &Term) -> Option<Type> {
        match term {
            Term::Variable(name) => self.bindings.node(name).map(|node| self.builder.ty(node).clone()),
            Term::Apply { head: Head::Primitive(primitive), operands, .. } if ops::record(*primitive).is_pointwise() => {
                operands.iter().find_map(|operand| self.known(operand))
            }
            _ => None,
        }
    }
}

fn shapes() -> Vec<Shape> {
    let fixed = [&[][..], &[1], &[3], &[2, 3], &[1, 3], &[3, 2, 4], &[7, 1]];
    let batch = [&[][..], &[4], &[1], &[2, 3]];
    fixed.into_iter().map(Shape::fixed).chain(batch.into_iter().map(Shape::batch)).collect()
}

const SPECIAL: [f64; 14] =
    [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324, -1e-310, 1e-40, f64::MAX, -3.4e38, 1.0, -1.0, 0.5, -2.0];

/// Values for the sources; special ones among the reals if asked.
fn values(graph: &crate::graph::Graph, special: bool, random: &mut Random) -> Environment {
    let mut environment = validate::sample(graph, 3, random.bits());
    let reals: Vec<String> = graph
        .ids()
        .filter(|&id| graph.ty(id).element.is_real())
        .filter_map(|id| graph.source_name(id).map(str::to_string))
        .collect();
    for name in reals {
        let Some(array) = environment.sources.get_mut(&name) else { continue };
        for value in &mut array.data {
            *value = if special && random.below(2) == 0 { *random.pick(&SPECIAL) } else { random.between(-3.0, 3.0) };
        }
    }
    environment
}

fn near(rule: &Rule, before: &Array, after: &Array) -> Result<(), String> {
    let unit = f64::from(f32::EPSILON);
    for (&old, &new) in before.data.iter().zip(&after.data) {
        let size = old.abs().max(new.abs()).max(1.0);
        let fits = match rule.exactness {
            Exactness::BitExact => old.to_bits() == new.to_bits() || old.is_nan() && new.is_nan(),
            _ if !(old.is_finite() && new.is_finite()) => true,
            Exactness::Approximates { ulp } => (old - new).abs() <= f64::from(ulp) * unit * size,
            Exactness::Reassociates => (old - new).abs() <= 8.0 * unit * size,
        };
        if !fits {
            return Err(format!("{old} became {new}"));
        }
    }
    Ok(())
}

/// How often the rule applied; an error if it ever changed a value.
fn hold(compiled: &Compiled) -> Result<usize, String> {
    let rule = compiled.rule;
    let mut applied = 0;
    for seed in 0..16 {
        for (place, shape) in shapes().into_iter().enumerate() {
            for element in [Element::F32, Element::Bool, Element::I32, Element::Class(5)] {
                let mut builder = Builder::new(rule.name);
                let random = Random(seed * 1000 + place as u64);
                let bindings = Bindings::new(NodeId(0));
                let mut instance = Instance { builder: &mut builder, bindings, random, condition: rule.condition };
                let ty = Type { element, shape: shape.clone() };
                let Some(before) = instance.build(&compiled.before, &ty) else { continue };
                let (bindings, mut random) = (instance.bindings, instance.random);
                if let Condition::Exists(term) = rule.condition {
                    let term = pattern::parse(term)?;
                    // Booleans can be compared, but have no maximum.
                    let Some(_) = pattern::build(&mut Make(&mut builder), &term, &bindings, None) else { continue };
                }
                let Some(bindings) = compiled.matches(&builder, before, &|_| 1) else { continue };
                let Some(after) = compiled.build(&mut builder, &bindings) else { continue };
                applied += 1;
                builder.output("before", before);
                builder.output("after", after);
                let graph = builder.finish();
                crate::graph::verify::verify(&graph)?;
                // Terms in another order cancel differently where they are huge.
                let ordered = rule.exactness <= Exactness::Approximates { ulp: 0 };
                for special in if ordered { &[false, true][..] } else { &[false] }.iter().copied() {
                    let (outputs, _) = reference::run(&graph, &values(&graph, special, &mut random));
                    near(rule, &outputs["before"], &outputs["after"])
                        .map_err(|why| format!("{}: {why} in\n{}", rule.name, crate::graph::text::print(&graph, false)))?;
                }
            }
        }
    }
    Ok(applied)
}

#[test]
fn every_rule_holds_on_random_values() {
    let mut wrong = Vec::new();
    for compiled in [&*SIMPLIFY, &*MASKS].into_iter().flat_map(|set| &set.rules) {
        match hold(compiled) {
            Ok(applied) if applied >= 2 => {}
            Ok(applied) => wrong.push(format!("{} applied {applied} times only", compiled.rule.name)),
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_rule_does_not_hold() {
    const WRONG: &[Rule] = &[
        rule("times-zero", "mul(x, 0)", "0", Exactness::BitExact, "Wrong for NaN."),
        rule("plus-zero", "add(x, 0)", "x", Exactness::BitExact, "Wrong for -0."),
        rule("swapped-max", "max(x, y)", "max(y, x)", Exactness::BitExact, "Wrong for NaN."),
        rule("half", "mul(x, 2)", "x", Exactness::Approximates { ulp: 4 }, "Wrong."),
    ];
    for compiled in &RuleSet::new(&[WRONG]).rules {
        assert!(hold(compiled).is_err(), "{} passed", compiled.rule.name);
    }
}

#[test]
fn names_are_unique_and_documented() {
    let mut seen = std::collections::HashSet::new();
    for rule in all() {
        assert!(seen.insert(rule.name), "{} stands twice", rule.name);
        assert!(rule.doc.ends_with('.'), "{} says: {}", rule.name, rule.doc);
        let texts = match rule.condition {
            Condition::Normal(text) | Condition::Exists(text) => vec![text],
            Condition::Unless(_, texts) => texts.to_vec(),
            _ => Vec::new(),
        };
        for text in texts {
            assert!(pattern::parse(text).is_ok(), "{}: {text}", rule.name);
        }
    }
}

#[test]
fn commutative_operands_match_in_either_order() {
    let mut builder = Builder::new("t");
    let x = builder.source(Primitive::Input, "x", Type::f32(Shape::fixed(&[2]))).unwrap();
    let two = builder.constant_like(x, 2.0).unwrap();
    let (mul, sub) = (builder.mul(two, x).unwrap(), builder.sub(two, x).unwrap());
    let find = |text, node| pattern::find(builder.graph(), &pattern::parse(text).unwrap(), node).is_some();
    assert!(find("mul(x, 2)", mul) && find("mul(2, x)", mul) && find("mul(C, x)", mul));
    assert!(find("sub(2, x)", sub) && !find("sub(x, 2)", sub) && !find("sub(x, x)", sub));
    assert!(LookUp(&builder).0.find(Primitive::Mul, &[x, two], Attributes::None, None).is_none());
}
