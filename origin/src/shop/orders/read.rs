//! GET `/api/orders` and `/api/orders/{id}`.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use tidewall_api::order::{Order, OrderPage};
use tidewall_api::problem::Problem;
use tidewall_api::product::{PAGE_MAX, PER_PAGE_DEFAULT, PER_PAGE_MAX};

use super::storage;
use crate::http::accounts::Caller;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::position::{self, ReadAfter};
use crate::http::query::{self, number};
use crate::shop::{Shop, parse_id};

/// A page of the orders of whoever asks, the newest first.
#[utoipa::path(get, path = "/api/orders", tag = "orders",
    params(
        ("page" = Option<u32>, Query, description = "From 1 to 10000; 1 unless given"),
        ("per_page" = Option<u32>, Query, description = "From 1 to 100; 24 unless given"),
    ),
    responses(
        (status = 200, description = "The page", body = OrderPage),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is not known or not valid", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(shop): State<Shop>,
    caller: Caller,
    ReadAfter(bookmark): ReadAfter,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let (mut page, mut per_page) = (1, PER_PAGE_DEFAULT);
    query::read(query.as_deref(), |name, value| {
        match name {
            "page" => page = number(value, PAGE_MAX)?,
            "per_page" => per_page = number(value, PER_PAGE_MAX)?,
            _ => return Err("is not known here; known are page, per_page".to_owned()),
        }
        Ok(())
    })?;
    let user = caller.user().id;
    let (limit, offset) = (i64::from(per_page), i64::from(page - 1) * i64::from(per_page));
    let ((items, total), position) = shop
        .db
        .read_with(bookmark, |connection| Box::pin(storage::list(connection, user, limit, offset)))
        .await?;
    let mut response = Json(OrderPage { items, total, page, per_page }).into_response();
    position::read_at(response.headers_mut(), position);
    Ok(response)
}

/// An order of whoever asks.
#[utoipa::path(get, path = "/api/orders/{id}", tag = "orders",
    params(("id" = i64, Path, description = "The order")),
    responses(
        (status = 200, description = "The order", body = Order),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(shop): State<Shop>,
    caller: Caller,
    ReadAfter(bookmark): ReadAfter,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::NotFound("There is no such order.".to_owned());
    let (user, id) = (caller.user().id, parse_id(&id).ok_or_else(unknown)?);
    let (order, position) =
        shop.db.read_with(bookmark, |connection| Box::pin(storage::find(connection, user, id))).await?;
    let mut response = Json(order.ok_or_else(unknown)?).into_response();
    position::read_at(response.headers_mut(), position);
    Ok(response)
}
