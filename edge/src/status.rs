//! The body of `/_tidewall/status`.

use serde::Serialize;

use crate::balance::health::State;
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
    use crate::cache::storable::Unstored;

    #[test]
    fn the_status_has_the_contracts_form() {
        let mut cache = Counters::default();
        cache.hit(Level::Memory);
        cache.hit(Level::Memory);
        cache.hit(Level::Kv);
        cache.miss();
        cache.stored();
        cache.rejected(Unstored::Private);
        cache.rejected(Unstored::Private);
        let origins = vec![OriginStatus { id: "a", url: "http://a", state: State::Up, in_flight: 2 }];
        let status = serde_json::to_value(Status { seq: 0, origins, cache: &cache }).unwrap();
        let expected = serde_json::json!({
            "seq": 0,
            "origins": [{ "id": "a", "url": "http://a", "state": "up", "in_flight": 2 }],
            "cache": {
                "hits": 3,
                "misses": 1,
                "stored": 1,
                "rejected": { "private": 2 },
                "levels": { "memory": 2, "cache_api": 0, "kv": 1 },
            },
        });
        assert_eq!(status, expected);
    }
}
