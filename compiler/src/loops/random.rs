pub fn uniform_at(_seed: u64, _stream: u32, _step: u32, _row: u32, _column: u32) -> u32 {
    0
}

use super::{Value, block::BlockBuilder};
pub fn threefry(_b: &mut BlockBuilder, key: [Value; 4], _counter: [Value; 4]) -> [Value; 4] {
    key
}
pub fn uniform_open(_b: &mut BlockBuilder, v: Value) -> Value {
    v
}
