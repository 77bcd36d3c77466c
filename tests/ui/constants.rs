//! Constants of Rust that are no numbers, or are taken for the name of a matrix.
use gradc::prelude::*;

const NAME: &str = "eight";
const N: usize = 8;

network! {
    Constants {
        input  x: [batch, NAME];
        target y: [batch, 1];
        let p = x.dense(4).dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    sgd(rate = 0.1);
    }
}

network! {
    Letter {
        input  x: [batch, 8];
        target y: [batch, 1];
        let p = x.dense(N).dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    sgd(rate = 0.1);
    }
}

fn main() {}
