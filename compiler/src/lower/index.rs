//! Indices of tensor elements as affine functions of loop variables.

use super::storage::Storage;
use crate::loops::{Linear, Pick, Table, Value, Var, View};

/// Index along one axis of a tensor: `offset + Σ var·factor`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Index {
    pub terms: Vec<(Var, i64)>,
    pub offset: i64,
}

impl Index {
    /// The index that a loop variable is.
    pub fn var(var: Var) -> Self {
        Index { terms: vec![(var, 1)], offset: 0 }
    }
    /// The first index.
    pub fn zero() -> Self {
        Index::default()
    }
    /// A later index.
    pub fn shifted(&self, by: i64) -> Self {
        Index { terms: self.terms.clone(), offset: self.offset + by }
    }
    /// Every so many-th index.
    pub fn times(&self, factor: i64) -> Self {
        let terms = self.terms.iter().map(|&(var, own)| (var, own * factor)).collect();
        Index { terms, offset: self.offset * factor }
    }
    /// As far on as another.
    pub fn plus(mut self, other: &Index) -> Self {
        self.terms.extend(&other.terms);
        self.offset += other.offset;
        self
    }
    /// With one more term.
    pub fn with(mut self, var: Var, factor: i64) -> Self {
        self.terms.push((var, factor));
        self
    }
}

/// The word at an index of a kept tensor. Tile variables do not count in storage that belongs to the tile.
pub fn view(storage: &Storage, index: &[Index], tiles: &[Var]) -> View {
    let begin = storage.within.as_ref();
    let mut strides: Vec<(Var, Linear)> = begin.map_or_else(Vec::new, |within| within.strides.clone());
    let mut offset = begin.map_or(Linear::ZERO, |within| within.offset);
    let mut table = None;
    for (axis, position) in index.iter().enumerate() {
        let counts = |var: &Var| !(storage.local && tiles.contains(var));
        if let (0, Some(rows)) = (axis, storage.rows) {
            let factors = position.terms.iter().filter(|(var, _)| counts(var)).copied().collect();
            table = Some(Table { rows, index: factors, stride: storage.strides[0].constant });
            continue;
        }
        let stride = storage.strides[axis];
        offset = offset.plus(stride.times(position.offset));
        for (var, factor) in position.terms.iter().filter(|(var, _)| counts(var)) {
            let step = stride.times(*factor);
            match strides.iter_mut().find(|(known, _)| known == var) {
                Some((_, sum)) => *sum = sum.plus(step),
                None => strides.push((*var, step)),
            }
        }
    }
    strides.retain(|(_, stride)| *stride != Linear::ZERO);
    View { buffer: storage.buffer, offset, strides, table, pick: None }
}

/// Stands for the index along an axis that a value gives, until [`pick`] puts the value there.
const PICKED: Var = Var(u32::MAX);

/// The index along an axis that a value gives, see [`pick`].
pub fn picked() -> Index {
    Index::var(PICKED)
}

/// The view of what [`picked`] stands in, with an index below `count` from a value.
pub fn pick(mut view: View, value: Value, count: i64) -> View {
    let stride = view.stride(PICKED);
    view.strides.retain(|(var, _)| *var != PICKED);
    View { pick: Some(Pick { value, count, stride }), ..view }
}
