//! Measures of predictions that need all rows at once, and so stand beside an evaluation: a table of counts, a rank statistic.

/// How often each class was said where each class came: row by class that came, column by class that was said.
///
/// Pairs with a class of `classes` or more are left out.
pub fn confusion_matrix(said: &[usize], came: &[usize], classes: usize) -> Vec<Vec<u64>> {
    let mut counts = vec![vec![0; classes]; classes];
    for (&said, &came) in said.iter().zip(came) {
        if said < classes && came < classes {
            counts[came][said] += 1;
        }
    }
    counts
}

/// Area under the receiver operating characteristic: the chance that a row of yes has a higher score than a row of no, where a tie
/// counts one half (Hanley and McNeil 1982). A label above 1/2 is yes.
///
/// NaN where all labels are the same, and where a score is NaN.
pub fn roc_auc(scores: &[f32], labels: &[f32]) -> f64 {
    let mut rows: Vec<(f32, bool)> = scores.iter().zip(labels).map(|(score, label)| (*score, *label > 0.5)).collect();
    if rows.iter().any(|(score, _)| score.is_nan()) {
        return f64::NAN;
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut yes, mut below, mut won) = (0.0, 0.0, 0.0);
    // Rows of one score: each yes has won against every no below, and half against those beside it. -0 ties with 0.
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        let own = tied.iter().filter(|(_, is_yes)| *is_yes).count() as f64;
        let others = tied.len() as f64 - own;
        won += own * (below + others / 2.0);
        below += others;
        yes += own;
    }
    won / (yes * below)
}
