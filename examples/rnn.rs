//! Shows why recurrent networks clip gradients: digits read two pixels at a time, with and without a limit on the gradient's norm, at rates that explode and at one that does not.

use gradc::prelude::*;
use gradc::runtime::report::plot::{Panel, Series, plot_history};
use gradc::runtime::report::table::{Align, table};
use gradc::{Error, Options};

network! {
    /// Handwritten digits as sequences: 32 times two pixels in, and the class from what is remembered at the end.
    pub Strips {
        setting eta = 0.1;

        input  pixels: [batch, 64];
        target digit:  class(10);

        let strips = pixels.standardize().reshape([32, 2]);
        let logits = strips.rnn(48).last().dense(10);

        predict  logits.softmax();
        minimize logits.cross_entropy(digit);
        using    sgd(rate = eta);
        report   accuracy = accuracy(logits, digit);
    }
}

/// What stands behind the optimizer.
const CLIPS: [&str; 4] = ["", ".clip_value(0.02)", ".clip_norm(0.15)", ".clip_global_norm(0.25)"];
const RATES: [f64; 3] = [0.1, 0.3, 1.0];
const STEPS: u64 = 800;
/// The rate of the runs that are drawn.
const DRAWN: f64 = 0.3;

fn main() -> gradc::Result<()> {
    let [train, test] = data::digits()?.shuffled(7).split([0.8, 0.2])?;
    let (mut rows, mut curves) = (Vec::new(), Vec::new());
    let mut least: f64 = 1.0;
    for clip in CLIPS {
        let name = if clip.is_empty() { "no clip" } else { &clip[1..] };
        let declaration = Strips::declaration()?.using(&format!("sgd(rate = eta){clip}"))?;
        let mut net = Model::from_declaration(&declaration, &Options::default())?;
        let mut cells = vec![name.to_string()];
        for rate in RATES {
            net.reset(0)?;
            net.set("eta", rate)?;
            cells.push(match net.fit(&train).batch(64).steps(STEPS).threads(1).quiet().run() {
                Ok(_) => {
                    let accuracy = net.evaluate(&test)?.metric("accuracy");
                    least = if clip.contains("global") { least.min(accuracy) } else { least };
                    format!("{accuracy:.3}")
                }
                Err(Error::Diverged { step, .. }) => format!("infinite in step {step}"),
                Err(error) => return Err(error),
            });
        }
        rows.push(cells);
        if clip.is_empty() || clip.contains("global") {
            curves.extend(drawn(name, &mut net, &train)?);
        }
    }
    let heads = RATES.map(|rate| format!("rate {rate}"));
    let heads = heads.iter().map(|head| (head.as_str(), Align::Right));
    let columns: Vec<(&str, Align)> = [("test accuracy", Align::Left)].into_iter().chain(heads).collect();
    print!("{}", table(&columns, &rows));
    plot_history("clipping.svg", &format!("Digits two pixels at a time, rate {DRAWN}"), "step", &curves)?;
    println!("wrote clipping.svg");
    println!("clipped by the global norm, the network has at every rate a test accuracy of at least {least:.3}");
    Ok(())
}

/// The loss of a run, and the norm of its gradient before it is clipped: the mean and the largest of each ten steps.
fn drawn(name: &str, net: &mut Model, train: &Dataset) -> gradc::Result<[Series; 2]> {
    net.reset(0)?;
    net.set("eta", DRAWN)?;
    let parameters: Vec<String> = net.parameters().map(|(parameter, _)| parameter.to_string()).collect();
    for parameter in &parameters {
        net.watch(&format!("{parameter}.gradient@every=1"))?;
    }
    let history = net.fit(train).batch(64).steps(STEPS).record_steps().threads(1).quiet().run()?;
    let mut squares = vec![0.0; history.steps.len()];
    for watched in net.take_watched() {
        squares[watched.step as usize - 1] += watched.values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
    }
    let tens = || (0..).map(|ten| f64::from(10 * ten + 5));
    let losses = history.steps.chunks(10).map(|ten| ten.iter().map(|step| step.loss).sum::<f64>() / ten.len() as f64);
    let norms = squares.chunks(10).map(|ten| ten.iter().copied().fold(0.0, f64::max).sqrt());
    let series = |panel, points| Series { name: name.to_string(), panel, points };
    Ok([series(Panel::Loss, tens().zip(losses).collect()), series(Panel::Norm, tens().zip(norms).collect())])
}
