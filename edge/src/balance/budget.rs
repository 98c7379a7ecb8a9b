//! How many requests may be sent to an origin a second time.
//!
//! When one origin of several fails, a retry hides it. When all do, retries are what keeps
//! them down: so they are a share of the requests, and no more.

use std::time::Duration;

use crate::time::Timestamp;

/// A retry, in the smallest part that is counted.
const RETRY: u32 = 10;
/// What a request adds: a fifth of a retry.
const REQUEST: u32 = 2;
/// What is there without any request, so that a quiet site is retried as well.
const RESERVE: u32 = 10 * RETRY;
/// Time in which the reserve comes back, once it was spent.
const REFILL: Duration = Duration::from_secs(10);
/// What can be saved up: the requests that are under way when an origin dies.
const SAVED_MAX: u32 = 100 * RETRY;

/// The retries that are left.
#[derive(Clone, Debug)]
pub struct Budget {
    left: u32,
    /// Up to when the reserve was refilled.
    refilled: Timestamp,
}

impl Budget {
    /// The reserve alone.
    pub fn new(now: Timestamp) -> Self {
        Self { left: RESERVE, refilled: now }
    }

    /// A request is sent for the first time.
    pub fn request(&mut self) {
        self.left = (self.left + REQUEST).min(SAVED_MAX);
    }

    /// Whether one may be sent again; then it is counted.
    pub fn retry(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        let Some(left) = self.left.checked_sub(RETRY) else { return false };
        self.left = left;
        true
    }

    fn refill(&mut self, now: Timestamp) {
        let part = REFILL.as_millis() / u128::from(RESERVE);
        let parts =
            u32::try_from(now.since(self.refilled).as_millis() / part).unwrap_or(RESERVE).min(RESERVE);
        if parts == 0 && self.refilled <= now {
            // The time until the next part goes on.
            return;
        }
        // What was saved beyond the reserve stays, and isn't added to.
        self.left += parts.min(RESERVE.saturating_sub(self.left));
        self.refilled = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn retries(budget: &mut Budget, now: Timestamp) -> usize {
        (0..1_000).take_while(|_| budget.retry(now)).count()
    }

    #[test]
    fn a_quiet_site_has_a_reserve_that_comes_back() {
        let mut budget = Budget::new(at(0));
        assert_eq!(retries(&mut budget, at(0)), 10);
        assert_eq!(retries(&mut budget, at(500)), 0);
        assert_eq!(retries(&mut budget, at(3_500)), 3);
        assert_eq!(retries(&mut budget, at(1_000_000)), 10);
        let asked_often = (0..100).map(|n| retries(&mut budget, at(1_000_000 + 50 * n))).sum::<usize>();
        assert_eq!(asked_often, 4, "who asks often gets it as well");
    }

    #[test]
    fn five_requests_pay_for_a_retry() {
        let mut budget = Budget::new(at(0));
        retries(&mut budget, at(0));
        (0..100).for_each(|_| budget.request());
        assert_eq!(retries(&mut budget, at(0)), 20);
    }

    #[test]
    fn no_more_is_saved_than_what_is_under_way() {
        let mut budget = Budget::new(at(0));
        (0..1_000_000).for_each(|_| budget.request());
        assert_eq!(retries(&mut budget, at(0)), 100);
    }

    proptest! {
        #[test]
        fn it_is_never_exceeded(steps in prop::collection::vec((0_u64..200, any::<bool>()), 0..2_000)) {
            let mut budget = Budget::new(at(0));
            let (mut now, mut requests, mut retried) = (0, 0_u64, 0_u64);
            for (ms, wants_retry) in steps {
                now += ms;
                budget.request();
                requests += 1;
                if wants_retry && budget.retry(at(now)) {
                    retried += 1;
                }
                prop_assert!(retried * 10 <= requests * 2 + 100 + now / 100, "{retried} of {requests}");
            }
        }
    }
}
