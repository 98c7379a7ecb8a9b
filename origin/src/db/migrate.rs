//! Brings the schema up to date.

use std::sync::atomic::Ordering;

use super::Db;
use super::error::DbError;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Oldest server that is supported, as `server_version_num` counts.
const SERVER_VERSION_MIN: i32 = 150_000;
/// Held while migrating, so that of several processes that start at once one
/// migrates and the others wait. An arbitrary number.
const ADVISORY_LOCK: i64 = 0x7469_6465_7761_6c6c;

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database gave no answer.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Too old.
    #[error("the server is PostgreSQL {0}; 15 or later is needed")]
    Version(String),
    /// Can't be written to.
    #[error("the server is a standby; the database URL must name the primary")]
    Standby,
    /// A migration failed, or one that was applied has changed since.
    #[error("migration failed")]
    Migration(#[source] Box<refinery::Error>),
}

/// Applies the migrations that are missing; their names.
pub async fn migrate(db: &Db) -> Result<Vec<String>, MigrateError> {
    let mut connection = db.writer().await?;
    let row = connection
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
                    pg_is_in_recovery()",
            &[],
        )
        .await?;
    if row.get::<_, i32>(0) < SERVER_VERSION_MIN {
        return Err(MigrateError::Version(row.get(1)));
    }
    if row.get(2) {
        return Err(MigrateError::Standby);
    }
    // Given up half way, the connection is closed, and the lock with it.
    connection.connection.in_transaction.store(true, Ordering::Relaxed);
    connection.query_one("SELECT pg_advisory_lock($1)", &[&ADVISORY_LOCK]).await?;
    let client = connection.connection.client_mut();
    let migrated = embedded::migrations::runner().run_async(client).await;
    let unlocked = connection.query_one("SELECT pg_advisory_unlock($1)", &[&ADVISORY_LOCK]).await;
    let report = migrated.map_err(|error| MigrateError::Migration(Box::new(error)))?;
    unlocked?;
    connection.connection.in_transaction.store(false, Ordering::Relaxed);
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}
