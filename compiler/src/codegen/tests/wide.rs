//! Wide functions: every instruction with every number of turns, more values than registers, more places than pointers.

use super::instructions::all;
use super::nests::filled;
use super::*;
use crate::codegen::Compiled;
use crate::codegen::compile_kernel;
use crate::codegen::wide::rejected;
use crate::loops::{Comparison, Value};

/// Numbers of turns: none, some lanes of a group, whole groups with and without a rest.
const COUNTS: std::ops::RangeInclusive<i64> = 0..=35;
const ROOM: i64 = 36;

/// Wide functions of a kernel, by their labels.
fn wides(function: &Compiled) -> usize {
    let text = function.text.as_ref().expect("text was asked for");
    text.lines
        .iter()
        .filter_map(|line| line.label.as_ref())
        .filter(|label| label.starts_with("wide") && !label.contains('.'))
        .count()
}

/// The targets whose every vector loop is wide.
fn wide_targets() -> Vec<Target> {
    targets().into_iter().filter(|target| target.widen == Widen::Always).collect()
}

fn special(program: &Program) -> Memory {
    let mut memory = Memory::new(program, 1);
    let mut dice = Dice(77);
    for (buffer, words) in program.buffers.iter().zip(&mut memory.words) {
        for word in words {
            *word = match buffer.lane {
                Lane::F32 => SPECIAL[dice.below(SPECIAL.len())].to_bits(),
                _ if dice.below(2) == 0 => [0, 1, u32::MAX, i32::MIN as u32, i32::MAX as u32][dice.below(5)],
                _ => dice.word(),
            };
        }
    }
    memory
}

/// One kernel for each instruction, with a number of turns that only the batch knows.
#[test]
fn every_instruction_with_every_number_of_turns() {
    let words = Linear::fixed(ROOM);
    let mut program = program(&[
        ("x", Space::Arena, Lane::F32, words),
        ("y", Space::Arena, Lane::F32, words),
        ("i", Space::Arena, Lane::I32, words),
        ("floats", Space::Arena, Lane::F32, words),
        ("ints", Space::Arena, Lane::I32, words),
    ]);
    let number = all(&mut BlockBuilder::new()).len();
    for wanted in 0..number {
        let body = nest("one", &[axis(0, Extent::Whole(Linear::BATCH), true)], |b| {
            let made = all(b)[wanted];
            let buffer = if b.lane(made) == Lane::F32 { 3 } else { 4 };
            b.store(view(buffer, 0, &[(0, 1)]), made);
        });
        program.kernels.push(kernel("one", None, vec![body]));
    }
    check_sizes(&program, &special(&program), COUNTS);
    for target in wide_targets() {
        for index in 0..number {
            assert_eq!(wides(&compile_kernel(&program, index, target).expect("it compiles")), 1, "kernel {index}");
        }
    }
}

/// The same with numbers that are known, which loops are left out by.
#[test]
fn every_number_of_turns_that_is_known() {
    for count in COUNTS {
        let words = Linear::fixed(3 * ROOM);
        let mut program = program(&[
            ("x", Space::Arena, Lane::F32, words),
            ("y", Space::Arena, Lane::F32, words),
            ("i", Space::Arena, Lane::I32, words),
            ("row", Space::Arena, Lane::F32, Linear::fixed(3)),
        ]);
        let axes = [axis(0, Extent::fixed(3), false), axis(1, Extent::fixed(count), true)];
        let body = nest("known", &axes, |b| {
            let at = |buffer, offset| view(buffer, offset, &[(0, count), (1, 1)]);
            let x = b.load(at(0, 0), Lane::F32);
            let y = b.load(at(1, 0), Lane::F32);
            let row = b.load(view(3, 0, &[(0, 1)]), Lane::F32);
            let index = b.index(vec![(Var(0), Linear::fixed(7)), (Var(1), Linear::fixed(-3))], Linear::fixed(5));
            let other = b.index(vec![(Var(1), Linear::BATCH)], Linear::fixed(0));
            let float = b.to_float(index);
            let less = b.compare(Comparison::Lt, x, row);
            let chosen = b.select(less, float, y);
            let sum = b.fma(chosen, row, x);
            let int = b.xor(index, other);
            let int = b.and(int, less);
            b.store(at(1, 0), sum);
            b.store(at(2, 0), int);
        });
        program.kernels.push(kernel("known", None, vec![body]));
        check_sizes(&program, &special(&program), [1, 3]);
    }
}

/// `live` values that are all wanted again after all of them were made.
fn crowd(b: &mut BlockBuilder, live: usize) -> Value {
    let x = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
    let y = b.load(view(1, 0, &[(0, 1)]), Lane::F32);
    let mut values = Vec::new();
    for number in 0..live {
        let factor = b.f32(number as f32 * 0.25 - 3.0);
        let scaled = b.fma(x, factor, y);
        let less = b.compare(Comparison::Le, scaled, y);
        values.push(b.select(less, scaled, x));
    }
    let up = values[1..].iter().fold(values[0], |sum, &value| b.add(sum, value));
    values.iter().rev().fold(up, |sum, &value| {
        let difference = b.sub(sum, value);
        b.fma(value, value, difference)
    })
}

#[test]
fn more_values_than_registers() {
    for live in [12, 20, 40, 60, 200] {
        let words = Linear::fixed(ROOM);
        let mut program = program(&[
            ("x", Space::Arena, Lane::F32, words),
            ("y", Space::Arena, Lane::F32, words),
            ("z", Space::Arena, Lane::F32, words),
        ]);
        let body = nest("crowd", &[axis(0, Extent::Whole(Linear::BATCH), true)], |b| {
            let sum = crowd(b, live);
            b.store(view(2, 0, &[(0, 1)]), sum);
        });
        program.kernels.push(kernel("crowd", None, vec![body]));
        check_sizes(&program, &filled(&program, 1, 1), [1, 7, 8, 15, 16, 17, 24, 35]);
        for target in wide_targets() {
            let function = compile_kernel(&program, 0, target).expect("it compiles");
            // A frame of a page's size is too large.
            assert_eq!(wides(&function), usize::from(live < 200), "{live} values for {target:?}");
        }
    }
}

/// Twenty buffers are read and twenty written, each at two places.
#[test]
fn more_places_than_pointers() {
    let buffers: Vec<String> = (0..40).map(|number| format!("b{number}")).collect();
    let buffers: Vec<_> = buffers.iter().map(|name| (name.as_str(), Space::Arena, Lane::F32, Linear::fixed(2 * ROOM))).collect();
    let mut program = program(&buffers);
    let body = nest("many", &[axis(0, Extent::Whole(Linear::BATCH), true)], |b| {
        for number in 0..20 {
            let near = b.load(view(number, 0, &[(0, 1)]), Lane::F32);
            let far = b.load(view(number, ROOM, &[(0, 1)]), Lane::F32);
            let sum = b.fma(near, far, near);
            b.store(view(20 + number, ROOM, &[(0, 1)]), sum);
            b.store(view(20 + number, 0, &[(0, 1)]), far);
        }
    });
    program.kernels.push(kernel("many", None, vec![body]));
    check_sizes(&program, &filled(&program, 1, 1), COUNTS);
}

/// A buffer is read before and after it is written, at the lanes and at a word that none of them writes.
#[test]
fn what_is_written_is_read_again() {
    let words = Linear::fixed(ROOM + 1);
    let mut program = program(&[("x", Space::Arena, Lane::F32, words), ("y", Space::Arena, Lane::F32, words)]);
    let body = nest("again", &[axis(0, Extent::Whole(Linear::BATCH), true)], |b| {
        let fixed = b.load(view(0, ROOM, &[]), Lane::F32);
        let before = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
        let sum = b.add(before, fixed);
        b.store(view(0, 0, &[(0, 1)]), sum);
        let after = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
        let product = b.mul(after, before);
        b.store(view(1, 0, &[(0, 1)]), product);
        b.store(view(0, 0, &[(0, 1)]), product);
    });
    program.kernels.push(kernel("again", None, vec![body]));
    check_sizes(&program, &filled(&program, 1, 1), COUNTS);
}

#[test]
fn wide_functions_are_listed_to_the_last_byte() {
    let words = Linear::fixed(ROOM);
    let mut program = program(&[("x", Space::Arena, Lane::F32, words), ("y", Space::Arena, Lane::F32, words)]);
    let body = nest("shift x", &[axis(0, Extent::fixed(35), true)], |b| {
        let x = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
        let half = b.f32(0.5);
        let sum = b.add(x, half);
        b.store(view(1, 0, &[(0, 1)]), sum);
    });
    program.kernels.push(kernel("shift", None, vec![body]));
    for target in wide_targets() {
        let function = compile_kernel(&program, 0, target).expect("it compiles");
        let both = function.text.as_ref().expect("text was asked for");
        let ends = both.lines.iter().scan(0, |end, line| {
            let fits = line.offset == *end;
            *end += line.size;
            Some((fits, *end))
        });
        let ends: Vec<(bool, usize)> = ends.collect();
        assert!(ends.iter().all(|(fits, _)| *fits));
        assert_eq!(ends.last().map(|(_, end)| *end), Some(function.size));
        let text = crate::codegen::text::assembly(&function.name, &both.lines, &|_| None);
        for part in ["call wide0", "\nwide0:\n", "jle wide0.L1", "[wide0.constants+", "; %7\n", "\nwide0.constants:\n"] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
        assert!(both.clif.contains("; wide0"), "{}", both.clif);
    }
}

#[test]
fn the_second_look_finds_what_is_wrong() {
    if !targets().iter().any(|target| target.widen == Widen::Always) {
        return;
    }
    let block = block(|b| {
        let x = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
        let half = b.f32(0.5);
        let sum = b.add(x, half);
        b.store(view(1, 8, &[(0, 1)]), sum);
    });
    let found = rejected(&block, Var(0));
    assert_eq!(found.len(), 36, "{found:?}");
    for (what, found) in found {
        assert!(found.is_err(), "{what} passed");
    }
}
