//! The labels of a contraction: which axes of its operands meet, and which its result keeps.

/// Labels of a contraction: `left, right -> out`; a label in `left` and `right` but not in `out` is summed over, in `left`'s order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Contraction {
    /// A label for each axis of the left operand.
    pub left: Vec<u8>,
    /// A label for each axis of the right operand.
    pub right: Vec<u8>,
    /// A label for each axis of the result.
    pub out: Vec<u8>,
}

/// The labels of a contraction by the part they play in its product.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Of both operands and the result.
    pub batch: Vec<u8>,
    /// Of the left operand and the result, in the result's order.
    pub rows: Vec<u8>,
    /// Of the right operand and the result, in the result's order.
    pub columns: Vec<u8>,
    /// Of both operands alone, in the order of the left one.
    pub summed: Vec<u8>,
}

impl Contraction {
    /// Labels renumbered by their first use, so that equal contractions are equal values.
    pub fn canonical(&self) -> Self {
        let mut order: Vec<u8> = Vec::new();
        for &label in self.left.iter().chain(&self.right) {
            if !order.contains(&label) {
                order.push(label);
            }
        }
        let rename = |labels: &[u8]| {
            labels.iter().map(|label| order.iter().position(|known| known == label).unwrap_or(255) as u8).collect()
        };
        Contraction { left: rename(&self.left), right: rename(&self.right), out: rename(&self.out) }
    }
    /// Its labels by the part they play.
    pub fn parts(&self) -> Parts {
        let both = |label: &&u8| self.left.contains(label) && self.right.contains(label);
        let side = |own: &[u8]| self.out.iter().filter(|label| own.contains(label) && !both(label)).copied().collect();
        Parts {
            batch: self.out.iter().filter(both).copied().collect(),
            rows: side(&self.left),
            columns: side(&self.right),
            summed: self.left.iter().filter(|label| !self.out.contains(label)).copied().collect(),
        }
    }
}
