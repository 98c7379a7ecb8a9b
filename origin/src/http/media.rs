//! GET `/api/media/{name}`: pictures and the like, each under a name that says what is in it.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tidewall_api::problem::Problem;

use super::conditional;
use super::error::ApiError;
use super::path::Path;
use crate::files::{FileError, FileName, FileStore};

/// A year: what the name stands for never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The files that anybody may see.
#[derive(Clone)]
pub(super) struct Media(pub(super) FileStore);

/// A picture.
#[utoipa::path(get, path = "/api/media/{name}", tag = "media",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The picture",
            content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "image/webp"))),
        (status = 304, description = "The client has it"),
        (status = 404, description = "No such picture", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(Media(files)): State<Media>,
    Path(name): Path<String>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::NotFound("There is no such picture.".to_owned());
    let name = FileName::new(name).map_err(|_| unknown())?;
    let tag = format!("\"{name}\"");
    let file = files.read(&name).await.map_err(|error| match error {
        FileError::NotFound(_) => unknown(),
        error => ApiError::internal(error),
    })?;
    let mut response = if conditional::matches_any(&request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from_stream(file.content));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(name.content_type()));
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(file.length));
        response
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, HeaderValue::try_from(tag).map_err(ApiError::internal)?);
    headers.insert(CACHE_CONTROL, FOR_EVER);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
