//! `work`: runs background jobs.

use std::path::PathBuf;

use super::database::DatabaseArgs;
use super::error::CommandError;
use super::serve::open_files;
use crate::db::Db;
use crate::queue;
use crate::shop;
use crate::shutdown::Shutdown;

#[derive(Debug, clap::Args)]
pub(super) struct WorkArgs {
    /// Where to put what jobs make; the same for all origins and workers
    #[arg(long, value_name = "DIR")]
    files: PathBuf,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(super) async fn work(args: WorkArgs) -> Result<(), CommandError> {
    let db = Db::new(args.database.settings()?);
    let files = open_files(args.files).await?;
    let shutdown = Shutdown::on_signals().map_err(CommandError::Signals)?;
    let handlers = shop::handlers(db.clone(), files);
    tracing::info!("working");
    queue::work(db, handlers, shutdown).await;
    tracing::info!("stopped");
    Ok(())
}
