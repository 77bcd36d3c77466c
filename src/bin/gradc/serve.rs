//! `gradc predict` and `gradc evaluate`: a trained network at work.

use crate::data::{DataArguments, rows};
use crate::network::NetworkArguments;
use crate::outputs::{self, Writing};
use crate::print::{line, say};
use crate::train::{evaluated, results};
use clap::Args;
use gradc::{Dataset, Error, Model, Prediction, Result};
use std::io::Write;
use std::path::PathBuf;

/// A trained network, and the data that it is put to.
#[derive(Args)]
struct TrainedArguments {
    #[command(flatten)]
    network: NetworkArguments,
    #[command(flatten)]
    data: DataArguments,
    /// The trained parameters.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
}

impl TrainedArguments {
    fn model(&self) -> Result<Model> {
        let mut model = self.network.model()?;
        model.load(&self.weights)?;
        Ok(model)
    }
}

#[derive(Args)]
pub struct Predict {
    #[command(flatten)]
    trained: TrainedArguments,
    /// Where the predictions go (default: stdout): one line a row, columns in the order of `predict`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The class of the largest value instead of all values: its name if the network learned it, otherwise its number. What is one
    /// number a row stays that number.
    #[arg(long)]
    classes: bool,
}

#[derive(Args)]
pub struct Evaluate {
    #[command(flatten)]
    trained: TrainedArguments,
    /// A JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

impl Predict {
    pub fn run(self) -> Result<()> {
        if let Some(file) = &self.out {
            let TrainedArguments { network, data, weights } = &self.trained;
            let inputs: Vec<_> = data.inputs().chain([network.input(), ("--weights", weights)]).collect();
            outputs::check(&[("--out", file, Writing::Directly)], &inputs)?;
        }
        let model = self.trained.model()?;
        let data = self.trained.data.need(&model, false)?;
        let served = model.predict_all(rows(&data))?;
        let is_number = |(_, prediction): &(String, Prediction)| prediction.width() < 2;
        if let (true, true, Some((name, _))) = (self.classes, served.iter().all(is_number), served.first()) {
            return Err(Error::Setting {
                name: "--classes".into(),
                found: format!("asked of `{name}`, which is one number a row"),
                expected: "a prediction of one number a class".into(),
            });
        }
        let failed = |source| Error::Io { action: "write", path: self.out.clone().unwrap_or_else(|| "stdout".into()), source };
        match &self.out {
            None => self.write(&served, &model, &mut std::io::stdout().lock()).map_err(failed),
            Some(file) => {
                let mut out = std::io::BufWriter::new(std::fs::File::create(file).map_err(failed)?);
                self.write(&served, &model, &mut out).and_then(|()| out.flush()).map_err(failed)
            }
        }
    }

    fn write(&self, served: &[(String, Prediction)], model: &Model, out: &mut impl Write) -> std::io::Result<()> {
        let columns = served.iter().flat_map(|(name, prediction)| match prediction.width() {
            _ if self.classes => vec![name.clone()],
            1 => vec![name.clone()],
            width => (0..width).map(|column| format!("{name}.{column}")).collect(),
        });
        writeln!(out, "{}", columns.collect::<Vec<_>>().join(","))?;
        let served: Vec<Served> = served.iter().map(|(_, prediction)| Served::of(prediction, model)).collect();
        for row in 0..served.first().map_or(0, |served| served.prediction.rows) {
            let cells: Vec<String> = match self.classes {
                true => served.iter().map(|served| served.class(row)).collect(),
                false => served.iter().flat_map(|served| served.prediction.row(row)).map(f32::to_string).collect(),
            };
            writeln!(out, "{}", cells.join(","))?;
        }
        Ok(())
    }
}

/// A prediction with what its classes are called.
struct Served<'a> {
    prediction: &'a Prediction,
    classes: Vec<usize>,
    names: &'a [String],
}

impl<'a> Served<'a> {
    /// The names are those of the only field whose classes have names and are as many as the values of a row.
    fn of(prediction: &'a Prediction, model: &'a Model) -> Self {
        let named = model.named_classes().map(|(_, names)| names);
        let mut fitting = named.filter(|names| names.len() > 1 && names.len() == prediction.width());
        let names = match (fitting.next(), fitting.next()) {
            (Some(names), None) => names,
            _ => &[],
        };
        Served { prediction, classes: prediction.classes(), names }
    }

    /// The class of a row, or the number if it has but one.
    fn class(&self, row: usize) -> String {
        match self.prediction.row(row) {
            [number] => number.to_string(),
            _ => named(self.classes[row], self.names),
        }
    }
}

/// The name of a class as a cell of CSV, or its number if it has none.
fn named(class: usize, names: &[String]) -> String {
    match names.get(class) {
        None => class.to_string(),
        Some(name) if name.contains([',', '"', '\n', '\r']) => format!("\"{}\"", name.replace('"', "\"\"")),
        Some(name) => name.clone(),
    }
}

impl Evaluate {
    pub fn run(self) -> Result<()> {
        let model = self.trained.model()?;
        let data = self.trained.data.need(&model, true)?;
        let evaluation = model.evaluate(rows(&data))?;
        if self.json {
            return line(&evaluated(&evaluation));
        }
        say(&results(&[("data", data.as_ref().map(Dataset::rows), evaluation)]))
    }
}
