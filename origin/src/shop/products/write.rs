//! POST `/api/products`; PUT and DELETE `/api/products/{id}`.

use axum::extract::State;
use axum::http::header::CONTENT_LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tidewall_api::problem::Problem;
use tidewall_api::product::{Product, ProductInput};

use super::{freshness, input, parse_id, storage, unknown_product};
use crate::db::{DbError, Lsn, Transaction, Written};
use crate::http::accounts::Staff;
use crate::http::error::ApiError;
use crate::http::idempotency::{Answer, IdempotencyKey};
use crate::http::json::Json;
use crate::http::path::Path;
use crate::http::{caching, conditional, position};
use crate::outbox::{Invalidated, Invalidation};
use crate::shop::{Shop, groups};

/// Adds a product. Under the same `Idempotency-Key` that is done once.
#[utoipa::path(post, path = "/api/products", tag = "products", request_body = ProductInput,
    params(("Idempotency-Key" = Option<String>, Header, description = "A name for this write")),
    responses(
        (status = 201, description = "Added; `Location` names it", body = Product),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, or sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create(
    State(shop): State<Shop>,
    Staff(claims): Staff,
    key: IdempotencyKey,
    Json(input): Json<ProductInput>,
) -> Result<Response, ApiError> {
    input::validate(&input)?;
    let created = shop.db.write(async |transaction| {
        let insert = async |transaction: &Transaction| {
            let row = storage::insert(transaction, &input).await?;
            let invalidated = invalidate(&shop, transaction, groups::of_added(row.id, &row.category)).await?;
            let location = format!("/api/products/{}", row.id);
            let mut fields = HeaderMap::new();
            caching::invalidated(&mut fields, &invalidated);
            let product = row.view(&shop.images.now());
            Ok(Answer::json(StatusCode::CREATED, &product)?.at(location).with_all(&fields))
        };
        key.once(transaction, claims.user.id, "POST /api/products", &input, insert).await
    });
    let Written { value: answer, position } = created.await?;
    let mut response = answer.into_response();
    position::written(response.headers_mut(), position);
    Ok(response)
}

/// Replaces a product. The answer is what a GET would answer now, and says so: a cache may
/// keep it in that one's place.
#[utoipa::path(put, path = "/api/products/{id}", tag = "products", request_body = ProductInput,
    params(("id" = i64, Path, description = "The product")),
    responses(
        (status = 200, description = "Its new state", body = Product),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, or sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
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
    _: Staff,
    Path(id): Path<String>,
    Json(input): Json<ProductInput>,
) -> Result<Response, ApiError> {
    let id = parse_id(&id)?;
    input::validate(&input)?;
    let Written { value: replaced, position } = shop
        .db
        .write(async |transaction| {
            let Some((row, left)) = storage::replace(transaction, id, &input).await? else { return Ok(None) };
            let invalidated =
                invalidate(&shop, transaction, groups::of_replaced(id, &left, &row.category)).await?;
            Ok::<_, DbError>(Some((row, invalidated)))
        })
        .await?;
    let (row, invalidated) = replaced.ok_or_else(unknown_product)?;
    let mut response = conditional::tagged(&row.view(&shop.images.now()))?;
    response.headers_mut().insert(CONTENT_LOCATION, path(id)?);
    freshness::of_product(shop.product_max_age, id).apply(response.headers_mut());
    Ok(written(response, position, &invalidated))
}

/// Deletes a product. Orders of it keep what was agreed on.
#[utoipa::path(delete, path = "/api/products/{id}", tag = "products",
    params(("id" = i64, Path, description = "The product")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, or sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    State(shop): State<Shop>,
    _: Staff,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = parse_id(&id)?;
    let Written { value: deleted, position } = shop
        .db
        .write(async |transaction| {
            let Some(left) = storage::delete(transaction, id).await? else { return Ok(None) };
            invalidate(&shop, transaction, groups::of_deleted(id, &left)).await.map(Some)
        })
        .await?;
    let invalidated = deleted.ok_or_else(unknown_product)?;
    Ok(written(StatusCode::NO_CONTENT.into_response(), position, &invalidated))
}

fn path(id: i64) -> Result<HeaderValue, ApiError> {
    HeaderValue::try_from(format!("/api/products/{id}")).map_err(ApiError::internal)
}

/// Writes down what the write of one product makes invalid.
async fn invalidate(
    shop: &Shop,
    transaction: &Transaction,
    groups: Vec<String>,
) -> Result<Invalidated, DbError> {
    shop.outbox.enqueue(transaction, Invalidation::of_groups(groups)).await
}

/// Adds to a write's answer what it made invalid and at which position it can be seen.
fn written(mut response: Response, position: Option<Lsn>, invalidated: &Invalidated) -> Response {
    caching::invalidated(response.headers_mut(), invalidated);
    position::written(response.headers_mut(), position);
    response
}
