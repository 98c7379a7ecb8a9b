//! How long a response may be used, and how old it is; RFC 9111, section 4.2.

use std::time::Duration;

use crate::cache::directives::Policy;
use crate::fields::Fields;
use crate::time::Timestamp;

/// The explicit freshness lifetime for a shared cache (section 4.2.1). `None`
/// where there is none: this cache doesn't guess (section 4.2.2).
pub fn lifetime(policy: &Policy<'_>, response: &Fields, response_time: Timestamp) -> Option<Duration> {
    let directives = &policy.directives;
    directives.s_maxage.or(directives.max_age).or_else(|| {
        // An `Expires` that is no date has passed (section 5.3).
        let expires = Timestamp::from_http_date(policy.expires?);
        Some(expires.map_or(Duration::ZERO, |at| at.since(date(response).unwrap_or(response_time))))
    })
}

/// A response's age when it arrived, `corrected_initial_age` of section 4.2.3:
/// what the caches before this one say, and what `Date` says, whichever is more.
pub fn initial_age(response: &Fields, request_time: Timestamp, response_time: Timestamp) -> Duration {
    let apparent = date(response).map_or(Duration::ZERO, |date| response_time.since(date));
    let age_value = response.get("age").and_then(|age| age.trim().parse().ok()).map(Duration::from_secs);
    let corrected = age_value.unwrap_or_default().saturating_add(response_time.since(request_time));
    apparent.max(corrected)
}

fn date(response: &Fields) -> Option<Timestamp> {
    response.get("date").and_then(Timestamp::from_http_date)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Sun, 06 Nov 1994 08:49:37 GMT
    const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);

    fn response(lines: &str) -> Fields {
        Fields::from_lines(lines)
    }

    #[test]
    fn the_lifetime_for_shared_caches_goes_before_the_others() {
        let check = |lines: &str, seconds: Option<u64>| {
            let response = response(lines);
            let lifetime = lifetime(&Policy::of(&response), &response, NOW);
            assert_eq!(lifetime, seconds.map(Duration::from_secs), "{lines}");
        };
        check("cache-control\nmax-age=10, s-maxage=20", Some(20));
        check("cache-control\nmax-age=10\nexpires\nSun, 06 Nov 1994 09:49:37 GMT", Some(10));
        check("expires\nSun, 06 Nov 1994 08:50:37 GMT\ndate\nSun, 06 Nov 1994 08:50:07 GMT", Some(30));
        check("expires\nSun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check("expires\nSun, 06 Nov 1994 08:00:00 GMT", Some(0));
        check("expires\n0", Some(0));
        check("last-modified\nSun, 06 Nov 1994 08:00:00 GMT", None);
        check("cdn-cache-control\nmax-age=7\ncache-control\ns-maxage=9", Some(7));
    }

    #[test]
    fn age_is_the_greater_of_what_upstream_and_the_date_say() {
        let check = |lines: &str, exchange_ms: u64, expected_ms: u64| {
            let sent = Timestamp::from_millis(784_111_777_000 - exchange_ms);
            let age = initial_age(&response(lines), sent, NOW);
            assert_eq!(age, Duration::from_millis(expected_ms), "{lines}");
        };
        check("", 0, 0);
        check("", 250, 250);
        check("age\n5", 250, 5_250);
        check("date\nSun, 06 Nov 1994 08:49:27 GMT", 0, 10_000);
        check("date\nSun, 06 Nov 1994 08:49:27 GMT\nage\n60", 0, 60_000);
        check("date\nSun, 06 Nov 1994 08:59:27 GMT", 0, 0);
        check("age\nold", 0, 0);
    }
}
