//! On which terms a stored response may be used: what its directives come to, read
//! once when it is stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::directives::Directives;
use crate::cache::freshness::Lifetime;

/// Time for which a stale response is kept because it can be revalidated: a 304 is
/// cheaper than the whole, but not for ever.
const REVALIDATED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Milliseconds in a stored form that is read by every version of this program.
type Millis = u64;

/// How far a response may be used without asking its origin, from the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reuse {
    /// Never: `no-cache`.
    Validated,
    /// While it is fresh: `must-revalidate` or `proxy-revalidate`.
    Fresh,
    /// Stale where the response itself says so. `s-maxage` forbids the rest
    /// (RFC 9111, section 5.2.2.10), but not what stands beside it (RFC 5861).
    Granted,
    /// Stale where the response or the client says so.
    Asked,
}

/// The terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    lifetime_ms: Millis,
    /// Whether the lifetime is guessed.
    pub heuristic: bool,
    /// Whether it is for everyone, private requests included.
    pub shared: bool,
    /// How far it may be used.
    pub reuse: Reuse,
    stale_while_revalidate_ms: Millis,
    stale_if_error_ms: Millis,
}

impl Terms {
    /// What `directives` and the lifetime that follows from them come to.
    pub fn new(directives: &Directives, lifetime: Lifetime) -> Self {
        let reuse = if directives.no_cache.is_response() {
            Reuse::Validated
        } else if directives.must_revalidate || directives.proxy_revalidate {
            Reuse::Fresh
        } else if directives.s_maxage.is_some() {
            Reuse::Granted
        } else {
            Reuse::Asked
        };
        Self {
            lifetime_ms: millis(lifetime.duration()),
            heuristic: matches!(lifetime, Lifetime::Heuristic(_)),
            shared: directives.public || directives.s_maxage.is_some(),
            reuse,
            stale_while_revalidate_ms: millis(directives.stale_while_revalidate.unwrap_or_default()),
            stale_if_error_ms: millis(directives.stale_if_error.unwrap_or_default()),
        }
    }

    /// Freshness lifetime.
    pub fn lifetime(&self) -> Duration {
        Duration::from_millis(self.lifetime_ms)
    }

    /// Time past the lifetime in which it may be used while it is revalidated.
    pub fn stale_while_revalidate(&self) -> Duration {
        self.granted(self.stale_while_revalidate_ms)
    }

    /// Time past the lifetime in which it may be used instead of an error.
    pub fn stale_if_error(&self) -> Duration {
        self.granted(self.stale_if_error_ms)
    }

    /// Whether there is a time past the lifetime in which it may be used.
    pub fn may_be_used_stale(&self) -> bool {
        !self.stale_while_revalidate().is_zero() || !self.stale_if_error().is_zero()
    }

    /// Greatest age at which it is of any use.
    pub fn useful_until_age(&self, can_be_validated: bool) -> Duration {
        let validated = if can_be_validated { REVALIDATED_FOR } else { Duration::ZERO };
        let stale = self.stale_while_revalidate().max(self.stale_if_error()).max(validated);
        let fresh = if self.reuse == Reuse::Validated { Duration::ZERO } else { self.lifetime() };
        fresh.saturating_add(stale)
    }

    fn granted(&self, window_ms: Millis) -> Duration {
        if self.reuse >= Reuse::Granted { Duration::from_millis(window_ms) } else { Duration::ZERO }
    }
}

/// A duration as it is stored.
pub fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(cache_control: &str) -> Terms {
        let directives = Directives::cache_control(cache_control);
        Terms::new(&directives, Lifetime::Explicit(Duration::from_secs(60)))
    }

    #[test]
    fn the_strictest_directive_decides_on_reuse() {
        let check = |value, expected| assert_eq!(terms(value).reuse, expected, "{value}");
        check("max-age=60", Reuse::Asked);
        check("s-maxage=60", Reuse::Granted);
        check("s-maxage=60, proxy-revalidate", Reuse::Fresh);
        check("must-revalidate", Reuse::Fresh);
        check("must-revalidate, no-cache", Reuse::Validated);
        check("no-cache=\"x\"", Reuse::Asked);
    }

    #[test]
    fn stale_use_is_granted_unless_it_is_forbidden() {
        let check = |value: &str, seconds| {
            let terms = terms(&format!("{value}, stale-while-revalidate=5, stale-if-error=7"));
            let granted = (terms.stale_while_revalidate().as_secs(), terms.stale_if_error().as_secs());
            assert_eq!(granted, seconds, "{value}");
        };
        check("max-age=60", (5, 7));
        check("s-maxage=60", (5, 7));
        check("must-revalidate", (0, 0));
        check("proxy-revalidate", (0, 0));
        check("no-cache", (0, 0));
    }

    #[test]
    fn it_is_useful_as_long_as_anything_can_be_done_with_it() {
        let check = |value, can_be_validated, seconds| {
            assert_eq!(terms(value).useful_until_age(can_be_validated).as_secs(), seconds, "{value}");
        };
        check("max-age=60", false, 60);
        check("max-age=60, stale-if-error=7", false, 67);
        check("max-age=60, must-revalidate, stale-if-error=7", false, 60);
        check("max-age=60", true, 60 + 24 * 60 * 60);
        check("no-cache", true, 24 * 60 * 60);
        check("no-cache", false, 0);
    }
}
