//! The text of a program is the program.

use super::{parse, print};
use crate::loops::Program;

fn goes_round(program: &Program) {
    let text = print(program, None);
    let back = parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    assert_eq!(print(&back, None), text);
    assert_eq!(format!("{back:?}"), format!("{program:?}"));
    // Places are for the reader.
    let places = |kernel: usize, node: u32| Some(format!("layer.{node} @ case.net:{kernel}:1 \"; %7\""));
    let annotated = parse(&print(program, Some(&places))).unwrap();
    assert_eq!(format!("{annotated:?}"), format!("{program:?}"));
}

#[test]
fn the_cases_go_round() {
    for name in ["digits", "w2", "clipped"] {
        goes_round(&crate::stages::tests::compiled(name).1.program);
    }
}

#[test]
fn random_programs_go_round() {
    for seed in 0..40 {
        goes_round(&crate::lower::tests::program(seed, seed % 2 == 0).unwrap());
    }
}

#[test]
fn every_form_goes_round() {
    let text = r#"program "a \"b\" \\ c"
  buffer @0 control : f64[3] control
  buffer @1 "two words" : f32[2n-5] input 0
  buffer @2 twice : i32[n+16] arena
  buffer @3 "twice2; %3" : f32[64] scratch
  buffer @4 rows : i32[n] rows
  slot $0 step : f64
  slot $1 "n o" : i32
  slot $2 turn : i32

kernel 0 "k \"0\"; %9" parallel t0 over 3n+1 by 48, vars 9
  tiles t1 over n-1 by 32
    nest "all; of it" for i2 < min(48, 3n+1 - 48*t0), j3 < 4 vector
      %0 = f32 -0
      %1 = f32 0x7fc00001                                                          ; %3
      %2 = f32 inf
      %3 = f32 1.1754944e-38                                                       ; %4
      %4 = i32 -65536
      %5 = i32 0x80000000
      %6 = index 48*t0 + 2n*i2 + (n-3)*j3 + n+7
      %7 = index 0
      %8 = load @1[rows[48*t0 + i2]*64 + j3 + 5] : f32
      %9 = load twice[rows[0]*64] : i32
      %10 = load control.turn : i32
      %11 = load control.$1 : i32
      %12 = load control[n] : i32
      %13 = fma %0, %1, %2
      %14 = select %5, %13, %8
      %15 = shift_right_signed %4, 31
      %16 = le %0, %1
      store @3[-1*i2 + 0*j3] = %14
      %18 = sub %4, %5                                                             ; %0
      %19 = load @1[rows[i2]*64 + pick(%4, 10)*2n-5 + j3 + 3] : f32
      %20 = load @1[pick(%4, 10)*64] : f32
  product "p" m < min(96, 6n+2 - 96*t0), n < 10, k < n                                 ; %12
    a = @1[0] row 64 column 1 rows(rows[48*t0])
    b = twice[rows[t0]*7] row 0 column n+3 columns(rows[0])
    c += @3[10*t0 + 5] row 10 column 1
  nest "no axes"
    %0 = f64 0.1
    %1 = call pow %0, %0
    %2 = call expm1 %1
    %3 = demote %2

entry "fit"
  barrier
  loop turn < $1 until $1
    run 0                                                                          ; k "0"; %9
    if turn
      batch $1
    else
      scalar
        %0 = load control.step : f64
        store control.step = %0
      copy @1 -> twice
      call "next"
  loop turn < turn
"#;
    let program = parse(text).unwrap();
    goes_round(&program);
    // Spaces before a comment are no matter; all else is the canonical text.
    let squeezed =
        |text: &str| text.lines().map(|line| line.split("  ;").next().unwrap_or("").trim_end().to_string()).collect::<Vec<_>>();
    assert_eq!(squeezed(&print(&program, None)), squeezed(text));
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let head = "program \"p\"\n  buffer @0 x : f32[n] arena\n";
    for (text, expected) in [
        ("kernel 1 \"k\" vars 0", "line 3: expected kernel 0"),
        ("kernel 0 \"k\" vars 1\n  nest \"a\" for i0 < 4\n    %1 = f32 1", "line 5: expected %0"),
        ("kernel 0 \"k\" vars 1\n  nest \"a\" for i0 < 4\n    %0 = frob %1", "line 5: no instruction is called `frob`"),
        ("kernel 0 \"k\" vars 1\n  nest \"a\" for i0 < 4\n    %0 = load y[i0] : f32", "line 5: no buffer is called `y`"),
        ("kernel 0 \"k\" vars 1\n  nest \"a\" for i0 < 4\n    %0 = load x[i0] : f32 twice", "line 5: `twice` is too much"),
        ("entry \"e\"\n  dance", "line 4: `dance` is no statement of a driver"),
        ("entry \"e\"\n  else", "line 4: `else` without `if`"),
        ("entry \"e\n", "line 3: a quote is not closed"),
    ] {
        assert_eq!(parse(&format!("{head}{text}")), Err(expected.to_string()));
    }
}

#[test]
fn no_text_makes_the_parser_panic() {
    let text = print(&crate::lower::tests::program(3, true).unwrap(), None);
    let mut numbers = crate::splitmix::Random(7);
    for _ in 0..2000 {
        let start = numbers.below(text.len());
        let end = (start + numbers.below(40)).min(text.len());
        let (Some(before), Some(after)) = (text.get(..start), text.get(end..)) else { continue };
        let _ = parse(&format!("{before}{after}"));
    }
}
