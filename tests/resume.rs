//! A training that was ended and taken up again is the training that was not.

use crate::networks::digits;
use gradc::compiler::base::place::Source;
use gradc::prelude::*;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Everything that makes a step depend on what came before: random masks, running statistics, moments, a product of momenta in f64, schedules
/// over the step, the epoch and the whole run.
const STATEFUL: &str = "Stateful {
    input  pixels: [batch, 64];
    target digit:  class(10);
    setting pace = 0.5;
    let hidden = pixels.standardize().dense(24).batch_norm().relu().dropout(0.3);
    let logits = hidden.dense(10);
    predict  logits;
    minimize logits.cross_entropy(digit) + l2(1e-4);
    using    nadam(pace * cosine(0.01) / epoch, semantics = torch).clip_global_norm(1.0, non_finite = skip);
}";

fn model(text: &str, seed: u64) -> Model {
    let declaration = gradc::Declaration::parse(Source::new("net", text)).expect("a text");
    Model::from_declaration(&declaration, &gradc::Options { seed, ..gradc::Options::default() }).expect("it compiles")
}

/// The bits of all that is kept, and how far the model has come.
fn state(net: &Model) -> (Vec<(String, Vec<u32>)>, u64, u64) {
    let states = net.info().states.iter().map(|state| state.name.clone());
    let names = net.parameters().map(|(name, _)| name.to_owned()).chain(states).collect::<Vec<_>>();
    let bits =
        |name: &String| net.parameter(name).map_or_else(|_| Vec::new(), |all| all.iter().map(|one| one.to_bits()).collect());
    (names.iter().map(|name| (name.clone(), bits(name))).collect(), net.steps_taken(), net.epochs_begun())
}

fn file(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

#[test]
fn a_run_that_was_ended_and_taken_up_again_is_the_run_that_was_not() {
    let [train, valid, _] = digits(2).expect("the data is there");
    let folder = tempfile::tempdir().expect("a folder");
    for batches in [1, 3] {
        let run = |net: &mut Model, epochs: u64, file: Option<PathBuf>, until: u64| {
            let fit = net.fit(&train).validate(&valid).restore_best(false).batch(48).accumulate(batches).epochs(epochs).quiet();
            let fit = match &file {
                Some(file) => fit.checkpoint(file),
                None => fit,
            };
            let stop =
                |epoch: &gradc::Epoch| if epoch.epoch == until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            fit.on_epoch(stop).run().expect("it trains")
        };
        let mut whole = model(STATEFUL, 5);
        whole.set("pace", 0.75).expect("a setting");
        let expected = run(&mut whole, 5, None, 0);
        let mut ended = model(STATEFUL, 5);
        ended.set("pace", 0.75).expect("a setting");
        let file = file(&folder, &format!("{batches}.safetensors"));
        run(&mut ended, 5, Some(file.clone()), 2);
        // What was not written is not there: another program, with numbers of its own.
        let mut other = model(STATEFUL, 77);
        other.load_checkpoint(&file).expect("it was written");
        assert_eq!(state(&other), state(&ended), "{batches}");
        let left = 5 - other.epochs_begun();
        let rest = run(&mut other, left, Some(file.clone()), 0);
        assert_eq!(state(&other), state(&whole), "{batches}");
        let losses = |history: &History, from: usize| history.epochs[from..].iter().map(|epoch| epoch.loss).collect::<Vec<_>>();
        assert_eq!(losses(&rest, 0), losses(&expected, 2));
        // And the last epoch was written too; random numbers of what follows are those that would have followed.
        let mut last = model(STATEFUL, 78);
        last.load_checkpoint(&file).expect("it was written");
        run(&mut last, 1, None, 0);
        run(&mut whole, 1, None, 0);
        assert_eq!(state(&last), state(&whole), "{batches}");
    }
}

/// What a run learns of its epochs, patience, the rate that a plateau has lowered and the best parameters, it knows behind its checkpoint too.
#[test]
fn a_run_that_is_judged_goes_on_being_judged() {
    let [train, valid, _] = digits(2).expect("the data is there");
    let folder = tempfile::tempdir().expect("a folder");
    let text = STATEFUL.replace("0.01", "0.3").replace("/ epoch", "");
    let run = |net: &mut Model, epochs: u64, until: u64, file: Option<&PathBuf>| {
        let fit = net.fit(&train).validate(&valid).batch(48).epochs(epochs).plateau(0.5, 1).patience(3).quiet();
        let fit = match file {
            Some(file) => fit.checkpoint(file),
            None => fit,
        };
        let stop = |epoch: &gradc::Epoch| if epoch.epoch == until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        fit.on_epoch(stop).run().expect("it trains")
    };
    let mut whole = model(&text, 5);
    let expected = run(&mut whole, 40, 0, None);
    let all = expected.epochs.len() as u64;
    assert!(expected.stopped == gradc::Stopped::Patience && expected.restored < Some(all), "{expected:?}");
    assert!(expected.epochs.last().is_some_and(|last| last.rate_factor < 0.5), "{expected:?}");
    for until in 1..=all {
        let file = file(&folder, &format!("{until}.safetensors"));
        run(&mut model(&text, 5), 40, until, Some(&file));
        let mut other = model(&text, 6);
        other.load_checkpoint(&file).expect("it was written");
        // What was read is written again.
        other.save_checkpoint(&file).expect("it can be written");
        let mut other = model(&text, 7);
        other.load_checkpoint(&file).expect("it was written");
        let rest = run(&mut other, 40 - until, 0, None);
        assert_eq!((state(&other).0, rest.restored, rest.stopped), (state(&whole).0, expected.restored, expected.stopped));
        let course = |history: &History, from: u64| {
            let epochs = history.epochs.iter().skip(from as usize);
            epochs.map(|epoch| (epoch.epoch, epoch.step, epoch.rate_factor, epoch.improved, epoch.loss)).collect::<Vec<_>>()
        };
        assert_eq!(course(&rest, 0), course(&expected, until), "{until}");
    }
    // By another value it is judged anew, on from the same epoch.
    let mut other = model(&text.replace("using", "report accuracy = accuracy(logits, digit); using"), 5);
    run(&mut other, 2, 0, Some(&file(&folder, "loss")));
    other.load_checkpoint(file(&folder, "loss")).expect("it was written");
    let anew = other.fit(&train).validate(&valid).batch(48).monitor_named("accuracy").quiet().run().expect("it trains");
    assert_eq!(anew.epochs.iter().map(|epoch| (epoch.epoch, epoch.improved)).collect::<Vec<_>>(), [(3, true)]);
    assert_eq!(anew.restored, Some(3));
}

/// The reference goes on as the native run does: what it judges by has been learned before the checkpoint.
#[test]
fn a_reference_run_goes_on_being_judged() {
    let rows = |x: &[f32], y: &[f32]| Dataset::new().f32("x", &[1], x).and_then(|rows| rows.f32("y", &[1], y)).expect("rows");
    // The better it fits the one, the worse the other.
    let (train, valid) = (rows(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]), rows(&[1.0, 2.0], &[-1.0, -2.0]));
    let text = "Line { input x: [batch, 1]; target y: [batch, 1]; let p = x.dense(1); predict p; minimize p.mean_squared_error(y); \
                using sgd(0.01); }";
    let folder = tempfile::tempdir().expect("a folder");
    let run = |net: &mut Model, epochs: u64, until: u64, reference: bool| {
        let fit = net.fit(&train).validate(&valid).batch(2).epochs(epochs).patience(5).plateau(0.5, 2).quiet();
        let fit = if reference { fit.reference() } else { fit.checkpoint(file(&folder, &format!("{until}.st"))) };
        let stop = |epoch: &gradc::Epoch| if epoch.epoch == until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        fit.on_epoch(stop).run().expect("it trains")
    };
    let begun = || {
        let mut net = model(text, 5);
        net.set_parameter("p.dense.weight", &[-0.5]).expect("a weight");
        net
    };
    let mut whole = begun();
    let expected = run(&mut whole, 40, 0, false);
    assert_eq!((expected.restored, expected.stopped), (Some(1), gradc::Stopped::Patience), "{expected:?}");
    let course = |history: &History, from: u64| {
        let epochs = history.epochs.iter().skip(from as usize);
        epochs.map(|epoch| (epoch.epoch, epoch.step, epoch.rate_factor, epoch.improved)).collect::<Vec<_>>()
    };
    for until in [1, 3, 6] {
        run(&mut begun(), 40, until, false);
        let mut other = model(text, 6);
        other.load_checkpoint(file(&folder, &format!("{until}.st"))).expect("it was written");
        // A run that is refused has learned nothing and forgotten nothing.
        let refused = other.fit(&train).batch(2).checkpoint(file(&folder, "none.st")).reference().quiet().run();
        assert!(refused.expect_err("it writes none").to_string().contains("combined with `checkpoint`"));
        let rest = run(&mut other, 40 - until, 0, true);
        assert_eq!(course(&rest, 0), course(&expected, until), "{until}");
        assert_eq!((rest.restored, rest.stopped), (expected.restored, expected.stopped), "{until}");
        assert_eq!(state(&other).0[..2], state(&whole).0[..2], "{until}");
    }
}

/// A run on other terms than those of its checkpoint is another training: it says so.
#[test]
fn other_rows_and_other_batches_behind_a_checkpoint_are_a_note() {
    let [train, valid, _] = digits(2).expect("the data is there");
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(&folder, "run.safetensors");
    // A second epoch behind a run of one: without a schedule to its end, no more than what the run would have done.
    let text = STATEFUL.replace("cosine(0.01)", "0.01");
    let mut net = model(&text, 5);
    net.fit(&train).batch(48).checkpoint(&file).quiet().run().expect("it trains");
    let notes = |rows: &Dataset, batch: usize| {
        let mut net = model(&text, 5);
        net.load_checkpoint(&file).expect("it was written");
        net.fit(rows).batch(batch).quiet().run().expect("it trains").notes
    };
    assert_eq!(notes(&train, 48), Vec::<String>::new());
    let [note] = &notes(&train, 24)[..] else { panic!("a note") };
    assert!(note.contains("(rows of a batch: 24, before 48)"), "{note}");
    let [note] = &notes(&train.shuffled(1), 48)[..] else { panic!("a note") };
    let rows = format!("training rows: {} with the digest", train.rows());
    assert!(note.contains(&rows) && note.contains(&format!("before {}", train.rows())), "{note}");
    let [note] = &notes(&valid, 48)[..] else { panic!("a note") };
    assert!(note.contains(&format!("rows of an epoch: {}, before {}", valid.rows(), train.rows())), "{note}");
}

#[test]
fn a_file_of_parameters_that_are_no_numbers_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (parameters, whole) = (file(&folder, "parameters"), file(&folder, "whole"));
    let mut net = model("Still { parameter p: [3] = ones; minimize 100 * sum(p * p); using sgd(1e38); }", 5);
    net.fit(()).checkpoint(&whole).quiet().run().expect_err("such a rate leads nowhere");
    net.step(()).expect("the loss is finite, the update is not");
    net.save(&parameters).and_then(|()| net.save_checkpoint(&whole)).expect("it can be written");
    net.reset(6).expect("it starts anew");
    let before = state(&net);
    for refused in [net.load(&parameters), net.load_checkpoint(&whole)] {
        let message = refused.expect_err("they are no numbers").to_string();
        assert!(message.contains("3 of 3 values of `p` are NaN or infinite") && message.contains("`load_matching`"), "{message}");
    }
    assert_eq!(state(&net), before);
    let loaded = net.load_matching(&parameters).expect("its parameters");
    assert_eq!((loaded.taken, loaded.not_finite), (vec!["p".to_owned()], vec!["p".to_owned()]));
}

#[test]
fn steps_that_end_within_an_epoch_go_on_within_it() {
    let [train, _, _] = digits(2).expect("the data is there");
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(&folder, "run.safetensors");
    let text = STATEFUL.replace("cosine(0.01)", "0.01");
    let steps = train.rows().div_ceil(48) as u64;
    let run = |net: &mut Model, left: u64| {
        net.fit(&train).batch(48).steps(left).checkpoint(&file).quiet().run().expect("it trains");
    };
    run(&mut model(&text, 5), steps + 2);
    let (mut other, mut whole) = (model(&text, 6), model(&text, 5));
    other.load_checkpoint(&file).expect("it was written");
    assert_eq!((other.steps_taken(), other.epochs_begun()), (steps, 1));
    run(&mut other, steps + 1);
    run(&mut whole, 2 * steps + 1);
    assert_eq!(state(&other), state(&whole));
}

#[test]
fn an_epoch_that_was_cut_short_is_not_written() {
    let [train, _, _] = digits(2).expect("the data is there");
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(&folder, "run.safetensors");
    let mut net = model(&STATEFUL.replace("0.01", "1e30").replace(".clip_global_norm(1.0, non_finite = skip)", ""), 5);
    let error = net.fit(&train).batch(48).epochs(3).checkpoint(&file).quiet().run().expect_err("such a rate leads nowhere");
    assert!(matches!(error, gradc::Error::Diverged { .. }), "{error}");
    assert!(!file.exists(), "its first epoch never ended");
    // A file that cannot be written is said, and the run goes on; one that never could be is refused before it.
    let mut net = model(STATEFUL, 5);
    let gone = folder.path().join("gone");
    let refused = net.fit(&train).batch(48).checkpoint(gone.join("run")).quiet().run().expect_err("no such folder");
    assert!(refused.to_string().contains("there is no folder"), "{refused}");
    assert_eq!(net.steps_taken(), 0);
    std::fs::create_dir(&gone).expect("a folder");
    let vanish = |epoch: &gradc::Epoch| {
        if epoch.epoch == 1 {
            std::fs::remove_dir_all(&gone).expect("it is there");
        }
        ControlFlow::Continue(())
    };
    let history = net.fit(&train).batch(48).epochs(2).checkpoint(gone.join("run")).on_epoch(vanish).quiet().run();
    let history = history.expect("it trains");
    assert_eq!(history.epochs.len(), 2);
    assert!(history.notes.iter().any(|note| note.contains("checkpoint was not written")), "{:?}", history.notes);
    let refused = net.fit(&train).batch(48).checkpoint(folder.path()).quiet().run().expect_err("a folder is no file");
    assert!(refused.to_string().contains("which is no file"), "{refused}");
    let refused = net.fit(&train).checkpoint(&file).reference().quiet().run().expect_err("it has none");
    assert!(refused.to_string().contains("checkpoint"), "{refused}");
}

#[test]
fn a_checkpoint_that_does_not_fit_changes_nothing() {
    let [train, _, test] = digits(2).expect("the data is there");
    let folder = tempfile::tempdir().expect("a folder");
    let (parameters, checkpoint) = (file(&folder, "parameters"), file(&folder, "checkpoint"));
    let mut net = model(STATEFUL, 5);
    net.fit(&train).batch(48).epochs(2).checkpoint(&checkpoint).quiet().run().expect("it trains");
    net.save(&parameters).expect("it can be written");
    let mut other = model(STATEFUL, 6);
    let before = state(&other);
    let refused = |net: &mut Model, file: &PathBuf| net.load_checkpoint(file).expect_err("it does not fit").to_string();
    assert!(refused(&mut other, &parameters).contains("parameters alone"));
    let read = gradc::runtime::checkpoint::load(&checkpoint).expect("it was written");
    let wide = read.metadata.keys().find(|key| key.starts_with("state.")).expect("a state in f64").clone();
    for (key, text) in [("setting.pace", "no"), ("epoch", "-1"), ("seed", ""), ("scaled", "yes"), (wide.as_str(), "1 2")] {
        assert!(read.metadata.contains_key(key), "{key}: {:?}", read.metadata);
        let mut texts = read.metadata.clone();
        texts.insert(key.to_owned(), text.to_owned());
        let tensors: Vec<_> =
            read.tensors.iter().map(|(name, (shape, values))| (name.as_str(), shape.as_slice(), values.as_slice())).collect();
        let file = file(&folder, key);
        gradc::runtime::checkpoint::save(&file, &tensors, &texts).expect("it can be written");
        let error = refused(&mut other, &file);
        assert!(error.contains(key) && error.contains("help"), "{error}");
    }
    assert_eq!(state(&other), before);
    let mut adam = model(&STATEFUL.replace("nadam(pace * cosine(0.01) / epoch, semantics = torch)", "adam(0.01)"), 6);
    assert!(refused(&mut adam, &checkpoint).contains("nadam"));
    // What serves is found in a checkpoint too.
    other.load(&checkpoint).expect("its parameters");
    assert_eq!(other.evaluate(&test).expect("a pass"), net.evaluate(&test).expect("a pass"));
    assert_eq!(other.steps_taken(), 0);
    let taken = adam.load_matching(&checkpoint).expect("its parameters");
    assert!(taken.missing.is_empty() && taken.unknown.is_empty(), "{taken:?}");
}

/// The command, killed at any moment: what it has written is whole, and the rest of the training ends with the same file.
#[test]
fn a_command_that_was_killed_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "Iris { input flower: [batch, 4]; target species: class(3); let logits = flower.standardize().dense(8).tanh().dropout(0.2).dense(3); \
                predict logits; minimize logits.cross_entropy(species); using adam(rate = 1e-2); }";
    std::fs::write(file(&folder, "iris.net"), text).expect("it can be written");
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/data/iris.csv");
    let command = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gradc"));
        command.current_dir(folder.path()).args(["train", "iris.net", "--data", data, "--skip", "1", "--seed", "3"]).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let run = |more: &[&str]| {
        let output = command(more).output().expect("the command was built");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let mut endless = command(&["--epochs", "1000000", "--checkpoint", "run.st"]).spawn().expect("the command was built");
    let started = std::time::Instant::now();
    let checkpoint = file(&folder, "run.st");
    while !checkpoint.exists() && started.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    endless.kill().and_then(|()| endless.wait()).expect("it runs");
    let read = gradc::runtime::checkpoint::load(&checkpoint).expect("a whole file");
    let all = (read.metadata["epoch"].parse::<u64>().expect("a number") + 3).to_string();
    let (refused, said) = run(&["--epochs", &all, "--checkpoint", "run.st"]);
    assert!(!refused && said.contains("`--resume` goes on from this one"), "{said}");
    let (went_on, said) = run(&["--epochs", &all, "--checkpoint", "run.st", "--resume", "--save", "resumed.st"]);
    assert!(went_on && said.contains("note: goes on from `run.st`"), "{said}");
    let (ended, said) = run(&["--epochs", &all, "--save", "whole.st"]);
    assert!(ended, "{said}");
    let bytes = |name: &str| std::fs::read(file(&folder, name)).expect("it was written");
    assert!(bytes("resumed.st") == bytes("whole.st"));
    // It may be killed behind its last epoch too, before it has saved.
    let (went_on, said) =
        run(&["--epochs", &all, "--checkpoint", "run.st", "--resume", "--save", "again.st", "--plot", "none.svg"]);
    assert!(went_on && said.contains("no epoch was left"), "{said}");
    assert!(bytes("again.st") == bytes("whole.st"));
    let (went_on, said) = run(&["--epochs", "1", "--checkpoint", "run.st", "--resume"]);
    assert!(!went_on && said.contains("the checkpoint has seen"), "{said}");
    // A number of the text that the checkpoint has otherwise is said.
    std::fs::write(file(&folder, "iris.net"), text.replace("1e-2", "1e-3")).expect("it can be written");
    let (went_on, said) = run(&["--epochs", &all, "--checkpoint", "run.st", "--resume"]);
    assert!(went_on && said.contains("note: `rate` is 0.01, as in the checkpoint, and not 0.001"), "{said}");
    std::fs::write(file(&folder, "iris.net"), text).expect("it can be written");
    // The same command serves before there is a file: it begins where it would have begun without `--resume`.
    let (ended, said) = run(&["--epochs", "2", "--init", "whole.st", "--save", "begun.st"]);
    assert!(ended, "{said}");
    for saved in ["first.st", "second.st"] {
        let (ended, said) = run(&["--epochs", "2", "--init", "whole.st", "--checkpoint", "new.st", "--resume", "--save", saved]);
        assert!(ended && said.contains("there is no `new.st` yet") == (saved == "first.st"), "{said}");
        assert!(bytes(saved) == bytes("begun.st"), "{saved}");
    }
}

/// Whoever trains for days learns at once that nothing is written any more.
#[test]
fn a_checkpoint_that_cannot_be_written_is_said_while_the_run_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(file(&folder, "kept")).expect("a folder");
    let text = "Still { parameter p: [3] = normal(1); minimize sum(p * p); using sgd(1e-3); }";
    std::fs::write(file(&folder, "still.net"), text).expect("it can be written");
    let mut endless = Command::new(env!("CARGO_BIN_EXE_gradc"))
        .current_dir(folder.path())
        .args(["train", "still.net", "--epochs", "20000", "--checkpoint", "kept/run.st"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command was built");
    let started = std::time::Instant::now();
    while !file(&folder, "kept/run.st").exists() && started.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::fs::rename(file(&folder, "kept"), file(&folder, "gone")).expect("a folder");
    let said = BufReader::new(endless.stderr.take().expect("it is piped"));
    // The last epoch's line stands before what is said at the end.
    let mut lines = said.lines().map_while(|line| line.ok()).take_while(|line| !line.contains("epoch 20000/20000"));
    let is_said = lines.any(|line| line.contains("the last checkpoint was not written"));
    endless.kill().and_then(|()| endless.wait()).expect("it runs");
    assert!(is_said);
}
