//! Differentiation as graph → graph: walks back from a scalar, asking each record for its rule. It knows no primitive.

use crate::graph::{BuildError, Builder, NodeId, Origin};
use crate::ops::{self, Derivative, Vjp};
use std::collections::HashMap;
use std::fmt;

/// Why a gradient cannot be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GradientError {
    /// The node to differentiate is not a real scalar.
    NotScalar {
        found: String,
    },
    /// The parameter does not influence the loss.
    Unreachable {
        source: String,
    },
    /// The path from the parameter goes only through something without a derivative.
    NoDerivative {
        source: String,
        through: String,
        path: String,
        place: String,
    },
    Build(BuildError),
}

impl fmt::Display for GradientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GradientError::NotScalar { found } => write!(f, "the loss is {found}; reduce it with mean() or sum()"),
            GradientError::Unreachable { source } => write!(f, "parameter `{source}` does not influence the loss"),
            GradientError::NoDerivative { source, through, path, place } => {
                write!(f, "no gradient for {through}, reached from parameter `{source}`")?;
                if !path.is_empty() {
                    write!(f, " through `{path}`")?;
                }
                if !place.is_empty() {
                    write!(f, " at {place}")?;
                }
                Ok(())
            }
            GradientError::Build(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GradientError {}

impl From<BuildError> for GradientError {
    fn from(error: BuildError) -> Self {
        GradientError::Build(error)
    }
}

/// Gradients of the scalar `loss` with respect to each of `sources`, as new nodes of the same graph.
///
/// Contributions of several users are added in the order of the users, from the last to the first. New nodes carry the
/// layer path and place of the node they come from, and the rule's text.
pub fn gradients(builder: &mut Builder, loss: NodeId, sources: &[NodeId]) -> Result<Vec<NodeId>, GradientError> {
    let found = gradients_where_any(builder, loss, sources)?;
    sources.iter().zip(found).map(|(&source, found)| found.ok_or_else(|| unreachable_source(builder, source, loss))).collect()
}

/// Where the walk begins.
const SEED: &str = "d(loss) = 1";

/// The same, with `None` for a source from which no derivative flows to the loss.
pub fn gradients_where_any(
    builder: &mut Builder,
    loss: NodeId,
    sources: &[NodeId],
) -> Result<Vec<Option<NodeId>>, GradientError> {
    let ty = builder.ty(loss).clone();
    if ty.shape.rank() != 0 || !ty.element.is_real() {
        return Err(GradientError::NotScalar { found: ty.to_string() });
    }
    let needed = downstream(builder, sources, loss);
    let outer = builder.origin().clone();
    let Origin { path, place, .. } = builder.graph().origin(loss).clone();
    builder.set_origin(Origin { path, place, rule: SEED.into(), of: Some(loss) });
    let seed = builder.constant_like(loss, 1.0)?;
    builder.set_origin(outer.clone());
    let mut gradients: HashMap<NodeId, NodeId> = HashMap::from([(loss, seed)]);
    for id in (0..=loss.0).rev().map(NodeId) {
        let Some(&gradient) = gradients.get(&id) else { continue };
        let node = builder.graph().node(id).clone();
        if node.operands.is_empty() || !node.operands.iter().any(|operand| needed[operand.index()]) {
            continue;
        }
        let record = ops::record(node.primitive);
        let forward = builder.graph().origin(id).clone();
        let rule = match &record.derivative {
            Derivative::Rule { text, apply } => (text, apply),
            Derivative::Zero => continue,
            Derivative::Missing => return Err(no_derivative(builder, sources, id)),
        };
        builder.set_origin(Origin { path: forward.path, place: forward.place, rule: (*rule.0).to_string(), of: Some(id) });
        let parts = rule.1(&mut Vjp {
            builder,
            node: id,
            operands: node.operands.clone(),
            attributes: node.attributes.clone(),
            gradient,
        });
        let parts = match parts {
            Ok(parts) => parts,
            Err(error) => {
                builder.set_origin(outer);
                return Err(error.into());
            }
        };
        for (&operand, part) in node.operands.iter().zip(parts) {
            let (true, Some(part)) = (needed[operand.index()], part) else { continue };
            let total = match gradients.get(&operand) {
                Some(&sum) => builder.add(sum, part)?,
                None => part,
            };
            gradients.insert(operand, total);
        }
    }
    builder.set_origin(outer);
    Ok(sources.iter().map(|source| gradients.get(source).copied()).collect())
}

/// For each node up to `loss`, whether a source influences it.
fn downstream(builder: &Builder, sources: &[NodeId], loss: NodeId) -> Vec<bool> {
    let graph = builder.graph();
    let mut needed = vec![false; loss.index() + 1];
    for source in sources {
        if let Some(flag) = needed.get_mut(source.index()) {
            *flag = true;
        }
    }
    for index in 0..needed.len() {
        needed[index] |= graph.nodes[index].operands.iter().any(|operand| needed[operand.index()]);
    }
    needed
}

fn source_name(builder: &Builder, source: NodeId) -> String {
    builder.graph().source_name(source).map_or_else(|| format!("%{}", source.0), str::to_string)
}

fn no_derivative(builder: &Builder, sources: &[NodeId], id: NodeId) -> GradientError {
    let through = ops::record(builder.graph().node(id).primitive).name.to_string();
    let culprit = sources.iter().find(|&&source| downstream(builder, &[source], id)[id.index()]);
    let origin = builder.graph().origin(id);
    GradientError::NoDerivative {
        source: culprit.map_or_else(String::new, |&source| source_name(builder, source)),
        through,
        path: origin.path.clone(),
        place: origin.place.clone(),
    }
}

/// A source without gradient: either nothing leads to the loss, or only something that no derivative passes.
fn unreachable_source(builder: &Builder, source: NodeId, loss: NodeId) -> GradientError {
    let graph = builder.graph();
    let reached = downstream(builder, &[source], loss);
    if !reached[loss.index()] {
        return GradientError::Unreachable { source: source_name(builder, source) };
    }
    // Where the derivative came from the loss and went no further; what lies behind it is not to blame.
    let mut flows = vec![false; loss.index() + 1];
    flows[loss.index()] = true;
    for id in (0..=loss.0).rev().map(NodeId) {
        if !flows[id.index()] || !reached[id.index()] {
            continue;
        }
        let node = graph.node(id);
        if !node.operands.is_empty() && matches!(ops::record(node.primitive).derivative, Derivative::Zero) {
            return no_derivative(builder, &[source], id);
        }
        node.operands.iter().for_each(|operand| flows[operand.index()] = true);
    }
    GradientError::Unreachable { source: source_name(builder, source) }
}
