//! The canonical text of a tree.
//!
//! One statement a line, two spaces for a level, one space around operators, parentheses only where the tree needs
//! them, an empty line between items. Equal trees have equal texts, and a text printed from a tree without mistakes
//! is read back to a tree that prints the same. What could not be read prints as `?`, which reads back as a mistake.

use super::ast::{
    Argument, Block, Call, Element, ElementKind, Expression, ExpressionKind, File, Formal, Function, Item, Iteration, Network,
    Number, Optimizer, OptimizerLineKind, Output, Statement, StatementKind, TensorType, UnaryOperator,
};

/// The text of a file.
pub fn file(file: &File) -> String {
    let items: Vec<String> = file.items.iter().map(item).collect();
    items.join("\n")
}

/// The text of an item, with a line break at its end.
pub fn item(item: &Item) -> String {
    let mut printer = Printer::default();
    match item {
        Item::Function(function) => printer.function(function),
        Item::Optimizer(optimizer) => printer.optimizer(optimizer),
        Item::Network(network) => printer.network(network),
    }
    printer.out
}

/// The text of a statement, without line break at its end.
pub fn statement(statement: &Statement) -> String {
    let mut printer = Printer::default();
    printer.statement(statement);
    printer.out.trim_end().to_owned()
}

/// The text of an expression, as a message quotes it.
pub fn expression(expression: &Expression) -> String {
    let mut printer = Printer::default();
    printer.expression(expression);
    printer.out
}

/// The text of a call, as a message quotes it.
pub fn call(call: &Call) -> String {
    let mut printer = Printer::default();
    printer.call(call);
    printer.out
}

/// The text of a type, `class(10)[batch]`.
pub fn tensor_type(tensor: &TensorType) -> String {
    let mut printer = Printer::default();
    printer.tensor_type(tensor);
    printer.out
}

/// How tightly something binds that needs no parentheses anywhere.
const TIGHT: u8 = 10;
/// How tightly `-x` binds.
const SIGN: u8 = 4;

#[derive(Default)]
struct Printer {
    out: String,
    level: usize,
}

impl Printer {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.indent();
    }

    fn indent(&mut self) {
        self.out.push_str(&"  ".repeat(self.level));
    }

    /// Elements with `, ` between.
    fn list<T>(&mut self, elements: &[T], mut print: impl FnMut(&mut Printer, &T)) {
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            print(self, element);
        }
    }

    fn doc(&mut self, doc: &[String]) {
        for line in doc {
            // `////` would be a comment that is no documentation.
            let gap = if line.starts_with('/') { " " } else { "" };
            let line = line.replace('\r', " ");
            self.push(&format!("///{gap}{}", line.trim_end()));
            self.line();
        }
    }

    fn network(&mut self, network: &Network) {
        self.doc(&network.doc);
        if !network.visibility.is_empty() {
            self.push(&network.visibility);
            self.push(" ");
        }
        self.push(&network.name.text);
        self.push(" ");
        self.braces(&network.statements, None);
        self.push("\n");
    }

    fn function(&mut self, function: &Function) {
        self.doc(&function.doc);
        self.push("fn ");
        self.push(&function.name.text);
        self.formals(&function.parameters);
        self.block(&function.body);
        self.push("\n");
    }

    fn optimizer(&mut self, optimizer: &Optimizer) {
        self.doc(&optimizer.doc);
        self.push("optimizer ");
        self.push(&optimizer.name.text);
        self.formals(&optimizer.parameters);
        self.push("{");
        self.level += 1;
        for line in &optimizer.lines {
            self.line();
            match &line.kind {
                OptimizerLineKind::At(point) => {
                    self.push("at ");
                    self.expression(point);
                }
                OptimizerLineKind::State { name, value } => self.named("state ", &name.text, value),
                OptimizerLineKind::Let { name, value } => self.named("let ", &name.text, value),
                OptimizerLineKind::Assign { name, value } => self.named("", &name.text, value),
            }
            self.push(";");
        }
        self.level -= 1;
        if !optimizer.lines.is_empty() {
            self.line();
        }
        self.push("}\n");
    }

    fn formals(&mut self, formals: &[Formal]) {
        self.push("(");
        self.list(formals, |printer, formal| match &formal.default {
            Some(default) => printer.named("", &formal.name.text, default),
            None => printer.push(&formal.name.text),
        });
        self.push(") ");
    }

    fn named(&mut self, word: &str, name: &str, value: &Expression) {
        self.push(word);
        self.push(name);
        self.push(" = ");
        self.expression(value);
    }

    fn block(&mut self, block: &Block) {
        self.braces(&block.statements, block.value.as_deref());
    }

    fn braces(&mut self, statements: &[Statement], value: Option<&Expression>) {
        self.push("{");
        self.level += 1;
        for statement in statements {
            self.line();
            self.statement(statement);
        }
        if let Some(value) = value {
            self.line();
            self.expression(value);
        }
        self.level -= 1;
        if !statements.is_empty() || value.is_some() {
            self.line();
        }
        self.push("}");
    }

    fn statement(&mut self, statement: &Statement) {
        self.doc(&statement.doc);
        match &statement.kind {
            StatementKind::Input { name, tensor } => self.declaration("input ", &name.text, tensor),
            StatementKind::Target { name, tensor } => {
                self.declaration("target ", &name.text, tensor);
            }
            StatementKind::Parameter { name, tensor, init } => {
                self.declaration("parameter ", &name.text, tensor);
                self.push(" = ");
                self.expression(init);
            }
            StatementKind::Setting { name, value } => self.named("setting ", &name.text, value),
            StatementKind::Const { name, value } => self.named("const ", &name.text, value),
            StatementKind::Let { mutable, name, value } => {
                let word = if *mutable { "let mut " } else { "let " };
                self.named(word, &name.text, value);
            }
            StatementKind::Assign { name, value } => self.named("", &name.text, value),
            StatementKind::Layer { name, value } => self.named("layer ", &name.text, value),
            StatementKind::For { variable, over, body } => {
                self.push(&format!("for {} in ", variable.text));
                self.iteration(over);
                self.push(" ");
                self.block(body);
                return;
            }
            StatementKind::Training { then, otherwise } => {
                self.training(then, otherwise.as_ref());
                return;
            }
            StatementKind::Predict(outputs) => self.outputs("predict ", outputs),
            StatementKind::Report(outputs) => self.outputs("report ", outputs),
            StatementKind::Minimize(value) => {
                self.push("minimize ");
                self.expression(value);
            }
            StatementKind::Using(value) => {
                self.push("using ");
                self.expression(value);
            }
            StatementKind::Allow(lints) => {
                self.push("allow(");
                self.list(lints, |printer, lint| printer.push(&lint.text));
                self.push(")");
            }
        }
        self.push(";");
    }

    fn declaration(&mut self, word: &str, name: &str, tensor: &TensorType) {
        self.push(word);
        self.push(name);
        self.push(": ");
        self.tensor_type(tensor);
    }

    fn tensor_type(&mut self, tensor: &TensorType) {
        if let Some(element) = &tensor.element {
            self.element(element);
        }
        if let Some(shape) = &tensor.shape {
            self.array(&shape.dimensions);
        }
    }

    fn element(&mut self, element: &Element) {
        match &element.kind {
            ElementKind::F32 => self.push("f32"),
            ElementKind::I32 => self.push("i32"),
            ElementKind::U32 => self.push("u32"),
            ElementKind::Bool => self.push("bool"),
            ElementKind::Class(classes) => {
                self.push("class(");
                self.expression(classes);
                self.push(")");
            }
        }
    }

    fn outputs(&mut self, word: &str, outputs: &[Output]) {
        self.push(word);
        self.list(outputs, |printer, output| match &output.name {
            Some(name) => printer.named("", &name.text, &output.value),
            None => printer.expression(&output.value),
        });
    }

    fn iteration(&mut self, over: &Iteration) {
        match over {
            Iteration::Range { from, to, inclusive, .. } => {
                self.expression(from);
                self.push(if *inclusive { "..=" } else { ".." });
                self.expression(to);
            }
            Iteration::List { values, .. } => self.array(values),
        }
    }

    fn training(&mut self, then: &Block, otherwise: Option<&Block>) {
        self.push("if training ");
        self.block(then);
        if let Some(otherwise) = otherwise {
            self.push(" else ");
            self.block(otherwise);
        }
    }

    fn array(&mut self, values: &[Expression]) {
        self.push("[");
        self.list(values, Printer::expression);
        self.push("]");
    }

    fn call(&mut self, call: &Call) {
        self.push(&call.name.text);
        self.push("(");
        self.list(&call.arguments, |printer, argument: &Argument| match &argument.name {
            Some(name) => printer.named("", &name.text, &argument.value),
            None => printer.expression(&argument.value),
        });
        self.push(")");
    }

    /// An operand of something that binds with `least`.
    fn operand(&mut self, operand: &Expression, least: u8) {
        if binding(&operand.kind) >= least {
            self.expression(operand);
        } else {
            self.push("(");
            self.expression(operand);
            self.push(")");
        }
    }

    fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            ExpressionKind::Number(number) => self.number(number),
            ExpressionKind::Text(text) => self.push(&quoted(text)),
            ExpressionKind::Boolean(value) => self.push(if *value { "true" } else { "false" }),
            ExpressionKind::Name(name) => self.push(&name.text),
            ExpressionKind::Array(values) => self.array(values),
            ExpressionKind::Call(call) => self.call(call),
            ExpressionKind::Method { receiver, call } => {
                self.receiver(receiver);
                self.call(call);
            }
            ExpressionKind::Field { value, name } => {
                self.receiver(value);
                self.push(&name.text);
            }
            ExpressionKind::Unary { operator: UnaryOperator::Negate, operand } => {
                self.push("-");
                self.operand(operand, SIGN);
            }
            ExpressionKind::Binary { operator, left, right, .. } => {
                let own = operator.precedence();
                // Comparisons do not chain, so neither side may be one.
                let left_least = if operator.is_comparison() { own + 1 } else { own };
                self.operand(left, left_least);
                self.push(&format!(" {} ", operator.symbol()));
                self.operand(right, own + 1);
            }
            ExpressionKind::Training { then, otherwise } => self.training(then, Some(otherwise)),
            ExpressionKind::Invalid => self.push("?"),
        }
    }

    fn receiver(&mut self, receiver: &Expression) {
        // `1.relu()` is legal and looks like a slip.
        let is_number = matches!(receiver.kind, ExpressionKind::Number(Number::Literal { .. }));
        let least = if is_number { TIGHT + 1 } else { TIGHT };
        self.operand(receiver, least);
        self.push(".");
    }

    fn number(&mut self, number: &Number) {
        match number {
            // `1...5` would be another symbol.
            Number::Literal { text, .. } if text.ends_with('.') => {
                self.push(text);
                self.push("0");
            }
            Number::Literal { text, .. } => self.push(text),
            Number::Rust { text, .. } if is_path(text) => self.push(text),
            Number::Rust { text, .. } => self.push(&format!("{{{text}}}")),
        }
    }
}

fn binding(kind: &ExpressionKind) -> u8 {
    match kind {
        ExpressionKind::Training { .. } => 0,
        ExpressionKind::Binary { operator, .. } => operator.precedence(),
        ExpressionKind::Unary { .. } => SIGN,
        ExpressionKind::Number(_)
        | ExpressionKind::Text(_)
        | ExpressionKind::Boolean(_)
        | ExpressionKind::Name(_)
        | ExpressionKind::Array(_)
        | ExpressionKind::Call(_)
        | ExpressionKind::Method { .. }
        | ExpressionKind::Field { .. }
        | ExpressionKind::Invalid => TIGHT,
    }
}

/// Whether a Rust number is a path with `::`, which needs no braces.
fn is_path(text: &str) -> bool {
    let is_word = |word: &str| {
        let starts = word.starts_with(|c: char| c == '_' || c.is_alphabetic());
        starts && word.chars().all(|c| c == '_' || c.is_alphanumeric())
    };
    let inner = text.strip_prefix("::").unwrap_or(text);
    text.contains("::") && inner.split("::").all(is_word)
}

fn quoted(text: &str) -> String {
    proc_macro2::Literal::string(text).to_string()
}
