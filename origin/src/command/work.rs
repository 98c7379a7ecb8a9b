//! `work`: runs background jobs.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::accounts;
use super::database::DatabaseArgs;
use super::edge::EdgeArgs;
use super::error::CommandError;
use super::mail::MailArgs;
use super::serve::open_files;
use super::worker::WorkerArgs;
use crate::db::Db;
use crate::files::Location;
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
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    mail: MailArgs,
}

pub(super) async fn work(args: WorkArgs) -> Result<(), CommandError> {
    let secrets = accounts::secrets()?;
    let db = Db::new(args.database.settings()?);
    let outbox = args.edge.outbox()?;
    let means = args.mail.means(&db, &secrets, open_files(args.files).await?, outbox.clone())?;
    let shutdown = Shutdown::on_signals().map_err(CommandError::Signals)?;
    let deliverer = tokio::spawn(async move { outbox.deliver(db, DELIVERS_AFTER).await });
    let _deliverer = AbortOnDropHandle::new(deliverer);
    tracing::info!("working");
    args.worker.run(&means, shutdown).await?;
    tracing::info!("stopped");
    Ok(())
}
