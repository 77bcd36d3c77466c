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
    /// The class of the largest value instead of all values: its name if the data have names, otherwise its number. What is one
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
            None => self.write(&served, &data, &mut std::io::stdout().lock()).map_err(failed),
            Some(file) => {
                let mut out = std::io::BufWriter::new(std::fs::File::create(file).map_err(failed)?);
                self.write(&served, &data, &mut out).and_then(|()| out.flush()).map_err(failed)
            }
        }
    }

    fn write(&self, served: &[(String, Prediction)], data: &Option<Dataset>, out: &mut impl Write) -> std::io::Result<()> {
        let columns = served.iter().flat_map(|(name, prediction)| match prediction.width() {
            _ if self.classes => vec![name.clone()],
            1 => vec![name.clone()],
            width => (0..width).map(|column| format!("{name}.{column}")).collect(),
        });
        writeln!(out, "{}", columns.collect::<Vec<_>>().join(","))?;
        let names: Vec<&[String]> = served.iter().map(|(_, prediction)| class_names(prediction, data)).collect();
        let classes: Vec<Vec<usize>> = served.iter().map(|(_, prediction)| prediction.classes()).collect();
        for row in 0..served.first().map_or(0, |(_, prediction)| prediction.rows) {
            let cells: Vec<String> = if self.classes {
                let cell =
                    |(((_, prediction), classes), names): ((&(String, Prediction), &Vec<usize>), &&[String])| match prediction
                        .row(row)
                    {
                        [number] => number.to_string(),
                        _ => named(classes[row], names),
                    };
                served.iter().zip(&classes).zip(&names).map(cell).collect()
            } else {
                served.iter().flat_map(|(_, prediction)| prediction.row(row)).map(f32::to_string).collect()
            };
            writeln!(out, "{}", cells.join(","))?;
        }
        Ok(())
    }
}

/// The names of what is predicted: those of the only field whose classes have names and are as many as the values of a row.
fn class_names<'a>(prediction: &Prediction, data: &'a Option<Dataset>) -> &'a [String] {
    let columns = data.iter().flat_map(Dataset::columns);
    let mut fitting = columns.filter(|column| column.classes.len() > 1 && column.classes.len() == prediction.width());
    match (fitting.next(), fitting.next()) {
        (Some(column), None) => &column.classes,
        _ => &[],
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
