//! POST `/api/reports`.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tidewall_api::job::{Job, ReportRequest};
use tidewall_api::problem::Problem;
use time::OffsetDateTime;

use super::make::ReportHandler;
use super::range::DayRange;
use crate::db::Written;
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::position;
use crate::queue::{self, NewJob};
use crate::shop::Shop;

/// Asks for a report; it is made in the background.
#[utoipa::path(post, path = "/api/reports", tag = "reports", request_body = ReportRequest,
    responses(
        (status = 202, description = "Will be made; `Location` names the job", body = Job),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ask(
    State(shop): State<Shop>,
    Json(request): Json<ReportRequest>,
) -> Result<Response, ApiError> {
    DayRange::of(&request)?;
    let job = NewJob::of::<ReportHandler>(&request).map_err(ApiError::internal)?;
    let Written { value: job, position } =
        shop.db.write(async |transaction| queue::enqueue(transaction, &job).await).await?;
    let job = shop.jobs.view(job, OffsetDateTime::now_utc())?;
    let location = HeaderValue::try_from(format!("/api/jobs/{}", job.id)).map_err(ApiError::internal)?;
    let mut response = (StatusCode::ACCEPTED, [(LOCATION, location)], axum::Json(job)).into_response();
    position::written(response.headers_mut(), position);
    Ok(response)
}
