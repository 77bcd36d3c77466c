//! Random numbers as a pure function of a key and a counter.
//!
//! Threefry4x32 (Salmon et al., 'Parallel random numbers: as easy as 1, 2, 3', 2011) turns a 128-bit key and a 128-bit counter
//! into 128 random bits. There is no state to save: whoever knows seed, stream and position knows the number. Everything
//! random in a run uses [`ROUNDS`] rounds and the key (seed, stream); the streams of a network's random nodes are small ordinals,
//! so [`ORDER_STREAM`] and [`SHUFFLE_STREAM`], whose upper half is not zero, never meet one of them.

use std::convert::Infallible;

use rand::{Rng as _, SeedableRng, TryRng};

/// Rounds of Threefry4x32 used everywhere: the fewest that Salmon et al. recommend (12 pass BigCrush, 13 leave a margin).
pub const ROUNDS: u32 = 13;

/// Stream of the order in which an epoch visits its rows.
pub const ORDER_STREAM: u64 = u64::from_be_bytes(*b"\0\0order\0");

/// Stream of [`crate::data::Dataset::shuffled`], apart from [`ORDER_STREAM`] so that one seed may serve both.
pub const SHUFFLE_STREAM: u64 = u64::from_be_bytes(*b"\0shuffle");

/// Skein's parity constant for 32-bit words.
const PARITY: u32 = 0x1BD1_1BDA;

/// Rotation distances for 4×32 bits, one pair a round, repeated every eight rounds.
const ROTATIONS: [[u32; 2]; 8] = [[10, 26], [11, 21], [13, 27], [23, 5], [6, 20], [17, 11], [25, 10], [18, 20]];

/// Threefry4x32: the four random words that belong to `key` and `counter` after `rounds` rounds.
pub fn threefry4x32(rounds: u32, key: [u32; 4], counter: [u32; 4]) -> [u32; 4] {
    let parity = key.iter().fold(PARITY, |parity, word| parity ^ word);
    let schedule = [key[0], key[1], key[2], key[3], parity];
    let mut x = counter;
    inject(&mut x, &schedule, 0);
    for round in 0..rounds {
        let [left, right] = ROTATIONS[(round % 8) as usize];
        // Which words meet alternates: (0, 1) and (2, 3), then (0, 3) and (2, 1).
        let (first, second) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
        mix(&mut x, 0, first, left);
        mix(&mut x, 2, second, right);
        if round % 4 == 3 {
            inject(&mut x, &schedule, round / 4 + 1);
        }
    }
    x
}

fn mix(x: &mut [u32; 4], sum: usize, turned: usize, distance: u32) {
    x[sum] = x[sum].wrapping_add(x[turned]);
    x[turned] = x[turned].rotate_left(distance) ^ x[sum];
}

fn inject(x: &mut [u32; 4], schedule: &[u32; 5], turn: u32) {
    for (place, word) in x.iter_mut().enumerate() {
        *word = word.wrapping_add(schedule[(turn as usize + place) % 5]);
    }
    x[3] = x[3].wrapping_add(turn);
}

/// A sequence of random words: the blocks 0, 1, 2, … of one (seed, stream, section), read in order.
///
/// The key is (seed, stream), the counter (block, section), each 64 bits, low word first.
#[derive(Clone, Debug)]
pub struct Rng {
    key: [u32; 4],
    section: u64,
    block: u64,
    words: [u32; 4],
    /// Words of `words` already given away; 4 asks for the next block.
    used: usize,
}

impl Rng {
    /// The sequence of `seed` and `stream`, section 0, from its beginning.
    pub fn new(seed: u64, stream: u64) -> Rng {
        Rng::section(seed, stream, 0)
    }

    /// The sequence of `seed`, `stream` and `section`; sections (an epoch, a turn) share no block.
    pub fn section(seed: u64, stream: u64, section: u64) -> Rng {
        let [seed_low, seed_high] = halves(seed);
        let [stream_low, stream_high] = halves(stream);
        Rng { key: [seed_low, seed_high, stream_low, stream_high], section, block: 0, words: [0; 4], used: 4 }
    }

    fn next(&mut self) -> u32 {
        if self.used == 4 {
            let [block_low, block_high] = halves(self.block);
            let [section_low, section_high] = halves(self.section);
            self.words = threefry4x32(ROUNDS, self.key, [block_low, block_high, section_low, section_high]);
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        let word = self.words[self.used];
        self.used += 1;
        word
    }

    /// A number in `0..bound` (0 if `bound` is 0), each as likely as any other.
    ///
    /// Lemire, 'Fast random integer generation in an interval' (2019): the upper half of a product, and a draw is repeated
    /// where the lower half falls into the part that would favour some numbers.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let mut product = u64::from(self.next_u32()) * u64::from(bound);
        if (product as u32) < bound {
            let unfair = bound.wrapping_neg() % bound;
            while (product as u32) < unfair {
                product = u64::from(self.next_u32()) * u64::from(bound);
            }
        }
        (product >> 32) as u32
    }
}

impl Rng {
    /// A standard normal number, by Box and Muller (1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let mut uniform = || (f64::from(self.next()) + 0.5) / 2f64.powi(32);
        let (radius, turn) = (uniform(), uniform());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
    }
}

fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.next()) | u64::from(self.next()) << 32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl SeedableRng for Rng {
    type Seed = [u8; 16];

    /// Seed and stream, eight bytes each, little-endian.
    fn from_seed(bytes: [u8; 16]) -> Rng {
        let both = u128::from_le_bytes(bytes);
        Rng::new(both as u64, (both >> 64) as u64)
    }

    /// The same as [`Rng::new`] with stream 0.
    fn seed_from_u64(seed: u64) -> Rng {
        Rng::new(seed, 0)
    }
}

/// Writes into `out` the order in which epoch `epoch` visits rows `0..out.len()`: a uniformly drawn permutation, a pure
/// function of `seed` and `epoch`; `out` may be at most 2³² long.
pub fn permutation(seed: u64, epoch: u64, out: &mut [u32]) {
    permute(Rng::section(seed, ORDER_STREAM, epoch), out);
}

/// Fisher-Yates from the identity (Durstenfeld's form): allocates nothing.
pub(crate) fn permute(mut rng: Rng, out: &mut [u32]) {
    for (row, place) in out.iter_mut().enumerate() {
        *place = row as u32;
    }
    for last in (1..out.len()).rev() {
        let other = match u32::try_from(last + 1) {
            Ok(bound) => rng.below(bound),
            // A bound of exactly 2³²: every word is fair.
            Err(_) => rng.next(),
        };
        out.swap(last, other as usize);
    }
}

/// [`permutation`] for generated code.
///
/// # Safety
/// `out` points to `n` writable, aligned words that nothing else touches during the call; `n` is at most 2³².
pub unsafe extern "C" fn gradc_permutation(seed: u64, epoch: u64, out: *mut u32, n: u64) {
    // An empty order may come with any pointer, null too, which a slice may not.
    if n == 0 {
        return;
    }
    // SAFETY: the caller vouches for `n` writable words at `out`; n > 0 words in memory cannot exceed usize.
    let out = unsafe { std::slice::from_raw_parts_mut(out, n as usize) };
    permutation(seed, epoch, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PI_COUNTER: [u32; 4] = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
    const PI_KEY: [u32; 4] = [0xa4093822, 0x299f31d0, 0x082efa98, 0xec4e6c89];

    /// Known answers from Random123, `tests/kat_vectors`: rounds, counter, key, words.
    #[test]
    fn known_answers_of_random123() {
        let zero = [0; 4];
        let ones = [u32::MAX; 4];
        let table = [
            (13, zero, zero, [0x531c7e4f, 0x39491ee5, 0x2c855a92, 0x3d6abf9a]),
            (13, ones, ones, [0xc4189358, 0x1c9cc83a, 0xd5881c67, 0x6a0a89e0]),
            (13, PI_COUNTER, PI_KEY, [0x4aa71d8f, 0x734738c2, 0x431fc6a8, 0xae6debf1]),
            (20, zero, zero, [0x9c6ca96a, 0xe17eae66, 0xfc10ecd4, 0x5256a7d8]),
            (20, ones, ones, [0x2a881696, 0x57012287, 0xf6c7446e, 0xa16a6732]),
            (20, PI_COUNTER, PI_KEY, [0x59cd1dbb, 0xb8879579, 0x86b5d00c, 0xac8b6d84]),
            (72, zero, zero, [0x93171da6, 0x9220326d, 0xb392b7b1, 0xff58a002]),
            (72, ones, ones, [0x60743f3d, 0x9961e684, 0xaab21c34, 0x8c65fb7d]),
        ];
        for (rounds, counter, key, words) in table {
            assert_eq!(threefry4x32(rounds, key, counter), words, "{rounds} rounds of {counter:08x?} under {key:08x?}");
        }
    }

    #[test]
    fn the_sequence_reads_the_blocks_in_order() {
        let mut rng = Rng::section(0x1111_2222_3333_4444, 5, 6);
        let key = [0x3333_4444, 0x1111_2222, 5, 0];
        let blocks: Vec<u32> = (0..3).flat_map(|block| threefry4x32(ROUNDS, key, [block, 0, 6, 0])).collect();
        assert_eq!(rng.next_u32(), blocks[0]);
        assert_eq!(rng.next_u64(), u64::from(blocks[1]) | u64::from(blocks[2]) << 32);
        let mut bytes = [0; 6];
        rng.fill_bytes(&mut bytes);
        assert_eq!(bytes[..4], blocks[3].to_le_bytes());
        assert_eq!(bytes[4..], blocks[4].to_le_bytes()[..2]);
    }

    #[test]
    fn seeds_reach_the_generator_through_rand() {
        let mut direct = Rng::new(7, 0);
        let mut seeded = Rng::seed_from_u64(7);
        let mut bytes = [0; 16];
        bytes[0] = 7;
        let mut from_bytes = Rng::from_seed(bytes);
        let word = direct.next_u64();
        assert_eq!(seeded.next_u64(), word);
        assert_eq!(from_bytes.next_u64(), word);
    }

    #[test]
    fn a_permutation_holds_every_row_once_and_depends_on_seed_and_epoch_only() {
        for n in [0, 1, 2, 3, 64, 1797] {
            let mut order = vec![9; n];
            permutation(7, 3, &mut order);
            let mut again = vec![0; n];
            // SAFETY: `again` holds n words.
            unsafe { gradc_permutation(7, 3, again.as_mut_ptr(), n as u64) };
            assert_eq!(order, again);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n as u32).collect::<Vec<_>>());
        }
        let order = |seed, epoch| {
            let mut out = [0; 64];
            permutation(seed, epoch, &mut out);
            out
        };
        assert_ne!(order(7, 0), order(7, 1));
        assert_ne!(order(7, 0), order(8, 0));
    }

    /// χ² over the 24 orders of four rows: 23 degrees of freedom, 99.9 % quantile 49.7.
    #[test]
    fn all_orders_are_equally_likely() {
        let draws = 24_000;
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..draws {
            let mut order = [0; 4];
            permutation(1, epoch, &mut order);
            *counts.entry(order).or_insert(0u32) += 1;
        }
        let expected = draws as f64 / 24.0;
        let chi: f64 = counts.values().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
        assert_eq!(counts.len(), 24);
        assert!(chi < 49.7, "χ² = {chi}");
    }

    /// Without Lemire's rejection a bound of 3·2³⁰ would give every third number twice as often.
    #[test]
    fn large_bounds_are_fair() {
        let mut rng = Rng::new(3, 0);
        let mut counts = [0u32; 3];
        for _ in 0..30_000 {
            counts[(rng.below(3 << 30) % 3) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_700..10_300).contains(&count)), "{counts:?}");
    }

    #[test]
    fn an_empty_order_may_come_with_a_null_pointer() {
        // SAFETY: no word is asked for.
        unsafe { gradc_permutation(0, 0, std::ptr::null_mut(), 0) };
    }
}
