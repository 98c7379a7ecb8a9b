//! What routes need to know who asks: sessions, cookies, and how much a client may do.

use std::sync::Once;

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
    #[arg(long, env = "SIGN_UPS_PER_MINUTE", value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub sign_ups_per_minute: u32,
    /// How often one client may try to log in in a minute
    #[arg(long, env = "LOGINS_PER_MINUTE", value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub logins_per_minute: u32,
    /// How many reports one client may ask for in a minute
    #[arg(long, env = "REPORTS_PER_MINUTE", value_name = "N", default_value_t = 200,
        value_parser = clap::value_parser!(u32).range(1..))]
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
        static WARNED: Once = Once::new();
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| *peer);
        let clients = Accounts::from_ref(state).clients;
        if clients.told_in.is_none() && parts.headers.contains_key("x-forwarded-for") {
            WARNED.call_once(|| {
                tracing::warn!(
                    "requests come through a proxy, so all its clients count as one: set CLIENT_ADDRESS_FIELD"
                );
            });
        }
        Ok(Self(clients.name(&parts.headers, peer)))
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
/// given the second doesn't count, so that `cross_site` needn't look at it. Other credentials
/// are for somebody else, such as a proxy in front.
fn token(request: &HeaderMap, cookies: CookieNames) -> Result<String, ApiError> {
    if let Some(token) = bearer(request) {
        return Ok(token.to_owned());
    }
    cookies
        .read(request, Kept::Session)
        .ok_or(ApiError::Unauthenticated("Log in at POST /api/session, or sign up at POST /api/users."))
}

/// The token of `Authorization: Bearer` (RFC 6750, section 2.1), which no browser sends by itself.
pub(super) fn bearer(request: &HeaderMap) -> Option<&str> {
    let (scheme, token) = request.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
