//! Gives every error answer its body: `application/problem+json` (RFC 9457) with
//! the request's id, whoever made the error: a handler, the router, a guard.

use std::any::Any;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tidewall_api::problem::{self, Problem};

use super::error::ApiError;
use super::request_id::RequestId;

/// Marks an error answer that has a body already, for people to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForPeople;

/// Writes out the problem of an error answer, keeps answers that say nothing of caching out of caches,
/// and has browsers take no answer for anything but what it says it is.
pub(super) async fn write_problems(request: Request, next: Next) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.extensions_mut().remove::<ForPeople>().is_some() {
        return response;
    }
    let mut problem =
        response.extensions_mut().remove::<Problem>().unwrap_or_else(|| problem_of_status(status));
    problem.request_id = request_id.map(|id| id.as_str().to_owned());
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::CONTENT_TYPE));
    headers.remove(CONTENT_LENGTH);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.entry(RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
    *response.body_mut() = Body::from(body);
    response
}

/// For errors that no handler made.
fn problem_of_status(status: StatusCode) -> Problem {
    let (slug, detail) = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method-not-allowed", "This path has other methods; `Allow` lists them.")
        }
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "This took too long. Try again in a moment."),
        _ => ("request-failed", "The request could not be handled."),
    };
    Problem::new(status.as_u16(), slug, status.canonical_reason().unwrap_or("Error"), detail)
}

/// For paths that no route has.
pub(super) async fn unknown_path() -> ApiError {
    ApiError::NotFound("There is nothing at this path.".to_owned())
}

/// For handlers that panic: the request fails, the others go on.
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    ApiError::internal(format!("a handler panicked: {message}")).into_response()
}
