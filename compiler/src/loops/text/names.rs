//! What buffers and slots are called, and how words are quoted.

use crate::loops::{BufferId, Program, Slot};
use std::collections::HashMap;

/// Names by which a program's parts are called, and back.
pub struct Names {
    buffers: Vec<String>,
    slots: Vec<String>,
    buffer_of: HashMap<String, BufferId>,
    slot_of: HashMap<String, Slot>,
}

impl Names {
    /// Names of the buffers and slots of a program.
    pub fn new(program: &Program) -> Self {
        let buffers = called(program.buffers.iter().map(|buffer| buffer.name.as_str()), '@');
        let slots = called(program.slots.iter().map(|slot| slot.name.as_str()), '$');
        let buffer_of = buffers.iter().enumerate().map(|(number, name)| (name.clone(), BufferId(number as u32))).collect();
        let slot_of = slots.iter().enumerate().map(|(number, name)| (name.clone(), Slot(number as u32))).collect();
        Names { buffers, slots, buffer_of, slot_of }
    }

    /// What a buffer is called; one that does not exist, by its number.
    pub fn buffer(&self, buffer: BufferId) -> String {
        self.buffers.get(buffer.0 as usize).cloned().unwrap_or_else(|| format!("@{}", buffer.0))
    }

    /// What a slot is called.
    pub fn slot(&self, slot: Slot) -> String {
        self.slots.get(slot.0 as usize).cloned().unwrap_or_else(|| format!("${}", slot.0))
    }

    /// The buffer of this name or number.
    pub fn find_buffer(&self, word: &str) -> Option<BufferId> {
        number(word, '@').map(BufferId).or_else(|| self.buffer_of.get(word).copied())
    }

    /// The slot of this name or number.
    pub fn find_slot(&self, word: &str) -> Option<Slot> {
        number(word, '$').map(Slot).or_else(|| self.slot_of.get(word).copied())
    }
}

fn number(word: &str, sign: char) -> Option<u32> {
    word.strip_prefix(sign).and_then(|digits| digits.parse().ok())
}

/// A name where it is one word and nobody else's, a number otherwise.
fn called<'a>(names: impl Iterator<Item = &'a str> + Clone, sign: char) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in names.clone() {
        *counts.entry(name).or_default() += 1;
    }
    let one = |(number, name): (usize, &str)| {
        let clear = is_word(name) && counts[name] == 1;
        if clear { name.to_string() } else { format!("{sign}{number}") }
    };
    names.enumerate().map(one).collect()
}

/// Letters that names are made of.
pub fn is_name_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '%')
}

fn is_word(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_') && name.chars().all(is_name_letter)
}

/// A text in quotes, on one line.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
