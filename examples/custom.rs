//! Shows activations, losses and optimizers of one's own, written in the language: those that the catalogue has too agree with it to the bit or nearly so, and others do what it cannot.

use gradc::data::Values;
use gradc::prelude::*;
use gradc::runtime::report::plot::{Panel, Series, plot_history};
use gradc::runtime::report::table::{Align, table};
use gradc::{Declaration, Epoch, Options};

network! {
    // In the catalogue: silu.
    fn swish(x, beta = 1) { x * sigmoid(beta * x) }

    // In the catalogue: huber.
    fn bent(p, y, delta = 1) {
        let off = (p - y).abs();
        mean(where(off <= delta, 0.5 * off * off, delta * (off - 0.5 * delta)))
    }

    // Not in the catalogue: like a square near 0, like a distance far away.
    fn log_cosh(p, y) {
        let off = (p - y).abs();
        mean(off + softplus(-2 * off) - log(2))
    }

    // Not in the catalogue: what is far off counts only by its logarithm.
    fn cauchy(p, y, scale = 1) {
        let off = (p - y) / scale;
        mean(log(1 + off * off))
    }

    // In the catalogue: momentum.
    optimizer heavy_ball(rate, beta = 0.9) {
        state m = zeros;
        m = beta * m - rate * gradient;
        theta = theta + m;
    }

    // In the catalogue: lion.
    optimizer signs(rate, beta1 = 0.9, beta2 = 0.99) {
        state m = zeros;
        theta = theta - rate * sign(beta1 * m + (1 - beta1) * gradient);
        m = beta2 * m + (1 - beta2) * gradient;
    }

    // In the catalogue: adam.
    optimizer own_adam(rate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8) {
        state m = zeros;
        state s = zeros;
        m = beta1 * m + (1 - beta1) * gradient;
        s = beta2 * s + (1 - beta2) * gradient * gradient;
        let mean = m / (1 - exp(step * log(beta1)));
        let size = s / (1 - exp(step * log(beta2)));
        theta = theta - rate * mean / (sqrt(size) + epsilon);
    }

    // Not in the catalogue (Zhuang et al., 2020): large steps where the gradient is as expected.
    optimizer adabelief(rate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8) {
        state m = zeros;
        state s = zeros;
        m = beta1 * m + (1 - beta1) * gradient;
        let surprise = gradient - m;
        s = beta2 * s + (1 - beta2) * surprise * surprise + epsilon;
        let mean = m / (1 - exp(step * log(beta1)));
        let size = s / (1 - exp(step * log(beta2)));
        theta = theta - rate * mean / (sqrt(size) + epsilon);
    }

    /// Diabetes: ten measurements of a patient in, how far the disease has progressed a year later out, all in the catalogue's words.
    pub BuiltIn {
        // The program puts the other losses and optimizers into variants.
        allow(unused_function);

        input  patient:  [batch, 10];
        target progress: [batch, 1];

        let y = progress / 100;
        let p = patient.standardize().dense(16, init = glorot).silu().dense(1);

        predict  100 * p;
        minimize p.huber(y, delta = 0.5);
        using    adam(rate = 3e-3);
        report   off = mean_absolute_error(100 * p, progress);
    }

    /// The same in words of one's own.
    pub Own {
        allow(unused_function);

        input  patient:  [batch, 10];
        target progress: [batch, 1];

        let y = progress / 100;
        let p = patient.standardize().dense(16, init = glorot).swish().dense(1);

        predict  100 * p;
        minimize p.bent(y, delta = 0.5);
        using    own_adam(rate = 3e-3);
        report   off = mean_absolute_error(100 * p, progress);
    }
}

const EPOCHS: u64 = 100;
const HUBER: &str = "p.huber(y, delta = 0.5)";
const ADAM: &str = "adam(rate = 3e-3)";

fn main() -> gradc::Result<()> {
    let file = Dataset::csv("data/diabetes_data_raw.csv.gz").separator(' ').targets("data/diabetes_target.csv.gz");
    let [train, test] = BuiltIn::read(file)?.shuffled(3).split([0.7, 0.3])?;
    let built_in = BuiltIn::declaration;
    let using = |optimizer: &str| -> gradc::Result<Declaration> { Ok(built_in()?.using(optimizer)?) };
    let minimizing = |loss: &str| -> gradc::Result<Declaration> { Ok(built_in()?.minimize(loss)?) };

    // What the catalogue has too: the same first weights and batches, one word in place of another.
    let pairs = [
        ("swish", "silu", Own::declaration()?.minimize(HUBER)?.using(ADAM)?, built_in()?),
        ("bent", "huber", minimizing("p.bent(y, delta = 0.5)")?, built_in()?),
        ("heavy_ball", "momentum", using("heavy_ball(rate = 0.01)")?, using("momentum(rate = 0.01)")?),
        ("signs", "lion", using("signs(rate = 1e-3)")?, using("lion(rate = 1e-3)")?),
        ("own_adam", "adam", using("own_adam(rate = 3e-3)")?, built_in()?),
        ("swish, bent, own_adam", "silu, huber, adam", Own::declaration()?, built_in()?),
    ];
    let (mut agree, mut rows) = (0, Vec::new());
    for (own, other, ours, theirs) in &pairs {
        let apart = apart(&trained(ours, &train, &test)?.0, &trained(theirs, &train, &test)?.0)?;
        agree += usize::from(apart <= 1e-6);
        let apart = if apart == 0.0 { "equal to the bit".into() } else { format!("at most {apart:.1e} apart") };
        rows.push([*own, *other, &apart].map(String::from).to_vec());
    }
    let weights = format!("weights after {EPOCHS} epochs");
    let words = [("of one's own", Align::Left), ("in the catalogue", Align::Left), (&weights, Align::Left)];
    println!("{}", table(&words, &rows));

    // What it has not, beside what it has.
    let variants = [
        ("mean_squared_error", minimizing("p.mean_squared_error(y)")?),
        ("huber", built_in()?),
        ("huber, own adabelief", using("adabelief(rate = 3e-3)")?),
        ("own log_cosh", minimizing("p.log_cosh(y)")?),
        ("own cauchy", minimizing("p.cauchy(y, scale = 0.5)")?),
    ];
    let spoiled = spoiled(&train)?;
    let (mut rows, mut curves, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for (name, declaration) in &variants {
        let sound = trained(declaration, &train, &test)?.0.evaluate(&test)?.metric("off");
        let (net, history) = trained(declaration, &spoiled, &test)?;
        errors.push(net.evaluate(&test)?.metric("off"));
        rows.push(vec![name.to_string(), format!("{sound:.1}"), format!("{:.1}", errors[errors.len() - 1])]);
        let error = |epoch: &Epoch| Some((epoch.epoch as f64, epoch.validation.as_ref()?.1[0]));
        let points = history.epochs.iter().filter_map(error).collect();
        curves.push(Series { name: name.to_string(), panel: Panel::Of("mean test error"), points });
    }
    let heads = [
        ("mean test error", Align::Left),
        ("trained on the data", Align::Right),
        ("a tenth of the targets ten times too large", Align::Right),
    ];
    print!("{}", table(&heads, &rows));
    plot_history("custom.svg", "A tenth of the targets ten times too large", "epoch", &curves)?;
    println!("wrote custom.svg");
    println!(
        "forms of one's own that agree with the catalogue's to 1e-6: {agree} of {}; on spoiled targets the own loss is off by {:.1}, the square by {:.1}",
        pairs.len(),
        errors[4],
        errors[0],
    );
    Ok(())
}

/// Trains a network from the same first weights, in the same order.
fn trained(declaration: &Declaration, train: &Dataset, test: &Dataset) -> gradc::Result<(Model, History)> {
    let mut net = Model::from_declaration(declaration, &Options::default())?;
    let fit = net.fit(train).validate(test).restore_best(false).batch(32).epochs(EPOCHS);
    let history = fit.threads(1).quiet().run()?;
    Ok((net, history))
}

/// The greatest difference between the weights of two networks.
fn apart(one: &Model, other: &Model) -> gradc::Result<f64> {
    let mut most: f64 = 0.0;
    for (name, _) in one.parameters() {
        let pairs = one.parameter(name)?.iter().zip(other.parameter(name)?);
        most = pairs.map(|(one, other)| f64::from((one - other).abs())).fold(most, f64::max);
    }
    Ok(most)
}

/// The same rows, with every tenth target as if its decimal point were lost.
fn spoiled(data: &Dataset) -> gradc::Result<Dataset> {
    let values = |name: &str| match data.column(name).map(|column| &column.values) {
        Some(Values::F32(values)) => values.clone(),
        _ => Vec::new(),
    };
    let mut progress = values("progress");
    progress.iter_mut().step_by(10).for_each(|y| *y *= 10.0);
    Dataset::new().f32("patient", &[10], values("patient"))?.f32("progress", &[1], &progress)
}
