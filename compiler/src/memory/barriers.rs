//! Where the threads of a team wait for each other between kernels: wherever, and only where, they could meet in a buffer.
//!
//! Kernels without a parallel loop run on the first thread, in order; all others on every thread. Temporaries that share memory add no
//! barrier: the plan gives a place to another value only behind one.

use super::Touched;
use crate::loops::{Program, Space};

/// For each kernel, whether a barrier stands before it.
pub(super) fn barriers(program: &Program, kernels: &[u32], touched: &[Touched]) -> Vec<bool> {
    let space = |buffer: &crate::loops::BufferId| program.buffers[buffer.0 as usize].space;
    // Every thread has scratch of its own.
    let shared_among_threads = |touched: &Touched| Touched {
        reads: touched.reads.iter().filter(|buffer| space(buffer) != Space::Scratch).copied().collect(),
        writes: touched.writes.iter().filter(|buffer| space(buffer) != Space::Scratch).copied().collect(),
    };
    let is_kept = |buffer: &crate::loops::BufferId| matches!(space(buffer), Space::Parameter(_) | Space::State(_));
    // What kernels on one thread and kernels on all threads have touched since the last barrier.
    let (mut serial, mut shared) = (Touched::default(), Touched::default());
    let mut updates = false;
    let mut before = |(kernel, touched): (&u32, &Touched)| {
        let own = shared_among_threads(touched);
        let is_serial = program.kernels[*kernel as usize].parallel.is_none();
        // The loss is looked at before the first update.
        let begins = !updates && own.writes.iter().any(is_kept);
        updates |= begins;
        let stands = begins || own.conflicts(&shared) || (!is_serial && own.conflicts(&serial));
        if stands {
            (serial, shared) = (Touched::default(), Touched::default());
        }
        if is_serial { &mut serial } else { &mut shared }.extend(own);
        stands
    };
    kernels.iter().zip(touched).map(&mut before).collect()
}

impl Touched {
    /// Whether one of the two writes what the other touches.
    fn conflicts(&self, earlier: &Touched) -> bool {
        let meet = |a: &std::collections::BTreeSet<_>, b: &std::collections::BTreeSet<_>| !a.is_disjoint(b);
        meet(&self.reads, &earlier.writes) || meet(&self.writes, &earlier.writes) || meet(&self.writes, &earlier.reads)
    }

    fn extend(&mut self, other: Touched) {
        self.reads.extend(other.reads);
        self.writes.extend(other.writes);
    }
}
