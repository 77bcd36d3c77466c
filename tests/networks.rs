//! Networks that several tests train, and their data.

use gradc::prelude::*;

network! {
    /// The example of the guide.
    pub Digits {
        input  pixels: [batch, 64];
        target digit:  class(10);

        let x      = pixels.standardize();
        let hidden = x.dense(128).batch_norm().relu().dropout(0.2);
        let logits = hidden.dense(10);

        predict  logits.softmax();
        minimize logits.cross_entropy(digit) + l2(1e-4);
        using    adam(rate = 1e-3).clip_global_norm(1.0);
        report   accuracy = accuracy(logits, digit);
    }
}

network! {
    /// Two inputs, a size, a setting, a Rust constant, a function, a loop, a shared layer, several values served.
    fn swish(x) { x * x.sigmoid() }
    pub Mixed {
        const width = 12;
        setting rate = 1e-2;
        input  left:  [batch, 5];
        input  right: [batch, WIDE];
        target size:  [batch, 1];

        layer  encoder = dense(width).tanh();
        let mut h = swish(encoder(left) + encoder(right));
        for i in 0..3 { h = h.dense(width).elu() + h; }
        let y = if training { h.dropout(0.1) } else { h };
        let size_hat = y.dense(1);

        predict  value = size_hat, hidden = h;
        minimize size_hat.mean_squared_error(size);
        using    sgd(rate = rate);
        report   distance = mean_absolute_error(size_hat, size);
    }
}

/// Width of `Mixed`'s right input.
pub const WIDE: usize = 5;

/// Training, validation and test part of the digits, shuffled by a seed.
pub fn digits(seed: u64) -> gradc::Result<[Dataset; 3]> {
    data::digits()?.shuffled(seed).split([0.7, 0.15, 0.15])
}

/// Rows for `Mixed`: the size is a smooth function of both inputs.
pub fn mixed(rows: usize) -> gradc::Result<Dataset> {
    let value = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 50.0;
    let left: Vec<f32> = (0..rows * 5).map(value).collect();
    let right: Vec<f32> = (0..rows * 5).map(|i| value(i * 7 + 3)).collect();
    let size: Vec<f32> = (0..rows).map(|row| (left[row * 5] + right[row * 5 + 1]).sin()).collect();
    Dataset::new().f32("left", &[5], &left)?.f32("right", &[5], &right)?.f32("size", &[1], &size)
}

/// Bits of every parameter and saved state, by name.
pub fn bits(model: &Model) -> Vec<(String, Vec<u32>)> {
    let names: Vec<String> = model.parameters().map(|(name, _)| name.to_string()).collect();
    let values =
        |name: &String| model.parameter(name).expect("a parameter that was listed").iter().map(|v| v.to_bits()).collect();
    names.iter().map(|name| (name.clone(), values(name))).collect()
}
