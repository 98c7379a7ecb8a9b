//! For how long a response may be used, and which of its fields says so.

use serde::{Deserialize, Serialize};
use tidewall_api::headers::CDN_CACHE_CONTROL;

use crate::cache::directives::Policy;
use crate::cache::freshness::{Source, source};
use crate::cache::terms::{Reuse, Terms};
use crate::fields::Fields;

/// A response's terms of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeAccount {
    /// Freshness lifetime in seconds.
    pub lifetime_s: u64,
    /// Where it comes from, such as `CDN-Cache-Control: max-age`; `None` where there is none.
    pub from: Option<String>,
    /// Whether it is guessed.
    pub is_guessed: bool,
    /// Seconds past it for which it may be used while it is renewed.
    pub stale_while_revalidate_s: u64,
    /// Seconds past it for which it may be used instead of an error.
    pub stale_if_error_s: u64,
    /// How far it may be used without asking.
    pub reuse: Reuse,
    /// Whether it is for everyone, private requests included.
    pub is_for_everyone: bool,
}

impl LifetimeAccount {
    /// Of a response with these fields, which were found to come to these terms.
    pub fn of(terms: &Terms, status: u16, response: &Fields) -> Self {
        Self {
            lifetime_s: terms.lifetime().as_secs(),
            from: origin_of_lifetime(status, response),
            is_guessed: terms.heuristic,
            stale_while_revalidate_s: terms.stale_while_revalidate().as_secs(),
            stale_if_error_s: terms.stale_if_error().as_secs(),
            reuse: terms.reuse,
            is_for_everyone: terms.shared,
        }
    }

    /// The terms in a sentence.
    pub fn words(&self) -> String {
        let lifetime = match (&self.from, self.is_guessed) {
            (None, _) => "no lifetime".to_owned(),
            (Some(from), false) => format!("lifetime {} s, of {from}", self.lifetime_s),
            (Some(from), true) => format!("lifetime {} s, guessed by {from}", self.lifetime_s),
        };
        let window = |name: &str, seconds: u64| match seconds {
            0 => String::new(),
            seconds => format!(", {name} {seconds} s"),
        };
        let swr = window("stale-while-revalidate", self.stale_while_revalidate_s);
        let sie = window("stale-if-error", self.stale_if_error_s);
        let reuse = match self.reuse {
            Reuse::Validated => ", asked about each time (no-cache)",
            Reuse::Fresh => ", never used stale (must-revalidate)",
            Reuse::Granted | Reuse::Asked => "",
        };
        let shared = if self.is_for_everyone { ", for everyone" } else { "" };
        format!("{lifetime}{swr}{sie}{reuse}{shared}")
    }
}

fn origin_of_lifetime(status: u16, response: &Fields) -> Option<String> {
    let policy = Policy::of(response);
    let field = match policy.is_targeted {
        true => "CDN-Cache-Control",
        false => "Cache-Control",
    };
    let from = match source(&policy, status, response)? {
        Source::SMaxage => format!("{field}: s-maxage"),
        Source::MaxAge => format!("{field}: max-age"),
        Source::Expires => "Expires".to_owned(),
        Source::LastModified => "Last-Modified".to_owned(),
    };
    let is_target_broken = response.contains(CDN_CACHE_CONTROL) && !policy.is_targeted;
    Some(if is_target_broken { format!("{from} (CDN-Cache-Control can't be read)") } else { from })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cache::freshness::{Lifetime, lifetime};
    use crate::time::Timestamp;

    fn check(response: &str, expected: &str) {
        let response = Fields::from_lines(response);
        let policy = Policy::of(&response);
        let now = Timestamp::from_http_date("Sun, 06 Nov 1994 09:00:00 GMT").unwrap();
        let lifetime = lifetime(&policy, 200, &response, now).unwrap_or(Lifetime::Explicit(Duration::ZERO));
        let terms = Terms::new(&policy.directives, lifetime);
        assert_eq!(LifetimeAccount::of(&terms, 200, &response).words(), expected);
    }

    #[test]
    fn the_field_that_counts_is_named() {
        check("cache-control\nmax-age=60", "lifetime 60 s, of Cache-Control: max-age");
        check(
            "cache-control\nmax-age=60, s-maxage=9",
            "lifetime 9 s, of Cache-Control: s-maxage, for everyone",
        );
        check(
            "cache-control\nno-store\ncdn-cache-control\nmax-age=300, stale-while-revalidate=30",
            "lifetime 300 s, of CDN-Cache-Control: max-age, stale-while-revalidate 30 s",
        );
        check("expires\nSun, 06 Nov 1994 09:00:30 GMT", "lifetime 30 s, of Expires");
        check("expires\n0", "lifetime 0 s, of Expires");
        check("last-modified\nSun, 06 Nov 1994 08:50:00 GMT", "lifetime 60 s, guessed by Last-Modified");
        check("etag\n\"a\"", "no lifetime");
        check("cache-control\nno-cache, stale-if-error=60", "no lifetime, asked about each time (no-cache)");
        check(
            "cache-control\nmax-age=60, must-revalidate",
            "lifetime 60 s, of Cache-Control: max-age, never used stale (must-revalidate)",
        );
        check(
            "cache-control\nmax-age=60\ncdn-cache-control\nmax age",
            "lifetime 60 s, of Cache-Control: max-age (CDN-Cache-Control can't be read)",
        );
    }
}
