//! What can go wrong between a caller and its rows.

use std::error::Error as _;
use std::io;

use tokio_postgres::error::SqlState;

/// Why the database gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Every connection of the pool is taken.
    #[error("{server}: no connection free after {waited_ms} ms ({in_use}/{size} in use, {waiting} waiting)")]
    Busy {
        /// Whose pool.
        server: String,
        /// How long the caller waited.
        waited_ms: u64,
        /// Connections lent.
        in_use: usize,
        /// Connections the pool may have.
        size: usize,
        /// Callers that wait for one.
        waiting: usize,
    },
    /// No connection could be made within the time allowed for it.
    #[error("{server}: no connection after {waited_ms} ms")]
    ConnectTimeout {
        /// Which server.
        server: String,
        /// How long the caller waited.
        waited_ms: u64,
    },
    /// No connection could be made.
    #[error("{server}: can't connect")]
    Connect {
        /// Which server.
        server: String,
        /// What it said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The server that should be the primary replays another one's log.
    #[error("{server}: is a standby; the database URL must name the primary")]
    Standby {
        /// Which server.
        server: String,
    },
    /// The server went away, or declined to serve now; another one may.
    #[error("{server}: went away while it was asked")]
    Gone {
        /// Which server.
        server: String,
        /// What it said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The statement failed.
    #[error("{server}: a statement failed")]
    Statement {
        /// Which server.
        server: String,
        /// What it said.
        #[source]
        source: tokio_postgres::Error,
    },
}

impl DbError {
    /// Sorts a statement's error.
    pub(super) fn of_statement(server: &str, source: tokio_postgres::Error) -> Self {
        let server = server.to_owned();
        if is_gone(&source) { Self::Gone { server, source } } else { Self::Statement { server, source } }
    }

    /// The same may succeed elsewhere or later; the statement itself is not at fault.
    pub fn is_unavailable(&self) -> bool {
        !matches!(self, Self::Statement { .. })
    }

    /// The connection, and probably the server behind it, is lost.
    pub(super) fn is_disconnect(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::ConnectTimeout { .. } => true,
            Self::Gone { source, .. } => source.as_db_error().is_none_or(|error| is_shutdown(error.code())),
            Self::Busy { .. } | Self::Standby { .. } | Self::Statement { .. } => false,
        }
    }
}

fn is_gone(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => {
            is_shutdown(code)
                // A demoted primary.
                || *code == SqlState::READ_ONLY_SQL_TRANSACTION
                // On a replica: replay needed what the read was holding on to.
                || *code == SqlState::T_R_SERIALIZATION_FAILURE
                || *code == SqlState::TOO_MANY_CONNECTIONS
        }
        None => error.is_closed() || error.source().is_some_and(|source| source.is::<io::Error>()),
    }
}

fn is_shutdown(code: &SqlState) -> bool {
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code)
}
