//! What a file of tensors holds, as a table for people.

use super::Checkpoint;
use crate::report::progress::short;
use crate::report::table::{Align, table};
use gradc_compiler::base::diagnostics::shown;
use gradc_compiler::base::size::{bytes, counted};

/// What a text of several lines, such as a list of names, is shortened to.
const LONGEST: usize = 60;

/// Count, mean and deviation, least and greatest of the finite values of a tensor, and how many are zero or not finite.
struct Figures {
    finite: usize,
    mean: f64,
    deviation: f64,
    least: f32,
    greatest: f32,
    zeros: usize,
    wrong: usize,
}

impl Figures {
    fn of(values: &[f32]) -> Figures {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let count = finite().count();
        let mean = |sum: f64| sum / count.max(1) as f64;
        let middle = mean(finite().map(f64::from).sum());
        let variance = mean(finite().map(|value| (f64::from(value) - middle).powi(2)).sum());
        Figures {
            finite: count,
            mean: middle,
            deviation: variance.sqrt(),
            least: finite().fold(f32::INFINITY, f32::min),
            greatest: finite().fold(f32::NEG_INFINITY, f32::max),
            zeros: finite().filter(|value| *value == 0.0).count(),
            wrong: values.len() - count,
        }
    }

    fn cells(&self) -> Vec<String> {
        let numbers = [self.mean, self.deviation, f64::from(self.least), f64::from(self.greatest)];
        let mut cells = numbers.map(|number| if self.finite > 0 { short(number) } else { String::new() }).to_vec();
        cells.push(if self.zeros > 0 { self.zeros.to_string() } else { String::new() });
        cells.push(if self.wrong > 0 { self.wrong.to_string() } else { String::new() });
        cells
    }
}

impl Checkpoint {
    /// A table for people: each text (network, step, seed, settings), then each tensor with its shape, mean, deviation, least and greatest
    /// value, and how many are zero, NaN or infinite. The last column is there if any is.
    pub fn summary(&self) -> String {
        let width = self.metadata.keys().map(|key| key.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for (key, value) in self.metadata.iter().filter(|(_, value)| !value.is_empty()) {
            let line = shown(&value.lines().collect::<Vec<_>>().join(" "));
            let cut = if line.chars().count() > LONGEST { "…" } else { "" };
            text += &format!("{:width$}  {}{cut}\n", shown(key), line.chars().take(LONGEST).collect::<String>());
        }
        let figures: Vec<Figures> = self.tensors.values().map(|(_, values)| Figures::of(values)).collect();
        let rows: Vec<Vec<String>> = self
            .tensors
            .iter()
            .zip(&figures)
            .map(|((name, (shape, values)), figures)| {
                [vec![shown(name), format!("{shape:?}"), values.len().to_string()], figures.cells()].concat()
            })
            .collect();
        let names = ["values", "mean", "deviation", "least", "greatest", "zero", "not finite"];
        let count = if figures.iter().any(|figures| figures.wrong > 0) { names.len() } else { names.len() - 1 };
        let mut columns = vec![("tensor", Align::Left), ("shape", Align::Left)];
        columns.extend(names[..count].iter().map(|name| (*name, Align::Right)));
        let all: usize = self.tensors.values().map(|(_, values)| values.len()).sum();
        let (tensors, size) = (counted(self.tensors.len(), "tensor"), bytes(size_of::<f32>() * all));
        let apart = if text.is_empty() { "" } else { "\n" };
        text + apart + &table(&columns, &rows) + &format!("{tensors}, {all} values, {size}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_table_tells_what_a_file_holds() {
        let tensors = BTreeMap::from([
            ("a.weight".to_owned(), (vec![2, 2], vec![0.0, 1.0, -1.0, 4.0])),
            ("b".to_owned(), (vec![2], vec![f32::NAN, 3.0])),
            ("none".to_owned(), (vec![0], vec![])),
        ]);
        let metadata = [("network", "Small"), ("names", "one\ntwo"), ("scaled", "")];
        let metadata = metadata.map(|(key, text)| (key.to_owned(), text.to_owned())).into();
        let expected = "\
names    one two
network  Small

tensor    shape   values    mean  deviation    least  greatest  zero  not finite
────────  ──────  ──────  ──────  ─────────  ───────  ────────  ────  ──────────
a.weight  [2, 2]       4  1.0000     1.8708  -1.0000    4.0000     1
b         [2]          2  3.0000     0.0000   3.0000    3.0000                 1
none      [0]          0
3 tensors, 6 values, 24 B
";
        assert_eq!(Checkpoint { tensors, metadata }.summary(), expected);
    }

    #[test]
    fn long_texts_are_cut_and_nothing_in_a_file_moves_the_cursor() {
        let metadata = [("list".to_owned(), "\u{1b}[2J".to_owned() + &"a".repeat(200))].into();
        let tensors = [("t\u{1b}[2J".to_owned(), (vec![1], vec![1.0]))].into();
        let text = Checkpoint { tensors, metadata }.summary();
        assert!(!text.contains('\u{1b}') && text.lines().next().is_some_and(|line| line.ends_with("a…")), "{text}");
        assert!(!text.contains("not finite") && text.ends_with("1 tensor, 1 values, 4 B\n"), "{text}");
    }
}
