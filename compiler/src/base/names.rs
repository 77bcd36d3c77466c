//! What a misspelt name was meant to be.

/// The candidate nearest to `name`, if it is near enough to be what was meant.
///
/// Near is a Damerau-Levenshtein distance (insertions, deletions, exchanges, swaps of neighbours) of at most 2, or of
/// at most a third of the name's length when that is more; and never more than half of its letters. Case counts
/// less than a letter, `drop_out` is `dropout`. Among equally near ones the first wins.
///
/// A word that other frameworks have for a candidate stands for it.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let letters = folded(name);
    if letters.len() > LONGEST {
        return None;
    }
    let is_it = |word: &str| letters.iter().eq(folded(word).iter());
    let meant = ELSEWHERE.iter().filter(|(word, _)| is_it(word)).find_map(|(_, own)| candidates.iter().find(|one| *one == own));
    if let Some(meant) = meant {
        return Some(meant);
    }
    let limit = (letters.len() / 3).max(2).min(letters.len() / 2);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (distance(&letters, &folded(candidate), limit), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What PyTorch, Keras, JAX and scikit-learn call things, and what they are called here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("lr", "rate"),
    ("learning_rate", "rate"),
    ("eps", "epsilon"),
    ("alpha", "slope"),
    ("b1", "beta1"),
    ("b2", "beta2"),
    ("initial_accumulator_value", "initial"),
    ("step_size", "every"),
    ("start", "from"),
    ("begin", "from"),
    ("end", "to"),
    ("stop", "to"),
    ("gamma", "factor"),
    ("units", "width"),
    ("out_features", "width"),
    ("hidden_size", "width"),
    ("embedding_dim", "width"),
    ("output_dim", "width"),
    ("out_channels", "channels"),
    ("filters", "channels"),
    ("kernel_size", "kernel"),
    ("strides", "stride"),
    ("pool_size", "size"),
    ("num_heads", "heads"),
    ("n_heads", "heads"),
    ("is_causal", "causal"),
    ("negative_slope", "slope"),
    ("pos_weight", "positive_weight"),
    ("class_weight", "class_weights"),
    ("sample_weight", "weights"),
    ("ignore_index", "ignore"),
    ("use_bias", "bias"),
    ("kernel_initializer", "init"),
    ("max_norm", "limit"),
    ("linear", "dense"),
    ("fc", "dense"),
    ("fully_connected", "dense"),
    ("swish", "silu"),
    ("conv", "conv2d"),
    ("max_pool2d", "max_pool"),
    ("max_pooling2d", "max_pool"),
    ("avg_pool", "average_pool"),
    ("avg_pool2d", "average_pool"),
    ("average_pooling2d", "average_pool"),
    ("batch_norm1d", "batch_norm"),
    ("batch_norm2d", "batch_norm"),
    ("batch_normalization", "batch_norm"),
    ("layer_normalization", "layer_norm"),
    ("gaussian_noise", "noise"),
    ("add_noise", "noise"),
    ("view", "reshape"),
    ("squeeze", "reshape"),
    ("unsqueeze", "reshape"),
    ("expand_dims", "reshape"),
    ("permute", "transpose"),
    ("mm", "matmul"),
    ("bmm", "matmul"),
    ("dot", "matmul"),
    ("cat", "concat"),
    ("concatenate", "concat"),
    ("maximum", "max"),
    ("minimum", "min"),
    ("masked_fill", "where"),
    ("detach", "stop_gradient"),
    ("softmax_cross_entropy", "cross_entropy"),
    ("smooth_l1", "huber"),
    ("smooth_l1_loss", "huber"),
    ("p", "rate"),
    ("dim", "axis"),
    ("weight_decay", "l2"),
    ("ridge", "l2"),
    ("lasso", "l1"),
    ("clip", "clip_global_norm"),
    ("clip_grad_norm", "clip_global_norm"),
    ("step_decay", "step"),
    ("std", "deviation"),
    ("stddev", "deviation"),
    ("cross_entropy_loss", "cross_entropy"),
    ("categorical_crossentropy", "cross_entropy"),
    ("sparse_categorical_crossentropy", "cross_entropy"),
    ("r2", "r_squared"),
    ("r2_score", "r_squared"),
    ("auc", "roc_auc"),
    ("f1_score", "f1"),
    ("top_k_accuracy", "top_k"),
    ("bce", "binary_cross_entropy"),
    ("bce_loss", "binary_cross_entropy"),
    ("bce_with_logits", "binary_cross_entropy"),
    ("bce_with_logits_loss", "binary_cross_entropy"),
    ("binary_cross_entropy_with_logits", "binary_cross_entropy"),
    ("sigmoid_binary_cross_entropy", "binary_cross_entropy"),
    ("softmax_cross_entropy_with_integer_labels", "cross_entropy"),
    ("mse_loss", "mean_squared_error"),
    ("squared_error", "mean_squared_error"),
    ("huber_loss", "huber"),
    ("hinge_loss", "hinge"),
    ("kl_div", "kl_divergence"),
    ("kl_div_loss", "kl_divergence"),
    ("nll_loss", "negative_log_likelihood"),
    ("nll", "negative_log_likelihood"),
    ("he_normal", "he"),
    ("kaiming", "he"),
    ("kaiming_normal", "he"),
    ("kaiming_uniform", "he_uniform"),
    ("glorot_normal", "glorot"),
    ("xavier", "glorot"),
    ("xavier_normal", "glorot"),
    ("xavier_uniform", "glorot_uniform"),
    ("lecun_normal", "lecun"),
    ("float", "f32"),
    ("float32", "f32"),
    ("f64", "f32"),
    ("double", "f32"),
    ("int", "i32"),
    ("int32", "i32"),
    ("i64", "i32"),
    ("u8", "u32"),
    ("u64", "u32"),
    ("usize", "u32"),
    ("boolean", "bool"),
    ("none", "batch"),
    ("var", "let"),
    ("val", "let"),
    ("def", "fn"),
    ("label", "target"),
    ("output", "predict"),
    ("return", "predict"),
    ("loss", "minimize"),
    ("optimizer", "using"),
    ("optimiser", "using"),
    ("metric", "report"),
    ("metrics", "report"),
];

/// Longer words are no misspelt names.
const LONGEST: usize = 80;

fn folded(name: &str) -> Vec<char> {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

/// Optimal string alignment distance (Damerau 1964), or something above `limit` when it is above it.
fn distance(a: &[char], b: &[char], limit: usize) -> usize {
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let exchange = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = exchange.min(above[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const LAYERS: [&str; 6] = ["dense", "dropout", "relu", "elu", "selu", "batch_norm"];

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(nearest("drop_out", LAYERS), Some("dropout"));
        assert_eq!(nearest("dnese", LAYERS), Some("dense"));
        assert_eq!(nearest("linear", LAYERS), Some("dense"));
        assert_eq!(nearest("pos_weight", ["weights", "positive_weight"]), Some("positive_weight"));
        assert_eq!(nearest("BatchNorm1d", LAYERS), Some("batch_norm"));
        assert_eq!(nearest("ridge", ["hinge", "l2"]), Some("l2"));
        assert_eq!(nearest("lr", ["beta1", "rate"]), Some("rate"));
        assert_eq!(nearest("r2", ["rmse", "mae", "r_squared"]), Some("r_squared"));
        assert_eq!(nearest("mse_loss", ["l2_loss", "mean_squared_error"]), Some("mean_squared_error"));
        assert_eq!(nearest("BCEWithLogitsLoss", ["cross_entropy", "binary_cross_entropy"]), Some("binary_cross_entropy"));
        assert_eq!(nearest("Dense", LAYERS), Some("dense"));
        assert_eq!(nearest("batchnorm", LAYERS), Some("batch_norm"));
        assert_eq!(nearest("batch_normalise", LAYERS), None);
        assert_eq!(nearest("inti", ["bias", "init"]), Some("init"));
    }

    #[test]
    fn is_silent_about_strangers() {
        assert_eq!(nearest("conv2d", LAYERS), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("foo", ["f1", "mae"]), None);
        assert_eq!(nearest("", LAYERS), None);
        assert_eq!(nearest(&"dense".repeat(1000), LAYERS), None);
    }

    #[test]
    fn the_nearest_wins_over_the_first() {
        assert_eq!(nearest("reelu", ["elu", "relu"]), Some("relu"));
    }
}
