//! `/api/users`, `/api/session`, `/api/me`: sign up, log in, go on, log out.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tidewall_api::account::{Credentials, SignedIn, User};
use tidewall_api::problem::Problem;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::{Accounts, Caller, Client};
use super::cookies::Kept;
use super::error::{ApiError, FieldErrors};
use super::json::Json;
use super::position;
use crate::session::{
    PasswordError, RefreshToken, SESSION_LIFETIME, Session, SessionError, TOKEN_LIFETIME, validate,
};

pub(super) fn routes() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(log_in, log_out))
        .routes(routes!(refresh))
        .routes(routes!(me))
}

/// Makes an account, and logs in.
#[utoipa::path(post, path = "/api/users", tag = "accounts", request_body = Credentials,
    responses(
        (status = 201, description = "Made, and logged in", body = SignedIn),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "Somebody has this address", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too often", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach, or too much is going on", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn sign_up(
    State(accounts): State<Accounts>,
    client: Client,
    Json(credentials): Json<Credentials>,
) -> Result<Response, ApiError> {
    let credentials = validate(credentials).map_err(ApiError::Invalid)?;
    accounts.limit(&client, "sign-up", accounts.limits.sign_ups_per_minute).await?;
    let session = accounts.sessions.sign_up(&credentials).await?;
    Ok(signed_in(&accounts, StatusCode::CREATED, session))
}

/// Logs in.
#[utoipa::path(post, path = "/api/session", tag = "accounts", request_body = Credentials,
    responses(
        (status = 200, description = "Logged in", body = SignedIn),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No account has this address and password", body = Problem,
            content_type = "application/problem+json"),
        (status = 403, description = "Sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too often", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach, or too much is going on", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn log_in(
    State(accounts): State<Accounts>,
    client: Client,
    Json(credentials): Json<Credentials>,
) -> Result<Response, ApiError> {
    accounts.limit(&client, "login", accounts.limits.logins_per_minute).await?;
    // What can't be an account's has no account.
    let credentials = validate(credentials).map_err(|_| SessionError::WrongCredentials)?;
    let session = accounts.sessions.log_in(&credentials).await?;
    Ok(signed_in(&accounts, StatusCode::OK, session))
}

/// Logs out: the refresh token works no more. Of a session that has ended, too.
#[utoipa::path(delete, path = "/api/session", tag = "accounts",
    responses(
        (status = 204, description = "Logged out"),
        (status = 403, description = "Sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn log_out(
    State(accounts): State<Accounts>,
    caller: Result<Caller, ApiError>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let kept = accounts.cookies.read(&request, Kept::Refresh);
    let refresh = kept.and_then(|text| RefreshToken::parse(&text)).map(|token| *token.session());
    if let Some(session) = caller.map(|Caller(claims)| claims.session).ok().or(refresh) {
        let position = accounts.sessions.log_out(session).await?;
        position::written(response.headers_mut(), position);
    }
    accounts.cookies.clear(response.headers_mut());
    Ok(response)
}

/// A new session token for the refresh cookie, which is renewed as well.
#[utoipa::path(post, path = "/api/session/refresh", tag = "accounts",
    responses(
        (status = 200, description = "Renewed", body = SignedIn),
        (status = 401, description = "No refresh cookie, of a session that has ended, or used before",
            body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn refresh(State(accounts): State<Accounts>, request: HeaderMap) -> Result<Response, ApiError> {
    let kept = accounts.cookies.read(&request, Kept::Refresh);
    let token = kept.and_then(|text| RefreshToken::parse(&text)).ok_or(SessionError::Ended)?;
    match accounts.sessions.refresh(&token).await {
        Ok(session) => Ok(signed_in(&accounts, StatusCode::OK, session)),
        Err(error @ (SessionError::Ended | SessionError::Reused { .. })) => {
            if let SessionError::Reused { user } = error {
                tracing::warn!(user, "a refresh token was used a second time: its session has ended");
            }
            let mut response = ApiError::from(error).into_response();
            accounts.cookies.clear(response.headers_mut());
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

/// Who is logged in, by the database: of a session that has ended, nobody.
#[utoipa::path(get, path = "/api/me", tag = "accounts",
    responses(
        (status = 200, description = "Who it is", body = User),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn me(State(accounts): State<Accounts>, Caller(claims): Caller) -> Result<axum::Json<User>, ApiError> {
    let user = accounts.sessions.user(&claims).await?;
    user.map(axum::Json).ok_or(ApiError::from(SessionError::Ended))
}

/// The answer to whoever is logged in from here on.
fn signed_in(accounts: &Accounts, status: StatusCode, session: Session) -> Response {
    let Session { user, token, refresh, position } = session;
    let (names, refresh) = (accounts.cookies, refresh.text());
    let mut response = (status, axum::Json(SignedIn { user, token: token.clone() })).into_response();
    let headers = response.headers_mut();
    names.set(headers, Kept::Session, &token, TOKEN_LIFETIME);
    names.set(headers, Kept::Refresh, &refresh, SESSION_LIFETIME);
    position::written(headers, position);
    response
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::EmailTaken => Self::Conflict {
                slug: "email-taken",
                title: "Address taken",
                detail: "There is an account with this address. Log in at POST /api/session.".to_owned(),
                errors: FieldErrors::from([("email".to_owned(), "has an account already".to_owned())]),
            },
            SessionError::WrongCredentials => {
                Self::Unauthenticated("No account has this address and password.")
            }
            SessionError::Ended => {
                Self::Unauthenticated("The session has ended. Log in at POST /api/session.")
            }
            SessionError::Reused { .. } => Self::Unauthenticated(
                "This refresh token was used before, so its session has ended. Log in at POST /api/session.",
            ),
            SessionError::Password(PasswordError::Busy) => Self::Busy("passwords to check".to_owned()),
            SessionError::Password(error) => Self::internal(error),
            SessionError::Db(error) => error.into(),
            SessionError::Random(error) => Self::internal(error),
        }
    }
}
