//! Shows what early stopping is for: a network far too large for 265 patients, trained to the end and trained until the validation loss stops falling.

use gradc::prelude::*;

network! {
    /// Diabetes: ten measurements of a patient in, how far the disease has progressed a year later out.
    pub Diabetes {
        input  patient:  [batch, 10];
        target progress: [batch, 1];

        let x = patient.standardize();
        let y = progress.standardize();
        let p = x.dense(128).relu().dense(128).relu().dense(1);

        predict  p.restore(progress);
        minimize p.mean_squared_error(y);
        using    adam(rate = 1e-3);
    }
}

fn main() -> gradc::Result<()> {
    let file = Dataset::csv("data/diabetes_data_raw.csv.gz").separator(' ').targets("data/diabetes_target.csv.gz");
    let [train, valid, test] = Diabetes::read(file)?.shuffled(1).split([0.6, 0.2, 0.2])?;
    let mut net = Diabetes::options().seed(1).compile()?;

    let whole = net.fit(&train).validate(&valid).batch(32).epochs(300).restore_best(false).quiet().run()?;
    let late = explained(&net, &test)?;
    println!("trained to the end: {}", whole.line());
    whole.plot("overfitting.svg")?;

    net.reset(1)?;
    let stopped = net.fit(&train).validate(&valid).batch(32).epochs(300).patience(20).quiet().run()?;
    let early = explained(&net, &test)?;
    println!("stopped early:      {}", stopped.line());
    stopped.plot("early_stopping.svg")?;

    println!("wrote overfitting.svg and early_stopping.svg");
    println!("stopped after {} of 300 epochs: test R² {early:.3}, without early stopping {late:.3}", stopped.epochs.len());
    Ok(())
}

/// R²: the part of the variance of the target that the predictions explain.
fn explained(net: &Diabetes, data: &Dataset) -> gradc::Result<f64> {
    let Some(data::Values::F32(truth)) = data.column("progress").map(|column| &column.values) else {
        return Ok(f64::NAN);
    };
    let mean = truth.iter().map(|&y| f64::from(y)).sum::<f64>() / truth.len() as f64;
    let total: f64 = truth.iter().map(|&y| (f64::from(y) - mean).powi(2)).sum();
    let served = net.predict(data)?;
    let left: f64 = served.values.iter().zip(truth).map(|(p, y)| f64::from(p - y).powi(2)).sum();
    Ok(1.0 - left / total)
}
