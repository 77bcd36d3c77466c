//! Finding equal things in a list that grows: by hashes, with the list itself as the keys, so that nothing is kept twice.

use rustc_hash::{FxBuildHasher, FxHasher};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

/// For a list beside it, the places of each hash.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    /// The newest place of each hash.
    newest: HashMap<u64, u32, FxBuildHasher>,
    /// For each place the next older one of its hash.
    older: Vec<Option<u32>>,
}

impl Chains {
    /// Makes room for so many more.
    pub fn reserve(&mut self, count: usize) {
        self.newest.reserve(count);
        self.older.reserve(count);
    }
    /// The list has grown by something with this hash.
    pub fn add(&mut self, hash: u64) {
        let place = self.older.len() as u32;
        self.older.push(self.newest.insert(hash, place));
    }
    /// The newest place of this hash at which the list holds what is looked for.
    pub fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let mut next = self.newest.get(&hash).copied();
        while let Some(place) = next {
            if is_it(place as usize) {
                return Some(place as usize);
            }
            next = self.older[place as usize];
        }
        None
    }
}

/// The hash of a thing.
pub fn hash_of(thing: impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    thing.hash(&mut hasher);
    hasher.finish()
}
