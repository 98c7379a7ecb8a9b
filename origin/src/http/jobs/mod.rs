//! `/api/jobs/{id}`: how a job stands, the link to what it made, and its end by hand.
//!
//! - `events`: the same as a stream; `snapshot`: what that tells next. Pure.

mod events;
mod snapshot;

use std::time::Duration;

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tidewall_api::job::{Job, JobResult};
use tidewall_api::problem::Problem;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

pub(super) use events::{__path_follow, follow};

use super::accounts::{Accounts, Caller};
use super::error::ApiError;
use super::idempotency::Answer;
use super::position;
use super::streams::Streams;
use crate::db::{Lsn, WriteConnection};
use crate::files::{LinkKey, Made};
use crate::http::path::Path;
use crate::queue::{JobRow, Queue};
use crate::shutdown::Shutdown;
use crate::timestamp::rfc3339;

/// What the routes over jobs need.
#[derive(Clone)]
pub struct Jobs {
    /// Where jobs are kept.
    pub queue: Queue,
    /// Signs the links to what they made.
    pub links: LinkKey,
}

/// What the routes of this module need.
#[derive(Clone)]
pub(super) struct JobRoutes {
    jobs: Jobs,
    accounts: Accounts,
    streams: Streams,
    watcher: events::JobWatcher,
    shutdown: Shutdown,
}

impl JobRoutes {
    pub(super) fn new(jobs: Jobs, accounts: Accounts, streams: Streams, shutdown: Shutdown) -> Self {
        let watcher = events::watcher(&jobs);
        Self { jobs, accounts, streams, watcher, shutdown }
    }
}

impl FromRef<JobRoutes> for Accounts {
    fn from_ref(routes: &JobRoutes) -> Self {
        routes.accounts.clone()
    }
}

impl Jobs {
    /// The job as its owner sees it. The link is made now, so it works for its
    /// full lifetime after whoever asks has got it.
    pub fn view(&self, job: JobRow, now: OffsetDateTime) -> Result<Job, ApiError> {
        // Kinds that make nothing have nothing to fetch.
        let made = job.result.and_then(|result| serde_json::from_value::<Made>(result).ok());
        let result = made.map(|made| JobResult { url: made.url(&self.links, now) });
        Ok(Job {
            id: job.id,
            kind: job.kind,
            state: job.state,
            progress: job.progress,
            attempt: job.attempt,
            attempts_max: job.attempts_max,
            result,
            error: job.error,
            created_at: rfc3339(job.created_at),
            finished_at: job.finished_at.map(rfc3339),
        })
    }

    /// The answer to whoever asked for what `job` does: 202, and where to follow it.
    pub fn accepted(&self, job: JobRow) -> Result<Answer, ApiError> {
        let job = self.view(job, OffsetDateTime::now_utc())?;
        let location = format!("/api/jobs/{}", job.id);
        Ok(Answer::json(StatusCode::ACCEPTED, &job)?.at(location))
    }
}

/// How a job of one's own stands; those who work here see all.
#[utoipa::path(get, path = "/api/jobs/{id}", tag = "jobs",
    params(("id" = i64, Path, description = "The job")),
    responses(
        (status = 200, description = "The job", body = Job),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such job", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(JobRoutes { jobs, .. }): State<JobRoutes>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let (connection, job) = find(&jobs, &caller, &id).await?;
    let position = effect(&connection, &job).await;
    drop(connection);
    let mut response = axum::Json(jobs.view(job, OffsetDateTime::now_utc())?).into_response();
    position::written(response.headers_mut(), position);
    Ok(response)
}

/// How long an answer waits for a worker to stop the job.
const CANCEL_MAX: Duration = Duration::from_secs(2);
/// How often is looked whether it has.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// Cancels a job of one's own; those who work here may cancel all. One that waits never runs;
/// one that runs is stopped by its worker, which takes a moment.
#[utoipa::path(delete, path = "/api/jobs/{id}", tag = "jobs",
    params(("id" = i64, Path, description = "The job")),
    responses(
        (status = 200, description = "Cancelled, or it had ended before: the job says which", body = Job),
        (status = 202, description = "Will be stopped", body = Job),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such job", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn cancel(
    State(JobRoutes { jobs, .. }): State<JobRoutes>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let (mut connection, mut job) = find(&jobs, &caller, &id).await?;
    if !snapshot::is_finished(&job) {
        // Others may have it meanwhile.
        drop(connection);
        jobs.queue.cancel(job.id).await?;
        let until = Instant::now() + CANCEL_MAX;
        loop {
            (connection, job) = find(&jobs, &caller, &id).await?;
            if snapshot::is_finished(&job) || Instant::now() >= until {
                break;
            }
            drop(connection);
            sleep(CANCEL_POLL).await;
        }
    }
    let status = if snapshot::is_finished(&job) { StatusCode::OK } else { StatusCode::ACCEPTED };
    let position = effect(&connection, &job).await;
    drop(connection);
    let mut response = (status, axum::Json(jobs.view(job, OffsetDateTime::now_utc())?)).into_response();
    position::written(response.headers_mut(), position);
    Ok(response)
}

/// The job that is named, if the caller may see it, and the connection that read it. It is the
/// primary's: whoever waits for a job must not see it go back in time.
async fn find(jobs: &Jobs, caller: &Caller, id: &str) -> Result<(WriteConnection, JobRow), ApiError> {
    let unknown = || ApiError::NotFound("There is no such job.".to_owned());
    let id = id.parse().map_err(|_| unknown())?;
    let connection = jobs.queue.db().writer().await?;
    let job = Queue::find(&connection, id).await?;
    let user = caller.user();
    // Of others' jobs nobody hears that they exist.
    let job = job.filter(|job| user.staff || job.owner == Some(user.id)).ok_or_else(unknown)?;
    Ok((connection, job))
}

/// Where in the log a finished job's effect can be seen (W6): it has ended by what was read, so
/// a position that is asked after that is past it.
async fn effect(connection: &WriteConnection, job: &JobRow) -> Option<Lsn> {
    if snapshot::is_finished(job) { connection.flushed().await.ok() } else { None }
}
