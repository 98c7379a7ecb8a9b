//! The catalogue.
//!
//! - `list`: what a list's query asks for; `input`: what staff may write. Pure.
//! - `freshness`: for how long answers are kept. Pure.
//! - `read`, `write`: the routes.
//! - `storage`: every SQL statement over products.

mod freshness;
mod input;
mod list;
mod read;
mod storage;
mod write;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shop;
use crate::http::error::ApiError;

pub(in crate::shop) use freshness::{STALE_IF_ERROR, STALE_WHILE_REVALIDATE};
pub(in crate::shop) use input::problems;
pub(in crate::shop) use storage::{ProductRow, hot_statements};

pub(super) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(read::list, write::create)).routes(routes!(
        read::show,
        write::replace,
        write::remove
    ))
}

pub(in crate::shop) fn unknown_product() -> ApiError {
    ApiError::NotFound("There is no such product.".to_owned())
}

/// A path that names no possible id names no product.
pub(in crate::shop) fn parse_id(id: &str) -> Result<i64, ApiError> {
    super::parse_id(id).ok_or_else(unknown_product)
}
