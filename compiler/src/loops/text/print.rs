//! Writing a program down.

use super::names::{Names, quote};
use crate::loops::{
    Axis, Block, Buffer, Comparison, Control, Entry, Extent, Instruction, Kernel, Lane, Linear, Nest, Operand, ProductStatement,
    Program, ScalarFunction, Space, Statement, Steps, Value, Var, View,
};
use std::fmt::Write;

/// Where the comments start.
const COMMENT_COLUMN: usize = 84;

/// Layer path and place of a graph node, by the kernel that serves it.
pub type Places<'a> = &'a dyn Fn(usize, u32) -> Option<String>;

/// The canonical text; `places` adds layer paths and places in the source to the comments.
pub fn print(program: &Program, places: Option<Places>) -> String {
    let mut printer = Printer { program, names: Names::new(program), places, text: String::new() };
    printer.program();
    printer.text
}

struct Printer<'a> {
    program: &'a Program,
    names: Names,
    places: Option<Places<'a>>,
    text: String,
}

impl Printer<'_> {
    fn line(&mut self, depth: usize, line: &str, comment: &str) {
        let mut line = format!("{:1$}{line}", "", 2 * depth);
        if !comment.is_empty() {
            let width = line.chars().count();
            let _ = write!(line, "{:1$}; {comment}", " ", COMMENT_COLUMN.saturating_sub(width).max(1));
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }

    fn program(&mut self) {
        let program = self.program;
        self.line(0, &format!("program {}", quote(&program.name)), "");
        for (number, Buffer { name, space, lane, words }) in program.buffers.iter().enumerate() {
            let name = if self.names.buffer(crate::loops::BufferId(number as u32)) == *name { name.clone() } else { quote(name) };
            self.line(1, &format!("buffer @{number} {name} : {}[{words}] {}", lane_name(*lane), space_text(*space)), "");
        }
        for (number, slot) in program.slots.iter().enumerate() {
            let known = self.names.slot(crate::loops::Slot(number as u32));
            let name = if known == slot.name { known } else { quote(&slot.name) };
            self.line(1, &format!("slot ${number} {name} : {}", lane_name(slot.lane)), "");
        }
        for (number, kernel) in program.kernels.iter().enumerate() {
            self.kernel(number, kernel);
        }
        for Entry { name, body } in &program.entries {
            self.text.push('\n');
            self.line(0, &format!("entry {}", quote(name)), "");
            self.controls(1, body);
        }
    }

    fn kernel(&mut self, number: usize, kernel: &Kernel) {
        self.text.push('\n');
        let mut head = format!("kernel {number} {}", quote(&kernel.name));
        if let Some(parallel) = kernel.parallel {
            let _ = write!(head, " parallel {} over {} by {},", tile(parallel.var), parallel.total, parallel.step);
        }
        self.line(0, &format!("{head} vars {}", kernel.vars), "");
        let mut letters = Letters(vec!['i'; kernel.vars as usize]);
        if let Some(parallel) = kernel.parallel {
            letters.set(parallel.var, 't');
        }
        self.statements(1, number, &kernel.body, &mut letters);
    }

    fn statements(&mut self, depth: usize, kernel: usize, body: &[Statement], letters: &mut Letters) {
        for statement in body {
            match statement {
                Statement::Nest(nest) => self.nest(depth, kernel, nest, letters),
                Statement::Product(product) => self.product(depth, kernel, product, letters),
                Statement::Tiles { var, step, total, body } => {
                    letters.set(*var, 't');
                    self.line(depth, &format!("tiles {} over {total} by {step}", tile(*var)), "");
                    self.statements(depth + 1, kernel, body, letters);
                }
            }
        }
    }

    fn nest(&mut self, depth: usize, kernel: usize, nest: &Nest, letters: &mut Letters) {
        let mut axes = Vec::new();
        for (axis, letter) in nest.axes.iter().zip("ijklmopq".chars().cycle()) {
            letters.set(axis.var, letter);
            let Axis { var, extent, vector } = axis;
            axes.push(format!("{} < {}{}", letters.name(*var), extent_text(*extent), if *vector { " vector" } else { "" }));
        }
        let axes = if axes.is_empty() { String::new() } else { format!(" for {}", axes.join(", ")) };
        self.line(depth, &format!("nest {}{axes}", quote(&nest.title)), "");
        self.block(depth + 1, Some(kernel), &nest.block, letters);
    }

    fn comment(&self, kernel: Option<usize>, node: u32) -> String {
        let place = kernel.and_then(|kernel| self.places.and_then(|places| places(kernel, node)));
        place.map_or_else(|| format!("%{node}"), |place| format!("%{node} {place}"))
    }

    fn block(&mut self, depth: usize, kernel: Option<usize>, block: &Block, letters: &Letters) {
        let mut known = 0;
        for (number, instruction) in block.code.iter().enumerate() {
            let text = match instruction {
                Instruction::Store(view, value) => format!("store {} = %{}", self.view(view, letters), value.0),
                _ => format!("%{number} = {}", self.instruction(instruction, letters)),
            };
            let origin = block.origins.get(number).copied().unwrap_or(known);
            let comment = if origin == known { String::new() } else { self.comment(kernel, origin) };
            known = origin;
            self.line(depth, &text, &comment);
        }
    }

    fn instruction(&self, instruction: &Instruction, letters: &Letters) -> String {
        use Instruction::*;
        let with = |name: &str, operands: &[Value]| format!("{name} {}", values(operands));
        match instruction {
            ConstF32(value) => format!("f32 {}", f32_text(*value)),
            ConstI32(value) => format!("i32 {}", i32_text(*value)),
            ConstF64(value) => format!("f64 {}", f64_text(*value)),
            Index { terms, offset } => format!("index {}", sum(terms.iter().copied(), *offset, letters)),
            Load(view, lane) => format!("load {} : {}", self.view(view, letters), lane_name(*lane)),
            Store(view, value) => format!("store {} = %{}", self.view(view, letters), value.0),
            Add(a, b) => with("add", &[*a, *b]),
            Sub(a, b) => with("sub", &[*a, *b]),
            Mul(a, b) => with("mul", &[*a, *b]),
            Div(a, b) => with("div", &[*a, *b]),
            Fma(a, b, c) => with("fma", &[*a, *b, *c]),
            Sqrt(a) => with("sqrt", &[*a]),
            Compare(comparison, a, b) => with(comparison_name(*comparison), &[*a, *b]),
            Select(mask, a, b) => with("select", &[*mask, *a, *b]),
            And(a, b) => with("and", &[*a, *b]),
            Or(a, b) => with("or", &[*a, *b]),
            Xor(a, b) => with("xor", &[*a, *b]),
            ShiftLeft(a, count) => format!("shift_left %{}, {count}", a.0),
            ShiftRight(a, count) => format!("shift_right %{}, {count}", a.0),
            ShiftRightSigned(a, count) => format!("shift_right_signed %{}, {count}", a.0),
            Round(a) => with("round", &[*a]),
            Truncate(a) => with("truncate", &[*a]),
            Floor(a) => with("floor", &[*a]),
            ToInt(a) => with("to_int", &[*a]),
            ToFloat(a) => with("to_float", &[*a]),
            Bits(a) => with("bits", &[*a]),
            FromBits(a) => with("from_bits", &[*a]),
            Promote(a) => with("promote", &[*a]),
            Demote(a) => with("demote", &[*a]),
            Call(function, arguments) => with(&format!("call {}", function_name(*function)), arguments),
        }
    }

    fn view(&self, view: &View, letters: &Letters) -> String {
        let name = self.names.buffer(view.buffer);
        // One scalar of the control buffer goes by its slot's name.
        let is_control = self.program.buffers.get(view.buffer.0 as usize).is_some_and(|buffer| buffer.space == Space::Control);
        if is_control && view.strides.is_empty() && view.table.is_none() && view.pick.is_none() && view.offset.is_fixed() {
            let slot = u32::try_from(view.offset.constant).ok().filter(|slot| (*slot as usize) < self.program.slots.len());
            if let Some(slot) = slot {
                return format!("{name}.{}", self.names.slot(crate::loops::Slot(slot)));
            }
        }
        let mut parts = Vec::new();
        if let Some(table) = &view.table {
            let row = sum(fixed(&table.index), Linear::ZERO, letters);
            parts.push(format!("{}[{row}]*{}", self.names.buffer(table.rows), table.stride));
        }
        if let Some(pick) = view.pick {
            parts.push(format!("pick(%{}, {})*{}", pick.value.0, pick.count, pick.stride));
        }
        if parts.is_empty() || !view.strides.is_empty() || view.offset != Linear::ZERO {
            parts.push(sum(view.strides.iter().copied(), view.offset, letters));
        }
        format!("{name}[{}]", parts.join(" + "))
    }

    fn product(&mut self, depth: usize, kernel: usize, product: &ProductStatement, letters: &Letters) {
        let size = |extent| extent_text(extent);
        let head = format!(
            "product {} m < {}, n < {}, k < {}",
            quote(&product.title),
            size(product.m),
            size(product.n),
            size(product.k)
        );
        let comment = self.comment(Some(kernel), product.origin);
        self.line(depth, &head, &comment);
        let assign = if product.accumulate { "c +=" } else { "c =" };
        for (name, operand) in [("a =", &product.a), ("b =", &product.b), (assign, &product.c)] {
            let Operand { base, row, column, rows } = operand;
            let (base, row, column) = (self.view(base, letters), steps_text(row), steps_text(column));
            let mut line = format!("{name} {base} row {row} column {column}");
            if let Some(rows) = rows {
                let along = if rows.on_columns { "columns" } else { "rows" };
                let _ = write!(
                    line,
                    " {along}({}[{}])",
                    self.names.buffer(rows.rows),
                    sum(fixed(&rows.first), Linear::ZERO, letters)
                );
            }
            self.line(depth + 1, &line, "");
        }
    }

    fn controls(&mut self, depth: usize, body: &[Control]) {
        for control in body {
            match control {
                Control::Kernel(number) => {
                    let name = self.program.kernels.get(*number as usize).map_or("", |kernel| kernel.name.as_str()).to_string();
                    self.line(depth, &format!("run {number}"), &name);
                }
                Control::Barrier => self.line(depth, "barrier", ""),
                Control::Scalar(block) => {
                    self.line(depth, "scalar", "");
                    self.block(depth + 1, None, block, &Letters(Vec::new()));
                }
                Control::Loop { counter, count, stop, body } => {
                    let mut line = format!("loop {} < {}", self.names.slot(*counter), self.names.slot(*count));
                    if let Some(stop) = stop {
                        let _ = write!(line, " until {}", self.names.slot(*stop));
                    }
                    self.line(depth, &line, "");
                    self.controls(depth + 1, body);
                }
                Control::If { condition, then, otherwise } => {
                    let line = format!("if {}", self.names.slot(*condition));
                    self.line(depth, &line, "");
                    self.controls(depth + 1, then);
                    if !otherwise.is_empty() {
                        self.line(depth, "else", "");
                        self.controls(depth + 1, otherwise);
                    }
                }
                Control::Batch(slot) => {
                    let line = format!("batch {}", self.names.slot(*slot));
                    self.line(depth, &line, "");
                }
                Control::Copy { from, to } => {
                    let line = format!("copy {} -> {}", self.names.buffer(*from), self.names.buffer(*to));
                    self.line(depth, &line, "");
                }
                Control::Call { symbol } => self.line(depth, &format!("call {}", quote(symbol)), ""),
            }
        }
    }
}

/// The letter of each loop variable, for the reader.
struct Letters(Vec<char>);

impl Letters {
    fn set(&mut self, var: Var, letter: char) {
        if let Some(own) = self.0.get_mut(var.0 as usize) {
            *own = letter;
        }
    }
    fn name(&self, var: Var) -> String {
        format!("{}{}", self.0.get(var.0 as usize).copied().unwrap_or('i'), var.0)
    }
}

fn tile(var: Var) -> String {
    format!("t{}", var.0)
}

fn fixed(terms: &[(Var, i64)]) -> impl Iterator<Item = (Var, Linear)> + '_ {
    terms.iter().map(|(var, factor)| (*var, Linear::fixed(*factor)))
}

/// `48*t0 + 2n*i1 + (n+3)*j2 + 7`, or `0`.
fn sum(terms: impl Iterator<Item = (Var, Linear)>, offset: Linear, letters: &Letters) -> String {
    let term = |(var, factor): (Var, Linear)| match factor {
        Linear { constant: 1, batch: 0 } => letters.name(var),
        Linear { constant, batch } if constant != 0 && batch != 0 => format!("({factor})*{}", letters.name(var)),
        _ => format!("{factor}*{}", letters.name(var)),
    };
    let mut parts: Vec<String> = terms.map(term).collect();
    if offset != Linear::ZERO || parts.is_empty() {
        parts.push(offset.to_string());
    }
    parts.join(" + ")
}

/// `30`, or `30 (3: 30, 3: 1)` with the sizes and strides of further digits.
fn steps_text(steps: &Steps) -> String {
    let digits: Vec<String> = steps.digits.iter().map(|digit| format!("{}: {}", digit.size, digit.stride)).collect();
    if digits.is_empty() { steps.stride.to_string() } else { format!("{} ({})", steps.stride, digits.join(", ")) }
}

fn extent_text(extent: Extent) -> String {
    match extent {
        Extent::Whole(count) => count.to_string(),
        Extent::Tile { tile: of, step, total } => format!("min({step}, {total} - {step}*{})", tile(of)),
    }
}

fn values(operands: &[Value]) -> String {
    let names: Vec<String> = operands.iter().map(|value| format!("%{}", value.0)).collect();
    names.join(", ")
}

pub(super) fn lane_name(lane: Lane) -> &'static str {
    match lane {
        Lane::F32 => "f32",
        Lane::I32 => "i32",
        Lane::F64 => "f64",
    }
}

pub(super) fn comparison_name(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Lt => "lt",
        Comparison::Le => "le",
        Comparison::Eq => "eq",
        Comparison::Ne => "ne",
    }
}

pub(super) fn function_name(function: ScalarFunction) -> &'static str {
    match function {
        ScalarFunction::Exp => "exp",
        ScalarFunction::Log => "log",
        ScalarFunction::Expm1 => "expm1",
        ScalarFunction::Log1p => "log1p",
        ScalarFunction::Pow => "pow",
        ScalarFunction::Sin => "sin",
        ScalarFunction::Cos => "cos",
        ScalarFunction::Tanh => "tanh",
        ScalarFunction::Erf => "erf",
        ScalarFunction::Floor => "floor",
    }
}

fn space_text(space: Space) -> String {
    match space {
        Space::Parameter(number) => format!("parameter {number}"),
        Space::State(number) => format!("state {number}"),
        Space::Saved(number) => format!("saved {number}"),
        Space::Input(number) => format!("input {number}"),
        Space::Output(number) => format!("output {number}"),
        Space::Sums(number) => format!("sums {number}"),
        Space::Rows => "rows".into(),
        Space::Control => "control".into(),
        Space::Arena => "arena".into(),
        Space::Scratch => "scratch".into(),
    }
}

/// Small numbers in decimal, masks and magic numbers as their bits.
fn i32_text(value: i32) -> String {
    if (-65_536..=65_536).contains(&value) { value.to_string() } else { format!("0x{value:08x}") }
}

/// The shortest text that reads back to the same bits; a NaN as its bits.
fn f32_text(value: f32) -> String {
    match value {
        _ if value.is_nan() => format!("0x{:08x}", value.to_bits()),
        _ if value == 0.0 || !value.is_finite() || (1e-4..1e9).contains(&value.abs()) => format!("{value}"),
        _ => format!("{value:e}"),
    }
}

fn f64_text(value: f64) -> String {
    match value {
        _ if value.is_nan() => format!("0x{:016x}", value.to_bits()),
        _ if value == 0.0 || !value.is_finite() || (1e-4..1e15).contains(&value.abs()) => format!("{value}"),
        _ => format!("{value:e}"),
    }
}
