//! Ending attempts.

use std::time::Duration;

use serde_json::Value;
use tokio_postgres::types::Type;

use super::{owned, seconds};
use crate::db::{DbError, HotStatement, Transaction, WriteConnection};
use crate::queue::ending::Ending;

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub(in crate::queue) struct Ended {
    pub(in crate::queue) id: i64,
    pub(in crate::queue) attempt: i32,
    pub(in crate::queue) ending: Ending,
}

/// Of a kind that keeps nothing of what went well.
const REMOVE: &str = concat!(
    "DELETE FROM jobs USING unnest($1::bigint[], $2::integer[]) AS ended (id, attempt) WHERE ",
    owned!("ended"),
);

const COMPLETE: &str = concat!(
    "UPDATE jobs
    SET state = 'completed', progress = 1, result = ended.result, error = NULL, worker_id = NULL,
        running_lane = NULL, run_at = NULL, cancel_requested = FALSE, unique_key = NULL, finished_at = now(),
        keep_until = now() + make_interval(secs => ended.keep)
    FROM unnest($1::bigint[], $2::integer[], $3::jsonb[], $4::double precision[])
        AS ended (id, attempt, result, keep)
    WHERE ",
    owned!("ended"),
);

/// Failures that are kept of a job: the last ones.
macro_rules! failures {
    () => {
        "CASE WHEN ended.error IS NULL THEN jobs.failures
         ELSE jsonb_path_query_array(
             jobs.failures || jsonb_build_object('attempt', jobs.attempt, 'at', now(), 'error', ended.error),
             '$[last - 9 to last]') END"
    };
}

/// Whether the job has ended. One that was to be cancelled has, also where it would have been
/// tried again.
macro_rules! is_end {
    () => {
        "(jobs.cancel_requested OR ended.state IN ('discarded', 'cancelled'))"
    };
}

const SETTLE: &str = concat!(
    "UPDATE jobs
     SET state = CASE WHEN cancel_requested THEN 'cancelled' ELSE ended.state END,
         worker_id = NULL, running_lane = NULL, cancel_requested = FALSE,
         attempts_max = attempts_max + CASE WHEN ended.counts THEN 0 ELSE 1 END,
         uncounted = uncounted + CASE WHEN ended.counts THEN 0 ELSE 1 END,
         run_at = CASE WHEN NOT ",
    is_end!(),
    " THEN now() + make_interval(secs => ended.delay) END,
         progress = CASE WHEN ",
    is_end!(),
    " THEN progress ELSE 0 END,
         error = coalesce(ended.error, jobs.error),
         failures = ",
    failures!(),
    ",
         unique_key = CASE WHEN NOT ",
    is_end!(),
    " THEN unique_key END,
         kept_key = CASE WHEN ",
    is_end!(),
    " THEN unique_key END,
         finished_at = CASE WHEN ",
    is_end!(),
    " THEN now() END,
         keep_until = CASE WHEN ",
    is_end!(),
    " THEN now() + make_interval(secs => ended.keep) END
     FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::double precision[], $5::boolean[], $6::text[],
         $7::double precision[]) AS ended (id, attempt, state, delay, counts, error, keep)
     WHERE ",
    owned!("ended"),
);

/// Writes down how attempts ended; how many of them were still theirs to end.
pub(in crate::queue) async fn settle(connection: &WriteConnection, ended: &[Ended]) -> Result<u64, DbError> {
    let (mut removed, mut completed, mut waiting) =
        (Removed::default(), Completed::default(), Waiting::default());
    for Ended { id, attempt, ending } in ended {
        match ending {
            Ending::Complete { keep, .. } if keep.is_zero() => {
                removed.ids.push(*id);
                removed.attempts.push(*attempt);
            }
            Ending::Complete { result, keep } => {
                completed.ids.push(*id);
                completed.attempts.push(*attempt);
                completed.results.push(result);
                completed.keep.push(seconds(*keep));
            }
            Ending::Wait { state, delay, counts, error } => {
                waiting.push(*id, *attempt, state.as_str(), *counts, error.as_deref());
                waiting.delays.push(seconds(*delay));
                // If it was cancelled meanwhile.
                waiting.keep.push(seconds(crate::queue::Retention::DEFAULT.failed));
            }
            Ending::End { state, error, keep } => {
                waiting.push(*id, *attempt, state.as_str(), true, error.as_deref());
                waiting.delays.push(0.0);
                waiting.keep.push(seconds(*keep));
            }
            Ending::Completed | Ending::Lost => {}
        }
    }
    let mut settled = 0;
    if !removed.ids.is_empty() {
        let Removed { ids, attempts } = &removed;
        settled += connection
            .execute_planned(REMOVE, &[(ids, Type::INT8_ARRAY), (attempts, Type::INT4_ARRAY)])
            .await?;
    }
    if !completed.ids.is_empty() {
        let Completed { ids, attempts, results, keep } = &completed;
        settled += connection
            .execute_planned(
                COMPLETE,
                &[
                    (ids, Type::INT8_ARRAY),
                    (attempts, Type::INT4_ARRAY),
                    (results, Type::JSONB_ARRAY),
                    (keep, Type::FLOAT8_ARRAY),
                ],
            )
            .await?;
    }
    if !waiting.ids.is_empty() {
        let Waiting { ids, attempts, states, delays, counts, errors, keep } = &waiting;
        settled += connection
            .execute_planned(
                SETTLE,
                &[
                    (ids, Type::INT8_ARRAY),
                    (attempts, Type::INT4_ARRAY),
                    (states, Type::TEXT_ARRAY),
                    (delays, Type::FLOAT8_ARRAY),
                    (counts, Type::BOOL_ARRAY),
                    (errors, Type::TEXT_ARRAY),
                    (keep, Type::FLOAT8_ARRAY),
                ],
            )
            .await?;
    }
    Ok(settled)
}

#[derive(Default)]
struct Removed {
    ids: Vec<i64>,
    attempts: Vec<i32>,
}

#[derive(Default)]
struct Completed<'a> {
    ids: Vec<i64>,
    attempts: Vec<i32>,
    results: Vec<&'a Value>,
    keep: Vec<f64>,
}

#[derive(Default)]
struct Waiting<'a> {
    ids: Vec<i64>,
    attempts: Vec<i32>,
    states: Vec<&'static str>,
    delays: Vec<f64>,
    counts: Vec<bool>,
    errors: Vec<Option<&'a str>>,
    keep: Vec<f64>,
}

impl<'a> Waiting<'a> {
    fn push(&mut self, id: i64, attempt: i32, state: &'static str, counts: bool, error: Option<&'a str>) {
        self.ids.push(id);
        self.attempts.push(attempt);
        self.states.push(state);
        self.counts.push(counts);
        self.errors.push(error);
    }
}

/// Ends the transaction once nobody has said anything in it for so long.
pub(in crate::queue) async fn idle_at_most(
    transaction: &Transaction,
    timeout: Duration,
) -> Result<(), DbError> {
    let timeout = timeout.as_millis().clamp(1, i32::MAX as u128);
    transaction.batch(&format!("SET LOCAL idle_in_transaction_session_timeout = {timeout}")).await
}

/// Completes a job in the transaction of its effect. `false`: it is no longer this attempt's.
pub(in crate::queue) async fn complete_in(
    transaction: &Transaction,
    id: i64,
    attempt: i32,
    result: Value,
    keep: Duration,
) -> Result<bool, DbError> {
    let (ids, attempts) = (vec![id], vec![attempt]);
    let ended = if keep.is_zero() {
        transaction.execute(REMOVE, &[&ids, &attempts]).await?
    } else {
        transaction.execute(COMPLETE, &[&ids, &attempts, &vec![result], &vec![seconds(keep)]]).await?
    };
    Ok(ended == 1)
}

pub(super) fn hot_statements() -> Vec<HotStatement> {
    vec![
        HotStatement::new("remove completed jobs", REMOVE, &["ARRAY[42]", "ARRAY[1]"]),
        HotStatement::new(
            "complete jobs",
            COMPLETE,
            &["ARRAY[42]", "ARRAY[1]", "ARRAY['{}']::jsonb[]", "ARRAY[60]"],
        ),
        HotStatement::new(
            "end attempts that did not complete their jobs",
            SETTLE,
            &[
                "ARRAY[42]",
                "ARRAY[1]",
                "ARRAY['retryable']",
                "ARRAY[10]",
                "ARRAY[TRUE]",
                "ARRAY['why']",
                "ARRAY[60]",
            ],
        ),
    ]
}
