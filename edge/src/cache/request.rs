//! Directives of a request: `Cache-Control` (RFC 9111, section 5.2.1), and
//! `stale-if-error` of RFC 5861, section 4.

use std::time::Duration;

use tidewall_api::headers::CACHE_CONTROL;

use crate::cache::directives::{delta_seconds, named, seconds};
use crate::fields::Fields;

/// What a client wants of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// No stored response without validation; section 5.2.1.4.
    pub no_cache: bool,
    /// Nothing of this exchange may be stored; section 5.2.1.5.
    pub no_store: bool,
    /// A stored response or none; section 5.2.1.7.
    pub only_if_cached: bool,
    /// Greatest age; section 5.2.1.1. One that can't be read is zero.
    pub max_age: Option<Duration>,
    /// Least time to stay fresh; section 5.2.1.3.
    pub min_fresh: Option<Duration>,
    /// Longest time past the freshness lifetime; section 5.2.1.2. Without an
    /// argument any; with one that can't be read none.
    pub max_stale: Option<Duration>,
    /// Longest time past the freshness lifetime instead of an error.
    pub stale_if_error: Option<Duration>,
}

impl RequestDirectives {
    /// Reads a request's directives; of two of one name, the first counts.
    pub fn of(request: &Fields) -> Self {
        let mut asked = Self::default();
        for (name, argument) in named(request.get(CACHE_CONTROL).unwrap_or_default()) {
            match name.as_str() {
                "no-cache" => asked.no_cache = true,
                "no-store" => asked.no_store = true,
                "only-if-cached" => asked.only_if_cached = true,
                "max-age" => asked.max_age = asked.max_age.or(Some(delta_seconds(argument))),
                // What can't be read asks for nothing: it would else be none at all.
                "min-fresh" => asked.min_fresh = asked.min_fresh.or(argument.and_then(seconds)),
                "max-stale" => {
                    let window = argument.map_or(Duration::MAX, |_| delta_seconds(argument));
                    asked.max_stale = asked.max_stale.or(Some(window));
                }
                "stale-if-error" => {
                    asked.stale_if_error = asked.stale_if_error.or(Some(delta_seconds(argument)));
                }
                _ => {}
            }
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(value: &str, expected: RequestDirectives) {
        let mut request = Fields::default();
        request.set(CACHE_CONTROL, value);
        assert_eq!(RequestDirectives::of(&request), expected, "{value}");
    }

    #[test]
    fn a_request_says_what_it_wants() {
        let (none, second) = (RequestDirectives::default(), Duration::from_secs(1));
        check("", none);
        check("No-Cache", RequestDirectives { no_cache: true, ..none });
        check("no-store", RequestDirectives { no_store: true, ..none });
        check("only-if-cached", RequestDirectives { only_if_cached: true, ..none });
        check("max-age=0", RequestDirectives { max_age: Some(Duration::ZERO), ..none });
        check("max-age=\"1\", max-age=2", RequestDirectives { max_age: Some(second), ..none });
        check("max-age=x", RequestDirectives { max_age: Some(Duration::ZERO), ..none });
        check("min-fresh=1", RequestDirectives { min_fresh: Some(second), ..none });
        check("min-fresh", none);
        check("max-stale", RequestDirectives { max_stale: Some(Duration::MAX), ..none });
        check("max-stale=1", RequestDirectives { max_stale: Some(second), ..none });
        check("max-stale=x", RequestDirectives { max_stale: Some(Duration::ZERO), ..none });
        check("stale-if-error=1", RequestDirectives { stale_if_error: Some(second), ..none });
        check("x=\"no-cache, no-store\"", none);
    }

    proptest! {
        #[test]
        fn no_value_whatever_makes_reading_panic(bytes: Vec<u8>) {
            let mut request = Fields::default();
            request.set(CACHE_CONTROL, String::from_utf8_lossy(&bytes));
            RequestDirectives::of(&request);
        }
    }
}
