//! Lowering: one group of nodes becomes one kernel of the loop IR.
//!
//! A member of a group is *kept* (in the arena, in a parameter, or in scratch of the tile) or computed inside the block of whoever
//! reads it. Kept members are sorted into nests: one that reads another at the very same index may share its nest, any other read
//! waits for a later one. The schedule (which axis is cut into tiles, and how) is chosen by `schedule` and changes no bit.

mod block;
mod index;
mod kernel;
mod nests;
mod opaque;
mod product;
mod random;
mod reductions;
mod scan;
mod schedule;
mod staged;
mod storage;
mod team;
#[cfg(test)]
pub(crate) mod tests;
mod vector;

pub use kernel::lower_group;
pub use storage::{Layout, Storage};
pub use team::threads;

pub use block::{EPOCH, STEPS};

use crate::fusion::{Fusion, linear};
use crate::graph::Graph;
use crate::loops::{Linear, Program};

/// What cannot be lowered: a bug of ours, or a form that no kernel has yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LowerError(pub String);

impl std::fmt::Display for LowerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LowerError {}

fn twice() -> LowerError {
    LowerError("a tensor has the batch on two axes".into())
}

/// Row-major strides, in words.
fn row_major(dims: &[Linear]) -> Result<Vec<Linear>, LowerError> {
    crate::loops::row_major(dims).ok_or_else(twice)
}

/// Product of sizes.
fn volume(dims: &[Linear]) -> Result<Linear, LowerError> {
    dims.iter().try_fold(Linear::fixed(1), |product, dim| product.product(*dim)).ok_or_else(twice)
}

/// Kernels of one graph, in the order in which they run, appended to the program; returns their numbers.
///
/// `layout` knows the buffers that the program's graphs share and takes in those that this one adds.
pub fn lower(
    graph: &Graph,
    fusion: &Fusion,
    layout: &mut Layout,
    program: &mut Program,
    prefix: &str,
) -> Result<Vec<u32>, LowerError> {
    layout.keep(graph, fusion, program, prefix)?;
    let mut kernels = Vec::new();
    for number in 0..fusion.groups.len() {
        let kernel = lower_group(graph, fusion, number, layout, program, prefix)?;
        kernels.push(program.kernels.len() as u32);
        program.kernels.push(kernel);
    }
    for copy in layout.take_staged() {
        kernels.push(program.kernels.len() as u32);
        program.kernels.push(kernel::copy(&copy));
    }
    Ok(kernels)
}
