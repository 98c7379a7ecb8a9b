//! An origin that serves a site, in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use tidewall_origin::db::{Db, DbSettings};
use tidewall_origin::files::{FileStore, LinkKey, Location};
use tidewall_origin::http::accounts::{Accounts, RateLimits};
use tidewall_origin::http::app::{App, router};
use tidewall_origin::http::client::ClientAddress;
use tidewall_origin::http::cookies::CookieNames;
use tidewall_origin::http::download::Downloads;
use tidewall_origin::http::jobs::Jobs;
use tidewall_origin::http::server;
use tidewall_origin::http::site::Site;
use tidewall_origin::mail::Mail;
use tidewall_origin::outbox::Outbox;
use tidewall_origin::queue::{Queue, WorkerMetrics};
use tidewall_origin::session::{SessionKeys, Sessions};
use tidewall_origin::shop::lab::LabArgs;
use tidewall_origin::shop::{self, Means, ShopArgs};
use tidewall_origin::shutdown::Shutdown;
use tidewall_origin::signing::Secrets;
use tidewall_origin::webhooks::{Addresses, Webhooks};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::folder::Folder;
use crate::error::Reason;

/// The site needs no database, and none is there: nothing listens on port 1.
const NO_DATABASE: &str = "postgres://nobody@127.0.0.1:1/none";
/// Nobody logs in here.
const SECRET: &str = "a secret of this bench and of nothing else";
const LIMITS: RateLimits = RateLimits { sign_ups_per_minute: 1, logins_per_minute: 1, reports_per_minute: 1 };

/// A running one; gone when dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    serving: JoinHandle<()>,
    /// Tells it to stop when dropped, so it isn't.
    _stop: watch::Sender<bool>,
    _files: Folder,
}

impl Server {
    /// Serves the site in `folder` on a free port.
    pub(super) async fn start(folder: &Path) -> Result<Self, Reason> {
        let site = Some(Site::open(folder).await?);
        let kept = Folder::new()?;
        let secrets = Secrets::new(SECRET, None)?;
        let links = LinkKey::new(&secrets);
        let db = Db::new(DbSettings::parse(NO_DATABASE, &[])?);
        let accounts = Accounts {
            sessions: Sessions::new(db.clone(), SessionKeys::new(&secrets)),
            db: db.clone(),
            cookies: CookieNames::Plain,
            clients: ClientAddress::default(),
            limits: LIMITS,
        };
        let jobs = Jobs { queue: Queue::new(db, None), links: links.clone() };
        let outbox = Outbox::new(None);
        let store = FileStore::open(&Location::Directory(kept.path().to_owned())).await?;
        let downloads = Downloads { files: store, links: links.clone() };
        let (stop, shutdown) = Shutdown::manual();
        let args = ShopArgs { product_max_age: 300, lab: LabArgs { lab: None, lab_lags: false } };
        let means = Means {
            queue: jobs.queue.clone(),
            files: downloads.files.clone(),
            links: links.clone(),
            outbox: outbox.clone(),
            mail: Mail::new(None),
            webhooks: Webhooks::new(&secrets, Addresses::Public),
            public_url: String::new(),
        };
        let routes = shop::routes(accounts.clone(), means, site.clone(), "a", &args);
        let worker = WorkerMetrics::default();
        let app = App { accounts, jobs, worker, downloads, outbox, site, shutdown: shutdown.clone() };
        let router = router(app, routes)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            // Who asks it will say so.
            let _ = server::serve(listener, router, shutdown).await;
        });
        Ok(Self { address, serving, _stop: stop, _files: kept })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
