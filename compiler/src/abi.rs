//! The binary contract between generated code and the runtime: the structures that generated code fills or reads, and the
//! signatures of the functions it may call. The compiler is handed the addresses ([`Symbols`]); it does not know who wrote them.

/// One matrix product `C[m, n] = A[m, k] · B[k, n]`, as generated code describes it to a micro-kernel.
///
/// Element `C[i, j]` is defined bit for bit: `k` is cut into blocks of [`PRODUCT_BLOCK`]; in each block a chain of fused
/// multiply-adds in ascending `k`, started as `fma(a, b, +0)`; the first block's sum is taken as it is, later ones are added to
/// it in order. With `accumulate` the first block's sum is added to what `C` holds. An empty `k` gives `+0`.
///
/// Strides are in elements. `A[i, p]` lies at `a + row(i) * a_row + col(p) * a_k` where `row(i) = a_table[i]` if `a_table` is
/// not null and `a_table_on_k == 0`, `col(p) = a_table[p]` if `a_table_on_k == 1`, and the plain index otherwise.
/// `B[p, j]` lies at `b + p * b_k + j * b_col`; one of `b_k`, `b_col` is 1. Where `b_rows` and `b_cols` are not null (they are both or
/// neither), it lies at `b + b_rows[p] + b_cols[j]`. `C[i, j]` lies at `c + i * c_row + j`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// First element of A.
    pub a: *const f32,
    /// From a row of A to the next.
    pub a_row: i64,
    /// From a column of A to the next.
    pub a_k: i64,
    /// Places of A's rows or columns, or null.
    pub a_table: *const u32,
    /// 1 if the table is of columns.
    pub a_table_on_k: i64,
    /// First element of B.
    pub b: *const f32,
    /// From a row of B to the next.
    pub b_k: i64,
    /// From a column of B to the next.
    pub b_col: i64,
    /// Places of B's rows in words, `k` of them, or null.
    pub b_rows: *const i32,
    /// Places of B's columns in words, `n` of them, or null.
    pub b_cols: *const i32,
    /// First element of C.
    pub c: *mut f32,
    /// From a row of C to the next.
    pub c_row: i64,
    /// Rows of C.
    pub m: i64,
    /// Columns of C.
    pub n: i64,
    /// Terms of each sum.
    pub k: i64,
    /// 1 to add to what C holds.
    pub accumulate: i64,
    /// Scratch of the calling thread for packed operands: [`PACK_FLOATS`] floats, aligned to 64 bytes.
    pub pack: *mut f32,
    /// 1 if the call before, with this scratch, had the same B, as many steps and columns and not fewer rows, and nobody has written to
    /// either since: what it copied of B is still there.
    pub b_is_packed: i64,
}

/// Length of the blocks of `k` in the definition of a product.
pub const PRODUCT_BLOCK: usize = 512;

/// Floats of packing scratch that every product call may use.
pub const PACK_FLOATS: usize = 512 * 512;

/// Floats of a right operand that a product call copies in one piece: half of the 512 KiB second-level cache of the smallest machines served.
pub const COPIED_FLOATS: usize = 64 * 1024;

/// What an entry point receives: one for each thread of the team.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// One pointer for each buffer of the program, in order; scratch pointers differ from thread to thread.
    pub pointers: *const *mut u8,
    /// Number of this thread, from 0.
    pub thread: i64,
    /// Threads of the team.
    pub threads: i64,
    /// Handed to the barrier function.
    pub barrier: *const u8,
    /// Packing scratch of this thread, see [`Product::pack`].
    pub pack: *mut f32,
    /// Tables of places that products read, one pointer each, see [`Product::b_rows`]; what compiled the code holds them.
    pub tables: *const *const i32,
    /// Handed through to called symbols.
    pub user: *mut u8,
}

/// `kernel(context, n, first tile, end tile)`.
pub type KernelFunction = unsafe extern "C" fn(*const Context, i64, i64, i64);

/// `entry(context)`: the driver, run by every thread.
pub type EntryFunction = unsafe extern "C" fn(*const Context);

/// A function that driver code calls by name on the first thread.
pub type DriverFunction = unsafe extern "C" fn(*const Context);

/// Addresses of everything that generated code may call.
#[derive(Clone, Debug)]
pub struct Symbols {
    /// `unsafe extern "C" fn(*const Product)`.
    pub product: *const u8,
    /// `unsafe extern "C" fn(*const u8)`, given [`Context::barrier`].
    pub barrier: *const u8,
    /// `unsafe extern "C" fn(*const Context, i64)`, called on the first thread by programs that are compiled with marks: before each
    /// kernel with its number, after it with -1.
    pub mark: *const u8,
    /// [`DriverFunction`]s by name.
    pub driver: Vec<(String, *const u8)>,
}

// SAFETY: the addresses are of functions, which live as long as the process.
unsafe impl Send for Symbols {}
// SAFETY: as above.
unsafe impl Sync for Symbols {}
