//! Accounts and sessions.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Fewest characters of a password; NIST SP 800-63B, section 3.1.1.2, has none shorter.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Most characters of a password: a bound on what is hashed, far above the 64 that every
/// service should take.
pub const PASSWORD_CHARS_MAX: usize = 256;
/// Longest address; RFC 5321, section 4.5.3.1.3, less its brackets.
pub const EMAIL_CHARS_MAX: usize = 254;

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Identifies the account for ever.
    pub id: i64,
    /// The address to log in with, in lower case.
    pub email: String,
    /// Whether they work here.
    pub staff: bool,
}

/// The body of POST `/api/users` and `/api/session`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Credentials {
    /// The address; letters count the same in either case.
    pub email: String,
    /// [`PASSWORD_CHARS_MIN`] to [`PASSWORD_CHARS_MAX`] characters.
    pub password: String,
}

/// Without the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// The answer to whoever signs up, logs in, or renews a session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedIn {
    /// Who they are.
    pub user: User,
    /// A short-lived JWT (RFC 7519) for programs, which send it as `Authorization: Bearer`.
    /// Browsers have the same in a cookie.
    pub token: String,
}

/// Without the token.
impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user).finish_non_exhaustive()
    }
}
