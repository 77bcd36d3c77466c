//! Slips of syntax do not hide what is wrong with the rest, and the types are there all the same.
use gradc::prelude::*;

network! {
    pub Slips {
        input  pixels: [batch, 64];
        target digit:  class(10);
        setting lambda = 1e-3;
        let hidden = pixels.dense(32 init = he).relu();
        let wide   = pixels.dense(16) + pixels;
        let logits = pixels.dense(9);
        predict  logits.softmax();
        minimize logits.cross_entropy(digit) + l2(lambda)
        using    adam(rate = 1e-3);
        report   accuracy = accuracy(logits, digit);
    }
}

fn main() -> gradc::Result<()> {
    let mut net = Slips::options().seed(1).compile()?;
    net.set_lambda(1e-2)?;
    println!("{}", net.evaluate(&Dataset::new())?.accuracy);
    let rows = SlipsInputs { pixels: &[0.0; 64] };
    println!("{:?} {:?}", net.predict(&rows)?, Slips::ACCURACY);
    Ok(())
}
