//! What handlers fail with. Each kind of error is one kind of problem
//! (RFC 9457); what it tells is chosen here, and nothing internal is among it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tidewall_api::problem::Problem;

use crate::db::DbError;
use crate::queue::NewJobError;
use crate::rate_limit::RateLimited;
use crate::telemetry::chain;
use crate::webhooks::WebhookError;

/// What is wrong with each field.
pub type FieldErrors = BTreeMap<String, String>;

/// Seconds after which a client may try again what is unavailable now.
const RETRY_AFTER_SECONDS: u16 = 1;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// There is nothing of this name.
    #[error("{0}")]
    NotFound(String),
    /// There was, but no longer.
    #[error("{0}")]
    Gone(String),
    /// The request can't be read.
    #[error("{0}")]
    BadRequest(String),
    /// Nobody is logged in.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// Whoever is may not.
    #[error("{0}")]
    Forbidden(&'static str),
    /// It doesn't fit to how things stand.
    #[error("{title}")]
    Conflict {
        /// The problem's name.
        slug: &'static str,
        /// The problem in words.
        title: &'static str,
        /// What stands in the way, and what to do.
        detail: String,
        /// The same for each thing that does.
        errors: FieldErrors,
    },
    /// The client has done it too often.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// The client does too much of it at once.
    #[error("{0}")]
    TooMany(&'static str),
    /// Too much of it is going on.
    #[error("{0}")]
    Busy(String),
    /// It can be read, but not done.
    #[error("some fields are not valid")]
    Invalid(FieldErrors),
    /// The body is too large.
    #[error("the body has more than {bytes_max} bytes")]
    TooLarge {
        /// The most it may have.
        bytes_max: usize,
    },
    /// The body comes too slowly.
    #[error("the body came too slowly")]
    TooSlow,
    /// The body is of another type.
    #[error("{0}")]
    MediaType(&'static str),
    /// The database can't be reached now.
    #[error("the database can't be reached")]
    Unavailable(#[source] DbError),
    /// A fault on this side.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ApiError {
    /// One field is not valid.
    pub fn invalid(field: &str, reason: impl Into<String>) -> Self {
        Self::Invalid(BTreeMap::from([(field.to_owned(), reason.into())]))
    }

    /// A fault on this side.
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    fn problem(&self) -> Problem {
        let detail = match self {
            Self::Unavailable(DbError::OutcomeUnknown { .. }) => {
                "The database was lost while it wrote this down. Look whether it did before you send it again."
                    .to_owned()
            }
            Self::Unavailable(error) if error.is_overload() => {
                "More is asked of the database than it can answer. Try again in a moment.".to_owned()
            }
            Self::Unavailable(_) => "The database can't be reached now. Try again in a moment.".to_owned(),
            Self::Internal(_) => {
                "Something went wrong here. If it stays so, tell us the request id.".to_owned()
            }
            Self::TooLarge { bytes_max } => format!("The body may have at most {bytes_max} bytes."),
            Self::TooSlow => {
                "The body came too slowly, or took too long in all. Send it over a faster connection.".to_owned()
            }
            Self::Invalid(_) => "Correct the fields named in `errors` and send it again.".to_owned(),
            Self::NotFound(detail) | Self::Gone(detail) | Self::BadRequest(detail) => detail.clone(),
            Self::Unauthenticated(detail) | Self::Forbidden(detail) | Self::MediaType(detail) | Self::TooMany(detail) => {
                (*detail).to_owned()
            }
            Self::Conflict { detail, .. } => detail.clone(),
            Self::RateLimited(limited) => {
                format!("Too often within a minute. Try again in {} s.", seconds(limited.retry_after))
            }
            Self::Busy(_) => "Too much is going on here. Try again in a moment.".to_owned(),
        };
        let (status, slug, title) = match self {
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::Gone(_) => (StatusCode::GONE, "gone", "Gone"),
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "no-session", "Not logged in"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::Conflict { slug, title, .. } => (StatusCode::CONFLICT, *slug, *title),
            Self::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests"),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-at-once", "Too much at once"),
            Self::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Overloaded"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request", "Request can't be read"),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "validation-failed", "Validation failed"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "Body too slow"),
            Self::MediaType(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type")
            }
            Self::Unavailable(DbError::OutcomeUnknown { .. }) => {
                // Not 503: that tells programs to send it again.
                (StatusCode::INTERNAL_SERVER_ERROR, "outcome-unknown", "Outcome unknown")
            }
            Self::Unavailable(error) if error.is_overload() => {
                (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Overloaded")
            }
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        };
        let mut problem = Problem::new(status.as_u16(), slug, title, detail);
        if let Self::Invalid(errors) | Self::Conflict { errors, .. } = self {
            problem.errors.clone_from(errors);
        }
        problem
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        if error.is_unavailable() { Self::Unavailable(error) } else { Self::internal(error) }
    }
}

impl From<NewJobError> for ApiError {
    fn from(error: NewJobError) -> Self {
        match error {
            NewJobError::Db(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<WebhookError> for ApiError {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Db(error) => error.into(),
            WebhookError::Job(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

/// Whole seconds until it has passed.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The problem travels as an extension; `problems` writes it out, with the request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match &self {
            Self::Unavailable(error) => {
                tracing::warn!(error = %chain(error), "database unavailable");
            }
            Self::Internal(error) => {
                tracing::error!(error = %chain(&**error), "request failed")
            }
            Self::Busy(what) => tracing::warn!(what, "overloaded"),
            _ => {}
        }
        let retry_after = match &self {
            Self::RateLimited(limited) => Some(seconds(limited.retry_after)),
            Self::TooMany(_) | Self::Busy(_) | Self::Unavailable(_) => Some(RETRY_AFTER_SECONDS.into()),
            _ => None,
        };
        let problem = self.problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        // Of what only tells that its outcome is unknown, no second try.
        if let Some(retry_after) = retry_after.filter(|_| !status.is_server_error() || status == 503) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            // RFC 9110, section 15.5.9: the rest of the body may still come.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(problem);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: DbError, status: u16, slug: &str, retry_after: bool) {
        let error = ApiError::from(error);
        assert_eq!(error.problem().kind, format!("/problems/{slug}"));
        let response = error.into_response();
        assert_eq!(response.status(), status, "{slug}");
        assert_eq!(response.headers().contains_key(RETRY_AFTER), retry_after, "{slug}");
    }

    #[test]
    fn what_the_database_can_not_do_now_is_to_be_tried_again_unless_it_may_be_done() {
        let server = || "primary".to_owned();
        check(DbError::Overloaded { server: server(), waiting: 850 }, 503, "overloaded", true);
        check(DbError::NoPrimary { servers: "primary is unreachable".to_owned() }, 503, "unavailable", true);
        check(DbError::OutcomeUnknown { server: server() }, 500, "outcome-unknown", false);
        check(DbError::Aborted { server: server() }, 500, "internal", false);
    }
}
