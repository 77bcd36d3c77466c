//! Reading a program back. Lines form a tree by their indentation; an error names its line.

mod cursor;
mod instruction;

use super::names::Names;
use crate::loops::{
    Axis, Block, Buffer, Control, Entry, Instruction, Kernel, Lane, MOST_VARS, Nest, Operand, OperandRows, Parallel,
    ProductStatement, Program, SlotInfo, Space, Statement,
};
use cursor::Cursor;

/// A line without its indentation and comment, with the lines below it.
#[derive(Debug)]
struct Line<'a> {
    number: usize,
    text: &'a str,
    comment: &'a str,
    below: Vec<Line<'a>>,
}

type Parsed<T> = Result<T, String>;

/// Reads a program's text.
///
/// # Errors
/// What cannot be read, with the number of its line. What can be read may still not [verify](crate::loops::verify).
pub fn parse(text: &str) -> Parsed<Program> {
    let mut program = Program::default();
    let lines = tree(text)?;
    // Buffers and slots first: whatever comes later calls them by name.
    let mut rest = Vec::new();
    for line in &lines {
        match line.text.split(' ').next() {
            Some("program") => at(line, |cursor| {
                program.name = cursor.quoted()?;
                line.below.iter().try_for_each(|line| declaration(&mut program, line))
            })?,
            _ => rest.push(line),
        }
    }
    let names = Names::new(&program);
    for line in rest {
        let reader = Reader { names: &names };
        match line.text.split(' ').next() {
            Some("kernel") => {
                let kernel = reader.kernel(line, program.kernels.len())?;
                program.kernels.push(kernel);
            }
            Some("entry") => {
                let name = at(line, Cursor::quoted)?;
                program.entries.push(Entry { name, body: reader.controls(&line.below)? });
            }
            _ => return Err(format!("line {}: expected program, kernel or entry", line.number)),
        }
    }
    Ok(program)
}

/// Runs a reader on a line behind its first word; all of the line must be read.
fn at<'a, T>(line: &Line<'a>, read: impl FnOnce(&mut Cursor<'a>) -> Parsed<T>) -> Parsed<T> {
    let mut cursor = Cursor::new(line.text);
    cursor.word();
    let read = read(&mut cursor).and_then(|value| cursor.end().map(|()| value));
    read.map_err(|why| if why.starts_with("line ") { why } else { format!("line {}: {why}", line.number) })
}

/// Lines by their indentation.
fn tree(text: &str) -> Parsed<Vec<Line<'_>>> {
    // Open lines with their indentation, from the outermost.
    let mut open: Vec<(usize, Line)> = Vec::new();
    let mut roots = Vec::new();
    fn close<'a>(open: &mut Vec<(usize, Line<'a>)>, roots: &mut Vec<Line<'a>>) {
        if let Some((_, line)) = open.pop() {
            match open.last_mut() {
                Some((_, above)) => above.below.push(line),
                None => roots.push(line),
            }
        }
    }
    for (number, raw) in text.lines().enumerate() {
        let (text, comment) = split_comment(raw);
        let indent = text.len() - text.trim_start().len();
        let text = text.trim();
        if text.is_empty() || text.starts_with("//") {
            continue;
        }
        while open.last().is_some_and(|(depth, _)| *depth >= indent) {
            close(&mut open, &mut roots);
        }
        if open.len() > 64 {
            return Err(format!("line {}: nested too deeply", number + 1));
        }
        open.push((indent, Line { number: number + 1, text, comment, below: Vec::new() }));
    }
    while !open.is_empty() {
        close(&mut open, &mut roots);
    }
    Ok(roots)
}

/// Splits at the first `;` outside of quotes.
fn split_comment(line: &str) -> (&str, &str) {
    let mut quoted = false;
    let mut escaped = false;
    for (position, letter) in line.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => return (&line[..position], line[position + 1..].trim()),
            _ => {}
        }
    }
    (line, "")
}

/// The node that a comment starts with.
fn origin(line: &Line) -> Option<u32> {
    let word = line.comment.split(' ').next()?;
    word.strip_prefix('%')?.parse().ok()
}

fn declaration(program: &mut Program, line: &Line) -> Parsed<()> {
    match line.text.split(' ').next() {
        Some("buffer") => at(line, |cursor| {
            cursor.numbered('@', program.buffers.len())?;
            let name = cursor.name_or_quoted()?;
            cursor.expect(":")?;
            let lane = cursor.lane()?;
            cursor.expect("[")?;
            let words = cursor.linear()?;
            cursor.expect("]")?;
            let space = space(cursor)?;
            program.buffers.push(Buffer { name, space, lane, words });
            Ok(())
        }),
        Some("slot") => at(line, |cursor| {
            cursor.numbered('$', program.slots.len())?;
            let name = cursor.name_or_quoted()?;
            cursor.expect(":")?;
            program.slots.push(SlotInfo { name, lane: cursor.lane()? });
            Ok(())
        }),
        _ => Err(format!("line {}: expected a buffer or a slot", line.number)),
    }
}

fn space(cursor: &mut Cursor) -> Parsed<Space> {
    Ok(match cursor.word() {
        "parameter" => Space::Parameter(cursor.number()?),
        "state" => Space::State(cursor.number()?),
        "saved" => Space::Saved(cursor.number()?),
        "input" => Space::Input(cursor.number()?),
        "output" => Space::Output(cursor.number()?),
        "sums" => Space::Sums(cursor.number()?),
        "rows" => Space::Rows,
        "control" => Space::Control,
        "arena" => Space::Arena,
        "scratch" => Space::Scratch,
        other => return Err(format!("`{other}` is no space")),
    })
}

struct Reader<'a> {
    names: &'a Names,
}

impl Reader<'_> {
    fn kernel(&self, line: &Line, number: usize) -> Parsed<Kernel> {
        let (name, parallel, vars) = at(line, |cursor| {
            if cursor.number::<usize>()? != number {
                return Err(format!("expected kernel {number}"));
            }
            let name = cursor.quoted()?;
            let parallel = if cursor.eat("parallel") {
                let var = cursor.var()?;
                cursor.expect("over")?;
                let total = cursor.linear()?;
                cursor.expect("by")?;
                let step = cursor.number()?;
                cursor.expect(",")?;
                Some(Parallel { var, step, total })
            } else {
                None
            };
            cursor.expect("vars")?;
            match cursor.number()? {
                vars @ 0..=MOST_VARS => Ok((name, parallel, vars)),
                vars => Err(format!("{vars} loop variables, expected at most {MOST_VARS}")),
            }
        })?;
        Ok(Kernel { name, parallel, body: self.statements(&line.below)?, vars })
    }

    fn statements(&self, lines: &[Line]) -> Parsed<Vec<Statement>> {
        lines.iter().map(|line| self.statement(line)).collect()
    }

    fn statement(&self, line: &Line) -> Parsed<Statement> {
        match line.text.split(' ').next() {
            Some("nest") => {
                let (title, axes) = at(line, |cursor| Ok((cursor.quoted()?, axes(cursor)?)))?;
                Ok(Statement::Nest(Nest { title, axes, block: self.block(&line.below)? }))
            }
            Some("product") => self.product(line),
            Some("tiles") => {
                let (var, total, step) = at(line, |cursor| {
                    let var = cursor.var()?;
                    cursor.expect("over")?;
                    let total = cursor.linear()?;
                    cursor.expect("by")?;
                    Ok((var, total, cursor.number()?))
                })?;
                Ok(Statement::Tiles { var, step, total, body: self.statements(&line.below)? })
            }
            _ => Err(format!("line {}: expected nest, product or tiles", line.number)),
        }
    }

    fn product(&self, line: &Line) -> Parsed<Statement> {
        let (title, sizes) = at(line, |cursor| {
            let title = cursor.quoted()?;
            let mut sizes = Vec::new();
            for (name, follows) in [("m", true), ("n", true), ("k", false)] {
                cursor.expect(name)?;
                cursor.expect("<")?;
                sizes.push(cursor.extent()?);
                if follows {
                    cursor.expect(",")?;
                }
            }
            Ok((title, sizes))
        })?;
        let [a, b, c] = line.below.as_slice() else {
            return Err(format!("line {}: a product has the lines a, b and c", line.number));
        };
        let accumulate = c.text.starts_with("c +=");
        let [m, n, k] = [sizes[0], sizes[1], sizes[2]];
        Ok(Statement::Product(Box::new(ProductStatement {
            title,
            a: self.operand(a, "a", "=")?,
            b: self.operand(b, "b", "=")?,
            c: self.operand(c, "c", if accumulate { "+=" } else { "=" })?,
            m,
            n,
            k,
            accumulate,
            origin: origin(line).unwrap_or(0),
        })))
    }

    fn operand(&self, line: &Line, name: &str, assign: &str) -> Parsed<Operand> {
        if line.text.split(' ').next() != Some(name) {
            return Err(format!("line {}: expected operand {name}", line.number));
        }
        at(line, |cursor| {
            cursor.expect(assign)?;
            let base = cursor.view(self.names)?;
            cursor.expect("row")?;
            let row = cursor.steps()?;
            cursor.expect("column")?;
            let column = cursor.steps()?;
            let on_columns = cursor.eat("columns");
            let rows = if on_columns || cursor.eat("rows") {
                cursor.expect("(")?;
                let rows = cursor.buffer(self.names)?;
                let first = cursor.fixed_terms()?;
                cursor.expect(")")?;
                Some(OperandRows { rows, first, on_columns })
            } else {
                None
            };
            Ok(Operand { base, row, column, rows })
        })
    }

    fn block(&self, lines: &[Line]) -> Parsed<Block> {
        let mut block = Block::default();
        for line in lines {
            let instruction = if line.text.starts_with("store ") {
                at(line, |cursor| {
                    let view = cursor.view(self.names)?;
                    cursor.expect("=")?;
                    Ok(Instruction::Store(view, cursor.value()?))
                })?
            } else {
                at(line, |cursor| {
                    cursor.expect("=")?;
                    instruction::read(cursor, self.names)
                })?
            };
            let number = block.code.len();
            if !matches!(instruction, Instruction::Store(..)) && line.text.split(' ').next() != Some(&format!("%{number}")) {
                return Err(format!("line {}: expected %{number}", line.number));
            }
            let known = block.origins.last().copied().unwrap_or(0);
            block.origins.push(origin(line).unwrap_or(known));
            block.code.push(instruction);
        }
        Ok(block)
    }

    fn controls(&self, lines: &[Line]) -> Parsed<Vec<Control>> {
        let mut body = Vec::new();
        for line in lines {
            if line.text == "else" {
                let Some(Control::If { otherwise, .. }) = body.last_mut() else {
                    return Err(format!("line {}: `else` without `if`", line.number));
                };
                *otherwise = self.controls(&line.below)?;
                continue;
            }
            body.push(self.control(line)?);
        }
        Ok(body)
    }

    fn control(&self, line: &Line) -> Parsed<Control> {
        let names = self.names;
        Ok(match line.text.split(' ').next().unwrap_or_default() {
            "run" => Control::Kernel(at(line, Cursor::number)?),
            "barrier" => at(line, |_| Ok(Control::Barrier))?,
            "scalar" => Control::Scalar(self.block(&line.below)?),
            "batch" => Control::Batch(at(line, |cursor| cursor.slot(names))?),
            "call" => Control::Call { symbol: at(line, Cursor::quoted)? },
            "if" => {
                let condition = at(line, |cursor| cursor.slot(names))?;
                Control::If { condition, then: self.controls(&line.below)?, otherwise: Vec::new() }
            }
            "copy" => at(line, |cursor| {
                let from = cursor.buffer(names)?;
                cursor.expect("->")?;
                Ok(Control::Copy { from, to: cursor.buffer(names)? })
            })?,
            "loop" => {
                let (counter, count, stop) = at(line, |cursor| {
                    let counter = cursor.slot(names)?;
                    cursor.expect("<")?;
                    let count = cursor.slot(names)?;
                    let stop = if cursor.eat("until") { Some(cursor.slot(names)?) } else { None };
                    Ok((counter, count, stop))
                })?;
                Control::Loop { counter, count, stop, body: self.controls(&line.below)? }
            }
            other => return Err(format!("line {}: `{other}` is no statement of a driver", line.number)),
        })
    }
}

fn axes(cursor: &mut Cursor) -> Parsed<Vec<Axis>> {
    let mut axes = Vec::new();
    if !cursor.eat("for") {
        return Ok(axes);
    }
    loop {
        let var = cursor.var()?;
        cursor.expect("<")?;
        let extent = cursor.extent()?;
        axes.push(Axis { var, extent, vector: cursor.eat("vector") });
        if !cursor.eat(",") {
            return Ok(axes);
        }
    }
}

/// The lane of this name.
fn lane(word: &str) -> Option<Lane> {
    [Lane::F32, Lane::I32, Lane::F64].into_iter().find(|lane| super::print::lane_name(*lane) == word)
}
