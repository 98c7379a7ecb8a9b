//! How many purges one isolate takes, for a purge that is taken makes work: the keeper of
//! the log writes it down, and every isolate reads it. Who has the token means well, but
//! may run wild, such as a script that purges in a loop.
//!
//! A token bucket. What a client's write invalidates doesn't come out of it: that has to
//! be logged whatever it costs.

use std::time::Duration;

use crate::time::Timestamp;

/// Purges a second, on average. The keeper is one object that answers about a thousand
/// questions a second, and most of that is for those of isolates and writes. One purge may
/// hold a thousand names, so this is plenty for an origin that has much to say.
const EACH: Duration = Duration::from_millis(10);

/// Purges at once, after a while of none: an import that says each of its rows by itself.
const BURST: u32 = 1_000;

/// The purges of one isolate.
#[derive(Clone, Copy, Debug, Default)]
pub struct PurgeRate {
    /// When the bucket will be full again.
    full_at: Option<Timestamp>,
}

impl PurgeRate {
    /// Takes one; or says how long it is until there is one.
    ///
    /// # Errors
    /// There is none left.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Duration> {
        let whole = EACH * BURST;
        // Beyond a clock that was put back nothing is remembered.
        let full_at = self.full_at.filter(|full_at| full_at.since(now) <= whole).unwrap_or(now).max(now);
        let full_at = full_at.after(EACH);
        match full_at.since(now).checked_sub(whole) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                self.full_at = Some(full_at);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_burst_is_taken_and_then_one_at_a_time() {
        let mut rate = PurgeRate::default();
        for n in 0..BURST {
            assert_eq!(rate.take(ms(5_000)), Ok(()), "{n}");
        }
        assert_eq!(rate.take(ms(5_000)), Err(EACH));
        assert_eq!(rate.take(ms(5_003)), Err(Duration::from_millis(7)));
        // Who is refused takes nothing.
        assert_eq!(rate.take(ms(5_010)), Ok(()));
        assert_eq!(rate.take(ms(5_010)), Err(EACH));
        assert_eq!(rate.take(ms(6_010)), Ok(()));
    }

    #[test]
    fn on_average_a_hundred_a_second_are_taken() {
        let mut rate = PurgeRate::default();
        let taken = (0..60_000).filter(|now| rate.take(ms(*now)).is_ok()).count();
        assert_eq!(taken, 1_000 + 60 * 100 - 1);
    }

    #[test]
    fn a_clock_that_was_put_back_refuses_nobody() {
        let mut rate = PurgeRate::default();
        while rate.take(ms(1_000_000)).is_ok() {}
        assert_eq!(rate.take(ms(10)), Ok(()));
    }
}
