//! Why a command could not do its work: one sentence that says what and what to do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::advise::AdviseError;
use crate::db::{DbError, MigrateError, SettingsError};
use crate::files::{FileError, Location};
use crate::http::site::SiteError;
use crate::index::IndexError;
use crate::mail::MailSettingsError;
use crate::outbox::EdgeSettingsError;
use crate::queue::ScheduleError;
use crate::session::KeepStaffError;
use crate::shop::seed::SeedError;
use crate::signing::SecretError;
use crate::webhooks::WebhookError;

/// Why a command stopped.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No database named.
    #[error("no database is named; set --database-url or DATABASE_URL")]
    NoDatabase,
    /// A database that can't be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// An edge that can't be used.
    #[error(transparent)]
    Edge(#[from] EdgeSettingsError),
    /// Mail that can't be sent so.
    #[error(transparent)]
    Mail(#[from] MailSettingsError),
    /// Nothing to sign links with.
    #[error(
        "TIDEWALL_SECRET is not set; give all origins the same random secret, which signs sessions and result links, and opens what is sealed"
    )]
    NoSecret,
    /// A weak one.
    #[error("TIDEWALL_SECRET or TIDEWALL_SECRET_ACCEPTED is too short: {0}")]
    Secret(#[from] SecretError),
    /// A site that can't be served.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// Where files are to lie.
    #[error("{location} can't be used for files; choose another place with --files")]
    Files {
        /// Which one.
        location: Location,
        /// What the store said.
        #[source]
        source: Box<FileError>,
    },
    /// The address is taken, or not this machine's.
    #[error("can't listen on {address}; choose another one with --listen")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A job that can't be acted on.
    #[error("job {id}: {what}; `jobs list` says which there are")]
    NoJob {
        /// Which one.
        id: i64,
        /// Why not.
        what: &'static str,
    },
    /// An endpoint that nobody has added.
    #[error("no endpoint has the URL {url}; `webhooks list` says which there are")]
    NoEndpoint {
        /// Which one.
        url: String,
    },
    /// An event that nobody publishes.
    #[error("there is no event `{name}`; there are: {}", .known.join(", "))]
    UnknownEvent {
        /// What it was called.
        name: String,
        /// What there are.
        known: &'static [&'static str],
    },
    /// A secret that nobody has seen.
    #[error(
        "the endpoint was added, but its secret could not be printed; add it again, which gives it another"
    )]
    Unseen(#[source] std::io::Error),
    /// An endpoint that can't be.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// A file that can't be read.
    #[error("can't read {}", file.display())]
    Statements {
        /// Which one.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file without SQL.
    #[error("{} is no SQL that can be read; write statements, each with a semicolon behind it", file.display())]
    NoStatements {
        /// Which one.
        file: PathBuf,
    },
    /// There is no advice.
    #[error(transparent)]
    Advise(#[from] AdviseError),
    /// Prices that can't be used.
    #[error("{} is no table of prices; `tidewall cost --prices-json` prints one to begin with", file.display())]
    Prices {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A page that can't be written.
    #[error("can't write {}; name another file with --html", file.display())]
    Page {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No URL. It isn't told: it may hold a password.
    #[error("an --origin or --edge is no URL of http; pass one such as http://127.0.0.1:8081")]
    NoUrl,
    /// There is no advice on indexes.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A schedule that can't be.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The server broke off.
    #[error("the server stopped")]
    Serve(#[source] std::io::Error),
    /// Signals can't be caught.
    #[error("signals can't be received")]
    Signals(#[source] std::io::Error),
    /// The description of the routes can't be written.
    #[error("the OpenAPI document can't be written")]
    OpenApi(#[source] serde_json::Error),
    /// The database gives no answer.
    #[error("the database can't be reached; start it, or correct --database-url")]
    Unreachable(#[source] DbError),
    /// The schema.
    #[error(transparent)]
    Migrate(MigrateError),
    /// The account of those who work here.
    #[error("STAFF_PASSWORD or --staff-email can't be used: {}", named(.0))]
    StaffAccount(BTreeMap<String, String>),
    /// It could not be made.
    #[error("the staff account could not be made")]
    KeepStaff(#[from] KeepStaffError),
    /// The demo's rows.
    #[error(transparent)]
    Seed(SeedError),
}

impl CommandError {
    /// What was typed can't be used, whatever the database holds.
    pub fn is_of_usage(&self) -> bool {
        matches!(self, Self::UnknownEvent { .. } | Self::Webhook(WebhookError::Target(_)))
    }
}

/// Each field, and what is wrong with it.
fn named(errors: &BTreeMap<String, String>) -> String {
    errors.iter().map(|(field, problem)| format!("{field} {problem}")).collect::<Vec<_>>().join(", ")
}

impl From<MigrateError> for CommandError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Db(error) if error.is_unavailable() => Self::Unreachable(error),
            error => Self::Migrate(error),
        }
    }
}

impl From<SeedError> for CommandError {
    fn from(error: SeedError) -> Self {
        match error {
            SeedError::Db(error) if error.is_unavailable() => Self::Unreachable(error),
            error => Self::Seed(error),
        }
    }
}
