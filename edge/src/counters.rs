//! What this isolate's cache has done since the isolate started.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cache::storable::Unstored;

/// Counts, as the status shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    hits: u64,
    misses: u64,
    stored: u64,
    rejected: BTreeMap<&'static str, u64>,
}

impl Counters {
    /// A request was answered from the store.
    pub fn hit(&mut self) {
        self.hits += 1;
    }

    /// A request was looked up, and forwarded.
    pub fn miss(&mut self) {
        self.misses += 1;
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
