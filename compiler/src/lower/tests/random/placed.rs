//! Small graphs that put one primitive in one place: what chance alone would take too long to draw.

use super::Draw;
use crate::graph::{Attributes, BuildError, Dim, Element, Graph, NodeId, Shape, Type, Window};
use crate::ops::{self, Lowering, PRIMITIVES, Primitive, Sample};
use crate::passes;

/// What a primitive is applied to.
#[derive(Clone, Copy, Debug)]
enum On {
    Parameters,
    Reduction,
    /// A product over rows of the batch, or of parameters alone.
    Product,
    FixedProduct,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug)]
enum Use {
    Output,
    OutputAndMore,
    Formula,
    Reshaped,
    Reduced,
    Factor,
    Table,
    Index,
    Next,
}

const PAIRS: [(On, Use); 17] = [
    (On::Parameters, Use::Output),
    (On::Parameters, Use::OutputAndMore),
    (On::Parameters, Use::Formula),
    (On::Parameters, Use::Reshaped),
    (On::Parameters, Use::Reduced),
    (On::Parameters, Use::Factor),
    (On::Parameters, Use::Table),
    (On::Parameters, Use::Index),
    (On::Parameters, Use::Next),
    (On::Reduction, Use::Output),
    (On::Reduction, Use::Formula),
    (On::Reduction, Use::Next),
    (On::Product, Use::Output),
    (On::Product, Use::Formula),
    (On::Product, Use::Reduced),
    (On::FixedProduct, Use::Reshaped),
    (On::FixedProduct, Use::Next),
];

/// All of them that make sense.
pub fn graphs() -> impl Iterator<Item = (String, Graph)> {
    PRIMITIVES.iter().flat_map(|&primitive| {
        PAIRS.iter().filter_map(move |&(on, what)| {
            let name = format!("{}, {on:?}, {what:?}", ops::record(primitive).name);
            placed(primitive, on, what).ok().map(|graph| (name, graph))
        })
    })
}

/// Convolutions with both of their gradients, of rows of a data set and of what is computed from them.
pub fn convolutions() -> impl Iterator<Item = (String, Graph)> {
    (0..20usize).filter_map(|number| {
        let (stride, dilation) = (1 + number % 2, 1 + number / 2 % 2);
        let (computed, groups) = (number / 4 % 2 == 1, 1 + number / 8);
        // One channel in each group: the image's gradient has the batch beside its pixels.
        let channels = if number < 16 { [3, 5] } else { [1, 1] };
        let name = format!("convolution, stride {stride}, dilation {dilation}, {groups} groups, computed {computed}");
        convolution(stride, dilation, computed, groups, channels).ok().map(|graph| (name, graph))
    })
}

fn convolution(
    stride: usize,
    dilation: usize,
    computed: bool,
    groups: usize,
    [own, made]: [usize; 2],
) -> Result<Graph, BuildError> {
    let mut draw = Draw::new((stride + 2 * dilation) as u64, "convolution");
    let builder = &mut draw.builder;
    let x = builder.source(Primitive::Input, "x", Type::f32(Shape::batch(&[groups, own, 9, 11])))?;
    let w = builder.source(Primitive::Parameter, "w", Type::f32(Shape::fixed(&[groups, made, own, 3, 2])))?;
    let image = if computed { builder.scale(x, 0.5)? } else { x };
    let reach = |size: usize| dilation * (size - 1) + 1;
    let window = |axis: usize, extent: usize, size: usize| {
        let places = (extent - reach(size)) / stride + 1;
        Window { axis, extent, places, stride, size, dilation: dilation as isize, offset: 0 }
    };
    let (down, right) = (window(3, 9, 3), window(5, 11, 2));
    let rows = builder.window(image, down)?;
    let view = builder.window(rows, right)?;
    let product = builder.contract(view, w, "n g c y i x j, g o c i j -> n g o y x")?;
    let zero = builder.constant_like(product, 0.0)?;
    let hidden = builder.binary(Primitive::Max, product, zero)?;
    builder.output("hidden", hidden);
    let gradient = builder.scale(hidden, 0.125)?;
    let weight = builder.contract(view, gradient, "n g c y i x j, n g o y x -> g o c i j")?;
    let next = builder.sub(w, weight)?;
    builder.update(w, next)?;
    let windows = builder.contract(gradient, w, "n g o y x, g o c i j -> n g c y i x j")?;
    let rows = builder.unwindow(windows, right)?;
    let image = builder.unwindow(rows, down)?;
    builder.output("image", image);
    let graph = draw.builder.finish();
    let simple = passes::simplify_step(&graph, &mut passes::Context::new());
    simple.map_err(|bug| BuildError::new(bug.to_string()))
}

fn placed(primitive: Primitive, on: On, what: Use) -> Result<Graph, BuildError> {
    let mut draw = Draw::new(primitive as u64 * 100 + on as u64 * 10 + what as u64, "placed");
    let fixed = |dims: &[usize]| Type::f32(Shape::fixed(dims));
    let p = draw.builder.source(Primitive::Parameter, "p", fixed(&[6, 32]))?;
    let w = draw.builder.source(Primitive::Parameter, "w", fixed(&[32, 40]))?;
    let like = match on {
        On::Parameters => p,
        On::Reduction => {
            let shape = draw.builder.shape(p);
            let mean = draw.builder.mean(p, &[1])?;
            let wide = draw.builder.expand(mean, &shape, &[1])?;
            draw.builder.sub(p, wide)?
        }
        On::Product => {
            let x = draw.builder.source(Primitive::Input, "x", Type::f32(Shape(vec![Dim::Batch, Dim::Fixed(32)])))?;
            draw.builder.contract(x, w, "n k, k j -> n j")?
        }
        On::FixedProduct => draw.builder.contract(p, w, "n k, k j -> n j")?,
    };
    draw.reals = vec![like];
    let made = draw.make(primitive, like, what)?;
    // A step scalar leaves as f32.
    let made = if draw.builder.ty(made).element == Element::F64 { draw.builder.cast(made, Element::F32)? } else { made };
    draw.place(made, like, what)?;
    Ok(draw.builder.finish())
}

impl Draw {
    fn make(&mut self, primitive: Primitive, like: NodeId, what: Use) -> Result<NodeId, BuildError> {
        let record = ops::record(primitive);
        let shape = self.builder.shape(like);
        let integer = matches!(what, Use::Index);
        if record.is_pointwise() {
            let mut operands = Vec::new();
            for number in 0..record.arity.unwrap_or(2) {
                let sample = record.samples[number.min(record.samples.len() - 1)];
                // Casts are to and from integers, and what yields an index takes integers.
                let wanted = match (primitive == Primitive::Cast, integer) {
                    (true, false) => Sample::Integer,
                    (false, true) if matches!(sample, Sample::Real | Sample::NonZero) => Sample::Integer,
                    _ => sample,
                };
                operands.push(match (wanted, number) {
                    (Sample::Real, 0) => like,
                    _ => self.sample(wanted, &shape)?,
                });
            }
            let element = if integer { Element::I32 } else { Element::F32 };
            return self.builder.apply(primitive, &operands, Attributes::None, Some(Type { element, shape }));
        }
        let rank = shape.rank();
        match (&record.lowering, primitive) {
            (Lowering::Reduce(_), _) => self.builder.reduce(primitive, like, &[rank - 1]),
            (Lowering::Contract, _) => {
                let v =
                    self.builder.source(Primitive::Parameter, "v", Type::f32(Shape(vec![shape.0[rank - 1], Dim::Fixed(16)])))?;
                self.builder.contract(like, v, "i k, k j -> i j")
            }
            (_, Primitive::Broadcast) => {
                let one = self.builder.slice(like, rank - 1, 0, 1)?;
                let real = self.indexed(one, integer)?;
                self.builder.broadcast_to(real, &shape)
            }
            (_, Primitive::Reshape) => {
                let mut dims = shape.0.clone();
                let Dim::Fixed(last) = dims[rank - 1] else { return Err(BuildError::new("the batch comes first")) };
                dims[rank - 1] = Dim::Fixed(last / 2);
                dims.insert(rank - 1, Dim::Fixed(2));
                let like = self.indexed(like, integer)?;
                self.builder.reshape(like, &Shape(dims))
            }
            (_, Primitive::Transpose) => {
                let like = self.indexed(like, integer)?;
                self.builder.transpose(like, &[1, 0])
            }
            (_, Primitive::Slice) => {
                let like = self.indexed(like, integer)?;
                self.builder.slice(like, rank - 1, 2, 20)
            }
            (_, Primitive::Pad) => {
                let like = self.indexed(like, integer)?;
                self.builder.pad(like, rank - 1, 1, 2)
            }
            (_, Primitive::Window) => {
                let like = self.indexed(like, integer)?;
                let Dim::Fixed(extent) = shape.0[rank - 1] else { return Err(BuildError::new("the batch comes first")) };
                let window =
                    Window { axis: rank - 1, extent, places: extent / 2 - 2, stride: 2, size: 4, dilation: 1, offset: 1 };
                self.builder.window(like, window)
            }
            (_, Primitive::Unwindow) => {
                let Dim::Fixed(size) = shape.0[rank - 1] else { return Err(BuildError::new("the batch comes first")) };
                let windows = self.builder.reshape(like, &Shape(vec![shape.0[0], Dim::Fixed(size / 2), Dim::Fixed(2)]))?;
                let window = Window { axis: 1, extent: size, places: size / 2, stride: 1, size: 2, dilation: 3, offset: 2 };
                self.builder.unwindow(windows, window)
            }
            (_, Primitive::Concat) => {
                let like = self.indexed(like, integer)?;
                self.builder.concat(&[like, like], rank - 1)
            }
            (Lowering::Gather, _) => {
                let index = self.sample(Sample::Integer, &Shape::fixed(&[4]))?;
                self.builder.apply(primitive, &[like, index], Attributes::None, None)
            }
            (_, Primitive::ScatterAdd) => {
                let index = self.sample(Sample::Integer, &Shape(vec![shape.0[0]]))?;
                self.builder.apply(primitive, &[like, index], Attributes::Axis(5), None)
            }
            (Lowering::Scan, _) => {
                // It makes its own rows, but where a product does.
                let like = match shape.has_batch() {
                    true => like,
                    false => self.builder.source(Primitive::Input, "rows", Type::f32(Shape::batch(&[32])))?,
                };
                let all = self.scanned(like, 3, 0)?;
                if matches!(what, Use::Output | Use::OutputAndMore) {
                    return Ok(all);
                }
                let last = self.builder.slice(all, 1, 1, 2)?;
                let width = self.builder.shape(all).0[2].at(0);
                self.builder.reshape(last, &Shape::batch(&[width]))
            }
            (Lowering::Random, _) => self.builder.uniform(shape),
            (Lowering::Coordinate, _) => self.builder.iota(shape, rank - 1),
            (_, Primitive::Step) => Ok(self.builder.step()),
            (_, Primitive::Steps) => Ok(self.builder.steps()),
            (_, Primitive::Epoch) => Ok(self.builder.epoch()),
            (_, Primitive::BatchSize) => Ok(self.builder.batch_size()),
            (_, Primitive::Setting) => self.builder.source(primitive, "rate", Type::f64()),
            (_, Primitive::Constant) => Ok(self.builder.constant(if integer { 3.0 } else { 0.75 })),
            (_, Primitive::Input | Primitive::Target) => {
                let element = if integer { Element::Class(5) } else { Element::F32 };
                let shape = Shape(vec![Dim::Batch, Dim::Fixed(32)]);
                self.builder.source(primitive, "y", Type { element, shape })
            }
            _ if shape.has_batch() => Err(BuildError::new("it outlives the batch")),
            _ => self.builder.source(primitive, "q", Type::f32(shape)),
        }
    }

    /// The same, as indices if those are asked for.
    fn indexed(&mut self, a: NodeId, integer: bool) -> Result<NodeId, BuildError> {
        if !integer {
            return Ok(a);
        }
        let a = self.builder.scale(a, 4.0)?;
        self.builder.cast(a, Element::I32)
    }

    /// Something real that reads it.
    fn read(&mut self, made: NodeId) -> Result<NodeId, BuildError> {
        let shape = self.builder.shape(made);
        match self.builder.ty(made).element {
            Element::Bool => {
                let (a, b) = (self.builder.constant(1.5), self.builder.constant(-0.5));
                let (a, b) = (self.builder.broadcast_scalar(a, &shape)?, self.builder.broadcast_scalar(b, &shape)?);
                self.builder.select(made, a, b)
            }
            Element::F32 => {
                let twice = self.builder.scale(made, 2.0)?;
                self.builder.mul(twice, made)
            }
            _ => self.builder.cast(made, Element::F32),
        }
    }

    fn place(&mut self, made: NodeId, like: NodeId, what: Use) -> Result<(), BuildError> {
        let shape = self.builder.shape(made);
        let rank = shape.rank();
        match what {
            Use::Output => self.builder.output("made", made),
            Use::OutputAndMore => {
                let read = self.read(made)?;
                self.builder.output("made", made);
                self.builder.output("read", read);
            }
            Use::Formula => {
                let read = self.read(made)?;
                let both = self.builder.add(read, like).or_else(|_| self.builder.scale(read, 3.0))?;
                self.builder.output("read", both);
            }
            Use::Reshaped => {
                let Some(Dim::Fixed(last)) = shape.0.last().copied() else { return Err(BuildError::new("nothing to reshape")) };
                let mut dims = shape.0.clone();
                dims[rank - 1] = Dim::Fixed(last / 2);
                dims.insert(rank - 1, Dim::Fixed(2));
                let reshaped = self.builder.reshape(made, &Shape(dims))?;
                let read = self.read(reshaped)?;
                self.builder.output("read", read);
            }
            Use::Reduced => {
                let wide = if rank == 0 { self.builder.broadcast(made, &Shape::fixed(&[7]), &[])? } else { made };
                let sum = self.builder.sum(wide, &[rank.max(1) - 1])?;
                self.builder.output("sum", sum);
            }
            Use::Factor => {
                let Some(&last) = shape.0.last() else { return Err(BuildError::new("a scalar")) };
                let v = self.builder.source(Primitive::Parameter, "u", Type::f32(Shape(vec![last, Dim::Fixed(9)])))?;
                let labels = if rank == 2 { "i k, k j -> i j" } else { "k, k j -> j" };
                let product = self.builder.contract(made, v, labels)?;
                self.builder.output("product", product);
            }
            Use::Table => {
                let index = self.sample(Sample::Integer, &Shape(shape.0[..rank.min(1)].to_vec()))?;
                let table = if shape.has_batch() {
                    self.builder.apply(Primitive::ScatterAdd, &[made, index], Attributes::Axis(4), None)?
                } else {
                    self.builder.apply(Primitive::Gather, &[made, index], Attributes::None, None)?
                };
                self.builder.output("rows", table);
            }
            Use::Index => {
                let table = self.builder.source(Primitive::Parameter, "table", Type::f32(Shape::fixed(&[5, 7])))?;
                let rows = self.builder.apply(Primitive::Gather, &[table, made], Attributes::None, None)?;
                self.builder.output("rows", rows);
            }
            Use::Next => {
                let next = self.builder.source(Primitive::Parameter, "next", Type::f32(shape))?;
                self.builder.update(next, made)?;
            }
        }
        Ok(())
    }
}
