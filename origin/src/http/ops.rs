//! `/api/ops/…`: how it goes, for those who work here.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRef, RawQuery, State};
use serde_json::{Value, json};
use tidewall_api::job::{Job, JobState};
use tidewall_api::ops::{self, Overview};
use tidewall_api::problem::Problem;
use time::OffsetDateTime;

use super::accounts::{Accounts, Staff};
use super::error::ApiError;
use super::jobs::Jobs;
use super::path::Path;
use super::query;
use crate::outbox::Outbox;
use crate::queue::{Filter, JobRow};

/// How soon everything that is due is to be done, unless the question says so.
const TARGET_SECONDS: u32 = 60;
/// A week.
const TARGET_SECONDS_MAX: u32 = 604_800;

/// What the routes of this module need.
#[derive(Clone)]
pub(super) struct Ops {
    pub(super) jobs: Jobs,
    pub(super) outbox: Outbox,
    pub(super) accounts: Accounts,
}

impl FromRef<Ops> for Accounts {
    fn from_ref(ops: &Ops) -> Self {
        ops.accounts.clone()
    }
}

/// What waits in the queue, how long it will take, and how many workers it needs so that what
/// waits now is done in time.
#[utoipa::path(get, path = "/api/ops/queue", tag = "operation",
    params(("target_seconds" = Option<u32>, Query, description = "In which time; 60 unless said")),
    responses(
        (status = 200, description = "By kind: jobs by state, the oldest one's age, rates, and the time until all is done; the workers; the workers needed", body = Object),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn queue(
    State(ops): State<Ops>,
    _staff: Staff,
    RawQuery(parameters): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut target = TARGET_SECONDS;
    query::read(parameters.as_deref(), |name, value| match name {
        "target_seconds" => query::number(value, TARGET_SECONDS_MAX).map(|seconds| target = seconds),
        _ => Err("is no parameter of this".to_owned()),
    })?;
    let backlog = ops.jobs.queue.backlog().await?;
    let needed = backlog.workers_needed(Duration::from_secs(target.into()));
    Ok(Json(json!({
        "kinds": backlog.kinds,
        "workers": backlog.workers,
        "target_seconds": target,
        "workers_needed": needed,
    })))
}

/// Jobs of an answer.
const JOBS_SHOWN: u32 = 50;

/// The newest jobs of anybody.
#[utoipa::path(get, path = "/api/ops/jobs", tag = "operation",
    params(("state" = Option<String>, Query, description = "Only jobs in this state")),
    responses(
        (status = 200, description = "The jobs", body = ops::Jobs),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn jobs(
    State(ops): State<Ops>,
    _staff: Staff,
    RawQuery(parameters): RawQuery,
) -> Result<Json<ops::Jobs>, ApiError> {
    let mut filter = Filter { limit: JOBS_SHOWN, ..Filter::default() };
    query::read(parameters.as_deref(), |name, value| match name {
        "state" => {
            filter.state = Some(JobState::parse(value).ok_or("is no state of a job")?);
            Ok(())
        }
        _ => Err("is no parameter of this".to_owned()),
    })?;
    let now = OffsetDateTime::now_utc();
    let rows = ops.jobs.queue.list(&filter).await?;
    // Links to what jobs made are for who asks for one of them.
    let rows = rows.into_iter().map(|row| JobRow { result: None, ..row });
    let items = rows.map(|row| ops.jobs.view(row, now)).collect::<Result<_, _>>()?;
    Ok(Json(ops::Jobs { items }))
}

/// Has a job that failed for good, or was cancelled, run again. (`DELETE /api/jobs/{id}` cancels one.)
#[utoipa::path(post, path = "/api/ops/jobs/{id}/retry", tag = "operation",
    params(("id" = i64, Path, description = "The job")),
    responses(
        (status = 200, description = "The job, which waits for its turn", body = Job),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No job can have this number", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has not ended so, or another one has its key", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn retry(
    State(ops): State<Ops>,
    _staff: Staff,
    Path(id): Path<i64>,
) -> Result<Json<Job>, ApiError> {
    let job: Option<JobRow> = ops.jobs.queue.retry(id).await?;
    let job = job.ok_or_else(|| ApiError::Conflict {
        slug: "not-retried",
        title: "Not retried",
        detail:
            "Only jobs that failed for good, or were cancelled, run again, and none of which another has \
                 the unique key."
                .to_owned(),
        errors: Default::default(),
    })?;
    Ok(Json(ops.jobs.view(job, OffsetDateTime::now_utc())?))
}

/// The database's servers and the edges, as this origin sees them.
#[utoipa::path(get, path = "/api/ops/overview", tag = "operation",
    responses(
        (status = 200, description = "How it goes", body = Overview),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn overview(State(ops): State<Ops>, _staff: Staff) -> Json<Overview> {
    let edges = ops.outbox.edges().await;
    Json(Overview { servers: ops.jobs.queue.db().servers(), edges })
}
