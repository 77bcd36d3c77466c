//! Nanoseconds an element of single blocks, as Cranelift writes them and as wide functions, in rows of several lengths.
//!
//! usage: cargo bench --bench blocks

use gradc::compiler::abi::{Context, Symbols};
use gradc::compiler::codegen::{InstructionSet, Module, Target, Widen, compile};
use gradc::compiler::loops::block::BlockBuilder;
use gradc::compiler::loops::{
    Axis, Buffer, BufferId, Extent, Kernel, Lane, Linear, Nest, Program, Space, Statement, Value, Var, View, math, random,
};
use std::time::Instant;

/// Elements of all rows together: they fit into the cache next to the core.
const ELEMENTS: i64 = 4096;

/// A block from the values of four buffers to those that are stored in the first of them.
type Write = fn(&mut BlockBuilder, [Value; 4]) -> Vec<Value>;

fn exp(b: &mut BlockBuilder, [x, ..]: [Value; 4]) -> Vec<Value> {
    vec![math::exp(b, x)]
}

fn tanh(b: &mut BlockBuilder, [x, ..]: [Value; 4]) -> Vec<Value> {
    vec![math::tanh(b, x)]
}

fn gelu(b: &mut BlockBuilder, [x, ..]: [Value; 4]) -> Vec<Value> {
    let (half, root) = (b.f32(0.5), b.f32(std::f32::consts::FRAC_1_SQRT_2));
    let scaled = b.mul(x, root);
    let erf = math::erf(b, scaled);
    let halved = b.mul(x, half);
    vec![b.fma(halved, erf, halved)]
}

fn relu(b: &mut BlockBuilder, [x, y, ..]: [Value; 4]) -> Vec<Value> {
    let zero = b.f32(0.0);
    let sum = b.add(x, y);
    vec![b.max(zero, sum)]
}

fn dropout(b: &mut BlockBuilder, [x, ..]: [Value; 4]) -> Vec<Value> {
    let key = [1, 2, 3, 4].map(|word| b.i32(word));
    let column = b.index(vec![(Var(1), Linear::fixed(1))], Linear::fixed(0));
    let row = b.index(vec![(Var(0), Linear::fixed(1))], Linear::fixed(0));
    let zero = b.i32(0);
    let words = random::threefry(b, key, [column, row, zero, zero]);
    let uniform = random::uniform(b, words[0]);
    let (rate, scale, none) = (b.f32(0.2), b.f32(1.25), b.f32(0.0));
    let kept = b.compare(gradc::compiler::loops::Comparison::Le, rate, uniform);
    let scaled = b.mul(x, scale);
    vec![b.select(kept, scaled, none)]
}

fn adam(b: &mut BlockBuilder, [w, g, m, v]: [Value; 4]) -> Vec<Value> {
    let [decay, left, decay2, left2, rate, epsilon] = [0.9, 0.1, 0.999, 0.001, 1e-3, 1e-8].map(|number| b.f32(number));
    let (kept, new) = (b.mul(m, decay), b.mul(g, left));
    let m = b.add(kept, new);
    let square = b.mul(g, g);
    let (kept, new) = (b.mul(v, decay2), b.mul(square, left2));
    let v = b.add(kept, new);
    let root = b.sqrt(v);
    let below = b.add(root, epsilon);
    let scaled = b.mul(m, rate);
    let step = b.div(scaled, below);
    vec![b.sub(w, step), g, m, v]
}

/// The same loop as Rust writes it.
fn adam_in_rust(buffers: &mut [Vec<f32>; 4]) {
    let [w, g, m, v] = buffers;
    for (((w, g), m), v) in w.iter_mut().zip(g.iter()).zip(m.iter_mut()).zip(v.iter_mut()) {
        *m = *m * 0.9 + *g * 0.1;
        *v = *v * 0.999 + *g * *g * 0.001;
        *w -= *m * 1e-3 / (v.sqrt() + 1e-8);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,fma")]
fn adam_in_rust_512(buffers: &mut [Vec<f32>; 4]) {
    adam_in_rust(buffers);
}

fn program(write: Write, count: i64) -> Program {
    let buffer = |name: &str| Buffer { name: name.into(), space: Space::Arena, lane: Lane::F32, words: Linear::fixed(ELEMENTS) };
    let view = |buffer: u32| View {
        buffer: BufferId(buffer),
        offset: Linear::ZERO,
        strides: vec![(Var(0), Linear::fixed(count)), (Var(1), Linear::fixed(1))],
        table: None,
        pick: None,
    };
    let mut b = BlockBuilder::new();
    let values = [0, 1, 2, 3].map(|buffer| b.load(view(buffer), Lane::F32));
    let stored = write(&mut b, values);
    for (buffer, value) in (0..).zip(stored) {
        b.store(view(buffer), value);
    }
    let axes = vec![
        Axis { var: Var(0), extent: Extent::fixed(ELEMENTS / count), vector: false },
        Axis { var: Var(1), extent: Extent::fixed(count), vector: true },
    ];
    let nest = Statement::Nest(Nest { title: "block".into(), axes, block: b.finish() });
    let kernel = Kernel { name: "block".into(), parallel: None, body: vec![nest], vars: 2 };
    Program {
        name: "block".into(),
        buffers: ["w", "g", "m", "v"].map(buffer).into(),
        kernels: vec![kernel],
        ..Program::default()
    }
}

fn filled() -> [Vec<f32>; 4] {
    [0, 1, 2, 3].map(|shift| (0..ELEMENTS).map(|at| ((at * 37 + shift) % 200) as f32 * 0.01).collect())
}

/// The best time of many runs, in nanoseconds an element.
fn best(mut run: impl FnMut(&mut [Vec<f32>; 4])) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..200 {
        let mut buffers = filled();
        let start = Instant::now();
        for _ in 0..4 {
            run(&mut buffers);
        }
        least = least.min(start.elapsed().as_secs_f64());
    }
    least * 1e9 / (4 * ELEMENTS) as f64
}

fn timed(module: &Module) -> Option<f64> {
    let function = module.kernel(0)?;
    let mut pack = [0.0_f32; 16];
    Some(best(|buffers| {
        let pointers: Vec<*mut u8> = buffers.iter_mut().map(|buffer| buffer.as_mut_ptr().cast()).collect();
        let context = Context {
            pointers: pointers.as_ptr(),
            thread: 0,
            threads: 1,
            barrier: std::ptr::null(),
            pack: pack.as_mut_ptr(),
            tables: std::ptr::null(),
            user: std::ptr::null_mut(),
        };
        // SAFETY: the program's four buffers have as many words as it says, and it calls nothing.
        unsafe { function(&context, 1, 0, 1) }
    }))
}

extern "C" fn nothing(_: *const u8) {}

fn main() {
    let symbols =
        Symbols { product: nothing as *const u8, barrier: nothing as *const u8, mark: nothing as *const u8, driver: Vec::new() };
    let forms = [
        ("narrow", InstructionSet::Avx2, Widen::Never),
        ("8 lanes", InstructionSet::Avx2, Widen::Always),
        ("16 lanes", InstructionSet::Avx512, Widen::Always),
        ("as chosen", InstructionSet::host(), Widen::Paying),
    ];
    let blocks: [(&str, Write); 6] =
        [("relu", relu), ("exp", exp), ("tanh", tanh), ("gelu", gelu), ("dropout", dropout), ("adam", adam)];
    println!("{:10} {:>5}   ns an element", "block", "row");
    for (name, write) in blocks {
        for count in [8, 16, 32, 64, 128, ELEMENTS] {
            print!("{name:10} {count:5}");
            for (form, set, widen) in forms {
                if !set.runs_here() {
                    continue;
                }
                let target = Target { widen, ..Target::new(set) };
                match compile(&program(write, count), target, &symbols, 1) {
                    Ok(module) => print!("   {form} {:.4}", timed(&module).unwrap_or(f64::NAN)),
                    Err(error) => print!("   {error}"),
                }
            }
            println!();
        }
    }
    println!("adam in Rust, baseline {:.4}", best(adam_in_rust));
    #[cfg(target_arch = "x86_64")]
    if InstructionSet::Avx512.runs_here() {
        // SAFETY: this machine has the instructions.
        println!("adam in Rust, AVX-512  {:.4}", best(|buffers| unsafe { adam_in_rust_512(buffers) }));
    }
}
