//! How long a response may be used; RFC 9111, section 4.2.

use std::time::Duration;

use crate::cache::age::date;
use crate::cache::directives::Policy;
use crate::fields::Fields;
use crate::time::Timestamp;

/// The part of the time since its last change for which a response is taken to stay
/// as it is; section 4.2.2 names this tenth as typical.
const HEURISTIC_DIVISOR: u32 = 10;

/// Longest lifetime that is guessed. A guess is nobody's promise: who changes what
/// was stored by one doesn't know that it has to be taken back.
pub const HEURISTIC_MAX: Duration = Duration::from_secs(60 * 60);

/// Status codes whose responses may be stored by a guess; RFC 9110, section 15.1.
const HEURISTICALLY_CACHEABLE: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

/// A freshness lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// The response says so.
    Explicit(Duration),
    /// It says when it last changed.
    Heuristic(Duration),
}

impl Lifetime {
    /// Its length.
    pub fn duration(self) -> Duration {
        match self {
            Self::Explicit(duration) | Self::Heuristic(duration) => duration,
        }
    }
}

/// What says how long a response is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `s-maxage`.
    SMaxage,
    /// `max-age`.
    MaxAge,
    /// `Expires`, beside `Date`.
    Expires,
    /// `Last-Modified`, by which it is guessed.
    LastModified,
}

/// What counts of all that a response says (section 4.2.1): the first of `s-maxage`,
/// `max-age` and `Expires`, else what a guess is made by. `None` where there is nothing
/// to guess by, or nothing to be guessed (RFC 9213, section 2.2).
pub fn source(policy: &Policy<'_>, status: u16, response: &Fields) -> Option<Source> {
    let directives = &policy.directives;
    let explicit = [
        (directives.s_maxage.is_some(), Source::SMaxage),
        (directives.max_age.is_some(), Source::MaxAge),
        (policy.expires.is_some(), Source::Expires),
    ];
    if let Some((_, source)) = explicit.into_iter().find(|(is_there, _)| *is_there) {
        return Some(source);
    }
    let may_be_guessed = HEURISTICALLY_CACHEABLE.contains(&status) || directives.public;
    let can_be_guessed = !policy.is_targeted && may_be_guessed && last_modified(response).is_some();
    can_be_guessed.then_some(Source::LastModified)
}

/// The freshness lifetime for a shared cache, by its [`source`].
pub fn lifetime(
    policy: &Policy<'_>,
    status: u16,
    response: &Fields,
    response_time: Timestamp,
) -> Option<Lifetime> {
    let directives = &policy.directives;
    let generated = date(response).unwrap_or(response_time);
    Some(match source(policy, status, response)? {
        Source::SMaxage => Lifetime::Explicit(directives.s_maxage?),
        Source::MaxAge => Lifetime::Explicit(directives.max_age?),
        Source::Expires => {
            // An `Expires` that is no date has passed (section 5.3).
            let expires = Timestamp::from_http_date(policy.expires?);
            Lifetime::Explicit(expires.map_or(Duration::ZERO, |at| at.since(generated)))
        }
        Source::LastModified => {
            let guess = generated.since(last_modified(response)?) / HEURISTIC_DIVISOR;
            Lifetime::Heuristic(guess.min(HEURISTIC_MAX))
        }
    })
}

fn last_modified(response: &Fields) -> Option<Timestamp> {
    Timestamp::from_http_date(response.get("last-modified")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Sun, 06 Nov 1994 08:49:37 GMT
    const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);

    fn check(status: u16, response: &str, expected: Option<Lifetime>) {
        let fields = Fields::from_lines(response);
        assert_eq!(lifetime(&Policy::of(&fields), status, &fields, NOW), expected, "{status} {response}");
    }

    fn explicit(seconds: u64) -> Option<Lifetime> {
        Some(Lifetime::Explicit(Duration::from_secs(seconds)))
    }

    fn heuristic(seconds: u64) -> Option<Lifetime> {
        Some(Lifetime::Heuristic(Duration::from_secs(seconds)))
    }

    #[test]
    fn the_lifetime_for_shared_caches_goes_before_the_others() {
        check(200, "cache-control\nmax-age=10, s-maxage=20", explicit(20));
        check(200, "cache-control\nmax-age=10\nexpires\nSun, 06 Nov 1994 09:49:37 GMT", explicit(10));
        check(
            200,
            "expires\nSun, 06 Nov 1994 08:50:37 GMT\ndate\nSun, 06 Nov 1994 08:50:07 GMT",
            explicit(30),
        );
        check(200, "expires\nSun, 06 Nov 1994 08:50:37 GMT", explicit(60));
        check(200, "expires\nSun, 06 Nov 1994 08:00:00 GMT", explicit(0));
        check(200, "cdn-cache-control\nmax-age=7\ncache-control\ns-maxage=9", explicit(7));
        check(200, "", None);
    }

    #[test]
    fn an_expires_that_is_no_date_has_passed() {
        for broken in ["0", "-1", "", "Sun, 06 Nov 1994 09:00:00 GMT, Sun, 06 Nov 1994 10:00:00 GMT"] {
            check(200, &format!("expires\n{broken}"), explicit(0));
        }
    }

    #[test]
    fn without_explicit_freshness_a_tenth_of_the_time_since_the_last_change_is_guessed() {
        check(200, "last-modified\nSun, 06 Nov 1994 08:39:37 GMT", heuristic(60));
        check(
            200,
            "last-modified\nSun, 06 Nov 1994 08:39:37 GMT\ndate\nSun, 06 Nov 1994 08:44:37 GMT",
            heuristic(30),
        );
        check(200, "last-modified\nSun, 06 Nov 1994 08:59:37 GMT", heuristic(0));
        check(200, "last-modified\nSun, 06 Nov 1983 08:49:37 GMT", heuristic(60 * 60));
        check(200, "last-modified\nlast week", None);
        check(200, "last-modified\nSun, 06 Nov 1994 08:39:37 GMT\ncache-control\nmax-age=1", explicit(1));
    }

    #[test]
    fn nothing_is_guessed_where_a_targeted_field_decides() {
        let modified = "last-modified\nSun, 06 Nov 1994 08:39:37 GMT";
        for targeted in ["public", "must-revalidate", "stale-if-error=60", "max-age=\"60\"", "no-cache"] {
            check(200, &format!("{modified}\ncdn-cache-control\n{targeted}"), None);
            let beside = "cache-control\nmax-age=9\nexpires\nSun, 06 Nov 1994 09:49:37 GMT";
            check(200, &format!("{modified}\n{beside}\ncdn-cache-control\n{targeted}"), None);
        }
        for ignored in ["", "max-age=", "Public"] {
            check(200, &format!("{modified}\ncdn-cache-control\n{ignored}"), heuristic(60));
        }
    }

    #[test]
    fn only_some_statuses_are_guessed_at_unless_public() {
        let modified = "last-modified\nSun, 06 Nov 1994 08:39:37 GMT";
        for status in HEURISTICALLY_CACHEABLE {
            check(status, modified, heuristic(60));
        }
        for status in [302, 303, 307, 451] {
            check(status, modified, None);
            check(status, &format!("{modified}\ncache-control\npublic"), heuristic(60));
        }
    }
}
