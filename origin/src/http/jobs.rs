//! GET `/api/jobs/{id}`: how a job stands, and the link to what it made.

use axum::Json;
use axum::extract::{FromRef, Path, State};
use tidewall_api::job::{Job, JobResult};
use tidewall_api::problem::Problem;
use time::OffsetDateTime;

use super::accounts::{Accounts, Caller};
use super::error::ApiError;
use crate::db::Db;
use crate::files::{LinkKey, Made};
use crate::queue::{self, JobRow};
use crate::timestamp::rfc3339;

/// What the routes over jobs need.
#[derive(Clone)]
pub struct Jobs {
    /// Where jobs are kept.
    pub db: Db,
    /// Signs the links to what they made.
    pub links: LinkKey,
}

/// What the routes of this module need.
#[derive(Clone)]
pub(super) struct JobRoutes {
    pub(super) jobs: Jobs,
    pub(super) accounts: Accounts,
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
        let result = match job.result {
            Some(result) => {
                let made: Made = serde_json::from_value(result).map_err(ApiError::internal)?;
                Some(JobResult { url: made.url(&self.links, now) })
            }
            None => None,
        };
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
) -> Result<Json<Job>, ApiError> {
    let unknown = || ApiError::NotFound("There is no such job.".to_owned());
    let id = id.parse().map_err(|_| unknown())?;
    // The primary's: whoever waits for a job must not see it go back in time.
    let connection = jobs.db.writer().await?;
    let job = queue::find(&connection, id).await?;
    let user = caller.user();
    // Of others' jobs nobody hears that they exist.
    let job = job.filter(|job| user.staff || job.owner == Some(user.id)).ok_or_else(unknown)?;
    jobs.view(job, OffsetDateTime::now_utc()).map(Json)
}
