//! Where the threads of a team wait for each other between kernels: wherever, and only where, they could meet in a buffer.
//!
//! Kernels without a parallel loop run on the first thread, in order; all others on every thread, which gets the same tiles of each that
//! is cut alike. Temporaries that share memory add no barrier: the plan gives a place to another value only behind one, or tile by tile.

use super::{Usage, Use, Uses};
use crate::loops::{BufferId, Space};

/// For each kernel, whether a barrier stands before it.
pub(super) fn barriers(usage: &Usage) -> Vec<bool> {
    let space = |buffer: BufferId| usage.program.buffers[buffer.0 as usize].space;
    // What kernels on one thread and kernels on all threads have touched since the last barrier.
    let (mut serial, mut shared) = (Met::default(), Met::default());
    let mut updates = false;
    let before = |position: usize| {
        // Every thread has scratch of its own.
        let own = usage.uses[position].iter().filter(|(buffer, _)| space(**buffer) != Space::Scratch);
        let is_serial = usage.is_serial(position);
        // The loss is looked at before the first update.
        let begins = !updates && own.clone().any(|(buffer, one)| one.writes && space(*buffer).is_kept());
        updates |= begins;
        let stands = begins || shared.conflicts(own.clone()) || (!is_serial && serial.conflicts(own.clone()));
        if stands {
            (serial, shared) = (Met::default(), Met::default());
        }
        if is_serial { &mut serial } else { &mut shared }.extend(own);
        stands
    };
    (0..usage.kernels.len()).map(before).collect()
}

/// How several kernels used their buffers.
#[derive(Default)]
struct Met(Uses);

impl Met {
    /// Whether threads could meet: one of them writes what another touches.
    fn conflicts<'u>(&self, mut uses: impl Iterator<Item = (&'u BufferId, &'u Use)>) -> bool {
        uses.any(|(buffer, own)| {
            let earlier = self.0.get(buffer);
            earlier.is_some_and(|earlier| (earlier.writes || own.writes) && !(own.share.is_some() && own.share == earlier.share))
        })
    }

    fn extend<'u>(&mut self, uses: impl Iterator<Item = (&'u BufferId, &'u Use)>) {
        for (buffer, own) in uses {
            let all = self.0.entry(*buffer).or_insert(*own);
            all.writes |= own.writes;
            all.share = all.share.filter(|share| Some(*share) == own.share);
        }
    }
}
