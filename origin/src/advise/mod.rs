//! Which of the seven tools a running product needs now: looks at its database, its access log,
//! its counters and its machine, and asks [`tidewall_api::advice`], which decides.
//!
//! - `question`: where to look; `look`: looks there.
//! - `log`: reads an access log, of whose lines `log_line` says what each is, `route` what it is for,
//!   and `gather` what they come to.
//! - `exposition`: what a Prometheus page says; `counters`: what two looks at the origins' pages come to.
//! - `database`: looks twice at a database; `storage`: what it is asked; `difference`: what came between.
//! - `machine`: the CPUs of this one.
//! - `ledger`: a file of what was advised; `text`, `page`: what is said, for a terminal and for a browser.

mod amount;
mod counters;
mod database;
mod difference;
mod exposition;
mod gather;
mod ledger;
mod log;
mod log_line;
mod look;
mod machine;
mod page;
mod question;
mod route;
mod storage;
mod text;

use std::path::PathBuf;

pub use ledger::Ledger;
pub use look::look;
pub use page::page;
pub use question::Question;
pub use text::text;

use crate::index::IndexError;

/// Why there is no advice.
#[derive(Debug, thiserror::Error)]
pub enum AdviseError {
    /// There is nothing to look at.
    #[error("there is nothing to look at; pass --database-url, --access-log or both")]
    Nothing,
    /// The access log.
    #[error("can't read the access log {}", file.display())]
    Log {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that has something else in it.
    #[error(
        "{} has no line of an access log; the Common and the Combined Log Format are read, and JSON with at least \
         a method, a path and a status",
        file.display()
    )]
    NoLog {
        /// Which file.
        file: PathBuf,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] IndexError),
    /// The ledger.
    #[error("can't use the ledger {}; name another file with --ledger", file.display())]
    Ledger {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Somebody asked for the end.
    #[error("stopped before everything was looked at")]
    Stopped,
}
