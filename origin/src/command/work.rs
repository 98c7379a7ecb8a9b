//! `work`: runs background jobs.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::database::DatabaseArgs;
use super::edge::EdgeArgs;
use super::error::CommandError;
use super::serve::open_files;
use crate::db::Db;
use crate::files::Location;
use crate::queue;
use crate::shop;
use crate::shutdown::Shutdown;

/// Invalidations are delivered by the processes that answer requests, and show there what is
/// measured of it. What has waited for so long there are none of.
const DELIVERS_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct WorkArgs {
    /// Where to put what jobs make; the same for all origins and workers: a directory, or a
    /// bucket as s3://bucket/prefix, with its endpoint and credentials in the AWS_* variables
    #[arg(long, value_name = "DIR|URL")]
    files: Location,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    edge: EdgeArgs,
}

pub(super) async fn work(args: WorkArgs) -> Result<(), CommandError> {
    let db = Db::new(args.database.settings()?);
    let outbox = args.edge.outbox()?;
    let files = open_files(args.files).await?;
    let shutdown = Shutdown::on_signals().map_err(CommandError::Signals)?;
    let deliverer = {
        let (outbox, db) = (outbox.clone(), db.clone());
        tokio::spawn(async move { outbox.deliver(db, DELIVERS_AFTER).await })
    };
    let _deliverer = AbortOnDropHandle::new(deliverer);
    let handlers = shop::handlers(db.clone(), files, outbox);
    tracing::info!("working");
    queue::work(db, handlers, shutdown).await;
    tracing::info!("stopped");
    Ok(())
}
