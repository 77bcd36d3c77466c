//! The program has other things by the names that the expansion uses.
#![deny(warnings)]
#![allow(dead_code, non_camel_case_types, non_snake_case)]
use gradc::prelude::*;

struct Sizes;
impl Sizes {
    const WIDTH: usize = 4;
}
type T = Sizes;
const fn sizes() -> usize {
    5
}
const fn then(size: usize) -> usize {
    size
}

network! {
    pub Own {
        setting parameter = 0.5;

        input  x: [batch, 2];
        target y: [batch, 1];

        let p = x.dense({T::WIDTH}).dense({sizes()}).dense({then(3)}).dense({ let two = 2; two * two }).dense(1);

        predict  p;
        minimize p.mean_squared_error(y);
        using    sgd(rate = 0.1 * parameter);
        // Two that differ in case alone, and one that is called as a constant is.
        report   x = p.mean(), X = p.mean(), parameters = p.mean();
    }
}

impl Own {
    fn text(&self) -> &'static str {
        "a method of the program's own"
    }
}

mod primitives {
    struct f64;
    struct f32;
    struct u64;
    struct u32;
    struct usize;
    struct str;
    struct bool;
    trait FnOnce {}
    trait Into {}
    trait Clone {}
    trait Copy {}
    trait Debug {}
    trait PartialEq {}

    gradc::network! {
        pub Inner {
            const   width = 8;
            setting eta = 0.1;

            input  x: [batch, 3];
            input  kind: class(3);
            target y: [batch, 1];

            let p = (x + kind.one_hot()).dense(width).dense(1);

            predict  p = p, q = 2 * p;
            minimize p.mean_squared_error(y);
            using    sgd(rate = eta);
            report   off = mean_absolute_error(p, y);
        }
    }
}

fn main() {}
