//! What the handlers of a library in this process say: how many were called, and
//! when for the jobs that are followed.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::error::Reason;

/// How often it is looked whether enough handlers were called.
const LOOK: Duration = Duration::from_millis(1);

/// Counts calls of handlers.
#[derive(Default)]
pub(super) struct Tally {
    handled: AtomicU32,
    /// By number.
    followed: Mutex<Vec<Followed>>,
}

#[derive(Clone, Copy, Default)]
struct Followed {
    committed: Option<Instant>,
    begun: Option<Instant>,
}

impl Tally {
    /// A handler was called for the job of this number; 0 is for those that nobody follows.
    pub(super) fn begun(&self, number: u32) {
        if number > 0 {
            let now = Instant::now();
            // Only the first attempt: a later one isn't picked up.
            self.follow(number, |job| job.begun = job.begun.or(Some(now)));
        }
        self.handled.fetch_add(1, Ordering::Relaxed);
    }

    /// It was answered that jobs are committed.
    pub(super) fn committed(&self, numbers: &[u32]) {
        let now = Instant::now();
        for &number in numbers {
            self.follow(number, |job| job.committed = Some(now));
        }
    }

    fn follow(&self, number: u32, change: impl FnOnce(&mut Followed)) {
        let Ok(index) = usize::try_from(number) else { return };
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.len() <= index {
            followed.resize(index + 1, Followed::default());
        }
        change(&mut followed[index]);
    }

    /// Calls so far.
    pub(super) fn handled(&self) -> u32 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Waits for so many calls, but not longer than `silence_max` for the next.
    pub(super) async fn reach(&self, jobs: u32, silence_max: Duration) -> Result<(), Reason> {
        loop {
            let before = self.handled();
            let more = async {
                while self.handled() < jobs.min(before.saturating_add(1)) {
                    sleep(LOOK).await;
                }
            };
            if timeout(silence_max, more).await.is_err() {
                let silence_s = silence_max.as_secs_f32();
                return Err(Reason::new(&format!(
                    "it did {before} of {jobs} jobs and then none for {silence_s} s"
                )));
            }
            if self.handled() >= jobs {
                return Ok(());
            }
        }
    }

    /// How long each job that was committed from `since` to `until` waited for its handler, in ms.
    pub(super) fn waits_ms(&self, since: Instant, until: Instant) -> Vec<f64> {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |job: &Followed| {
            let committed = job.committed.filter(|&at| since <= at && at < until)?;
            Some(job.begun?.saturating_duration_since(committed).as_secs_f64() * 1000.0)
        };
        followed.iter().filter_map(wait).collect()
    }
}

/// The value that `share` of the values don't pass; `None` of none.
pub(super) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an index below 2^32"
    )]
    let index = (share * values.len() as f64).ceil() as usize;
    values.get(index.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&mut values, 0.5), Some(50.0));
        assert_eq!(quantile(&mut values, 0.99), Some(99.0));
        assert_eq!(quantile(&mut [7.0], 0.5), Some(7.0));
        assert_eq!(quantile(&mut [], 0.5), None);
    }

    #[test]
    fn a_wait_is_from_the_commit_to_the_first_call() {
        let tally = Tally::default();
        let since = Instant::now();
        // Called before the answer came, and then again.
        tally.begun(1);
        tally.committed(&[1, 2]);
        std::thread::sleep(Duration::from_millis(2));
        tally.begun(1);
        tally.begun(2);
        let waits_ms = tally.waits_ms(since, Instant::now());
        assert!(waits_ms.len() == 2 && waits_ms[0] == 0.0 && waits_ms[1] >= 2.0, "{waits_ms:?}");
        assert!(tally.waits_ms(Instant::now(), Instant::now()).is_empty());
        assert_eq!(tally.handled(), 3);
    }

    #[tokio::test]
    async fn a_queue_that_falls_silent_is_not_waited_for() {
        let tally = Tally::default();
        tally.begun(0);
        let error = tally.reach(2, Duration::ZERO).await.unwrap_err();
        assert_eq!(error.to_string(), "it did 1 of 2 jobs and then none for 0 s");
        tally.begun(0);
        tally.reach(2, Duration::ZERO).await.unwrap();
    }
}
