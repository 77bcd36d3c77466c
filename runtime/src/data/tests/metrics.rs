//! Measures of predictions.

use crate::data::metrics::{confusion_matrix, roc_auc};

#[test]
fn what_was_said_where_a_class_came() {
    // The example of scikit-learn's manual.
    let counts = confusion_matrix(&[0, 0, 2, 2, 0, 2], &[2, 0, 2, 2, 0, 1], 3);
    assert_eq!(counts, [[2, 0, 0], [0, 0, 1], [1, 0, 2]]);
    assert_eq!(confusion_matrix(&[5, 1], &[0, 9], 2), [[0, 0], [0, 0]]);
}

#[test]
fn area_under_the_curve() {
    // The example of scikit-learn's manual, ties, the two ends.
    assert_eq!(roc_auc(&[0.1, 0.4, 0.35, 0.8], &[0.0, 0.0, 1.0, 1.0]), 0.75);
    assert_eq!(roc_auc(&[0.5; 5], &[0.0, 1.0, 1.0, 0.0, 1.0]), 0.5);
    assert_eq!(roc_auc(&[-0.0, 0.0], &[1.0, 0.0]), 0.5);
    assert_eq!(roc_auc(&[1.0, 2.0, 3.0], &[0.0, 0.0, 1.0]), 1.0);
    assert_eq!(roc_auc(&[1.0, 2.0, 3.0], &[1.0, 0.0, 0.0]), 0.0);
    assert!(roc_auc(&[1.0, 2.0], &[1.0, 1.0]).is_nan() && roc_auc(&[f32::NAN, 2.0], &[1.0, 0.0]).is_nan());
}
