//! The checks of a program: what must hold before it may be run without a single check at run time.
//!
//! Beside the invariants of [`super`] it is checked that only data sets are read through the row table (and data sets in no other way),
//! that no kernel writes a data set, the row table or the control buffer, and that tiles of a parallel loop do not all write the same
//! words. Whether two tiles could meet in other ways, and whether temporaries that share memory do, is proved elsewhere
//! ([`crate::memory::check`]); which rows the row table names is known to the runtime alone.
//!
//! The work is linear in the size of the program: it is done each time that a network is compiled.

mod block;
mod bounds;
mod control;
mod product;
#[cfg(test)]
mod tests;

use super::{BufferId, Extent, Kernel, Lane, Linear, MOST_VARS, Nest, Program, Space, Statement, Var, View};
use bounds::{Range, Term, within};
use std::fmt;

/// What a program violates: the kernel or entry, the nest, product or statement, the instruction, and the bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyError {
    /// From the outside in: `kernel 3 "train.3 …", nest "%5 add", %7`.
    pub place: String,
    pub why: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl std::error::Error for VerifyError {}

impl VerifyError {
    fn new(place: impl Into<String>, why: impl Into<String>) -> Self {
        VerifyError { place: place.into(), why: why.into() }
    }
    fn inside(mut self, place: impl fmt::Display) -> Self {
        self.place = if self.place.is_empty() { place.to_string() } else { format!("{place}, {}", self.place) };
        self
    }
}

type Checked = Result<(), VerifyError>;

/// Checks a program for every batch of `1..=capacity` rows.
///
/// # Errors
/// The first violation.
pub fn verify(program: &Program, capacity: i64) -> Checked {
    buffers(program, capacity)?;
    for (number, kernel) in program.kernels.iter().enumerate() {
        if kernel.vars > MOST_VARS {
            let why = format!("{} loop variables, expected at most {MOST_VARS}", kernel.vars);
            return Err(VerifyError::new(format!("kernel {number} {:?}", kernel.name), why));
        }
        let mut scope = Scope { program, capacity, vars: vec![None; kernel.vars as usize], parallel: None };
        self::kernel(&mut scope, kernel).map_err(|error| error.inside(format!("kernel {number} {:?}", kernel.name)))?;
    }
    control::entries(program, capacity)
}

fn buffers(program: &Program, capacity: i64) -> Checked {
    for (number, buffer) in program.buffers.iter().enumerate() {
        let place = || format!("buffer @{number} {:?}", buffer.name);
        if [1, capacity].into_iter().any(|n| buffer.words.at(n) < 0) {
            return Err(VerifyError::new(place(), format!("its size {} is negative for some batch", buffer.words)));
        }
        let is_control = buffer.space == Space::Control;
        let may_be_f64 = matches!(buffer.space, Space::Control | Space::State(_) | Space::Saved(_) | Space::Sums(_));
        if (is_control && buffer.lane != Lane::F64) || (buffer.lane == Lane::F64 && !may_be_f64) {
            return Err(VerifyError::new(
                place(),
                "the control buffer, and beside it only states and sums, count words of 8 bytes",
            ));
        }
        if is_control && buffer.words.at(1).min(buffer.words.at(capacity)) < program.slots.len() as i64 {
            return Err(VerifyError::new(
                place(),
                format!("{} slots do not fit its {} words", program.slots.len(), buffer.words),
            ));
        }
    }
    match program.slots.iter().find(|slot| slot.lane == Lane::F32) {
        Some(slot) => Err(VerifyError::new(format!("slot {:?}", slot.name), "a slot is f64 or i32")),
        None => Ok(()),
    }
}

/// Loop variables that are bound where a statement stands.
struct Scope<'a> {
    program: &'a Program,
    capacity: i64,
    vars: Vec<Option<Range>>,
    parallel: Option<Var>,
}

fn kernel(scope: &mut Scope, kernel: &Kernel) -> Checked {
    if let Some(parallel) = kernel.parallel {
        scope.bind(parallel.var, tiles(parallel.step, parallel.total)?)?;
        scope.parallel = Some(parallel.var);
    }
    statements(scope, &kernel.body)
}

fn tiles(step: i64, total: Linear) -> Result<Range, VerifyError> {
    if step < 1 { Err(VerifyError::new("", format!("tiles of {step}"))) } else { Ok(Range::Tiles { step, total }) }
}

fn statements(scope: &mut Scope, body: &[Statement]) -> Checked {
    for statement in body {
        match statement {
            Statement::Nest(nest) => self::nest(scope, nest).map_err(|error| error.inside(format!("nest {:?}", nest.title)))?,
            Statement::Product(product) => {
                product::check(scope, product).map_err(|error| error.inside(format!("product {:?}", product.title)))?
            }
            Statement::Tiles { var, step, total, body } => {
                scope.bind(*var, tiles(*step, *total)?)?;
                statements(scope, body)?;
                scope.release(*var);
            }
        }
    }
    Ok(())
}

fn nest(scope: &mut Scope, nest: &Nest) -> Checked {
    for axis in &nest.axes {
        let range = scope.range(axis.extent)?;
        scope.bind(axis.var, range)?;
    }
    let inner = nest.axes.split_last().map_or(&[][..], |(_, outer)| outer);
    if let Some(axis) = inner.iter().find(|axis| axis.vector) {
        return Err(VerifyError::new("", format!("axis {} is marked vector and is not the innermost", axis.var.0)));
    }
    block::check(scope, &nest.block, nest.axes.last().filter(|axis| axis.vector), block::Home::Kernel)?;
    for axis in &nest.axes {
        scope.release(axis.var);
    }
    Ok(())
}

impl Scope<'_> {
    fn bind(&mut self, var: Var, range: Range) -> Checked {
        match self.vars.get_mut(var.0 as usize) {
            None => Err(VerifyError::new("", format!("loop variable {} of {}", var.0, self.vars.len()))),
            Some(Some(_)) => Err(VerifyError::new("", format!("loop variable {} runs already", var.0))),
            Some(free) => {
                *free = Some(range);
                Ok(())
            }
        }
    }

    fn release(&mut self, var: Var) {
        self.vars[var.0 as usize] = None;
    }

    fn bound(&self, var: Var) -> Result<Range, VerifyError> {
        let range = self.vars.get(var.0 as usize).copied().flatten();
        range.ok_or_else(|| VerifyError::new("", format!("loop variable {} does not run here", var.0)))
    }

    /// The range of a loop of this extent.
    fn range(&self, extent: Extent) -> Result<Range, VerifyError> {
        match extent {
            Extent::Whole(count) => Ok(Range::Count(count)),
            Extent::Tile { tile, step, total } => match self.bound(tile)? {
                // A row of a tile may be several elements: then both sizes are multiples of the tile loop's.
                Range::Tiles { step: of, total: whole } if step >= 1 && wide(total, of) == wide(whole, step) => {
                    Ok(Range::Inside { tile, step, total })
                }
                Range::Tiles { step: of, total: whole } => {
                    Err(VerifyError::new("", format!("min({step}, {total} - …) in tiles of {of} over {whole}")))
                }
                _ => Err(VerifyError::new("", format!("loop variable {} counts no tiles", tile.0))),
            },
        }
    }

    fn buffer(&self, buffer: BufferId) -> Result<&super::Buffer, VerifyError> {
        let found = self.program.buffers.get(buffer.0 as usize);
        found.ok_or_else(|| VerifyError::new("", format!("there is no buffer @{}", buffer.0)))
    }

    fn terms(&self, sum: &[(Var, Linear)]) -> Result<Vec<Term>, VerifyError> {
        let mut terms: Vec<Term> = Vec::with_capacity(sum.len() + 2);
        for &(var, stride) in sum {
            match terms.iter_mut().find(|term| term.var == Some(var)) {
                Some(term) => term.stride = term.stride.plus(stride),
                None => terms.push(Term { var: Some(var), range: self.bound(var)?, stride }),
            }
        }
        Ok(terms)
    }

    /// A view, with further terms beside its own, lies in its buffer.
    fn view(&self, view: &View, more: &[Term]) -> Checked {
        let buffer = self.buffer(view.buffer)?;
        let mut terms = self.terms(&view.strides)?;
        terms.extend_from_slice(more);
        if let Some(pick) = view.pick {
            if pick.count < 1 {
                return Err(VerifyError::new("", format!("a pick out of {}", pick.count)));
            }
            terms.push(Term { var: None, range: Range::Count(Linear::fixed(pick.count)), stride: pick.stride });
        }
        match &view.table {
            None if matches!(buffer.space, Space::Input(_)) && !buffer.words.is_fixed() => {
                Err(VerifyError::new("", format!("rows of `{}` are read past the row table", buffer.name)))
            }
            None => within(view.offset, &terms, buffer.words, self.capacity).map_err(|why| outside(&buffer.name, why)),
            Some(table) => {
                let index: Vec<(Var, Linear)> = table.index.iter().map(|&(var, factor)| (var, Linear::fixed(factor))).collect();
                self.row(table.rows, &self.terms(&index)?)?;
                self.within_row(buffer, table.stride, view.offset, &terms)
            }
        }
    }

    /// Rows of the batch are looked up in the row table.
    fn row(&self, rows: BufferId, index: &[Term]) -> Checked {
        let table = self.buffer(rows)?;
        if table.space != Space::Rows {
            return Err(VerifyError::new("", format!("`{}` is no row table", table.name)));
        }
        within(Linear::ZERO, index, table.words, self.capacity).map_err(|why| outside(&table.name, why))
    }

    /// Whatever row of the data set is looked up, the rest of the address stays inside of it.
    fn within_row(&self, buffer: &super::Buffer, stride: i64, offset: Linear, terms: &[Term]) -> Checked {
        if !matches!(buffer.space, Space::Input(_)) {
            return Err(VerifyError::new("", format!("`{}` is no data set: its rows are in no table", buffer.name)));
        }
        if buffer.words != Linear::BATCH.times(stride) {
            return Err(VerifyError::new("", format!("rows of {stride} words in `{}` of {} words", buffer.name, buffer.words)));
        }
        within(offset, terms, Linear::fixed(stride), self.capacity)
            .map_err(|why| outside(&format!("a row of {}", buffer.name), why))
    }
}

/// `size * factor`, without an overflow.
fn wide(size: Linear, factor: i64) -> [i128; 2] {
    [size.constant, size.batch].map(|part| i128::from(part) * i128::from(factor))
}

fn outside(name: &str, why: String) -> VerifyError {
    VerifyError::new("", format!("`{name}`: {why}"))
}
