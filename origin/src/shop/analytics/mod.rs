//! Sales by day and category: a calculation over all that was sold, which costs as
//! much each time as it looks.
//!
//! - `days`: what the query asks for. Pure.
//! - `read`: the route; `storage`: the statement.

mod days;
mod read;
mod storage;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shop;

pub(super) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(read::daily))
}
