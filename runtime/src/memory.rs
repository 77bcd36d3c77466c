//! The memory of a program: one zeroed block of floats, aligned to cache lines, with guard words on both sides.
//!
//! Blocks of some size lie in pages of their own, which the system gives, zeroed, when they are first touched: what a run never needs
//! (the copy of a best epoch without validation, the room to pack large operands) takes no memory. Large blocks lie in huge pages where
//! the system has them: a product that copies the columns of a matrix takes a new small page with every row, and then waits for addresses
//! rather than for numbers.
//!
//! Generated code works on the raw pointer; everything else sees slices. A guard that changed shows that code left its plan.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::Range;
use std::ptr::NonNull;

use memmap2::{MmapMut, MmapOptions};

/// Alignment of the first word: a cache line, and the widest vector.
pub const ALIGNMENT: usize = 64;

/// Words of each guard: a cache line.
const GUARD_WORDS: usize = ALIGNMENT / size_of::<f32>();

/// What guard words hold: a NaN that no computation produces.
const GUARD_BITS: u32 = 0x7FE6_A4D5;

/// Bytes of a huge page on the machines that have them.
const HUGE_PAGE: usize = 2 << 20;

/// Bytes from which on a block has pages of its own.
const OWN_PAGES: usize = 64 << 10;

/// The arena could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot allocate {bytes} bytes for the program's memory")]
pub struct ArenaError {
    /// Bytes asked for, `usize::MAX` if the number itself does not fit.
    pub bytes: usize,
}

/// Floats of a fixed number, +0 at first.
#[derive(Debug)]
pub struct Arena {
    /// The first guard; `GUARD_WORDS + words + GUARD_WORDS` floats are ours from here on.
    block: NonNull<f32>,
    words: usize,
    home: Home,
}

/// Where a block came from, and goes back to.
#[derive(Debug)]
enum Home {
    Heap(Layout),
    /// Pages of its own, unmapped when they are dropped.
    Pages(#[expect(dead_code, reason = "owns the memory")] MmapMut),
}

// SAFETY: an arena owns its block as a `Vec<f32>` does; the raw pointer it gives out is for unsafe code to share rightly.
unsafe impl Send for Arena {}
// SAFETY: as above: through `&Arena` safe code only reads.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena of `words` floats, all +0.
    ///
    /// # Errors
    /// [`ArenaError`] if the memory cannot be had.
    pub fn new(words: usize) -> Result<Self, ArenaError> {
        let layout = words
            .checked_add(2 * GUARD_WORDS)
            .and_then(|all| all.checked_mul(size_of::<f32>()))
            .ok_or(ArenaError { bytes: usize::MAX })
            .and_then(|bytes| Layout::from_size_align(bytes, ALIGNMENT).map_err(|_| ArenaError { bytes }))?;
        let (block, home) = if layout.size() >= OWN_PAGES {
            pages(layout.size())
                .map(|mut pages| (pages.as_mut_ptr(), Home::Pages(pages)))
                .ok_or(ArenaError { bytes: layout.size() })?
        } else {
            // SAFETY: the layout holds the guards, so its size is not zero.
            (unsafe { alloc_zeroed(layout) }, Home::Heap(layout))
        };
        let block = NonNull::new(block.cast::<f32>()).ok_or(ArenaError { bytes: layout.size() })?;
        let arena = Self { block, words, home };
        for guard in arena.guards() {
            // SAFETY: both guards lie in the block, and nobody else has seen it yet.
            unsafe {
                for index in 0..GUARD_WORDS {
                    guard.add(index).write(f32::from_bits(GUARD_BITS));
                }
            }
        }
        Ok(arena)
    }

    /// Number of floats.
    pub fn len(&self) -> usize {
        self.words
    }

    /// Whether there are no floats at all.
    pub fn is_empty(&self) -> bool {
        self.words == 0
    }

    /// The first float, aligned to [`ALIGNMENT`]. While generated code writes through it, no slice of this arena may live.
    pub fn as_ptr(&self) -> *mut f32 {
        // SAFETY: the first guard lies before the floats in the same block.
        unsafe { self.block.as_ptr().add(GUARD_WORDS) }
    }

    /// The floats of a range, or `None` if it leaves the arena.
    pub fn get(&self, range: Range<usize>) -> Option<&[f32]> {
        self.as_slice().get(range)
    }

    /// The floats of a range, to be written, or `None` if it leaves the arena.
    pub fn get_mut(&mut self, range: Range<usize>) -> Option<&mut [f32]> {
        self.as_mut_slice().get_mut(range)
    }

    /// All floats.
    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: `words` initialised floats lie there, and while a shared borrow lives no safe code writes them.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.words) }
    }

    /// All floats, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: `words` initialised floats lie there, and the borrow of the arena is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), self.words) }
    }

    /// Fills all floats with one bit pattern, so that a value read before it was written shows.
    pub fn poison(&mut self, bits: u32) {
        self.as_mut_slice().fill(f32::from_bits(bits));
    }

    /// Whether no guard word has changed since the arena was made.
    pub fn guards_intact(&self) -> bool {
        self.guards().into_iter().all(|guard| {
            // SAFETY: both guards lie in the block and are initialised.
            let words = unsafe { std::slice::from_raw_parts(guard, GUARD_WORDS) };
            words.iter().all(|word| word.to_bits() == GUARD_BITS)
        })
    }

    /// Where the two guards begin.
    fn guards(&self) -> [*mut f32; 2] {
        // SAFETY: the second guard follows the floats in the same block.
        [self.block.as_ptr(), unsafe { self.as_ptr().add(self.words) }]
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if let Home::Heap(layout) = self.home {
            // SAFETY: the block was allocated with this layout and is freed once.
            unsafe { dealloc(self.block.as_ptr().cast(), layout) }
        }
    }
}

/// Zeroed pages, huge ones if there is enough to fill them and the system gives them.
fn pages(bytes: usize) -> Option<MmapMut> {
    if bytes < 2 * HUGE_PAGE {
        return MmapOptions::new().len(bytes).map_anon().ok();
    }
    // Linux aligns a mapping to huge pages if its length is a number of them.
    let pages = MmapOptions::new().len(bytes.checked_next_multiple_of(HUGE_PAGE)?).map_anon().ok()?;
    // The last huge page would be mostly empty. A system without huge pages refuses, and small pages serve.
    #[cfg(target_os = "linux")]
    let _ = pages.advise_range(memmap2::Advice::HugePage, 0, bytes / HUGE_PAGE * HUGE_PAGE);
    Some(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arena_is_zeroed_and_aligned() -> Result<(), ArenaError> {
        for words in [0, 1, 15, 16, 1000, 1 << 20] {
            let arena = Arena::new(words)?;
            assert_eq!(arena.len(), words);
            assert_eq!(arena.as_ptr().align_offset(ALIGNMENT), 0);
            assert!(arena.as_slice().iter().all(|word| word.to_bits() == 0));
            assert!(arena.guards_intact());
        }
        Ok(())
    }

    #[test]
    fn a_write_beyond_either_end_is_seen() -> Result<(), ArenaError> {
        for offset in [-16, -1, 8, 23] {
            let arena = Arena::new(8)?;
            // SAFETY: the word lies in a guard, which is memory of the same block.
            unsafe { arena.as_ptr().offset(offset).write(0.0) };
            assert!(!arena.guards_intact(), "{offset}");
        }
        Ok(())
    }

    #[test]
    fn poison_fills_the_floats_and_leaves_the_guards() -> Result<(), ArenaError> {
        let mut arena = Arena::new(33)?;
        arena.poison(0x7FC0_1234);
        assert!(arena.as_slice().iter().all(|word| word.to_bits() == 0x7FC0_1234));
        assert!(arena.guards_intact());
        Ok(())
    }

    #[test]
    fn a_range_outside_is_refused() -> Result<(), ArenaError> {
        let mut arena = Arena::new(8)?;
        if let Some(words) = arena.get_mut(2..4) {
            words.fill(1.0);
        }
        assert_eq!(arena.get(1..5), Some(&[0.0, 1.0, 1.0, 0.0][..]));
        assert_eq!(arena.get(4..9), None);
        assert_eq!(arena.get_mut(9..9), None);
        Ok(())
    }

    #[test]
    fn what_cannot_be_had_is_an_error_with_its_size() {
        // The optimiser may drop an allocation that nobody looks at, with its failure.
        let attempt = |words| Arena::new(words).map(|arena| std::hint::black_box(arena).len());
        let words = isize::MAX as usize / 8;
        let bytes = (words + 2 * GUARD_WORDS) * 4;
        assert_eq!(attempt(words), Err(ArenaError { bytes }));
        assert_eq!(attempt(usize::MAX), Err(ArenaError { bytes: usize::MAX }));
    }
}
