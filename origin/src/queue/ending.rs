//! What becomes of a job after an attempt.

use std::time::Duration;

use serde_json::Value;
use tidewall_api::job::JobState;

use super::handler::{JobError, Outcome, Retention};
use crate::backoff::Backoff;

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum End {
    /// By itself.
    Returned(Result<Outcome<Value>, JobError>),
    /// It took longer than its kind may.
    TimedOut,
    /// It panicked.
    Panicked,
    /// It was stopped.
    Stopped(Stop),
}

/// Why an attempt is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Somebody cancelled the job.
    Cancelled,
    /// The worker stops, and the attempt took too long.
    Shutdown,
    /// Another worker may have the job.
    LeaseLost,
}

/// What is written down of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ending {
    /// The job is done. Kept for so long, unless that is no time at all.
    Complete { result: Value, keep: Duration },
    /// It waits for its next attempt.
    Wait {
        state: JobState,
        delay: Duration,
        /// This one counted.
        counts: bool,
        error: Option<String>,
    },
    /// It has ended badly, and is kept for so long.
    End { state: JobState, error: Option<String>, keep: Duration },
    /// Nothing: the handler has completed the job itself.
    Completed,
    /// Nothing: the job is no longer this worker's.
    Lost,
}

/// The settings of a kind that matter here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) backoff: Backoff,
    pub(super) retention: Retention,
}

/// What becomes of a job whose attempt ended so, the `attempt`th of those that count. `random` is
/// uniform over its range.
pub(super) fn ending(rules: Rules, attempt: i32, attempts_max: i32, end: End, random: u32) -> Ending {
    let failed = |message: String, is_final: bool, delay: Option<Duration>| {
        if is_final || attempt >= attempts_max {
            let keep = rules.retention.failed;
            return Ending::End { state: JobState::Discarded, error: Some(message), keep };
        }
        let delay = delay.unwrap_or_else(|| rules.backoff.delay(attempt.unsigned_abs(), random));
        Ending::Wait { state: JobState::Retryable, delay, counts: true, error: Some(message) }
    };
    match end {
        End::Returned(Ok(Outcome::Done(result))) => {
            Ending::Complete { result, keep: rules.retention.completed }
        }
        End::Returned(Ok(Outcome::Completed(_))) => Ending::Completed,
        End::Stopped(Stop::LeaseLost) => Ending::Lost,
        End::Returned(Ok(Outcome::Snooze(delay))) => {
            Ending::Wait { state: JobState::Scheduled, delay, counts: false, error: None }
        }
        End::Returned(Err(error)) => failed(error.message, error.is_final, error.delay),
        End::TimedOut => failed("the job took too long".to_owned(), false, None),
        End::Panicked => failed("the job failed unexpectedly".to_owned(), false, None),
        End::Stopped(Stop::Cancelled) => {
            Ending::End { state: JobState::Cancelled, error: None, keep: rules.retention.failed }
        }
        End::Stopped(Stop::Shutdown) => {
            Ending::Wait { state: JobState::Available, delay: Duration::ZERO, counts: false, error: None }
        }
    }
}

impl Ending {
    /// There is nothing to write down.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self, Self::Completed | Self::Lost)
    }

    /// As it is counted.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Complete { .. } | Self::Completed => "completed",
            Self::Wait { state: JobState::Retryable, .. } => "failed",
            Self::Wait { state: JobState::Scheduled, .. } => "snoozed",
            Self::Wait { .. } => "handed_back",
            Self::End { state: JobState::Cancelled, .. } => "cancelled",
            Self::End { .. } => "discarded",
            Self::Lost => "lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::queue::handler::Completion;

    const RULES: Rules = Rules {
        backoff: Backoff { base: Duration::from_secs(2), delay_max: Duration::from_mins(10) },
        retention: Retention { completed: Duration::from_secs(60), failed: Duration::from_secs(600) },
    };

    fn check(attempt: i32, end: End, expected: &str) {
        let ending = ending(RULES, attempt, 3, end, 0);
        let name = ending.as_str();
        let text = match ending {
            Ending::Complete { result, keep } => format!("{result} for {} s", keep.as_secs()),
            Ending::Wait { state, delay, counts, error } => format!(
                "{} in {} s{}{}",
                state.as_str(),
                delay.as_secs(),
                if counts { ", counts" } else { "" },
                error.map(|error| format!(": {error}")).unwrap_or_default()
            ),
            Ending::End { state, error, keep } => format!(
                "{} for {} s{}",
                state.as_str(),
                keep.as_secs(),
                error.map(|error| format!(": {error}")).unwrap_or_default()
            ),
            Ending::Completed | Ending::Lost => "nothing".to_owned(),
        };
        assert_eq!(format!("{name}: {text}"), expected);
    }

    fn returned(outcome: Outcome<Value>) -> End {
        End::Returned(Ok(outcome))
    }

    #[test]
    fn an_attempt_that_went_well_ends_the_job_unless_it_did_so_itself_or_has_to_come_again() {
        check(1, returned(Outcome::Done(7.into())), "completed: 7 for 60 s");
        check(1, returned(Outcome::Completed(Completion(()))), "completed: nothing");
        check(3, returned(Outcome::Snooze(Duration::from_secs(30))), "snoozed: scheduled in 30 s");
    }

    #[test]
    fn an_attempt_that_failed_is_followed_by_another_until_they_are_used_up() {
        let error = || End::Returned(Err(JobError::retry("no", "inside")));
        check(1, error(), "failed: retryable in 1 s, counts: no");
        check(2, error(), "failed: retryable in 2 s, counts: no");
        check(3, error(), "discarded: discarded for 600 s: no");
        check(1, End::TimedOut, "failed: retryable in 1 s, counts: the job took too long");
        check(3, End::Panicked, "discarded: discarded for 600 s: the job failed unexpectedly");
    }

    #[test]
    fn an_error_can_be_final_or_say_when_to_come_again() {
        let end = |error| End::Returned(Err(error));
        check(1, end(JobError::discard("bad", "inside")), "discarded: discarded for 600 s: bad");
        let later = JobError::retry("busy", "inside").after(Duration::from_secs(90));
        check(1, end(later), "failed: retryable in 90 s, counts: busy");
    }

    #[test]
    fn an_attempt_that_was_stopped_costs_none() {
        check(3, End::Stopped(Stop::Shutdown), "handed_back: available in 0 s");
        check(1, End::Stopped(Stop::Cancelled), "cancelled: cancelled for 600 s");
        check(1, End::Stopped(Stop::LeaseLost), "lost: nothing");
    }

    fn any_end() -> impl Strategy<Value = End> {
        let delay = || (0_u64..10_000).prop_map(Duration::from_secs);
        prop_oneof![
            any::<i32>().prop_map(|result| returned(Outcome::Done(result.into()))),
            delay().prop_map(|delay| returned(Outcome::Snooze(delay))),
            Just(()).prop_map(|()| End::Returned(Err(JobError::retry("no", "inside")))),
            delay().prop_map(|delay| End::Returned(Err(JobError::retry("no", "inside").after(delay)))),
            Just(()).prop_map(|()| End::Returned(Err(JobError::discard("bad", "inside")))),
            Just(()).prop_map(|()| End::TimedOut),
            Just(()).prop_map(|()| End::Panicked),
            Just(()).prop_map(|()| End::Stopped(Stop::Shutdown)),
        ]
    }

    proptest! {
        /// However a job's attempts end, as long as it isn't cancelled: it comes again, is done or is
        /// with the dead letters, and fails no more often than it may.
        #[test]
        fn a_job_fails_as_often_as_it_may_and_never_goes_round_and_round(
            ends in prop::collection::vec((any_end(), any::<u32>()), 1..60),
            attempts_max in 1..8_i32,
        ) {
            let mut attempt = 1;
            for (end, random) in ends {
                match ending(RULES, attempt, attempts_max, end, random) {
                    Ending::Wait { counts: true, state, delay, error } => {
                        prop_assert_eq!(state, JobState::Retryable);
                        prop_assert!(error.is_some() && attempt < attempts_max);
                        // What a handler asks for is heeded; else the backoff has a bound.
                        prop_assert!(delay <= RULES.backoff.delay_max.max(Duration::from_secs(10_000)));
                        attempt += 1;
                    }
                    Ending::Wait { counts: false, state, error, .. } => {
                        prop_assert!(matches!(state, JobState::Scheduled | JobState::Available));
                        prop_assert!(error.is_none());
                    }
                    Ending::Complete { keep, .. } => {
                        prop_assert_eq!(keep, RULES.retention.completed);
                        break;
                    }
                    Ending::End { state, error, keep } => {
                        prop_assert_eq!((state, keep), (JobState::Discarded, RULES.retention.failed));
                        prop_assert!(error.is_some());
                        break;
                    }
                    Ending::Completed | Ending::Lost => prop_assert!(false, "nothing is written down"),
                }
                prop_assert!(attempt <= attempts_max);
            }
        }
    }
}
