//! Directives of a request: `Cache-Control` (RFC 9111, section 5.2.1), and
//! `stale-if-error` of RFC 5861, section 4. `Pragma` is not one of them: section 5.4
//! has done away with it.

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

/// Whether clients' directives are obeyed. They are advice, which a cache may leave
/// alone (RFC 9111, section 5.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCacheControl {
    /// All are.
    #[default]
    Obey,
    /// Only those that spare the origins a request are: `only-if-cached`, `max-stale`
    /// and `stale-if-error`. With the others anyone could send the origins as many as
    /// there are requests.
    Ignore,
}

impl RequestDirectives {
    /// What a request is granted of what it says.
    pub fn of(request: &Fields, clients: ClientCacheControl) -> Self {
        let asked = Self::read(request);
        match clients {
            ClientCacheControl::Obey => asked,
            ClientCacheControl::Ignore => asked.without_demands(),
        }
    }

    fn without_demands(self) -> Self {
        // `max-stale` beside a limit doesn't mean what it means alone.
        let has_limits = self.no_cache || self.max_age.is_some() || self.min_fresh.is_some();
        Self {
            only_if_cached: self.only_if_cached,
            max_stale: self.max_stale.filter(|_| !has_limits),
            stale_if_error: self.stale_if_error,
            ..Self::default()
        }
    }

    /// Reads a request's directives; of two of one name, the first counts.
    fn read(request: &Fields) -> Self {
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
        check_of(ClientCacheControl::Obey, value, expected);
    }

    fn check_of(clients: ClientCacheControl, value: &str, expected: RequestDirectives) {
        let mut request = Fields::default();
        request.set(CACHE_CONTROL, value);
        assert_eq!(RequestDirectives::of(&request, clients), expected, "{value}");
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
        // Of content codings, not of caches; section 5.2.1.6.
        check("no-transform", none);
    }

    #[test]
    fn pragma_says_nothing() {
        let request = Fields::from_lines("pragma\nno-cache");
        assert_eq!(RequestDirectives::of(&request, ClientCacheControl::Obey), RequestDirectives::default());
    }

    #[test]
    fn where_clients_are_ignored_only_what_spares_an_origin_is_left() {
        let check = |value: &str, expected| check_of(ClientCacheControl::Ignore, value, expected);
        let (none, second) = (RequestDirectives::default(), Duration::from_secs(1));
        for demand in ["no-cache", "no-store", "max-age=0", "max-age=60", "min-fresh=60", "max-age=x"] {
            check(demand, none);
        }
        check("only-if-cached, no-cache", RequestDirectives { only_if_cached: true, ..none });
        check("stale-if-error=1, max-age=0", RequestDirectives { stale_if_error: Some(second), ..none });
        check("max-stale=1, no-store", RequestDirectives { max_stale: Some(second), ..none });
        for limit in ["no-cache", "max-age=60", "min-fresh=1"] {
            check(&format!("max-stale=1, {limit}"), none);
        }
    }

    proptest! {
        #[test]
        fn no_value_whatever_makes_reading_panic(bytes: Vec<u8>) {
            let mut request = Fields::default();
            request.set(CACHE_CONTROL, String::from_utf8_lossy(&bytes));
            RequestDirectives::read(&request);
        }

        #[test]
        fn what_is_read_is_within_its_bounds(
            value in "(no-cache|max-age|min-fresh|max-stale|stale-if-error|=|,|\"|\\\\| |-|[0-9]{1,22}){0,14}",
        ) {
            let mut request = Fields::default();
            request.set(CACHE_CONTROL, value);
            let asked = RequestDirectives::read(&request);
            let longest = Duration::from_secs(1 << 31);
            let limits = [asked.max_age, asked.min_fresh, asked.stale_if_error];
            prop_assert!(limits.into_iter().flatten().all(|limit| limit <= longest));
            prop_assert!(asked.max_stale.is_none_or(|window| window <= longest || window == Duration::MAX));
            // Whoever is ignored makes the origins no work.
            let granted = RequestDirectives::of(&request, ClientCacheControl::Ignore);
            prop_assert!(!granted.no_cache && !granted.no_store && granted.max_age.is_none());
        }
    }
}
