//! Every SQL statement over users and sessions. Times are the database's.

use std::collections::HashSet;

use tidewall_api::account::User;
use tokio_postgres::Row;

use super::SESSION_LIFETIME;
use super::password::{Hasher, PasswordError};
use super::refresh::{KeptSession, RefreshToken, SESSION_BYTES};
use crate::db::{Connection, Db, DbError, HotStatement, Params, Transaction, WriteConnection};

fn user(row: &Row) -> Result<User, tokio_postgres::Error> {
    Ok(User { id: row.try_get("id")?, email: row.try_get("email")?, staff: row.try_get("staff")? })
}

const INSERT_USER: &str = "
    INSERT INTO users (email, password_hash) VALUES ($1, $2)
    ON CONFLICT (email) DO NOTHING RETURNING id, email, staff";

/// Makes an account; `None` if there is one with this address.
pub(super) async fn insert_user(
    transaction: &Transaction,
    email: &str,
    password_hash: &str,
) -> Result<Option<User>, DbError> {
    let row = transaction.query_opt(INSERT_USER, &[&email, &password_hash]).await?;
    row.map(|row| user(&row)).transpose().map_err(|error| transaction.failed(error))
}

const USER_BY_EMAIL: &str = "SELECT id, email, staff, password_hash FROM users WHERE email = $1";

/// The account with this address, and the hash of its password if it has one.
pub(super) async fn user_by_email(
    connection: &Connection,
    email: &str,
) -> Result<Option<(User, Option<String>)>, DbError> {
    let row = connection.query_opt(USER_BY_EMAIL, &[&email]).await?;
    let read = |row: Row| Ok((user(&row)?, row.try_get("password_hash")?));
    row.map(read).transpose().map_err(|error| connection.failed(error))
}

/// Removes two that have expired for each that begins: so there are never many.
const BEGIN: &str = "
    WITH expired AS (
        DELETE FROM sessions WHERE id IN (
            SELECT id FROM sessions WHERE expires_at < now()
            ORDER BY expires_at LIMIT 2 FOR UPDATE SKIP LOCKED
        )
    )
    INSERT INTO sessions (id, user_id, token_hash, expires_at)
    SELECT $1, id, $3, now() + $4 * interval '1 second'
    FROM users WHERE id = $2 AND password_hash = $5 FOR SHARE";

/// Begins a session, whose next token is `refresh`; `false` if the user has another password than
/// this one by now, whose sessions have ended with it.
pub(super) async fn begin_session(
    transaction: &Transaction,
    user: i64,
    password_hash: &str,
    refresh: &RefreshToken,
) -> Result<bool, DbError> {
    let lifetime = SESSION_LIFETIME.as_secs_f64();
    let (session, hash) = (refresh.session().as_slice(), refresh.hash());
    let params: Params<'_> = &[&session, &user, &hash.as_slice(), &lifetime, &password_hash];
    Ok(transaction.execute(BEGIN, params).await? == 1)
}

const LOCK: &str = "
    SELECT s.token_hash, s.expires_at, now() AS now, u.id, u.email, u.staff
    FROM sessions AS s JOIN users AS u ON u.id = s.user_id WHERE s.id = $1 FOR UPDATE OF s";

/// The session of a refresh token and whose it is: locked, so that of two requests with the
/// same token the second comes too late.
pub(super) async fn lock_session(
    transaction: &Transaction,
    refresh: &RefreshToken,
) -> Result<Option<(KeptSession, User)>, DbError> {
    let row = transaction.query_opt(LOCK, &[&refresh.session().as_slice()]).await?;
    let read = |row: Row| {
        let kept = KeptSession {
            token_hash: row.try_get("token_hash")?,
            expires_at: row.try_get("expires_at")?,
            now: row.try_get("now")?,
        };
        Ok((kept, user(&row)?))
    };
    row.map(read).transpose().map_err(|error| transaction.failed(error))
}

const RENEW: &str = "
    UPDATE sessions SET token_hash = $2, expires_at = now() + $3 * interval '1 second' WHERE id = $1";

/// Has `next` be the token that may be used next.
pub(super) async fn renew_session(transaction: &Transaction, next: &RefreshToken) -> Result<(), DbError> {
    let lifetime = SESSION_LIFETIME.as_secs_f64();
    let (session, hash) = (next.session().as_slice(), next.hash());
    let params: Params<'_> = &[&session, &hash.as_slice(), &lifetime];
    transaction.execute(RENEW, params).await.map(drop)
}

const END: &str = "DELETE FROM sessions WHERE id = $1";

/// Ends a session.
pub(super) async fn end_session(
    transaction: &Transaction,
    session: &[u8; SESSION_BYTES],
) -> Result<(), DbError> {
    transaction.execute(END, &[&session.as_slice()]).await.map(drop)
}

const USER_OF_SESSION: &str = "
    SELECT u.id, u.email, u.staff FROM sessions AS s JOIN users AS u ON u.id = s.user_id
    WHERE s.id = $1 AND s.expires_at > now()";

/// Whose session this is, if it goes on.
pub(super) async fn user_of_session(
    connection: &WriteConnection,
    session: &[u8; SESSION_BYTES],
) -> Result<Option<User>, DbError> {
    let row = connection.query_opt(USER_OF_SESSION, &[&session.as_slice()]).await?;
    row.map(|row| user(&row)).transpose().map_err(|error| connection.failed(error))
}

const GOING_ON: &str = "SELECT id FROM sessions WHERE id = ANY($1) AND expires_at > now()";

/// Which of these sessions go on.
pub(crate) async fn going_on(
    connection: &WriteConnection,
    sessions: &[[u8; SESSION_BYTES]],
) -> Result<HashSet<[u8; SESSION_BYTES]>, DbError> {
    let ids: Vec<&[u8]> = sessions.iter().map(<[u8; SESSION_BYTES]>::as_slice).collect();
    let rows = connection.query(GOING_ON, &[&ids]).await?;
    // What isn't as long as a session's id is none of these.
    let id = |row: &Row| Ok(row.try_get::<_, &[u8]>(0)?.try_into().ok());
    let ids = rows.iter().filter_map(|row| id(row).transpose());
    ids.collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

/// An account of somebody who works here.
#[derive(Clone)]
pub struct StaffAccount {
    /// The address to log in with.
    pub email: String,
    /// The password to log in with.
    pub password: String,
}

/// Nobody who has signed up with the address is made staff by it.
const PUT_STAFF: &str = "
    INSERT INTO users (email, name, password_hash, staff) VALUES ($1, 'Staff', $2, true)
    ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash WHERE users.staff
    RETURNING id";

const END_ALL: &str = "DELETE FROM sessions WHERE user_id = $1";

/// Sees to it that there is this account: makes it, or gives it this password, with which all
/// its sessions end.
pub async fn keep_staff_account(db: &Db, account: &StaffAccount) -> Result<(), KeepStaffError> {
    let hasher = Hasher::new();
    let found = user_by_email(&*db.writer().await?, &account.email).await?;
    if let Some((User { staff: true, .. }, Some(hash))) = found
        && hasher.verify(&account.password, Some(hash)).await?
    {
        return Ok(());
    }
    let hash = hasher.hash(&account.password).await?;
    db.write(async |transaction| {
        let Some(row) = transaction.query_opt(PUT_STAFF, &[&account.email, &hash]).await? else {
            return Err(KeepStaffError::Customer { email: account.email.clone() });
        };
        let id: i64 = row.try_get(0).map_err(|error| transaction.failed(error))?;
        Ok(transaction.execute(END_ALL, &[&id]).await.map(drop)?)
    })
    .await?;
    Ok(())
}

/// Why the account could not be seen to.
#[derive(Debug, thiserror::Error)]
pub enum KeepStaffError {
    /// A customer's.
    #[error("{email} is a customer's account; choose another address with --staff-email")]
    Customer {
        /// The address.
        email: String,
    },
    /// The database gave no answer.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The password.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// What requests run.
pub fn hot_statements() -> Vec<HotStatement> {
    let session = "decode(repeat('00', 16), 'hex')";
    let hash = "decode(repeat('00', 32), 'hex')";
    vec![
        HotStatement::new("a user by the address", USER_BY_EMAIL, &["'a@example.com'"]),
        HotStatement::new("begin a session", BEGIN, &[session, "42", hash, "60", "'h'"]),
        HotStatement::new("the session of a refresh token", LOCK, &[session]),
        HotStatement::new("renew a session", RENEW, &[session, hash, "60"]),
        HotStatement::new("end a session", END, &[session]),
        HotStatement::new("which sessions go on", GOING_ON, &["ARRAY[decode(repeat('00', 16), 'hex')]"]),
        HotStatement::new("whose a session is", USER_OF_SESSION, &[session]),
    ]
}
