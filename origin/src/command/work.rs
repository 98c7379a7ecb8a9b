//! `work`: runs background jobs.

use std::path::PathBuf;
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
use crate::queue::{Queue, Seal};
use crate::shop;
use crate::shutdown::Shutdown;
use crate::webhooks::{Addresses, Webhooks};

/// Invalidations are delivered by the processes that answer requests, and show there what is
/// measured of it. What has waited for so long there are none of.
const DELIVERS_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct WorkArgs {
    /// Where to put what jobs make; the same for all origins and workers
    #[arg(long, value_name = "DIR")]
    files: PathBuf,
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
    let mail = args.mail.mail()?;
    let webhooks = Webhooks::new(&accounts::secrets()?, Addresses::Public);
    let files = open_files(args.files).await?;
    let shutdown = Shutdown::on_signals().map_err(CommandError::Signals)?;
    let deliverer = {
        let db = db.clone();
        tokio::spawn(async move { outbox.deliver(db, DELIVERS_AFTER).await })
    };
    let _deliverer = AbortOnDropHandle::new(deliverer);
    let queue = Queue::new(db.clone(), Some(Seal::new(&secrets)));
    let handlers = mail.add_to(webhooks.add_to(shop::handlers(db.clone(), files), db.clone()));
    tracing::info!("working");
    args.worker.run(queue, handlers, shutdown).await;
    tracing::info!("stopped");
    Ok(())
}
