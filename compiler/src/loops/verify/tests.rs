//! Good programs pass; of each kind of slip one is made in a good program, and must be named.

use super::verify;
use crate::loops::interpret::{Memory, run_kernel, tiles};
use crate::loops::text::parse;
use crate::loops::{BufferId, Instruction, Linear, Nest, ProductStatement, Program, Statement, View};
use crate::splitmix::Random;

const CAPACITY: i64 = 100;

const GOOD: &str = r#"program "good"
  buffer @0 control : f64[4] control
  buffer @1 x : f32[6n] input 0
  buffer @2 rows : i32[n] rows
  buffer @3 w : f32[60] parameter 0
  buffer @4 h : f32[10n] arena
  buffer @5 hot : f32[480] scratch
  buffer @6 s : f32[10] arena
  buffer @7 best : f32[60] saved 0
  buffer @8 mask : i32[10n] arena
  slot $0 step : f64
  slot $1 turn : i32
  slot $2 turns : i32
  slot $3 total : f64
kernel 0 "forward" parallel t0 over n by 48, vars 5
  product "xw" m < min(48, n - 48*t0), n < 10, k < 6
    a = x[0] row 6 column 1 rows(rows[48*t0])
    b = w[0] row 10 column 1
    c = hot[0] row 10 column 1
  nest "relu" for i1 < min(48, n - 48*t0), j2 < 10 vector
    %0 = load hot[10*i1 + j2] : f32
    %1 = f32 0
    %2 = lt %1, %0
    %3 = select %2, %0, %1
    store h[480*t0 + 10*i1 + j2] = %3
    store mask[480*t0 + 10*i1 + j2] = %2
  nest "gather" for i3 < min(48, n - 48*t0), j4 < 6 vector
    %0 = load x[rows[48*t0 + i3]*6 + j4] : f32
    %1 = bits %0
    %2 = shift_left %1, 3
    %3 = index 48*t0 + i3
    %4 = add %2, %3
    %5 = from_bits %4
    store hot[10*i3 + j4] = %5
    %7 = load w[pick(%3, 6)*10 + j4] : f32
kernel 1 "column" vars 6
  tiles t0 over 10 by 4
    nest "clear" for i1 < min(4, 10 - 4*t0) vector
      %0 = f32 0
      store s[4*t0 + i1] = %0
    nest "sum" for i2 < n, j3 < min(4, 10 - 4*t0) vector
      %0 = load s[4*t0 + j3] : f32
      %1 = load h[10*i2 + 4*t0 + j3] : f32
      %2 = add %0, %1
      store s[4*t0 + j3] = %2
  nest "halve" for i4 < 5 vector
    %0 = load s[i4] : f32
    %1 = load s[i4 + 5] : f32
    %2 = add %0, %1
    store s[i4] = %2
  nest "decay"
    %0 = load control.step : f64
    %1 = f64 0.5
    %2 = call pow %1, %0
    %3 = demote %2
    store s[9] = %3
entry "fit"
  loop turn < turns until turn
    run 0
    barrier
    run 1
    scalar
      %0 = load s[0] : f32
      %1 = promote %0
      store control.total = %1
    if turn
      copy w -> best
  batch turn
  call "next"
"#;

#[test]
fn good_programs_pass() {
    verify(&parse(GOOD).unwrap(), CAPACITY).unwrap();
    for name in ["digits", "w2", "clipped"] {
        let program = crate::stages::tests::compiled(name).1.program;
        for capacity in [1, 48, 64, 4096] {
            verify(&program, capacity).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    let mut failures = Vec::new();
    for seed in 0..120 {
        match crate::lower::tests::program(seed, seed % 2 == 0) {
            Ok(program) => failures.extend(verify(&program, CAPACITY).err().map(|error| format!("seed {seed}: {error}"))),
            Err(why) => failures.push(format!("seed {seed}: {why}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn each_slip_is_named() {
    let slips = [
        // Addresses.
        (
            "store h[480*t0 + 10*i1 + j2]",
            "store h[480*t0 + 10*i1 + j2 + 1]",
            "nest \"relu\", %4: `h`: index up to 10 of 10 words for n = 1",
        ),
        (
            "load h[10*i2 + 4*t0 + j3]",
            "load h[20*i2 + 4*t0 + j3]",
            "nest \"sum\", %1: `h`: index up to 1989 of 1000 words for n = 100",
        ),
        ("load hot[10*i1 + j2]", "load hot[10*i1 + j2 + -1]", "nest \"relu\", %0: `hot`: index down to -1 for n = 1"),
        ("load hot[10*i1 + j2]", "load hot[480*t0 + 10*i1 + j2]", "%0: `hot`: index up to 489 of 480 words for n = 49"),
        ("store s[4*t0 + i1]", "store s[5*t0 + i1]", "nest \"clear\", %1: `s`: index up to 13 of 10 words"),
        ("nest \"sum\" for i2 < n,", "nest \"sum\" for i2 < n+1,", "nest \"sum\", %1: `h`: index up to 19 of 10 words for n = 1"),
        ("buffer @5 hot : f32[480]", "buffer @5 hot : f32[479]", "`hot`: index up to 479 of 479 words"),
        ("parallel t0 over n by 48", "parallel t0 over n by 64", "min(48, n - …) in tiles of 64 over n"),
        ("tiles t0 over 10 by 4", "tiles t0 over 12 by 4", "min(4, 10 - …) in tiles of 4 over 12"),
        ("tiles t0 over 10 by 4", "tiles t0 over 10 by 0", "tiles of 0"),
        // Rows of the data set.
        ("x[rows[48*t0 + i3]*6 + j4]", "x[rows[48*t0 + 2*i3]*6 + j4]", "%0: `rows`: index up to"),
        ("x[rows[48*t0 + i3]*6 + j4]", "x[rows[48*t0 + i3]*6 + j4 + 1]", "%0: `a row of x`: index up to 6 of 6 words"),
        ("x[rows[48*t0 + i3]*6 + j4]", "x[rows[48*t0 + i3]*7 + j4]", "rows of 7 words in `x` of 6n words"),
        ("x[rows[48*t0 + i3]*6 + j4]", "x[288*t0 + 6*i3 + j4]", "rows of `x` are read past the row table"),
        ("x[rows[48*t0 + i3]*6 + j4]", "h[rows[48*t0 + i3]*10 + j4]", "`h` is no data set"),
        ("rows(rows[48*t0])", "rows(rows[49*t0])", "product \"xw\", a: `rows`: index up to 96 of 49 words for n = 49"),
        ("rows(rows[48*t0])", "rows(h[48*t0])", "product \"xw\", a: `h` is no row table"),
        // Products.
        ("n < 10, k < 6", "n < 10, k < 7", "product \"xw\", a: `a row of x`: index up to 6 of 6 words"),
        ("n < 10, k < 6", "n < 11, k < 6", "product \"xw\", b: `w`: index up to 60 of 60 words"),
        ("c = hot[0] row 10 column 1", "c = hot[0] row 10 column 2", "product \"xw\", c: `hot`"),
        ("c = hot[0] row 10 column 1", "c = hot[0] row 1 column 10", "product \"xw\", c: its column stride is 10, not 1"),
        ("b = w[0] row 10 column 1", "b = w[0] row 2 column 5", "product \"xw\", b: neither its row stride 2"),
        ("c = hot[0] row 10 column 1", "c = w[0] row 0 column 1", "product \"xw\", c: `w` is written and read"),
        ("c = hot[0] row 10 column 1", "c = s[0] row 0 column 1", "c: every tile writes the same words of `s`"),
        ("b = w[0] row 10 column 1", "b = mask[0] row 0 column 1", "product \"xw\", b: `mask` does not hold f32"),
        // Vector axes.
        ("i1 < min(48, n - 48*t0), j2", "i1 < min(48, n - 48*t0) vector, j2", "axis 1 is marked vector and is not the innermost"),
        ("load s[i4] :", "load s[n*i4] :", "%0: its stride along the vector axis 4 is n"),
        ("store s[4*t0 + i1]", "store s[4*t0]", "%1: its stride along the vector axis 1 is 0"),
        ("x[rows[48*t0 + i3]*6 + j4]", "x[rows[j4]*6 + j4]", "%0: its vector axis 4 goes through the row table"),
        ("load s[i4 + 5]", "load s[i4 + 4]", "%1: touches what %3 writes in another turn of the vector axis 4"),
        ("nest \"decay\"", "nest \"decay\" for i5 < 1 vector", "%0: f64 in a block with the vector axis 5"),
        ("pick(%3, 6)*10 + j4", "pick(%1, 6)*10 + j4", "%7: %1 picks another part in each lane of the vector axis"),
        ("pick(%3, 6)*10 + j4", "pick(%3, 7)*10 + j4", "%7: `w`: index up to 65 of 60 words"),
        ("pick(%3, 6)*10 + j4", "pick(%3, 0)*10 + j4", "%7: a pick out of 0"),
        ("pick(%3, 6)*10 + j4", "pick(%0, 6)*10 + j4", "%7: %0 is F32, expected [I32]"),
        // Values and types.
        ("lt %1, %0", "lt %1, %2", "nest \"relu\", %2: %2 is not defined before its use"),
        ("%4 = add %2, %3", "%4 = add %2, %9", "%4: %9 is not defined before its use"),
        ("select %2, %0, %1", "select %0, %0, %1", "%3: %0 is F32, expected [I32]"),
        ("add %2, %3", "fma %2, %3, %2", "%4: %2 is I32, expected [F32]"),
        ("shift_left %1, 3", "shift_left %1, 32", "%2: a shift by 32"),
        ("load hot[10*i1 + j2] : f32", "load hot[10*i1 + j2] : i32", "%0: `hot` holds F32, not I32"),
        ("load control.step : f64", "load control.turn : f64", "%0: `control` holds I32, not F64"),
        ("load control.step : f64", "load control[n] : f64", "`control`: index up to 100 of 4 words"),
        ("store mask[480*t0 + 10*i1 + j2] = %2", "store mask[480*t0 + 10*i1 + j2] = %3", "%5: `mask` holds I32, not F32"),
        ("call pow %1, %0", "call pow %1", "%2: 1 arguments of Pow, which has 2"),
        // Names.
        ("load s[i4]", "load @9[i4]", "nest \"halve\", %0: there is no buffer @9"),
        ("load s[i4]", "load s[i3]", "nest \"halve\", %0: loop variable 3 does not run here"),
        ("for i4 < 5", "for i6 < 5", "loop variable 6 of 6"),
        ("for i2 < n, j3", "for i2 < n, j2", "loop variable 2 runs already"),
        ("store hot[10*i3 + j4]", "store x[10*i3 + j4]", "a kernel writes `x`"),
        ("store h[480*t0 + 10*i1 + j2]", "store s[j2]", "every tile writes the same words of `s`"),
        ("store h[480*t0 + 10*i1 + j2]", "store h[480*t0 + -480*t0 + j2]", "every tile writes the same words of `h`"),
        ("run 1", "run 2", "entry \"fit\", statement 0, statement 2: there is no kernel 2"),
        ("batch turn", "batch $4", "entry \"fit\", statement 1: there is no slot $4"),
        ("loop turn < turns", "loop total < turns", "slot `total` is no i32"),
        ("if turn", "if step", "slot `step` is no i32"),
        ("copy w -> best", "copy w -> s", "`w` of 60 words is copied to `s` of 10"),
        ("store control.total = %1", "store s[0] = %0", "scalar code writes slots and nothing else"),
        ("control : f64[4]", "control : f64[3]", "4 slots do not fit its 3 words"),
    ];
    for (from, to, expected) in slips {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        let program = parse(&GOOD.replace(from, to)).unwrap_or_else(|why| panic!("{to}: {why}"));
        let error = verify(&program, CAPACITY).expect_err(to).to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
    let mut program = parse(GOOD).unwrap();
    first_nest(&mut program).block.origins.pop();
    assert!(verify(&program, CAPACITY).unwrap_err().to_string().contains("5 origins of 6 instructions"));
}

fn first_nest(program: &mut Program) -> &mut Nest {
    let nest = program.kernels[0].body.iter_mut().find_map(|statement| match statement {
        Statement::Nest(nest) => Some(nest),
        _ => None,
    });
    nest.expect("the first kernel has a nest")
}

/// What passes runs: programs with random slips against the interpreter, which checks every access.
#[test]
fn what_passes_stays_inside_of_its_buffers() {
    let mut numbers = Random(11);
    let (mut passed, mut faults) = (0, 0);
    for seed in 0..120 {
        let Ok(mut program) = crate::lower::tests::program(seed, seed % 3 != 0) else { continue };
        let kernel = numbers.below(program.kernels.len());
        let mut places = Vec::new();
        collect(&mut program.kernels[kernel].body, &mut places);
        if places.is_empty() {
            continue;
        }
        let place = numbers.below(places.len());
        let slip = slip(&mut places[place], &mut numbers);
        let fault = [1, 3, 48, 49, 65].into_iter().find_map(|n| {
            let mut memory = Memory::new(&program, n);
            let kernel = &program.kernels[kernel];
            run_kernel(&program, kernel, &mut memory, n, tiles(kernel, n)).err()
        });
        match (verify(&program, CAPACITY), fault) {
            (Ok(()), Some(fault)) => panic!("seed {seed}, {slip}: {fault}"),
            (Ok(()), None) => passed += 1,
            (Err(_), Some(_)) => faults += 1,
            // A bound that another batch breaks, or a slip that is not of bounds.
            (Err(_), None) => {}
        }
    }
    assert!(passed > 5 && faults > 40, "{passed} passed, {faults} faults");
}

/// A place where a slip can be made.
enum Place<'a> {
    View(&'a mut View),
    Product(&'a mut ProductStatement),
    Nest(&'a mut Vec<crate::loops::Axis>),
}

fn collect<'a>(body: &'a mut [Statement], places: &mut Vec<Place<'a>>) {
    for statement in body {
        match statement {
            Statement::Tiles { body, .. } => collect(body, places),
            Statement::Product(product) => places.push(Place::Product(product)),
            Statement::Nest(Nest { axes, block, .. }) => {
                places.push(Place::Nest(axes));
                for instruction in &mut block.code {
                    if let Instruction::Load(view, _) | Instruction::Store(view, _) = instruction {
                        places.push(Place::View(view));
                    }
                }
            }
        }
    }
}

fn slip(place: &mut Place, numbers: &mut Random) -> &'static str {
    use crate::loops::Extent;
    let longer = |extent: &mut Extent| match extent {
        Extent::Whole(count) | Extent::Tile { total: count, .. } => *count = count.plus(Linear::fixed(1)),
    };
    match place {
        Place::View(view) => match numbers.below(4) {
            0 => {
                view.offset = view.offset.plus(Linear::fixed(1));
                "offset + 1"
            }
            1 => {
                view.offset = view.offset.plus(Linear::fixed(-1));
                "offset - 1"
            }
            2 if !view.strides.is_empty() => {
                let at = numbers.below(view.strides.len());
                view.strides[at].1 = view.strides[at].1.times(2);
                "stride doubled"
            }
            _ => {
                view.buffer = BufferId(view.buffer.0.saturating_sub(1));
                "another buffer"
            }
        },
        Place::Product(product) => {
            let extent = [&mut product.m, &mut product.n, &mut product.k];
            match numbers.below(4) {
                3 => product.b.row.stride = product.b.row.stride.plus(Linear::fixed(1)),
                which => extent.into_iter().nth(which).into_iter().for_each(longer),
            }
            "a larger product"
        }
        Place::Nest(axes) => {
            let at = numbers.below(axes.len());
            axes.get_mut(at).into_iter().for_each(|axis| longer(&mut axis.extent));
            "a longer loop"
        }
    }
}
