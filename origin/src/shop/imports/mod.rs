//! Products from a table: a CSV of staff becomes products, line by line. Those that are not
//! valid are named in the result, with what is wrong; the others are added, all at once.
//!
//! - `table`: what the lines say. Pure.
//! - `outcome`: what became of them, as CSV. Pure.
//! - `ask`: the route that takes the table and enqueues the job.
//! - `make`: the job; `storage`: every SQL statement.

mod ask;
mod make;
mod outcome;
mod storage;
mod table;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shop;

pub(super) use make::ImportHandler;
pub(super) use storage::hot_statements;

pub(super) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(ask::ask))
}
