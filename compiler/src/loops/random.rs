//! Random numbers in block instructions: Threefry4x32 with 13 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! SC11), a pure function of key and counter.
//!
//! Element (row, column) of a tensor `[.., C]` is word `(column / 16) % 4` of the block `16 (column / 64) + column % 16`, drawn with
//! key (seed low, seed high, stream, 0) and counter (step, row, block, 0). So 64 neighbouring columns come from 16 blocks whose lanes
//! need no shuffle on any vector width.

use super::Value;
use super::block::BlockBuilder;

/// Rounds of the generator.
pub const ROUNDS: u32 = 13;
/// Rotations of Threefry4x32, for even and odd pairs of words, by round modulo 8.
const ROTATIONS: [[u8; 2]; 8] = [[10, 26], [11, 21], [13, 27], [23, 5], [6, 20], [17, 11], [25, 10], [18, 20]];
/// Skein's key-schedule parity.
const PARITY: u32 = 0x1BD1_1BDA;

/// The generator as plain Rust: the reference for [`threefry`].
pub fn threefry4x32(rounds: u32, key: [u32; 4], counter: [u32; 4]) -> [u32; 4] {
    let schedule = [key[0], key[1], key[2], key[3], PARITY ^ key[0] ^ key[1] ^ key[2] ^ key[3]];
    let mut x = [0u32; 4];
    for word in 0..4 {
        x[word] = counter[word].wrapping_add(schedule[word]);
    }
    for round in 0..rounds as usize {
        let [first, second] = ROTATIONS[round % 8];
        let (b, d) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
        x[0] = x[0].wrapping_add(x[b]);
        x[b] = x[b].rotate_left(first.into()) ^ x[0];
        x[2] = x[2].wrapping_add(x[d]);
        x[d] = x[d].rotate_left(second.into()) ^ x[2];
        if round % 4 == 3 {
            let injection = round / 4 + 1;
            for word in 0..4 {
                x[word] = x[word].wrapping_add(schedule[(injection + word) % 5]);
            }
            x[3] = x[3].wrapping_add(injection as u32);
        }
    }
    x
}

/// Four words for a key and a counter, lane by lane.
pub fn threefry(b: &mut BlockBuilder, key: [Value; 4], counter: [Value; 4]) -> [Value; 4] {
    let mut last = b.i32(PARITY as i32);
    for word in key {
        last = b.xor(last, word);
    }
    let schedule = [key[0], key[1], key[2], key[3], last];
    let mut x = [0, 1, 2, 3].map(|word| b.add(counter[word], schedule[word]));
    for round in 0..ROUNDS as usize {
        let [first, second] = ROTATIONS[round % 8];
        let (near, far) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
        for (sum, word, rotation) in [(0, near, first), (2, far, second)] {
            x[sum] = b.add(x[sum], x[word]);
            let left = b.shift_left(x[word], rotation);
            let right = b.shift_right(x[word], 32 - rotation);
            let rotated = b.or(left, right);
            x[word] = b.xor(rotated, x[sum]);
        }
        if round % 4 == 3 {
            let injection = round / 4 + 1;
            for word in 0..4 {
                x[word] = b.add(x[word], schedule[(injection + word) % 5]);
            }
            let count = b.i32(injection as i32);
            x[3] = b.add(x[3], count);
        }
    }
    x
}

/// A number in (0, 1) from a word: `((word >> 9) + 1/2) / 2^23`.
pub fn uniform_open(b: &mut BlockBuilder, word: Value) -> Value {
    let high = b.shift_right(word, 9);
    let number = b.to_float(high);
    let half = b.f32(0.5);
    let number = b.add(number, half);
    let unit = b.f32(1.0 / (1u32 << 23) as f32);
    b.mul(number, unit)
}

/// The word behind an element: what the f64 reference and the tests use.
pub fn uniform_at(seed: u64, stream: u32, step: u32, row: u32, column: u32) -> u32 {
    let block = 16 * (column / 64) + column % 16;
    let key = [seed as u32, (seed >> 32) as u32, stream, 0];
    threefry4x32(ROUNDS, key, [step, row, block, 0])[(column as usize / 16) % 4]
}

#[cfg(test)]
mod tests {
    use super::threefry4x32;

    #[test]
    fn random123_known_answers() {
        assert_eq!(threefry4x32(20, [0; 4], [0; 4]), [0x9c6c_a96a, 0xe17e_ae66, 0xfc10_ecd4, 0x5256_a7d8]);
        assert_eq!(threefry4x32(20, [u32::MAX; 4], [u32::MAX; 4]), [0x2a88_1696, 0x5701_2287, 0xf6c7_446e, 0xa16a_6732]);
    }
}
