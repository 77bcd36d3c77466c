//! Recognises handwritten digits: trains on 8×8 images in a second, prints the model, the compile time of each stage and the test accuracy, and draws the loss curve.

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

fn main() -> gradc::Result<()> {
    let [train, valid, test] = data::digits()?.shuffled(7).split([0.7, 0.15, 0.15])?;
    let mut net = Digits::options().seed(7).compile()?;
    println!("{}", net.summary());
    println!("compiled for {}:", net.instruction_set());
    for (stage, time) in net.compile_times() {
        println!("  {stage:36} {:6.2} ms", 1e3 * time.as_secs_f64());
    }

    let history = net.fit(&train).validate(&valid).batch(64).epochs(60).patience(8).run()?;
    println!("{}, {:.0} samples/s", history.line(), history.samples_per_second);
    println!("test accuracy {:.3}", net.evaluate(&test)?.accuracy);
    history.plot("digits.svg")?;
    net.save("digits.safetensors")?;
    println!("wrote digits.svg and digits.safetensors");
    Ok(())
}
