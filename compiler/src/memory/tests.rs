//! Small plans, and plans that are spoilt.

use super::{Layout, Life, MemoryPlan, check, plan};
use crate::loops::text::parse;
use crate::loops::{BufferId, Linear, Program};

/// Kernel 0 writes `a`, 1 writes `b` where it reads `a`, 2 writes `c` from `b` elsewhere, 3 adds `c` up.
const CHAIN: &str = r#"program "chain"
  buffer @0 x : f32[8n] input 0
  buffer @1 a : f32[8n] arena
  buffer @2 b : f32[8n] arena
  buffer @3 c : f32[8n] arena
  buffer @4 s : f32[8] output 0
kernel 0 "a" parallel t0 over n by 4, vars 3
  nest "a" for i1 < min(4, n - 4*t0), j2 < 8 vector
    %0 = f32 1
    store a[32*t0 + 8*i1 + j2] = %0
kernel 1 "b" parallel t0 over n by 4, vars 3
  nest "b" for i1 < min(4, n - 4*t0), j2 < 8 vector
    %0 = load a[32*t0 + 8*i1 + j2] : f32
    %1 = add %0, %0
    store b[32*t0 + 8*i1 + j2] = %1
kernel 2 "c" parallel t0 over n by 4, vars 3
  nest "c" for i1 < min(4, n - 4*t0), j2 < 8
    %0 = load b[32*t0 + 8*i1] : f32
    store c[32*t0 + 8*i1 + j2] = %0
kernel 3 "s" vars 2
  nest "s" for i0 < n, j1 < 8 vector
    %0 = load s[j1] : f32
    %1 = load c[8*i0 + j1] : f32
    %2 = add %0, %1
    store s[j1] = %2
"#;

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

fn chain() -> (Program, MemoryPlan) {
    let program = parse(CHAIN).unwrap();
    let plan = plan(&program, &[0, 1, 2, 3]);
    (program, plan)
}

fn life(buffer: u32, words: Linear, from: usize, until: usize) -> Life {
    Life { buffer: BufferId(buffer), words, first: from, last: until, from, until, over: None }
}

fn lives(lives: Vec<Life>) -> MemoryPlan {
    let kernels = lives.iter().map(|life| life.until + 1).max().unwrap_or(0);
    MemoryPlan { kernels: (0..kernels as u32).collect(), barriers: vec![true; kernels], lives, ..MemoryPlan::default() }
}

#[test]
fn a_value_takes_the_place_of_the_one_that_dies_where_it_is_written() {
    let (program, plan) = chain();
    check(&program, &plan).unwrap();
    assert_eq!(plan.lives.iter().map(|life| life.over).collect::<Vec<_>>(), [None, Some(BufferId(1)), None]);
    let layout = plan.layout(64);
    assert_eq!(layout, Layout { offsets: vec![0, 0, 512], words: 1024 });
    assert_eq!(plan.lower_bound(64), (1024, 2));
    assert_eq!(plan.unshared(64), 3 * 512);
    plan.prove(&layout, 64).unwrap();
}

/// What is read elsewhere than where the new value is written, twice, or beside another store that comes later, stays where it is.
#[test]
fn nothing_is_overwritten_before_it_is_read() {
    let in_place = "    %0 = load a[32*t0 + 8*i1 + j2] : f32\n    %1 = add %0, %0\n    store b[32*t0 + 8*i1 + j2] = %1\n";
    let bodies = [
        "    %0 = load a[32*t0 + 8*i1] : f32\n    store b[32*t0 + 8*i1 + j2] = %0\n",
        "    %0 = load a[32*t0 + 8*i1 + j2] : f32\n    %1 = load a[32*t0 + j2] : f32\n    %2 = add %0, %1\n    store b[32*t0 + 8*i1 + j2] = %2\n",
        "    %0 = load a[32*t0 + 8*i1 + j2] : f32\n    store b[32*t0 + 8*i1 + j2] = %0\n    %2 = add %0, %0\n    store c[32*t0 + 8*i1 + j2] = %2\n",
        "    %0 = load a[32*t0 + 8*i1] : f32\n    store b[32*t0 + 8*i1] = %0\n",
        "    %0 = load a[32*t0 + 8*i1 + j2 + -1*j2] : f32\n    store b[32*t0 + 8*i1 + j2 + -1*j2] = %0\n",
        "    %0 = load a[32*t0 + 8*i1 + j2] : f32\n    %1 = load b[32*t0 + 8*i1 + j2] : f32\n    %2 = add %0, %1\n    store b[32*t0 + 8*i1 + j2] = %2\n",
    ];
    for body in bodies {
        let program = parse(&CHAIN.replace(in_place, body)).unwrap();
        let plan = plan(&program, &[0, 1, 2, 3]);
        assert_eq!(plan.lives[B].over, None, "{body}");
    }
    // A kernel beside it, behind no barrier, may still read `a`, and not its own tile of it.
    let beside = |read: &str| {
        let kernel =
            "kernel 2 \"c\" parallel t0 over n by 4, vars 3\n  nest \"c\" for i1 < min(4, n - 4*t0), j2 < 8\n    %0 = load ";
        let program = parse(&CHAIN.replace(&format!("{kernel}b[32*t0 + 8*i1]"), &format!("{kernel}{read}"))).unwrap();
        plan(&program, &[0, 2, 1, 3])
    };
    let elsewhere = beside("a[8*i1]");
    assert_eq!(elsewhere.barriers, [false, true, false, true]);
    assert_eq!(elsewhere.lives[B].over, None);
    let own = beside("a[32*t0 + 8*i1]");
    assert_eq!(own.barriers, [false, false, false, true]);
    assert_eq!(own.lives[B].over, Some(BufferId(1)));
}

/// Threads wait where a kernel is cut otherwise than the one before, or touches what another tile of that has touched.
#[test]
fn threads_wait_only_where_they_could_meet() {
    let barrier_before_b = |from: &str, to: &str| {
        let changed = CHAIN.replace(from, to);
        assert_ne!(changed, CHAIN);
        plan(&parse(&changed).unwrap(), &[0, 1, 2, 3]).barriers[B]
    };
    assert_eq!(chain().1.barriers, [false, false, false, true]);
    let load = "%0 = load a[32*t0 + 8*i1 + j2]";
    assert!(barrier_before_b(load, "%0 = load a[32*t0 + 8*i1 + j2 + 32]"));
    assert!(barrier_before_b(load, "%0 = load a[8*i1 + j2]"));
    assert!(barrier_before_b(load, "%0 = load a[64*t0 + 8*i1 + j2]"));
    assert!(!barrier_before_b(load, "%0 = load a[32*t0 + 7*i1 + j2]"));
    let by = |step: i64| format!("kernel 1 \"b\" parallel t0 over n by {step}, vars 3");
    assert!(barrier_before_b(&by(4), &by(8)));
    assert!(barrier_before_b(&by(4), &by(4).replace("over n", "over 2n")));
}

/// Along a chain of kernels without a barrier two places serve all values: tiles of one that is dead are the same thread's.
#[test]
fn a_value_takes_the_place_of_one_that_died_in_the_same_tiles() {
    let mut text =
        CHAIN[..CHAIN.find("kernel 1").unwrap()].replace("buffer @4 s : f32[8] output 0\n", "buffer @4 d : f32[8n] arena\n");
    for (number, [read, written]) in [["a", "b"], ["b", "c"], ["c", "d"]].into_iter().enumerate() {
        let kernel = number + 1;
        text += &format!(
            "kernel {kernel} \"{written}\" parallel t0 over n by 4, vars 3\n  nest \"{written}\" for i1 < min(4, n - 4*t0), j2 < 8\n    \
             %0 = load {read}[32*t0 + 8*i1] : f32\n    store {written}[32*t0 + 8*i1 + j2] = %0\n"
        );
    }
    let program = parse(&text).unwrap();
    let plan = plan(&program, &[0, 1, 2, 3]);
    check(&program, &plan).unwrap();
    assert_eq!(plan.barriers, [false; 4]);
    assert_eq!(plan.lives.iter().map(|life| life.over).collect::<Vec<_>>(), [None, None, Some(BufferId(1)), Some(BufferId(2))]);
    assert_eq!(plan.lower_bound(64).0, 1024);
    let layout = plan.layout(64);
    assert_eq!(layout.words, 1024);
    plan.prove(&layout, 64).unwrap();
    // What still lives, or is cut otherwise, keeps its place.
    let mut bad = plan.clone();
    (bad.lives[2].over, bad.lives[3].over) = (Some(BufferId(2)), None);
    assert!(check(&program, &bad).unwrap_err().contains("cannot take the place"));
    let other =
        parse(&text.replace("kernel 3 \"d\" parallel t0 over n by 4", "kernel 3 \"d\" parallel t0 over 2n by 4")).unwrap();
    assert!(check(&other, &plan).is_err());
}

#[test]
fn values_that_grow_and_values_that_do_not_share_memory() {
    let plan = lives(vec![
        life(0, Linear::fixed(1024), 0, 1),
        life(1, Linear { constant: 0, batch: 16 }, 2, 3),
        life(2, Linear::fixed(100), 1, 2),
    ]);
    for (capacity, words) in [(16, 1136), (64, 1136), (128, 2160)] {
        let layout = plan.layout(capacity);
        assert_eq!(layout.words, words);
        plan.prove(&layout, capacity).unwrap();
    }
}

#[test]
fn a_layout_that_lets_values_meet_is_refused() {
    let (_, plan) = chain();
    let good = plan.layout(64);
    for (value, offset, meets) in [(C, 0, [B, C]), (C, 496, [B, C]), (A, 16, [A, B]), (C, 528, [C, C]), (C, -16, [C, C])] {
        let mut bad = good.clone();
        bad.offsets[value] = offset;
        let buffers = meets.map(|life| plan.lives[life].buffer);
        assert_eq!(plan.prove(&bad, 64), Err(buffers), "{value} at {offset}");
    }
}

#[test]
fn a_plan_that_lies_is_refused() {
    type Slip = (&'static str, fn(&mut MemoryPlan));
    let spoil: [Slip; 5] = [
        ("has no place", |plan| plan.lives.truncate(C)),
        ("outside of its life", |plan| plan.lives[A].last = 0),
        ("outside of its life", |plan| plan.lives[C].until = 2),
        ("which is not there", |plan| {
            plan.kernels = vec![1, 0, 2, 3];
            plan.lives[A].first = 0;
        }),
        ("cannot take the place", |plan| plan.lives[C].over = Some(BufferId(2))),
    ];
    for (expected, change) in spoil {
        let (program, mut plan) = chain();
        change(&mut plan);
        let found = check(&program, &plan).unwrap_err();
        assert!(found.contains(expected), "{found}");
    }
}
