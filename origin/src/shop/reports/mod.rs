//! A report: the orders of a range of days, as a file, made by a job. A customer gets their
//! own orders, those who work here all.
//!
//! - `range`: which days. Pure.
//! - `sheet`: rows as CSV. Pure.
//! - `buckets`: sales by day, week or month; `axis`: where a chart has its lines;
//!   `layout`: what stands where on pages, and `page` what can. Pure.
//! - `paint`: pages as PDF.
//! - `ask`: the route that enqueues the job.
//! - `make`: the job; `storage`: every SQL statement.

mod ask;
mod axis;
mod buckets;
mod layout;
mod make;
mod page;
mod paint;
mod range;
mod sheet;
mod storage;
mod tell;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shop;

pub(super) use make::ReportHandler;
pub(super) use storage::hot_statements;

pub(super) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(ask::ask))
}
