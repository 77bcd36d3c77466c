//! Shows what penalties do to a linear model: the paths of ridge and lasso over the strength of the penalty, on the diabetes data; lasso sets coefficients to exactly 0.

use gradc::data::Values;
use gradc::prelude::*;
use gradc::runtime::report::plot::{Panel, Series, plot_history};

network! {
    /// Least squares, and a penalty on the sum of squares.
    pub Ridge {
        setting lambda = 0.0;
        setting rate = 0.2;

        input  patient:  [batch, 10];
        target progress: [batch, 1];

        let line = patient.standardize().dense(1, init = zeros);

        predict  line;
        minimize line.mean_squared_error(progress.standardize()) + l2(lambda);
        using    sgd(rate = rate);
    }

    /// Least squares, and a penalty on the sum of absolute values.
    pub Lasso {
        setting lambda = 0.0;

        input  patient:  [batch, 10];
        target progress: [batch, 1];

        let line = patient.standardize().dense(1, init = zeros);

        predict  line;
        minimize line.mean_squared_error(progress.standardize()) + l1(lambda, proximal = true);
        using    sgd(rate = 0.2);
    }
}

const FEATURES: [&str; 10] = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];
const WEIGHT: &str = "line.dense.weight";
/// Two of the blood measurements are nearly the same: the flattest direction needs so many steps from zero.
const STEPS: u64 = 5000;
/// And so many from where the penalty before ended.
const FURTHER: u64 = 2000;

/// The coefficients at a strength, given as its decimal logarithm.
type Path = Vec<(f64, Vec<f32>)>;

fn main() -> gradc::Result<()> {
    let file = Dataset::csv("data/diabetes_data_raw.csv.gz").separator(' ').targets("data/diabetes_target.csv.gz");
    let data = Ridge::read(file)?;
    let least_squares = least_squares(&data);

    // From the weakest to the strongest, each from where the one before ended: the compiled network stays the same.
    let mut net = Ridge::options().compile()?;
    net.fit(&data).batch(data.rows()).steps(STEPS).shuffle(false).threads(1).quiet().run()?;
    let ridge_without = off(net.parameter(WEIGHT)?, &least_squares);
    let mut ridge = Path::new();
    for exponent in (-20..=15).map(|tenths| f64::from(tenths) / 5.0) {
        let lambda = 10f64.powf(exponent);
        net.set_lambda(lambda)?;
        // The greatest curvature is 8 for these features, and 2 λ of the penalty.
        net.set_rate(1.6 / (8.0 + 2.0 * lambda))?;
        net.fit(&data).batch(data.rows()).steps(FURTHER).shuffle(false).threads(1).quiet().run()?;
        ridge.push((exponent, net.parameter(WEIGHT)?.to_vec()));
    }
    let mut net = Lasso::options().compile()?;
    net.fit(&data).batch(data.rows()).steps(STEPS).shuffle(false).threads(1).quiet().run()?;
    let lasso_without = off(net.parameter(WEIGHT)?, &least_squares);
    let mut lasso = Path::new();
    for exponent in (-40..=2).map(|tenths| f64::from(tenths) / 10.0) {
        net.set_lambda(10f64.powf(exponent))?;
        net.fit(&data).batch(data.rows()).steps(FURTHER).shuffle(false).threads(1).quiet().run()?;
        lasso.push((exponent, net.parameter(WEIGHT)?.to_vec()));
    }

    plot("ridge.svg", "Ridge: coefficients over the penalty", &ridge)?;
    plot("lasso.svg", "Lasso: coefficients over the penalty", &lasso)?;
    println!("log10 λ  kept  features that lasso keeps");
    for (exponent, weights) in lasso.iter().step_by(3) {
        let kept: Vec<&str> =
            FEATURES.into_iter().zip(weights).filter(|(_, weight)| **weight != 0.0).map(|(name, _)| name).collect();
        println!("{exponent:7.1}  {:4}  {}", kept.len(), kept.join(" "));
    }
    println!("wrote ridge.svg and lasso.svg");

    let flattest = ridge.last().map_or(0.0, |(_, weights)| weights.iter().fold(0.0, |most: f32, weight| most.max(weight.abs())));
    let zeros = |place: usize| lasso[place].1.iter().filter(|weight| **weight == 0.0).count();
    println!(
        "without a penalty off least squares by {:.1e}; ridge at λ = 1000: largest coefficient {flattest:.4}; lasso sets to 0: {} of 10 at λ = 0.0001, {} at 0.1, {} at 1.6",
        f64::max(ridge_without, lasso_without),
        zeros(0),
        zeros(30),
        zeros(42),
    );
    Ok(())
}

/// The greatest difference between the coefficients and the exact ones.
fn off(weights: &[f32], exact: &[f64]) -> f64 {
    weights.iter().zip(exact).map(|(weight, exact)| (f64::from(*weight) - exact).abs()).fold(0.0, f64::max)
}

fn plot(file: &str, title: &str, path: &Path) -> gradc::Result<()> {
    let curve = |(feature, name): (usize, &&str)| Series {
        name: name.to_string(),
        panel: Panel::Of("coefficient"),
        points: path.iter().map(|(exponent, weights)| (*exponent, f64::from(weights[feature]))).collect(),
    };
    let curves: Vec<Series> = FEATURES.iter().enumerate().map(curve).collect();
    plot_history(file, title, "log10 λ", &curves)
}

/// The coefficients without a penalty, of the standardised columns: the normal equations, solved by elimination.
fn least_squares(data: &Dataset) -> Vec<f64> {
    let columns = |name: &str, width: usize| -> Vec<Vec<f64>> {
        let Some(Values::F32(values)) = data.column(name).map(|column| &column.values) else { return Vec::new() };
        (0..width).map(|column| standardized(values.iter().skip(column).step_by(width))).collect()
    };
    let (x, y) = (columns("patient", 10), columns("progress", 1).concat());
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    // Each row of the system with its right side behind it; the matrix is positive definite, so that no row is exchanged.
    let mut system: Vec<Vec<f64>> =
        x.iter().map(|row| x.iter().map(|column| dot(row, column)).chain([dot(row, &y)]).collect()).collect();
    for pivot in 0..10 {
        for row in (0..10).filter(|row| *row != pivot) {
            let factor = system[row][pivot] / system[pivot][pivot];
            let above = system[pivot].clone();
            system[row].iter_mut().zip(above).for_each(|(value, above)| *value -= factor * above);
        }
    }
    system.iter().enumerate().map(|(row, values)| values[10] / values[row]).collect()
}

fn standardized<'a>(values: impl Iterator<Item = &'a f32>) -> Vec<f64> {
    let values: Vec<f64> = values.map(|value| f64::from(*value)).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    values.iter().map(|value| (value - mean) / deviation).collect()
}
