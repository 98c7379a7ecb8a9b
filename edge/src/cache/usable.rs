//! May a stored response be used for a request? RFC 9111, section 4.

use std::time::Duration;

use crate::cache::envelope::Envelope;
use crate::cache::privacy::Privacy;
use crate::cache::request::RequestDirectives;
use crate::cache::status::Forward;
use crate::cache::terms::{Reuse, millis};
use crate::control::view::Validity;
use crate::time::Timestamp;

/// A stored response that answers the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usable {
    /// Its age: the value of `Age`.
    pub age: Duration,
    /// Why it may be used.
    pub basis: Basis,
    /// Its freshness lifetime less its age.
    left_ms: i64,
}

impl Usable {
    /// Seconds for which it stays fresh; less than zero where it is stale.
    pub fn ttl_s(&self) -> i64 {
        self.left_ms.div_euclid(1_000)
    }
}

/// Why a stored response may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// It is fresh.
    Fresh,
    /// It is stale, and the client's `max-stale` takes it.
    MaxStale,
    /// It is stale, and says that it may be used while it is revalidated.
    WhileRevalidate,
    /// It, or the client, says that it may be used instead of an error.
    IfError,
}

impl Basis {
    /// Its name, a token; `None` where there is nothing to explain.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Fresh => None,
            Self::MaxStale => Some("max-stale"),
            Self::WhileRevalidate => Some("stale-while-revalidate"),
            Self::IfError => Some("stale-if-error"),
        }
    }
}

/// When the question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// Before anyone is asked.
    Lookup,
    /// No origin answered, or one with an error (RFC 5861, section 4).
    OriginFailed,
}

/// Whether an answer is an error in the sense of `stale-if-error`. Beside those that RFC 5861
/// names there are some that Cloudflare makes where an origin gives none.
pub fn is_error(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504 | 520 | 524 | 527)
}

/// The one decision on using what is stored, once the control log allows it
/// ([`servable`](crate::control::servable)): `validity` is what the log says.
pub fn usable(
    stored: &Envelope,
    asked: &RequestDirectives,
    privacy: Privacy,
    situation: Situation,
    validity: Validity,
    now: Timestamp,
) -> Result<Usable, Forward> {
    let (terms, age) = (&stored.terms, stored.age(now));
    let lifetime = match validity {
        Validity::Valid => terms.lifetime(),
        // A soft purge ends its lifetime, and with that the time begins for which it may
        // be used stale.
        Validity::StaleSince(purged_at) => terms.lifetime().min(stored.age(purged_at.min(now))),
    };
    if !is_for(stored, privacy) {
        return Err(Forward::Private);
    }
    if asked.no_cache {
        return Err(Forward::RequestNoCache);
    }
    if terms.reuse == Reuse::Validated {
        return Err(Forward::NoCache);
    }
    let left = signed_millis(lifetime).saturating_sub(signed_millis(age));
    let found = |basis| Ok(Usable { age, basis, left_ms: left });
    let stale_for = age.saturating_sub(lifetime);
    if situation == Situation::OriginFailed {
        // A wish for something younger is one thing, an error another; so the limits of
        // the request (section 5.2.1) don't count here.
        let granted = terms.stale_if_error();
        let asked = asked.stale_if_error.filter(|_| terms.reuse >= Reuse::Asked).unwrap_or_default();
        return match left > 0 || stale_for < granted.max(asked) {
            true => found(Basis::IfError),
            false => Err(Forward::Stale),
        };
    }
    if left > 0 {
        return if asked.max_age.is_some_and(|most| age > most) {
            Err(Forward::RequestMaxAge)
        } else if asked.min_fresh.is_some_and(|least| left < signed_millis(least)) {
            Err(Forward::RequestMinFresh)
        } else {
            found(Basis::Fresh)
        };
    }
    // Who sets limits wants nothing stale, except as `max-stale` says.
    let has_limits = asked.max_age.is_some() || asked.min_fresh.is_some();
    let is_in_limits = asked.max_age.is_none_or(|most| age <= most) && asked.min_fresh.is_none();
    if !has_limits && stale_for < terms.stale_while_revalidate() {
        found(Basis::WhileRevalidate)
    } else if is_in_limits
        && terms.reuse >= Reuse::Asked
        // What was never fresh is to be asked about each time, whoever would do without.
        && !terms.lifetime().is_zero()
        && asked.max_stale.is_some_and(|most| stale_for <= most)
    {
        found(Basis::MaxStale)
    } else {
        Err(Forward::Stale)
    }
}

/// Whether a stored response is for such requests at all, be it only to revalidate it.
/// What was stored for the anonymous need not be what a known person would see.
pub fn is_for(stored: &Envelope, privacy: Privacy) -> bool {
    match privacy {
        Privacy::Anonymous => true,
        // Its origin said nothing of caches, so it may not think of them.
        Privacy::Cookie => stored.terms.shared || !stored.terms.heuristic,
        Privacy::Authorization | Privacy::PrivateField | Privacy::PrivateCookie => stored.terms.shared,
    }
}

fn signed_millis(duration: Duration) -> i64 {
    i64::try_from(millis(duration)).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cache::directives::Directives;
    use crate::cache::freshness::Lifetime;
    use crate::cache::request::ClientCacheControl;
    use crate::cache::terms::Terms;
    use crate::control::log::Known;
    use crate::control::position::{Position, ReadAt};
    use crate::fields::Fields;

    /// When the response under test arrived.
    const STORED_MS: u64 = 1_000_000;

    pub(in crate::cache) fn stored(cache_control: &str) -> Envelope {
        let directives = Directives::cache_control(cache_control);
        let lifetime = directives
            .s_maxage
            .or(directives.max_age)
            .map_or(Lifetime::Heuristic(Duration::from_secs(10)), Lifetime::Explicit);
        Envelope {
            status: 200,
            fields: Fields::default(),
            request_time: Timestamp::from_millis(STORED_MS),
            response_time: Timestamp::from_millis(STORED_MS),
            initial_age_ms: 0,
            terms: Terms::new(&directives, lifetime),
            position: Position { fence: Known { first: 0, head: 0 }, read_at: ReadAt::Unknown },
            groups: Vec::new(),
            is_decoded: false,
            body_bytes: 0,
        }
    }

    fn decide(
        response: &str,
        request: &str,
        age_ms: u64,
        privacy: Privacy,
        situation: Situation,
    ) -> Result<Usable, Forward> {
        let mut fields = Fields::default();
        fields.set("cache-control", request);
        let now = Timestamp::from_millis(STORED_MS + age_ms);
        let asked = RequestDirectives::of(&fields, ClientCacheControl::Obey);
        usable(&stored(response), &asked, privacy, situation, Validity::Valid, now)
    }

    fn words(decision: Result<Usable, Forward>) -> String {
        match decision {
            Ok(Usable { basis: Basis::Fresh, .. }) => "fresh".to_owned(),
            Ok(Usable { basis, .. }) => basis.as_str().unwrap_or_default().to_owned(),
            Err(why) => format!("{}/{}", why.as_str(), why.detail().unwrap_or("-")),
        }
    }

    /// The decision before anyone is asked, on a response that is `age_ms` old.
    fn check(response: &str, request: &str, age_ms: u64, expected: &str) {
        let decision = decide(response, request, age_ms, Privacy::Anonymous, Situation::Lookup);
        assert_eq!(words(decision), expected, "{response} | {request} | {age_ms} ms");
    }

    /// The decision after an error.
    fn check_failed(response: &str, request: &str, age_ms: u64, expected: &str) {
        let decision = decide(response, request, age_ms, Privacy::Anonymous, Situation::OriginFailed);
        assert_eq!(words(decision), expected, "{response} | {request} | {age_ms} ms");
    }

    #[test]
    fn a_response_is_fresh_until_its_lifetime_has_passed_to_the_millisecond() {
        check("max-age=10", "", 0, "fresh");
        check("max-age=10", "", 9_999, "fresh");
        check("max-age=10", "", 10_000, "stale/-");
        check("max-age=10", "", 99_000_000, "stale/-");
        check("max-age=0", "", 0, "stale/-");
    }

    #[test]
    fn the_time_left_is_rounded_down_and_runs_below_zero() {
        let ttl = |request, age_ms| {
            decide("max-age=10", request, age_ms, Privacy::Anonymous, Situation::Lookup).unwrap().ttl_s()
        };
        assert_eq!(ttl("", 0), 10);
        assert_eq!(ttl("", 100), 9);
        assert_eq!(ttl("max-stale", 10_100), -1);
        assert_eq!(ttl("max-stale", 12_000), -2);
    }

    #[test]
    fn a_client_may_set_limits() {
        check("max-age=10", "no-cache", 0, "request/request-no-cache");
        check("max-age=10", "max-age=5", 5_000, "fresh");
        check("max-age=10", "max-age=5", 5_001, "request/request-max-age");
        check("max-age=10", "max-age=0", 1, "request/request-max-age");
        check("max-age=10", "min-fresh=4", 6_000, "fresh");
        check("max-age=10", "min-fresh=4", 6_001, "request/request-min-fresh");
        check("max-age=10", "no-store", 0, "fresh");
        check("max-age=10", "only-if-cached", 0, "fresh");
        check("max-age=10", "only-if-cached", 10_000, "stale/-");
    }

    #[test]
    fn a_client_may_take_what_is_stale() {
        check("max-age=10", "max-stale", 99_000_000, "max-stale");
        check("max-age=10", "max-stale=5", 15_000, "max-stale");
        check("max-age=10", "max-stale=5", 15_001, "stale/-");
        check("max-age=10", "max-stale=5, max-age=12", 12_000, "max-stale");
        check("max-age=10", "max-stale=5, max-age=12", 13_000, "stale/-");
        check("max-age=10", "max-stale=5, min-fresh=1", 11_000, "stale/-");
        check("max-age=0", "max-stale", 1, "stale/-");
        check("max-age=0, stale-while-revalidate=5", "max-stale", 6_000, "stale/-");
        check("max-age=0, stale-while-revalidate=5", "max-stale", 4_000, "stale-while-revalidate");
        for forbids in ["must-revalidate", "proxy-revalidate", "s-maxage=10"] {
            check(&format!("max-age=10, {forbids}"), "max-stale", 10_000, "stale/-");
        }
    }

    #[test]
    fn no_cache_is_never_used_unasked() {
        check("max-age=10, no-cache", "", 0, "stale/no-cache");
        check("max-age=10, no-cache", "max-stale", 0, "stale/no-cache");
        check("max-age=10, no-cache=\"x\"", "", 0, "fresh");
        check_failed("max-age=10, no-cache, stale-if-error=60", "", 0, "stale/no-cache");
    }

    #[test]
    fn a_response_may_grant_its_use_while_it_is_revalidated() {
        check("max-age=10, stale-while-revalidate=5", "", 9_999, "fresh");
        check("max-age=10, stale-while-revalidate=5", "", 14_999, "stale-while-revalidate");
        check("max-age=10, stale-while-revalidate=5", "", 15_000, "stale/-");
        check("s-maxage=10, stale-while-revalidate=5", "", 12_000, "stale-while-revalidate");
        check("max-age=10, stale-while-revalidate=5", "max-age=60", 12_000, "stale/-");
        check("max-age=10, stale-while-revalidate=5, must-revalidate", "", 12_000, "stale/-");
        check("max-age=10, stale-while-revalidate=0", "", 10_000, "stale/-");
    }

    #[test]
    fn either_side_may_prefer_a_stale_response_to_an_error() {
        check_failed("max-age=10, stale-if-error=5", "", 14_999, "stale-if-error");
        check_failed("max-age=10, stale-if-error=5", "", 15_000, "stale/-");
        check_failed("max-age=10", "stale-if-error=5", 14_999, "stale-if-error");
        check_failed("max-age=10", "", 10_000, "stale/-");
        check_failed("s-maxage=10, stale-if-error=5", "", 12_000, "stale-if-error");
        check_failed("s-maxage=10", "stale-if-error=5", 12_000, "stale/-");
        check_failed("max-age=10, must-revalidate, stale-if-error=5", "stale-if-error=5", 12_000, "stale/-");
        // What is fresh was only passed over for the client's sake.
        check_failed("max-age=10", "max-age=0", 5_000, "stale-if-error");
        check_failed("max-age=10, stale-if-error=5", "no-cache", 5_000, "request/request-no-cache");
    }

    #[test]
    fn only_these_statuses_are_errors() {
        let errors: Vec<u16> = (100..600).filter(|status| is_error(*status)).collect();
        assert_eq!(errors, [500, 502, 503, 504, 520, 524, 527]);
    }

    #[test]
    fn a_private_request_is_answered_only_with_what_is_for_everyone() {
        for privacy in [Privacy::Authorization, Privacy::PrivateField, Privacy::PrivateCookie] {
            for situation in [Situation::Lookup, Situation::OriginFailed] {
                let check = |response, expected| {
                    assert_eq!(decide(response, "", 0, privacy, situation).is_ok(), expected, "{response}");
                };
                check("max-age=10, stale-if-error=5", false);
                check("max-age=10, public", true);
                check("s-maxage=10", true);
            }
        }
    }

    #[test]
    fn a_guess_is_not_for_someone_with_a_cookie() {
        let check = |response, expected| {
            let decision = decide(response, "", 0, Privacy::Cookie, Situation::Lookup);
            assert_eq!(decision.is_ok(), expected, "{response}");
        };
        check("", false);
        check("public", true);
        check("max-age=10", true);
    }

    const SITUATIONS: [Situation; 2] = [Situation::Lookup, Situation::OriginFailed];

    #[test]
    fn a_soft_purge_ends_the_lifetime() {
        let check = |cache_control: &str, purged_ms: u64, age_ms: u64, expected: &str| {
            let at = |ms| Timestamp::from_millis(STORED_MS + ms);
            let decision = usable(
                &stored(cache_control),
                &RequestDirectives::default(),
                Privacy::Anonymous,
                Situation::Lookup,
                Validity::StaleSince(at(purged_ms)),
                at(age_ms),
            );
            assert_eq!(words(decision), expected, "{cache_control} {purged_ms} {age_ms}");
        };
        check("max-age=60", 10_000, 20_000, "stale/-");
        check("max-age=60, stale-while-revalidate=30", 10_000, 39_999, "stale-while-revalidate");
        check("max-age=60, stale-while-revalidate=30", 10_000, 40_000, "stale/-");
        check("max-age=60, stale-while-revalidate=30, must-revalidate", 10_000, 20_000, "stale/-");
        // A purge after it became stale by itself makes no difference.
        check("max-age=60, stale-while-revalidate=30", 80_000, 89_999, "stale-while-revalidate");
        check("max-age=60, stale-while-revalidate=30", 80_000, 90_000, "stale/-");
    }

    proptest! {
        #[test]
        fn nothing_is_served_stale_past_must_revalidate(
            forbids in "(must-revalidate|proxy-revalidate)",
            request in "(max-stale|max-stale=9|stale-if-error=9|min-fresh=0|max-age=99|,)(, max-stale|)",
            lifetime in 0_u64..20,
            age_ms in 0_u64..40_000,
        ) {
            let response =
                format!("max-age={lifetime}, stale-while-revalidate=99, stale-if-error=99, {forbids}");
            for situation in SITUATIONS {
                if decide(&response, &request, age_ms, Privacy::Anonymous, situation).is_ok() {
                    prop_assert!(age_ms < lifetime * 1_000);
                }
            }
        }

        #[test]
        fn age_never_runs_backwards(initial_ms: u64, one: u64, other: u64) {
            let (early, late) = (one.min(other), one.max(other));
            let stored = Envelope { initial_age_ms: initial_ms, ..stored("max-age=10") };
            let age = |ms| stored.age(Timestamp::from_millis(ms));
            prop_assert!(age(early) <= age(late));
        }

        #[test]
        fn no_time_whatever_makes_deciding_panic(initial_ms: u64, now_ms: u64, window: u64) {
            let response = format!("max-age=5, stale-while-revalidate={window}");
            let stored = Envelope { initial_age_ms: initial_ms, ..stored(&response) };
            for situation in SITUATIONS {
                let asked = RequestDirectives { max_stale: Some(Duration::MAX), ..Default::default() };
                let now = Timestamp::from_millis(now_ms);
                let _ = usable(&stored, &asked, Privacy::Anonymous, situation, Validity::Valid, now);
            }
        }
    }
}
