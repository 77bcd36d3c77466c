//! Nanoseconds an element of single blocks in rows of several lengths: as Cranelift writes them, as wide functions, and as rustc makes of
//! the same instructions with `target-cpu=native`.
//!
//! usage: cargo bench --bench blocks

use gradc::compiler::abi::{Context, Symbols};
use gradc::compiler::codegen::{InstructionSet, Module, Target, Widen, compile};
use gradc::compiler::loops::block::BlockBuilder;
use gradc::compiler::loops::{
    Axis, Block, Buffer, BufferId, Comparison, Extent, Instruction, Kernel, Lane, Linear, Nest, Program, Space, Statement, Value,
    Var, View, math, random,
};
use std::collections::HashMap;
use std::process::Command;
use std::time::Instant;

/// Elements of all rows together: they fit into the cache next to the core.
const ELEMENTS: i64 = 4096;

/// A block from the values of four buffers to those that are stored in the first of them.
type Write = fn(&mut BlockBuilder, [Value; 4]) -> Vec<Value>;

/// A block, and whether its first buffer is one row, in which all others meet.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    write: Write,
    sums: bool,
}

const fn case(name: &'static str, write: Write) -> Case {
    Case { name, write, sums: false }
}

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
    let kept = b.compare(Comparison::Le, rate, uniform);
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

/// Column sums of squares.
fn norms(b: &mut BlockBuilder, [sum, x, ..]: [Value; 4]) -> Vec<Value> {
    let square = b.mul(x, x);
    vec![b.add(sum, square)]
}

/// Column sums of what a mask lets through.
fn masked(b: &mut BlockBuilder, [sum, x, mask, scale]: [Value; 4]) -> Vec<Value> {
    let zero = b.f32(0.0);
    let lets = b.compare(Comparison::Lt, zero, mask);
    let scaled = b.mul(x, scale);
    let passed = b.select(lets, scaled, zero);
    vec![b.add(sum, passed)]
}

/// The block that loads from all buffers at its row and column and stores what it makes, in rows of so many.
fn block(case: Case, count: i64) -> Block {
    let view = |buffer: u32| View {
        buffer: BufferId(buffer),
        offset: Linear::ZERO,
        strides: [(Var(0), Linear::fixed(count)), (Var(1), Linear::fixed(1))][usize::from(case.sums && buffer == 0)..].into(),
        table: None,
        pick: None,
    };
    let mut b = BlockBuilder::new();
    let values = [0, 1, 2, 3].map(|buffer| b.load(view(buffer), Lane::F32));
    let stored = (case.write)(&mut b, values);
    for (buffer, value) in (0..).zip(stored) {
        b.store(view(buffer), value);
    }
    b.finish()
}

fn program(case: Case, count: i64) -> Program {
    let buffer = |name: &str| Buffer { name: name.into(), space: Space::Arena, lane: Lane::F32, words: Linear::fixed(ELEMENTS) };
    let axes = vec![
        Axis { var: Var(0), extent: Extent::fixed(ELEMENTS / count), vector: false },
        Axis { var: Var(1), extent: Extent::fixed(count), vector: true },
    ];
    let nest = Statement::Nest(Nest { title: "block".into(), axes, block: block(case, count) });
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

/// An instruction in Rust: masks are 0 or -1, rows and columns `i` and `j`, buffers slices of one row.
fn in_rust(at: usize, instruction: &Instruction, lanes: &[Lane]) -> String {
    use Instruction::*;
    let float = |value: &Value| lanes[value.0 as usize] == Lane::F32;
    let v = |value: &Value| format!("v{}", value.0);
    let buffer = |view: &View| ["w", "g", "m", "v"][view.buffer.0 as usize];
    let both = |a: &Value, sign: &str, wrapping: &str, b: &Value| match float(a) {
        true => format!("{} {sign} {}", v(a), v(b)),
        false => format!("{}.{wrapping}({})", v(a), v(b)),
    };
    let made = match instruction {
        ConstF32(number) => format!("f32::from_bits({:#x})", number.to_bits()),
        ConstI32(number) => format!("{number}_i32"),
        Index { terms, .. } => format!("{} as i32", if terms[0].0 == Var(0) { "i" } else { "j" }),
        Load(view, _) => format!("{}[j]", buffer(view)),
        Store(view, value) => return format!("{}[j] = {};", buffer(view), v(value)),
        Add(a, b) => both(a, "+", "wrapping_add", b),
        Sub(a, b) => both(a, "-", "wrapping_sub", b),
        Mul(a, b) => both(a, "*", "wrapping_mul", b),
        Div(a, b) => format!("{} / {}", v(a), v(b)),
        Fma(a, b, c) => format!("{}.mul_add({}, {})", v(a), v(b), v(c)),
        Sqrt(a) => format!("{}.sqrt()", v(a)),
        Compare(comparison, a, b) => {
            let sign = match comparison {
                Comparison::Eq => "==",
                Comparison::Ne => "!=",
                Comparison::Lt => "<",
                Comparison::Le => "<=",
            };
            format!("-(({} {sign} {}) as i32)", v(a), v(b))
        }
        Select(mask, a, b) => format!("if {} != 0 {{ {} }} else {{ {} }}", v(mask), v(a), v(b)),
        And(a, b) => format!("{} & {}", v(a), v(b)),
        Or(a, b) => format!("{} | {}", v(a), v(b)),
        Xor(a, b) => format!("{} ^ {}", v(a), v(b)),
        ShiftLeft(a, count) => format!("{} << {count}", v(a)),
        ShiftRight(a, count) => format!("(({} as u32) >> {count}) as i32", v(a)),
        ShiftRightSigned(a, count) => format!("{} >> {count}", v(a)),
        Round(a) => format!("{}.round_ties_even()", v(a)),
        Truncate(a) => format!("{}.trunc()", v(a)),
        Floor(a) => format!("{}.floor()", v(a)),
        ToInt(a) => format!("{}.clamp(-2147483520.0, 2147483520.0) as i32", v(a)),
        ToFloat(a) => format!("{} as f32", v(a)),
        Bits(a) => format!("{}.to_bits() as i32", v(a)),
        FromBits(a) => format!("f32::from_bits({} as u32)", v(a)),
        other => unreachable!("{other:?} is not of these blocks"),
    };
    format!("let v{at} = {made};")
}

/// A program of the same blocks in Rust, which times each as [`best`] does.
fn source(blocks: &[Case], rows: &[i64]) -> String {
    let mut text = String::from("#![allow(unused)]\n");
    let mut calls = String::new();
    for &case in blocks {
        let Case { name, sums, .. } = case;
        let block = block(case, 1);
        let lanes = block.lanes();
        let lines: Vec<String> =
            block.code.iter().enumerate().map(|(at, instruction)| in_rust(at, instruction, &lanes)).collect();
        text += &format!(
            "#[inline(never)] fn {name}<const COUNT: usize>(all: &mut [Vec<f32>; 4]) {{ let [w, g, m, v] = all; for i in 0..{ELEMENTS} / COUNT {{ \
             let at = i * COUNT..(i + 1) * COUNT; let (w, g) = (&mut w[{}], &mut g[at.clone()]); \
             let (m, v) = (&mut m[at.clone()], &mut v[at]); for j in 0..COUNT {{\n{}\n}} }} }}\n",
            if sums { "0..COUNT" } else { "at.clone()" },
            lines.join("\n")
        );
        for count in rows {
            calls += &format!("println!(\"{name} {count} {{}}\", best({name}::<{count}>));\n");
        }
    }
    text += &format!(
        "fn best(run: fn(&mut [Vec<f32>; 4])) -> f64 {{ let mut least = f64::INFINITY; for _ in 0..200 {{ \
         let mut all = [0, 1, 2, 3].map(|shift| (0..{ELEMENTS}).map(|at: i64| ((at * 37 + shift) % 200) as f32 * 0.01).collect()); \
         let start = std::time::Instant::now(); for _ in 0..4 {{ run(std::hint::black_box(&mut all)); }} \
         least = least.min(start.elapsed().as_secs_f64()); }} least * 1e9 / (4 * {ELEMENTS}) as f64 }}\nfn main() {{\n{calls}}}\n"
    );
    text
}

/// What rustc with `target-cpu=native` makes of the blocks: nanoseconds an element, by block and row.
fn times_in_rust(blocks: &[Case], rows: &[i64]) -> std::io::Result<HashMap<(String, i64), f64>> {
    let folder = std::env::temp_dir().join(format!("gradc-blocks-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let (file, program) = (folder.join("blocks.rs"), folder.join("blocks"));
    std::fs::write(&file, source(blocks, rows))?;
    let mut compiler = Command::new("rustc");
    compiler.args(["--edition", "2024", "-C", "opt-level=3", "-C", "target-cpu=native", "-o"]);
    let made = compiler.arg(&program).arg(&file).status()?;
    let output = if made.success() { Command::new(&program).output()?.stdout } else { Vec::new() };
    std::fs::remove_dir_all(&folder)?;
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        Some(((words.next()?.to_string(), words.next()?.parse().ok()?), words.next()?.parse().ok()?))
    };
    Ok(String::from_utf8_lossy(&output).lines().filter_map(line).collect())
}

extern "C" fn nothing(_: *const u8) {}

fn main() {
    let symbols =
        Symbols { product: nothing as *const u8, barrier: nothing as *const u8, mark: nothing as *const u8, driver: Vec::new() };
    let forms = [
        ("narrow", InstructionSet::Avx2, Widen::Never),
        ("8 lanes", InstructionSet::Avx2, Widen::Always),
        ("16 lanes", InstructionSet::Avx512, Widen::Always),
        ("chosen", InstructionSet::host(), Widen::Paying),
    ];
    let sums = |name, write| Case { name, write, sums: true };
    let blocks = [
        case("relu", relu),
        case("exp", exp),
        case("tanh", tanh),
        case("gelu", gelu),
        case("dropout", dropout),
        case("adam", adam),
        sums("norms", norms),
        sums("masked", masked),
    ];
    let rows = [8, 16, 32, 64, 128, ELEMENTS];
    let in_rust = times_in_rust(&blocks, &rows).unwrap_or_else(|error| {
        eprintln!("no comparison with Rust: {error}");
        HashMap::new()
    });
    print!("{:8} {:>5}", "block", "row");
    let forms: Vec<_> = forms.into_iter().filter(|(_, set, _)| set.runs_here()).collect();
    forms.iter().for_each(|(form, ..)| print!("{form:>11}"));
    println!("{:>11}{:>13}", "Rust", "of Rust's");
    for case in blocks {
        let name = case.name;
        for count in rows {
            print!("{name:8} {count:5}");
            let mut chosen = f64::NAN;
            for &(_, set, widen) in &forms {
                let target = Target { widen, ..Target::new(set) };
                match compile(&program(case, count), target, &symbols, 1) {
                    Ok(module) => chosen = timed(&module).unwrap_or(f64::NAN),
                    Err(error) => eprintln!("{error}"),
                }
                print!("{chosen:11.4}");
            }
            let rust = in_rust.get(&(name.to_string(), count)).copied().unwrap_or(f64::NAN);
            println!("{rust:11.4}{:13.2}", chosen / rust);
        }
    }
}
