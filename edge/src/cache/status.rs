//! `Cache-Status` (RFC 9211): what this cache did with a request, and why.

use std::fmt;
use std::time::Duration;

use sfv::{List, Parser};
use tidewall_api::headers::CACHE_STATUS;

use crate::cache::storable::Unstored;
use crate::fields::Fields;

/// Why a request was forwarded: the `fwd` parameter; RFC 9211, section 2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The cache isn't used for such requests.
    Bypass,
    /// The method's semantics require it.
    Method,
    /// Nothing was stored for the URI.
    UriMiss,
    /// What was stored is stale.
    Stale,
    /// What was stored is fresh, but not for this request.
    Request,
}

impl Forward {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::Stale => "stale",
            Self::Request => "request",
        }
    }
}

/// This cache's member of the field. `hit` and `fwd` exclude each other, and
/// `stored` goes with `fwd` only: what the RFC forbids can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// Answered from the store.
    Hit {
        /// Time for which the response stays fresh.
        ttl: Duration,
    },
    /// Forwarded, and the answer could be stored.
    Stored(Forward),
    /// Forwarded, and the answer could not be stored.
    Unstored(Forward, Unstored),
    /// Forwarded without a thought of storing.
    Forwarded(Forward),
}

impl CacheStatus {
    /// Adds this cache to what the caches before it said. What they said is
    /// dropped where it isn't a valid list, for then nobody could read ours.
    pub fn append_to(self, response: &mut Fields) {
        let upstream = response.get(CACHE_STATUS).unwrap_or_default();
        if Parser::new(upstream).parse::<List>().is_err() {
            response.remove(CACHE_STATUS);
        }
        response.append(CACHE_STATUS, &self.to_string());
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tidewall; ")?;
        match self {
            Self::Hit { ttl } => write!(f, "hit; ttl={}", ttl.as_secs()),
            Self::Stored(why) => write!(f, "fwd={}; stored", why.as_str()),
            Self::Unstored(why, reason) => write!(f, "fwd={}; detail={}", why.as_str(), reason.as_str()),
            Self::Forwarded(why) => write!(f, "fwd={}", why.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_as_a_valid_member() {
        let check = |status: CacheStatus, expected: &str| {
            assert_eq!(status.to_string(), expected);
            assert!(Parser::new(expected).parse::<List>().is_ok(), "{expected}");
        };
        check(CacheStatus::Hit { ttl: Duration::from_millis(59_900) }, "tidewall; hit; ttl=59");
        check(CacheStatus::Stored(Forward::UriMiss), "tidewall; fwd=uri-miss; stored");
        check(CacheStatus::Stored(Forward::Stale), "tidewall; fwd=stale; stored");
        check(
            CacheStatus::Unstored(Forward::UriMiss, Unstored::Private),
            "tidewall; fwd=uri-miss; detail=private",
        );
        check(CacheStatus::Forwarded(Forward::Method), "tidewall; fwd=method");
        check(CacheStatus::Forwarded(Forward::Bypass), "tidewall; fwd=bypass");
    }

    #[test]
    fn what_upstream_said_comes_first_unless_it_is_broken() {
        let check = |upstream: &str, expected: &str| {
            let mut response = Fields::default();
            response.set(CACHE_STATUS, upstream);
            CacheStatus::Stored(Forward::UriMiss).append_to(&mut response);
            assert_eq!(response.get(CACHE_STATUS), Some(expected));
        };
        check("Origin; hit; ttl=5", "Origin; hit; ttl=5, tidewall; fwd=uri-miss; stored");
        check("", "tidewall; fwd=uri-miss; stored");
        check("Origin; hit; ttl=", "tidewall; fwd=uri-miss; stored");
    }
}
