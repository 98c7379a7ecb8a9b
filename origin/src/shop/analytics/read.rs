//! GET `/api/analytics/daily`.

use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tidewall_api::analytics::DailySales;
use tidewall_api::problem::Problem;

use super::{days, storage};
use crate::http::caching::CachePolicy;
use crate::http::conditional;
use crate::http::error::ApiError;
use crate::http::position::{self, ReadAfter};
use crate::shop::products::{STALE_IF_ERROR, STALE_WHILE_REVALIDATE};
use crate::shop::{Shop, groups};

/// Shared caches may answer with it for so long. Each order takes it back before.
const MAX_AGE: Duration = Duration::from_secs(300);

/// What was sold, by day and category, on the last days that have orders.
#[utoipa::path(get, path = "/api/analytics/daily", tag = "analytics",
    params(("days" = Option<u32>, Query, description = "How many days, from 1 to 365; 30 unless given")),
    responses(
        (status = 200, description = "The sales", body = DailySales),
        (status = 304, description = "The client has it"),
        (status = 422, description = "A parameter is not known or not valid", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn daily(
    State(shop): State<Shop>,
    ReadAfter(bookmark): ReadAfter,
    RawQuery(query): RawQuery,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let days = days::parse(query.as_deref())?;
    let (sales, position) =
        shop.db.read_with(bookmark, move |connection| Box::pin(storage::daily(connection, days))).await?;
    let mut response = conditional::json(&request, &sales)?;
    position::read_at(response.headers_mut(), position);
    let policy = CachePolicy {
        max_age: MAX_AGE,
        stale_while_revalidate: Some(STALE_WHILE_REVALIDATE),
        stale_if_error: Some(STALE_IF_ERROR),
        groups: vec![groups::ORDERS.to_owned()],
    };
    policy.apply(response.headers_mut());
    Ok(response)
}
