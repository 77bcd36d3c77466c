//! Reads handwritten digits of 28×28 pixels: a dense and a convolution network on the 8 000 training images in `data/`, each shifted by a pixel as well, and what each network gets right of 2 000 others.

use gradc::data::Values;
use gradc::prelude::*;
use std::time::Instant;

network! {
    /// All pixels see all pixels.
    pub Dense {
        setting steps = 5000;

        input  pixels: [batch, 784];
        target digit:  class(10);

        let x      = pixels / 255;
        let hidden = x.dense(512).batch_norm().relu().dropout(0.3).dense(256).batch_norm().relu().dropout(0.3);
        let logits = hidden.dense(10);

        predict  logits.softmax();
        minimize logits.cross_entropy(digit);
        using    adam(rate = 1e-3 * max(1 - step / steps, 0.01));
        report   accuracy = accuracy(logits, digit);
    }

    /// Windows of 5×5 and 3×3 pixels, the same for every place.
    pub Convolution {
        setting steps = 1875;

        input  pixels: [batch, 1, 28, 28];
        target digit:  class(10);

        let x      = pixels / 255;
        let edges  = x.conv2d(16, 5, padding = 2).batch_norm().relu().max_pool(2);
        let shapes = edges.conv2d(32, 3, padding = 1).batch_norm().relu().max_pool(2);
        let hidden = shapes.flatten().dense(128).batch_norm().relu().dropout(0.4);
        let logits = hidden.dense(10);

        predict  logits.softmax();
        minimize logits.cross_entropy(digit);
        using    adam(rate = 3e-3 * max(1 - step / steps, 0.01));
        report   accuracy = accuracy(logits, digit);
    }
}

fn main() -> gradc::Result<()> {
    let files = |part: &str| {
        let images = data::idx(format!("data/mnist10k/{part}-images-idx3-ubyte.gz"));
        images.targets(format!("data/mnist10k/{part}-labels-idx1-ubyte.gz"))
    };

    let start = Instant::now();
    let mut net = Dense::options().seed(1).compile()?;
    let train = with_shifts(&Dense::read(files("train"))?, &[784])?;
    net.fit(&train).batch(64).epochs(8).run()?;
    let dense = net.evaluate(&Dense::read(files("t10k"))?)?.accuracy;
    println!("dense:       {dense:.4} in {:.1} s", start.elapsed().as_secs_f64());

    // The convolution takes five times as long: `--example mnist -- dense` leaves it out.
    if std::env::args().nth(1).is_some_and(|argument| argument == "dense") {
        println!("test accuracy: dense {dense:.4}");
        return Ok(());
    }
    let start = Instant::now();
    let mut net = Convolution::options().seed(1).compile()?;
    let train = with_shifts(&Convolution::read(files("train"))?, &[1, 28, 28])?;
    net.fit(&train).batch(64).epochs(3).run()?;
    let convolution = net.evaluate(&Convolution::read(files("t10k"))?)?.accuracy;
    println!("convolution: {convolution:.4} in {:.1} s", start.elapsed().as_secs_f64());

    println!("test accuracy: dense {dense:.4}, convolution {convolution:.4}");
    Ok(())
}

/// The images, then all of them shifted by one pixel up, left, right and down: a digit is the same wherever it stands.
fn with_shifts(data: &Dataset, shape: &[usize]) -> gradc::Result<Dataset> {
    let [pixels, digits] = ["pixels", "digit"].map(|name| data.column(name).map(|column| &column.values));
    let (Some(Values::F32(pixels)), Some(Values::U32(digits))) = (pixels, digits) else { return Ok(data.clone()) };
    let mut shifted = data.clone();
    for (down, right) in [(-1, 0), (0, -1), (0, 1), (1, 0)] {
        let from = |row: isize, column: isize| {
            let inside = (0..28).contains(&(row - down)) && (0..28).contains(&(column - right));
            inside.then(|| ((row - down) * 28 + column - right) as usize)
        };
        let places: Vec<Option<usize>> = (0..28).flat_map(|row| (0..28).map(move |column| from(row, column))).collect();
        let images = pixels.chunks(784).flat_map(|image| places.iter().map(|place| place.map_or(0.0, |place| image[place])));
        let copy = Dataset::new().f32("pixels", shape, images.collect::<Vec<f32>>())?.class("digit", 10, digits)?;
        shifted = shifted.concat(&copy)?;
    }
    Ok(shifted)
}
