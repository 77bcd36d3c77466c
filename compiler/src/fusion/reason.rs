//! Why a node is a member of a kernel, and why it is not: fusion's decisions as data. Their words stand here and nowhere else.

use super::Member;
use crate::graph::{Dim, NodeId};
use std::fmt;

/// Why a member is in its kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Nothing before it could take it.
    Starts,
    /// Small work beside other small work.
    Small,
    /// It is computed element by element on a tile that is in cache.
    Pointwise,
    /// Random numbers of the tile.
    Drawn,
    /// Partial sums of cells, which a later kernel adds up.
    Cells,
    /// A reduction over a group axis that no tile cuts.
    Reduces { axis: usize },
}

/// A kernel that makes what a member reads, and did not take it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub member: Member,
    /// First member of the kernel.
    pub kernel: NodeId,
    pub obstacle: Obstacle,
}

/// What keeps a member out of a kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    Product,
    Moves,
    KernelMoves,
    Scan,
    KernelScans,
    Full { members: usize },
    Between(NodeId),
    Overwrites(NodeId),
    LossFirst,
    OldValue { reader: NodeId, source: NodeId },
    ResultFirst,
    TooMuch,
    Total,
    Partial(NodeId),
    Whole { axis: usize, size: Dim },
    NoAxis,
    CellAxes,
    LongSums,
    SharedLines { columns: usize },
    DrawnInCells,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Starts => f.write_str("starts the kernel"),
            Reason::Small => f.write_str("small work, one tile"),
            Reason::Pointwise => f.write_str("pointwise on the tile"),
            Reason::Drawn => f.write_str("drawn in the tile that reads it"),
            Reason::Cells => f.write_str("partial sums of 48x32 cells ride along"),
            Reason::Reduces { axis } => write!(f, "reduces inside the tile, over axis {}", axis_name(*axis)),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Product => f.write_str("a product starts a kernel of its own"),
            Obstacle::Moves => f.write_str("it moves memory in a nest of its own"),
            Obstacle::KernelMoves => f.write_str("that kernel moves memory in a nest of its own"),
            Obstacle::Scan => f.write_str("a scan is a kernel of its own"),
            Obstacle::KernelScans => f.write_str("that kernel is a scan, whose steps it does not see"),
            Obstacle::Full { members } => write!(f, "that kernel has {members} members already"),
            Obstacle::Between(other) => write!(f, "%{} lies between them", other.0),
            Obstacle::Overwrites(source) => write!(f, "that kernel overwrites %{}", source.0),
            Obstacle::LossFirst => f.write_str("an update waits until the loss has been tested"),
            Obstacle::OldValue { reader, source } => {
                write!(f, "the kernel of %{} reads the old value of %{} later", reader.0, source.0)
            }
            Obstacle::ResultFirst => f.write_str("a result is known before the first update"),
            Obstacle::TooMuch => f.write_str("too much work for one tile"),
            Obstacle::Total => f.write_str("the cells' sums must be complete"),
            Obstacle::Partial(sum) => write!(f, "%{} is complete only when all cells are", sum.0),
            Obstacle::Whole { axis, size } => {
                write!(f, "it is complete only after all of axis {} ({size})", axis_name(*axis))
            }
            Obstacle::NoAxis => f.write_str("no axis is left whose tiles are independent"),
            Obstacle::DrawnInCells => f.write_str("random numbers are drawn 64 columns at a time, cells have 32"),
            Obstacle::LongSums => f.write_str("tiles of a product with long sums are larger than cells"),
            Obstacle::SharedLines { columns } => {
                write!(f, "strips of {columns} columns would share lines, so that kernel has tiles of rows")
            }
            Obstacle::CellAxes => f.write_str("sums of cells need both axes in tiles"),
        }
    }
}

/// Name of a group's axis in reasons and loop dumps.
pub(crate) fn axis_name(axis: usize) -> String {
    let letter = (b'i' + (axis % 8) as u8) as char;
    if axis < 8 { letter.to_string() } else { format!("{letter}{}", axis / 8) }
}
