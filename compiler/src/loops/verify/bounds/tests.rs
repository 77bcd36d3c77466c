//! Bounds against counting: loops are run for every batch, and every index is looked at.

use super::{Range, Term, within};
use crate::loops::{Linear, Var};
use crate::splitmix::Random;

const CAPACITY: i64 = 13;

fn between(numbers: &mut Random, from: i64, to: i64) -> i64 {
    from + numbers.below((to - from + 1) as usize) as i64
}

/// Turns of a loop for a batch of `n`, where the tile around it is `tile`.
fn turns(range: Range, n: i64, tile: i64) -> i64 {
    match range {
        Range::Count(count) => count.at(n),
        Range::Tiles { step, total } => (total.at(n) + step - 1).div_euclid(step),
        Range::Inside { step, total, .. } => step.min(total.at(n) - step * tile),
    }
}

/// Whether every index lies inside, by counting. The first term counts the tiles that the second may be inside of.
fn counted(offset: Linear, terms: &[Term; 3], words: Linear) -> bool {
    (1..=CAPACITY).all(|n| {
        let [tiles, inside, other] = terms;
        let step = |term: &Term, turn: i64| term.stride.at(n) * turn;
        (0..turns(tiles.range, n, 0)).all(|tile| {
            (0..turns(inside.range, n, tile)).all(|i| {
                (0..turns(other.range, n, tile)).all(|j| {
                    let index = offset.at(n) + step(tiles, tile) + step(inside, i) + step(other, j);
                    (0..words.at(n)).contains(&index)
                })
            })
        })
    })
}

fn draw(numbers: &mut Random, is_one_index: bool) -> (Linear, [Term; 3], Linear) {
    let linear = |numbers: &mut Random, [low, high]: [i64; 2], batch: i64| Linear {
        constant: between(numbers, low, high),
        batch: between(numbers, 0, batch),
    };
    let step = between(numbers, 1, 5);
    let total = linear(numbers, [1, 9], 2);
    let block = between(numbers, 1, 2);
    let stride = linear(numbers, [0, 3], 1);
    let far = if is_one_index { stride.times(step * block) } else { linear(numbers, [-1, 9], 1) };
    let term = |var: u32, range, stride| Term { var: Some(Var(var)), range, stride };
    let terms = [
        term(0, Range::Tiles { step, total }, far),
        term(1, Range::Inside { tile: Var(0), step: step * block, total: total.times(block) }, stride),
        term(2, Range::Count(linear(numbers, [1, 4], 1)), Linear::fixed(between(numbers, 0, 6))),
    ];
    (linear(numbers, [-1, 3], 1), terms, linear(numbers, [1, 90], 40))
}

#[test]
fn what_is_within_is_so_by_counting() {
    let mut numbers = Random(5);
    let mut within_bounds = 0;
    for _ in 0..6000 {
        let (offset, terms, words) = draw(&mut numbers, false);
        if within(offset, &terms, words, CAPACITY).is_ok() {
            within_bounds += 1;
            assert!(counted(offset, &terms, words), "{offset} {terms:?} {words}");
        }
    }
    assert!(within_bounds > 500, "{within_bounds}");
}

#[test]
fn one_index_in_tiles_is_exact() {
    let mut numbers = Random(6);
    let mut within_bounds = 0;
    for _ in 0..6000 {
        let (offset, terms, words) = draw(&mut numbers, true);
        let counted = counted(offset, &terms, words);
        assert_eq!(within(offset, &terms, words, CAPACITY).is_ok(), counted, "{offset} {terms:?} {words}");
        within_bounds += usize::from(counted);
    }
    assert!(within_bounds > 500, "{within_bounds}");
}
