//! Pictures of products: uploaded by staff, made smaller by a job.
//!
//! - `resize`: a picture in the sizes that pages show. Pure.
//! - `ask`: the route that takes the picture and enqueues the job.
//! - `make`: the job; `storage`: every SQL statement.

mod ask;
mod make;
mod resize;
mod storage;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shop;

pub(super) use make::PictureHandler;
pub(super) use storage::hot_statements;

pub(super) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(ask::ask))
}

/// Where a picture is, by its name.
pub(super) fn path(name: &str) -> String {
    format!("/api/media/{name}")
}
