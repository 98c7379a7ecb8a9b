//! POST `/api/reports`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use tidewall_api::account::User;
use tidewall_api::job::{Job, ReportRequest};
use tidewall_api::problem::Problem;

use super::make::{Of, Report, ReportHandler};
use super::range::DayRange;
use crate::db::{Transaction, Written};
use crate::http::accounts::{Caller, Client};
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::position;
use crate::queue::NewJob;
use crate::shop::Shop;

/// Asks for a report; it is made in the background. Under the same `Idempotency-Key` that is
/// done once.
#[utoipa::path(post, path = "/api/reports", tag = "reports", request_body = ReportRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "A name for this report")),
    responses(
        (status = 202, description = "Will be made; `Location` names the job", body = Job),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too often", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ask(
    State(shop): State<Shop>,
    client: Client,
    caller: Caller,
    key: IdempotencyKey,
    Json(request): Json<ReportRequest>,
) -> Result<Response, ApiError> {
    DayRange::of(&request)?;
    shop.accounts.limit(&client, "report", shop.accounts.limits.reports_per_minute).await?;
    let User { id, staff, .. } = *caller.user();
    let report = Report { request, of: if staff { Of::All } else { Of::Customer(id) } };
    // One of each owner's at a time, so that who wants many doesn't hold up the others.
    let job =
        NewJob::of::<ReportHandler>(&report).map_err(ApiError::internal)?.owned_by(id).key(id.to_string());
    let asked = shop.db.write(async |transaction| {
        let enqueue = async |transaction: &Transaction| {
            shop.jobs.accepted(shop.jobs.queue.enqueue(transaction, &job).await?.job)
        };
        key.once(transaction, id, "POST /api/reports", &report, enqueue).await
    });
    let Written { value: answer, position } = asked.await?;
    let mut response = answer.into_response();
    position::written(response.headers_mut(), position);
    Ok(response)
}
