//! Shapes and roots that go wrong easily, each for itself.

use super::trial::check;
use crate::graph::{BuildError, Builder, Dim, NodeId, Shape, Type};
use crate::ops::Primitive;

fn holds(build: impl Fn(&mut Builder) -> Result<(), BuildError>) {
    let mut builder = Builder::new("hostile");
    build(&mut builder).expect("the graph is right");
    let graph = builder.finish();
    // The seed chooses the batches.
    for seed in 0..4 {
        check(&graph, seed).unwrap_or_else(|why| panic!("{why}\n{}", crate::graph::text::print(&graph, false)));
    }
}

fn parameter(builder: &mut Builder, name: &str, dims: &[usize]) -> Result<NodeId, BuildError> {
    builder.source(Primitive::Parameter, name, Type::f32(Shape::fixed(dims)))
}

fn input(builder: &mut Builder, name: &str, dims: &[usize]) -> Result<NodeId, BuildError> {
    let dims = std::iter::once(Dim::Batch).chain(dims.iter().map(|&size| Dim::Fixed(size))).collect();
    builder.source(Primitive::Input, name, Type::f32(Shape(dims)))
}

#[test]
fn parameters_trade_places_in_a_circle() {
    holds(|b| {
        let p: Vec<NodeId> = ["p", "q", "r"].iter().map(|name| parameter(b, name, &[3, 40])).collect::<Result<_, _>>()?;
        b.output("p", p[0]);
        for at in 0..3 {
            b.update(p[at], p[(at + 1) % 3])?;
        }
        Ok(())
    });
}

#[test]
fn an_update_and_a_result_may_be_copies_of_one_source() {
    holds(|b| {
        let (p, q) = (parameter(b, "p", &[5])?, parameter(b, "q", &[5])?);
        b.update(q, p)?;
        b.output("p", p);
        let sum = b.sum_all(q)?;
        b.output("sum", sum);
        Ok(())
    });
}

#[test]
fn an_update_may_be_a_copy_that_others_read() {
    holds(|b| {
        let (p, q) = (parameter(b, "p", &[32])?, parameter(b, "q", &[])?);
        let copy = b.unary(Primitive::StopGradient, p)?;
        let most = b.reduce(Primitive::ReduceMax, copy, &[0])?;
        let x = input(b, "x", &[40])?;
        let result = b.unary(Primitive::Tanh, x)?;
        b.output("result", result);
        b.update(p, p)?;
        let less = b.sub(q, most)?;
        b.update(q, less)?;
        Ok(())
    });
}

#[test]
fn inputs_are_results() {
    holds(|b| {
        for (name, dims) in [("a", &[][..]), ("b", &[33]), ("c", &[2, 3, 5])] {
            let x = input(b, name, dims)?;
            b.output(format!("{name}.out"), x);
        }
        Ok(())
    });
}

#[test]
fn products_take_operands_of_every_order() {
    // Rows, columns and summed axes in each place of either operand and of the result.
    let orders = ["i k", "k i"];
    for left in orders {
        for right in ["k j", "j k"] {
            for out in ["i j", "j i"] {
                holds(|b| {
                    let dims = |labels: &str| -> Vec<usize> {
                        let size = |label| [("i", 34), ("j", 9), ("k", 70)].iter().find(|(known, _)| *known == label).unwrap().1;
                        labels.split(' ').map(size).collect()
                    };
                    let (p, q) = (parameter(b, "p", &dims(left))?, parameter(b, "q", &dims(right))?);
                    let product = b.contract(p, q, &format!("{left}, {right} -> {out}"))?;
                    b.output("product", product);
                    Ok(())
                });
            }
        }
    }
}

#[test]
fn products_look_up_rows_of_the_batch_wherever_the_batch_stands() {
    holds(|b| {
        let (x, y) = (input(b, "x", &[3, 7])?, input(b, "y", &[3, 5])?);
        let p = parameter(b, "p", &[7, 4])?;
        for (name, labels) in [
            ("rows", "n t k, n t j -> k j"),
            ("both", "n t k, n s k -> n t s"),
            ("weights", "n t k, n t j -> t k j"),
            ("turned", "n t j, n t k -> j k"),
        ] {
            let other = if name == "both" { x } else { y };
            let product = b.contract(x, other, labels)?;
            b.output(name, product);
        }
        for (name, labels) in
            [("left", "n t k, k j -> n t j"), ("middle", "n t k, k j -> t n j"), ("first", "n t k, k j -> j n t")]
        {
            let product = b.contract(x, p, labels)?;
            b.output(name, product);
        }
        let product = b.contract(p, x, "k j, n t k -> j t n")?;
        b.output("right", product);
        Ok(())
    });
}

#[test]
fn layers_of_width_one_and_axes_of_one_element() {
    holds(|b| {
        let x = input(b, "x", &[1])?;
        let (p, q) = (parameter(b, "p", &[1, 1])?, parameter(b, "q", &[1])?);
        let product = b.contract(x, p, "n k, k j -> n j")?;
        let wide = b.add(product, q)?;
        let loss = b.mean_all(wide)?;
        b.output("loss", loss);
        let gradient = b.contract(x, wide, "n k, n j -> k j")?;
        b.update(p, gradient)?;
        let columns = b.sum(wide, &[0])?;
        b.update(q, columns)?;
        Ok(())
    });
}

#[test]
fn reductions_over_each_axis_of_every_rank() {
    holds(|b| {
        for dims in [&[][..], &[33], &[3, 33], &[2, 1, 34]] {
            let rank = dims.len() + 1;
            let x = input(b, &format!("x{rank}"), dims)?;
            for axis in 0..rank {
                let largest = b.reduce(Primitive::ReduceMax, x, &[axis])?;
                b.output(format!("max{rank}.{axis}"), largest);
                for last in axis..rank {
                    let sum = b.sum(x, &(axis..=last).collect::<Vec<_>>())?;
                    b.output(format!("sum{rank}.{axis}.{last}"), sum);
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_parameter_stretches_over_every_axis() {
    holds(|b| {
        let x = input(b, "x", &[3, 34])?;
        for (name, dims) in [("none", &[][..]), ("last", &[34]), ("middle", &[3, 1]), ("both", &[3, 34]), ("ones", &[1, 1])] {
            let p = parameter(b, name, dims)?;
            let product = b.mul(x, p)?;
            let twice = b.add(product, p)?;
            b.output(format!("{name}.out"), twice);
        }
        Ok(())
    });
}
