//! GET `/api/files/{signed}`: what a job made, for whoever has the link.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;
use tidewall_api::problem::Problem;
use time::OffsetDateTime;

use super::error::ApiError;
use super::path::Path;
use crate::files::{FileError, FileStore, LinkError, LinkKey};

/// What downloads need.
#[derive(Clone)]
pub struct Downloads {
    /// Where files lie.
    pub files: FileStore,
    /// Verifies links to them.
    pub links: LinkKey,
}

/// A file that a job made.
#[utoipa::path(get, path = "/api/files/{signed}", tag = "jobs",
    params(("signed" = String, Path, description = "The link's signed part, from the job")),
    responses(
        (status = 200, description = "The file", content((String = "text/csv"), (Vec<u8> = "application/pdf"))),
        (status = 404, description = "No such file", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "The link has expired", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn download(
    State(downloads): State<Downloads>,
    Path(signed): Path<String>,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::NotFound("There is no such file.".to_owned());
    let link = downloads.links.verify(&signed, OffsetDateTime::now_utc()).map_err(|error| match error {
        LinkError::Forged => unknown(),
        LinkError::Expired => ApiError::Gone("The link has expired. Ask the job for a new one.".to_owned()),
    })?;
    let file = downloads.files.read(&link.file).await.map_err(|error| match error {
        FileError::NotFound(_) => unknown(),
        error => ApiError::internal(error),
    })?;
    let disposition = format!("attachment; filename=\"{}\"", link.file);
    let mut response = Response::new(Body::from_stream(file.content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(link.file.content_type()));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(file.length));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::try_from(disposition).map_err(ApiError::internal)?);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
