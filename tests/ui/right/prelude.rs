//! Nothing is in scope but what the program names, and everything public has a line of documentation.
#![no_implicit_prelude]
#![deny(warnings, missing_docs)]

/// A number that the macro does not know.
pub const FEATURES: usize = 2;

::gradc::network! {
    pub Undocumented {
        const   width = 8;
        setting eta = 0.1;

        input  x: [batch, FEATURES];
        input  kind: class(3);
        input  known: bool[batch];
        target y: [batch, 1];

        let p = concat(x, kind.one_hot()).dense(width).dense(1);
        let q = where(known.reshape([1]), p, 0);

        predict  p = p, q = q;
        minimize p.mean_squared_error(y);
        using    sgd(rate = eta);
        report   off = mean_absolute_error(q, y);
    }
}

fn main() {}
