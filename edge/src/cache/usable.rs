//! May a stored response be used for a request? RFC 9111, section 4.

use std::time::Duration;

use crate::cache::envelope::Envelope;
use crate::cache::privacy::Privacy;
use crate::cache::status::Forward;
use crate::time::Timestamp;

/// A stored response that answers the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usable {
    /// Its age: the value of `Age`.
    pub age: Duration,
    /// Time for which it stays fresh.
    pub ttl: Duration,
}

/// The one decision on using what is stored.
///
/// A client's `no-cache` or `max-age=0` is advisory (RFC 9111, section 5.2.1) and
/// ignored: a reload must not be a way past the cache to the origin.
pub fn usable(stored: &Envelope, privacy: Privacy, now: Timestamp) -> Result<Usable, Forward> {
    // What was stored for the anonymous need not be what a known person would see.
    if privacy.is_private() && !stored.shared {
        return Err(Forward::Request);
    }
    let age = stored.age(now);
    match stored.lifetime().checked_sub(age) {
        Some(ttl) if !ttl.is_zero() => Ok(Usable { age, ttl }),
        _ => Err(Forward::Stale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Fields;

    fn stored(shared: bool) -> Envelope {
        Envelope {
            status: 200,
            fields: Fields::default(),
            response_time: Timestamp::from_millis(10_000),
            initial_age_ms: 500,
            lifetime_ms: 2_000,
            shared,
            body_bytes: 0,
        }
    }

    #[test]
    fn a_response_is_fresh_until_its_lifetime_has_passed_to_the_millisecond() {
        let at = |ms| usable(&stored(false), Privacy::Anonymous, Timestamp::from_millis(ms));
        let ms = Duration::from_millis;
        assert_eq!(at(10_000), Ok(Usable { age: ms(500), ttl: ms(1_500) }));
        assert_eq!(at(11_499), Ok(Usable { age: ms(1_999), ttl: ms(1) }));
        assert_eq!(at(11_500), Err(Forward::Stale));
        assert_eq!(at(99_000), Err(Forward::Stale));
    }

    #[test]
    fn a_private_request_is_answered_only_with_what_is_for_everyone() {
        let now = Timestamp::from_millis(10_000);
        for privacy in [Privacy::Authorization, Privacy::PrivateCookie] {
            assert_eq!(usable(&stored(false), privacy, now), Err(Forward::Request));
            assert!(usable(&stored(true), privacy, now).is_ok());
        }
    }
}
