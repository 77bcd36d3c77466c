//! The loops around the micro-kernel: blocks of `k`, blocks of rows and columns that fit the caches, panels, tiles.

use gradc_compiler::abi::{PACK_FLOATS, PRODUCT_BLOCK, Product};

use super::pack::{Gathered, Panel, entry};
use super::plan::{BLOCK_OF_B, MOST_BLOCK_OF_A, Plan, SLACK_OF_A, Shape, plan, turns};
use super::spans::{Span, alike, even_pieces, panels, pieces};
use super::tile::{MOST_ROWS, Strip, Tile, run, steps};
use super::vector::{Vector, prefetch};

/// Floats left free behind each packed block, for [`pack::copy`](super::pack::copy) writes whole vectors.
const SLACK: usize = 64;

/// Floats of the packed rows with what is left free between them.
const PACKED_A: usize = MOST_BLOCK_OF_A + MOST_BLOCK_OF_A / 4;

const _: () = assert!(PACKED_A + SLACK + BLOCK_OF_B + SLACK <= PACK_FLOATS);

/// Steps of `k` that panels of rows take in turn.
const STEPS_OF_A: usize = 8;

/// Floats in a cache line.
const LINE: usize = 16;

/// Tables of the places that a turned product's left operand, which it has as its right one, is read at.
#[derive(Clone, Copy)]
struct Turned {
    rows: *const i32,
    steps: *const i32,
}

/// One block of `k`. Its methods rely on what [`product`] was promised.
struct Block<'a> {
    product: &'a Product,
    turned: Option<Turned>,
    plan: Plan,
    /// The left operand at the block's first step; at its very beginning where a table gives the steps.
    a: *const f32,
    /// The table of this block's steps, or null.
    a_steps: *const u32,
    /// The right operand at the block's first step; at its very beginning where tables give its places.
    b: *const f32,
    /// The places of this block's steps in the right operand, or null.
    b_steps: *const i32,
    k: usize,
    /// Steps behind this block.
    left: usize,
    /// Whether the block's sums are added to what the output holds.
    add: bool,
    /// Whether the right operand's copy is still there.
    is_packed: bool,
}

/// Where a tile finds its columns of the right operand.
#[derive(Clone, Copy)]
enum Right {
    /// In the operand itself.
    InPlace,
    /// In the operand, and the tile copies them into their panel as it reads them, which costs it nothing: stores have units
    /// of their own.
    Keep,
    /// In their panel.
    Packed,
}

/// What the next block copies of the right operand: runs of floats that lie side by side, one for each of its steps, or of its columns if the
/// operand is transposed. Asking for their lines while this block is computed hides the way from memory.
struct Ahead {
    /// The run whose turn it is, and how far the next one is.
    from: *const f32,
    stride: isize,
    runs: usize,
    length: usize,
    /// Runs to ask for with every tile.
    share: usize,
}

impl Ahead {
    fn ask(&mut self) {
        for _ in 0..self.share.min(self.runs) {
            for line in (0..self.length).step_by(LINE) {
                prefetch::<true>(self.from.wrapping_add(line));
            }
            self.from = self.from.wrapping_offset(self.stride);
            self.runs -= 1;
        }
    }
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
    // Of one block alone: the next one's copy would take its place. Calls of different sizes may look up places in different ways.
    let is_packed = product.b_is_packed != 0 && k <= PRODUCT_BLOCK && product.b_rows.is_null();
    // SAFETY: the table of columns has `n` entries.
    let (product, turned) = match unsafe { turned::<V>(product, m, n, k) } {
        Some((product, turned)) => (&product.clone(), Some(turned)),
        None => (product, None),
    };
    let (m, n) = (count(product.m), count(product.n));
    let table_on_k = product.a_table_on_k != 0 && !product.a_table.is_null();
    let gathered = !product.b_rows.is_null();
    let mut start = 0;
    loop {
        let length = (k - start).min(PRODUCT_BLOCK);
        let block = Block {
            product,
            turned: turned.map(|turned| Turned { steps: turned.steps.wrapping_add(start), ..turned }),
            plan: plan::<V>(Shape {
                m,
                n,
                k: length,
                a_k: product.a_k as isize,
                b_k: product.b_k as isize,
                b_col: product.b_col as isize,
                gathered,
            }),
            a: if table_on_k || turned.is_some() {
                product.a
            } else {
                product.a.wrapping_offset(start as isize * product.a_k as isize)
            },
            a_steps: if table_on_k { product.a_table.wrapping_add(start) } else { std::ptr::null() },
            b: if gathered { product.b } else { product.b.wrapping_offset(start as isize * product.b_k as isize) },
            b_steps: if gathered { product.b_rows.wrapping_add(start) } else { std::ptr::null() },
            k: length,
            left: k - start - length,
            add: start > 0 || product.accumulate != 0,
            is_packed,
        };
        // SAFETY: the block names elements of the product only.
        unsafe { block.walk::<V>(m, n) };
        start += length;
        if start >= k {
            return;
        }
    }
}

/// The product of the transposes, and where its left operand lies, if the product had better be walked so.
///
/// # Safety
/// The table of columns has `n` entries.
unsafe fn turned<V: Vector>(product: &Product, m: usize, n: usize, k: usize) -> Option<(Product, Turned)> {
    if product.b_rows.is_null() || !product.a_table.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let columns = unsafe { std::slice::from_raw_parts(product.b_cols, n) };
    let runs = 1 + columns.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    let transposes = Product {
        a: product.b,
        a_row: 1,
        a_k: 1,
        b: product.a,
        b_k: product.a_k,
        b_col: product.a_row,
        b_rows: std::ptr::null(),
        b_cols: std::ptr::null(),
        m: product.n,
        n: product.m,
        ..*product
    };
    turns::<V>(m, n, k, runs, product.a_row == 1).then_some((transposes, Turned { rows: product.b_cols, steps: product.b_rows }))
}

impl Block<'_> {
    /// Goes through the blocks of rows and columns. A copy of rows serves all columns, so that rows are outside where they are
    /// copied; a copy of columns is made along with the first rows that use it.
    unsafe fn walk<V: Vector>(&self, m: usize, n: usize) {
        let Plan { pack_a, block_m, block_n, .. } = self.plan;
        // SAFETY: the pieces lie inside the product, and a block of rows fits its part of the scratch.
        unsafe {
            if pack_a {
                for rows in pieces(m, block_m) {
                    self.pack_a::<V>(rows);
                    for columns in pieces(n, block_n) {
                        // One block of columns stays where it is for all rows.
                        self.block::<V>(rows, columns, rows.start == 0 || n > block_n, n);
                    }
                }
            } else {
                for columns in pieces(n, block_n) {
                    for rows in pieces(m, block_m) {
                        self.block::<V>(rows, columns, rows.start == 0, n);
                    }
                }
            }
        }
    }

    /// What the block behind these columns copies, in shares for so many tiles: the next columns, or the first ones of the next steps.
    fn ahead(&self, columns: Span, n: usize, tiles: usize) -> Option<Ahead> {
        let (step, column) = (self.product.b_k as isize, self.product.b_col as isize);
        let end = columns.start + columns.count;
        let (from, steps, left) = if end < n {
            (self.b.wrapping_offset(end as isize * column), self.k, n - end)
        } else {
            (self.b.wrapping_offset(self.k as isize * step), self.left.min(PRODUCT_BLOCK), n)
        };
        let columns = left.min(self.plan.block_n);
        let (stride, runs, length) = if column == 1 { (step, steps, columns) } else { (column, columns, steps) };
        let share = runs.div_ceil(tiles.max(1));
        (steps > 0).then_some(Ahead { from, stride, runs, length, share })
    }

    /// The tiles of one block of rows by one of columns, of `n`; `first` if these columns are still to be copied.
    unsafe fn block<V: Vector>(&self, rows: Span, columns: Span, first: bool, n: usize) {
        let width = self.plan.columns * V::LANES;
        let row_panels = even_pieces(rows.count, V::ROWS);
        let direct = self.product.b_col == 1 && self.b_steps.is_null();
        // Panels are as wide as those of a call with more rows, if there are enough of them.
        let is_packed = self.is_packed && self.plan.columns == V::WIDEST && n <= self.plan.block_n;
        let copies = first && self.plan.pack_b && !is_packed;
        let keep_first = copies && direct;
        let tiles = rows.count / V::ROWS * columns.count.div_ceil(width);
        let mut ahead = if copies && self.b_steps.is_null() { self.ahead(columns, n, tiles) } else { None };
        // SAFETY: the pieces lie inside rows and columns, and a block of columns fits its part of the scratch.
        unsafe {
            if copies && !direct {
                self.pack_b::<V>(columns);
            }
            let mut tile = self.tile();
            let is_kept = |row_panel: Span| keep_first && row_panel.start == 0;
            // A tile that asks for something, or copies, is alone; so are rows that lie anywhere.
            let asks = ahead.is_some();
            let anywhere = !self.plan.pack_a && (self.turned.is_some() || !self.a_rows().is_null());
            let mut run = |row_panel: Span, column_panel: Span, strip: Strip| {
                if let Some(ahead) = &mut ahead {
                    ahead.ask();
                }
                let right = if !self.plan.pack_b {
                    Right::InPlace
                } else if is_kept(row_panel) {
                    Right::Keep
                } else {
                    Right::Packed
                };
                tile.strip = strip;
                self.panel::<V>(&mut tile, rows, row_panel, columns, column_panel, right);
            };
            if self.plan.columns_outside {
                let is_alone = |row_panel| asks || anywhere || is_kept(row_panel);
                for column_panel in panels::<V>(columns.count, width) {
                    for (row_panel, tiles) in alike(row_panels.clone(), is_alone) {
                        run(row_panel, column_panel, self.rows_below(row_panel.count, tiles));
                    }
                }
            } else {
                for row_panel in row_panels {
                    let is_alone = |_| asks || is_kept(row_panel);
                    for (column_panel, tiles) in alike(panels::<V>(columns.count, width), is_alone) {
                        run(row_panel, column_panel, self.columns_beside(column_panel.count, tiles));
                    }
                }
            }
        }
    }

    /// Tiles of so many rows, one below another.
    fn rows_below(&self, rows: usize, tiles: usize) -> Strip {
        let a = if self.plan.pack_a { (self.k + SLACK_OF_A) as isize } else { self.product.a_row as isize };
        let rows = rows as isize;
        let c = if self.turned.is_some() { 1 } else { self.product.c_row as isize };
        Strip { tiles, a: rows * a, b: 0, c: rows * c }
    }

    /// Tiles of so many columns, one beside another.
    fn columns_beside(&self, columns: usize, tiles: usize) -> Strip {
        let b = if self.plan.pack_b { self.k as isize } else { self.product.b_col as isize };
        let c = if self.turned.is_some() { self.product.c_row as isize } else { 1 };
        let columns = columns as isize;
        Strip { tiles, a: 0, b: columns * b, c: columns * c }
    }

    /// What all tiles of the block have in common.
    fn tile(&self) -> Tile {
        Tile {
            a: [self.a; MOST_ROWS],
            a_k: self.product.a_k as isize,
            steps: steps::EVEN,
            table: if self.plan.pack_a { std::ptr::null() } else { self.a_steps },
            places: self.turned.map_or(std::ptr::null(), |turned| turned.steps),
            b: self.b,
            b_k: self.product.b_k as isize,
            keep: std::ptr::null_mut(),
            keep_k: 0,
            c: self.product.c,
            c_row: self.product.c_row as isize,
            turned: self.turned.is_some(),
            strip: Strip::ALONE,
            k: self.k,
            lanes: 0,
            add: self.add,
        }
    }

    /// One panel of rows by one of columns, and those of the tile's strip behind it: one tile each, or several narrower ones where the columns end.
    unsafe fn panel<V: Vector>(&self, tile: &mut Tile, rows: Span, row_panel: Span, columns: Span, panel: Span, right: Right) {
        let product = self.product;
        let row = rows.start + row_panel.start;
        let column = columns.start + panel.start;
        // SAFETY: rows and columns lie inside the product; a packed panel is where `pack_a`, `pack_b` or an earlier tile put it.
        unsafe {
            let packed = self.packed_b().add(panel.start * self.k);
            tile.keep_k = panel.count.next_multiple_of(V::LANES);
            (tile.b, tile.b_k) = match right {
                Right::InPlace | Right::Keep => {
                    (self.b.wrapping_offset(column as isize * product.b_col as isize), product.b_k as isize)
                }
                Right::Packed => (packed.cast_const(), tile.keep_k as isize),
            };
            tile.keep = match right {
                Right::Keep => packed,
                Right::InPlace | Right::Packed => std::ptr::null_mut(),
            };
            self.rows_of_a(tile, row, row_panel);
            let mut left = panel.count;
            while left > 0 {
                tile.c = self.c(row, column + panel.count - left);
                let done = run::<V>(tile, row_panel.count, left);
                tile.b = tile.b.wrapping_add(done);
                if !tile.keep.is_null() {
                    tile.keep = tile.keep.wrapping_add(done);
                }
                left -= done;
            }
        }
    }

    /// Where the rows of a tile begin, of which the first is `row` of the product. All addresses are written: to count the rows would take
    /// longer.
    unsafe fn rows_of_a(&self, tile: &mut Tile, row: usize, panel: Span) {
        tile.steps = match (tile.table.is_null(), tile.places.is_null()) {
            (_, false) => steps::PLACES,
            (false, _) => steps::NUMBERS,
            _ if tile.a_k == 1 => steps::ALONG,
            _ => steps::EVEN,
        };
        let (first, stride) = if self.plan.pack_a {
            tile.a_k = panel.count as isize;
            (self.packed_a(panel).cast_const(), 1)
        } else if self.turned.is_none() && self.a_rows().is_null() {
            let stride = self.product.a_row as isize;
            (self.a.wrapping_offset(row as isize * stride), stride)
        } else {
            for (index, a) in tile.a.iter_mut().enumerate().take(panel.count) {
                // SAFETY: the rows of the panel lie inside the product.
                *a = unsafe { self.row_of_a(row + index) };
            }
            return;
        };
        if stride == 1 && tile.steps == steps::EVEN {
            tile.steps = steps::SIDE_BY_SIDE;
        }
        for (index, a) in tile.a.iter_mut().enumerate() {
            *a = first.wrapping_offset(index as isize * stride);
        }
    }

    /// Where an element of the result stands; behind the last column the place has no meaning.
    fn c(&self, row: usize, column: usize) -> *mut f32 {
        let (row, column) = if self.turned.is_some() { (column, row) } else { (row, column) };
        self.product.c.wrapping_offset(row as isize * self.product.c_row as isize).wrapping_add(column)
    }

    /// Where row `row` of the left operand begins.
    unsafe fn row_of_a(&self, row: usize) -> *const f32 {
        if let Some(turned) = self.turned {
            // SAFETY: the table on rows holds a place for each row.
            return self.a.wrapping_offset(unsafe { *turned.rows.add(row) } as isize);
        }
        // SAFETY: a table on rows holds an entry for each row.
        self.a.wrapping_offset(unsafe { entry(self.a_rows(), row) } * self.product.a_row as isize)
    }

    /// The table on rows, or null.
    fn a_rows(&self) -> *const u32 {
        if self.a_steps.is_null() { self.product.a_table } else { std::ptr::null() }
    }

    /// Where a panel of packed rows begins: behind each lies room for a vector, for the copy writes whole ones.
    fn packed_a(&self, panel: Span) -> *mut f32 {
        self.product.pack.wrapping_add(panel.start * (self.k + SLACK_OF_A))
    }

    /// Where the panels of packed columns begin.
    fn packed_b(&self) -> *mut f32 {
        self.product.pack.wrapping_add(PACKED_A + SLACK)
    }

    /// Copies rows of the left operand into panels.
    unsafe fn pack_a<V: Vector>(&self, rows: Span) {
        let row_table = self.a_rows();
        let side_by_side = self.product.a_row == 1 && row_table.is_null();
        // Where rows lie side by side, a line of memory holds those of several panels, and all take their part while it is near.
        let chunk = if side_by_side { STEPS_OF_A } else { self.k };
        let stride_p = self.product.a_k as isize;
        for steps in pieces(self.k, chunk) {
            if side_by_side {
                self.ask_for(rows, steps.start + 2 * chunk);
            }
            for panel in even_pieces(rows.count, V::ROWS) {
                let row = rows.start + panel.start;
                // SAFETY: the rows lie inside the product; the panels fit their part of the scratch by the plan.
                unsafe {
                    let (from, table_w) =
                        if row_table.is_null() { (self.row_of_a(row), row_table) } else { (self.a, row_table.add(row)) };
                    let (from, table_p) = if self.a_steps.is_null() {
                        (from.wrapping_offset(steps.start as isize * stride_p), self.a_steps)
                    } else {
                        (from, self.a_steps.add(steps.start))
                    };
                    V::pack(&Panel {
                        from,
                        stride_w: self.product.a_row as isize,
                        stride_p,
                        table_w,
                        table_p,
                        width: panel.count,
                        k: steps.count,
                        to: self.packed_a(panel).add(steps.start * panel.count),
                        row: panel.count,
                    });
                }
            }
        }
    }

    /// Asks for some steps of rows that lie side by side, to be copied soon.
    fn ask_for(&self, rows: Span, first: usize) {
        for step in first..self.k.min(first + STEPS_OF_A) {
            // SAFETY: the table of steps has `k` entries.
            let at = unsafe { entry(self.a_steps, step) } * self.product.a_k as isize;
            for line in (0..rows.count).step_by(LINE) {
                prefetch::<false>(self.a.wrapping_offset(at).wrapping_add(rows.start + line));
            }
        }
    }

    /// Copies columns of the right operand into panels.
    unsafe fn pack_b<V: Vector>(&self, columns: Span) {
        let width = self.plan.columns * V::LANES;
        for panel in panels::<V>(columns.count, width) {
            let column = columns.start + panel.start;
            let to = self.packed_b().wrapping_add(panel.start * self.k);
            // SAFETY: the columns lie inside the product; `columns.count * k <= BLOCK_OF_B` by the plan.
            unsafe {
                if !self.b_steps.is_null() {
                    V::gather_panel(&Gathered {
                        from: self.b,
                        columns: self.product.b_cols.add(column),
                        steps: self.b_steps,
                        width: panel.count,
                        k: self.k,
                        to,
                        row: panel.count.next_multiple_of(V::LANES),
                    });
                    continue;
                }
                V::pack(&Panel {
                    from: self.b.wrapping_offset(column as isize * self.product.b_col as isize),
                    stride_w: self.product.b_col as isize,
                    stride_p: self.product.b_k as isize,
                    table_w: std::ptr::null(),
                    table_p: std::ptr::null(),
                    width: panel.count,
                    k: self.k,
                    to,
                    row: panel.count.next_multiple_of(V::LANES),
                });
            }
        }
    }
}
