//! What is asked of the command is done or refused, with a reason that can be read: no flag is ignored, no file is half used without a word.

use gradc::runtime::checkpoint;
use std::path::Path;
use std::process::{Command, Stdio};

const NETWORK: &str = "T { input x: [batch, 2]; target y: [batch, 1]; let h = x.dense(3).tanh(); let p = h.dense(1); \
                       predict p; minimize p.mean_squared_error(y); using sgd(0.1); }";
const ROWS: &str = "a,b,c\n1,2,3\n4,5,6\n7,8,9\n2,1,4\n";

/// A folder with files; each command runs in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("t.net", NETWORK), ("rows.csv", ROWS)].iter().chain(files) {
            std::fs::write(folder.path().join(name), text).expect("it is written");
        }
        Folder(folder)
    }
    /// The exit code, and what is said on both streams.
    fn run(&self, line: &str) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gradc"));
        let output = command.current_dir(self.0.path()).args(words(line)).stdin(Stdio::null()).output();
        let output = output.expect("the command was built");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
    fn done(&self, line: &str) -> (String, String) {
        let (code, out, said) = self.run(line);
        assert_eq!(code, Some(0), "{line}: {said}");
        (out, said)
    }
    fn refused(&self, line: &str, parts: &[&str]) {
        let (code, _, said) = self.run(line);
        assert!(matches!(code, Some(1 | 2)), "{line}: {code:?} {said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} is not in what `{line}` says:\n{said}");
        }
        for broken in ["cannot be this", "cannot be nothing", "cannot be for", "cannot be something", "()`", "load_matching"] {
            assert!(!said.contains(broken), "{line}: {said}");
        }
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Words of a line; `''` is an empty one.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(' ').map(|word| if word == "''" { "" } else { word })
}

/// A gradient that is no number says by what, where, and what to do.
#[test]
fn a_check_names_what_became_nan() {
    let log = NETWORK.replace("predict p;", "predict p;\n").replace("p.mean_squared_error(y)", "log(p - 9).mean()");
    let folder = Folder::new(&[("log.net", &log)]);
    let help = "help: `log` takes numbers above 0";
    folder.refused("check log.net", &["gradients of T are off\n", "log %", "from log.net:2:", "\n  log of -", " is NaN\n", help]);
}

#[test]
fn no_flag_is_ignored() {
    let folder = Folder::new(&[]);
    folder.done("dump t.net --all stages");
    for (line, parts) in [
        ("train t.net --split 0.5,0.5", &["--data"][..]),
        ("train t.net --data rows.csv --batch 2 --least 0.1", &["`--least`", "validation", "`--split`"]),
        ("train t.net --data rows.csv --batch 2 --monitor loss", &["`--monitor`", "validation", "`--split`"]),
        ("train t.net --data rows.csv --batch 2 --threads 0", &["--threads", "1..=1024"]),
        ("profile t.net --data rows.csv --batch 2 --threads 0", &["--threads", "1..=1024"]),
        ("check t.net --data rows.csv", &["`--data`", "`--signal`", "random rows"]),
        ("train t.net --skip 1", &["--data"]),
        ("train t.net --data rows.csv --batch 2 --split 0.5,0.5 --least -1", &["`--least` cannot be -1", "at least 0"]),
        ("train t.net --data rows.csv --seed -1", &["'-1'", "--seed"]),
        ("check t.net --set a=1 --set b=2 --set a=3", &["`--set`", "twice for `a`"]),
        ("diff t.net --stage 02 --stage 03 --stage 04", &["`--stage`", "3 times"]),
        ("diff t.net t.net --stage 02 --stage 03", &["`--stage`", "one stage of two networks"]),
        ("run-stage stages/04-simplified.txt --entry zz", &["`--entry`", "graph"]),
        ("run-stage stages/06-loops.txt --entry zz", &["`zz`", "entries: "]),
        ("run-stage stages/04-simplified.txt --batch 0", &["--batch", "at least 1"]),
        ("draw t.net -o t.svg --batch 0", &["--batch", "at least 1"]),
        ("dump t.net --stage ''", &["`--stage`", "01-declaration"]),
        ("dump t.net --stage 0", &["`--stage`", "01-declaration"]),
        ("show t.net --stage 0", &["`--stage`", "01-declaration"]),
    ] {
        folder.refused(line, parts);
    }
    // What has a meaning goes on having it.
    folder.done("train t.net --data rows.csv --batch 1 --split 0.5,0.5 --least 0.1 --monitor loss --threads 1");
    folder.done("dump t.net --stage 04");
    folder.done("run-stage stages/06-loops.txt --entry predict");
}

/// What a message calls a tab, the flag takes for one.
#[test]
fn exit_codes_tell_the_command_line_from_what_it_names() {
    let folder = Folder::new(&[("wrong.net", "A {"), ("wrong.csv", "1\n")]);
    for (code, line) in [
        (2, "train t.net --data rows.csv --epochs none"),
        (2, "train t.net --data rows.csv --epochs 0"),
        (2, "train t.net --data rows.csv --batch 2 --patience 3"),
        (2, "train t.net --data rows.csv --split 0.5,0.6"),
        (2, "train t.net"),
        (2, "dump t.net --stage 99"),
        (2, "explain t.net"),
        (2, "explain nothing_like_it"),
        (2, "new 9lives"),
        (2, "new gradc"),
        (1, "train wrong.net --data rows.csv"),
        (1, "train t.net --data wrong.csv"),
        (1, "train t.net --data nowhere.csv"),
    ] {
        let (found, _, said) = folder.run(line);
        assert_eq!(found, Some(code), "{line}: {said}");
    }
    folder.refused("explain t.net --node %3 --in 42", &["`--in` cannot be `42`"]);
}

#[test]
fn a_separator_is_named_as_messages_name_it() {
    let tabs = ROWS.replace(',', "\t");
    let folder = Folder::new(&[("tabs.csv", &tabs)]);
    folder.refused("train t.net --data tabs.csv --batch 2", &["separated by '\\t': set it with `--separator`"]);
    folder.done("train t.net --data tabs.csv --batch 2 --separator \\t");
}

#[test]
fn messages_are_sentences_in_the_words_of_the_command() {
    let files = [
        (
            "silent.net",
            "S { input x: [batch, 2]; target y: [batch, 1]; let p = x.dense(1); minimize p.mean_squared_error(y); using sgd(0.1); }",
        ),
        ("relu.net", &NETWORK.replace("tanh", "relu")),
        ("normal.net", &NETWORK.replace(".tanh", ".batch_norm().tanh")),
        ("wide.net", &NETWORK.replace("dense(3)", "dense(1000000000000)")),
        ("none.txt", "hello"),
    ];
    let folder = Folder::new(&files);
    folder.done("dump t.net --all stages");
    folder.done("train t.net --data rows.csv --batch 2 --save t.st");
    folder.done("train silent.net --data rows.csv --batch 2 --save silent.st");
    for (line, parts) in [
        (
            "predict silent.net --data rows.csv --weights silent.st",
            &["`S` cannot be asked for a prediction", "a network with `predict`"][..],
        ),
        ("opt none.txt", &["this is no stage that can be read back", "in none.txt"]),
        ("opt -", &["this is no stage that can be read back", "in stdin"]),
        ("opt stages/04-simplified.txt --pass fuze", &["`--pass` cannot be `fuze`", "one of: release, ", "fuse"]),
        ("opt stages/04-simplified.txt --pass fuse --pass dead", &["`--pass` cannot be `fuse`", "as the last, fuse"]),
        ("opt stages/04-simplified.txt --pass fuse --fuel 1", &["`--fuel` cannot be used where no pass rewrites"]),
        ("opt stages/06-loops.txt", &["the file holds loops; expected a graph", "in stages/06-loops.txt"]),
        ("run-stage stages/04-simplified.txt --input zz=1", &["error: nothing is called `zz`", "in stages/04-simplified.txt"]),
        ("run-stage stages/04-simplified.txt --batch 100000000", &["error: for 100000000 rows it asks for"]),
        ("explain t.net --fusion --unit zz", &["`--unit` cannot be `zz`", "one of: initialize, train"]),
        ("explain --fusion", &["`FILE` cannot be left out"]),
        ("explain t.net", &["`FILE` cannot be `t.net` alone", "--gradient"]),
        ("evaluate relu.net --data rows.csv --weights t.st", &["other formulas", "`train --init`"]),
        ("train normal.net --data rows.csv --batch 3", &["1 row", "`--drop-last`"]),
        ("train wide.net --data rows.csv --batch 2", &["states of layers and optimizer 0 bytes"]),
        ("evaluate t.net --weights t.st", &["`--data` cannot be left out", "`x` f32[n, 2], `y` f32[n, 1]"]),
    ] {
        folder.refused(line, parts);
    }
}

#[test]
fn columns_that_are_named_as_targets_are_the_targets() {
    let two = "T { input x: [batch, 1]; target y: [batch, 1]; target z: [batch, 1]; let p = x.dense(1); predict p; \
               minimize p.mean_squared_error(y) + p.mean_squared_error(z); using sgd(0.001); }";
    let folder = Folder::new(&[("two.net", two)]);
    let train = "--data rows.csv --batch 4";
    folder.refused(
        &format!("train t.net {train} --target a --target b"),
        &["targets: `a`, `b`; expected 1: `y` f32[1]", "(`--target`)"],
    );
    folder.refused(&format!("train two.net {train} --target a"), &["targets: `a`; expected 2: `y` f32[1], `z` f32[1]"]);
    folder.done(&format!("train t.net {train} --target a"));
    let (seen, _) =
        folder.done(&format!("train two.net {train} --target c --target a --steps 1 --shuffle false --watch x --json"));
    assert!(seen.contains("\"values\":[2.0,5.0,8.0,1.0]"), "{seen}");
}

#[test]
fn a_file_that_fits_in_part_is_said_to() {
    let folder = Folder::new(&[("other.net", &NETWORK.replace("h = x", "g = x").replace("h.dense", "g.dense"))]);
    let (_, said) = folder.done("train t.net --data rows.csv --batch 2 --save t.st");
    assert!(!said.contains("note"), "{said}");
    let (_, said) = folder.done("train other.net --data rows.csv --batch 2 --init t.st --save other.st");
    let expected = "note: 2 of 4 tensors of the network come from `t.st`
  taken                   p.dense.weight, p.dense.bias
  missing in the file     g.dense.weight, g.dense.bias
  unknown to the network  h.dense.bias, h.dense.weight
";
    assert!(said.contains(expected), "{said}");
    let (_, said) = folder.done("train t.net --data rows.csv --batch 2 --init t.st");
    assert!(!said.contains("note"), "{said}");
    checkpoint::save(folder.path().join("none.st"), &[("q", &[1], &[1.0])], &Default::default()).expect("it is written");
    folder.refused(
        "train t.net --data rows.csv --batch 2 --init none.st",
        &["missing in the file (4)", "unknown to the network (1): `q`"],
    );
}

#[test]
fn parameters_that_are_no_numbers_are_refused_or_a_warning() {
    let folder = Folder::new(&[]);
    folder.done("train t.net --data rows.csv --batch 2 --save t.st");
    let mut held = checkpoint::load(folder.path().join("t.st")).expect("a checkpoint").tensors;
    held.get_mut("p.dense.bias").expect("a bias").1[0] = f32::NAN;
    let tensors: Vec<_> = held.iter().map(|(name, (shape, values))| (&name[..], &shape[..], &values[..])).collect();
    checkpoint::save(folder.path().join("nan.st"), &tensors, &Default::default()).expect("it is written");
    for line in ["evaluate t.net --data rows.csv --weights nan.st", "predict t.net --data rows.csv --weights nan.st"] {
        let words =
            ["1 of 1 values of `p.dense.bias` are NaN or infinite", "in nan.st", "`train --init` takes this one as it is"];
        folder.refused(line, &words);
    }
    let (code, _, said) = folder.run("train t.net --data rows.csv --batch 2 --init nan.st");
    assert!(said.contains("warning: 1 of 1 values of `p.dense.bias` in `nan.st` are NaN or infinite"), "{said}");
    assert!(code == Some(1) && said.contains("there is no other state to go back to"), "{said}");
    let (_, said) = folder.done("evaluate t.net --data rows.csv --weights t.st");
    assert!(said.is_empty(), "{said}");
}

/// What is written to a device or a pipe cannot be gone on from; a pipe would keep the run waiting for a reader.
#[test]
fn a_checkpoint_is_a_file() {
    let folder = Folder::new(&[]);
    for more in ["", " --resume"] {
        let line = format!("train t.net --data rows.csv --batch 2 --checkpoint /dev/null{more}");
        folder.refused(&line, &["`--checkpoint` cannot be `/dev/null`, which is no file", "from which the training can go on"]);
    }
}

/// A training that goes on counts all of its steps, and says what is otherwise than in the run that was ended.
#[test]
fn a_training_that_goes_on_counts_from_its_start() {
    let folder = Folder::new(&[("others.csv", &ROWS.replace("7,8,9", "7,8,10"))]);
    let train = |data: &str, batch: u32, steps: u32| {
        let line = format!("train t.net --data {data} --batch {batch} --steps {steps} --checkpoint run.st --resume");
        folder.done(&line).1
    };
    train("rows.csv", 2, 4);
    let said = train("rows.csv", 2, 8);
    assert!(said.contains("step 8/8 ") && !said.contains("/4 "), "{said}");
    assert!(!said.contains("otherwise"), "{said}");
    let said = train("others.csv", 1, 12);
    assert!(said.contains("note: the training goes on otherwise than it began"), "{said}");
    assert!(said.contains("rows of a batch: 1, before 2; training rows: 4 with the digest"), "{said}");
}

/// A schedule that leads to the last step leads elsewhere if that is another one.
#[test]
fn a_training_that_goes_on_for_longer_says_where_its_schedule_leads() {
    let folder = Folder::new(&[("c.net", &NETWORK.replace("sgd(0.1)", "sgd(cosine(0.1))"))]);
    let train = |epochs: u32| {
        let line = format!("train c.net --data rows.csv --batch 2 --epochs {epochs} --checkpoint run.st --resume");
        folder.done(&line).1
    };
    train(2);
    assert!(!train(2).contains("otherwise"));
    let said = train(3);
    assert!(said.contains("the last step, to which a schedule leads: 6, before 4"), "{said}");
}

#[test]
fn no_metric_hides_the_tables() {
    let net = "T { input x: [batch, 2]; target y: class(3); let p = x.dense(3); predict p; minimize p.cross_entropy(y); using sgd(0.1); \
               report tables = accuracy(p, y), notes = accuracy(p, y), counts = confusion_matrix(p, y); }";
    let folder = Folder::new(&[("c.net", net), ("c.csv", "1,2,0\n3,4,1\n2,2,1\n")]);
    let (out, _) = folder.done("train c.net --data c.csv --batch 3 --json");
    let end: serde_json::Value = serde_json::from_str(out.lines().last().expect("a line")).expect("an object");
    let training = &end["training"];
    assert!(training["tables"].is_number() && training["notes"].is_number() && training["counts"].is_number(), "{training}");
    assert_eq!(training["tables_"]["counts"].as_array().map(Vec::len), Some(3), "{training}");
}

#[test]
fn a_network_without_inputs_needs_no_data() {
    let net = "T { parameter x: [2] = constant(3); predict x; minimize sum(x * x); using sgd(0.1); }";
    let folder = Folder::new(&[("n.net", net)]);
    let (out, _) = folder.done("train n.net --steps 5 --save n.st");
    assert!(out.contains("\ntraining  none  1.9327"), "{out}");
    let (out, _) = folder.done("evaluate n.net --weights n.st");
    assert!(out.contains("\ndata  none  1.9327"), "{out}");
    let (out, _) = folder.done("predict n.net --weights n.st");
    let [head, row] = out.lines().collect::<Vec<_>>()[..] else { panic!("{out}") };
    assert_eq!(head, "prediction.0,prediction.1");
    assert!(row.split(',').all(|value| (value.parse::<f64>().expect("a number") - 3.0 * 0.8f64.powi(5)).abs() < 1e-5), "{row}");
    folder.done("profile n.net --steps 2");
    for command in ["train n.net", "evaluate n.net --weights n.st", "predict n.net --weights n.st"] {
        folder.refused(&format!("{command} --data rows.csv"), &["`--data`", "`T`, which has no inputs"]);
    }
    folder.refused("profile n.net --steps 2 --batch 5", &["--batch", "`T`, which has no rows", "left out"]);
    folder.done("profile t.net --data rows.csv --steps 2");
    for flag in ["--batch 5", "--shuffle false", "--drop-last"] {
        let name = flag.split(' ').next().unwrap_or_default();
        folder.refused(&format!("train n.net {flag}"), &[name, "`T`, which has no rows", "left out"]);
    }
}

#[test]
fn a_list_of_stages_is_one_of_a_network() {
    let folder = Folder::new(&[("broken.net", "T { input x: [batch, 2] }")]);
    assert!(folder.done("dump t.net").0.starts_with("01-declaration "));
    folder.refused("dump broken.net", &["broken.net:1:24"]);
    folder.refused("dump missing.net", &["missing.net"]);
}

#[test]
fn columns_are_chosen_of_the_second_file_too() {
    let folder = Folder::new(&[("second.csv", "id,kind,y\n1,left,3\n2,right,6\n3,left,9\n4,left,4\n")]);
    folder.done("train t.net --data rows.csv --targets second.csv --columns a,b,y --batch 2");
    let classes = NETWORK
        .replace("y: [batch, 1]", "y: class(2)")
        .replace("h.dense(1)", "h.dense(2)")
        .replace("mean_squared_error", "cross_entropy");
    std::fs::write(folder.path().join("c.net"), classes).expect("it is written");
    folder.done("train c.net --data rows.csv --targets second.csv --columns a,b,kind --categories kind --batch 2");
    folder.refused("train t.net --data rows.csv --targets second.csv --columns a,b,z --batch 2", &["no column `z`", "`kind`"]);
}

#[test]
fn a_loss_to_which_no_row_counts_is_a_note() {
    let ignores = "T { input x: [batch, 2]; target y: class(3); let p = x.dense(3); predict p; minimize p.cross_entropy(y, ignore = 1); using sgd(0.1); }";
    let weighs = "T { input x: [batch, 2]; target y: [batch, 1]; target w: [batch]; let p = x.dense(1); predict p; \
                  minimize p.mean_squared_error(y, weights = w); using sgd(0.1); }";
    let files = [("i.net", ignores), ("w.net", weighs), ("i.csv", "1,2,1\n3,4,1\n"), ("w.csv", "1,2,1,0\n3,4,1,0\n")];
    let folder = Folder::new(&files);
    for name in ["i", "w"] {
        for further in ["", " --reference"] {
            let (out, said) = folder.done(&format!("train {name}.net --data {name}.csv --batch 1{further} --save {name}.st"));
            assert!(out.contains("note: in training the loss is exactly 0") && said.contains("note: in training"), "{out}{said}");
        }
    }
    folder.refused("evaluate i.net --data w.csv --weights i.st", &["4 columns"]);
    let files = [("i.net", ignores), ("i.csv", "1,2,1\n3,4,2\n")];
    let (out, said) = Folder::new(&files).done("train i.net --data i.csv --batch 1");
    assert!(!out.contains("note") && !said.contains("note"), "{out}{said}");
}

/// A graph that someone has changed by hand: each mistake has its line, and nothing panics.
#[test]
fn a_changed_graph_says_in_which_line_it_is_wrong() {
    let graph = "graph A\n  %0 = input \"x\" : f32[n, 4]\n  %1 = parameter \"w\" : f32[4]\n  %2 = exp %0 : f32[n, 4]\n\
                 \x20 output \"y\" = %2\n  update %1 = %1\n";
    let folder = Folder::new(&[("a.txt", graph)]);
    folder.done("opt a.txt");
    for (before, after, expected) in [
        ("exp %0 :", "exp %9 :", "line 4: %2 = exp uses %9 before it is made"),
        ("exp %0 :", "expp %0 :", "line 4: no primitive is called expp; perhaps exp"),
        ("exp %0 :", "add %0 :", "line 4: %2 = add: takes 2 operands, got 1"),
        ("exp %0 : f32[n, 4]", "exp %0 : f32[n, 5]", "line 4: %2 = exp says f32[n, 5] but is f32[n, 4]"),
        ("%2 = exp", "%7 = exp", "line 4: expected %2, found %7"),
        ("\"y\" = %2", "\"y\" = %7", "line 5: a root asks for %7, which does not exist"),
        ("update %1 = %1", "update %1 = %2", "line 6: update of %1 f32[4] by f32[n, 4]"),
        ("update %1 = %1", "output \"y\" = %0", "line 6: another output is called \"y\""),
    ] {
        std::fs::write(folder.path().join("b.txt"), graph.replace(before, after)).expect("it is written");
        for command in ["opt b.txt", "opt b.txt --pass fuse", "run-stage b.txt"] {
            folder.refused(command, &[expected, "in b.txt", "change this line"]);
        }
    }
}

/// Where one prediction is of classes, a number beside it is no reason to refuse their names.
#[test]
fn classes_are_named_beside_predictions_of_numbers() {
    let net = "B { input x: [batch, 2]; target y: class(2); let l = x.dense(2); let n = x.dense(1); predict kind = l, size = n; \
               minimize l.cross_entropy(y) + 0 * mean(n); using sgd(0.1); }";
    let folder = Folder::new(&[("b.net", net), ("kinds.csv", "a,b,kind\n1,2,yes\n3,4,no\n")]);
    let data = "--data kinds.csv --categories kind";
    folder.done(&format!("train b.net {data} --batch 2 --save b.st --checkpoint b.ck"));
    let (all, _) = folder.done(&format!("predict b.net {data} --weights b.st"));
    let (named, _) = folder.done(&format!("predict b.net {data} --weights b.st --classes"));
    for (all, named) in all.lines().zip(named.lines()).skip(1) {
        let (all, named): (Vec<&str>, Vec<&str>) = (all.split(',').collect(), named.split(',').collect());
        assert!(["yes", "no"].contains(&named[0]) && named[1..] == all[2..], "{all:?} {named:?}");
    }
    // The names are kept with the parameters: data without answers do not know them, and data with others are refused.
    for (file, rows) in [("new.csv", "a,b\n1,2\n3,4\n"), ("other.csv", "a,b,kind\n1,2,yes\n3,4,maybe\n")] {
        std::fs::write(folder.path().join(file), rows).expect("it is written");
    }
    let (again, _) = folder.done("predict b.net --data new.csv --weights b.st --classes");
    assert_eq!(again, named);
    for command in ["evaluate b.net --weights b.st", "train b.net --batch 2 --checkpoint b.ck --resume --epochs 2"] {
        let command = format!("{command} --data other.csv --categories kind");
        folder.refused(&command, &["`y` are maybe, yes", "expected no, yes", "--categories COLUMN=A,B,C"]);
    }
}
