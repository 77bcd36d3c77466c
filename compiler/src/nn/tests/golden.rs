//! Every golden case that the catalogue has words for, whole trajectories included.

use super::trial::{Values, advance, beginning, training_step};
use crate as compiler;
use crate::ops::Array;
use crate::step;
use std::path::{Path, PathBuf};

#[path = "../../../../tests/golden/cases.rs"]
mod cases;

use cases::{Case, SERVED, unlike};

/// Largest difference from a framework's f64; `cases::unlike` says relative to what.
const TOLERANCE: f64 = 1e-9;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

fn run(case: &Case) -> Vec<String> {
    let mut wrong = Vec::new();
    let step = training_step(&case.training);
    let mut sources: Values = beginning(&case.training, &step);
    sources.extend(case.fields.clone());
    sources.extend(case.first.clone());
    let batch = case.fields.values().next().map_or(1, |field| field.dims[0]);
    let serving = step::prediction(&case.evaluation);
    let mut served = |sources: &mut Values, expected: &Option<Array>, when: &str| {
        let Some(expected) = expected else { return };
        let found = advance(&serving, sources, batch, 0);
        wrong.extend(unlike(&format!("served {when}"), &found[SERVED].data, &expected.data, TOLERANCE));
    };
    served(&mut sources, &case.expected.served_before, "before");
    let mut found = Vec::new();
    for (index, loss) in case.expected.losses.iter().enumerate() {
        let number = index + 1;
        let outputs = advance(&step.graph, &mut sources, batch, number as u64);
        let total = outputs.get(step::TOTAL).unwrap_or(&outputs["loss"]);
        found.extend(unlike(&format!("loss of step {number}"), &total.data, &[*loss], TOLERANCE));
        if index == 0 {
            let (moment, factor) = case.expected.moment;
            for name in case.expected.gradient.keys() {
                let state: Vec<f64> = sources[&format!("{name}.{moment}")].data.iter().map(|value| value / factor).collect();
                found.extend(case.expected.unlike_gradient(name, &state, TOLERANCE));
            }
        }
        for (name, value) in case.expected.after.get(&number).into_iter().flatten() {
            found.extend(unlike(&format!("{name} after step {number}"), &sources[name].data, &value.data, TOLERANCE));
        }
    }
    served(&mut sources, &case.expected.served_after, "after");
    wrong.extend(found);
    wrong
}

#[test]
fn every_case_agrees_with_its_framework() {
    let mut wrong = Vec::new();
    let mut not_covered = String::new();
    for (title, case) in cases::all(&folder()) {
        match case {
            Ok(case) => wrong.extend(run(&case).into_iter().map(|what| format!("{}: {what}", case.title))),
            Err(_) => not_covered += &format!("{title}\n"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    print!("not covered:\n{not_covered}");
    let mut failures = Vec::new();
    crate::language::blessed::check(&folder().join("not_covered.txt"), &not_covered, &mut failures);
    crate::language::blessed::assert_none(&failures);
}
