//! `Cache-Status` (RFC 9211): what this cache did with a request, and why.

use std::fmt;

use sfv::{List, Parser};
use tidewall_api::headers::CACHE_STATUS;

use crate::cache::storable::Unstored;
use crate::cache::usable::{Basis, Usable};
use crate::control::servable::Fenced;
use crate::fields::Fields;

/// Why a request was forwarded: the `fwd` parameter; RFC 9211, section 2.2. Some
/// share one value, and are told apart by `detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The cache isn't used for such requests.
    Bypass,
    /// The method's semantics require it.
    Method,
    /// Nothing was stored for the URI.
    UriMiss,
    /// Other variants were stored for the URI.
    VaryMiss,
    /// What was stored is stale.
    Stale,
    /// What was stored may not be used without asking.
    NoCache,
    /// What was stored may not be used for a private request.
    Private,
    /// What was stored may not be used as far as the control log is concerned.
    Fenced(Fenced),
    /// The client wants nothing stored without asking.
    RequestNoCache,
    /// The client wants something younger than what was stored.
    RequestMaxAge,
    /// The client wants something that stays fresh for longer.
    RequestMinFresh,
}

impl Forward {
    /// The value of `fwd`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Fenced(Fenced::BehindBookmark) => "request",
            Self::Stale | Self::NoCache | Self::Fenced(_) => "stale",
            Self::Private | Self::RequestNoCache | Self::RequestMaxAge | Self::RequestMinFresh => "request",
        }
    }

    /// Whether it would be no different with another copy of the same response.
    pub fn is_of_every_copy(self) -> bool {
        matches!(self, Self::NoCache | Self::RequestNoCache | Self::Private | Self::Fenced(Fenced::NoView))
    }

    /// What `fwd` leaves open.
    pub fn detail(self) -> Option<&'static str> {
        match self {
            Self::Bypass | Self::Method | Self::UriMiss | Self::VaryMiss | Self::Stale => None,
            Self::NoCache => Some("no-cache"),
            Self::Fenced(fenced) => Some(fenced.as_str()),
            Self::Private => Some("private-request"),
            Self::RequestNoCache => Some("request-no-cache"),
            Self::RequestMaxAge => Some("request-max-age"),
            Self::RequestMinFresh => Some("request-min-fresh"),
        }
    }
}

/// What came of a request that was forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is handed on; storing it was never thought of.
    Passed,
    /// The answer is stored, or what is stored was renewed by it.
    Stored,
    /// Another request was answered first, and its answer is used.
    Collapsed,
    /// The answer could not be stored.
    Unstored(Unstored),
    /// What is stored was confirmed, and stays as it is.
    Confirmed,
    /// The answer was an error, or there was none: what is stored is used instead.
    StaleIfError,
}

/// This cache's member of the field. `hit` and `fwd` exclude each other, and
/// `stored` goes with `fwd` only: what the RFC forbids can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// Answered from the store.
    Hit(Usable),
    /// Forwarded.
    Forwarded {
        /// Why.
        why: Forward,
        /// The origin's status where it isn't that of the answer.
        origin_status: Option<u16>,
        /// And then?
        outcome: Outcome,
    },
    /// Not forwarded, as the client wanted, and nothing was stored to answer with.
    OnlyIfCached,
}

impl CacheStatus {
    /// Adds this cache to what the caches before it said. What they said is
    /// dropped where it isn't a valid list with something in it, for then nobody could read ours.
    pub fn append_to(self, response: &mut Fields) {
        let upstream = response.get(CACHE_STATUS).unwrap_or_default();
        if !Parser::new(upstream).parse::<List>().is_ok_and(|list| !list.is_empty()) {
            response.remove(CACHE_STATUS);
        }
        response.append(CACHE_STATUS, &self.to_string());
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tidewall")?;
        let detail = match self {
            Self::Hit(found) => {
                write!(f, "; hit; ttl={}", found.ttl_s())?;
                found.basis.as_str()
            }
            Self::Forwarded { why, origin_status, outcome } => {
                write!(f, "; fwd={}", why.as_str())?;
                if let Some(status) = origin_status {
                    write!(f, "; fwd-status={status}")?;
                }
                if *outcome == Outcome::Stored {
                    f.write_str("; stored")?;
                }
                if *outcome == Outcome::Collapsed {
                    f.write_str("; collapsed")?;
                }
                match outcome {
                    Outcome::Collapsed | Outcome::Passed | Outcome::Stored | Outcome::Confirmed => {
                        why.detail()
                    }
                    Outcome::Unstored(reason) => Some(reason.as_str()),
                    Outcome::StaleIfError => Basis::IfError.as_str(),
                }
            }
            Self::OnlyIfCached => Some("only-if-cached"),
        };
        detail.map_or(Ok(()), |detail| write!(f, "; detail={detail}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::cache::privacy::Privacy;
    use crate::cache::request::RequestDirectives;
    use crate::cache::usable::{self, Situation, usable};
    use crate::cache::vary::Unhandled;
    use crate::control::view::{Invalidated, Validity};

    #[test]
    fn what_the_control_log_forbids_is_named() {
        let check = |fenced, expected: &str| {
            assert_eq!(forwarded(Forward::Fenced(fenced), Outcome::Stored).to_string(), expected);
        };
        check(
            Fenced::Invalidated(Invalidated::Group),
            "tidewall; fwd=stale; stored; detail=invalidated-group",
        );
        check(Fenced::NoView, "tidewall; fwd=stale; stored; detail=no-view");
        check(Fenced::BehindBookmark, "tidewall; fwd=request; stored; detail=behind-bookmark");
    }

    fn forwarded(why: Forward, outcome: Outcome) -> CacheStatus {
        CacheStatus::Forwarded { why, origin_status: None, outcome }
    }

    #[test]
    fn a_status_is_written_as_a_valid_member() {
        let check = |status: CacheStatus, expected: &str| {
            assert_eq!(status.to_string(), expected);
            assert!(Parser::new(expected).parse::<List>().is_ok(), "{expected}");
        };
        check(forwarded(Forward::UriMiss, Outcome::Stored), "tidewall; fwd=uri-miss; stored");
        check(forwarded(Forward::Stale, Outcome::Stored), "tidewall; fwd=stale; stored");
        check(forwarded(Forward::NoCache, Outcome::Stored), "tidewall; fwd=stale; stored; detail=no-cache");
        check(
            forwarded(Forward::UriMiss, Outcome::Unstored(Unstored::Private)),
            "tidewall; fwd=uri-miss; detail=private",
        );
        check(
            forwarded(Forward::VaryMiss, Outcome::Unstored(Unstored::Vary(Unhandled::Any))),
            "tidewall; fwd=vary-miss; detail=vary-any",
        );
        check(
            CacheStatus::Forwarded {
                why: Forward::RequestNoCache,
                origin_status: Some(304),
                outcome: Outcome::Stored,
            },
            "tidewall; fwd=request; fwd-status=304; stored; detail=request-no-cache",
        );
        check(
            CacheStatus::Forwarded {
                why: Forward::Stale,
                origin_status: Some(503),
                outcome: Outcome::StaleIfError,
            },
            "tidewall; fwd=stale; fwd-status=503; detail=stale-if-error",
        );
        check(forwarded(Forward::Method, Outcome::Passed), "tidewall; fwd=method");
        check(forwarded(Forward::Bypass, Outcome::Passed), "tidewall; fwd=bypass");
        check(CacheStatus::OnlyIfCached, "tidewall; detail=only-if-cached");
    }

    #[test]
    fn a_hit_says_how_long_it_stays_fresh_or_why_it_need_not_be() {
        let hit = |age_ms| {
            let response = "max-age=10, stale-while-revalidate=60";
            let envelope = usable::tests::stored(response);
            let now = envelope.response_time.after(Duration::from_millis(age_ms));
            let asked = RequestDirectives::default();
            usable(&envelope, &asked, Privacy::Anonymous, Situation::Lookup, Validity::Valid, now).unwrap()
        };
        assert_eq!(CacheStatus::Hit(hit(100)).to_string(), "tidewall; hit; ttl=9");
        let stale = CacheStatus::Hit(hit(12_500)).to_string();
        assert_eq!(stale, "tidewall; hit; ttl=-3; detail=stale-while-revalidate");
        assert!(Parser::new(&stale).parse::<List>().is_ok());
    }

    #[test]
    fn what_upstream_said_comes_first_unless_it_is_broken() {
        let check = |upstream: &str, expected: &str| {
            let mut response = Fields::default();
            response.set(CACHE_STATUS, upstream);
            forwarded(Forward::UriMiss, Outcome::Stored).append_to(&mut response);
            assert_eq!(response.get(CACHE_STATUS), Some(expected));
        };
        check("Origin; hit; ttl=5", "Origin; hit; ttl=5, tidewall; fwd=uri-miss; stored");
        check("", "tidewall; fwd=uri-miss; stored");
        check("Origin; hit; ttl=", "tidewall; fwd=uri-miss; stored");
    }

    proptest! {
        #[test]
        fn whatever_upstream_said_the_field_is_a_list_that_ends_with_this_cache(
            upstream in "(Origin|hit|ttl|=|;|,| |\t|\"|\\\\|[0-9]{1,3}|\\(|\\)|\\?1|:|é){0,14}",
        ) {
            let mut response = Fields::default();
            response.set(CACHE_STATUS, upstream);
            forwarded(Forward::UriMiss, Outcome::Stored).append_to(&mut response);
            let said = response.get(CACHE_STATUS).unwrap();
            prop_assert!(said.ends_with("tidewall; fwd=uri-miss; stored"), "{said}");
            prop_assert!(Parser::new(said).parse::<List>().is_ok(), "{said}");
        }
    }
}
