//! What one process at a time may do, of all that use the database.
//!
//! It is held by a session of the server (an advisory lock), so it ends with the
//! process that holds it, however that ends: a process that is killed closes its
//! connection, and of one that stands still, or whose machine is gone, the server
//! closes the session after a time without a statement. Nobody's clock but the
//! server's counts.

use std::ops::Deref;
use std::panic::Location;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Db;
use super::connection::WriteConnection;
use super::error::DbError;
use super::server::Purpose;

const TRY: &str = "SELECT pg_try_advisory_lock($1)";

/// A right that nobody else has until this is released or dropped. It comes with the
/// connection that holds it, and what is done over that connection is done by the
/// holder: once the right is lost, so is the connection.
pub struct Exclusive {
    connection: WriteConnection,
    key: i64,
}

impl Db {
    /// The right that is known by `key`, if nobody has it. It is lost when its holder
    /// runs no statement for `silence_max`.
    #[track_caller]
    pub fn try_exclusive(
        &self,
        key: i64,
        silence_max: Duration,
    ) -> impl Future<Output = Result<Option<Exclusive>, DbError>> {
        let site = Location::caller();
        async move {
            let connection = WriteConnection { connection: self.primary(Purpose::Write, site).await? };
            // Dropped, it is closed rather than given back.
            connection.connection.in_transaction.store(true, Ordering::Relaxed);
            if !connection.query_one(TRY, &[&key]).await?.get::<_, bool>(0) {
                connection.connection.in_transaction.store(false, Ordering::Relaxed);
                return Ok(None);
            }
            connection.batch(&format!("SET idle_session_timeout = {}", silence_max.as_millis())).await?;
            Ok(Some(Exclusive { connection, key }))
        }
    }
}

impl Exclusive {
    /// The server is still the primary, as far as is known here: one that was left
    /// behind may answer, but its positions are of another log.
    pub fn is_of_the_primary(&self) -> bool {
        self.connection.connection.is_of_the_primary()
    }

    /// Gives it up, and the connection back.
    pub async fn release(self) -> Result<(), DbError> {
        let Self { connection, key } = self;
        connection.batch(&format!("SELECT pg_advisory_unlock({key}); RESET idle_session_timeout")).await?;
        connection.connection.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Deref for Exclusive {
    type Target = WriteConnection;

    fn deref(&self) -> &WriteConnection {
        &self.connection
    }
}
