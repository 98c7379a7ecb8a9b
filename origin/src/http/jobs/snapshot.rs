//! What a stream of a job's events tells next. Pure.

use sha2::{Digest as _, Sha256};

use crate::queue::JobRow;

/// Bytes of an error's digest: enough to tell one from the next.
const DIGEST_BYTES: usize = 6;

/// Names how a job stands, by that alone: so any origin goes on where another one stopped.
pub(super) fn id(job: &JobRow) -> String {
    let error = job.error.as_ref().map(|error| {
        let digest = Sha256::digest(error);
        digest[..DIGEST_BYTES].iter().fold(String::from("."), |mut text, byte| {
            text.push_str(&format!("{byte:02x}"));
            text
        })
    });
    format!("{}.{}.{}{}", job.attempt, job.state.as_str(), job.progress, error.unwrap_or_default())
}

/// It will stand so for good.
pub(super) fn is_finished(job: &JobRow) -> bool {
    job.finished_at.is_some()
}

/// What a stream does about what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: that was told.
    Wait,
    /// Tells it.
    Tell,
    /// Tells it, and ends.
    TellLast,
    /// Ends: all was told, or the job is gone.
    End,
}

/// What follows for a stream that has told the snapshot `told` last.
pub(super) fn step(told: Option<&str>, seen: Option<&JobRow>) -> Step {
    let Some(job) = seen else { return Step::End };
    match (told == Some(&*id(job)), is_finished(job)) {
        (true, true) => Step::End,
        (true, false) => Step::Wait,
        (false, true) => Step::TellLast,
        (false, false) => Step::Tell,
    }
}

#[cfg(test)]
mod tests {
    use tidewall_api::job::JobState;
    use time::macros::datetime;

    use super::*;

    fn job(state: JobState, progress: f64) -> JobRow {
        let at = datetime!(2026-01-01 0:00 UTC);
        let is_terminal = state.is_terminal();
        JobRow {
            id: 7,
            kind: "report".to_owned(),
            state,
            progress,
            attempt: 2,
            attempts_max: 5,
            result: None,
            error: None,
            owner: Some(1),
            created_at: at,
            run_at: (!is_terminal).then_some(at),
            finished_at: is_terminal.then_some(at),
        }
    }

    #[test]
    fn a_snapshot_is_named_by_how_the_job_stands() {
        let running = job(JobState::Running, 0.25);
        assert_eq!(id(&running), "2.running.0.25");
        let failed = |error: &str| JobRow { error: Some(error.to_owned()), ..running.clone() };
        let ids = [
            id(&running),
            id(&failed("no disk")),
            id(&failed("no network\r\n")),
            id(&JobRow { attempt: 3, ..running.clone() }),
            id(&JobRow { progress: 0.5, ..running.clone() }),
            id(&job(JobState::Retryable, 0.25)),
        ];
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len(), "{ids:?}");
        assert!(ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_graphic())), "{ids:?}");
        assert_eq!(id(&JobRow { id: 8, owner: None, ..running.clone() }), id(&running));
    }

    #[test]
    fn each_snapshot_is_told_once_and_the_last_one_ends_it() {
        for (state, told, expected) in [
            (JobState::Available, None, Step::Tell),
            (JobState::Running, Some("2.available.0"), Step::Tell),
            (JobState::Running, Some("2.running.0"), Step::Wait),
            (JobState::Running, Some("nonsense"), Step::Tell),
            (JobState::Completed, Some("2.running.0"), Step::TellLast),
            (JobState::Completed, None, Step::TellLast),
            (JobState::Completed, Some("2.completed.0"), Step::End),
            (JobState::Discarded, Some("2.completed.0"), Step::TellLast),
            (JobState::Cancelled, Some("2.cancelled.0"), Step::End),
        ] {
            assert_eq!(step(told, Some(&job(state, 0.0))), expected, "{state:?} after {told:?}");
        }
        assert_eq!(step(Some("2.running.0"), None), Step::End);
    }
}
