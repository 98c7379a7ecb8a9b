//! POST `/api/orders`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tidewall_api::order::{NewOrder, Order};
use tidewall_api::problem::Problem;

use super::{checkout, storage};
use crate::db::{Transaction, Written};
use crate::http::accounts::Caller;
use crate::http::error::ApiError;
use crate::http::idempotency::{Answer, IdempotencyKey};
use crate::http::json::Json;
use crate::http::{caching, position};
use crate::outbox::Invalidation;
use crate::shop::{Shop, events, groups};

/// Orders what is in the cart. Under the same `Idempotency-Key` that is done once.
#[utoipa::path(post, path = "/api/orders", tag = "orders", request_body = NewOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "A name for this order")),
    responses(
        (status = 201, description = "Ordered; `Location` names it", body = Order),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "Out of stock, or the cart is empty; nothing was ordered", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn place(
    State(shop): State<Shop>,
    caller: Caller,
    key: IdempotencyKey,
    Json(order): Json<NewOrder>,
) -> Result<Response, ApiError> {
    let user = caller.user().id;
    let placed = shop.db.write(async |transaction| {
        let place = async |transaction: &Transaction| order_cart(&shop, transaction, user).await;
        key.once(transaction, user, "POST /api/orders", &order, place).await
    });
    let Written { value: answer, position } = placed.await?;
    let mut response = answer.into_response();
    position::written(response.headers_mut(), position);
    Ok(response)
}

/// Turns the cart into an order, and takes it out of the stock.
async fn order_cart(shop: &Shop, transaction: &Transaction, user: i64) -> Result<Answer, ApiError> {
    let cart = storage::lock_cart(transaction, user).await?;
    let total_cents = checkout::check(&cart)?;
    let order = storage::insert(transaction, user, total_cents, &cart).await?;
    storage::take(transaction, user, &cart).await?;
    let ordered = cart.iter().map(|line| (line.product, line.category.as_str()));
    let invalidation = Invalidation::of_groups(groups::of_ordered(ordered));
    let invalidated = shop.outbox.enqueue(transaction, invalidation).await?;
    let told = json!({ "id": order.id, "total_cents": order.total_cents });
    shop.webhooks.publish(&shop.jobs.queue, transaction, events::ORDER_PLACED, &told).await?;
    let mut fields = HeaderMap::new();
    caching::invalidated(&mut fields, &invalidated);
    let location = format!("/api/orders/{}", order.id);
    Ok(Answer::json(StatusCode::CREATED, &order)?.at(location).with_all(&fields))
}
