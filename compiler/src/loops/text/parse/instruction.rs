//! Reading one instruction.

use super::Parsed;
use super::cursor::Cursor;
use crate::loops::text::names::Names;
use crate::loops::text::print::{comparison_name, function_name};
use crate::loops::{Comparison, Instruction, ScalarFunction, Value};

const COMPARISONS: [Comparison; 4] = [Comparison::Lt, Comparison::Le, Comparison::Eq, Comparison::Ne];
const FUNCTIONS: [ScalarFunction; 10] = [
    ScalarFunction::Exp,
    ScalarFunction::Log,
    ScalarFunction::Expm1,
    ScalarFunction::Log1p,
    ScalarFunction::Pow,
    ScalarFunction::Sin,
    ScalarFunction::Cos,
    ScalarFunction::Tanh,
    ScalarFunction::Erf,
    ScalarFunction::Floor,
];

/// Reads what stands behind `%k =`.
pub fn read(cursor: &mut Cursor, names: &Names) -> Parsed<Instruction> {
    use Instruction::*;
    let name = cursor.word();
    if let Some(comparison) = COMPARISONS.into_iter().find(|comparison| comparison_name(*comparison) == name) {
        let [a, b] = operands(cursor)?;
        return Ok(Compare(comparison, a, b));
    }
    Ok(match name {
        "f32" => ConstF32(float(cursor.word(), f32::from_bits, |digits| u32::from_str_radix(digits, 16).ok())?),
        "f64" => ConstF64(float(cursor.word(), f64::from_bits, |digits| u64::from_str_radix(digits, 16).ok())?),
        "i32" => ConstI32(integer(cursor.word())?),
        "index" => {
            let (terms, offset) = cursor.sum()?;
            Index { terms, offset }
        }
        "load" => {
            let view = cursor.view(names)?;
            cursor.expect(":")?;
            Load(view, cursor.lane()?)
        }
        "add" => two(cursor, Add)?,
        "sub" => two(cursor, Sub)?,
        "mul" => two(cursor, Mul)?,
        "div" => two(cursor, Div)?,
        "and" => two(cursor, And)?,
        "or" => two(cursor, Or)?,
        "xor" => two(cursor, Xor)?,
        "fma" => three(cursor, Fma)?,
        "select" => three(cursor, Select)?,
        "sqrt" => one(cursor, Sqrt)?,
        "round" => one(cursor, Round)?,
        "truncate" => one(cursor, Truncate)?,
        "floor" => one(cursor, Floor)?,
        "to_int" => one(cursor, ToInt)?,
        "to_float" => one(cursor, ToFloat)?,
        "bits" => one(cursor, Bits)?,
        "from_bits" => one(cursor, FromBits)?,
        "promote" => one(cursor, Promote)?,
        "demote" => one(cursor, Demote)?,
        "shift_left" => shift(cursor, ShiftLeft)?,
        "shift_right" => shift(cursor, ShiftRight)?,
        "shift_right_signed" => shift(cursor, ShiftRightSigned)?,
        "call" => {
            let name = cursor.word();
            let function = FUNCTIONS.into_iter().find(|function| function_name(*function) == name);
            let function = function.ok_or_else(|| format!("no function of scalars is called `{name}`"))?;
            let mut arguments = vec![cursor.value()?];
            while cursor.eat(",") {
                arguments.push(cursor.value()?);
            }
            Call(function, arguments)
        }
        _ => return Err(format!("no instruction is called `{name}`")),
    })
}

fn operands<const COUNT: usize>(cursor: &mut Cursor) -> Parsed<[Value; COUNT]> {
    let mut values = [Value(0); COUNT];
    for (position, value) in values.iter_mut().enumerate() {
        if position > 0 {
            cursor.expect(",")?;
        }
        *value = cursor.value()?;
    }
    Ok(values)
}

fn one(cursor: &mut Cursor, make: fn(Value) -> Instruction) -> Parsed<Instruction> {
    operands(cursor).map(|[a]| make(a))
}

fn two(cursor: &mut Cursor, make: fn(Value, Value) -> Instruction) -> Parsed<Instruction> {
    operands(cursor).map(|[a, b]| make(a, b))
}

fn three(cursor: &mut Cursor, make: fn(Value, Value, Value) -> Instruction) -> Parsed<Instruction> {
    operands(cursor).map(|[a, b, c]| make(a, b, c))
}

fn shift(cursor: &mut Cursor, make: fn(Value, u8) -> Instruction) -> Parsed<Instruction> {
    let value = cursor.value()?;
    cursor.expect(",")?;
    Ok(make(value, cursor.number()?))
}

fn integer(word: &str) -> Parsed<i32> {
    let read = match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok().map(|bits| bits as i32),
        None => word.parse().ok(),
    };
    read.ok_or_else(|| format!("`{word}` is no i32"))
}

/// A number, or the bits of one.
fn float<T: std::str::FromStr, B>(word: &str, from_bits: fn(B) -> T, bits: fn(&str) -> Option<B>) -> Parsed<T> {
    let read = match word.strip_prefix("0x") {
        Some(digits) => bits(digits).map(from_bits),
        None => word.parse().ok(),
    };
    read.ok_or_else(|| format!("`{word}` is no number"))
}
