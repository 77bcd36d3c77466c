//! Reads handwritten digits of 28×28 pixels: a dense and a convolution network on the 8 000 training images in `data/`, and what each gets right of 2 000 others.

use gradc::prelude::*;
use std::time::Instant;

network! {
    /// All pixels see all pixels.
    pub Dense {
        input  pixels: [batch, 784];
        target digit:  class(10);

        let x      = pixels / 255;
        let hidden = x.dropout(0.1).dense(512).batch_norm().relu().dropout(0.3).dense(256).batch_norm().relu().dropout(0.3);
        let logits = hidden.dense(10);

        predict  logits.softmax();
        minimize logits.cross_entropy(digit);
        using    adam(rate = 1e-3);
        report   accuracy = accuracy(logits, digit);
    }

    /// Windows of 5×5 and 3×3 pixels, the same for every place.
    pub Convolution {
        input  pixels: [batch, 1, 28, 28];
        target digit:  class(10);

        let x      = pixels / 255;
        let edges  = x.conv2d(16, 5, padding = 2).batch_norm().relu().max_pool(2);
        let shapes = edges.conv2d(32, 3, padding = 1).batch_norm().relu().max_pool(2);
        let hidden = shapes.flatten().dropout(0.3).dense(128).batch_norm().relu().dropout(0.4);
        let logits = hidden.dense(10);

        predict  logits.softmax();
        minimize logits.cross_entropy(digit);
        using    adam(rate = 1e-3);
        report   accuracy = accuracy(logits, digit);
    }
}

fn main() -> gradc::Result<()> {
    let images = |part: &str| data::idx(format!("data/mnist10k/{part}-images-idx3-ubyte.gz"));
    let labels = |part: &str| format!("data/mnist10k/{part}-labels-idx1-ubyte.gz");
    let [train, test] = ["train", "t10k"].map(|part| images(part).targets(labels(part)));

    let start = Instant::now();
    let mut net = Dense::options().seed(1).compile()?;
    net.fit(&Dense::read(train.clone())?).batch(64).epochs(20).quiet().run()?;
    let dense = net.evaluate(&Dense::read(test.clone())?)?.accuracy;
    println!("dense:       {dense:.4} in {:.1} s", start.elapsed().as_secs_f64());

    let start = Instant::now();
    let mut net = Convolution::options().seed(1).compile()?;
    net.fit(&Convolution::read(train)?).batch(64).epochs(8).quiet().run()?;
    let convolution = net.evaluate(&Convolution::read(test)?)?.accuracy;
    println!("convolution: {convolution:.4} in {:.1} s", start.elapsed().as_secs_f64());

    println!("test accuracy: dense {dense:.4}, convolution {convolution:.4}");
    Ok(())
}
