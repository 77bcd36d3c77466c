//! Compares all optimizers of the catalogue, each at the best of its rates: their ways down a bent valley as a picture, and their losses on handwritten digits as curves and a table.

use gradc::compiler::nn::optimizers::LIST;
use gradc::prelude::*;
use gradc::runtime::report::plot::{Panel, Series, plot_history};
use gradc::runtime::report::table::{Align, table};
use gradc::{Declaration, Error, Options};
use std::fmt::Write as _;

network! {
    /// Rosenbrock's valley, ten times flatter: its floor is the parabola b = a², its lowest point (1, 1).
    pub Valley {
        setting eta = 0.1;

        parameter point: [2] = zeros;

        let a = point.slice(0, 0, 1);
        let b = point.slice(0, 1, 2);

        predict  point;
        minimize sum((1 - a) * (1 - a) + 10 * (b - a * a) * (b - a * a));
        using    sgd(rate = eta);
    }

    /// Handwritten digits: 8×8 grey pixels in, one of ten classes out.
    pub Digits {
        setting eta = 0.1;

        input  pixels: [batch, 64];
        target digit:  class(10);

        let logits = pixels.standardize().dense(64).relu().dense(10);

        predict  logits.softmax();
        minimize logits.cross_entropy(digit);
        using    sgd(rate = eta);
        report   accuracy = accuracy(logits, digit);
    }
}

/// Where everyone starts: on the far side of the valley, high up.
const START: [f32; 2] = [-1.5, -0.5];
const STEPS: u64 = 1000;
const EPOCHS: u64 = 12;
/// So low is the bottom of the valley.
const BOTTOM: f64 = 1e-3;
/// So low is the loss on digits that are learnt.
const LEARNT: f64 = 0.1;

/// A run down the valley.
struct Descent {
    rate: f64,
    way: Vec<[f64; 2]>,
    /// Steps until it was at the bottom.
    arrived: Option<usize>,
}

/// A run on the digits.
struct Training {
    rate: f64,
    history: History,
    test_accuracy: f64,
}

fn main() -> gradc::Result<()> {
    let [train, valid, test] = data::digits()?.shuffled(7).split([0.7, 0.15, 0.15])?;
    let names: Vec<&str> = LIST.iter().map(|optimizer| optimizer.name).collect();
    let (mut descents, mut trainings) = (Vec::new(), Vec::new());
    for name in &names {
        descents.push(descend(name)?);
        trainings.push(learn(name, &train, &valid, &test)?);
    }
    std::fs::write("valley.svg", picture(&names, &descents)).map_err(|error| Error::write("valley.svg".as_ref(), error))?;
    let curve = |(name, training): (&&str, &Training)| Series {
        name: name.to_string(),
        panel: Panel::Loss,
        points: training.history.epochs.iter().map(|epoch| (epoch.epoch as f64, epoch.loss)).collect(),
    };
    let curves: Vec<Series> = names.iter().zip(&trainings).map(curve).collect();
    plot_history("optimizers.svg", "Training loss on digits", "epoch", &curves)?;

    let or_dash = |number: Option<usize>| number.map_or("—".into(), |number| number.to_string());
    let rows = names.iter().zip(&descents).zip(&trainings).map(|((name, descent), training)| {
        let epochs = &training.history.epochs;
        let learnt = epochs.iter().position(|epoch| epoch.loss < LEARNT).map(|epoch| epoch + 1);
        vec![
            name.to_string(),
            rate(descent.rate),
            or_dash(descent.arrived),
            format!("{:.1e}", descent.way.last().map_or(f64::NAN, |point| height(*point))),
            rate(training.rate),
            or_dash(learnt),
            format!("{:.4}", training.history.loss()),
            format!("{:.3}", training.test_accuracy),
        ]
    });
    let heads = ["valley: rate", "steps to 0.001", "loss", "digits: rate", "epochs to 0.1", "loss", "test accuracy"];
    let columns: Vec<(&str, Align)> =
        [("optimizer", Align::Left)].into_iter().chain(heads.map(|head| (head, Align::Right))).collect();
    print!("{}", table(&columns, &rows.collect::<Vec<_>>()));
    println!("wrote valley.svg and optimizers.svg");

    let arrived = descents.iter().filter(|descent| descent.arrived.is_some()).count();
    let least = trainings.iter().map(|training| training.test_accuracy).fold(1.0, f64::min);
    println!(
        "{arrived} of {} optimizers reach the bottom of the valley; on digits each has a test accuracy of at least {least:.3}",
        names.len()
    );
    Ok(())
}

/// A network with another optimizer in place of its own.
fn compiled(network: Declaration, optimizer: &str) -> gradc::Result<Model> {
    Model::from_declaration(&network.using(&format!("{optimizer}(rate = eta)"))?, &Options::default())
}

/// The rates that each optimizer tries: from 10^-4 to 10, three to a decade.
fn rates(from: i32, to: i32) -> impl Iterator<Item = f64> {
    (3 * from..=3 * to).map(|third| 10f64.powf(f64::from(third) / 3.0))
}

/// Two digits of a rate.
fn rate(rate: f64) -> String {
    let decimals = (1.0 - rate.log10().floor()).max(0.0) as usize;
    format!("{rate:.decimals$}")
}

/// The run that is at the bottom first, or else the lowest at its end. A rate that is too large is one that fails.
fn descend(optimizer: &str) -> gradc::Result<Descent> {
    let mut net = compiled(Valley::declaration()?, optimizer)?;
    net.watch("point@every=1")?;
    let mut best: Option<Descent> = None;
    for rate in rates(-4, 1) {
        net.reset(0)?;
        net.set("eta", rate)?;
        net.set_parameter("point", &START)?;
        let completed = net.fit(()).steps(STEPS).quiet().run().is_ok();
        let watched = net.take_watched();
        let pair = |values: &[f32]| [f64::from(values[0]), f64::from(values[1])];
        // What is watched is the point before each step; the last one is where the run has ended.
        let mut way: Vec<[f64; 2]> = watched.iter().map(|watched| pair(&watched.values)).collect();
        way.push(pair(net.parameter("point")?));
        let above = way.iter().rposition(|point| height(*point) >= BOTTOM);
        let arrived = above.map_or(Some(0), |last| (last + 1 < way.len()).then_some(last + 1));
        let run = Descent { rate, way, arrived };
        let key =
            |run: &Descent| (run.arrived.unwrap_or(usize::MAX), run.way.last().map_or(f64::INFINITY, |point| height(*point)));
        if completed && best.as_ref().is_none_or(|best| key(&run) < key(best)) {
            best = Some(run);
        }
    }
    best.ok_or_else(|| Error::data(format!("{optimizer} fails at every rate"), "", ""))
}

/// The run with the lowest validation loss at its end.
fn learn(optimizer: &str, train: &Dataset, valid: &Dataset, test: &Dataset) -> gradc::Result<Training> {
    let mut net = compiled(Digits::declaration()?, optimizer)?;
    let mut best: Option<(f64, Training)> = None;
    for rate in rates(-4, 1) {
        net.reset(7)?;
        net.set("eta", rate)?;
        let Ok(history) = net.fit(train).batch(64).epochs(EPOCHS).threads(1).quiet().run() else { continue };
        let loss = net.evaluate(valid)?.loss;
        if best.as_ref().is_none_or(|(least, _)| loss < *least) {
            best = Some((loss, Training { rate, history, test_accuracy: net.evaluate(test)?.metric("accuracy") }));
        }
    }
    best.map(|(_, training)| training).ok_or_else(|| Error::data(format!("{optimizer} fails at every rate"), "", ""))
}

/// The valley's loss at a point.
fn height([a, b]: [f64; 2]) -> f64 {
    (1.0 - a).powi(2) + 10.0 * (b - a * a).powi(2)
}

/// The ways as an SVG: a small map of the valley for each optimizer, with a point for each step.
fn picture(names: &[&str], descents: &[Descent]) -> String {
    const COLUMNS: usize = 4;
    const WIDTH: f64 = 176.0;
    const HEIGHT: f64 = 150.0;
    let rows = names.len().div_ceil(COLUMNS);
    let (width, height) = (COLUMNS as f64 * (WIDTH + 12.0) + 12.0, rows as f64 * (HEIGHT + 34.0) + 62.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"Helvetica, Arial, sans-serif\" fill=\"#333\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <g text-anchor=\"middle\"><text x=\"{0}\" y=\"28\" font-size=\"20\">Down a bent valley</text>\
         <text x=\"{0}\" y=\"46\" font-size=\"12\" fill=\"#666\">a point for each step; the best rate of each optimizer and its steps to the bottom, the cross</text></g>\n\
         <defs><clipPath id=\"frame\"><rect width=\"{WIDTH}\" height=\"{HEIGHT}\"/></clipPath>\n<g id=\"valley\">\n",
        width / 2.0
    );
    let place = |[a, b]: [f64; 2]| format!("{:.1},{:.1}", (a + 2.0) / 4.0 * WIDTH, (3.6 - b) / 4.6 * HEIGHT);
    let path = |points: &mut dyn Iterator<Item = [f64; 2]>| points.map(place).collect::<Vec<_>>().join(" ");
    // Where the loss is c: 1 - a and √10 (b - a²) are the coordinates of a circle of radius √c.
    for c in [80.0, 40.0, 20.0, 10.0, 5.0, 2.0, 0.5, 0.1f64] {
        let around = (0..240).map(|step| f64::from(step) * std::f64::consts::TAU / 240.0).map(|angle| {
            let a = 1.0 + c.sqrt() * angle.cos();
            [a, a * a + (c / 10.0).sqrt() * angle.sin()]
        });
        let points = path(&mut { around });
        let style = "fill=\"#0072b2\" fill-opacity=\"0.08\" stroke=\"#0072b2\" stroke-opacity=\"0.35\" stroke-width=\"0.7\"";
        let _ = writeln!(svg, "<polygon points=\"{points}\" {style}/>");
    }
    let _ = writeln!(svg, "<path d=\"M{}m-5 0h10m-5 -5v10\" stroke=\"#333\"/></g></defs>", place([1.0, 1.0]));
    for (number, (name, descent)) in names.iter().zip(descents).enumerate() {
        let (x, y) = (12.0 + (number % COLUMNS) as f64 * (WIDTH + 12.0), 84.0 + (number / COLUMNS) as f64 * (HEIGHT + 34.0));
        let arrived = descent.arrived.map_or("not there".into(), |steps| format!("{steps} steps"));
        let (way, dots) = (path(&mut descent.way.iter().copied()), descent.way.iter().map(|point| place(*point)));
        let dots: String = dots.map(|dot| format!("M{dot}h0")).collect();
        let _ = writeln!(
            svg,
            "<g transform=\"translate({x} {y})\"><text y=\"-6\" font-size=\"14\">{name}</text>\
             <text x=\"{WIDTH}\" y=\"-6\" font-size=\"11\" text-anchor=\"end\" fill=\"#666\">{}, {arrived}</text>\
             <g clip-path=\"url(#frame)\"><use href=\"#valley\"/><polyline points=\"{way}\" fill=\"none\" stroke=\"#d55e00\" stroke-width=\"1\"/>\
             <path d=\"{dots}\" stroke=\"#d55e00\" stroke-width=\"2.6\" stroke-linecap=\"round\"/></g>\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#969696\"/></g>",
            rate(descent.rate),
        );
    }
    svg + "</svg>\n"
}
