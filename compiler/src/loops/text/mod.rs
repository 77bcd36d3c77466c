//! The canonical text of a program; [`print()`] and [`parse`] are inverse.
//!
//! ```text
//! program "Xor"
//!   buffer @0 control : f64[3] control
//!   buffer @1 x : f32[2n] input 0
//!   slot $0 step : f64
//! kernel 0 "train.0 %3 contract h" parallel t0 over n by 48, vars 4
//!   product "%3 contract h" m < min(48, n - 48*t0), n < 4, k < 2          ; %3
//!     a = x[0] row 2 column 1 rows(rows[48*t0])
//!     b = h.weight[0] row 4 column 1
//!     c = train.0.%3[0] row 4 column 1
//!   nest "%5 sigmoid s" for i1 < min(48, n - 48*t0), j2 < 4 vector
//!     %0 = load train.0.%3[4*i1 + j2] : f32                               ; %3
//!     %1 = f32 0.5                                                        ; %5
//!     %2 = add %0, %1
//!     store train.%5[192*t0 + 4*i1 + j2] = %2
//! entry "step"
//!   run 0
//!   barrier
//! ```
//! - A buffer or slot is called by its name where that is one word that no other has, and by its number (`@1`, `$0`) otherwise.
//! - A loop variable is a letter and its number in the kernel; the letter is for the reader (`t` counts tiles) and says nothing.
//! - Value `%k` is made by instruction `k` of its block; a store counts too.
//! - `; %5` is the graph node that an instruction serves, and all after it up to the next such mark; the first of a block serves %0 unless
//!   it says otherwise. What follows the node in a comment (layer path, place in the source) is for the reader and not read back.
//! - `pick(%3, 10)*64` is an index that value %3 chooses out of 10, 64 words apart.
//! - A factor of 1 and an offset of 0 are left out, terms keep their order, `n` is the batch.

mod names;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub use parse::parse;
pub use print::{Places, print};
