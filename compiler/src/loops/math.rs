use super::{Value, block::BlockBuilder};
macro_rules! stub { ($($n:ident)*) => { $(pub fn $n(_b: &mut BlockBuilder, x: Value) -> Value { x })* } }
stub!(exp log expm1 log1p tanh sigmoid erf normal);
pub fn pow(_b: &mut BlockBuilder, x: Value, _y: Value) -> Value {
    x
}
pub fn normal_quantile(x: f64) -> f64 {
    x
}
