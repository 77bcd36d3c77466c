//! Layers where a framework's numbers leave something open.

use super::trial::{Values, advance, beginning, elaborated, initial, training_step};
use crate::base::place::Source;
use crate::graph::Graph;
use crate::language::declaration::Declaration;
use crate::language::shown::shown;
use crate::ops::{Array, Primitive};
use crate::step;

fn served(text: &str, given: &[(&str, &[usize], Vec<f64>)]) -> Array {
    let networks = elaborated(text);
    let mut sources: Values = initial(&networks.training, 5);
    sources.extend(given.iter().map(|(name, dims, data)| (name.to_string(), Array::new(dims.to_vec(), data.clone()))));
    let batch = given[0].1[0];
    advance(&step::prediction(&networks.evaluation), &mut sources, batch, 0)["prediction"].clone()
}

/// The numbers are those of `jax.lax`, whose `SAME` is TensorFlow's: `conv_general_dilated` and `reduce_window` with f64.
#[test]
fn same_padding_is_that_of_tensorflow_at_any_stride() {
    let wave = |count: usize, factor: usize, modulus: usize, middle: f64| -> Vec<f64> {
        (0..count).map(|index| (index * factor % modulus) as f64 - middle).collect()
    };
    let (image, weight) = (wave(84, 7, 11, 5.0), wave(24, 5, 7, 3.0));
    let convolutions: [(&str, [usize; 2], &[f64]); 4] = [
        ("stride = 2", [3, 4], &[-24.0, -37.0, -7.0, 23.0, 23.0, -80.0, 16.0, 2.0, 36.0, 6.0, -22.0, 11.0]),
        ("stride = [3, 2]", [2, 4], &[-24.0, -37.0, -7.0, 23.0, 8.0, 58.0, 22.0, -36.0]),
        ("stride = [2, 3], dilation = [2, 1]", [3, 3], &[47.0, 40.0, 3.0, 11.0, -29.0, -25.0, -9.0, -32.0, -28.0]),
        (
            "dilation = [1, 2]",
            [6, 7],
            &[
                -5.0, -41.0, 7.0, -12.0, 19.0, -11.0, 7.0, 18.0, 27.0, -27.0, 33.0, -7.0, -21.0, -28.0, -26.0, 56.0, 2.0, -38.0,
                38.0, 2.0, 11.0, 18.0, -14.0, -24.0, -10.0, -5.0, 36.0, -27.0, -48.0, 37.0, 27.0, -15.0, 29.0, -7.0, 1.0, 18.0,
                -21.0, 35.0, -3.0, -13.0, 42.0, -25.0,
            ],
        ),
    ];
    let text = |layer: &str, channels: usize| {
        format!("Net {{ input x: [batch, {channels}, 6, 7]; let y = x.{layer}; predict y; minimize y.mean(); using sgd(0.1); }}")
    };
    for (arguments, [height, width], expected) in convolutions {
        let text = text(&format!("conv2d(1, [3, 4], padding = same, bias = false, {arguments})"), 2);
        let found = served(&text, &[("x", &[1, 2, 6, 7], image.clone()), ("y.conv2d.weight", &[1, 2, 3, 4], weight.clone())]);
        assert_eq!((found.dims, &found.data[..]), (vec![1, 1, height, width], expected), "{arguments}");
    }
    let pools: [(&str, f64, [usize; 2], &[f64]); 8] = [
        ("max_pool(3, stride = 2, padding = same)", 1.0, [3, 4], &[5.0, 5.0, 5.0, 4.0, 5.0, 4.0, 5.0, 3.0, 5.0, 5.0, 4.0, 2.0]),
        (
            "average_pool(3, stride = 2, padding = same)",
            9.0,
            [3, 4],
            &[-1.0, 5.0, -1.0, 0.0, 4.0, -4.0, 1.0, -6.0, 7.0, 2.0, -2.0, -7.0],
        ),
        (
            "max_pool([2, 3], stride = 2, padding = same)",
            1.0,
            [3, 4],
            &[2.0, 5.0, 5.0, 4.0, 5.0, 4.0, 5.0, 3.0, 5.0, 5.0, 4.0, 2.0],
        ),
        (
            "average_pool([2, 3], stride = 2, padding = same)",
            6.0,
            [3, 4],
            &[-7.0, 3.0, -1.0, 1.0, 0.0, -3.0, 4.0, -3.0, 7.0, 2.0, -2.0, -7.0],
        ),
        ("max_pool(4, stride = 3, padding = same)", 1.0, [2, 3], &[5.0, 5.0, 4.0, 5.0, 5.0, 2.0]),
        ("average_pool(4, stride = 3, padding = same)", 16.0, [2, 3], &[-7.0, 3.0, -2.0, 0.0, 1.0, -9.0]),
        ("max_pool(2, padding = same)", 1.0, [3, 4], &[2.0, 5.0, 2.0, 4.0, 5.0, 4.0, 5.0, 3.0, 5.0, 3.0, 4.0, 2.0]),
        ("max_pool([1, 2], stride = 3, padding = same)", 1.0, [2, 3], &[2.0, 5.0, 4.0, -1.0, 5.0, -3.0]),
    ];
    for (layer, area, [height, width], expected) in pools {
        let found = served(&text(layer, 1), &[("x", &[1, 1, 6, 7], image[..42].to_vec())]);
        assert_eq!(found.dims, [1, 1, height, width], "{layer}");
        for (found, expected) in found.data.iter().zip(expected) {
            assert!((found * area - expected).abs() < 1e-12, "{layer}: {found} should be {expected} / {area}");
        }
    }
}

/// A window that passes its middle pixel on is the image, every second pixel of it at a stride of 2.
#[test]
fn same_padding_keeps_the_middle_in_the_middle() {
    let image: Vec<f64> = (0..25).map(f64::from).collect();
    let strided: Vec<f64> = [0, 2, 4].iter().flat_map(|y| [0, 2, 4].map(|x| f64::from(5 * y + x))).collect();
    let mut middle = vec![0.0; 9];
    middle[4] = 1.0;
    for (arguments, dims, expected) in
        [("", [1, 1, 5, 5], &image), (", dilation = 2", [1, 1, 5, 5], &image), (", stride = 2", [1, 1, 3, 3], &strided)]
    {
        let text = format!(
            "Net {{ input x: [batch, 1, 5, 5]; let y = x.conv2d(1, 3, padding = same, bias = false{arguments}); predict y; \
             minimize y.mean(); using sgd(0.1); }}"
        );
        let found = served(&text, &[("x", &[1, 1, 5, 5], image.clone()), ("y.conv2d.weight", &[1, 1, 3, 3], middle.clone())]);
        assert_eq!((found.dims, &found.data), (dims.to_vec(), expected), "{arguments}");
    }
}

#[test]
fn the_last_step_of_a_row_is_the_one_that_its_length_says() {
    let text = "Net { input x: [batch, 3, 2]; input n: i32[batch]; let y = x.last(lengths = n); predict y; \
                minimize y.mean(); using sgd(0.1); }";
    let mut x: Vec<f64> = (0..18).map(f64::from).collect();
    // Behind a row's end there may be anything.
    x[2] = f64::NAN;
    let found = served(text, &[("x", &[3, 3, 2], x), ("n", &[3], vec![1.0, 2.0, 3.0])]);
    assert_eq!(found.data, [0.0, 1.0, 8.0, 9.0, 16.0, 17.0]);
}

#[test]
fn orthogonal_weights_are_orthogonal() {
    for (rows, columns) in [(6, 6), (40, 9), (9, 40), (64, 64)] {
        let text = format!(
            "Net {{ input x: [batch, {rows}]; let y = x.dense({columns}, init = orthogonal(gain = 2)); predict y; \
             minimize y.mean(); using sgd(0.1); }}"
        );
        let weight = &initial(&elaborated(&text).training, 11)["y.dense.weight"];
        let at = |row: usize, column: usize| weight.data[row * columns + column];
        let few = rows.min(columns);
        for i in 0..few {
            for j in 0..few {
                let product: f64 = match rows >= columns {
                    true => (0..rows).map(|k| at(k, i) * at(k, j)).sum(),
                    false => (0..columns).map(|k| at(i, k) * at(j, k)).sum(),
                };
                let expected = if i == j { 4.0 } else { 0.0 };
                assert!((product - expected).abs() < 1e-6, "{rows}x{columns} {i} {j}: {product}");
            }
        }
    }
}

#[test]
fn a_causal_step_does_not_see_what_comes_after_it() {
    let text =
        "Net { input x: [batch, 3, 4]; let y = x.attention(2, causal = true); predict y; minimize y.mean(); using sgd(0.1); }";
    let mut x: Vec<f64> = (0..12).map(|index| (f64::from(index) * 1.3).sin()).collect();
    let before = served(text, &[("x", &[1, 3, 4], x.clone())]);
    x[9] += 1.0;
    let after = served(text, &[("x", &[1, 3, 4], x)]);
    assert_eq!(before.data[..8], after.data[..8]);
    assert_ne!(before.data[8..], after.data[8..]);
}

/// Two groups are two convolutions side by side.
#[test]
fn groups_see_their_own_channels_alone() {
    let wave = |count: usize, speed: f64| (0..count).map(|index| (index as f64 * speed).sin()).collect::<Vec<f64>>();
    let (image, weight) = (wave(2 * 4 * 5 * 5, 1.3), wave(6 * 2 * 3 * 3, 0.7));
    let of = |arguments: &str| {
        format!("Net {{ input x: [batch, 4, 5, 5]; let y = {arguments}; predict y; minimize y.mean(); using sgd(0.1); }}")
    };
    let x: (&str, &[usize], Vec<f64>) = ("x", &[2, 4, 5, 5], image);
    let text = of("x.conv2d(6, 3, padding = 1, stride = 2, groups = 2, bias = false)");
    let found = served(&text, &[x.clone(), ("y.conv2d.weight", &[6, 2, 3, 3], weight.clone())]);
    let text = of("concat(x.slice(1, 0, 2).conv2d(3, 3, padding = 1, stride = 2, bias = false), \
         x.slice(1, 2, 4).conv2d(3, 3, padding = 1, stride = 2, bias = false), axis = 1)");
    let (first, second) = weight.split_at(3 * 2 * 3 * 3);
    let halves =
        [x, ("y.conv2d.weight", &[3, 2, 3, 3][..], first.to_vec()), ("y.conv2d_2.weight", &[3, 2, 3, 3][..], second.to_vec())];
    let expected = served(&text, &halves);
    assert_eq!(found.dims, expected.dims);
    for (found, expected) in found.data.iter().zip(&expected.data) {
        assert!((found - expected).abs() < 1e-12, "{found} should be {expected}");
    }
}

#[test]
fn pooling_with_padding() {
    let image = vec![-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0, -9.0];
    for (pool, dims, expected) in [
        ("max_pool(3, stride = 2, padding = 1)", [1, 1, 2, 2], vec![-1.0, -2.0, -4.0, -5.0]),
        ("max_pool(2, stride = 1, padding = same)", [1, 1, 3, 3], vec![-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0, -9.0]),
        ("average_pool(3, stride = 2, padding = 1)", [1, 1, 2, 2], vec![-12.0 / 9.0, -16.0 / 9.0, -24.0 / 9.0, -28.0 / 9.0]),
    ] {
        let text = format!(
            "Net {{ input x: [batch, 1, 3, 3]; parameter a: [1] = ones; let y = x.{pool}; predict y; minimize (a * y).mean(); \
             using sgd(0.1); }}"
        );
        let found = served(&text, &[("x", &[1, 1, 3, 3], image.clone())]);
        assert_eq!(found.dims, dims, "{pool}");
        for (found, expected) in found.data.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-12, "{pool}: {found} should be {expected}");
        }
    }
}

#[test]
fn a_choice_between_plain_numbers() {
    let text = "Net { input x: [batch, 3]; parameter a: [1] = ones; let y = where(x > 0, 1, -0.5); predict y; \
                minimize (a * y).mean(); using sgd(where(step < 3, 0.1, 0.01)); }";
    let found = served(text, &[("x", &[1, 3], vec![2.0, -3.0, 0.0])]);
    assert_eq!(found.data, [1.0, -0.5, -0.5]);
}

/// The states of a row that ends early are those of the row cut off there, then the last of them again; nothing behind its end counts.
#[test]
fn a_recurrent_layer_stands_still_behind_a_row_s_end() {
    for layer in ["rnn", "lstm", "gru"] {
        let text = |input: &str, arguments: &str, steps: usize| {
            format!(
                "Net {{ input x: [batch, {steps}, 2]; {input} let y = x.{layer}(4{arguments}); predict y; minimize y.mean(); \
                 using sgd(0.1); }}"
            )
        };
        let x: Vec<f64> = (0..10).map(|index| (f64::from(index) * 1.3).sin()).collect();
        let cut = served(&text("", "", 2), &[("x", &[1, 2, 2], x[..4].to_vec())]);
        let last = &cut.data[4..];
        let expected = [&cut.data[..], last, last, last].concat();
        let mut anything = x.clone();
        anything[4] = f64::NAN;
        for x in [x, anything] {
            let found =
                served(&text("input n: u32[batch];", ", lengths = n", 5), &[("x", &[1, 5, 2], x), ("n", &[1], vec![2.0])]);
            assert_eq!(found.data, expected, "{layer}");
        }
    }
}

/// What stands behind the ends of rows has no influence on a step of the training.
#[test]
fn no_gradient_comes_from_behind_a_row_s_end() {
    for layer in ["rnn", "lstm", "gru"] {
        let text = format!(
            "Net {{ input x: [batch, 4, 2]; input n: u32[batch]; let y = x.{layer}(3, lengths = n); predict y; \
             minimize (y * y).mean(); using sgd(0.1); }}"
        );
        let networks = elaborated(&text);
        let step = training_step(&networks.training);
        let after = |beyond: f64| {
            let mut sources: Values = initial(&networks.training, 5);
            sources.extend(beginning(&networks.training, &step));
            let mut x: Vec<f64> = (0..16).map(|index| (f64::from(index) * 0.7).cos()).collect();
            x[6..8].fill(beyond);
            x[12..].fill(beyond);
            sources.insert("x".into(), Array::new(vec![2, 4, 2], x));
            sources.insert("n".into(), Array::new(vec![2], vec![3.0, 2.0]));
            advance(&step.graph, &mut sources, 2, 1);
            sources
        };
        let (one, other) = (after(0.5), after(f64::NAN));
        for (name, value) in one.iter().filter(|(name, _)| name.starts_with("y.")) {
            assert!(value.data.iter().all(|value| value.is_finite()), "{layer}: {name}");
            assert_eq!(value, &other[name], "{layer}: {name}");
        }
    }
}

#[test]
fn the_graph_of_a_recurrent_layer_does_not_grow_with_its_steps() {
    for layer in ["rnn", "lstm", "gru"] {
        let nodes = |steps: usize| {
            let text = format!(
                "Net {{ input x: [batch, {steps}, 2]; let y = x.{layer}(3); predict y; minimize (y * y).mean(); using adam(0.1); }}"
            );
            training_step(&elaborated(&text).training).graph.nodes.len()
        };
        assert_eq!(nodes(2), nodes(500), "{layer}");
    }
}

/// What a frozen batch norm behind a layer serves, plain and folded: of the training network it is the plain formula over the running
/// moments, the evaluation network folds it where it can.
fn plain_and_folded(input: &str, sizes: &[usize], layer: &str, axis: &str) -> [(Array, Graph); 2] {
    let text = format!(
        "Net {{ input x: {input}; let y = x.{layer}.batch_norm({axis}frozen = true); predict y; minimize y.mean(); using sgd(0.1); }}"
    );
    let networks = elaborated(&text);
    let wave = |count: usize, speed: f64| (0..count).map(|index| (index as f64 * speed).sin()).collect::<Vec<f64>>();
    let mut sources: Values = initial(&networks.training, 5);
    sources.insert("x".into(), Array::new(sizes.to_vec(), wave(sizes.iter().product(), 1.3)));
    for (number, state) in networks.training.states.iter().enumerate() {
        let dims = state.ty.shape.at(1);
        let values = wave(dims.iter().product(), 0.7 + number as f64).iter().map(|value| 0.1 + value.abs()).collect();
        sources.insert(state.name.clone(), Array::new(dims, values));
    }
    for (number, (name, array)) in sources.iter_mut().enumerate().filter(|(_, (name, _))| !name.ends_with("weight")) {
        if name.as_str() != "x" && !name.contains("running") {
            array.data = wave(array.data.len(), 0.4 + number as f64);
        }
    }
    let both = [&networks.training, &networks.evaluation].map(|network| {
        let graph = step::prediction(network);
        (advance(&graph, &mut sources.clone(), sizes[0], 0)["prediction"].clone(), graph)
    });
    for (found, expected) in both[1].0.data.iter().zip(&both[0].0.data) {
        let is_near = (found - expected).abs() <= 1e-12 * expected.abs().max(1.0);
        assert!(is_near, "{layer} {axis}: {found} should be {expected}");
    }
    both
}

/// Whether a value of the batch is subtracted from: where batch norm is folded, what is left of the mean is a vector.
fn is_centred(graph: &Graph) -> bool {
    graph.ids().any(|id| graph.node(id).primitive == Primitive::Sub && graph.shape(id).has_batch())
}

#[test]
fn what_is_folded_serves_what_the_plain_formula_serves() {
    for (input, sizes, layer, axis) in [
        ("[batch, 5]", vec![3, 5], "dense(4)", ""),
        ("[batch, 5]", vec![3, 5], "dense(4, bias = true)", ""),
        ("[batch, 2, 5]", vec![3, 2, 5], "dense(4)", ""),
        ("[batch, 2, 3, 5]", vec![3, 2, 3, 5], "dense(4)", "axis = 3, "),
        ("[batch, 4, 5, 5]", vec![3, 4, 5, 5], "conv2d(6, 3, padding = same)", ""),
        ("[batch, 4, 5, 5]", vec![3, 4, 5, 5], "conv2d(6, 3, bias = true, groups = 2, stride = 2)", "axis = -3, "),
    ] {
        let [plain, folded] = plain_and_folded(input, &sizes, layer, axis);
        assert!(is_centred(&plain.1) && !is_centred(&folded.1), "{layer} {axis} is not folded");
    }
}

/// A weight can take up the scale of the features that it makes, and of no other axis, as long as that may be.
#[test]
fn normalisation_along_another_axis_than_the_weight_s_is_not_folded() {
    for (input, sizes, layer, axis) in [
        ("[batch, 3, 8]", vec![5, 3, 8], "dense(3, bias = false)", "axis = 1, "),
        ("[batch, 3, 8]", vec![5, 3, 8], "dense(3, bias = true)", "axis = 1, "),
        ("[batch, 3, 2, 4]", vec![5, 3, 2, 4], "dense(3)", ""),
        ("[batch, 2, 1, 4]", vec![5, 2, 1, 4], "dense(3)", ""),
        ("[batch, 2, 4, 3]", vec![5, 2, 4, 3], "conv2d(4, 1)", "axis = 2, "),
        ("[batch, 2, 4, 3]", vec![5, 2, 4, 3], "conv2d(4, 1, groups = 2)", "axis = -1, "),
    ] {
        let [_, evaluated] = plain_and_folded(input, &sizes, layer, axis);
        assert!(is_centred(&evaluated.1), "{layer} {axis} is folded");
    }
}

/// A value is one value: normalisation sees the bias that others see, whichever stands first. Parameters of another framework, whose
/// running mean knows of the bias, are served as they were there.
#[test]
fn a_bias_with_other_readers_is_normalised_too() {
    for layers in [
        "let a = x.dense(5LIKE); let y = a.batch_norm() + a.tanh();",
        "let a = x.dense(5LIKE); let c = a.tanh(); let y = c + a.batch_norm();",
        "let image = x.reshape([1, 1, 5]); let a = image.conv2d(2, 1LIKE); let y = a.batch_norm() + a;",
        "layer e = dense(5LIKE); let y = e(e(x)).batch_norm();",
        "layer e = dense(5LIKE); let y = e(e(x).batch_norm());",
        "let a = x.dense(5LIKE); let mut y = a.batch_norm(); if training { y = y + a; } else { y = y * 1; }",
    ] {
        let found = ["", ", bias = true"].map(|told| {
            let text = format!(
                "Net {{ input x: [batch, 5]; {} predict y; minimize y.mean(); using sgd(0.1); }}",
                layers.replace("LIKE", told)
            );
            let networks = elaborated(&text);
            (shown(&networks.training, false), shown(&networks.evaluation, false))
        });
        assert_eq!(found[0], found[1], "{layers}");
    }
}

/// What something else reads too is not computed twice for the sake of folding.
#[test]
fn a_value_with_another_reader_is_not_folded() {
    let text = "Net { input x: [batch, 5]; let h = x.dense(4, bias = false); let r = h.relu(); let y = h.batch_norm() + r; predict y; \
                minimize y.mean(); using sgd(0.1); }";
    let graph = step::prediction(&elaborated(text).evaluation);
    let products = graph.ids().filter(|id| graph.node(*id).primitive == Primitive::Contract).count();
    assert_eq!(products, 1);
}

/// Windows are looked up in tables of a size; what would need more is refused where it is written, before anything is compiled.
#[test]
fn a_convolution_of_more_windows_than_a_table_holds_is_refused() {
    for (size, layers, is_refused) in [
        (1366, "conv2d(1, 3)", false),
        (4098, "conv2d(1, 3)", false),
        (4099, "conv2d(1, 3)", true),
        (8000, "conv2d(1, 3, stride = 2)", false),
        (8000, "learned.conv2d(1, 3, stride = 2)", true),
    ] {
        let call = layers.trim_start_matches("learned.");
        let value = if layers == call { "x" } else { "(x * a)" };
        let text = format!(
            "Net {{ input x: [batch, 1, {size}, {size}]; parameter a: [1] = ones; let y = {value}.{call}; predict y; \
             minimize (a * y).mean(); using sgd(0.1); }}"
        );
        let source = Source::new("test.net", &text);
        let found = Declaration::parse(source.clone()).expect("a text").elaborate().err();
        let shown = found.map(|mistakes| mistakes.render(&source)).unwrap_or_default();
        assert_eq!(shown.contains("error[E0305]: conv2d: "), is_refused, "{size} {layers}: {shown}");
        assert_eq!(shown.is_empty(), !is_refused, "{size} {layers}: {shown}");
    }
}

/// The windows of a convolution are read where they lie, forward and backward: none stands in memory.
#[test]
fn no_patches_of_a_convolution_are_stored() {
    for layer in [
        "conv2d(6, 3, padding = same)",
        "conv2d(6, 2, stride = 2)",
        "conv2d(6, 3, stride = 2, dilation = 2)",
        "conv2d(6, 3, groups = 2)",
    ] {
        let text = format!(
            "Net {{ input x: [batch, 2, 12, 12]; let y = x.conv2d(4, 3, padding = same).relu().{layer}.relu(); predict y; \
             minimize (y * y).mean(); using adam(0.1); }}"
        );
        let networks = elaborated(&text);
        for graph in [training_step(&networks.training).graph, step::prediction(&networks.evaluation)] {
            let simple = crate::passes::simplify_step(&graph, &mut crate::passes::Context::new()).unwrap();
            let legal = crate::fusion::legalize::legalize(&simple).unwrap();
            let stored = legal.ids().find(|&id| {
                let view = matches!(crate::ops::record(legal.node(id).primitive).lowering, crate::ops::Lowering::View);
                !view && legal.shape(id).has_batch() && legal.shape(id).rank() > 5
            });
            assert_eq!(stored.map(|id| crate::graph::text::node_text(&legal, id)), None, "{layer}");
        }
    }
}

/// The mean of a feature takes out a bias of that feature; one along another axis stays, and asking for it is no mistake.
#[test]
fn only_a_bias_along_the_normalised_axis_goes() {
    for (layers, has_bias, warns) in [
        ("x.dense(3).batch_norm()", false, false),
        ("x.dense(3, bias = true).batch_norm()", true, true),
        ("x.dense(3).batch_norm(axis = 1)", true, false),
        ("x.dense(3, bias = true).batch_norm(axis = 1)", true, false),
        ("x.reshape([2, 3, 4]).conv2d(4, 1).batch_norm()", false, false),
        ("x.reshape([2, 3, 4]).conv2d(4, 1).batch_norm(axis = 2)", true, false),
    ] {
        let text = format!(
            "Net {{ input x: [batch, 4, 6]; target y: [batch, 1]; let h = {layers}; let p = h.flatten().dense(1); predict p; \
             minimize p.mean_squared_error(y); using sgd(0.1); }}"
        );
        let source = Source::new("test.net", &text);
        let found = Declaration::parse(source.clone()).expect("a text").elaborate();
        let found = found.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(&source)));
        let has = found.training.learned().any(|known| known.name.starts_with("h.") && known.name.ends_with(".bias"));
        assert_eq!(has, has_bias, "{layers}");
        assert_eq!(found.warnings.iter().any(|warning| warning.code == "bias_before_batch_norm"), warns, "{layers}");
    }
}
