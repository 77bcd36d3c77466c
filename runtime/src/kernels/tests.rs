//! Every kernel against the definition in [`Product`], bit for bit.

use gradc_compiler::abi::{PACK_FLOATS, PRODUCT_BLOCK, Product};

use super::portable::Portable;
use super::{InstructionSet, ProductKernel, product, walk};

/// Words that no product writes.
const GUARD: u32 = 0x7FC0_BEEF;
const GUARD_WORDS: usize = 64;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn floats(&mut self, count: usize, values: Values) -> Vec<f32> {
        (0..count).map(|_| self.float(values)).collect()
    }

    fn float(&mut self, values: Values) -> f32 {
        const SPECIAL: [f32; 6] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX];
        match values {
            Values::Special if self.one_in(300) => self.pick(&SPECIAL),
            // Products of these are denormal, sums of them round there.
            Values::Denormal => {
                let exponent = if self.one_in(2) { 60 } else { 70 };
                f32::from_bits((self.next() as u32 & 0x807F_FFFF) | (exponent << 23))
            }
            _ => ((self.next() >> 40) as f32 / (1 << 24) as f32 - 0.5) * 4.0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Values {
    Ordinary,
    Special,
    Denormal,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Table {
    None,
    Rows,
    Steps,
}

/// One product with its memory.
#[derive(Debug)]
struct Case {
    m: usize,
    n: usize,
    k: usize,
    a_row: usize,
    a_k: usize,
    b_k: usize,
    b_col: usize,
    c_row: usize,
    table: Table,
    /// Columns of the right operand that lie side by side, if its places are looked up.
    runs: Option<usize>,
    accumulate: bool,
    values: Values,
    seed: u64,
}

impl Case {
    fn random(random: &mut Random) -> Self {
        const SIDES: [usize; 22] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 33, 48, 70];
        const DEPTHS: [usize; 8] = [0, 1, 2, 7, 63, 512, 513, 1100];
        let (m, n, k) = (random.pick(&SIDES), random.pick(&SIDES), random.pick(&DEPTHS));
        Self::of_shape(random, m, n, k)
    }

    fn of_shape(random: &mut Random, m: usize, n: usize, k: usize) -> Self {
        let table = random.pick(&[Table::None, Table::Rows, Table::Steps]);
        let pad = |random: &mut Random, extent: usize| match random.below(3) {
            0 => extent.max(1),
            1 => extent + 1 + random.below(9),
            _ => extent.next_multiple_of(16).max(16),
        };
        let (rows, steps) = (m, k);
        let (a_row, a_k) = match random.below(4) {
            0 | 1 => (pad(random, steps), 1),
            2 => (1, pad(random, rows)),
            // Neither direction is contiguous.
            _ => (2 * pad(random, steps), 2),
        };
        let (b_k, b_col) = match random.below(3) {
            0 | 1 => (pad(random, n), 1),
            _ => (1, pad(random, k)),
        };
        Self {
            m,
            n,
            k,
            a_row,
            a_k,
            b_k,
            b_col,
            c_row: pad(random, n),
            table,
            runs: random.one_in(3).then(|| 1 + random.below(40)),
            accumulate: random.one_in(2),
            values: random.pick(&[Values::Ordinary, Values::Special, Values::Denormal]),
            seed: random.next(),
        }
    }

    /// Runs the definition and the kernels, and compares all memory that a kernel may or may not write.
    fn check(&self, kernels: &[(String, ProductKernel)]) {
        let mut random = Random(self.seed);
        let random = &mut random;
        let table: Vec<u32> = match self.table {
            Table::None => Vec::new(),
            Table::Rows => (0..self.m).map(|_| random.below(self.m) as u32).collect(),
            Table::Steps => (0..self.k).map(|_| random.below(self.k) as u32).collect(),
        };
        // No element further than the last: a read beyond would leave the allocation.
        let last = |extent: usize, stride: usize| extent.saturating_sub(1) * stride;
        let a_len = last(self.m, self.a_row) + last(self.k, self.a_k) + 1;
        let (mut b_rows, mut b_cols): (Vec<i32>, Vec<i32>) = (Vec::new(), Vec::new());
        if let Some(run) = self.runs {
            b_rows.extend((0..self.k).map(|_| (random.below(self.k) * 5) as i32 - self.back() as i32));
            b_cols.extend((0..self.n).map(|j| (j / run * (run + 3) + j % run) as i32));
        }
        let reach = |places: &[i32]| places.iter().max().map_or(0, |&most| most.max(0) as usize);
        let b_len = match self.runs {
            Some(_) => self.back() + reach(&b_rows) + reach(&b_cols) + 1,
            None => last(self.k, self.b_k) + last(self.n, self.b_col) + 1,
        };
        let places = |places: &Vec<i32>| if self.runs.is_some() { places.as_ptr() } else { std::ptr::null() };
        let c_len = last(self.m, self.c_row) + self.n;
        let a = random.floats(a_len, self.values);
        let b = random.floats(b_len, self.values);
        let guard = f32::from_bits(GUARD);
        let mut before = vec![guard; c_len + 2 * GUARD_WORDS];
        for i in 0..self.m {
            for j in 0..self.n {
                before[GUARD_WORDS + i * self.c_row + j] = random.float(self.values);
            }
        }
        let mut expected = before.clone();
        self.define(&a, (&b, &b_rows, &b_cols), &table, &mut expected[GUARD_WORDS..]);
        let mut pack = vec![guard; PACK_FLOATS + 2 * GUARD_WORDS + 16];
        let aligned = pack[GUARD_WORDS..].as_ptr().align_offset(64) + GUARD_WORDS;
        // The second time with fewer rows, and the copy that the first has left.
        let calls = [(self.m, 0), (self.m.div_ceil(2), 1)];
        for ((name, kernel), (rows, b_is_packed)) in kernels.iter().flat_map(|kernel| calls.map(|call| (kernel, call))) {
            let mut c = before.clone();
            let described = Product {
                a: a.as_ptr(),
                a_row: self.a_row as i64,
                a_k: self.a_k as i64,
                a_table: if table.is_empty() { std::ptr::null() } else { table.as_ptr() },
                a_table_on_k: i64::from(self.table == Table::Steps),
                b: b[self.back()..].as_ptr(),
                b_k: self.b_k as i64,
                b_col: self.b_col as i64,
                b_rows: places(&b_rows),
                b_cols: places(&b_cols),
                c: c[GUARD_WORDS..].as_mut_ptr(),
                c_row: self.c_row as i64,
                m: rows as i64,
                n: self.n as i64,
                k: self.k as i64,
                accumulate: i64::from(self.accumulate),
                b_is_packed,
                pack: pack[aligned..].as_mut_ptr(),
            };
            // SAFETY: the set is available, and all vectors are as long as the description says.
            unsafe { kernel(&described) };
            let words = c.iter().zip(expected.iter().zip(&before)).enumerate();
            for (index, (&found, (&expected, &before))) in words {
                let is_inside = index < GUARD_WORDS + rows * self.c_row;
                let expected = if is_inside { expected } else { before };
                let same =
                    found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan() && expected.to_bits() != GUARD);
                assert!(
                    same,
                    "{name}: word {} of C is {found:e}, not {expected:e}: {self:?}",
                    index as isize - GUARD_WORDS as isize
                );
            }
            let untouched = |words: &[f32]| words.iter().all(|word| word.to_bits() == GUARD);
            assert!(
                untouched(&pack[..aligned]) && untouched(&pack[aligned + PACK_FLOATS..]),
                "{name}: wrote outside the scratch: {self:?}"
            );
        }
    }

    /// Places of gathered rows are counted from so far behind the first element, as those of a window that is read backwards.
    fn back(&self) -> usize {
        if self.runs.is_some() { self.k * 5 / 2 } else { 0 }
    }

    /// The definition, word by word.
    fn define(&self, a: &[f32], (b, b_rows, b_cols): (&[f32], &[i32], &[i32]), table: &[u32], c: &mut [f32]) {
        let row = |i: usize| {
            if self.table == Table::Rows { table[i] as usize } else { i }
        };
        let step = |p: usize| {
            if self.table == Table::Steps { table[p] as usize } else { p }
        };
        for i in 0..self.m {
            for j in 0..self.n {
                let c = &mut c[i * self.c_row + j];
                for start in (0..self.k.max(1)).step_by(PRODUCT_BLOCK) {
                    let mut chain = 0.0_f32;
                    for p in start..self.k.min(start + PRODUCT_BLOCK) {
                        let a = a[row(i) * self.a_row + step(p) * self.a_k];
                        let place = match self.runs {
                            Some(_) => (self.back() as i32 + b_rows[p] + b_cols[j]) as usize,
                            None => p * self.b_k + j * self.b_col,
                        };
                        chain = a.mul_add(b[place], chain);
                    }
                    *c = if start > 0 || self.accumulate { *c + chain } else { chain };
                }
            }
        }
    }
}

/// The kernels of this machine, and the portable one with the lanes and rows of AVX-512, so that its walk is tested everywhere.
fn kernels() -> Vec<(String, ProductKernel)> {
    let mut kernels: Vec<(String, ProductKernel)> =
        InstructionSet::available().into_iter().map(|set| (set.to_string(), product(set))).collect();
    kernels.push(("portable of 16 lanes".into(), walk::product::<Portable<16>>));
    kernels
}

#[test]
fn random_products_are_as_defined() {
    let kernels = kernels();
    let mut random = Random(1);
    for _ in 0..500 {
        let case = Case::random(&mut random);
        case.check(&kernels);
    }
}

#[test]
fn products_of_many_blocks_are_as_defined() {
    let kernels = kernels();
    let mut random = Random(2);
    for (m, k, n) in [(150, 520, 300), (300, 513, 40), (24, 100, 1400), (1, 300, 500), (700, 90, 90)] {
        for _ in 0..4 {
            let case = Case::of_shape(&mut random, m, n, k);
            case.check(&kernels);
        }
    }
}

/// The last columns of several rows stand in one vector, a quarter or half of it for each.
#[test]
fn rows_that_share_a_vector_are_as_defined() {
    let kernels = kernels();
    let mut random = Random(6);
    for n in [100, 65, 36, 40, 17, 20, 24, 4] {
        for m in [1, 4, 5, 6, 7, 8, 19, 64] {
            for k in [1, 30, 100, 513] {
                let case = Case { runs: None, ..Case::of_shape(&mut random, m, n, k) };
                case.check(&kernels);
            }
        }
    }
}

/// Shapes of convolutions: wide and flat ones are walked as they are, others as the product of the transposes.
#[test]
fn windows_are_gathered_either_way() {
    let kernels = kernels();
    let mut random = Random(5);
    for (m, n, k) in [(64, 196, 288), (32, 196, 576), (64, 72, 196), (32, 784, 9), (16, 9, 784), (19, 75, 530), (3, 50, 27)] {
        for run in [1, 3, 14, 28] {
            let case = Case { runs: Some(run), table: Table::None, ..Case::of_shape(&mut random, m, n, k) };
            case.check(&kernels);
        }
    }
}

#[test]
fn nothing_is_touched_where_there_is_no_element() {
    let mut random = Random(3);
    for (m, n) in [(0, 5), (5, 0), (0, 0)] {
        let case = Case::of_shape(&mut random, m, n, 3);
        case.check(&kernels());
    }
}

#[test]
fn an_empty_chain_is_positive_zero() {
    let mut random = Random(4);
    for accumulate in [false, true] {
        let case = Case { accumulate, ..Case::of_shape(&mut random, 7, 19, 0) };
        case.check(&kernels());
    }
}

#[test]
fn names_parse_back() {
    for set in InstructionSet::ALL {
        assert_eq!(InstructionSet::parse(&set.to_string()), Ok(set));
    }
    let error = InstructionSet::parse("sse").map_err(|error| error.to_string());
    assert_eq!(error, Err("unknown instruction set `sse`: expected `portable`, `avx2` or `avx512`".into()));
}

#[test]
fn the_detected_set_is_available() {
    let available = InstructionSet::available();
    assert_eq!(available.last(), Some(&InstructionSet::detect()));
    assert_eq!(available.first(), Some(&InstructionSet::Portable));
}
