//! Compiled code against the numbers of independent frameworks: f32 within 1e-4 over whole trajectories.

use gradc::{Dataset, Model, Options, compiler};
use std::path::Path;

#[path = "golden/cases.rs"]
mod cases;

use cases::{Case, SERVED, Values};
use compiler::ops::Array;

/// Largest difference, relative to the larger of the value and 1.
const TOLERANCE: f64 = 1e-4;

/// Tensors with a wider bound, as (words of the title, tensor, bound): parameters whose exact gradient is 0, so that adam divides what
/// rounding leaves of it by its own size and moves them by up to the rate in each of ten steps. They are a bias before a batch norm
/// (and the running mean behind it, and by its lag what is served) and the bias of attention's keys. Nothing else depends on them.
const WIDER: &[(&str, &str, f64)] = &[
    ("networks: batch_norm_", "m0.dense.bias", 0.1),
    ("networks: batch_norm_", "m1.batch_norm.running_mean", 0.1),
    ("networks: batch_norm_", SERVED, 0.05),
    ("networks: conv_bn_pool", "m0.conv2d.bias", 0.1),
    ("networks: conv_bn_pool", "m1.batch_norm.running_mean", 0.1),
    ("networks: conv_bn_pool", SERVED, 0.05),
    ("networks: attention", "m0.attention.bias", 0.1),
];

fn bound(title: &str, tensor: &str) -> f64 {
    WIDER.iter().find(|(words, name, _)| title.contains(words) && *name == tensor).map_or(TOLERANCE, |(_, _, bound)| *bound)
}

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
            _ => data.f32(name, shape, &values.data.iter().map(|value| *value as f32).collect::<Vec<_>>()),
        }
    })
}

/// What is unlike, in words.
fn unlike(what: &str, found: &[f32], expected: &[f64], bound: f64) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{what} has {} values, expected {}", found.len(), expected.len()));
    }
    let far = |(found, expected): (&f32, &f64)| {
        let found = f64::from(*found);
        let same = found == *expected || (found.is_nan() && expected.is_nan());
        !same && (found - expected).abs() > bound * expected.abs().max(1.0)
    };
    let at = found.iter().zip(expected).position(far)?;
    Some(format!("{what}[{at}] is {}, expected {}", found[at], expected[at]))
}

fn served(model: &Model, data: &Dataset, expected: &Option<Array>, when: &str, bound: f64) -> gradc::Result<Option<String>> {
    let Some(expected) = expected else { return Ok(None) };
    let all = model.predict_all(data)?;
    let found = all.iter().find(|(name, _)| name == SERVED).map(|(_, prediction)| prediction.values.clone()).unwrap_or_default();
    Ok(unlike(&format!("what is served {when}"), &found, &expected.data, bound))
}

/// Runs a case on compiled code; returns what is unlike.
fn run(case: &Case) -> gradc::Result<Vec<String>> {
    let front = compiler::driver::front(&case.training, &case.evaluation, String::new(), None)
        .map_err(|error| gradc::Error::Model(error.to_string()))?;
    let mut model = Model::compile(front, &Options::default())?;
    for (name, value) in &case.first {
        model.set_parameter(name, &value.data.iter().map(|value| *value as f32).collect::<Vec<_>>())?;
    }
    let data = data(&model, &case.fields)?;
    let mut wrong: Vec<String> = served(&model, &data, &case.expected.served_before, "before", TOLERANCE)?.into_iter().collect();
    let steps = case.expected.after.keys().copied().max().unwrap_or(0).max(case.expected.losses.len());
    let steps = if case.expected.gradient.is_empty() { steps } else { steps.max(1) };
    for step in 1..=steps {
        let history = model.fit(&data).batch(data.rows()).steps(1).shuffle(false).quiet().run()?;
        let loss = history.epochs[0].loss + history.epochs[0].penalty;
        if let Some(expected) = case.expected.losses.get(step - 1) {
            wrong.extend(unlike(&format!("loss before step {step}"), &[loss as f32], &[*expected], TOLERANCE));
        }
        if step == 1 {
            let (suffix, factor) = case.expected.moment;
            for (name, gradient) in &case.expected.gradient {
                let moment = model.parameter(&format!("{name}.{suffix}"))?;
                let found: Vec<f32> = moment.iter().map(|value| (f64::from(*value) / factor) as f32).collect();
                wrong.extend(unlike(&format!("gradient of {name}"), &found, &gradient.data, TOLERANCE));
            }
        }
        for (name, value) in case.expected.after.get(&step).into_iter().flatten() {
            wrong.extend(unlike(
                &format!("{name} after step {step}"),
                model.parameter(name)?,
                &value.data,
                bound(&case.title, name),
            ));
        }
    }
    wrong.extend(served(&model, &data, &case.expected.served_after, "after", bound(&case.title, SERVED))?);
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
