//! `gradc check`: shapes, lints, and the gradients against finite differences.

use crate::data::DataArguments;
use crate::network::NetworkArguments;
use crate::print::say;
use clap::Args;
use gradc::compiler::base::columns::left;
use gradc::compiler::base::size::counted;
use gradc::compiler::gradient_check::{Compared, ROWS, compare, is_affordable, not_finite};
use gradc::compiler::not_finite::Cause;
use gradc::{Error, Result};

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    network: NetworkArguments,
    /// Evaluates every graph before and after each pass on random inputs.
    #[arg(long)]
    validate: bool,
    /// Shows mean and variance of activations and gradients, layer by layer, before the first step, and whether they are what an
    /// initialiser aims at: on the rows of `--data`, or on random ones.
    #[arg(long)]
    signal: bool,
    #[command(flatten)]
    data: DataArguments,
}

impl Check {
    pub fn run(self) -> Result<()> {
        if self.data.is_given() && !self.signal {
            return Err(Error::setting("--data", "given without `--signal`", "left out: gradients are checked on random rows"));
        }
        let declaration = self.network.declaration()?;
        let elaborated = self.network.elaborated(&declaration)?;
        say(&self.network.shown(&elaborated.warnings, declaration.source()))?;
        if self.validate {
            self.network.validate()?;
        }
        let (training, faulty) = (&elaborated.training, |fault| Error::Model(format!("{fault}\n")));
        let name = &training.name;
        say(&format!("{name}: no errors, {}\n", how_many(elaborated.warnings.len(), "warning")))?;
        if !is_affordable(training).map_err(faulty)? {
            return say("gradients are not checked: the network is too large to be evaluated in f64 often enough\n");
        }
        let compared = compare(training, self.network.seed()).map_err(faulty)?;
        say(&format!("gradients in f64 on {ROWS} random rows, against finite differences:\n{}", table(&compared)))?;
        match compared.iter().filter(|one| !one.is_right()).count() {
            0 if self.signal => self.signal(),
            0 => Ok(()),
            wrong => {
                let lost = compared.iter().any(|one| one.difference.is_nan());
                let cause = if lost { not_finite(training, self.network.seed()).map_err(faulty)? } else { None };
                let cause = cause.map_or_else(String::new, |cause| because(&cause));
                Err(Error::Model(format!(
                    "error: {} of {name} {} off\n{cause}",
                    how_many(wrong, "gradient"),
                    if wrong == 1 { "is" } else { "are" }
                )))
            }
        }
    }
}

impl Check {
    fn signal(&self) -> Result<()> {
        let model = self.network.model()?;
        let signal = match self.data.read(&model, true)? {
            Some(rows) => model.signal(&rows)?,
            None => model.signal(())?,
        };
        say(&format!("\n{signal}"))
    }
}

fn table(compared: &[Compared]) -> String {
    let width =
        |of: fn(&Compared) -> &str| compared.iter().map(|one| of(one).chars().count()).max().unwrap_or(0).max("parameter".len());
    let (names, shapes) = (width(|one| &one.name), width(|one| &one.shape));
    let line = |name: &str, shape: &str, rest: &str| format!("  {}  {}  {rest}\n", left(name, names), left(shape, shapes));
    let mut text = line("parameter", "shape", "largest relative difference");
    for one in compared {
        let verdict = if one.is_right() { "ok" } else { "OFF" };
        text += &line(&one.name, &one.shape, &format!("{:<8.1e} {verdict}", one.difference));
    }
    text
}

/// Why there is nothing to compare.
fn because(cause: &Cause) -> String {
    let Cause { node, place, why, help, is_outside: _ } = cause;
    let place = place.as_ref().map_or_else(String::new, |place| format!(", from {place}"));
    let why = why.as_ref().map_or_else(String::new, |why| format!("  {why}\n"));
    format!("  NaN or infinite first in {node}{place}\n{why}help: {help}\n")
}

fn how_many(count: usize, what: &str) -> String {
    if count == 0 { format!("no {what}s") } else { counted(count, what) }
}
