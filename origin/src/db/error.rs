//! What can go wrong between a caller and its rows.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use tokio_postgres::error::{Severity, SqlState};

use super::cause::Cause;
use super::holder::Holder;

/// Why the database gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection was free in time.
    #[error(transparent)]
    Exhausted(Box<Exhausted>),
    /// So many wait for a connection that one more would wait in vain.
    #[error("{server}: {waiting} callers wait for a connection already; refused at once")]
    Overloaded {
        /// Whose connections.
        server: String,
        /// Callers that wait.
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
    /// None of the servers is a primary that answers.
    #[error("no primary: {servers}")]
    NoPrimary {
        /// What each server is instead.
        servers: String,
    },
    /// The server went away, stopped answering, or declined to serve now; another
    /// one may.
    #[error("{server}: went away while it was asked")]
    Gone {
        /// Which server.
        server: String,
        /// What it said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The server lacks what the statement needs: connections, memory, room on its disk.
    #[error("{server}: is short of what a statement needs")]
    Short {
        /// Which server.
        server: String,
        /// What it said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The server went away while it committed: the transaction may have taken
    /// effect or not.
    #[error("{server}: went away while it committed; whether it did isn't known")]
    OutcomeUnknown {
        /// Which server.
        server: String,
    },
    /// A statement of the transaction had failed, so the server can't commit it,
    /// though the caller went on.
    #[error(
        "{server}: a statement of the transaction had failed before it was to be committed; nothing was changed"
    )]
    Aborted {
        /// Which server.
        server: String,
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

/// No connection was free in time: why, and who holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Whose connections.
    pub server: String,
    /// How long the caller waited.
    pub waited: Duration,
    /// What kept it from a connection.
    pub cause: Cause,
    /// Connections lent.
    pub in_use: usize,
    /// Connections that callers like this one may have.
    pub capacity: usize,
    /// Callers that wait still.
    pub waiting: usize,
    /// Those who have held theirs longest.
    pub oldest: Vec<Holder>,
}

/// Holders that an error names.
pub(super) const OLDEST_NAMED: usize = 3;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, waited, cause, in_use, capacity, waiting, oldest } = self;
        let waited_ms = waited.as_millis();
        write!(
            f,
            "{server}: no connection free after {waited_ms} ms ({in_use}/{capacity} in use, {waiting} waiting): {cause}"
        )?;
        for (number, holder) in (1..).zip(oldest) {
            write!(f, "; holder {number}: {holder}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Exhausted {}

impl DbError {
    /// Sorts a statement's error.
    pub(super) fn of_statement(server: &str, source: tokio_postgres::Error) -> Self {
        let server = server.to_owned();
        match source.code() {
            _ if is_gone(&source) => Self::Gone { server, source },
            Some(code) if is_short(code) => Self::Short { server, source },
            _ => Self::Statement { server, source },
        }
    }

    /// A statement was given what can't be stored: a text with a NUL, a number that is too large.
    /// (Data exceptions, program limits, and checks.)
    pub fn is_bad_data(&self) -> bool {
        let Self::Statement { source, .. } = self else { return false };
        let code = source.code().map(|code| code.code()).unwrap_or_default();
        code.starts_with("22") || code.starts_with("54") || code == "23514"
    }

    /// Somebody else has what there may be one of.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Statement { source, .. } if source.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }

    /// The same may succeed later; the statement itself is not at fault.
    pub fn is_unavailable(&self) -> bool {
        !matches!(self, Self::Statement { .. } | Self::Aborted { .. })
    }

    /// More was asked of the database than it can do now.
    pub fn is_overload(&self) -> bool {
        matches!(self, Self::Exhausted(_) | Self::Overloaded { .. })
    }

    /// A read that failed so may succeed on another server at once.
    pub(super) fn is_elsewhere(&self) -> bool {
        match self {
            Self::ConnectTimeout { .. } | Self::Connect { .. } | Self::Gone { .. } => true,
            // Another server has other connections; another disk would be tried for nothing.
            Self::Short { source, .. } => source.code() == Some(&SqlState::TOO_MANY_CONNECTIONS),
            _ => false,
        }
    }

    /// The connection, and perhaps the server behind it, is lost.
    pub(super) fn is_disconnect(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::ConnectTimeout { .. } => true,
            Self::Gone { source, .. } => source
                .as_db_error()
                .is_none_or(|error| is_shutdown(error.code()) || is_read_only(error.code())),
            _ => false,
        }
    }
}

fn is_gone(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => {
            is_shutdown(code)
                || is_read_only(code)
                // On a replica: replay needed what the read was holding on to.
                || *code == SqlState::T_R_SERIALIZATION_FAILURE
                // Undone, so that another transaction could go on.
                || *code == SqlState::T_R_DEADLOCK_DETECTED
        }
        None => error.is_closed() || error.source().is_some_and(|source| source.is::<io::Error>()),
    }
}

/// The server lacks what it needs, and may have it later: connections, memory, room on its disk, or a
/// disk that works.
fn is_short(code: &SqlState) -> bool {
    [
        SqlState::INSUFFICIENT_RESOURCES,
        SqlState::DISK_FULL,
        SqlState::OUT_OF_MEMORY,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::SYSTEM_ERROR,
        SqlState::IO_ERROR,
    ]
    .contains(code)
}

/// Whether the server, or its part that had the transaction, ended with the error. One that ends while it
/// commits may have written that down before, whatever it ended of.
pub(super) fn is_end_of_server(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(error) => ends(error.parsed_severity(), error.code()),
        None => true,
    }
}

fn ends(severity: Option<Severity>, code: &SqlState) -> bool {
    matches!(severity, Some(Severity::Panic | Severity::Fatal)) || is_shutdown(code)
}

pub(super) fn is_shutdown(code: &SqlState) -> bool {
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code)
}

/// The server is no primary, or not any more.
fn is_read_only(code: &SqlState) -> bool {
    *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_while_it_commits_may_have_committed() {
        for code in [SqlState::DISK_FULL, SqlState::IO_ERROR, SqlState::INTERNAL_ERROR] {
            assert!(ends(Some(Severity::Panic), &code) && ends(Some(Severity::Fatal), &code), "{code:?}");
            assert!(!ends(Some(Severity::Error), &code), "{code:?}");
        }
        assert!(ends(Some(Severity::Error), &SqlState::ADMIN_SHUTDOWN));
    }

    #[test]
    fn what_a_server_lacks_it_may_have_later_and_a_limit_of_its_settings_stays() {
        for code in
            [SqlState::DISK_FULL, SqlState::OUT_OF_MEMORY, SqlState::TOO_MANY_CONNECTIONS, SqlState::IO_ERROR]
        {
            assert!(is_short(&code), "{code:?}");
        }
        for code in
            [SqlState::CONFIGURATION_LIMIT_EXCEEDED, SqlState::UNDEFINED_FILE, SqlState::DUPLICATE_FILE]
        {
            assert!(!is_short(&code), "{code:?}");
        }
    }
}
