//! Loops that are one loop: the innermost axes of a nest are taken together where every access steps through them as through one axis.
//!
//! What a loop costs beside its turns (a call of a wide function, the turns that fill no vector) is then paid once for an image
//! instead of once for each of its rows.

use super::vector::is_vector;
use crate::loops::{Axis, Block, Extent, Instruction, Linear, Var, View};

/// The nest with its innermost axes taken together, and the innermost one marked if it may be a vector axis. Its iterations and their
/// order stay as they are.
pub fn flatten(mut axes: Vec<Axis>, mut block: Block) -> (Vec<Axis>, Block) {
    if let Some(last) = axes.last_mut() {
        last.vector = is_vector(&block, last);
    }
    while let [.., outer, inner] = axes.as_slice() {
        let Some(extent) = joined(outer, inner, &block) else { break };
        let mut whole = Axis { extent, ..*inner };
        let flat = forget(&block, outer.var);
        whole.vector = is_vector(&flat, &whole);
        if inner.vector && !whole.vector {
            break;
        }
        axes.truncate(axes.len() - 2);
        axes.push(whole);
        block = flat;
    }
    (axes, block)
}

/// The turns of both axes as those of one, if all accesses allow it.
fn joined(outer: &Axis, inner: &Axis, block: &Block) -> Option<Extent> {
    let Extent::Whole(Linear { constant: size, batch: 0 }) = inner.extent else { return None };
    let follows = |terms: &[(Var, Linear)]| factor(terms, outer.var) == factor(terms, inner.var).times(size);
    let in_table = |view: &View| {
        view.table.as_ref().is_some_and(|table| table.index.iter().any(|(var, _)| *var == outer.var || *var == inner.var))
    };
    let fits = block.code.iter().all(|instruction| match instruction {
        Instruction::Load(view, _) | Instruction::Store(view, _) => follows(&view.strides) && !in_table(view),
        Instruction::Index { terms, .. } => follows(terms),
        _ => true,
    });
    match outer.extent {
        _ if !fits => None,
        Extent::Whole(turns) => Some(Extent::Whole(turns.times(size))),
        Extent::Tile { tile, step, total } => Some(Extent::Tile { tile, step: step * size, total: total.times(size) }),
    }
}

fn factor(terms: &[(Var, Linear)], var: Var) -> Linear {
    terms.iter().filter(|(known, _)| *known == var).fold(Linear::ZERO, |sum, (_, factor)| sum.plus(*factor))
}

/// The block with a variable taken out of all indices.
fn forget(block: &Block, var: Var) -> Block {
    let mut block = block.clone();
    for instruction in &mut block.code {
        match instruction {
            Instruction::Load(view, _) | Instruction::Store(view, _) => view.strides.retain(|(known, _)| *known != var),
            Instruction::Index { terms, .. } => terms.retain(|(known, _)| *known != var),
            _ => {}
        }
    }
    block
}
