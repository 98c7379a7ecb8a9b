//! The body of `/_tidewall/status`.

use serde::Serialize;

use crate::balance::health::State;
use crate::control::entry::{Key, Mark, Scope, Severity};
use crate::counters::Counters;

/// The edge's state as this isolate sees it.
#[derive(Clone, Debug, Serialize)]
pub struct Status<'a> {
    /// Position in the control log; zero before its first entry.
    pub seq: u64,
    /// The origins in the order of the configuration.
    pub origins: Vec<OriginStatus<'a>>,
    /// What the cache has done.
    pub cache: &'a Counters,
    /// Bytes of stored responses in this isolate's memory.
    pub memory_bytes: usize,
    /// The newest entries of the control log, the last one first; none of single URIs.
    pub invalidations: Vec<Invalidation>,
}

/// What is out of date since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invalidation {
    /// Its position, which is a time in milliseconds as well.
    pub seq: u64,
    /// Which responses: `group`, `path`, …
    pub scope: &'static str,
    /// Of which name.
    pub name: String,
    /// They may still be used as stale ones may.
    pub soft: bool,
}

impl Invalidation {
    /// As an entry of the log says it.
    pub fn new(key: &Key, mark: Mark) -> Self {
        let name = match &key.scope {
            Scope::All => String::new(),
            Scope::Uris(bucket) => bucket.to_string(),
            Scope::Group(name) | Scope::Uri(name) | Scope::Path(name) | Scope::Prefix(name) => name.clone(),
        };
        Self { seq: mark.seq, scope: key.scope.as_str(), name, soft: key.severity == Severity::Soft }
    }
}

/// One origin.
#[derive(Clone, Debug, Serialize)]
pub struct OriginStatus<'a> {
    /// Its name.
    pub id: &'a str,
    /// Where it is.
    pub url: &'a str,
    /// Whether it gets requests.
    pub state: State,
    /// Requests that wait for its answer.
    pub in_flight: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::level::Level;
    use crate::cache::status::Forward;
    use crate::cache::storable::Unstored;

    #[test]
    fn the_status_has_the_contracts_form() {
        let mut cache = Counters::default();
        cache.hit(Level::Memory);
        cache.hit(Level::Memory);
        cache.hit(Level::Kv);
        cache.miss(Forward::UriMiss);
        cache.stored();
        cache.rejected(Unstored::Private);
        cache.rejected(Unstored::Private);
        let origins = vec![OriginStatus { id: "a", url: "http://a", state: State::Up, in_flight: 2 }];
        let key = Key { scope: Scope::Group("products".to_owned()), severity: Severity::Hard };
        let invalidations = vec![Invalidation::new(&key, Mark { seq: 7, lsn: None })];
        let status = Status { seq: 7, origins, cache: &cache, memory_bytes: 512, invalidations };
        let status = serde_json::to_value(status).unwrap();
        let expected = serde_json::json!({
            "seq": 7,
            "memory_bytes": 512,
            "invalidations": [{ "seq": 7, "scope": "group", "name": "products", "soft": false }],
            "origins": [{ "id": "a", "url": "http://a", "state": "up", "in_flight": 2 }],
            "cache": {
                "hits": 3,
                "misses": 1,
                "missed": { "uri-miss": 1 },
                "stored": 1,
                "rejected": { "private": 2 },
                "levels": { "memory": 2, "cache_api": 0, "kv": 1 },
            },
        });
        assert_eq!(status, expected);
    }
}
