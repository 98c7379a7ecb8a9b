//! Which keys were removed lately. A write to a slow store that was under way when
//! its key was removed would bring back what was removed; it asks here, and takes
//! itself back.

use std::num::NonZeroUsize;

use lru::LruCache;

/// Keys that are remembered: more than an isolate removes while one write is under way.
const KEYS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// A point between two removals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

impl Mark {
    /// For JavaScript to keep: exact up to 2^53 removals.
    pub fn to_f64(self) -> f64 {
        self.0 as f64
    }

    /// As it was kept.
    pub fn from_f64(mark: f64) -> Self {
        Self(mark as u64)
    }
}

/// The last removals of an isolate.
#[derive(Debug)]
pub struct Removals {
    count: u64,
    last: LruCache<String, u64>,
}

impl Default for Removals {
    fn default() -> Self {
        // The bound is kept in `note`: the map would reserve room for all keys.
        Self { count: 0, last: LruCache::unbounded() }
    }
}

impl Removals {
    /// The point after all that were noted.
    pub fn mark(&self) -> Mark {
        Mark(self.count)
    }

    /// `key` is removed.
    pub fn note(&mut self, key: &str) {
        self.count += 1;
        self.last.put(key.to_owned(), self.count);
        while self.last.len() > KEYS_MAX.get() {
            self.last.pop_lru();
        }
    }

    /// Whether `key` was removed after `mark`.
    pub fn is_removed_since(&self, key: &str, mark: Mark) -> bool {
        self.last.peek(key).is_some_and(|removed| *removed > mark.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_is_seen_by_those_who_began_before_it() {
        let mut removals = Removals::default();
        let before = removals.mark();
        removals.note("a");
        let after = removals.mark();
        assert!(removals.is_removed_since("a", before));
        assert!(!removals.is_removed_since("a", after));
        assert!(!removals.is_removed_since("b", before));
        removals.note("a");
        assert!(removals.is_removed_since("a", after));
    }

    #[test]
    fn only_the_last_are_remembered() {
        let mut removals = Removals::default();
        let before = removals.mark();
        for key in 0..=KEYS_MAX.get() {
            removals.note(&key.to_string());
        }
        assert_eq!(removals.last.len(), KEYS_MAX.get());
        assert!(!removals.is_removed_since("0", before));
        assert!(removals.is_removed_since("1", before));
    }
}
