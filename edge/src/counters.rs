//! What this isolate's cache has done since the isolate started.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cache::level::Level;
use crate::cache::status::Forward;
use crate::cache::storable::Unstored;

/// Counts, as the status shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    hits: u64,
    misses: u64,
    /// The same by why each was forwarded: `fwd`, and its `detail` where it has one.
    missed: BTreeMap<&'static str, u64>,
    stored: u64,
    rejected: BTreeMap<&'static str, u64>,
    levels: Levels,
}

/// Hits by the level that had the copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Levels {
    memory: u64,
    cache_api: u64,
    kv: u64,
}

impl Counters {
    /// A request was answered from this level of the store.
    pub fn hit(&mut self, level: Level) {
        self.hits += 1;
        *match level {
            Level::Memory => &mut self.levels.memory,
            Level::CacheApi => &mut self.levels.cache_api,
            Level::Kv => &mut self.levels.kv,
        } += 1;
    }

    /// A request was looked up, and forwarded.
    pub fn miss(&mut self, why: Forward) {
        self.misses += 1;
        *self.missed.entry(why.detail().unwrap_or(why.as_str())).or_default() += 1;
    }

    /// A response was stored.
    pub fn stored(&mut self) {
        self.stored += 1;
    }

    /// A response was not stored, for this reason.
    pub fn rejected(&mut self, reason: Unstored) {
        *self.rejected.entry(reason.as_str()).or_default() += 1;
    }
}
