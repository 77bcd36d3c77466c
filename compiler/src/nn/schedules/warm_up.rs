//! A rise before a schedule.

use crate::graph::text::number;
use crate::graph::{Builder, NodeId};
use crate::nn::fault::{ARGUMENT_BOUNDS, ARGUMENT_KIND};
use crate::nn::{Fault, Function, Kind, Parameter};
use crate::ops::Primitive;
use std::collections::HashMap;

/// Goyal et al. (2017), section 2.2.
pub static WARM_UP: Function = Function {
    name: "warm_up",
    doc: "a factor that rises evenly to 1 in x steps",
    formula: "min(t / x, 1)",
    build: |network, x, _| {
        if let Some(steps) = network.builder.graph().constant(x).filter(|steps| *steps < 0.0) {
            let message = format!("warm_up rises in at least 0 steps; got {}", number(steps));
            return Err(Fault::new(ARGUMENT_BOUNDS, message).meant("500").about(x));
        }
        let step = network.builder.step();
        let share = network.builder.div(step, x)?;
        let one = network.builder.constant_f64(1.0);
        Ok(network.builder.binary(Primitive::Min, one, share)?)
    },
    ..Function::BASE
};

/// Behind a warm-up of n steps: step n + 1 is the first of what follows, which has the rest of the run.
pub static THEN: Function = Function {
    name: "then",
    doc: "behind warm_up(n): up to the first value of a schedule in n steps, then the schedule in the steps that are left",
    formula: "warm_up(n) * next(max(t - n, 1))",
    parameters: &[Parameter::required("next", Kind::ANY, "the schedule that follows")],
    build: |network, x, call| {
        let warm_up = network.uses.iter().find(|one| one.output == x && one.function.name == WARM_UP.name);
        let Some(length) = warm_up.map(|one| one.input) else {
            let fault = Fault::new(ARGUMENT_KIND, "`then` stands behind `warm_up(…)`");
            return Err(fault.meant("warm_up(500)").about(x));
        };
        let next = network.number(call, "next");
        let builder = &mut network.builder;
        let (step, steps, one) = (builder.step(), builder.steps(), builder.constant_f64(1.0));
        let later = builder.sub(step, length)?;
        let later = builder.binary(Primitive::Max, one, later)?;
        let left = builder.sub(steps, length)?;
        let left = builder.binary(Primitive::Max, one, left)?;
        let next = replaced(builder, next, &mut HashMap::from([(step, later), (steps, left)]))?;
        Ok(builder.mul(x, next)?)
    },
    ..Function::BASE
};

/// A formula with other nodes in the places of some.
fn replaced(builder: &mut Builder, root: NodeId, known: &mut HashMap<NodeId, NodeId>) -> Result<NodeId, Fault> {
    let needed = {
        let graph = builder.graph();
        let mut needed = vec![false; root.index() + 1];
        needed[root.index()] = true;
        for index in (0..needed.len()).rev().filter(|index| !known.contains_key(&NodeId(*index as u32))) {
            if needed[index] {
                graph.nodes[index].operands.iter().for_each(|operand| needed[operand.index()] = true);
            }
        }
        needed
    };
    for index in (0..needed.len()).filter(|index| needed[*index]) {
        let id = NodeId(index as u32);
        if known.contains_key(&id) {
            continue;
        }
        let node = builder.graph().node(id).clone();
        let operands: Vec<NodeId> = node.operands.iter().map(|operand| known[operand]).collect();
        let new = match operands == node.operands {
            true => id,
            false => builder.apply(node.primitive, &operands, node.attributes, Some(node.ty))?,
        };
        known.insert(id, new);
    }
    Ok(known[&root])
}
