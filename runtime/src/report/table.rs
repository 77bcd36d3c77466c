//! Plain tables with aligned columns.

use gradc_compiler::base::columns::{left, right};

/// On which side the cells of a column line up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table as text: the headings, a rule, one line a row, columns two spaces apart, no spaces at line ends.
///
/// Missing cells at the end of a row are empty, superfluous ones are left out. Widths are counted in characters.
pub fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(column, (heading, _))| {
            let cells = rows.iter().map(|row| cell(row, column).chars().count());
            cells.chain([heading.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<String>| {
        let padded = cells.iter().zip(columns).zip(&widths).map(|((cell, (_, align)), &width)| match align {
            Align::Left => left(cell, width),
            Align::Right => right(cell, width),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let headings = line(columns.iter().map(|(heading, _)| (*heading).to_owned()).collect());
    let rule = line(widths.iter().map(|&width| "─".repeat(width)).collect());
    let body = rows.iter().map(|row| line((0..columns.len()).map(|column| cell(row, column)).collect()));
    [headings, rule].into_iter().chain(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["dense", "[batch, 128]", "8 320"], ["relu", "[batch, 128]", ""], ["×", "[]", "1"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|&cell| cell.to_owned()).collect()).collect();
        let text = table(&[("layer", Align::Left), ("shape", Align::Left), ("parameters", Align::Right)], &rows);
        let expected = "\
layer  shape         parameters
─────  ────────────  ──────────
dense  [batch, 128]       8 320
relu   [batch, 128]
×      []                     1
";
        assert_eq!(text, expected);
    }

    #[test]
    fn tables_of_any_size_are_written() {
        assert_eq!(table(&[], &[]), "\n\n");
        assert_eq!(table(&[], &[vec!["a".to_owned()]]), "\n\n\n");
        assert_eq!(table(&[("", Align::Right)], &[vec![String::new()]]), "\n\n\n");
        let long = "x".repeat(100_000);
        let text = table(&[("a", Align::Left), ("b", Align::Right)], &[vec![long.clone(), "1".into()], vec!["y".into(), long]]);
        assert!(text.lines().all(|line| line.chars().count() <= 200_002));
    }

    #[test]
    fn short_rows_are_filled_and_long_ones_cut() {
        let rows = [vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned(), "d".to_owned()], vec![]];
        assert_eq!(table(&[("x", Align::Left), ("y", Align::Right)], &rows), "x  y\n─  ─\na\nb  c\n\n");
    }
}
