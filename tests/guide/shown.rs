//! What is shown against what is there.

/// A line that stands for lines that are left out, and what stands for text within a line.
const GAP: &str = "…";

/// Whether a line is of a form: equal but for the gaps.
fn fits(form: &str, line: &str) -> bool {
    let (form, line) = (form.trim_end(), line.trim_end());
    let mut parts = form.split(GAP);
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Runs of lines between gaps.
fn runs<'a>(lines: &[&'a str]) -> Vec<Vec<&'a str>> {
    lines.split(|line| line.trim() == GAP).map(<[&str]>::to_vec).collect()
}

/// Holds what is shown to what is there; the error says which lines are not there, and what is.
pub fn compare(shown: &str, real: &str) -> Result<(), String> {
    let shown: Vec<&str> = shown.trim_end().lines().collect();
    let real: Vec<&str> = real.trim_end().lines().collect();
    let runs = runs(&shown);
    let mut from = 0;
    for (number, run) in runs.iter().enumerate() {
        let matches =
            |at: &usize| real[*at..].len() >= run.len() && run.iter().zip(&real[*at..]).all(|(form, line)| fits(form, line));
        let last = real.len().saturating_sub(run.len());
        let (is_first, is_last) = (number == 0, number + 1 == runs.len());
        let places = match (is_first, is_last) {
            (true, true) if run.len() != real.len() => from..from,
            (true, _) => 0..1,
            (false, true) => last.max(from)..last + 1,
            (false, false) => from..last + 1,
        };
        match places.clone().find(|at| *at <= real.len() && matches(at)) {
            Some(at) => from = at + run.len(),
            None => return Err(missing(run, &real, from, is_first, is_last)),
        }
    }
    Ok(())
}

fn missing(run: &[&str], real: &[&str], from: usize, is_first: bool, is_last: bool) -> String {
    let place = match (is_first, is_last) {
        (true, true) => "these lines are not all of it",
        (true, false) => "it does not begin with these lines",
        (false, true) => "it does not end with these lines",
        (false, false) => "these lines are not in it, or not in this order",
    };
    let alone = run.iter().find(|form| !real[from.min(real.len())..].iter().any(|line| fits(form, line)));
    let alone = alone.map_or(String::new(), |line| format!("\nno line is like `{line}`"));
    format!("{place}:\n{}{alone}\n--- it is (from line {from} on)\n{}", run.join("\n"), real.join("\n"))
}

#[test]
fn gaps_stand_for_what_is_left_out_and_for_nothing_else() {
    let real = "a 1\nb 2\nc 3\nd 4";
    for shown in ["a 1\nb 2\nc 3\nd 4", "a 1\n…\nd 4", "…\nb 2\n…", "…\nb …\n…\nd 4", "a 1\n…", "…\nd 4", "…\na 1\n…\nc 3\n…"]
    {
        assert_eq!(compare(shown, real), Ok(()), "{shown}");
    }
    for shown in ["a 1", "b 2\n…", "…\nc 3", "…\nb 2\nd 4", "…\nc 3\n…\nb 2\n…", "a 1\nb 2\nc 3\nd 5", "…\nb 3\n…", "a 1\n…\nc 3"]
    {
        assert!(compare(shown, real).is_err(), "{shown}");
    }
}
