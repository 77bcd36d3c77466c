//! Nothing but the seed changes a bit: not threads, instruction set, batch capacity, or who calls the step.

use crate::networks::{Digits, Mixed, bits, digits, mixed};
use gradc::compiler::base::place::Source;
use gradc::compiler::codegen::{InstructionSet, Widen};
use gradc::{Dataset, Declaration, Model, Options};

fn trained(seed: u64, threads: usize, set: InstructionSet, widen: Widen) -> Vec<(String, Vec<u32>)> {
    let [train, valid, _] = digits(3).expect("the data is there");
    let declaration = Digits::declaration().expect("it is right");
    let options = Options { seed, instruction_set: set, widen, ..Options::default() };
    let mut net = Model::from_declaration(&declaration, &options).expect("it compiles");
    net.fit(&train).validate(&valid).batch(50).epochs(3).threads_exactly(threads).quiet().run().expect("it trains");
    bits(&net)
}

#[test]
fn threads_and_instruction_sets_and_vectors_change_no_bit_of_the_weights() {
    let expected = trained(7, 1, InstructionSet::host(), Widen::Paying);
    for set in [InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512] {
        if !set.runs_here() {
            println!("this machine has no {set}");
            continue;
        }
        for threads in [1, 2, 5] {
            assert_eq!(expected, trained(7, threads, set, Widen::Paying), "{set}, {threads} threads");
        }
        for widen in [Widen::Never, Widen::Always] {
            assert_eq!(expected, trained(7, 2, set, widen), "{set}, {widen:?} wide");
        }
    }
    assert_ne!(expected, trained(8, 1, InstructionSet::host(), Widen::Paying), "another seed gives other weights");
}

/// So deep that its entries are cut into parts.
#[test]
fn threads_change_no_bit_of_a_deep_network() {
    let text = "Deep { input x: [batch, 20]; target y: [batch, 1]; let mut h = x; for i in 0..150 { h = h.dense(20).tanh(); } \
                let p = h.dense(1); predict p; minimize p.mean_squared_error(y); using adam(1e-3).clip_global_norm(1.0); }";
    let rows: Vec<f32> = (0..64 * 20).map(|i| (i as f32 * 0.71).sin()).collect();
    let data = Dataset::new().f32("x", &[20], &rows).and_then(|data| data.f32("y", &[1], &rows[..64])).expect("a data set");
    let declaration = Declaration::parse(Source::new("deep.net", text)).expect("a network");
    // The interpreter of graphs, which the run is held to as well, knows nothing of parts.
    alike(&declaration, &data, 16, 2, |net| {
        assert!(net.functions().iter().any(|function| function.name.starts_with("part")), "nothing was cut");
    });
}

/// Trains with one, two and three threads to the same bits, and near to what the f64 interpreter makes of it; looks at each compiled net.
fn alike(declaration: &Declaration, data: &Dataset, batch: usize, epochs: u64, look: impl Fn(&Model)) {
    let compiled = || Model::from_declaration(declaration, &Options::default()).expect("it compiles");
    let run = |threads: usize| {
        let mut net = compiled();
        look(&net);
        net.fit(data).batch(batch).epochs(epochs).threads_exactly(threads).quiet().run().expect("it trains");
        let evaluation = net.evaluate(data).expect("it evaluates");
        (bits(&net), evaluation)
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
    let mut reference = compiled();
    reference.fit(data).batch(batch).epochs(epochs).reference().quiet().run().expect("it trains");
    let apart = (reference.evaluate(data).expect("it evaluates").loss - one.1.loss).abs();
    assert!(apart < 1e-4 * one.1.loss, "{apart}");
}

/// Networks of a few parameters that learn row by row: the turn of one thread is straight-line code, in which words side by side are computed four at
/// once.
#[test]
fn threads_change_no_bit_of_a_turn_that_is_written_out() {
    let networks = [
        (1, "dense(1)", "sgd(1e-2)"),
        (4, "dense(1)", "momentum(1e-2)"),
        (9, "dense(1)", "adam(1e-3)"),
        (13, "dense(1, bias = false)", "sgd(1e-2).clip_value(0.5)"),
        (2, "dense(4).tanh().dense(1)", "sgd(1e-2)"),
        (3, "dense(5).relu().dense(1)", "momentum(1e-2)"),
        (6, "dense(4).elu().dense(1)", "sgd(1e-3)"),
    ];
    for (inputs, layers, rule) in networks {
        let text = format!(
            "Small {{ input x: [batch, {inputs}]; target y: [batch, 1]; let p = x.{layers}; predict p; minimize p.mean_squared_error(y); using {rule}; }}"
        );
        let rows: Vec<f32> = (0..40 * inputs).map(|i| (i as f32 * 0.71).sin()).collect();
        let goals: Vec<f32> = (0..40).map(|i| (i as f32 * 0.37).cos()).collect();
        let data = Dataset::new().f32("x", &[inputs], &rows).and_then(|data| data.f32("y", &[1], &goals)).expect("a data set");
        let declaration = Declaration::parse(Source::new("small.net", &text)).expect("a network");
        alike(&declaration, &data, 1, 3, |net| {
            assert!(net.functions().iter().any(|function| function.name.starts_with("part")), "{text}: nothing was written out");
        });
    }
}

/// Rows of differing length, whose steps are loops inside of tiles.
#[test]
fn threads_change_no_bit_of_recurrent_layers() {
    let text = "Read { input x: [batch, 7, 3]; input n: u32[batch]; target y: [batch, 1]; \
                let h = concat(x.rnn(20, lengths = n).last(), x.lstm(20).last(lengths = n), x.gru(20, lengths = n).last()); \
                let p = h.dense(1); predict p; minimize p.mean_squared_error(y); using rmsprop(1e-3).clip_global_norm(1.0); }";
    let rows: Vec<f32> = (0..90 * 7 * 3).map(|i| (i as f32 * 0.71).sin()).collect();
    let lengths: Vec<u32> = (0..90).map(|row| 1 + row % 7).collect();
    let data = Dataset::new().f32("x", &[7, 3], &rows).and_then(|data| data.u32("n", &[], &lengths));
    let data = data.and_then(|data| data.f32("y", &[1], &rows[..90])).expect("a data set");
    let declaration = Declaration::parse(Source::new("read.net", text)).expect("a network");
    alike(&declaration, &data, 45, 3, |_| {});
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
