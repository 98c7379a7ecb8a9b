//! The outermost layer: gives each request its id, one line in the log, and its
//! place in the metrics.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tidewall_api::headers;
use tracing::Instrument as _;

use super::metrics::Metrics;
use super::request_id::RequestId;
use super::site::Label;

pub(super) async fn observe(State(metrics): State<Metrics>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = RequestId::accept_or_make(request.headers().get(headers::X_REQUEST_ID), fastrand::u128(..));
    request.extensions_mut().insert(id.clone());
    let method = method_label(request.method());
    // The route's pattern, not the path: a path is of unbounded number and may hold secrets.
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());

    let span = tracing::info_span!("request", request_id = id.as_str());
    let mut response = next.run(request).instrument(span).await;

    let of_site = || response.extensions().get::<Label>().map(|Label(label)| label.clone());
    let route = matched.or_else(of_site).unwrap_or_else(|| "unmatched".to_owned());
    let duration = begun.elapsed();
    let status = response.status().as_u16();
    metrics.request(method, &route, status, duration);
    tracing::info!(
        request_id = id.as_str(),
        method,
        route,
        status,
        duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        "request"
    );
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HeaderName::from_static(headers::X_REQUEST_ID), value);
    }
    response
}

/// A client may send any word as method; the metrics know the usual ones.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
