//! Made from `tests/cases` by `BLESS=1 cargo test --test main doors`.

#![allow(dead_code, missing_docs, unused_imports, deprecated)]

#[rustfmt::skip]
pub mod blocks {
use gradc::prelude::*;
network! {
/// x times the share of it that passes.
fn swish(x, beta = 1) { x * sigmoid(beta * x) }

/// Two layers beside the value itself.
fn residual(x, width) {
    let inner = x.dense(width).batch_norm().swish();
    parameter gain: [width] = ones;
    x + inner.dense(width, bias = false) * gain
}

/// Functions, loops, shared layers and tied weights.
pub Blocks {
    input  left:  [batch, 16];
    input  right: [batch, 16];
    target same:  [batch, 1];
    const width = 8;

    layer encoder = dense(2 * width).relu().dense(width);
    let mut a = encoder(left);
    for i in 0..2 { a = a.residual(width); }
    for size in [4, width] { a = a.dense(size).elu(); }
    let b       = right.encoder();
    let decoded = matmul(b, transpose(encoder.dense_2.weight));
    let logit   = concat(a, b, (a - b).abs()).dense(1);

    predict  same = logit.sigmoid(), code = b;
    minimize logit.binary_cross_entropy(same) + 0.1 * mean(decoded * decoded) + l2(1e-4);
    using    nadam(1e-3).clip_norm(1);
    report   accuracy = accuracy(logit, same);
}
}
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Blocks::declaration()
}
}

#[rustfmt::skip]
pub mod clipped {
use gradc::prelude::*;
network! {
    /// Clipping by value is pointwise: no gradient of a weight ever reaches memory.
    pub Clipped {
        input  signal: [batch, 96];
        target answer: [batch, 1];

        let first  = signal.dense(160).batch_norm().relu();
        let second = first.dense(64).tanh();
        let answer_guess = second.dense(1);

        minimize answer_guess.mean_squared_error(answer);
        using    sgd(rate = 1e-2).clip_value(0.5);
    }
}
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Clipped::declaration()
}
}

#[rustfmt::skip]
pub mod digits {
use gradc::prelude::*;
network! {
    /// Handwritten digits: 8×8 grey pixels in, one of ten classes out.
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
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Digits::declaration()
}
}

#[rustfmt::skip]
pub mod groups {
use gradc::prelude::*;
network! {
/// Layers that learn at rates of their own, or not at all.
Groups {
    input  pixels: [batch, 64];
    target digit:  class(10);
    let low    = pixels.dense(32, frozen = true).relu();
    let middle = low.dense(32, rate_factor = 0.1, penalty = l1(1e-5)).relu();
    let high   = middle.dense(16, penalty = none).relu().batch_norm(frozen = true);
    let logits = high.dense(10);
    predict  logits.softmax();
    minimize logits.cross_entropy(digit, label_smoothing = 0.1) + l2(1e-4);
    using    adamw(1e-3).clip_global_norm(1).group("high.*", weight_decay = 0).group("*.bias", rate_factor = 2, weight_decay = 0);
    report   accuracy = accuracy(logits, digit);
}
}
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Groups::declaration()
}
}

#[rustfmt::skip]
pub mod images {
use gradc::prelude::*;
network! {
/// Digits as images: convolutions, then one layer.
Images {
    input  pixels: [batch, 64];
    target digit:  class(10);
    let image  = pixels.reshape([1, 8, 8]);
    let small  = image.conv2d(4, 3, padding = same).batch_norm().relu().max_pool(2);
    let wide   = small.conv2d(8, [3, 2], stride = [1, 2], padding = [1, 0]).elu().average_pool(2);
    let logits = wide.flatten().dense(10);
    predict  logits.softmax();
    minimize logits.cross_entropy(digit);
    using    rmsprop(1e-3, momentum = 0.9);
    report   accuracy = accuracy(logits, digit);
}
}
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Images::declaration()
}
}

#[rustfmt::skip]
pub mod optimizer {
use gradc::prelude::*;
network! {
optimizer heavy_ball(rate, beta = 0.9) {
    state m = zeros;
    at theta + beta * m;
    m = beta * m - rate * gradient;
    theta = theta + m;
}

/// An optimizer of one's own, its rate a formula of the step.
Own {
    input  x: [batch, 3];
    target y: [batch, 1];
    setting warmth = 100;
    let p = x.dense(5, init = he_uniform).tanh().dense(1);
    predict  p;
    minimize p.mean_squared_error(y);
    using    heavy_ball(1e-2 * min(step / warmth, 1)).clip_value(5);
}
}
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Own::declaration()
}
}

#[rustfmt::skip]
pub mod regression {
use gradc::prelude::*;
network! {
/// Scaled inputs and targets, weighted rows, noise in training only.
Regression {
    input  features: [batch, 6];
    target price:    [batch, 1];
    target w:        [batch];
    setting lambda = 1e-3;
    let x = features.rescale(-1, 1);
    let y = price.standardize();
    let mut h = x.noise(0.1);
    if training { h = h.dropout(0.1); } else { h = h * 1; }
    h = h.dense(12).leaky_relu(0.2);
    let p = h.dense(1);
    predict  price = p.restore(price);
    minimize p.huber(y, delta = 2, weights = w) + l1(lambda, proximal = true) + l2(0.1 * lambda, on = all);
    using    adamw(1e-3, weight_decay = 0.1);
    report   rmse = rmse(p, y), mean_absolute_error(p, y);
}
}
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Regression::declaration()
}
}

#[rustfmt::skip]
pub mod sequences {
use gradc::prelude::*;
network! {
/// Rows of differing length, read by a recurrent layer, and by attention.
Sequences {
    input  letters: class(27)[batch, 3];
    input  n:       u32[batch];
    target next:    class(27);
    let embedded = letters.embedding(4);
    let read     = embedded.gru(6).last(lengths = n);
    let seen     = embedded.attention(2, causal = true).last();
    let logits   = concat(read, seen).dense(27, init = orthogonal);
    predict  logits.softmax();
    minimize logits.cross_entropy(next);
    using    adam(1e-3).clip_global_norm(1);
}
}
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Sequences::declaration()
}
}

#[rustfmt::skip]
pub mod w2 {
use gradc::prelude::*;
network! {
    /// The network that speed is measured on: two wide layers over 28×28 pixels.
    pub Wide {
        input  pixels: [batch, 784];
        target digit:  class(10);

        let first  = pixels.dense(512).batch_norm().relu().dropout(0.2);
        let second = first.dense(512).batch_norm().relu().dropout(0.2);
        let logits = second.dense(10);

        minimize logits.cross_entropy(digit);
        using    adam(rate = 1e-3).clip_global_norm(1.0);
    }
}
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Wide::declaration()
}
}

#[rustfmt::skip]
pub mod words {
use gradc::prelude::*;
network! {
/// The next of 27 letters after four.
Words {
    input  letters: class(27)[batch, 4];
    target next:    class(27);
    let embedded = letters.embedding(10).flatten();
    let hidden   = embedded.dense(40).layer_norm().gelu();
    let logits   = hidden.dense(27);
    predict  logits.log_softmax();
    minimize logits.cross_entropy(next, ignore = 0);
    using    momentum(rate = 0.1, beta = 0.95, semantics = torch);
    report   accuracy(logits, next);
}
}
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Words::declaration()
}
}

#[rustfmt::skip]
pub mod xor {
use gradc::prelude::*;
network! {
Xor {
    input  x: [batch, 2];
    target y: [batch, 1];
    let h = x.dense(4).sigmoid();
    let p = h.dense(1);
    predict  probability = p.sigmoid();
    minimize p.binary_cross_entropy(y);
    using    sgd(rate = 0.5);
}
}
pub fn declaration() -> gradc::Result<gradc::Declaration> {
    Xor::declaration()
}
}
