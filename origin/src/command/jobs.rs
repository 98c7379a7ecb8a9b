//! `jobs`: looks at background jobs, and acts on them by hand.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use tidewall_api::command::jobs::{self, JobsCommand};
use tidewall_api::job::JobState;

use super::database::DatabaseArgs;
use super::error::CommandError;
use super::output::{cell, json, print};
use crate::db::Db;
use crate::queue::{Filter, JobDetails, JobRow, Queue};
use crate::timestamp::rfc3339;

#[derive(Debug, Args)]
pub(super) struct JobsArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    asked: jobs::JobsArgs,
}

/// A job, as it is printed.
#[derive(Serialize)]
struct Shown {
    id: i64,
    kind: String,
    state: JobState,
    progress: f64,
    attempt: i32,
    attempts_max: i32,
    owner: Option<i64>,
    result: Option<Value>,
    error: Option<String>,
    created_at: String,
    run_at: Option<String>,
    finished_at: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    details: Option<ShownDetails>,
}

#[derive(Serialize)]
struct ShownDetails {
    priority: i16,
    version: i16,
    payload: Value,
    key: Option<String>,
    unique_key: Option<String>,
    started_at: Option<String>,
    worker: Option<String>,
    cancel_requested: bool,
    failures: Value,
}

impl From<JobRow> for Shown {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            progress: row.progress,
            attempt: row.attempt,
            attempts_max: row.attempts_max,
            owner: row.owner,
            result: row.result,
            error: row.error,
            created_at: rfc3339(row.created_at),
            run_at: row.run_at.map(rfc3339),
            finished_at: row.finished_at.map(rfc3339),
            details: None,
        }
    }
}

impl From<JobDetails> for Shown {
    fn from(job: JobDetails) -> Self {
        let details = ShownDetails {
            priority: job.priority,
            version: job.version,
            payload: job.payload,
            key: job.key,
            unique_key: job.unique_key,
            started_at: job.started_at.map(rfc3339),
            worker: job.worker,
            cancel_requested: job.cancel_requested,
            failures: job.failures,
        };
        Self { details: Some(details), ..Self::from(job.row) }
    }
}

pub(super) async fn jobs(args: JobsArgs) -> Result<(), CommandError> {
    let queue = Queue::new(Db::new(args.database.settings()?), None);
    let as_json = args.asked.json;
    let text = match args.asked.command {
        JobsCommand::List { state, kind, before, limit } => {
            let filter = Filter { state, kind, before, limit };
            let jobs: Vec<_> = queue.list(&filter).await?.into_iter().map(Shown::from).collect();
            let backlog = queue.backlog().await?;
            if as_json {
                json(&serde_json::json!({ "jobs": jobs, "kinds": backlog.kinds, "workers": backlog.workers }))
            } else {
                table(&jobs)
            }
        }
        JobsCommand::Show { id } => {
            let job = queue.details(id).await?.ok_or(CommandError::NoJob { id, what: "there is none" })?;
            json(&Shown::from(job))
        }
        JobsCommand::Retry { id } => {
            let what =
                "it isn't there, was neither discarded nor cancelled, or another job has its unique key";
            one(queue.retry(id).await?, id, what, as_json)?
        }
        JobsCommand::Cancel { id } => {
            one(queue.cancel(id).await?, id, "it isn't there, or has ended", as_json)?
        }
    };
    // Nobody is left to tell if stdout is closed.
    let _ = print(&text);
    Ok(())
}

fn one(job: Option<JobRow>, id: i64, what: &'static str, as_json: bool) -> Result<String, CommandError> {
    let job = Shown::from(job.ok_or(CommandError::NoJob { id, what })?);
    Ok(if as_json { json(&job) } else { table(&[job]) })
}

/// One line for each job, in columns.
fn table(jobs: &[Shown]) -> String {
    let mut text = format!(
        "{:>10}  {:<16} {:<10} {:>8}  {:>9}  {:<24}  error\n",
        "id", "kind", "state", "attempt", "progress", "created"
    );
    for job in jobs {
        let _ = writeln!(
            text,
            "{:>10}  {:<16} {:<10} {:>8}  {:>8.0}%  {:<24}  {}",
            job.id,
            cell(&job.kind),
            job.state.as_str(),
            format!("{}/{}", job.attempt, job.attempts_max),
            job.progress * 100.0,
            job.created_at,
            cell(job.error.as_deref().unwrap_or_default()),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(kind: &str, error: &str) -> Shown {
        Shown {
            id: 7,
            kind: kind.to_owned(),
            state: JobState::Discarded,
            progress: 0.5,
            attempt: 1,
            attempts_max: 5,
            owner: None,
            result: None,
            error: Some(error.to_owned()),
            created_at: "2026-01-01T00:00:00.000Z".to_owned(),
            run_at: None,
            finished_at: None,
            details: None,
        }
    }

    #[test]
    fn a_job_is_one_line_whatever_its_kind_and_error_say() {
        let nasty = "no\r\n\u{1b}[2J\u{9b}31m\u{7}\u{202e}";
        let text = table(&[job("report", nasty), job("a\nb", "none")]);
        assert_eq!(text.lines().count(), 3, "{text:?}");
        assert!(text.chars().all(|char| char == '\n' || !char.is_control()), "{text:?}");
        assert!(text.contains("no\\r\\n\\u{1b}[2J\\u{9b}31m\\u{7}\\u{202e}"), "{text:?}");
        assert!(
            text.contains("  a\\nb             discarded"),
            "a column is as wide as what is shown: {text:?}"
        );
    }
}
