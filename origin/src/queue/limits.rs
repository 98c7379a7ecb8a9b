//! How many jobs of a kind may be claimed.
//!
//! A claim of a limited kind is made under a lock that one worker at a time has for that kind, on
//! counts that were taken under it. So the limits hold exactly over all workers: nobody else can
//! claim between the count and the claim, and whatever ends meanwhile only makes room.

use std::time::Duration;

/// Lanes that one claim looks at: what a look may cost. With more of them waiting they are served
/// in turns.
pub(super) const LANES_MAX: usize = 200;

/// What is limited of a kind, over all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Jobs of the kind that run at the same time.
    pub concurrency: Option<u32>,
    /// The same for each key that its jobs have ([`super::NewJob::key`]).
    pub per_key: Option<u32>,
    /// Attempts that are begun in a time.
    pub rate: Option<Rate>,
}

/// So many in so long: all of them at once, then as evenly as they come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Attempts.
    pub count: u32,
    /// In this time.
    pub per: Duration,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self { concurrency: None, per_key: None, rate: None };

    /// Whether there are any.
    pub fn is_any(&self) -> bool {
        *self != Self::NONE
    }
}

/// What is known of a kind under its lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    /// Jobs of the kind that run.
    pub(super) running: u32,
    /// For how long from now the rate is used up: the theoretical arrival time, if it lies ahead.
    pub(super) ahead: Duration,
}

/// How many more of a kind may be begun by a worker that has room for `free`.
pub(super) fn allowance(limits: &Limits, used: Use, free: usize) -> usize {
    let by_concurrency = limits.concurrency.map(|limit| limit.saturating_sub(used.running) as usize);
    let by_rate = limits.rate.map(|rate| rate.left(used.ahead));
    [by_concurrency, by_rate].into_iter().flatten().fold(free, usize::min)
}

/// How many more of one key may be begun, of `running` that run.
pub(super) fn room(limits: &Limits, running: u32, allowance: usize) -> usize {
    limits.per_key.map_or(allowance, |limit| allowance.min(limit.saturating_sub(running) as usize))
}

impl Rate {
    /// The time after which one more may be begun.
    fn interval(&self) -> Duration {
        self.per / self.count.max(1)
    }

    /// How many may be begun now.
    fn left(&self, ahead: Duration) -> usize {
        if self.count == 0 {
            return 0;
        }
        let room = self.per.saturating_sub(ahead).as_nanos();
        let interval = self.interval().as_nanos().max(1);
        usize::try_from(room / interval).unwrap_or(usize::MAX).min(self.count as usize)
    }

    /// For how long the rate is used up once `begun` more were begun.
    pub(super) fn ahead(&self, ahead: Duration, begun: usize) -> Duration {
        let begun = u32::try_from(begun).unwrap_or(u32::MAX);
        ahead.saturating_add(self.interval().saturating_mul(begun))
    }
}

/// Where the next look at a kind's lanes begins: after the last lane that this one came to, so
/// that each has its turn; from the beginning once it has seen the last.
///
/// `visited`: the lanes it looked at, in order. `claimed`: those it claimed from.
pub(super) fn next_lane(visited: &[&str], claimed: &[&str], allowance: usize) -> String {
    let last = if claimed.len() >= allowance && allowance > 0 {
        claimed.iter().max().copied()
    } else if visited.len() >= LANES_MAX {
        visited.last().copied()
    } else {
        None
    };
    // The least text after it, bytewise.
    last.map(|lane| format!("{lane}\u{1}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { count: 10, per: Duration::from_secs(60) };

    fn check(limits: Limits, running: u32, ahead_s: u64, free: usize, expected: usize) {
        let used = Use { running, ahead: Duration::from_secs(ahead_s) };
        assert_eq!(allowance(&limits, used, free), expected, "{limits:?} {used:?} {free}");
    }

    #[test]
    fn what_may_begin_is_the_least_that_any_limit_leaves() {
        let concurrency = Limits { concurrency: Some(3), ..Limits::NONE };
        check(Limits::NONE, 100, 100, 8, 8);
        check(concurrency, 0, 0, 8, 3);
        check(concurrency, 2, 0, 8, 1);
        check(concurrency, 3, 0, 8, 0);
        check(concurrency, 9, 0, 8, 0);
        check(concurrency, 0, 0, 2, 2);
        let rate = Limits { rate: Some(RATE), ..Limits::NONE };
        check(rate, 100, 0, 50, 10);
        check(rate, 0, 6, 50, 9);
        check(rate, 0, 59, 50, 0);
        check(rate, 0, 54, 50, 1);
        check(rate, 0, 1_000, 50, 0);
        check(Limits { rate: Some(RATE), ..concurrency }, 1, 54, 50, 1);
        check(Limits { rate: Some(Rate { count: 0, ..RATE }), ..Limits::NONE }, 0, 0, 50, 0);
    }

    #[test]
    fn each_key_has_room_of_its_own() {
        let limits = Limits { per_key: Some(2), ..Limits::NONE };
        assert_eq!([0, 1, 2, 3].map(|running| room(&limits, running, 10)), [2, 1, 0, 0]);
        assert_eq!(room(&limits, 0, 1), 1);
        assert_eq!(room(&Limits::NONE, 7, 10), 10);
    }

    #[test]
    fn lanes_have_their_turn() {
        assert_eq!(next_lane(&["a", "b"], &["a"], 5), "", "all were seen");
        assert_eq!(next_lane(&["a", "b", "c"], &["b", "a"], 2), "b\u{1}", "c is next");
        let many: Vec<String> = (0..LANES_MAX).map(|n| format!("{n:03}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(next_lane(&many, &[], 5), "199\u{1}", "there may be more");
        assert_eq!(next_lane(&[], &[], 0), "");
    }

    proptest! {
        /// In any stretch of `per` no more than twice the count begin, and over a long time no
        /// more than the rate and one burst.
        #[test]
        fn a_rate_holds_over_time(steps in proptest::collection::vec((0u64..20_000, 0usize..20), 1..200)) {
            let (mut now, mut arrival, mut begun) = (0u64, 0u64, 0u64);
            for (pause, wanted) in steps {
                now += pause;
                let ahead = Duration::from_millis(arrival.saturating_sub(now));
                let limits = Limits { rate: Some(RATE), ..Limits::NONE };
                let count = allowance(&limits, Use { running: 0, ahead }, wanted);
                if count > 0 {
                    arrival = now + u64::try_from(RATE.ahead(ahead, count).as_millis()).unwrap();
                }
                begun += count as u64;
                prop_assert!(begun <= 10 + now / 6_000, "{} begun by {} ms", begun, now);
            }
        }

        /// However many workers claim in turn, the limits hold.
        #[test]
        fn claims_in_turn_never_pass_a_limit(
            frees in proptest::collection::vec(0usize..10, 1..50),
            concurrency in 0u32..8,
            per_key in 0u32..4,
        ) {
            let limits = Limits { concurrency: Some(concurrency), per_key: Some(per_key), rate: None };
            let (mut running, mut of_key) = (0u32, [0u32; 3]);
            for (turn, free) in frees.into_iter().enumerate() {
                let mut left = allowance(&limits, Use { running, ahead: Duration::ZERO }, free);
                for key in &mut of_key {
                    let count = room(&limits, *key, left);
                    left -= count;
                    *key += u32::try_from(count).unwrap();
                    running += u32::try_from(count).unwrap();
                }
                prop_assert!(running <= concurrency);
                prop_assert!(of_key.iter().all(|key| *key <= per_key));
                if turn % 3 == 0 && of_key[0] > 0 {
                    of_key[0] -= 1;
                    running -= 1;
                }
            }
        }
    }
}
