//! Settings that every subcommand shares.

use std::fmt;

use clap::Args;
use tokio_postgres::Config;

use super::error::CommandError;
use crate::db::DbSettings;

/// Where the database is reached.
#[derive(Args)]
pub(super) struct DatabaseArgs {
    /// The primary, as postgres://user:password@host:port/database
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// A streaming replica of it; may be given several times, or separated by commas
    #[arg(long, value_name = "URL", env = "REPLICA_URLS", hide_env_values = true, value_delimiter = ',')]
    replica_url: Vec<String>,
}

impl DatabaseArgs {
    pub(super) fn settings(&self) -> Result<DbSettings, CommandError> {
        let primary = self.database_url.as_deref().ok_or(CommandError::NoDatabase)?;
        // An empty variable means no replicas, like one that isn't set.
        let replicas: Vec<String> =
            self.replica_url.iter().filter(|url| !url.trim().is_empty()).cloned().collect();
        Ok(DbSettings::parse(primary, &replicas)?)
    }

    /// The servers of the database URL, and the replicas that are named besides, for who connects to
    /// each by itself.
    pub(super) fn servers(&self) -> Result<(Vec<Config>, Vec<Config>), CommandError> {
        let primary = self.database_url.as_deref().ok_or(CommandError::NoDatabase)?;
        let named = DbSettings::parse(primary, &[])?.servers();
        let replicas = self.settings()?.servers().split_off(named.len());
        Ok((named, replicas))
    }
}

/// Without the URLs: they hold passwords.
impl fmt::Debug for DatabaseArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseArgs").finish_non_exhaustive()
    }
}
