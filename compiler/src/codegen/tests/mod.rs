//! Generated code against the loop interpreter, bit for bit, on every instruction set of this machine.
//!
//! Buffers of generated code lie between guard words, so that a stray store fails a test instead of passing unseen.

mod classes;
mod differential;
mod entries;
mod fuzz;
mod instructions;
mod keep;
mod nests;
mod picks;
mod products;
mod straight;
mod threads;
mod wide;
mod woven;

use crate::abi::{self, Product, Symbols};
use crate::codegen::{InstructionSet, Module, Target, Widen, compile};
use crate::loops::block::BlockBuilder;
use crate::loops::interpret::{Memory, run_kernel, tiles};
use crate::loops::places::Places;
use crate::loops::{
    Axis, Block, Buffer, BufferId, Extent, Kernel, Lane, Linear, Nest, Parallel, Program, Space, Statement, Var, View,
};

/// The targets that can run here, with the verifier on and text kept.
pub fn targets() -> Vec<Target> {
    InstructionSet::ALL
        .into_iter()
        .filter(|set| set.runs_here())
        .flat_map(|set| match set {
            InstructionSet::Portable => vec![(set, Widen::Never)],
            // The code that Cranelift writes is the same for both.
            InstructionSet::Avx2 => vec![(set, Widen::Never), (set, Widen::Always)],
            InstructionSet::Avx512 => vec![(set, Widen::Paying), (set, Widen::Always)],
        })
        .map(|(set, widen)| Target { verify: true, text: true, widen, ..Target::new(set) })
        .collect()
}

/// A program of buffers alone.
pub fn program(buffers: &[(&str, Space, Lane, Linear)]) -> Program {
    Program {
        name: "test".to_owned(),
        buffers: buffers.iter().map(|&(name, space, lane, words)| Buffer { name: name.to_owned(), space, lane, words }).collect(),
        ..Program::default()
    }
}

/// A view with fixed strides.
pub fn view(buffer: u32, offset: i64, strides: &[(u32, i64)]) -> View {
    View {
        buffer: BufferId(buffer),
        offset: Linear::fixed(offset),
        strides: strides.iter().map(|&(var, stride)| (Var(var), Linear::fixed(stride))).collect(),
        table: None,
        pick: None,
    }
}

/// An axis.
pub fn axis(var: u32, extent: Extent, vector: bool) -> Axis {
    Axis { var: Var(var), extent, vector }
}

/// A nest around what `write` builds.
pub fn nest(title: &str, axes: &[Axis], write: impl FnOnce(&mut BlockBuilder)) -> Statement {
    Statement::Nest(Nest { title: title.to_owned(), axes: axes.to_vec(), block: block(write) })
}

/// The block that `write` builds.
pub fn block(write: impl FnOnce(&mut BlockBuilder)) -> Block {
    let mut builder = BlockBuilder::new();
    builder.set_origin(7);
    write(&mut builder);
    builder.finish()
}

/// A kernel with ten loop variables.
pub fn kernel(name: &str, parallel: Option<Parallel>, body: Vec<Statement>) -> Kernel {
    Kernel { name: name.to_owned(), parallel, body, vars: 10 }
}

/// Words on each side of a buffer that nothing may touch.
const GUARD: usize = 16;
const UNTOUCHED: u32 = 0xdead_beef;

/// The memory of a program as generated code sees it.
pub struct Native {
    buffers: Vec<Vec<u64>>,
    words: Vec<usize>,
    pack: Vec<f32>,
    _places: Vec<Vec<i32>>,
    tables: Vec<*const i32>,
}

impl Native {
    /// A copy of the interpreter's memory.
    pub fn of(memory: &Memory) -> Self {
        let buffers = memory.words.iter().map(|words| {
            let mut all = vec![UNTOUCHED; GUARD];
            all.extend(words);
            all.resize(all.len().next_multiple_of(2) + GUARD, UNTOUCHED);
            all.chunks(2).map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32).collect()
        });
        Native {
            buffers: buffers.collect(),
            words: memory.words.iter().map(Vec::len).collect(),
            pack: vec![0.0; abi::PACK_FLOATS],
            _places: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// With the tables of places that a program's products read.
    pub fn with_places(self, program: &Program) -> Self {
        let places = Places::of(program).tables();
        Native { tables: places.iter().map(|table| table.as_ptr()).collect(), _places: places, ..self }
    }

    /// Pointers to the first word of each buffer.
    pub fn pointers(&mut self) -> Vec<*mut u8> {
        self.buffers.iter_mut().map(|buffer| buffer[GUARD / 2..].as_mut_ptr().cast()).collect()
    }

    /// A context for a thread that is alone.
    pub fn context(&mut self, pointers: &[*mut u8]) -> abi::Context {
        abi::Context {
            pointers: pointers.as_ptr(),
            thread: 0,
            threads: 1,
            barrier: std::ptr::null(),
            pack: self.pack.as_mut_ptr(),
            tables: self.tables.as_ptr(),
            user: std::ptr::null_mut(),
        }
    }

    /// The words of a buffer, after a look at the guards.
    pub fn words(&self, buffer: usize) -> Vec<u32> {
        let all: Vec<u32> = self.buffers[buffer].iter().flat_map(|&pair| [pair as u32, (pair >> 32) as u32]).collect();
        let size = self.words[buffer];
        let (before, rest) = all.split_at(GUARD);
        let (words, after) = rest.split_at(size);
        assert!(before.iter().chain(after).all(|&word| word == UNTOUCHED), "buffer {buffer} was written outside its words");
        words.to_vec()
    }
}

/// Fails unless both memories hold the same bits, any NaN being as good as any other.
pub fn assert_same(program: &Program, expected: &Memory, found: &Native, what: &dyn Fn() -> String) {
    for (index, buffer) in program.buffers.iter().enumerate() {
        let want = &expected.words[index];
        let have = found.words(index);
        let same = |at: usize| match buffer.lane {
            Lane::F32 => {
                let nan = |word: u32| f32::from_bits(word).is_nan();
                want[at] == have[at] || (nan(want[at]) && nan(have[at]))
            }
            Lane::I32 => want[at] == have[at],
            Lane::F64 => {
                let low = at & !1;
                let wide = |words: &[u32]| u64::from(words[low]) | u64::from(words[low + 1]) << 32;
                let nan = |bits: u64| f64::from_bits(bits).is_nan();
                let (want, have) = (wide(want), wide(&have));
                want == have || (nan(want) && nan(have))
            }
        };
        if let Some(at) = (0..want.len()).find(|&at| !same(at)) {
            panic!(
                "{}: word {at} of `{}` is {:#x} ({}), expected {:#x} ({})",
                what(),
                buffer.name,
                have[at],
                f32::from_bits(have[at]),
                want[at],
                f32::from_bits(want[at]),
            );
        }
    }
}

/// Runs every kernel of a program in order on a copy of `memory`, interpreted and generated for every target, and compares.
pub fn check(program: &Program, memory: &Memory, n: i64) {
    check_sizes(program, memory, [n]);
}

/// The same for several sizes of the batch, after one compilation.
pub fn check_sizes(program: &Program, memory: &Memory, sizes: impl IntoIterator<Item = i64>) {
    let modules: Vec<(Target, Module)> = targets()
        .into_iter()
        .map(|target| (target, compile(program, target, &symbols(), 1).expect("the program compiles")))
        .collect();
    for n in sizes {
        check_modules(program, memory, n, &modules);
    }
}

fn check_modules(program: &Program, memory: &Memory, n: i64, modules: &[(Target, Module)]) {
    let mut expected = memory.clone();
    for kernel in &program.kernels {
        let all = tiles(kernel, n);
        run_kernel(program, kernel, &mut expected, n, all).expect("the program is correct");
    }
    for (target, module) in modules {
        let mut native = Native::of(memory).with_places(program);
        let pointers = native.pointers();
        let context = native.context(&pointers);
        for (index, kernel) in program.kernels.iter().enumerate() {
            let function = module.kernel(index).expect("there is such a kernel");
            let all = tiles(kernel, n);
            // SAFETY: the context and all buffers outlive the call, and the interpreter found no access outside them.
            unsafe { function(&context, n, all.start, all.end) };
        }
        let what = || format!("{}, {:?} wide, n={n}\n{}", target.instruction_set, target.widen, listing(module));
        assert_same(program, &expected, &native, &what);
    }
}

/// The text of all functions of a module.
pub fn listing(module: &Module) -> String {
    module
        .functions()
        .iter()
        .filter_map(|function| function.text.as_ref().map(|text| (&function.name, text)))
        .map(|(name, text)| format!("{}\n{}", text.clif, super::text::assembly(name, &text.lines, &|_| None)))
        .collect()
}

/// Symbols with a naive product and without a team.
pub fn symbols() -> Symbols {
    Symbols { product: product as *const u8, barrier: alone as *const u8, mark: marked as *const u8, driver: Vec::new() }
}

extern "C" fn marked(_: *const abi::Context, kernel: i64) {
    MARKS.lock().expect("no test panics here").push(kernel);
}

/// What programs with marks have told; only one test compiles such.
pub static MARKS: std::sync::Mutex<Vec<i64>> = std::sync::Mutex::new(Vec::new());

extern "C" fn alone(_: *const u8) {
    std::process::abort();
}

/// The product as its definition reads, of a copy of the right operand where it has room for one: a call that says the copy is there
/// already gets the one that is there.
///
/// # Safety
/// The descriptor must describe memory that exists.
unsafe extern "C" fn product(product: *const Product) {
    // SAFETY: generated code passes a descriptor on its stack, and the interpreter found all elements in their buffers.
    unsafe {
        let p = *product;
        let pack = std::slice::from_raw_parts_mut(p.pack, abi::PACK_FLOATS);
        let place = |k: i64, j: i64| {
            if p.b_rows.is_null() {
                return k * p.b_k + j * p.b_col;
            }
            i64::from(*p.b_rows.offset(k as isize)) + i64::from(*p.b_cols.offset(j as isize))
        };
        let right = |k: i64, j: i64| *p.b.offset(place(k, j) as isize);
        let is_copied = p.k * p.n <= abi::PACK_FLOATS as i64;
        if is_copied && p.b_is_packed == 0 {
            (0..p.k).for_each(|k| (0..p.n).for_each(|j| pack[(k * p.n + j) as usize] = right(k, j)));
        }
        for i in 0..p.m {
            for j in 0..p.n {
                let c = p.c.offset((i * p.c_row + j) as isize);
                let mut sum = (p.accumulate != 0).then(|| *c);
                for first in (0..p.k).step_by(abi::PRODUCT_BLOCK) {
                    let mut chain = 0.0_f32;
                    for k in first..p.k.min(first + abi::PRODUCT_BLOCK as i64) {
                        let looked_up = |index: i64, on_k: i64| {
                            if p.a_table.is_null() || p.a_table_on_k != on_k {
                                return index;
                            }
                            i64::from(*p.a_table.offset(index as isize))
                        };
                        let (row, column) = (looked_up(i, 0), looked_up(k, 1));
                        let a = *p.a.offset((row * p.a_row + column * p.a_k) as isize);
                        let b = if is_copied { pack[(k * p.n + j) as usize] } else { right(k, j) };
                        chain = a.mul_add(b, chain);
                    }
                    sum = Some(sum.map_or(chain, |sum| sum + chain));
                }
                *c = sum.unwrap_or(0.0);
            }
        }
    }
}

/// A small generator of test data: the same numbers on every machine.
pub struct Dice(pub u64);

impl Dice {
    /// 32 bits.
    pub fn word(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (mixed >> 32) as u32
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.word() as usize % limit
    }

    /// The bits of a float: small numbers, special ones, any bits.
    pub fn float(&mut self) -> u32 {
        match self.below(8) {
            0 => SPECIAL[self.below(SPECIAL.len())].to_bits(),
            1 => self.word(),
            _ => ((self.word() as i32 as f32) * 2.0_f32.powi(-29)).to_bits(),
        }
    }
}

/// Floats at which conversions and comparisons change.
pub const SPECIAL: [f32; 32] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    0.499_999_97,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    -f32::NAN,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    1e-45,
    -1e-45,
    5.877_472e-39,
    2_147_483_520.0,
    -2_147_483_520.0,
    2_147_483_648.0,
    -2_147_483_648.0,
    3e9,
    -3e9,
    8_388_607.5,
    8_388_608.0,
    -8_388_607.5,
    16_777_217.0,
    88.722_84,
];
