//! Compiled code against the numbers of independent frameworks: f32 within 1e-4 over whole trajectories.

use gradc::{Dataset, Model, Options, compiler};
use std::path::Path;

#[path = "golden/cases.rs"]
mod cases;

use cases::{Case, SERVED, Values, unlike};
use compiler::ops::Array;

/// Largest difference; `cases::unlike` says relative to what.
const TOLERANCE: f64 = 1e-4;

fn data(model: &Model, fields: &Values) -> gradc::Result<Dataset> {
    use compiler::graph::Element;
    model.info().fields.iter().try_fold(Dataset::new(), |data, field| {
        let values = &fields[&field.name];
        let (name, shape) = (field.name.as_str(), &values.dims[1..]);
        match field.ty.element {
            Element::Class(classes) => {
                let labels: Vec<i64> = values.data.iter().map(|value| *value as i64).collect();
                data.classes(name, classes, shape, &labels)
            }
            _ => data.f32(name, shape, values.data.iter().map(|value| *value as f32).collect::<Vec<_>>()),
        }
    })
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

fn served(model: &Model, data: &Dataset, expected: &Option<Array>, when: &str) -> gradc::Result<Option<String>> {
    let Some(expected) = expected else { return Ok(None) };
    let all = model.predict_all(data)?;
    let found = all.iter().find(|(name, _)| name == SERVED).map(|(_, prediction)| wide(&prediction.values)).unwrap_or_default();
    Ok(unlike(&format!("what is served {when}"), &found, &expected.data, TOLERANCE))
}

/// Runs a case on compiled code; returns what is unlike.
///
/// A parameter whose exact gradient is 0 goes in f32 where rounding sends it (`residues` in `golden/cases.rs`): its gradient is compared,
/// its value is not, and neither is what hangs on it alone, the running mean behind a bias and with it what is served. All of these are
/// compared in a case of their own, which holds such parameters still.
fn run(case: &Case) -> gradc::Result<Vec<String>> {
    let front = compiler::pipeline::front(&case.training, &case.evaluation, String::new(), None)
        .map_err(|error| gradc::Error::Model(error.to_string()))?;
    let mut model = Model::compile(front, &Options::default())?;
    for (name, value) in &case.first {
        model.set_parameter(name, &value.data.iter().map(|value| *value as f32).collect::<Vec<_>>())?;
    }
    let data = data(&model, &case.fields)?;
    let expected = &case.expected;
    let mut wrong: Vec<String> = served(&model, &data, &expected.served_before, "before")?.into_iter().collect();
    let steps = expected.after.keys().copied().max().unwrap_or(0).max(expected.losses.len());
    let steps = if expected.gradient.is_empty() { steps } else { steps.max(1) };
    let strays = expected.still().next().is_some();
    for step in 1..=steps {
        let history = model.fit(&data).batch(data.rows()).steps(1).shuffle(false).quiet().run()?;
        let loss = history.epochs[0].loss + history.epochs[0].penalty;
        if let Some(expected) = expected.losses.get(step - 1) {
            wrong.extend(unlike(&format!("loss before step {step}"), &[loss], &[*expected], TOLERANCE));
        }
        if step == 1 {
            let (suffix, factor) = expected.moment;
            for name in expected.gradient.keys() {
                let found: Vec<f64> =
                    wide(model.parameter(&format!("{name}.{suffix}"))?).iter().map(|value| value / factor).collect();
                wrong.extend(expected.unlike_gradient(name, &found, TOLERANCE));
            }
        }
        for (name, value) in expected.after.get(&step).into_iter().flatten() {
            let is_state = !expected.gradient.is_empty() && !expected.gradient.contains_key(name);
            if strays && is_state {
                continue;
            }
            let compared = |place: &usize| !expected.is_residue(name, *place);
            let (found, value) = (wide(model.parameter(name)?), &value.data);
            let (found, value): (Vec<f64>, Vec<f64>) =
                (0..value.len()).filter(compared).map(|place| (found[place], value[place])).unzip();
            wrong.extend(unlike(&format!("{name} after step {step}"), &found, &value, TOLERANCE));
        }
    }
    if !strays {
        wrong.extend(served(&model, &data, &expected.served_after, "after")?);
    }
    Ok(wrong)
}

/// Every second case, beginning with the first or the second: two tests run side by side.
fn check(first: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let all: Vec<Case> = cases::all(&folder).into_iter().filter_map(|(_, case)| case.ok()).collect();
    assert!(all.len() > 50, "the cases are gone");
    let mut wrong = Vec::new();
    for case in all.iter().skip(first).step_by(2) {
        match run(case) {
            Ok(found) => wrong.extend(found.into_iter().take(2).map(|what| format!("{}: {what}", case.title))),
            Err(error) => wrong.push(format!("{}: {error}", case.title)),
        }
    }
    assert!(wrong.is_empty(), "{} things are unlike:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn compiled_code_agrees_with_the_frameworks_on_even_cases() {
    check(0);
}

#[test]
fn compiled_code_agrees_with_the_frameworks_on_odd_cases() {
    check(1);
}
