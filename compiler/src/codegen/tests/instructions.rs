//! Every block instruction, in vectors and alone, on special values.

use super::*;
use crate::loops::{Comparison, Instruction, ScalarFunction, Value};

/// Floats in buffer 0 and 1, integers in 2; results in 3 (floats) and 4 (integers), one row of `count` for each instruction.
fn memory(program: &Program, count: usize) -> Memory {
    let mut memory = Memory::new(program, 1);
    let mut dice = Dice(1);
    for at in 0..count {
        memory.words[0][at] = SPECIAL[at % SPECIAL.len()].to_bits();
        memory.words[1][at] = SPECIAL[(at / SPECIAL.len()) % SPECIAL.len()].to_bits();
        memory.words[2][at] = match at % 4 {
            0 => dice.word(),
            1 => i32::MIN as u32,
            2 => i32::MAX as u32,
            _ => dice.word() % 7,
        };
    }
    memory
}

/// What every instruction makes of floats in buffers 0 and 1 and integers in 2.
pub fn all(b: &mut BlockBuilder) -> Vec<Value> {
    let x = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
    let y = b.load(view(1, 0, &[(0, 1)]), Lane::F32);
    let i = b.load(view(2, 0, &[(0, 1)]), Lane::I32);
    let j = b.bits(y);
    let half = b.f32(0.5);
    let minus = b.f32(-0.0);
    let seven = b.i32(7);
    let mut made = vec![
        b.add(x, y),
        b.sub(x, y),
        b.mul(x, y),
        b.div(x, y),
        b.fma(x, y, half),
        b.fma(x, half, y),
        b.fma(half, minus, x),
        b.sqrt(x),
        b.add(i, j),
        b.sub(i, j),
        b.mul(i, j),
        b.mul(i, seven),
        b.and(i, j),
        b.or(i, j),
        b.xor(i, j),
        b.round(x),
        b.truncate(x),
        b.floor(x),
        b.to_int(x),
        b.to_float(i),
        b.bits(x),
        b.from_bits(i),
        b.max(x, y),
        b.min(x, y),
        b.max(half, x),
        b.neg(x),
        b.abs(x),
        b.copy_sign(x, y),
        b.neg(i),
        b.abs(i),
    ];
    for count in [0, 1, 7, 16, 31] {
        made.push(b.shift_left(i, count));
        made.push(b.shift_right(i, count));
        made.push(b.shift_right_signed(i, count));
    }
    for comparison in [Comparison::Lt, Comparison::Le, Comparison::Eq, Comparison::Ne] {
        let floats = b.compare(comparison, x, y);
        let ints = b.compare(comparison, i, j);
        let both = b.and(floats, ints);
        let either = b.xor(floats, ints);
        made.extend([floats, ints, both]);
        made.push(b.select(floats, x, y));
        made.push(b.select(ints, x, half));
        made.push(b.select(floats, i, seven));
        made.push(b.select(ints, j, i));
        made.push(b.select(both, x, y));
        made.push(b.select(either, i, j));
    }
    made
}

fn stores(b: &mut BlockBuilder, made: &[Value], count: i64) {
    for (row, &value) in made.iter().enumerate() {
        let buffer = match b.lane(value) {
            Lane::F32 => 3,
            _ => 4,
        };
        b.store(view(buffer, row as i64 * count, &[(0, 1)]), value);
    }
}

fn table(count: i64, rows: i64) -> Program {
    let words = Linear::fixed(count);
    let results = Linear::fixed(count * rows);
    program(&[
        ("x", Space::Arena, Lane::F32, words),
        ("y", Space::Arena, Lane::F32, words),
        ("i", Space::Arena, Lane::I32, words),
        ("floats", Space::Arena, Lane::F32, results),
        ("ints", Space::Arena, Lane::I32, results),
    ])
}

#[test]
fn every_instruction_has_the_interpreters_bits() {
    let pairs = (SPECIAL.len() * SPECIAL.len()) as i64;
    for (count, vector) in [(pairs, true), (pairs + 3, true), (pairs, false), (3, true)] {
        let mut program = table(count, 120);
        let body = nest("all", &[axis(0, Extent::fixed(count), vector)], |b| {
            let made = all(b);
            stores(b, &made, count);
        });
        program.kernels.push(kernel("all", None, vec![body]));
        check(&program, &memory(&program, count as usize), 1);
    }
}

#[test]
fn integers_convert_as_defined() {
    let count = 4096;
    let mut program = table(count, 2);
    for vector in [false, true] {
        let body = nest("convert", &[axis(0, Extent::fixed(count), vector)], |b| {
            let x = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
            let i = b.load(view(2, 0, &[(0, 1)]), Lane::I32);
            let to = b.to_int(x);
            let from = b.to_float(i);
            stores(b, &[to, from], count);
        });
        program.kernels.push(kernel("convert", None, vec![body]));
    }
    let mut memory = Memory::new(&program, 1);
    let mut dice = Dice(5);
    for at in 0..count as usize {
        memory.words[0][at] = dice.float();
        memory.words[2][at] = dice.word();
    }
    check(&program, &memory, 1);
}

/// Scalars: `f64` slots, conversions to and from `f32`, and every called function.
#[test]
fn step_scalars_have_the_interpreters_bits() {
    let slots = 200;
    let mut program = program(&[
        ("control", Space::Control, Lane::F64, Linear::fixed(slots)),
        ("x", Space::Arena, Lane::F32, Linear::fixed(4)),
    ]);
    let body = nest("scalars", &[], |b| {
        let x = b.load(view(0, 0, &[]), Lane::F64);
        let y = b.load(view(0, 1, &[]), Lane::F64);
        let i = b.load(view(0, 2, &[]), Lane::I32);
        let f = b.load(view(1, 1, &[]), Lane::F32);
        let wide = b.promote(f);
        let less = b.compare(Comparison::Lt, x, y);
        let least = b.select(less, x, y);
        let other = b.compare(Comparison::Ne, x, y);
        let same = b.compare(Comparison::Eq, x, y);
        let at_most = b.compare(Comparison::Le, y, x);
        let mut made = vec![
            b.add(x, y),
            b.sub(x, y),
            b.mul(x, y),
            b.div(x, y),
            b.sqrt(x),
            wide,
            least,
            b.neg(x),
            b.abs(y),
            b.max(x, y),
            b.min(y, x),
        ];
        use ScalarFunction::*;
        for function in [Exp, Log, Expm1, Log1p, Cos, Tanh, Erf, Floor] {
            made.push(b.call(function, vec![x]));
            made.push(b.call(function, vec![y]));
        }
        made.push(b.call(Pow, vec![x, y]));
        for (slot, &value) in made.iter().enumerate() {
            b.store(view(0, 10 + slot as i64, &[]), value);
        }
        for (slot, value) in [less, other, same, at_most, i].into_iter().enumerate() {
            b.store(view(0, 100 + slot as i64, &[]), value);
        }
        let narrow = b.demote(x);
        b.store(view(1, 0, &[]), narrow);
    });
    program.kernels.push(kernel("scalars", None, vec![body]));
    let numbers = [
        (0.3, 2.5),
        (-1.25, 3.0),
        (1e300, 1e-300),
        (f64::NAN, 1.0),
        (2.0, f64::INFINITY),
        (-0.0, 0.0),
        (1e-310, 16.5),
        (3.4e38, -3.5e38),
    ];
    for (x, y) in numbers {
        let mut memory = Memory::new(&program, 1);
        memory.set_floats(BufferId(1), &[0.0, y as f32, 0.0, 0.0]);
        for slot in 0..slots as usize {
            memory.words[0][2 * slot + 1] = 0x3ff0_0000;
        }
        assert!(memory.set_slot_f64(crate::loops::Slot(0), x));
        assert!(memory.set_slot_f64(crate::loops::Slot(1), y));
        assert!(memory.set_slot_i32(crate::loops::Slot(2), -5));
        check(&program, &memory, 1);
    }
}

#[test]
fn called_functions_are_numbered_by_their_order() {
    use crate::codegen::symbols::{Callee, Names};
    let names = Names::of(&Program::default(), 0);
    for (number, callee) in names.all().enumerate() {
        assert_eq!(names.number(callee), number as u32);
    }
    assert_eq!(names.name(Callee::Scalar(ScalarFunction::Erf)), "gradc.erf");
    assert_eq!(names.name(Callee::Scalar(ScalarFunction::Floor)), "gradc.floor");
}

#[test]
fn what_vectors_cannot_do_is_refused() {
    let cases: [fn(&mut BlockBuilder); 3] = [
        |b| {
            let mut far = view(0, 0, &[]);
            far.strides.push((Var(0), Linear::BATCH));
            let x = b.load(far, Lane::F32);
            b.store(view(3, 0, &[(0, 1)]), x);
        },
        |b| {
            let x = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
            b.store(view(3, 0, &[]), x);
        },
        |b| {
            let x = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
            let wide = b.promote(x);
            let x = b.demote(wide);
            b.store(view(3, 0, &[(0, 1)]), x);
        },
    ];
    for (index, write) in cases.into_iter().enumerate() {
        let mut program = table(16, 1);
        let body = nest("bad", &[axis(0, Extent::fixed(8), true)], write);
        program.kernels.push(kernel("bad", None, vec![body]));
        for target in targets() {
            let error = compile(&program, target, &symbols(), 1).err();
            let text = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(text.starts_with("in kernel0.bad: "), "case {index}: {text}");
        }
    }
}

#[test]
fn mistyped_operands_are_refused() {
    let mut program = table(16, 1);
    let block = Block { code: vec![Instruction::ConstI32(4), Instruction::Sqrt(Value(0))], origins: vec![0, 0] };
    program.kernels.push(kernel("bad", None, vec![Statement::Nest(Nest { title: "bad".to_owned(), axes: Vec::new(), block })]));
    let error = compile(&program, targets()[0], &symbols(), 1).err();
    let text = error.map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(text, "in kernel0.bad: operands do not fit Sqrt(Value(0))");
}
