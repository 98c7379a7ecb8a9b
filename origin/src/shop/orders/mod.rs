//! Orders: a cart that was agreed on.
//!
//! - `checkout`: whether a cart can be ordered. Pure.
//! - `place`, `read`: the routes. `storage`: every SQL statement over orders.

mod checkout;
mod place;
mod read;
mod storage;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shop;

pub(super) use storage::hot_statements;

pub(super) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(read::list, place::place)).routes(routes!(read::show))
}
