//! When the keeper looks at its site, and goes on with what it has begun.

use std::time::Duration;

use crate::time::Timestamp;

/// Between two looks at a site that isn't the one which an isolate serves. While a deployment
/// is rolled out, some serve another build than the keeper has.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Between two parts of the work.
const NEXT: Duration = Duration::from_millis(500);
/// Before what failed is tried again, the first time and at most.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_MAX: Duration = Duration::from_secs(10 * 60);

/// What a part of the work came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// All of this build is kept, and nothing else than is to be.
    Done(String),
    /// Something was done, and something is left.
    More,
    /// Something is left, and nothing could be done.
    Stuck,
}

/// The keeper's pace. One that has just begun doesn't know what its predecessor has left, so it
/// looks with its first alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The build that is kept whole.
    whole: Option<String>,
    /// When it last looked.
    looked: Option<Timestamp>,
    /// When it goes on.
    next: Option<Timestamp>,
    /// How often in a row nothing could be done.
    stuck: u32,
}

impl Pace {
    /// An isolate serves this build. Whether there is something to be done at once.
    pub fn heard(&mut self, build: &str, now: Timestamp) -> bool {
        let has_just_looked = self.looked.is_some_and(|at| now.since(at) < LOOK_EVERY);
        if self.whole.as_deref() == Some(build) || self.next.is_some() || has_just_looked {
            return false;
        }
        self.next = Some(now);
        true
    }

    /// There will be no alarm for what was heard.
    pub fn unheard(&mut self) {
        self.next = None;
    }

    /// Whether it is time for a part of the work.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.looked.is_none() || self.next.is_some_and(|next| next <= now)
    }

    /// A part was done.
    pub fn stepped(&mut self, step: Step, now: Timestamp) {
        self.looked = Some(now);
        self.stuck = if step == Step::Stuck { self.stuck.saturating_add(1) } else { 0 };
        self.next = match step {
            Step::Done(build) => {
                self.whole = Some(build);
                None
            }
            Step::More => Some(now.after(NEXT)),
            Step::Stuck => {
                let doublings = self.stuck.saturating_sub(1).min(16);
                Some(now.after(AGAIN.saturating_mul(1 << doublings).min(AGAIN_MAX)))
            }
        };
    }

    /// Time to the next part; `None` where nothing is left.
    pub fn pause(&self, now: Timestamp) -> Option<Duration> {
        self.next.map(|next| next.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_millis(s * 1_000)
    }

    #[test]
    fn a_build_that_is_not_kept_is_looked_at_once() {
        let mut pace = Pace::default();
        assert!(pace.heard("a", at(0)));
        assert!(!pace.heard("a", at(0)));
        pace.stepped(Step::Done("a".into()), at(1));
        assert!(!pace.heard("a", at(1_000)));
        assert_eq!(pace.pause(at(1_000)), None);
        assert!(pace.heard("b", at(1_000)));
        assert!(pace.is_due(at(1_000)));
    }

    #[test]
    fn a_build_of_others_is_not_looked_for_all_the_time() {
        let mut pace = Pace::default();
        assert!(pace.heard("b", at(0)));
        pace.stepped(Step::Done("a".into()), at(1));
        assert!(!pace.heard("b", at(30)));
        assert!(pace.heard("b", at(31)));
    }

    #[test]
    fn one_that_has_just_begun_looks_what_was_left() {
        let pace = Pace::default();
        assert!(pace.is_due(at(0)));
        assert_eq!(pace.pause(at(0)), None);
    }

    #[test]
    fn what_is_stuck_is_tried_again_less_and_less() {
        let mut pace = Pace::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            pace.stepped(Step::Stuck, at(0));
            pauses.push(pace.pause(at(0)).unwrap().as_secs());
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert!(!pace.is_due(at(599)));
        pace.stepped(Step::More, at(600));
        assert_eq!(pace.pause(at(600)), Some(NEXT));
        pace.stepped(Step::Stuck, at(700));
        assert_eq!(pace.pause(at(700)), Some(AGAIN));
    }
}
