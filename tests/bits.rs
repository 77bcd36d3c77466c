//! Nothing but the seed changes a bit: not threads, instruction set, batch capacity, or who calls the step.

use crate::networks::{Digits, Mixed, bits, digits, mixed};
use gradc::compiler::codegen::InstructionSet;
use gradc::{Model, Options};

fn trained(seed: u64, threads: usize, set: InstructionSet) -> Vec<(String, Vec<u32>)> {
    let [train, valid, _] = digits(3).expect("the data is there");
    let declaration = Digits::declaration().expect("it is right");
    let options = Options { seed, instruction_set: set, ..Options::default() };
    let mut net = Model::from_declaration(&declaration, &options).expect("it compiles");
    net.fit(&train).validate(&valid).batch(50).epochs(3).threads(threads).quiet().run().expect("it trains");
    bits(&net)
}

#[test]
fn threads_and_instruction_sets_change_no_bit_of_the_weights() {
    let expected = trained(7, 1, InstructionSet::host());
    for set in [InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512] {
        if !set.runs_here() {
            println!("this machine has no {set}");
            continue;
        }
        for threads in [1, 2, 5] {
            assert_eq!(expected, trained(7, threads, set), "{set}, {threads} threads");
        }
    }
    assert_ne!(expected, trained(8, 1, InstructionSet::host()), "another seed gives other weights");
}

#[test]
fn steps_called_one_by_one_are_those_of_a_run() {
    let data = mixed(96).expect("the data is right");
    let compile = || Mixed::options().seed(5).compile().expect("it compiles");
    let mut run = compile();
    run.fit(&data).batch(32).epochs(2).shuffle(false).quiet().run().expect("it trains");
    let mut one_by_one = compile();
    for _ in 0..2 {
        for part in data.split([1.0 / 3.0; 3]).expect("three parts") {
            one_by_one.step(&part).expect("a step");
        }
    }
    assert_eq!(bits(&run), bits(&one_by_one));
}

#[test]
fn a_second_run_goes_on_where_the_first_ended() {
    let data = mixed(64).expect("the data is right");
    let compile = || Mixed::options().seed(5).compile().expect("it compiles");
    let (mut whole, mut parts) = (compile(), compile());
    whole.fit(&data).batch(16).epochs(4).quiet().run().expect("it trains");
    for _ in 0..2 {
        parts.fit(&data).batch(16).epochs(2).quiet().run().expect("it trains");
    }
    assert_eq!(bits(&whole), bits(&parts));
    parts.reset(5).expect("it starts anew");
    assert_eq!(bits(&parts), bits(&compile()));
}
