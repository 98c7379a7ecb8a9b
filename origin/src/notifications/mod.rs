//! What users are told of without having asked, kept until they look.
//!
//! A notification is a row, written in the transaction that gives rise to it, and so is there
//! exactly if that commits. A user's notifications are numbered in the order in which they
//! became visible: the transaction that adds one holds the user's counter until it ends, so a
//! smaller number never appears behind a greater one. A reader that remembers one number
//! therefore misses nothing and is told nothing twice, at whichever origin. The last
//! [`KEPT`] of each user are kept.
//!
//! A transaction that tells several users does so in the order of their ids, or it may wait
//! for another one that waits for it.
//!
//! - `cursor`: how far a reader is. Pure.
//! - `storage`: every SQL statement of it. `http::notifications` shows it to users.

mod cursor;
mod storage;

pub(crate) use cursor::Cursor;
pub use storage::hot_statements;
pub(crate) use storage::{after, heads, recent};

use crate::db::{DbError, Transaction};

/// Notifications that are kept of each user.
pub const KEPT: i64 = 100;

/// Tells `user` of something once `transaction` commits; its number. Until then others who
/// tell the same user wait, so let it be among the last things that the transaction does.
pub async fn enqueue(
    transaction: &Transaction,
    user: i64,
    kind: &'static str,
    body: &serde_json::Value,
) -> Result<i64, DbError> {
    storage::insert(transaction, user, kind, body).await
}
