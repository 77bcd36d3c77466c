//! What stands in a line, from left to right: words, numbers, names, sums and views.

use super::Parsed;
use crate::loops::text::names::{Names, is_name_letter};
use crate::loops::{BufferId, Digit, Extent, Lane, Linear, Pick, Slot, Steps, Table, Value, Var, View};
use std::str::FromStr;

/// A line that is being read.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// At the start of a text.
    pub fn new(text: &'a str) -> Self {
        Cursor { rest: text.trim_start() }
    }

    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest.trim_start();
        taken
    }

    fn while_letter(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        self.advance(end)
    }

    /// All up to the next space.
    pub fn word(&mut self) -> &'a str {
        self.while_letter(|letter| letter != ' ')
    }

    /// Takes this sign or word, if it is next.
    pub fn eat(&mut self, expected: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(expected) else { return false };
        let is_word = expected.ends_with(|letter: char| letter.is_ascii_alphanumeric());
        if is_word && rest.starts_with(is_name_letter) {
            return false;
        }
        self.rest = rest.trim_start();
        true
    }

    /// Takes this sign or word.
    pub fn expect(&mut self, expected: &str) -> Parsed<()> {
        if self.eat(expected) { Ok(()) } else { Err(format!("expected `{expected}` at `{}`", self.rest)) }
    }

    /// Nothing is left.
    pub fn end(&self) -> Parsed<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(format!("`{}` is too much", self.rest)) }
    }

    /// A decimal number.
    pub fn number<T: FromStr>(&mut self) -> Parsed<T> {
        let minus = if self.rest.starts_with('-') { 1 } else { 0 };
        let digits = self.rest[minus..].find(|letter: char| !letter.is_ascii_digit()).map_or(self.rest.len(), |end| end + minus);
        let text = self.advance(digits);
        text.parse().map_err(|_| format!("expected a number at `{text}{}`", self.rest))
    }

    /// A sign and the number that comes next in its list.
    pub fn numbered(&mut self, sign: char, next: usize) -> Parsed<()> {
        let word = self.word();
        if word == format!("{sign}{next}") { Ok(()) } else { Err(format!("expected {sign}{next}, found `{word}`")) }
    }

    /// A text in quotes.
    pub fn quoted(&mut self) -> Parsed<String> {
        let mut text = String::new();
        let mut escaped = false;
        if !self.rest.starts_with('"') {
            return Err(format!("expected a text in quotes at `{}`", self.rest));
        }
        for (position, letter) in self.rest.char_indices().skip(1) {
            match letter {
                'n' if escaped => text.push('\n'),
                'r' if escaped => text.push('\r'),
                '\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                '"' if !escaped => {
                    self.advance(position + 1);
                    return Ok(text);
                }
                _ => text.push(letter),
            }
            escaped = false;
        }
        Err("a quote is not closed".into())
    }

    /// A name as it is or in quotes.
    pub fn name_or_quoted(&mut self) -> Parsed<String> {
        if self.rest.starts_with('"') { self.quoted() } else { Ok(self.name()?.to_string()) }
    }

    fn name(&mut self) -> Parsed<&'a str> {
        let sign = usize::from(self.rest.starts_with(['@', '$']));
        let length = self.rest[sign..].find(|letter| !is_name_letter(letter)).map_or(self.rest.len(), |end| end + sign);
        if length == sign { Err(format!("expected a name at `{}`", self.rest)) } else { Ok(self.advance(length)) }
    }

    /// A lane type.
    pub fn lane(&mut self) -> Parsed<Lane> {
        let word = self.while_letter(|letter| letter.is_ascii_alphanumeric());
        super::lane(word).ok_or_else(|| format!("`{word}` is no type of a lane"))
    }

    /// `7`, `n`, `2n-3`.
    pub fn linear(&mut self) -> Parsed<Linear> {
        let text = self.while_letter(|letter| letter.is_ascii_digit() || matches!(letter, 'n' | '+' | '-'));
        read_linear(text).ok_or_else(|| format!("expected a size at `{text}{}`", self.rest))
    }

    /// The steps of a product's operand: `30`, or `30 (3: 30, 3: 1)` with further digits.
    pub fn steps(&mut self) -> Parsed<Steps> {
        let mut steps = Steps::even(self.linear()?);
        if self.eat("(") {
            loop {
                let size: i64 = self.number()?;
                if size < 1 {
                    return Err(format!("a digit counts to {size}"));
                }
                self.expect(":")?;
                steps.digits.push(Digit { size, stride: self.number()? });
                if !self.eat(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        Ok(steps)
    }

    /// A loop variable: a letter and a number.
    pub fn var(&mut self) -> Parsed<Var> {
        let text = self.while_letter(|letter| letter.is_ascii_alphanumeric());
        let digits = text.strip_prefix(|letter: char| letter.is_ascii_lowercase() && letter != 'n');
        digits
            .and_then(|digits| digits.parse().ok())
            .map(Var)
            .ok_or_else(|| format!("expected a loop variable at `{text}{}`", self.rest))
    }

    /// A value of the block.
    pub fn value(&mut self) -> Parsed<Value> {
        self.expect("%")?;
        Ok(Value(self.number()?))
    }

    /// The extent of a loop.
    pub fn extent(&mut self) -> Parsed<Extent> {
        if !self.rest.starts_with("min(") {
            return Ok(Extent::Whole(self.linear()?));
        }
        self.advance(4);
        let step: i64 = self.number()?;
        self.expect(",")?;
        let total = self.linear()?;
        self.expect("-")?;
        let again: i64 = self.number()?;
        self.expect("*")?;
        let tile = self.var()?;
        self.expect(")")?;
        if again == step {
            Ok(Extent::Tile { tile, step, total })
        } else {
            Err(format!("tiles of {step} and of {again} in one extent"))
        }
    }

    /// A buffer by its name or number.
    pub fn buffer(&mut self, names: &Names) -> Parsed<BufferId> {
        let name = self.name()?;
        names.find_buffer(name).ok_or_else(|| format!("no buffer is called `{name}`"))
    }

    /// A slot by its name or number.
    pub fn slot(&mut self, names: &Names) -> Parsed<Slot> {
        let name = self.name()?;
        names.find_slot(name).ok_or_else(|| format!("no slot is called `{name}`"))
    }

    /// `name[sum]` or `control.slot`.
    pub fn view(&mut self, names: &Names) -> Parsed<View> {
        let name = self.name()?;
        if !self.rest.starts_with('[') {
            return self.scalar(name, names);
        }
        let buffer = names.find_buffer(name).ok_or_else(|| format!("no buffer is called `{name}`"))?;
        self.advance(1);
        let mut view = View { buffer, offset: Linear::ZERO, strides: Vec::new(), table: None, pick: None };
        view.table = self.table(names)?;
        if view.table.is_some() && !self.eat("+") {
            return self.expect("]").map(|()| view);
        }
        view.pick = self.pick()?;
        if view.pick.is_some() && !self.eat("+") {
            return self.expect("]").map(|()| view);
        }
        (view.strides, view.offset) = self.sum()?;
        self.expect("]")?;
        Ok(view)
    }

    /// A slot of the control buffer; the dot that separates them may not be the only one.
    fn scalar(&mut self, name: &str, names: &Names) -> Parsed<View> {
        let numbered = if self.rest.starts_with('$') { self.name()? } else { "" };
        let found = name.match_indices('.').find_map(|(dot, _)| {
            let slot = if numbered.is_empty() { &name[dot + 1..] } else { numbered };
            names.find_buffer(&name[..dot]).zip(names.find_slot(slot))
        });
        let (buffer, slot) = found.ok_or_else(|| format!("`{name}{numbered}` is no slot"))?;
        Ok(View { buffer, offset: Linear::fixed(i64::from(slot.0)), strides: Vec::new(), table: None, pick: None })
    }

    /// `pick(%3, 10)*64`, if it is next.
    fn pick(&mut self) -> Parsed<Option<Pick>> {
        if !self.rest.starts_with("pick(") {
            return Ok(None);
        }
        self.expect("pick")?;
        self.expect("(")?;
        let value = self.value()?;
        self.expect(",")?;
        let count = self.number()?;
        self.expect(")")?;
        self.expect("*")?;
        Ok(Some(Pick { value, count, stride: self.linear()? }))
    }

    /// `rows[sum]*stride`, if it is next.
    fn table(&mut self, names: &Names) -> Parsed<Option<Table>> {
        let before = *self;
        let is_table = self.name().is_ok() && self.rest.starts_with('[');
        *self = before;
        if !is_table {
            return Ok(None);
        }
        let rows = self.buffer(names)?;
        let index = self.fixed_terms()?;
        self.expect("*")?;
        Ok(Some(Table { rows, index, stride: self.number()? }))
    }

    /// `[sum]` whose factors do not depend on the batch, without an offset.
    pub fn fixed_terms(&mut self) -> Parsed<Vec<(Var, i64)>> {
        self.expect("[")?;
        let (terms, offset) = self.sum()?;
        self.expect("]")?;
        if offset != Linear::ZERO || terms.iter().any(|(_, factor)| !factor.is_fixed()) {
            return Err("a row of the batch has no offset, and its factors do not depend on the batch".into());
        }
        Ok(terms.into_iter().map(|(var, factor)| (var, factor.constant)).collect())
    }

    /// Terms and offset: `48*t0 + i1 + 7`.
    pub fn sum(&mut self) -> Parsed<(Vec<(Var, Linear)>, Linear)> {
        let mut terms = Vec::new();
        loop {
            if self.rest.starts_with(|letter: char| letter.is_ascii_lowercase() && letter != 'n') {
                terms.push((self.var()?, Linear::fixed(1)));
            } else {
                let in_brackets = self.eat("(");
                let factor = self.linear()?;
                if in_brackets {
                    self.expect(")")?;
                }
                if !self.eat("*") {
                    // An offset is the last part.
                    return Ok((terms, factor));
                }
                terms.push((self.var()?, factor));
            }
            if !self.eat("+") {
                return Ok((terms, Linear::ZERO));
            }
        }
    }
}

fn read_linear(text: &str) -> Option<Linear> {
    let Some((batch, constant)) = text.split_once('n') else {
        return text.parse().ok().map(Linear::fixed);
    };
    let batch = if batch.is_empty() { 1 } else { batch.parse().ok()? };
    let constant = if constant.is_empty() { 0 } else { constant.parse().ok()? };
    Some(Linear { constant, batch })
}
