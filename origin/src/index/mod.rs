//! Which indexes a workload lacks, and which it has in vain: found, proved, built and checked.
//!
//! What statements ask of each table is read from the planner's own plans, not from their text. For each way of
//! reading a table there are a few indexes that could serve it; all statements are then weighed
//! together, reads against writes, so that few indexes serve many. What looks good is proved
//! before it is built, and measured again once it is.
//!
//! - `plan`: an EXPLAIN; `condition`: what a condition in it asks of one table; `access`: how a
//!   statement reads each of its tables. `statement`: a statement's text; `depth`: whether that can be
//!   read. Pure.
//! - `facts`: what the database says of its tables and indexes. `candidate`: which indexes could
//!   serve an access; `consider`: which are worth a try for all statements; `choose`: which to
//!   build once it is measured what each does; `audit`: what is wrong with those that are there.
//!   `values`: what statements are tried with. Pure.
//! - `session`: a connection; `storage`: what is asked of the catalogues, `read`: what they answer;
//!   `work`: the workload, as far as it is understood.
//! - `scratch`: copies on which candidates are built; `hypothetical`: HypoPG, where there is one; `prove`: what statements take with them;
//!   `apply`: the same on the tables themselves.
//! - `advise`: the course of it all; `advice`: what is said in the end. `lacking`: what a look alone says.

mod access;
mod advice;
mod advise;
mod apply;
mod audit;
mod candidate;
mod choose;
mod condition;
mod consider;
mod depth;
mod facts;
mod hypothetical;
mod lacking;
mod plan;
mod prove;
mod read;
mod scratch;
mod session;
mod statement;
mod storage;
mod values;
mod work;

pub use advice::{Advice, Applied, Drop, Proposal, Rejected, Served, Unknown};
pub use advise::{Question, advise};
pub(crate) use lacking::{Found, Workload, calls_volatile, lacking};
pub(crate) use read::statements_schema;
pub(crate) use session::{Purpose, Session};
pub use statement::statements;

use tidewall_api::postgres::AuthoritiesError;

/// Why there is no advice.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// No connection.
    #[error("{server} can't be reached; correct its URL")]
    Connect {
        /// Which server.
        server: String,
        /// What it said.
        #[source]
        source: Box<tokio_postgres::Error>,
    },
    /// The authorities that may sign a server's certificate can't be used.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// A pooler stands before the server, and doesn't keep a session's settings.
    #[error("{server} is reached through a pooler; connect to the server itself")]
    Pooler {
        /// Which server.
        server: String,
    },
    /// None of the servers takes writes.
    #[error("none of the servers of the database URL is a primary; name it")]
    NoPrimary,
    /// A statement of the advisor's own failed. Without the server's message, which may quote rows.
    #[error("the database could not be looked at: {}", code(.0))]
    Statement(tokio_postgres::Error),
    /// A copy can't be written.
    #[error("indexes could not be tried: {0}")]
    Refused(String),
    /// Somebody asked for the end.
    #[error("stopped; nothing is left behind")]
    Stopped,
    /// Somebody builds already.
    #[error("another `tidewall index --apply` is at work in this database; wait for its end")]
    Busy,
}

fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(|| error.to_string(), |code| format!("SQLSTATE {}", code.code()))
}

impl From<tokio_postgres::Error> for IndexError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(error)
    }
}

impl IndexError {
    /// The role may not do that, or nobody may.
    fn is_forbidden(&self) -> bool {
        use tokio_postgres::error::SqlState;
        let Self::Statement(error) = self else { return false };
        let forbidden = [&SqlState::INSUFFICIENT_PRIVILEGE, &SqlState::READ_ONLY_SQL_TRANSACTION];
        error.code().is_some_and(|code| forbidden.contains(&code))
    }
}
