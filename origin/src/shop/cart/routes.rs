//! `/api/cart` and `/api/cart/{product}`.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tidewall_api::cart::{Cart, CartItem, CartQuantity, LINES_MAX, QUANTITY_MAX};
use tidewall_api::problem::Problem;

use super::storage::{self, Line};
use crate::db::{DbError, Written};
use crate::http::accounts::Caller;
use crate::http::error::{ApiError, FieldErrors};
use crate::http::json::Json;
use crate::http::path::Path;
use crate::http::position::{self, ReadAfter};
use crate::shop::Shop;
use crate::shop::products::{parse_id, unknown_product};

/// The cart of whoever asks.
#[utoipa::path(get, path = "/api/cart", tag = "cart",
    responses(
        (status = 200, description = "The cart", body = Cart),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(shop): State<Shop>,
    caller: Caller,
    ReadAfter(bookmark): ReadAfter,
) -> Result<Response, ApiError> {
    let user = caller.user().id;
    let (lines, position) =
        shop.db.read_with(bookmark, |connection| Box::pin(storage::lines(connection, user))).await?;
    let mut response = Answer(view(&shop, lines)).into_response();
    position::read_at(response.headers_mut(), position);
    Ok(response)
}

/// Has so many of a product in the cart; none takes it out. The answer is the cart.
#[utoipa::path(put, path = "/api/cart/{product}", tag = "cart", request_body = CartQuantity,
    params(("product" = i64, Path, description = "The product")),
    responses(
        (status = 200, description = "The cart as it is now", body = Cart),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The cart is full", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn put(
    State(shop): State<Shop>,
    caller: Caller,
    Path(product): Path<String>,
    Json(CartQuantity { quantity }): Json<CartQuantity>,
) -> Result<Response, ApiError> {
    let (user, product) = (caller.user().id, parse_id(&product)?);
    if !(0..=QUANTITY_MAX).contains(&quantity) {
        return Err(ApiError::invalid("quantity", format!("must be 0 to {QUANTITY_MAX}")));
    }
    let written = shop.db.write(async |transaction| {
        storage::lock(transaction, user).await?;
        if quantity == 0 {
            storage::remove(transaction, user, product).await?;
        } else if !storage::put(transaction, user, product, quantity).await? {
            return Err(unknown_product());
        }
        let lines = storage::lines_now(transaction, user).await?;
        if quantity > 0 && lines.len() > LINES_MAX {
            return Err(full());
        }
        Ok(lines)
    });
    let Written { value: lines, position } = written.await?;
    let mut response = Answer(view(&shop, lines)).into_response();
    position::written(response.headers_mut(), position);
    Ok(response)
}

/// Takes a product out of the cart.
#[utoipa::path(delete, path = "/api/cart/{product}", tag = "cart",
    params(("product" = i64, Path, description = "The product")),
    responses(
        (status = 204, description = "It isn't in the cart"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No possible product", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    State(shop): State<Shop>,
    caller: Caller,
    Path(product): Path<String>,
) -> Result<Response, ApiError> {
    let (user, product) = (caller.user().id, parse_id(&product)?);
    emptied(shop.db.write(async |transaction| storage::remove(transaction, user, product).await).await)
}

/// Empties the cart.
#[utoipa::path(delete, path = "/api/cart", tag = "cart",
    responses(
        (status = 204, description = "It is empty"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn clear(State(shop): State<Shop>, caller: Caller) -> Result<Response, ApiError> {
    let user = caller.user().id;
    emptied(shop.db.write(async |transaction| storage::clear(transaction, user).await).await)
}

fn emptied(written: Result<Written<()>, DbError>) -> Result<Response, ApiError> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    position::written(response.headers_mut(), written?.position);
    Ok(response)
}

fn full() -> ApiError {
    ApiError::Conflict {
        slug: "cart-full",
        title: "Cart full",
        detail: format!("A cart holds {LINES_MAX} different products. Order them, or take one out."),
        errors: FieldErrors::new(),
    }
}

fn view(shop: &Shop, lines: Vec<Line>) -> Cart {
    let pictures = shop.images.now();
    let items: Vec<CartItem> = lines
        .into_iter()
        .map(|line| CartItem { product: line.product.view(&pictures), quantity: line.quantity })
        .collect();
    let total_cents = items.iter().map(|item| item.product.price_cents * i64::from(item.quantity)).sum();
    Cart { items, total_cents }
}
