//! The subcommands of the binary. Settings are read here, checked, and passed
//! down as values; nothing below looks at arguments or the environment.

mod accounts;
mod advise;
mod database;
mod edge;
mod error;
mod index;
mod jobs;
mod mail;
mod output;
mod serve;
mod webhooks;
mod work;
mod worker;

use clap::{Parser, Subcommand};
use tidewall_api::account::Credentials;

use crate::db::{self, Db};
use crate::session::{self, StaffAccount};
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
    /// Look at background jobs, retry and cancel them
    Jobs(jobs::JobsArgs),
    /// Have programs of others be told what happens, by signed messages
    Webhooks(webhooks::WebhooksArgs),
    /// Say which indexes the database lacks, and which it has in vain
    Index(index::IndexArgs),
    /// Say which of the seven tools the product needs now, and which not yet
    Advise(advise::AdviseArgs),
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
            Command::Jobs(args) => jobs::jobs(args).await,
            Command::Webhooks(args) => webhooks::webhooks(args).await,
            Command::Index(args) => index::index(args).await,
            Command::Advise(args) => advise::advise(args).await,
            Command::Migrate { database } => migrate(&Db::new(database.settings()?)).await,
            Command::Seed { database, args } => {
                let db = Db::new(database.settings()?);
                seed::seed(&db, &args).await?;
                keep_staff(&db, &args).await
            }
        }
    }
}

/// Sees to it that somebody can log in as staff, where a password for that is given: in
/// `STAFF_PASSWORD`, since arguments can be read by everybody on the machine.
async fn keep_staff(db: &Db, args: &SeedArgs) -> Result<(), CommandError> {
    let Some(password) = std::env::var("STAFF_PASSWORD").ok().filter(|password| !password.is_empty()) else {
        return Ok(());
    };
    let credentials = Credentials { email: args.staff_email.clone(), password };
    let Credentials { email, password } =
        session::validate(credentials).map_err(CommandError::StaffAccount)?;
    Ok(session::keep_staff_account(db, &StaffAccount { email, password }).await?)
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
