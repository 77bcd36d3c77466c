//! Measures of predictions that need all rows at once, and so stand beside an evaluation: a table of counts, a rank statistic.

use gradc_compiler::aggregate::area;

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
    area(&mut rows)
}
