//! Misspelt words, arguments out of bounds, names used before they are given.
use gradc::prelude::*;

network! {
    Words {
        input  x: [batch, 8];
        target y: [batch, 1];
        let a = x.dens(16);
        let b = x.dense(16, inti = he);
        let c = x.dense(-1);
        let d = x.dropout(50);
        let e = x.dense();
        let f = x.leaky_relu("steep");
        let g = later.relu();
        let later = x.dense(1);
        predict  a + b + c + d + e + f + g;
        minimize later.mean_squared_error(y);
        using    adm(rate = 1e-3);
        report   miss = mean_squared_error(later, y), miss = mean_absolute_error(later, y);
    }
}

fn main() {}
