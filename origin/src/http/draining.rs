//! Sends clients elsewhere while this origin stops.

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::Response;
use tidewall_api::headers::TIDEWALL_DRAINING;

use crate::shutdown::Shutdown;

/// Closes each connection after its answer (RFC 9112, section 9.6). A connection
/// that stayed open until the end would be closed under its client's next request. To a
/// balancer, which may not see that field, the answer says so in its own.
pub(super) async fn close_connections(
    State(shutdown): State<Shutdown>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if shutdown.is_stopping() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response.headers_mut().insert(TIDEWALL_DRAINING, HeaderValue::from_static("?1"));
    }
    response
}
