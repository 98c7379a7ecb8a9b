//! Accounts and sessions, in a way that any origin can serve any request of.
//!
//! A session is two things. A **session token** is a JWT (RFC 7519) that says who somebody
//! is: it is checked without asking anybody, and works for a quarter of an hour. A
//! **refresh token** is a random number, kept (as its digest) in the database: it works for a
//! month from its last use, and gets a new one of each.
//!
//! ```text
//! log in --> session token, refresh token
//! refresh token, unused -----> a new one of each; this one is used up
//! refresh token, used up ----> it was stolen: the session ends, for thief and owner
//! log out -------------------> the session ends
//! ```
//!
//! An ended session's token works until it expires, as is the price of asking nobody; where
//! that is too long, ask the database (`Sessions::user`).
//!
//! - `account`: what is an address and a password. `token`: the JWT. `refresh`: what comes
//!   of a refresh token. Pure.
//! - `password`: argon2id, a few at a time.
//! - `storage`: every SQL statement over users and sessions.

mod account;
mod password;
mod refresh;
mod storage;
mod token;

use std::sync::Arc;
use std::time::Duration;

use tidewall_api::account::{Credentials, User};
use time::OffsetDateTime;

pub use account::validate;
pub use password::{Hasher, PasswordError};
pub use refresh::{RefreshToken, SESSION_BYTES};
pub(crate) use storage::going_on;
pub use storage::{KeepStaffError, StaffAccount, hot_statements, keep_staff_account};
pub use token::{Claims, SessionKeys, TokenError};

use crate::db::{Db, DbError, Lsn, Written};
use refresh::Verdict;

/// How long a session token works: so long may somebody who was shut out go on.
pub const TOKEN_LIFETIME: Duration = Duration::from_mins(15);
/// How long a refresh token works that isn't used.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// Accounts and their sessions; cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    db: Db,
    keys: SessionKeys,
    hasher: Arc<Hasher>,
}

/// A session as it was begun or renewed.
pub struct Session {
    /// Whose it is.
    pub user: User,
    /// The JWT.
    pub token: String,
    /// Works once.
    pub refresh: RefreshToken,
    /// Where the log has it.
    pub position: Option<Lsn>,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Somebody has this address.
    #[error("there is an account with this address")]
    EmailTaken,
    /// No account has this address and password.
    #[error("no account has this address and password")]
    WrongCredentials,
    /// The refresh token is of no session that goes on.
    #[error("the session has ended")]
    Ended,
    /// It was used before.
    #[error("a refresh token of user {user} was used a second time: the session has ended")]
    Reused {
        /// Whose session it was.
        user: i64,
    },
    /// The password can't be hashed now.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The database gives no answer.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[from] getrandom::Error),
}

impl Sessions {
    /// Over the accounts of `db`, with session tokens of `keys`.
    pub fn new(db: Db, keys: SessionKeys) -> Self {
        Self { db, keys, hasher: Arc::new(Hasher::new()) }
    }

    /// Makes an account, and logs in. The credentials must be [valid](validate).
    pub async fn sign_up(&self, credentials: &Credentials) -> Result<Session, SessionError> {
        let hash = self.hasher.hash(&credentials.password).await?;
        let refresh = RefreshToken::new(random()?, random()?);
        let written = self.db.write(async |transaction| {
            let user = storage::insert_user(transaction, &credentials.email, &hash).await?;
            let user = user.ok_or(SessionError::EmailTaken)?;
            storage::begin_session(transaction, user.id, &hash, &refresh).await?;
            Ok::<_, SessionError>(user)
        });
        let Written { value: user, position } = written.await?;
        Ok(self.begun(user, refresh, position))
    }

    /// Begins a session. It takes the same time whether there is such an account.
    pub async fn log_in(&self, credentials: &Credentials) -> Result<Session, SessionError> {
        let found = {
            let connection = self.db.writer().await?;
            storage::user_by_email(&connection, &credentials.email).await?
        };
        let (user, hash) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
        let is_right = self.hasher.verify(&credentials.password, hash.clone()).await?;
        let (Some(user), Some(hash), true) = (user, hash, is_right) else {
            return Err(SessionError::WrongCredentials);
        };
        let refresh = RefreshToken::new(random()?, random()?);
        let begun = self
            .db
            .write(async |transaction| storage::begin_session(transaction, user.id, &hash, &refresh).await);
        let Written { value: true, position } = begun.await? else {
            return Err(SessionError::WrongCredentials);
        };
        Ok(self.begun(user, refresh, position))
    }

    /// Renews a session. A token that was used before ends it.
    pub async fn refresh(&self, presented: &RefreshToken) -> Result<Session, SessionError> {
        let next = RefreshToken::new(*presented.session(), random()?);
        let judged = self.db.write(async |transaction| {
            let kept = storage::lock_session(transaction, presented).await?;
            let verdict = refresh::judge(kept.as_ref().map(|(kept, _)| kept), presented);
            match verdict {
                Verdict::Renew => storage::renew_session(transaction, &next).await?,
                // Committed, too: nobody shall go on with it.
                Verdict::Reused => storage::end_session(transaction, presented.session()).await?,
                Verdict::Ended => {}
            }
            Ok::<_, DbError>((verdict, kept.map(|(_, user)| user)))
        });
        let Written { value: (verdict, user), position } = judged.await?;
        match (verdict, user) {
            (Verdict::Renew, Some(user)) => Ok(self.begun(user, next, position)),
            (Verdict::Reused, Some(user)) => Err(SessionError::Reused { user: user.id }),
            _ => Err(SessionError::Ended),
        }
    }

    /// Ends a session, if it goes on.
    pub async fn log_out(&self, session: [u8; SESSION_BYTES]) -> Result<Option<Lsn>, DbError> {
        let ended = self.db.write(async |transaction| storage::end_session(transaction, &session).await);
        Ok(ended.await?.position)
    }

    /// Who has this session, if it goes on; by the database, so at once.
    pub async fn user(&self, claims: &Claims) -> Result<Option<User>, DbError> {
        let connection = self.db.reserved().writer().await?;
        storage::user_of_session(&connection, &claims.session).await
    }

    /// What a session token says, if it is one of ours and works still.
    pub fn verify(&self, token: &str, now: OffsetDateTime) -> Result<Claims, TokenError> {
        self.keys.verify(token, now)
    }

    fn begun(&self, user: User, refresh: RefreshToken, position: Option<Lsn>) -> Session {
        let claims = Claims { user, session: *refresh.session() };
        let token = self.keys.issue(&claims, OffsetDateTime::now_utc());
        Session { user: claims.user, token, refresh, position }
    }
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
