//! Words that a value of the block points at.

use super::*;
use crate::loops::Pick;

const INDICES: [i32; 9] = [0, 2, 1, -1, 3, i32::MIN, i32::MAX, 2, 0];
const WIDTH: i64 = 7;

/// Three rows of seven words, one index a row, nine rows of seven words.
fn memory(program: &Program) -> Memory {
    let mut memory = Memory::new(program, 9);
    let mut dice = Dice(3);
    memory.words[0].iter_mut().for_each(|word| *word = dice.float());
    memory.words[1] = INDICES.iter().map(|&index| index as u32).collect();
    memory.words[2].iter_mut().for_each(|word| *word = dice.float());
    memory
}

fn picked(mut place: View, value: crate::loops::Value) -> View {
    place.pick = Some(Pick { value, count: 3, stride: Linear::fixed(WIDTH) });
    place
}

fn run(axes: &[Axis], write: impl Fn(&mut BlockBuilder)) {
    let buffers = [
        ("table", Space::Arena, Lane::F32, Linear::fixed(3 * WIDTH)),
        ("index", Space::Arena, Lane::I32, Linear::BATCH),
        ("rows", Space::Arena, Lane::F32, Linear::BATCH.times(WIDTH)),
    ];
    let mut program = program(&buffers);
    program.kernels = vec![kernel("pick", None, vec![nest("pick", axes, write)])];
    for n in [1, 4, 9] {
        check(&program, &memory(&program), n);
    }
}

/// The axes of rows and columns, with either innermost; columns may be a vector axis.
fn orders() -> [Vec<Axis>; 3] {
    let rows = axis(0, Extent::Whole(Linear::BATCH), false);
    let columns = |vector| axis(1, Extent::fixed(WIDTH), vector);
    [vec![rows, columns(false)], vec![rows, columns(true)], vec![columns(false), rows]]
}

#[test]
fn rows_are_taken_by_index_from_within_the_table() {
    for axes in orders() {
        run(&axes, |b| {
            let index = b.load(view(1, 0, &[(0, 1)]), Lane::I32);
            let word = b.load(picked(view(0, 0, &[(1, 1)]), index), Lane::F32);
            b.store(view(2, 0, &[(0, WIDTH), (1, 1)]), word);
        });
    }
}

#[test]
fn rows_are_added_up_by_index_within_the_table() {
    for axes in orders() {
        run(&axes, |b| {
            let index = b.load(view(1, 0, &[(0, 1)]), Lane::I32);
            let place = picked(view(0, 0, &[(1, 1)]), index);
            let so_far = b.load(place.clone(), Lane::F32);
            let row = b.load(view(2, 0, &[(0, WIDTH), (1, 1)]), Lane::F32);
            let sum = b.add(so_far, row);
            b.store(place, sum);
        });
    }
}

#[test]
fn an_index_that_varies_along_a_vector_axis_is_refused() {
    let mut program = program(&[
        ("table", Space::Arena, Lane::F32, Linear::fixed(3)),
        ("index", Space::Arena, Lane::I32, Linear::fixed(8)),
        ("rows", Space::Arena, Lane::F32, Linear::fixed(8)),
    ]);
    let lanes = axis(0, Extent::fixed(8), true);
    program.kernels = vec![kernel(
        "pick",
        None,
        vec![nest("pick", &[lanes], |b| {
            let index = b.load(view(1, 0, &[(0, 1)]), Lane::I32);
            let word = b.load(picked(view(0, 0, &[]), index), Lane::F32);
            b.store(view(2, 0, &[(0, 1)]), word);
        })],
    )];
    for target in targets() {
        assert!(compile(&program, target, &symbols(), 1).is_err());
    }
}
