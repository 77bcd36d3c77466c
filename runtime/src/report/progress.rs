//! Progress of a run: a bar on a terminal, sparse lines elsewhere, nothing when quiet.
//!
//! The run knows nothing of this: whoever watches it hands over a [`Progress`] now and then. All output goes to standard error,
//! so that standard output holds results only. The clock is read in this file alone, and only to draw no more often than the
//! eye can follow.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::history::Epoch;

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The epoch under way or just ended, counted from 1.
    pub epoch: u64,
    /// Epochs of the whole run; 0 if the run is measured in steps.
    pub epochs: u64,
    /// Steps done in the whole run.
    pub step: u64,
    /// Steps of the whole run, at most.
    pub steps: u64,
    /// The training loss, averaged over the epoch so far.
    pub loss: f64,
    /// A reported metric and its name.
    pub metric: Option<(String, f64)>,
    /// What the last epoch's validation gave.
    pub validation: Option<Validation>,
    /// Rows trained on per second.
    pub samples_per_second: f64,
}

/// The validation of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Validation {
    /// The mean loss over its rows.
    pub loss: f64,
    /// The metric that is shown of the training rows, if there is one.
    pub metric: Option<f64>,
}

impl Progress {
    /// The same at the end of an epoch, whose own results are shown, whatever the run has done since.
    #[must_use]
    pub fn at_end_of(self, epoch: &Epoch) -> Self {
        let validation = epoch.validation.as_ref();
        Self {
            epoch: epoch.epoch,
            loss: epoch.loss,
            metric: self.metric.and_then(|(name, _)| Some((name, *epoch.training.first()?))),
            validation: validation.map(|(loss, metrics)| Validation { loss: *loss, metric: metrics.first().copied() }),
            ..self
        }
    }
}

/// Shows a run; see [`Display::new`].
pub struct Display(Mode);

enum Mode {
    Quiet,
    Bar {
        bar: ProgressBar,
        drawn: Option<Instant>,
    },
    /// The turn printed last (0: none), and the state since then.
    Lines {
        printed: u64,
        unprinted: Option<Progress>,
    },
}

/// Between two drawings of the bar.
const REFRESH: Duration = Duration::from_millis(50);

const TEMPLATE: &str = "{prefix} {bar:24.cyan/dim} {msg}  {eta:.dim} left";

/// About how many lines a run prints where there is no terminal.
const LINES: u64 = 20;

/// What is to be said of a run at its end; nothing if it is quiet.
pub fn notes(quiet: bool, notes: &[String]) {
    for note in notes.iter().filter(|_| !quiet) {
        say(Some(format!("note: {note}")));
    }
}

impl Display {
    /// A bar if standard error is a terminal and neither `NO_TTY` is set nor `TERM` is `dumb`, else lines; nothing if `quiet`.
    pub fn new(quiet: bool) -> Display {
        let dumb = std::env::var_os("NO_TTY").is_some() || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match (quiet, std::io::stderr().is_terminal() && !dumb) {
            (true, _) => Display(Mode::Quiet),
            (false, true) => Display(Mode::Bar { bar: ProgressBar::new(0).with_style(style()), drawn: None }),
            (false, false) => Display(Mode::Lines { printed: 0, unprinted: None }),
        }
    }

    /// Takes note of where the run stands, at any time and as often as one likes.
    pub fn update(&mut self, progress: &Progress) {
        match &mut self.0 {
            Mode::Bar { bar, drawn } if drawn.is_none_or(|drawn| drawn.elapsed() >= REFRESH) => {
                draw(bar, progress);
                *drawn = Some(Instant::now());
            }
            Mode::Lines { printed, unprinted } if !waits(progress) => say(due_line(printed, unprinted, progress)),
            _ => {}
        }
    }

    /// Takes note of the end of an epoch.
    pub fn epoch_ended(&mut self, progress: &Progress) {
        match &mut self.0 {
            Mode::Bar { bar, .. } => draw(bar, progress),
            Mode::Lines { printed, unprinted } => say(due_line(printed, unprinted, progress)),
            Mode::Quiet => {}
        }
    }

    /// Runs `print`, which writes to the terminal itself, with the bar out of the way.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.0 {
            Mode::Bar { bar, .. } => bar.suspend(print),
            _ => print(),
        }
    }

    /// Ends the display: the last state stays visible, also of a run that stopped early.
    pub fn finish(self) {
        match self.0 {
            Mode::Bar { bar, .. } => bar.abandon(),
            Mode::Lines { unprinted, .. } => say(unprinted.as_ref().map(line)),
            Mode::Quiet => {}
        }
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━╸─")
}

fn draw(bar: &ProgressBar, progress: &Progress) {
    bar.set_length(progress.steps);
    bar.set_position(progress.step);
    bar.set_prefix(counted(progress));
    bar.set_message(values(progress));
}

/// Whether a line is that of the end of an epoch, which is to come: where epochs are counted, and after the last step.
fn waits(progress: &Progress) -> bool {
    progress.epochs > 0 || progress.step >= progress.steps
}

/// The line to print now, if one is due; else the state is kept for the end.
fn due_line(printed: &mut u64, unprinted: &mut Option<Progress>, progress: &Progress) -> Option<String> {
    let (place, places) = turn(progress);
    if is_due(*printed, place, places) {
        *printed = place;
        *unprinted = None;
        return Some(line(progress));
    }
    if place > *printed {
        *unprinted = Some(progress.clone());
    }
    None
}

/// A reader that has gone away is no reason to end a training run.
fn say(line: Option<String>) {
    if let Some(line) = line {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

fn line(progress: &Progress) -> String {
    format!("{}  {}", counted(progress), values(progress))
}

fn turn(progress: &Progress) -> (u64, u64) {
    if progress.epochs > 0 { (progress.epoch, progress.epochs) } else { (progress.step, progress.steps) }
}

/// `epoch  3/60`, as wide for the first as for the last.
fn counted(progress: &Progress) -> String {
    let (place, places) = turn(progress);
    let what = if progress.epochs > 0 { "epoch" } else { "step" };
    let places = places.to_string();
    format!("{what} {place:>width$}/{places}", width = places.len())
}

fn values(progress: &Progress) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut pair = |name: &str, training: f64, validation: Option<f64>| {
        let _ = write!(text, "{name} {}  ", short(training));
        if let Some(validation) = validation {
            let _ = write!(text, "validation {}  ", short(validation));
        }
    };
    pair("loss", progress.loss, progress.validation.map(|validation| validation.loss));
    if let Some((name, value)) = &progress.metric {
        pair(name, *value, progress.validation.and_then(|validation| validation.metric));
    }
    if progress.samples_per_second > 0.0 {
        let _ = write!(text, "{}/s", rounded(progress.samples_per_second));
    }
    text.truncate(text.trim_end().len());
    text
}

/// Four digits, at a constant width in the usual range.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0.0000".to_owned(),
        size if !value.is_finite() || (1e-3..100.0).contains(&size) => format!("{value:.4}"),
        size if (100.0..1e5).contains(&size) => format!("{value:.1}"),
        _ => format!("{value:.3e}"),
    }
}

/// A rate with three digits: `870`, `52.1k`, `1.20M`.
fn rounded(rate: f64) -> String {
    let (scaled, unit) = match rate {
        rate if rate >= 999.5e3 => (rate / 1e6, "M"),
        rate if rate >= 999.5 => (rate / 1e3, "k"),
        rate => (rate, ""),
    };
    let digits = if unit.is_empty() || scaled >= 99.95 { 0 } else { 1 + usize::from(scaled < 9.995) };
    format!("{scaled:.digits$}{unit}")
}

/// Whether turn `place` of `places` is printed after turn `printed` was: the first, the last, and between them one for each
/// multiple of a round number (1, 2 or 5 times a power of ten) that gives about [`LINES`] lines. Turns may be skipped.
fn is_due(printed: u64, place: u64, places: u64) -> bool {
    let mut rounds = (0..18).flat_map(|exponent| [1, 2, 5].map(|digit| digit * 10u64.pow(exponent)));
    let between = rounds.find(|between| places.div_ceil(*between) <= LINES).unwrap_or(u64::MAX);
    place > printed && (printed == 0 || place == places || place / between > printed / between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        Progress {
            epoch: 3,
            epochs: 60,
            step: 60,
            steps: 1200,
            loss: 0.123_45,
            metric: Some(("accuracy".to_owned(), 0.978)),
            validation: Some(Validation { loss: 0.2, metric: Some(0.961) }),
            samples_per_second: 52_100.0,
        }
    }

    #[test]
    fn a_line_holds_what_is_known() {
        assert_eq!(line(&progress()), "epoch  3/60  loss 0.1235  validation 0.2000  accuracy 0.9780  validation 0.9610  52.1k/s");
        let bare = Progress { step: 7, steps: 500, loss: 12_345.678, ..Progress::default() };
        assert_eq!(line(&bare), "step   7/500  loss 12345.7");
    }

    #[test]
    fn a_line_of_an_epoch_is_of_that_epoch_alone() {
        let epoch =
            Epoch { epoch: 2, loss: 0.5, training: vec![0.75], validation: Some((0.25, vec![0.875])), ..Epoch::default() };
        let text = "epoch  2/60  loss 0.5000  validation 0.2500  accuracy 0.7500  validation 0.8750  52.1k/s";
        assert_eq!(line(&progress().at_end_of(&epoch)), text);
        let bare = Epoch { epoch: 2, loss: 0.5, ..Epoch::default() };
        assert_eq!(line(&progress().at_end_of(&bare)), "epoch  2/60  loss 0.5000  52.1k/s");
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.1, -3.25, 99.9, 100.0, 1e-4, 1e9, f64::NAN, f64::INFINITY].map(short);
        assert_eq!(shown, ["0.0000", "0.1000", "-3.2500", "99.9000", "100.0", "1.000e-4", "1.000e9", "NaN", "inf"]);
        let rates = [870.4, 999.7, 9_994.0, 99_940.0, 123_456.0, 999_700.0, 12e6].map(rounded);
        assert_eq!(rates, ["870", "1.00k", "9.99k", "99.9k", "123k", "1.00M", "12.0M"]);
    }

    #[test]
    fn many_epochs_give_few_lines() {
        let printed = |places| {
            let mut printed = vec![0];
            for place in 1..=places {
                if is_due(printed[printed.len() - 1], place, places) {
                    printed.push(place);
                }
            }
            printed.split_off(1)
        };
        assert_eq!(printed(5), [1, 2, 3, 4, 5]);
        assert_eq!(printed(60), [1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]);
        for places in [20, 21, 99, 500, 10_007, 100_000] {
            let printed = printed(places);
            assert!((10..=22).contains(&printed.len()) && printed[0] == 1 && printed.ends_with(&[places]), "{printed:?}");
        }
    }

    #[test]
    fn turns_may_be_skipped_and_none_is_printed_twice() {
        assert!(is_due(0, 13, 500) && is_due(13, 52, 500) && !is_due(52, 74, 500) && is_due(74, 149, 500));
        assert!(!is_due(500, 500, 500) && !is_due(0, 0, 500));
    }

    #[test]
    fn where_steps_are_counted_an_epoch_of_any_length_has_lines() {
        let steps = |step| Progress { epochs: 0, step, steps: 1200, ..progress() };
        assert!(!waits(&steps(1)) && !waits(&steps(1199)) && waits(&steps(1200)) && waits(&progress()));
        assert!(line(&steps(60)).starts_with("step   60/1200  loss"));
    }

    #[test]
    fn an_epoch_that_was_not_due_is_kept_for_the_end() {
        let (mut printed, mut unprinted) = (5, None);
        let mut epoch = |epoch| {
            let line = due_line(&mut printed, &mut unprinted, &Progress { epoch, ..progress() });
            (line.is_some(), unprinted.as_ref().map(|progress| progress.epoch))
        };
        assert_eq!(epoch(7), (false, Some(7)));
        assert_eq!(epoch(10), (true, None));
        assert_eq!(epoch(10), (false, None));
        assert_eq!(epoch(11), (false, Some(11)));
    }

    #[test]
    fn any_state_can_be_shown() {
        let numbers = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324];
        for count in [0, 1, 19, u64::MAX - 1, u64::MAX] {
            for number in numbers {
                for other in [0, 1, u64::MAX] {
                    let shown = Progress {
                        epoch: count,
                        epochs: other,
                        step: other,
                        steps: count,
                        loss: number,
                        metric: Some(("m".repeat(100_000), number)),
                        validation: Some(Validation { loss: number, metric: Some(number) }),
                        samples_per_second: number,
                    };
                    assert!(line(&shown).len() > 100_000);
                    draw(&ProgressBar::hidden().with_style(style()), &shown);
                    due_line(&mut other.clone(), &mut None, &shown);
                }
            }
        }
        let mut display = Display::new(true);
        display.update(&Progress::default());
        display.epoch_ended(&Progress::default());
        assert_eq!(display.suspend(|| 3), 3);
        display.finish();
    }

    #[test]
    fn the_bar_has_a_template_that_indicatif_accepts() {
        let bar = ProgressBar::hidden().with_style(style());
        draw(&bar, &progress());
        assert_eq!((bar.position(), bar.length()), (60, Some(1200)));
        assert_eq!(bar.prefix(), "epoch  3/60");
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
