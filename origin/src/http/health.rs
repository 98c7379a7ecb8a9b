//! Is this process alive, and should it be sent requests.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidewall_api::problem::Problem;

use crate::db::Db;
use crate::shutdown::Shutdown;

/// What readiness depends on.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) db: Db,
    pub(super) shutdown: Shutdown,
}

/// A healthy process.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Status {
    status: &'static str,
}

/// The process runs.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses(
    (status = 200, description = "It runs", body = Status),
))]
pub(super) async fn live() -> Json<Status> {
    Json(Status { status: "ok" })
}

/// The process can serve: it isn't stopping, and a database is in reach.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, description = "Send it requests", body = Status),
    (status = 503, description = "Send them elsewhere", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn ready(State(health): State<Health>) -> Response {
    let problem = |slug, detail| {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut response = status.into_response();
        response.extensions_mut().insert(Problem::new(status.as_u16(), slug, "Not ready", detail));
        response
    };
    if health.shutdown.is_stopping() {
        problem("draining", "This origin is stopping. Send requests to another one.")
    } else if !health.db.is_ready() {
        problem("unavailable", "No database can be reached from here.")
    } else {
        Json(Status { status: "ready" }).into_response()
    }
}
