//! What the user reads.

use super::*;
use crate::history::Epoch;

#[test]
fn cause_place_and_help_are_lines_of_their_own() {
    let error = Error::Data {
        file: Some("ages.csv".into()),
        row: Some(812),
        column: Some(3),
        found: "\"age\" is NaN".into(),
        expected: "a finite number".into(),
        help: "leave the row out".into(),
    };
    let text = "\"age\" is NaN; expected a finite number\n  in ages.csv, line 812, column 3\nhelp: leave the row out";
    assert_eq!(error.to_string(), text);
    assert_eq!(format!("{error:?}"), text);
}

#[test]
fn every_kind_ends_in_one_help() {
    let io = std::io::Error::from(std::io::ErrorKind::NotFound);
    let errors = [
        Error::Shape { name: "pixels".into(), found: vec![65], expected: vec![64], help: "drop one".into() },
        Error::read(Path::new("a.csv"), io),
        Error::Checkpoint { file: None, found: "cut off".into(), expected: "".into(), help: "copy it again".into() },
        Error::Parameters { file: None, missing: vec!["a.weight".into()], extra: vec![], unlike: vec![] },
        Error::setting("batch", 0, "at least 1"),
        Error::Diverged { step: 3, loss: f64::NAN, kept: None, node: None, place: None, why: None, remedy: None, history: None },
        Error::Internal { pass: "fusion".into(), text: "a cycle".into() },
    ];
    for error in errors {
        let text = error.to_string();
        assert_eq!(text.matches("\nhelp: ").count(), 1, "{text}");
        assert!(text.lines().all(|line| line.trim_end() == line && !line.is_empty()), "{text}");
    }
}

#[test]
fn divergence_says_where_it_began() {
    let epochs = [(1, 0.9), (2, 0.5), (3, 0.41)].map(|(epoch, loss)| Epoch { epoch, loss, ..Epoch::default() }).to_vec();
    let history = History { epochs, ..History::default() };
    let error = Error::Diverged {
        step: 1042,
        loss: f64::INFINITY,
        kept: Some(1041),
        node: Some("%37 log".into()),
        place: Some("model.rs:14:30".into()),
        why: Some("log of -0.25 is NaN".into()),
        remedy: None,
        history: Some(Box::new(history)),
    };
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "the loss became infinite at step 1042");
    assert_eq!(lines[1], "  first in %37 log, from model.rs:14:30");
    assert_eq!(lines[2], "  log of -0.25 is NaN");
    assert_eq!(lines[3], "  after epoch 3 with loss 0.41000");
    assert!(lines[4].starts_with("help: the parameters are those before this step; "), "{text}");
    for (kept, part) in [(Some(1039), "before step 1040, whose update made them"), (None, "no other state to go back to")] {
        let error =
            Error::Diverged { step: 1042, loss: f64::NAN, kept, node: None, place: None, why: None, remedy: None, history: None };
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn long_lists_are_cut_and_counted() {
    let missing = (0..25).map(|turn| format!("h.{turn}.dense.weight")).collect();
    let unlike = vec![Unlike { name: "out.weight".into(), found: vec![10, 128], expected: vec![128, 10] }];
    let text = Error::Parameters { file: None, missing, extra: vec![], unlike }.to_string();
    assert!(text.contains("missing in the file (25): `h.0.dense.weight`, "), "{text}");
    assert!(text.contains("`h.9.dense.weight` and 15 more"), "{text}");
    assert!(text.contains("`out.weight`: [10, 128] in the file, [128, 10] in the network (the transpose"), "{text}");
    assert!(!text.contains("unknown to the network"), "{text}");
}
