//! Random blocks in random loops.

use super::nests::filled;
use super::*;
use crate::loops::{Comparison, Value};

/// A random value of each type, made from those that are there.
struct Growing {
    floats: Vec<Value>,
    ints: Vec<Value>,
    masks: Vec<Value>,
}

impl Growing {
    fn grow(&mut self, b: &mut BlockBuilder, dice: &mut Dice) {
        let f = self.floats[dice.below(self.floats.len())];
        let g = self.floats[dice.below(self.floats.len())];
        let h = self.floats[dice.below(self.floats.len())];
        let i = self.ints[dice.below(self.ints.len())];
        let j = self.ints[dice.below(self.ints.len())];
        let m = self.masks[dice.below(self.masks.len())];
        let k = self.masks[dice.below(self.masks.len())];
        let count = dice.below(32) as u8;
        let comparison = [Comparison::Lt, Comparison::Le, Comparison::Eq, Comparison::Ne][dice.below(4)];
        match dice.below(36) {
            0 => self.floats.push(b.add(f, g)),
            1 => self.floats.push(b.sub(f, g)),
            2 => self.floats.push(b.mul(f, g)),
            3 => self.floats.push(b.div(f, g)),
            4..=6 => self.floats.push(b.fma(f, g, h)),
            7 => self.floats.push(b.sqrt(f)),
            8 => self.floats.push(b.round(f)),
            9 => self.floats.push(b.truncate(f)),
            10 => self.floats.push(b.floor(f)),
            11 => self.floats.push(b.max(f, g)),
            12 => self.floats.push(b.min(f, g)),
            13 => self.floats.push(b.neg(f)),
            14 => self.floats.push(b.abs(f)),
            15 => {
                let g = number(b, g);
                self.floats.push(b.copy_sign(f, g));
            }
            16 | 17 => self.floats.push(b.select(m, f, g)),
            18 => self.floats.push(b.from_bits(i)),
            19 => self.floats.push(b.to_float(i)),
            20 => self.floats.push(b.f32_bits(dice.float())),
            21 => self.ints.push(b.to_int(f)),
            22 => {
                let f = number(b, f);
                self.ints.push(b.bits(f));
            }
            23 => self.ints.push(b.add(i, j)),
            24 => self.ints.push(b.sub(i, j)),
            25 => self.ints.push(b.mul(i, j)),
            26 => self.ints.push(b.and(i, j)),
            27 => self.ints.push(b.or(i, j)),
            28 => self.ints.push(b.xor(i, j)),
            29 => self.ints.push(b.shift_left(i, count)),
            30 => self.ints.push(b.shift_right(i, count)),
            31 => self.ints.push(b.shift_right_signed(i, count)),
            32 => self.ints.push(b.select(m, i, j)),
            33 => self.masks.push(b.compare(comparison, f, g)),
            34 => self.masks.push(b.compare(comparison, i, j)),
            _ => self.masks.push(match dice.below(3) {
                0 => b.and(m, k),
                1 => b.or(m, k),
                _ => b.xor(m, k),
            }),
        }
    }
}

/// A NaN becomes zero, since its bits, the sign among them, are nobody's promise.
fn number(b: &mut BlockBuilder, f: Value) -> Value {
    let ordered = b.compare(Comparison::Eq, f, f);
    let zero = b.f32(0.0);
    b.select(ordered, f, zero)
}

/// One random program: a nest of `[3, count]` (or `[count]` turned into rows by an outer tile), and what it stores.
fn random(dice: &mut Dice) -> (Program, i64) {
    let count = [1, 2, 3, 4, 5, 7, 8, 16, 17, 19][dice.below(10)];
    // Words along the innermost axis lie so far apart: where that is more than 1, lanes are moved one by one.
    let step = [1, 1, 1, 2, 3][dice.below(5)];
    let words = Linear::fixed(3 * count * step);
    let mut program = program(&[
        ("x", Space::Arena, Lane::F32, words),
        ("y", Space::Arena, Lane::F32, words),
        ("i", Space::Arena, Lane::I32, words),
        ("row", Space::Arena, Lane::F32, Linear::fixed(3)),
        ("floats", Space::Arena, Lane::F32, Linear::fixed(9 * count * step)),
        ("ints", Space::Arena, Lane::I32, Linear::fixed(9 * count * step)),
        ("sum", Space::Arena, Lane::F32, Linear::fixed(3)),
    ]);
    let vector = dice.below(3) > 0;
    let extent = match dice.below(2) {
        0 => Extent::fixed(count),
        _ => Extent::Whole(Linear::BATCH),
    };
    let axes = [axis(0, Extent::fixed(3), false), axis(1, extent, vector)];
    let at = |buffer, part: i64| view(buffer, part * 3 * count * step, &[(0, count * step), (1, step)]);
    let length = 5 + dice.below(56);
    let body = nest("random", &axes, |b| {
        let x = b.load(at(0, 0), Lane::F32);
        let y = b.load(at(1, 0), Lane::F32);
        let row = b.load(view(3, 0, &[(0, 1)]), Lane::F32);
        let i = b.load(at(2, 0), Lane::I32);
        let index = b.index(vec![(Var(0), Linear::fixed(5)), (Var(1), Linear { constant: -2, batch: 1 })], Linear::fixed(40));
        let constant = b.f32_bits(dice.float());
        let seven = b.i32(7);
        let first = b.compare(Comparison::Lt, x, row);
        let mut growing = Growing { floats: vec![x, y, row, constant], ints: vec![i, index, seven], masks: vec![first] };
        for _ in 0..length {
            growing.grow(b, dice);
        }
        let last = |values: &[Value]| [values[values.len() - 1], values[values.len() / 2]];
        for (part, value) in (0..).zip(last(&growing.floats)) {
            b.store(at(4, part), value);
        }
        for (part, value) in (0..).zip(last(&growing.ints)) {
            b.store(at(5, part), value);
        }
        b.store(at(5, 2), growing.masks[growing.masks.len() - 1]);
        if !vector {
            let sum = b.load(view(6, 0, &[(0, 1)]), Lane::F32);
            let sum = b.add(sum, growing.floats[growing.floats.len() - 1]);
            b.store(view(6, 0, &[(0, 1)]), sum);
        }
    });
    program.kernels.push(kernel("random", None, vec![body]));
    (program, count)
}

#[test]
fn random_blocks_have_the_interpreters_bits() {
    let mut dice = Dice(2024);
    for _ in 0..500 {
        let (program, count) = random(&mut dice);
        check(&program, &filled(&program, count, 1), count);
    }
}
