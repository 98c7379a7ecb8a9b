//! `/api/ops/…`: how it goes, for those who work here.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRef, RawQuery, State};
use serde_json::{Value, json};
use tidewall_api::problem::Problem;

use super::accounts::{Accounts, Staff};
use super::error::ApiError;
use super::query;
use crate::queue::Queue;

/// How soon everything that is due is to be done, unless the question says so.
const TARGET_SECONDS: u32 = 60;
/// A week.
const TARGET_SECONDS_MAX: u32 = 604_800;

/// What the routes of this module need.
#[derive(Clone)]
pub(super) struct Ops {
    pub(super) queue: Queue,
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
    let backlog = ops.queue.backlog().await?;
    let needed = backlog.workers_needed(Duration::from_secs(target.into()));
    Ok(Json(json!({
        "kinds": backlog.kinds,
        "workers": backlog.workers,
        "target_seconds": target,
        "workers_needed": needed,
    })))
}
