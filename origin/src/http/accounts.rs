//! What routes need to know who asks: sessions, cookies, and how much a client may do.

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use tidewall_api::account::User;
use time::OffsetDateTime;

use super::client::{ClientAddress, Peer};
use super::cookies::{CookieNames, Kept};
use super::error::ApiError;
use crate::db::Db;
use crate::rate_limit;
use crate::session::{Claims, Sessions, TokenError};

/// How much of what one client may do in a minute.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct RateLimits {
    /// How often one client may sign up in a minute
    #[arg(long, env = "SIGN_UPS_PER_MINUTE", value_name = "N", default_value_t = 20)]
    pub sign_ups_per_minute: u32,
    /// How often one client may try to log in in a minute
    #[arg(long, env = "LOGINS_PER_MINUTE", value_name = "N", default_value_t = 20)]
    pub logins_per_minute: u32,
    /// How many reports one client may ask for in a minute
    #[arg(long, env = "REPORTS_PER_MINUTE", value_name = "N", default_value_t = 200)]
    pub reports_per_minute: u32,
}

/// Sessions as HTTP carries them; cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    /// The sessions.
    pub sessions: Sessions,
    /// Where clients are counted.
    pub db: Db,
    /// How the cookies are called.
    pub cookies: CookieNames,
    /// How clients are told apart.
    pub clients: ClientAddress,
    /// How much each may do.
    pub limits: RateLimits,
}

impl Accounts {
    /// Counts one `action` of the client, unless it has done it `per_minute` times.
    pub async fn limit(&self, client: &Client, action: &str, per_minute: u32) -> Result<(), ApiError> {
        rate_limit::take(&self.db, action, &client.0, per_minute).await?.map_err(ApiError::from)
    }
}

/// The name by which a client's requests are counted.
pub struct Client(String);

impl<S> FromRequestParts<S> for Client
where
    S: Sync,
    Accounts: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| *peer);
        Ok(Self(Accounts::from_ref(state).clients.name(&parts.headers, peer)))
    }
}

/// Whoever is logged in; nobody else gets by.
pub struct Caller(pub Claims);

impl Caller {
    /// Who it is.
    pub fn user(&self) -> &User {
        &self.0.user
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Sync,
    Accounts: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let accounts = Accounts::from_ref(state);
        let token = token(&parts.headers, accounts.cookies)?;
        match accounts.sessions.verify(&token, OffsetDateTime::now_utc()) {
            Ok(claims) => Ok(Self(claims)),
            Err(TokenError::Expired) => Err(ApiError::Unauthenticated(
                "The session token has expired. POST to /api/session/refresh for a new one, or log in again.",
            )),
            Err(TokenError::Forged) => Err(ApiError::Unauthenticated(
                "The session token isn't one of ours. Log in at POST /api/session.",
            )),
        }
    }
}

/// Whoever works here; nobody else gets by.
pub struct Staff(pub Claims);

impl<S> FromRequestParts<S> for Staff
where
    S: Sync,
    Accounts: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Caller(claims) = Caller::from_request_parts(parts, state).await?;
        if claims.user.staff {
            Ok(Self(claims))
        } else {
            Err(ApiError::Forbidden("Only those who work here may do this."))
        }
    }
}

/// The session token that a request brings: a program's, else a browser's. Where the first is
/// given the second doesn't count, so that `cross_site` needn't look at it.
fn token(request: &HeaderMap, cookies: CookieNames) -> Result<String, ApiError> {
    if let Some(authorization) = request.get(AUTHORIZATION) {
        let authorization = authorization.to_str().unwrap_or_default();
        let bearer =
            authorization.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = bearer.map(|(_, token)| token.trim().to_owned());
        return token.ok_or(ApiError::Unauthenticated(
            "`Authorization` isn't `Bearer` and a session token. Log in at POST /api/session for one.",
        ));
    }
    cookies
        .read(request, Kept::Session)
        .ok_or(ApiError::Unauthenticated("Log in at POST /api/session, or sign up at POST /api/users."))
}
