//! Names that are used above where they are given, and how the statements could be put in order.

use super::fixes::Change;
use super::scope::defined_name;
use super::unused::used_in;
use super::{Elaborator, USED_BEFORE};
use crate::base::diagnostics::Diagnostic;
use crate::base::place::Span;
use crate::language::ast::{Name, Statement};

impl<'a> Elaborator<'a> {
    /// Says that a name is given further down. A name that is needed for what it is made of is a circle.
    pub(super) fn used_before(&mut self, name: &Name, later: Span) {
        let text = &name.text;
        let here = self.statement_at(name.span);
        let circle = here.and_then(|here| self.circle(here, text));
        let Some(circle) = circle else {
            let message = format!("`{text}` is used before it is named");
            let mistake = Diagnostic::error(USED_BEFORE, name.span, message).because(later, "named here");
            let change = here.and_then(|here| self.reordered(here, text)).or_else(|| self.in_place(name));
            return self.report_with(mistake, change);
        };
        let names: Vec<String> = circle.iter().map(|name| format!("`{}`", name.text)).collect();
        let message = match names.as_slice() {
            [_] => format!("`{text}` is used in its own definition"),
            _ => format!("{} needs {}, which needs {}", names[0], names[1..].join(", which needs "), names[0]),
        };
        let mut mistake = Diagnostic::error(USED_BEFORE, name.span, message);
        for name in circle {
            mistake = mistake.because(name.span, format!("`{}` is made here", name.text));
        }
        let change = self.in_place(name);
        self.report_with(mistake, change);
    }

    /// The statement of the frame in which something stands.
    pub(super) fn statement_at(&self, span: Span) -> Option<&'a Statement> {
        self.frames.last()?.statements.iter().find(|statement| statement.span.contains(span))
    }

    /// A value that can be seen, in place of the name.
    fn in_place(&self, name: &Name) -> Option<Change> {
        self.any_value().map(|value| Change::write(name.span, value))
    }

    fn definition(&self, name: &str) -> Option<&'a Statement> {
        let is_it = |statement: &&Statement| defined_name(&statement.kind).is_some_and(|known| known.text == name);
        self.frames.last()?.statements.iter().find(is_it)
    }

    /// The names from what `here` defines through `needed` back to it, if that is the way.
    fn circle(&self, here: &'a Statement, needed: &str) -> Option<Vec<&'a Name>> {
        let own = defined_name(&here.kind)?;
        let mut ways = vec![vec![own]];
        let mut open = vec![needed.to_owned()];
        let mut seen = Vec::new();
        while let (Some(way), Some(need)) = (ways.pop(), open.pop()) {
            if need == own.text {
                return Some(way);
            }
            let Some(statement) = self.definition(&need).filter(|_| !seen.contains(&need)) else { continue };
            seen.push(need);
            for next in used_in(&statement.kind) {
                let way = way.iter().copied().chain(defined_name(&statement.kind)).collect();
                ways.push(way);
                open.push(next.to_owned());
            }
        }
        None
    }

    /// The statement moved behind the one that names what it needs, or that one before it.
    fn reordered(&self, here: &'a Statement, needed: &str) -> Option<Change> {
        let statements = self.frames.last()?.statements;
        let later = self.definition(needed)?;
        let place = |wanted: &Statement| statements.iter().position(|statement| std::ptr::eq(statement, wanted));
        let between = statements.get(place(here)? + 1..=place(later)?)?;
        let uses = |statements: &[Statement], name: &str| statements.iter().any(|one| used_in(&one.kind).contains(name));
        let (own, text) = (defined_name(&here.kind), self.source.text());
        let (first, last) = (self.source.bytes(here.span)?, self.source.bytes(later.span)?);
        let whole = Span::new(here.span.start(), later.span.end());
        if own.is_none_or(|own| !uses(between, &own.text)) {
            let rest = text[first.end..last.end].trim_start_matches(';').trim_start();
            let moved = format!("{rest};\n{}{}", self.margin(here), &text[first]);
            return Some(Change::new(format!("put this statement behind `{needed}`"), whole, moved));
        }
        let from_here = statements.get(place(here)?..place(later)?)?;
        let is_free =
            from_here.iter().filter_map(|one| defined_name(&one.kind)).all(|name| !uses(std::slice::from_ref(later), &name.text));
        let rest = text[first.start..last.start].trim_end().trim_end_matches(';');
        let moved = format!("{};\n{}{rest}", &text[last], self.margin(here));
        is_free.then(|| Change::new(format!("name `{needed}` above"), whole, moved))
    }

    /// The space before a statement.
    fn margin(&self, statement: &Statement) -> String {
        " ".repeat(statement.span.column.saturating_sub(1) as usize)
    }
}
