//! What is made and let go has no effect.
#![deny(unused_must_use)]
use gradc::prelude::*;

network! {
    Line {
        const width = 4;
        input  x: [batch, 1];
        target y: [batch, 1];
        let p = x.dense(width).dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    sgd(rate = 0.1);
    }
}

fn forgets(data: &Dataset) -> gradc::Result<()> {
    let mut net = Line::options().compile()?;
    net.fit(data).epochs(10);
    data.shuffled(7);
    Line::options().width(8);
    Ok(())
}

fn main() {
    drop(forgets(&Dataset::new()));
}
