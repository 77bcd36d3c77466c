//! The loops around the micro-kernel: blocks of `k`, of columns, of rows, then tiles.

use gradc_compiler::abi::{PRODUCT_BLOCK, Product};

use super::pack::{Panel, entry};
use super::plan::{BLOCK_OF_A, Plan, Shape, plan};
use super::tile::{MOST_COLUMNS, MOST_ROWS, Tile};
use super::vector::Vector;

/// Floats left free behind each packed block, for [`pack::copy`](super::pack::copy) writes whole vectors.
const SLACK: usize = 64;

/// One block of `k`: both operands begin at its first step.
struct Block<'a> {
    product: &'a Product,
    plan: Plan,
    a: *const f32,
    /// The table of this block's steps, or null.
    a_steps: *const u32,
    b: *const f32,
    k: usize,
    add: bool,
}

/// Rows or columns `start..start + count` of a block.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    count: usize,
}

/// Computes a product as [`Product`] defines it.
///
/// # Safety
/// The processor has the instruction set of `V`. `product` points to a descriptor whose operands, tables and scratch are as
/// [`Product`] states; `C` and the scratch overlap nothing else.
pub(super) unsafe extern "C" fn product<V: Vector>(product: *const Product) {
    // SAFETY: the caller's promise.
    let product = unsafe { &*product };
    let count = |extent: i64| usize::try_from(extent).unwrap_or(0);
    let (m, n, k) = (count(product.m), count(product.n), count(product.k));
    if m == 0 || n == 0 {
        return;
    }
    let table_on_k = product.a_table_on_k != 0 && !product.a_table.is_null();
    let mut start = 0;
    loop {
        let length = (k - start).min(PRODUCT_BLOCK);
        let block = Block {
            product,
            plan: plan::<V>(Shape {
                m,
                n,
                k: length,
                a_row: product.a_row as isize,
                a_k: product.a_k as isize,
                b_k: product.b_k as isize,
                b_col: product.b_col as isize,
                a_row_table: !table_on_k && !product.a_table.is_null(),
            }),
            a: if table_on_k { product.a } else { product.a.wrapping_offset(start as isize * product.a_k as isize) },
            a_steps: if table_on_k { product.a_table.wrapping_add(start) } else { std::ptr::null() },
            b: product.b.wrapping_offset(start as isize * product.b_k as isize),
            k: length,
            add: start > 0 || product.accumulate != 0,
        };
        // SAFETY: the block names elements of the product only.
        unsafe { block.walk::<V>(m, n) };
        start += length;
        if start >= k {
            return;
        }
    }
}

impl Block<'_> {
    unsafe fn walk<V: Vector>(&self, m: usize, n: usize) {
        for columns in pieces(n, self.plan.block_n) {
            if self.plan.pack_b {
                // SAFETY: a block of columns fits its part of the scratch.
                unsafe { self.pack_b::<V>(columns) };
            }
            for rows in pieces(m, self.plan.block_m) {
                if self.plan.pack_a {
                    // SAFETY: a block of rows fits its part of the scratch.
                    unsafe { self.pack_a::<V>(rows) };
                }
                // SAFETY: rows and columns lie inside the product, and what the plan packs is packed.
                unsafe { self.tiles::<V>(rows, columns) };
            }
        }
    }

    unsafe fn tiles<V: Vector>(&self, rows: Span, columns: Span) {
        let width = self.plan.columns * V::LANES;
        // SAFETY: the pieces lie inside rows and columns.
        unsafe {
            if self.plan.columns_outside {
                for column_panel in pieces(columns.count, width) {
                    for row_panel in even_pieces(rows.count, V::ROWS) {
                        self.panel::<V>(rows, row_panel, columns, column_panel);
                    }
                }
            } else {
                for row_panel in even_pieces(rows.count, V::ROWS) {
                    for column_panel in pieces(columns.count, width) {
                        self.panel::<V>(rows, row_panel, columns, column_panel);
                    }
                }
            }
        }
    }

    /// One panel of rows by one of columns: one tile, or several narrower ones where the columns end.
    unsafe fn panel<V: Vector>(&self, rows: Span, row_panel: Span, columns: Span, panel: Span) {
        let width = self.plan.columns * V::LANES;
        let row = rows.start + row_panel.start;
        let column = columns.start + panel.start;
        let product = self.product;
        // SAFETY: rows and columns lie inside the product; a packed panel is where `pack_a` and `pack_b` put it.
        unsafe {
            let mut tile = Tile {
                a: [self.a; MOST_ROWS],
                a_k: product.a_k as isize,
                table: self.a_steps,
                b: if self.plan.pack_b {
                    self.packed_b().add(panel.start * self.k)
                } else {
                    self.b.offset(column as isize * product.b_col as isize)
                },
                b_k: if self.plan.pack_b { width as isize } else { product.b_k as isize },
                c: product.c.offset(row as isize * product.c_row as isize).add(column),
                c_row: product.c_row as isize,
                k: self.k,
                lanes: 0,
                add: self.add,
            };
            if self.plan.pack_a {
                let packed = self.packed_a().add(row_panel.start * self.k);
                for (index, a) in tile.a.iter_mut().enumerate().take(row_panel.count) {
                    *a = packed.add(index);
                }
                tile.a_k = row_panel.count as isize;
                tile.table = std::ptr::null();
            } else {
                for (index, a) in tile.a.iter_mut().enumerate().take(row_panel.count) {
                    *a = self.row_of_a(row + index);
                }
            }
            let mut left = panel.count;
            while left > 0 {
                let done = run::<V>(&mut tile, row_panel.count, self.plan.columns, left);
                tile.b = tile.b.wrapping_add(done);
                tile.c = tile.c.wrapping_add(done);
                left -= done;
            }
        }
    }

    /// Where row `row` of the left operand begins.
    unsafe fn row_of_a(&self, row: usize) -> *const f32 {
        let table = if self.a_steps.is_null() { self.product.a_table } else { std::ptr::null() };
        // SAFETY: a table on rows holds an entry for each row.
        self.a.wrapping_offset(unsafe { entry(table, row) } * self.product.a_row as isize)
    }

    fn packed_a(&self) -> *mut f32 {
        self.product.pack
    }

    fn packed_b(&self) -> *mut f32 {
        self.product.pack.wrapping_add(BLOCK_OF_A + SLACK)
    }

    unsafe fn pack_a<V: Vector>(&self, rows: Span) {
        let row_table = if self.a_steps.is_null() { self.product.a_table } else { std::ptr::null() };
        for panel in even_pieces(rows.count, V::ROWS) {
            let row = rows.start + panel.start;
            // SAFETY: the rows lie inside the product; `rows.count * k <= BLOCK_OF_A` by the plan.
            unsafe {
                V::pack(&Panel {
                    from: if row_table.is_null() { self.row_of_a(row) } else { self.a },
                    stride_w: self.product.a_row as isize,
                    stride_p: self.product.a_k as isize,
                    table_w: if row_table.is_null() { row_table } else { row_table.add(row) },
                    table_p: self.a_steps,
                    width: panel.count,
                    k: self.k,
                    to: self.packed_a().add(panel.start * self.k),
                    row: panel.count,
                });
            }
        }
    }

    unsafe fn pack_b<V: Vector>(&self, columns: Span) {
        let width = self.plan.columns * V::LANES;
        for panel in pieces(columns.count, width) {
            let column = columns.start + panel.start;
            // SAFETY: the columns lie inside the product; `columns.count * k <= BLOCK_OF_B` by the plan.
            unsafe {
                V::pack(&Panel {
                    from: self.b.offset(column as isize * self.product.b_col as isize),
                    stride_w: self.product.b_col as isize,
                    stride_p: self.product.b_k as isize,
                    table_w: std::ptr::null(),
                    table_p: std::ptr::null(),
                    width: panel.count,
                    k: self.k,
                    to: self.packed_b().add(panel.start * self.k),
                    row: width,
                });
            }
        }
    }
}

/// `0..extent` in pieces of `size`, the last one shorter.
fn pieces(extent: usize, size: usize) -> impl Iterator<Item = Span> {
    (0..extent).step_by(size).map(move |start| Span { start, count: size.min(extent - start) })
}

/// `0..extent` in as few pieces of at most `size` as there can be, all of nearly the same size: a short last tile would run at
/// the latency of its few chains.
fn even_pieces(extent: usize, size: usize) -> impl Iterator<Item = Span> {
    let number = extent.div_ceil(size);
    (0..number).map(move |index| {
        let start = index * extent / number;
        Span { start, count: (index + 1) * extent / number - start }
    })
}

/// Runs the widest tile that `left` columns fill and gives the number of columns it computed.
///
/// # Safety
/// As for [`tile::compute`](super::tile::compute).
unsafe fn run<V: Vector>(tile: &mut Tile, rows: usize, columns: usize, left: usize) -> usize {
    let vectors = left.div_ceil(V::LANES).min(columns);
    let vectors = match vectors {
        3 => 2,
        vectors => vectors.min(MOST_COLUMNS),
    };
    let done = left.min(vectors * V::LANES);
    tile.lanes = V::LANES - (vectors * V::LANES - done);
    // SAFETY: the caller's promise.
    unsafe {
        match (tile.lanes < V::LANES, !tile.table.is_null()) {
            (false, false) => select::<V, false, false>(tile, rows, vectors),
            (true, false) => select::<V, true, false>(tile, rows, vectors),
            (false, true) => select::<V, false, true>(tile, rows, vectors),
            (true, true) => select::<V, true, true>(tile, rows, vectors),
        }
    }
    done
}

/// Runs the tile of `rows` rows and `vectors` vectors.
#[inline(always)]
unsafe fn select<V: Vector, const PARTIAL: bool, const TABLE: bool>(tile: &Tile, rows: usize, vectors: usize) {
    macro_rules! kernel {
        ($($rows:literal x $vectors:literal)*) => {
            match (rows, vectors) {
                // SAFETY: the caller's promise.
                $(($rows, $vectors) => unsafe { V::tile::<$rows, $vectors, PARTIAL, TABLE>(tile) },)*
                _ => {}
            }
        };
    }
    kernel!(1 x 1 2 x 1 3 x 1 4 x 1 5 x 1 6 x 1 7 x 1 8 x 1
            1 x 2 2 x 2 3 x 2 4 x 2 5 x 2 6 x 2 7 x 2 8 x 2
            1 x 4 2 x 4)
}
