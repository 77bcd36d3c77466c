//! No loss, no optimizer, an unused input and an unused value.
#![deny(deprecated)]
use gradc::prelude::*;

network! {
    Missing {
        input  x: [batch, 8];
        let a = x.dense(16);
        predict a;
    }
}

network! {
    Unused {
        input  x: [batch, 8];
        input  unused: [batch, 3];
        target y: [batch, 1];
        let forgotten = x.dense(4);
        let p = x.dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    adam(rate = 1e-3);
    }
}

fn main() {}
