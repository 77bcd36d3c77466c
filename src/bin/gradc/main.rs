//! The `gradc` command: trains, serves and shows networks that stand in `.net` files.

mod check;
mod data;
mod draw;
mod explain;
mod inspect;
mod network;
mod new;
mod outputs;
mod print;
mod profile;
mod report;
mod resume;
mod serve;
mod stages;
mod train;
mod weights;
mod why;
mod words;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use gradc::Stopped;
use std::process::ExitCode;

/// Compiles networks to native training runs, and shows every stage on the way.
#[derive(Parser)]
#[command(
    name = "gradc",
    version,
    arg_required_else_help = true,
    after_help = "\
A .net file is the text between the braces of `network!`:

    Digits {
        input  pixels: [batch, 64];
        target digit:  class(10);
        let logits = pixels.standardize().dense(128).relu().dense(10);
        predict  logits.softmax();
        minimize logits.cross_entropy(digit);
        using    adam(rate = 1e-3);
        report   accuracy = accuracy(logits, digit);
    }

Exit codes: 0 done, 1 the network, the data or a run is at fault, 2 the command line is, 130 Ctrl-C ended a run, whose state was kept."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trains a network on data from a file.
    #[command(visible_alias = "fit")]
    Train(Box<train::Train>),
    /// Writes what a trained network predicts for data from a file.
    Predict(serve::Predict),
    /// Measures loss and metrics of a trained network on data from a file.
    Evaluate(serve::Evaluate),
    /// Prints the table of layers, or what a file of parameters holds.
    Summary(inspect::Summary),
    /// Checks a network: shapes, lints, gradients against finite differences.
    Check(check::Check),
    /// Trains for some steps and tells where the time goes, by kernel and by layer.
    Profile(profile::Profile),
    /// Explains the code of a mistake, a lint or a name of the catalogue; or why a network became what it did: the derivation of a gradient, the decisions of
    /// fusion, the life of a node, the use of each byte.
    #[command(visible_alias = "why")]
    Explain(explain::Explain),
    /// Prints a stage of the compiler, or writes all of them to a folder.
    Dump(inspect::Dump),
    /// Prints stages on the screen, each under a line that says what it is.
    Show(stages::Show),
    /// Runs passes on a graph that stands in a file, and tells what they did.
    Opt(stages::Opt),
    /// Executes a stage that stands in a file: a graph in f64, loops bit for bit.
    RunStage(stages::RunStage),
    /// Compares a stage of two networks, or two stages of one, line by line.
    Diff(stages::Diff),
    /// Draws the training step: forward, backward and update, with the bytes that pass between them.
    Draw(draw::Draw),
    /// Writes one HTML page on which each line leads to what it became, from source to machine code.
    Report(report::Report),
    /// Makes a small Cargo project with a network, data and a test.
    New(new::New),
    /// Prints the completion script of a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// What shells take for the end by an interrupt: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// A command line that cannot be run, as clap has it too.
const WRONG_LINE: u8 = 2;

/// The command line. A number below 0 is a value, which its flag takes or refuses, and no flag that nobody knows.
fn command() -> clap::Command {
    let numbers = |argument: clap::Arg| match argument.get_action().takes_values() {
        true => argument.allow_negative_numbers(true),
        false => argument,
    };
    Arguments::command().mut_subcommands(|subcommand| subcommand.mut_args(numbers))
}

fn main() -> ExitCode {
    let arguments = Arguments::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    let outcome = match arguments.command {
        Command::Train(command) => match command.run() {
            Ok(Stopped::Interrupted) => return ExitCode::from(INTERRUPTED),
            outcome => outcome.map(drop),
        },
        Command::Predict(command) => command.run(),
        Command::Evaluate(command) => command.run(),
        Command::Summary(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Profile(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Dump(command) => command.run(),
        Command::Show(command) => command.run(),
        Command::Opt(command) => command.run(),
        Command::RunStage(command) => command.run(),
        Command::Diff(command) => command.run(),
        Command::Draw(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::New(command) => command.run(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "gradc", &mut script);
            print::say(&String::from_utf8_lossy(&script))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(gradc::Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let code = if words::is_of_the_line(&error, &Arguments::command()) { WRONG_LINE } else { 1 };
            // Diagnostics of a network begin with `error[…]` or `warning[…]` themselves.
            match error {
                gradc::Error::Model(diagnostics) => print::tell(&diagnostics),
                other => print::tell(&format!("error: {}\n", words::in_flags(other, &Arguments::command()))),
            }
            ExitCode::from(code)
        }
    }
}
