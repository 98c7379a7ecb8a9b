//! The subcommands of the binary. Settings are read here, checked, and passed
//! down as values; nothing below looks at arguments or the environment.

mod database;
mod edge;
mod error;
mod serve;
mod work;

use clap::{Parser, Subcommand};

use crate::db::{self, Db};
use crate::shop::seed::{self, SeedArgs};
use database::DatabaseArgs;
pub use error::CommandError;

/// An origin of a product on PostgreSQL: its HTTP server, its workers, its schema.
#[derive(Debug, Parser)]
#[command(name = "tidewall-origin", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer HTTP requests
    Serve(serve::ServeArgs),
    /// Run background jobs
    Work(work::WorkArgs),
    /// Bring the database's schema up to date
    Migrate {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Fill an empty database with the demo's rows
    Seed {
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        args: SeedArgs,
    },
}

impl Cli {
    /// Runs the subcommand to its end.
    pub async fn run(self) -> Result<(), CommandError> {
        match self.command {
            Command::Serve(args) => serve::serve(args).await,
            Command::Work(args) => work::work(args).await,
            Command::Migrate { database } => migrate(&Db::new(database.settings()?)).await,
            Command::Seed { database, args } => Ok(seed::seed(&Db::new(database.settings()?), &args).await?),
        }
    }
}

async fn migrate(db: &Db) -> Result<(), CommandError> {
    let applied = db::migrate(db).await?;
    if applied.is_empty() {
        tracing::info!("the schema is up to date");
    }
    for migration in applied {
        tracing::info!(migration, "applied");
    }
    Ok(())
}
