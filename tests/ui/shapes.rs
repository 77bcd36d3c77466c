//! Two shapes that cannot be added, and a loss that needs another number of logits: both at once, each at both places.
use gradc::prelude::*;

network! {
    pub Shapes {
        input  pixels: [batch, 64];
        target digit:  class(12);

        let hidden = pixels.dense(128).relu();
        let summed = hidden + pixels;
        let logits = hidden.dense(10);

        predict  summed;
        minimize logits.cross_entropy(digit);
        using    adam(rate = 1e-3);
    }
}

fn main() -> gradc::Result<()> {
    // The types are there in spite of the errors, so nothing here is one.
    let mut net = Shapes::options().seed(1).compile()?;
    let loss = net.step(&ShapesBatch { pixels: &[0.0; 64], digit: &[1] })?;
    println!("{loss} {} {}", net.evaluate(&Dataset::new())?.loss, Shapes::PARAMETERS);
    Ok(())
}
