//! POST `/api/products`; PUT and DELETE `/api/products/{id}`.

use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tidewall_api::problem::Problem;
use tidewall_api::product::{Product, ProductInput};

use super::{groups, input, parse_id, storage, unknown_product};
use crate::db::{Lsn, Written};
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::{caching, position};
use crate::shop::Shop;

/// Adds a product.
#[utoipa::path(post, path = "/api/products", tag = "products", request_body = ProductInput,
    responses(
        (status = 201, description = "Added; `Location` names it", body = Product),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create(
    State(shop): State<Shop>,
    Json(input): Json<ProductInput>,
) -> Result<Response, ApiError> {
    input::validate(&input)?;
    let Written { value: row, position } =
        shop.db.write(async |transaction| storage::insert(transaction, &input).await).await?;
    let product = row.view(&shop.images);
    let (id, category) = (product.id, product.category.clone());
    let location = HeaderValue::try_from(format!("/api/products/{id}")).map_err(ApiError::internal)?;
    let response = (StatusCode::CREATED, [(LOCATION, location)], axum::Json(product)).into_response();
    Ok(written(response, position, id, &[&category]))
}

/// Replaces a product.
#[utoipa::path(put, path = "/api/products/{id}", tag = "products", request_body = ProductInput,
    params(("id" = i64, Path, description = "The product")),
    responses(
        (status = 200, description = "Its new state", body = Product),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn replace(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    Json(input): Json<ProductInput>,
) -> Result<Response, ApiError> {
    let id = parse_id(&id)?;
    input::validate(&input)?;
    let Written { value: replaced, position } =
        shop.db.write(async |transaction| storage::replace(transaction, id, &input).await).await?;
    let (row, left) = replaced.ok_or_else(unknown_product)?;
    let entered = row.category.clone();
    let response = axum::Json(row.view(&shop.images)).into_response();
    Ok(written(response, position, id, &[&left, &entered]))
}

/// Deletes a product. Orders of it keep what was agreed on.
#[utoipa::path(delete, path = "/api/products/{id}", tag = "products",
    params(("id" = i64, Path, description = "The product")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(State(shop): State<Shop>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let id = parse_id(&id)?;
    let Written { value: deleted, position } =
        shop.db.write(async |transaction| storage::delete(transaction, id).await).await?;
    let left = deleted.ok_or_else(unknown_product)?;
    Ok(written(StatusCode::NO_CONTENT.into_response(), position, id, &[&left]))
}

/// Adds to a write's answer what it invalidates and at which position it can be seen.
fn written(mut response: Response, position: Option<Lsn>, id: i64, categories: &[&str]) -> Response {
    caching::invalidate(response.headers_mut(), &groups::of_write(id, categories));
    position::written(response.headers_mut(), position);
    response
}
