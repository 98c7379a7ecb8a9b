//! The cart: what somebody is about to order.
//!
//! - `routes`: GET, PUT, DELETE. `storage`: every SQL statement over carts but those of an
//!   order, which takes the cart's lines with it.

mod routes;
mod storage;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shop;

pub(super) use storage::hot_statements;

pub(super) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new()
        .routes(routes!(routes::show, routes::clear))
        .routes(routes!(routes::put, routes::remove))
}
