//! Memory that a run leaves to the next: pages that the system has given stay given, places stay worked out and proved.
//!
//! A run takes a workspace that has room for it and puts it back; if there is none, the others are given back to the system and one is made
//! that has room for what they served too. Temporaries of different units share their words, so that such a workspace is as large as its
//! largest unit, and what no run has touched since takes no memory. As many are kept as ran at once. A run that fails on its way puts nothing
//! back.

use crate::memory::Arena;
use crate::workspace::Workspace;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The name of a unit and the most rows that it runs with.
pub type UnitRows = (&'static str, usize);

/// What a workspace has room for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Room {
    /// Each unit once.
    pub units: Vec<UnitRows>,
    /// Threads at most.
    pub threads: usize,
}

impl Room {
    /// Whether these units can run on so many threads.
    pub fn holds(&self, units: &[UnitRows], threads: usize) -> bool {
        let is_held = |(name, rows): &UnitRows| self.units.iter().any(|(known, most)| known == name && rows <= most);
        threads <= self.threads && units.iter().all(is_held)
    }

    /// Room for these units as well.
    #[must_use]
    pub fn and(mut self, units: &[UnitRows], threads: usize) -> Room {
        for (name, rows) in units {
            match self.units.iter_mut().find(|(known, _)| known == name) {
                Some((_, most)) => *most = (*most).max(*rows),
                None => self.units.push((name, *rows)),
            }
        }
        self.threads = self.threads.max(threads);
        self
    }
}

/// What the runs of one model have left. It leads into the model's store: whoever replaces that clears this.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<Left>);

#[derive(Debug, Default)]
struct Left {
    workspaces: Vec<Workspace>,
    /// Room for a copy of each tensor that a snapshot holds, in their order.
    copies: Vec<Arena>,
}

impl Spare {
    /// A workspace for these units, as its last run left it.
    ///
    /// # Errors
    /// The room that a new one is to have; what was left has been given back.
    pub fn workspace(&self, units: &[UnitRows], threads: usize) -> Result<Workspace, Room> {
        let mut left = self.left();
        match left.workspaces.iter().position(|workspace| workspace.room().holds(units, threads)) {
            Some(place) => Ok(left.workspaces.swap_remove(place)),
            None => {
                let all = std::mem::take(&mut *left);
                drop(left);
                let room = |room: Room, other: &Workspace| room.and(&other.room().units, other.room().threads);
                Err(all.workspaces.iter().fold(Room::default(), room).and(units, threads))
            }
        }
    }

    /// Room for copies, if a run has left any.
    pub fn copies(&self) -> Vec<Arena> {
        std::mem::take(&mut self.left().copies)
    }

    /// Takes a workspace back.
    pub fn put(&self, workspace: Workspace) {
        debug_assert!(workspace.guards_intact(), "generated code wrote outside of a run's memory");
        self.left().workspaces.push(workspace);
    }

    /// Takes the room for copies back.
    pub fn put_copies(&self, copies: Vec<Arena>) {
        self.left().copies = copies;
    }

    /// Gives everything back to the system.
    pub fn clear(&self) {
        drop(std::mem::take(&mut *self.left()));
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_two_runs_holds_either_and_smaller_ones() {
        let room = Room::default().and(&[("train", 32), ("evaluate", 256)], 2).and(&[("train", 16), ("predict", 256)], 1);
        assert_eq!(room, Room { units: vec![("train", 32), ("evaluate", 256), ("predict", 256)], threads: 2 });
        assert!(room.holds(&[("train", 16), ("predict", 256)], 1) && room.holds(&[], 2));
        assert!(!room.holds(&[("train", 48)], 1) && !room.holds(&[("initialize", 1)], 1) && !room.holds(&[("train", 32)], 3));
    }
}
