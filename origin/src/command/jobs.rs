//! `jobs`: looks at background jobs, and acts on them by hand.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;
use tidewall_api::job::JobState;

use super::database::DatabaseArgs;
use super::error::CommandError;
use crate::db::Db;
use crate::queue::{Filter, JobDetails, JobRow, Queue};
use crate::timestamp::rfc3339;

#[derive(Debug, Args)]
pub(super) struct JobsArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: JobsCommand,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// List the newest jobs, and what waits
    List {
        /// Only those in this state; `discarded` are the dead letters
        #[arg(long)]
        state: Option<StateArg>,
        /// Only those of this kind
        #[arg(long)]
        kind: Option<String>,
        /// Only those older than this one
        #[arg(long, value_name = "ID")]
        before: Option<i64>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// Show all that is kept of a job, less its secrets
    Show {
        /// The job
        id: i64,
    },
    /// Have a discarded or cancelled job run again
    Retry {
        /// The job
        id: i64,
    },
    /// Cancel a job that has not ended; one that runs is stopped by its worker
    Cancel {
        /// The job
        id: i64,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateArg {
    Available,
    Scheduled,
    Running,
    Retryable,
    Completed,
    Discarded,
    Cancelled,
}

impl From<StateArg> for JobState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Available => Self::Available,
            StateArg::Scheduled => Self::Scheduled,
            StateArg::Running => Self::Running,
            StateArg::Retryable => Self::Retryable,
            StateArg::Completed => Self::Completed,
            StateArg::Discarded => Self::Discarded,
            StateArg::Cancelled => Self::Cancelled,
        }
    }
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
    let text = match args.command {
        JobsCommand::List { state, kind, before, limit } => {
            let filter = Filter { state: state.map(JobState::from), kind, before, limit };
            let jobs: Vec<_> = queue.list(&filter).await?.into_iter().map(Shown::from).collect();
            let backlog = queue.backlog().await?;
            if args.json {
                json(&serde_json::json!({ "jobs": jobs, "kinds": backlog.kinds, "workers": backlog.workers }))
            } else {
                table(&jobs)
            }
        }
        JobsCommand::Show { id } => {
            let job = queue.details(id).await?.ok_or(CommandError::NoJob { id, what: "there is none" })?;
            json(&serde_json::to_value(Shown::from(job)).unwrap_or_default())
        }
        JobsCommand::Retry { id } => {
            let what = "it isn't there, or was neither discarded nor cancelled";
            one(queue.retry(id).await?, id, what, args.json)?
        }
        JobsCommand::Cancel { id } => {
            one(queue.cancel(id).await?, id, "it isn't there, or has ended", args.json)?
        }
    };
    // Nobody is left to tell if stdout is closed.
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
    Ok(())
}

fn one(job: Option<JobRow>, id: i64, what: &'static str, as_json: bool) -> Result<String, CommandError> {
    let job = Shown::from(job.ok_or(CommandError::NoJob { id, what })?);
    Ok(if as_json { json(&serde_json::to_value(job).unwrap_or_default()) } else { table(&[job]) })
}

fn json(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
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
            job.kind,
            job.state.as_str(),
            format!("{}/{}", job.attempt, job.attempts_max),
            job.progress * 100.0,
            job.created_at,
            job.error.as_deref().unwrap_or_default(),
        );
    }
    text
}
