//! GET `/api/products` and `/api/products/{id}`.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use tidewall_api::problem::Problem;
use tidewall_api::product::{Product, ProductPage};

use super::list::ListQuery;
use super::{freshness, parse_id, storage, unknown_product};
use crate::http::conditional;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::position::{self, ReadAfter};
use crate::shop::Shop;

/// A page of products.
#[utoipa::path(get, path = "/api/products", tag = "products",
    params(
        ("category" = Option<String>, Query, description = "Only products of this category"),
        ("q" = Option<String>, Query, description = "Only products whose name contains this"),
        ("page" = Option<u32>, Query, description = "From 1 to 10000; 1 unless given"),
        ("per_page" = Option<u32>, Query, description = "From 1 to 100; 24 unless given"),
        ("sort" = inline(Option<tidewall_api::product::ProductSort>), Query, description = "`id` unless given"),
    ),
    responses(
        (status = 200, description = "The page", body = ProductPage),
        (status = 304, description = "The client has it"),
        (status = 422, description = "A parameter is not known or not valid", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(shop): State<Shop>,
    ReadAfter(bookmark): ReadAfter,
    RawQuery(query): RawQuery,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let query = ListQuery::parse(query.as_deref())?;
    let ((rows, total), position) = shop
        .db
        .read_with(bookmark, |connection| {
            let query = query.clone();
            Box::pin(async move { storage::list(connection, &query).await })
        })
        .await?;
    let pictures = shop.images.now();
    let items = rows.into_iter().map(|row| row.view(&pictures)).collect();
    let page = ProductPage { items, total, page: query.page, per_page: query.per_page };
    let mut response = conditional::json(&request, &page)?;
    position::read_at(response.headers_mut(), position);
    freshness::of_list(shop.product_max_age, query.category.as_deref()).apply(response.headers_mut());
    Ok(response)
}

/// One product.
#[utoipa::path(get, path = "/api/products/{id}", tag = "products",
    params(("id" = i64, Path, description = "The product")),
    responses(
        (status = 200, description = "The product", body = Product),
        (status = 304, description = "The client has it"),
        (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(shop): State<Shop>,
    ReadAfter(bookmark): ReadAfter,
    Path(id): Path<String>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let id = parse_id(&id)?;
    let (row, position) =
        shop.db.read_with(bookmark, |connection| Box::pin(storage::find(connection, id))).await?;
    let (mut response, policy) = match row {
        Some(row) => {
            let product = row.view(&shop.images.now());
            (conditional::json(&request, &product)?, freshness::of_product(shop.product_max_age, id))
        }
        None => (unknown_product().into_response(), freshness::of_missing(id)),
    };
    position::read_at(response.headers_mut(), position);
    policy.apply(response.headers_mut());
    Ok(response)
}
