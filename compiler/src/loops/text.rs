//! Text form of loops.
use super::Program;
/// The program.
pub fn print(_program: &Program) -> String {
    String::new()
}
