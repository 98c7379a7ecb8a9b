//! What an isolate keeps in its memory: the most recently used, within bounds.
//!
//! Bytes are what the caller says they are, for what is kept lies partly with
//! JavaScript, whose size nothing here could measure.

use std::num::NonZeroUsize;

use lru::LruCache;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of all entries together.
    pub bytes_max: usize,
    /// Of one: a larger one would push out too many that are asked for more often.
    pub entry_bytes_max: usize,
    /// Entries, which cost something beside their bytes.
    pub entries_max: NonZeroUsize,
}

/// Entries by their keys. Whoever would be too many pushes out those whose last use
/// is the longest ago.
#[derive(Debug)]
pub struct Memory<V> {
    bounds: Bounds,
    entries: LruCache<String, Weighed<V>>,
    bytes: usize,
}

#[derive(Debug)]
struct Weighed<V> {
    value: V,
    bytes: usize,
}

impl<V> Memory<V> {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Self {
        // The bound on entries is not left to the map, which would reserve room for all.
        Self { bounds, entries: LruCache::unbounded(), bytes: 0 }
    }

    /// What lies under `key`; that is a use of it.
    pub fn get(&mut self, key: &str) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// What lies under `key`, looked at without using it.
    pub fn peek(&self, key: &str) -> Option<&V> {
        self.entries.peek(key).map(|entry| &entry.value)
    }

    /// Puts `value`, which takes `bytes`, in the place of what lies under `key`. One
    /// that is too large isn't kept, and what it supersedes isn't either.
    pub fn put(&mut self, key: &str, value: V, bytes: usize) {
        self.remove(key);
        if bytes > self.bounds.entry_bytes_max.min(self.bounds.bytes_max) {
            return;
        }
        while self.bytes > self.bounds.bytes_max - bytes || self.len() >= self.bounds.entries_max.get() {
            let Some((_, evicted)) = self.entries.pop_lru() else { break };
            self.bytes -= evicted.bytes;
        }
        self.bytes += bytes;
        self.entries.put(key.to_owned(), Weighed { value, bytes });
    }

    /// Forgets what lies under `key`.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        let removed = self.entries.pop(key)?;
        self.bytes -= removed.bytes;
        Some(removed.value)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all entries.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds =
        Bounds { bytes_max: 20, entry_bytes_max: 8, entries_max: NonZeroUsize::new(4).unwrap() };

    /// The same without cleverness: the least recently used is the first.
    #[derive(Default)]
    struct Model(Vec<(String, u32, usize)>);

    impl Model {
        fn bytes(&self) -> usize {
            self.0.iter().map(|(_, _, bytes)| bytes).sum()
        }

        fn position(&self, key: &str) -> Option<usize> {
            self.0.iter().position(|(other, ..)| other == key)
        }

        fn get(&mut self, key: &str) -> Option<u32> {
            let entry = self.0.remove(self.position(key)?);
            self.0.push(entry.clone());
            Some(entry.1)
        }

        fn remove(&mut self, key: &str) -> Option<u32> {
            Some(self.0.remove(self.position(key)?).1)
        }

        fn put(&mut self, key: &str, value: u32, bytes: usize) {
            self.remove(key);
            if bytes > BOUNDS.entry_bytes_max {
                return;
            }
            self.0.push((key.to_owned(), value, bytes));
            while self.bytes() > BOUNDS.bytes_max || self.0.len() > BOUNDS.entries_max.get() {
                self.0.remove(0);
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Get(String),
        Peek(String),
        Put(String, u32, usize),
        Remove(String),
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = || "[a-g]";
        prop_oneof![
            2 => key().prop_map(Step::Get),
            1 => key().prop_map(Step::Peek),
            4 => (key(), any::<u32>(), 0..12_usize).prop_map(|(key, value, bytes)| Step::Put(key, value, bytes)),
            1 => key().prop_map(Step::Remove),
        ]
    }

    proptest! {
        #[test]
        fn it_keeps_what_the_model_keeps_and_stays_within_its_bounds(
            steps in prop::collection::vec(step(), 0..64),
        ) {
            let (mut memory, mut model) = (Memory::new(BOUNDS), Model::default());
            for step in steps {
                match &step {
                    Step::Get(key) => prop_assert_eq!(memory.get(key).copied(), model.get(key)),
                    Step::Peek(key) => {
                        let there = model.position(key).map(|position| model.0[position].1);
                        prop_assert_eq!(memory.peek(key).copied(), there);
                    }
                    Step::Put(key, value, bytes) => {
                        memory.put(key, *value, *bytes);
                        model.put(key, *value, *bytes);
                    }
                    Step::Remove(key) => prop_assert_eq!(memory.remove(key), model.remove(key)),
                }
                prop_assert_eq!(memory.bytes(), model.bytes());
                prop_assert_eq!(memory.len(), model.0.len());
                prop_assert!(memory.bytes() <= BOUNDS.bytes_max && memory.len() <= BOUNDS.entries_max.get());
                prop_assert_eq!(memory.is_empty(), model.0.is_empty());
                for (key, value, _) in &model.0 {
                    prop_assert_eq!(memory.peek(key), Some(value));
                }
            }
        }
    }

    #[test]
    fn what_was_used_last_stays_the_longest() {
        let mut memory = Memory::new(BOUNDS);
        for key in ["a", "b", "c", "d"] {
            memory.put(key, (), 1);
        }
        memory.get("a");
        memory.peek("b");
        memory.put("e", (), 1);
        let left: Vec<_> =
            ["a", "b", "c", "d", "e"].into_iter().filter(|key| memory.peek(key).is_some()).collect();
        assert_eq!(left, ["a", "c", "d", "e"]);
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_neither_is_what_it_supersedes() {
        let mut memory = Memory::new(BOUNDS);
        memory.put("a", 1, 8);
        memory.put("b", 2, 1);
        memory.put("a", 3, 9);
        assert_eq!((memory.peek("a"), memory.peek("b"), memory.bytes()), (None, Some(&2), 1));
    }
}
