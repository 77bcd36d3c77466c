//! What of a block is written, in which order, and as what where several instructions are one.

use super::super::plan::Plan;
use super::Form;
use super::operations::Two;
use crate::loops::{Block, Comparison, Instruction, Lane, Value};

/// The instructions that stores need, in the order in which they are written.
pub(super) fn order(block: &Block, plan: &Plan, form: Form) -> Vec<usize> {
    let size = block.code.len();
    let operands = |at: usize| match rotation(block, at, form) {
        Some((value, _)) => vec![value],
        None => block.code[at].operands(),
    };
    let mut needed = vec![false; size];
    for (at, instruction) in block.code.iter().enumerate().rev() {
        if matches!(instruction, Instruction::Store(..)) {
            needed[at] = true;
        }
        if needed[at] {
            operands(at).iter().for_each(|value| needed[value.0 as usize] = true);
        }
    }
    // Divisions and roots on the longest way to a value: the unit that does them is the one to keep busy.
    let mut waits = vec![0; size];
    for (at, instruction) in block.code.iter().enumerate() {
        let before = operands(at).iter().map(|value| waits[value.0 as usize]).max().unwrap_or(0);
        waits[at] = before + usize::from(divides(instruction));
    }
    let (mut done, mut order) = (vec![false; size], Vec::new());
    let mut visit = |root: usize| {
        let mut open = vec![(root, false)];
        while let Some((at, ready)) = open.pop() {
            if done[at] || plan.invariant[at] {
                continue;
            }
            if ready {
                done[at] = true;
                order.push(at);
                continue;
            }
            open.push((at, true));
            // The operand that waits longest is written first, of equal ones the first.
            let mut operands = operands(at);
            operands.sort_by_key(|value| std::cmp::Reverse(waits[value.0 as usize]));
            open.extend(operands.iter().rev().map(|value| (value.0 as usize, false)));
        }
    };
    for (at, instruction) in block.code.iter().enumerate() {
        let Instruction::Store(to, _) = instruction else { continue };
        for (before, other) in block.code[..at].iter().enumerate() {
            if needed[before] && matches!(other, Instruction::Load(from, _) if from.buffer == to.buffer) {
                visit(before);
            }
        }
        visit(at);
    }
    order
}

/// Whether an instruction is one of the unit that divides and takes roots.
pub(super) fn divides(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::Div(..) | Instruction::Sqrt(_))
}

/// The value that a pair of shifts turns round, and by how many bits to the left; there is an instruction for it with 16 lanes.
pub(super) fn rotation(block: &Block, at: usize, form: Form) -> Option<(Value, u8)> {
    let Instruction::Or(a, b) = block.code[at] else { return None };
    let code = |value: Value| &block.code[value.0 as usize];
    let (Instruction::ShiftLeft(x, left), Instruction::ShiftRight(y, right)) = (code(a), code(b)) else { return None };
    (form == Form::Sixteen && x == y && left + right == 32).then_some((*x, *left))
}

/// For each comparison, how many selects must test it: those that are no minimum or maximum.
pub(super) fn tests(block: &Block, lanes: &[Lane], order: &[usize]) -> Vec<usize> {
    let mut tests = vec![0; block.code.len()];
    for &at in order {
        if let Instruction::Select(mask, a, b) = block.code[at]
            && extreme(block, lanes, mask, a, b).is_none()
        {
            tests[mask.0 as usize] += 1;
        }
    }
    tests
}

/// The minimum or maximum that a select is, with its operands in order.
pub(super) fn extreme(block: &Block, lanes: &[Lane], mask: Value, a: Value, b: Value) -> Option<(Two, Value, Value)> {
    let Instruction::Compare(Comparison::Lt, x, y) = block.code[mask.0 as usize] else { return None };
    let float = match lanes[x.0 as usize] {
        Lane::F32 => true,
        Lane::I32 => false,
        Lane::F64 => return None,
    };
    match (a, b) {
        _ if (a, b) == (x, y) => Some((if float { Two::MinFloat } else { Two::MinInt }, a, b)),
        _ if (a, b) == (y, x) => Some((if float { Two::MaxFloat } else { Two::MaxInt }, a, b)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::plan::plan;
    use super::super::super::preamble::lanes;
    use super::super::super::tests::view;
    use super::*;
    use crate::loops::Var;
    use crate::loops::block::BlockBuilder;

    /// Of a dividend and a divisor under a root, the root's chain is written first, whatever stands first in the block.
    #[test]
    fn what_waits_for_a_root_is_written_first() {
        let mut b = BlockBuilder::new();
        let [above, below] = [0, 1].map(|buffer| b.load(view(buffer, 0, &[(0, 1)]), Lane::F32));
        let above = b.mul(above, above);
        let below = b.mul(below, below);
        let root = b.sqrt(below);
        let share = b.div(above, root);
        b.store(view(2, 0, &[(0, 1)]), share);
        let block = b.finish();
        let lanes = lanes(&block).expect("the block is well formed");
        let order = order(&block, &plan(&block, &lanes, Some(Var(0)), true), Form::Sixteen);
        let place = |value: Value| order.iter().position(|&at| at == value.0 as usize);
        assert!(place(root) < place(above), "{order:?}");
    }
}
