//! Each layer and operation of the catalogue in a small network: it elaborates, and its step becomes loops.

use super::trial::elaborated;
use crate::fusion::Options;
use crate::{pipeline, program};

/// What is written on `x` [batch, 4], images `i` [batch, 4, 6, 6], sequences `s` [batch, 5, 4], classes `c`, lengths `n`, masks `m`.
const ROWS: &[&str] = &[
    "x.noise(0.1)",
    "x.clamp(-1, 1)",
    "c.one_hot().dense(4)",
    "where(x > 0, x, -x)",
    "where(x > 0, 1, 0) * x",
    "where(x > 0, x, 0)",
    "x.slice(1, 0, 2)",
    "x.slice(axis = -1, from = 1, to = 3)",
    "s.rnn(3).last()",
    "s.lstm(3).last(lengths = n)",
    "s.gru(3).last(lengths = n)",
    "s.attention(2)",
    "s.attention(2, causal = true)",
    "s.attention(2, mask = m)",
    "i.conv2d(6, 3)",
    "i.conv2d(6, 3, stride = 2, padding = 1)",
    "i.conv2d(6, 3, padding = same, dilation = 2)",
    "i.conv2d(6, [3, 1], groups = 2)",
    "i.conv2d(8, 3, padding = same, groups = 4, bias = false)",
    "i.max_pool(2)",
    "i.max_pool(3, stride = 2, padding = 1)",
    "i.max_pool(3, stride = 1, padding = same)",
    "i.average_pool(2)",
    "i.average_pool(3, stride = 2, padding = 1)",
    "c.embedding(4)",
    "x.layer_norm()",
    "x.batch_norm()",
    "i.batch_norm()",
    "x.dropout(0.5)",
    "x.reshape([2, 2]).transpose().flatten()",
    "concat(x, x * 2, axis = 1)",
    "s.matmul(s.transpose())",
    "x.sum(axis = 1)",
    "x.mean(axis = -1)",
    "x.max(axis = 1)",
    "x.min(0) + x.max(0.5)",
    "x.exp() + (x.abs() + 1).log() + (x * x + 1).sqrt() + x.sign() + x.sin() + x.cos()",
    "x.stop_gradient() * x",
    "x.softmax() + x.log_softmax()",
];

#[test]
fn every_row_elaborates_and_becomes_loops() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let used: Vec<&str> = [
            ("x", "input x: [batch, 4];"),
            ("i", "input i: [batch, 4, 6, 6];"),
            ("s", "input s: [batch, 5, 4];"),
            ("c", "input c: class(4);"),
            ("n", "input n: u32[batch];"),
            ("m", "input m: [batch, 5];"),
        ]
        .iter()
        .filter(|(name, _)| row.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == *name))
        .map(|(_, text)| *text)
        .collect();
        // A weight for rows without any, so that there is something to train.
        let text = format!(
            "Net {{ {} parameter scale: [1] = ones; let y = {row}; predict y; minimize (y * scale).mean(); using adam(0.1); }}",
            used.join(" ")
        );
        let networks = elaborated(&text);
        let front = match pipeline::front(&networks.training, &networks.evaluation, String::new(), None) {
            Ok(front) => front,
            Err(error) => {
                wrong.push(format!("{row}: {error}"));
                continue;
            }
        };
        if let Err(error) = program::assemble("net", &front.graphs, &Options::default()) {
            wrong.push(format!("{row}: {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
