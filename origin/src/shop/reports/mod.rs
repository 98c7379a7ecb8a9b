//! A report: the orders of a range of days, as a file, made by a job. A customer gets their
//! own orders, those who work here all.
//!
//! - `range`: which days. Pure.
//! - `sheet`: rows as CSV. Pure.
//! - `ask`: the route that enqueues the job.
//! - `make`: the job.

mod ask;
mod make;
mod range;
mod sheet;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shop;

pub(super) use make::{ReportHandler, hot_statements};

pub(super) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(ask::ask))
}
