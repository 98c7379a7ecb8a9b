//! `serve`: answers HTTP requests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::accounts::{self, AccountArgs};
use super::database::DatabaseArgs;
use super::edge::EdgeArgs;
use super::error::CommandError;
use super::mail::MailArgs;
use super::worker::InnerWorkerArgs;
use crate::db::Db;
use crate::files::{FileStore, LinkKey, Location};
use crate::http::app::{self, App};
use crate::http::download::Downloads;
use crate::http::jobs::Jobs;
use crate::http::server;
use crate::http::site::Site;
use crate::queue::WorkerMetrics;
use crate::shop::{self, ShopArgs};
use crate::shutdown::Shutdown;

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes any free one, and the log says which
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// This origin's name in its log
    #[arg(long, value_name = "NAME")]
    id: String,
    /// Where jobs put what they make; the same for all origins and workers: a directory, or a
    /// bucket as s3://bucket/prefix, with its endpoint and credentials in the AWS_* variables
    #[arg(long, value_name = "DIR|URL")]
    files: Location,
    /// The folder of the built site. It is served where no route answers, and names the pictures that
    /// answers refer to; without it there are no pages and no pictures
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    edge: EdgeArgs,
    #[command(flatten)]
    mail: MailArgs,
    #[command(flatten)]
    accounts: AccountArgs,
    #[command(flatten)]
    worker: InnerWorkerArgs,
    #[command(flatten)]
    shop: ShopArgs,
}

pub(super) async fn serve(args: ServeArgs) -> Result<(), CommandError> {
    let settings = args.database.settings()?;
    let outbox = args.edge.outbox()?;
    let secrets = accounts::secrets()?;
    let links = LinkKey::new(&secrets);
    let files = open_files(args.files).await?;
    let site = match &args.site {
        Some(folder) => Some(Site::open(folder).await?),
        None => None,
    };
    let shutdown = Shutdown::on_signals().map_err(CommandError::Signals)?;
    // Needs no database yet: an origin that starts while there is none says so
    // at /readyz, and serves as soon as one answers.
    let db = Db::new(settings);
    let means = args.mail.means(&db, &secrets, files.clone(), outbox.clone())?;
    let accounts = args.accounts.accounts(&db, &secrets);
    let deliverer = {
        let (outbox, db) = (outbox.clone(), db.clone());
        tokio::spawn(async move { outbox.deliver(db, Duration::ZERO).await })
    };
    // Until the last request was answered; what is left then others deliver.
    let _deliverer = AbortOnDropHandle::new(deliverer);
    let jobs = Jobs { queue: means.queue.clone(), links: links.clone() };
    let routes = shop::routes(accounts.clone(), means.clone(), site.clone(), &args.id, &args.shop);
    let metrics = WorkerMetrics::default();
    let worker = args.worker.run(&means, &metrics, shutdown.clone());
    let downloads = Downloads { files, links };
    let app =
        App { accounts, jobs, worker: metrics.clone(), downloads, outbox, site, shutdown: shutdown.clone() };
    let router = app::router(app, routes).map_err(CommandError::OpenApi)?;

    let listen_error = |source| CommandError::Listen { address: args.listen, source };
    let listener = TcpListener::bind(args.listen).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    tracing::info!(origin = args.id, address = %address, "listening");
    let served = async { server::serve(listener, router, shutdown).await.map_err(CommandError::Serve) };
    // Both end by the same deadline.
    tokio::try_join!(served, worker)?;
    tracing::info!(origin = args.id, "stopped");
    Ok(())
}

pub(super) async fn open_files(location: Location) -> Result<FileStore, CommandError> {
    FileStore::open(&location)
        .await
        .map_err(|source| CommandError::Files { location, source: Box::new(source) })
}
