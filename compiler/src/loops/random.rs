//! Random numbers as a pure function of (seed, stream, step, element).
//!
//! The generator is Threefry4x32 (Salmon, Moraes, Dror, Shaw: *Parallel Random Numbers: As Easy as 1, 2, 3*, SC 2011) with
//! [`ROUNDS`] rounds: a key and a counter of four words give four words, and nothing is remembered in between. It stands here
//! twice: [`threefry`] writes it in block instructions, [`threefry4x32`] computes it.
//!
//! The key is (low word of the seed, high word of the seed, stream, 0), where the stream is the ordinal of the random node. The
//! counter is (step, row, block, 0). Element (row, column) of a tensor `[…, columns]`, its leading indices flattened into the row,
//! takes word `(column / 16) mod 4` of block `16·(column / 64) + column mod 16`: in a group of 64 columns word `j` of the 16 blocks
//! serves 16 neighbours, so a vector of any width up to 16 stores its words without a shuffle.

use super::Value;
use super::block::BlockBuilder;

/// Rounds of the generator: 12 pass the statistical tests of the paper, this is one more.
pub const ROUNDS: u32 = 13;

/// Distances of the two rotations of a round, by the round's number mod 8.
const ROTATIONS: [[u8; 2]; 8] = [[10, 26], [11, 21], [13, 27], [23, 5], [6, 20], [17, 11], [25, 10], [18, 20]];
/// The fifth word of the key is this, exclusive-or the four others.
const PARITY: u32 = 0x1BD1_1BDA;

/// The number of the counter block that holds the word of a column.
pub const fn block_of(column: u32) -> u32 {
    16 * (column / 64) + column % 16
}

/// Which of the four words of its block a column takes.
pub const fn word_of(column: u32) -> u32 {
    column / 16 % 4
}

/// The random word of an element: what generated code computes for it.
pub fn uniform_at(seed: u64, stream: u32, step: u32, row: u32, column: u32) -> u32 {
    let key = [seed as u32, (seed >> 32) as u32, stream, 0];
    let counter = [step, row, block_of(column), 0];
    threefry4x32(ROUNDS, key, counter)[word_of(column) as usize]
}

/// Threefry4x32 of Random123.
pub fn threefry4x32(rounds: u32, key: [u32; 4], counter: [u32; 4]) -> [u32; 4] {
    let parity = key.iter().fold(PARITY, |sum, word| sum ^ word);
    let schedule = [key[0], key[1], key[2], key[3], parity];
    let mut x = counter;
    for (word, key) in x.iter_mut().zip(schedule) {
        *word = word.wrapping_add(key);
    }
    for round in 0..rounds {
        let [first, second] = ROTATIONS[round as usize % 8];
        let (from_first, from_second) = partners(round);
        x[0] = x[0].wrapping_add(x[from_first]);
        x[from_first] = x[from_first].rotate_left(u32::from(first)) ^ x[0];
        x[2] = x[2].wrapping_add(x[from_second]);
        x[from_second] = x[from_second].rotate_left(u32::from(second)) ^ x[2];
        if round % 4 == 3 {
            let injection = round / 4 + 1;
            for (i, word) in x.iter_mut().enumerate() {
                *word = word.wrapping_add(schedule[(injection as usize + i) % 5]);
            }
            x[3] = x[3].wrapping_add(injection);
        }
    }
    x
}

/// The words that are mixed with words 0 and 2: the odd ones, which change places every round.
const fn partners(round: u32) -> (usize, usize) {
    if round.is_multiple_of(2) { (1, 3) } else { (3, 1) }
}

/// [`threefry4x32`] with [`ROUNDS`] rounds, in block instructions; words of key and counter that are constants 0 cost nothing.
pub fn threefry(b: &mut BlockBuilder, key: [Value; 4], counter: [Value; 4]) -> [Value; 4] {
    let mut parity = b.i32(PARITY as i32);
    for word in key {
        parity = xor(b, parity, word);
    }
    let schedule = [key[0], key[1], key[2], key[3], parity];
    let mut x = counter;
    for (word, key) in x.iter_mut().zip(schedule) {
        *word = add(b, *word, key);
    }
    for round in 0..ROUNDS {
        let [first, second] = ROTATIONS[round as usize % 8];
        let (from_first, from_second) = partners(round);
        (x[0], x[from_first]) = mix(b, x[0], x[from_first], first);
        (x[2], x[from_second]) = mix(b, x[2], x[from_second], second);
        if round % 4 == 3 {
            let injection = round / 4 + 1;
            // The round's number joins the key first: both are the same for all lanes.
            let number = b.i32(injection as i32);
            let mut keys = [0, 1, 2, 3].map(|i| schedule[(injection as usize + i) % 5]);
            keys[3] = add(b, keys[3], number);
            for (word, key) in x.iter_mut().zip(keys) {
                *word = add(b, *word, key);
            }
        }
    }
    x
}

/// `(a + c, rotate(c) ^ (a + c))`.
fn mix(b: &mut BlockBuilder, a: Value, c: Value, by: u8) -> (Value, Value) {
    let sum = add(b, a, c);
    let rotated = match b.known_i32(c) {
        Some(known) => b.i32(known.rotate_left(u32::from(by))),
        None => {
            let left = b.shift_left(c, by);
            let right = b.shift_right(c, 32 - by);
            b.or(left, right)
        }
    };
    (sum, xor(b, rotated, sum))
}

fn add(b: &mut BlockBuilder, a: Value, c: Value) -> Value {
    match (b.known_i32(a), b.known_i32(c)) {
        (Some(0), _) => c,
        (_, Some(0)) => a,
        (Some(a), Some(c)) => b.i32(a.wrapping_add(c)),
        _ => b.add(a, c),
    }
}

fn xor(b: &mut BlockBuilder, a: Value, c: Value) -> Value {
    match (b.known_i32(a), b.known_i32(c)) {
        (Some(0), _) => c,
        (_, Some(0)) => a,
        (Some(a), Some(c)) => b.i32(a ^ c),
        _ => b.xor(a, c),
    }
}

/// A float in [0, 1) from a random word: `⌊word / 2⁸⌋·2⁻²⁴`.
pub fn uniform(b: &mut BlockBuilder, word: Value) -> Value {
    let kept = b.shift_right(word, 8);
    let number = b.to_float(kept);
    let scale = b.f32(1.0 / 16_777_216.0);
    b.mul(number, scale)
}

/// A float in (0, 1) from a random word, `(⌊word / 2⁹⌋ + 1/2)·2⁻²³`: what [`super::math::normal`] takes.
pub fn uniform_open(b: &mut BlockBuilder, word: Value) -> Value {
    let kept = b.shift_right(word, 9);
    let number = b.to_float(kept);
    let scale = b.f32(1.0 / 8_388_608.0);
    let half = b.f32(0.5 / 8_388_608.0);
    b.fma(number, scale, half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loops::interpret::{Memory, run_block};
    use crate::loops::{Buffer, BufferId, Lane, Linear, Program, Space, View};

    /// Known answers of Random123 1.14 (`tests/kat_vectors`).
    #[test]
    fn threefry_gives_the_known_answers() {
        let pi = [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344, 0xA409_3822, 0x299F_31D0, 0x082E_FA98, 0xEC4E_6C89];
        let cases = [
            (13, [0; 4], [0; 4], [0x531C_7E4F, 0x3949_1EE5, 0x2C85_5A92, 0x3D6A_BF9A]),
            (20, [0; 4], [0; 4], [0x9C6C_A96A, 0xE17E_AE66, 0xFC10_ECD4, 0x5256_A7D8]),
            (20, [u32::MAX; 4], [u32::MAX; 4], [0x2A88_1696, 0x5701_2287, 0xF6C7_446E, 0xA16A_6732]),
            (
                20,
                [pi[4], pi[5], pi[6], pi[7]],
                [pi[0], pi[1], pi[2], pi[3]],
                [0x59CD_1DBB, 0xB887_9579, 0x86B5_D00C, 0xAC8B_6D84],
            ),
        ];
        for (rounds, key, counter, expected) in cases {
            let found = threefry4x32(rounds, key, counter);
            assert_eq!(found, expected, "{rounds} rounds of {key:08x?}: {found:08x?}");
        }
    }

    /// Words 0..4 of the buffer are the seed, stream and step, row and block; the four after them are the result.
    fn run(words: [u32; 5], constant_zero: bool) -> ([u32; 4], usize) {
        let program = Program {
            buffers: vec![Buffer { name: "words".to_owned(), space: Space::Arena, lane: Lane::I32, words: Linear::fixed(9) }],
            ..Program::default()
        };
        let buffer = BufferId(0);
        let mut b = BlockBuilder::new();
        let [low, high, stream, step, row] = [0, 1, 2, 3, 4].map(|word| b.load_scalar(buffer, word, Lane::I32));
        // A zero in memory is one that the builder does not know.
        let zero = if constant_zero { b.i32(0) } else { b.load_scalar(buffer, 8, Lane::I32) };
        let column = b.i32(5);
        let result = threefry(&mut b, [low, high, stream, zero], [step, row, column, zero]);
        for (word, value) in result.into_iter().enumerate() {
            let view = View { buffer, offset: Linear::fixed(5 + word as i64), strides: Vec::new(), table: None, pick: None };
            b.store(view, value);
        }
        let block = b.finish();
        let mut memory = Memory::new(&program, 1);
        memory.words[0][..5].copy_from_slice(&words);
        run_block(&program, &block, &mut memory, 1, &[]).expect("in bounds");
        let results = [5, 6, 7, 8].map(|word| memory.words[0][word]);
        (results, block.code.len())
    }

    #[test]
    fn the_block_computes_the_same_words() {
        for turn in 0..100_u32 {
            let words = [0, 1, 2, 3, 4].map(|i| (5 * turn + i).wrapping_mul(0x9E37_79B9));
            let seed = u64::from(words[1]) << 32 | u64::from(words[0]);
            for word in 0..4 {
                let column = 5 + 16 * word;
                let expected = uniform_at(seed, words[2], words[3], words[4], column);
                for constant_zero in [false, true] {
                    assert_eq!(run(words, constant_zero).0[word as usize], expected);
                }
            }
        }
    }

    #[test]
    fn constant_zeros_are_not_computed_with() {
        let (known, unknown) = (run([0; 5], true).1, run([0; 5], false).1);
        assert!(known + 9 <= unknown, "{known} instructions, {unknown} without");
    }

    #[test]
    fn a_group_of_columns_uses_each_word_once() {
        let mut seen: Vec<(u32, u32)> = (0..256).map(|c| (block_of(c), word_of(c))).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 256);
        // Sixteen neighbours take the same word of sixteen neighbouring blocks.
        assert!((0..16).all(|c| block_of(64 + c) == 16 + c && word_of(64 + c) == 0));
    }

    #[test]
    fn uniform_numbers_stay_in_their_intervals() {
        let program = Program {
            buffers: vec![Buffer { name: "words".to_owned(), space: Space::Arena, lane: Lane::I32, words: Linear::fixed(1) }],
            ..Program::default()
        };
        let value = |word: u32, function: fn(&mut BlockBuilder, Value) -> Value| {
            let view = View { buffer: BufferId(0), offset: Linear::ZERO, strides: Vec::new(), table: None, pick: None };
            let mut b = BlockBuilder::new();
            let word_value = b.i32(word as i32);
            let number = function(&mut b, word_value);
            let bits = b.bits(number);
            b.store(view, bits);
            let mut memory = Memory::new(&program, 1);
            run_block(&program, &b.finish(), &mut memory, 1, &[]).expect("in bounds");
            f32::from_bits(memory.words[0][0])
        };
        assert_eq!(value(0, uniform), 0.0);
        assert_eq!(value(u32::MAX, uniform), 1.0 - f32::EPSILON / 2.0);
        assert_eq!(value(1 << 31, uniform), 0.5);
        assert_eq!(value(0, uniform_open), f32::EPSILON / 2.0);
        assert_eq!(value(u32::MAX, uniform_open), 1.0 - f32::EPSILON / 2.0);
    }
}
