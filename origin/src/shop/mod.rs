//! The demo: a shop. The only folder that knows what is sold.
//!
//! - `analytics`: sales by day and category, calculated when asked for.
//! - `cart`, `orders`: what somebody is about to order, and what they did.
//! - `products`: the catalogue and its routes; `imports`: products from a table.
//! - [`lab`]: each tool off and on, where `tidewall dev` runs the system.
//! - `reports`: orders of a range of days as a file, made by a job.
//! - [`events`]: what programs of others can be told of.
//! - `groups`: which cache groups an answer is in, and a write invalidates.
//! - `images`: which picture shows which product that has none of its own; `pictures`: those that
//!   staff upload.
//! - `uploads`: what they send, until a job has worked on it.
//! - `seed`: a shop's worth of rows, the same each time.

mod analytics;
mod cart;
pub mod events;
mod expiry;
mod groups;
mod images;
mod imports;
pub mod lab;
mod orders;
mod pictures;
mod products;
mod reports;
pub mod seed;
mod uploads;

use std::time::Duration;

use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;

use crate::db::{Db, HotStatement};
use crate::files::{FileStore, LinkKey};
use crate::http::accounts::Accounts;
use crate::http::jobs::Jobs;
use crate::http::site::Site;
use crate::mail::Mail;
use crate::outbox::Outbox;
use crate::queue::{Handlers, Queue, Schedule, ScheduleError};
use crate::webhooks::Webhooks;

use images::Images;
use lab::LabArgs;

/// Settings of the shop's routes.
#[derive(Clone, Debug, clap::Args)]
pub struct ShopArgs {
    /// Where the Lab plays.
    #[command(flatten)]
    pub lab: LabArgs,
    /// How long shared caches may keep product answers
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub product_max_age: u32,
}

/// What the shop's routes need; cheap to clone.
#[derive(Clone)]
struct Shop {
    db: Db,
    accounts: Accounts,
    jobs: Jobs,
    outbox: Outbox,
    files: FileStore,
    webhooks: Webhooks,
    images: Images,
    product_max_age: Duration,
}

impl FromRef<Shop> for Db {
    fn from_ref(shop: &Shop) -> Self {
        shop.db.clone()
    }
}

impl FromRef<Shop> for Accounts {
    fn from_ref(shop: &Shop) -> Self {
        shop.accounts.clone()
    }
}

/// What the shop needs for its jobs, and its routes as well; cheap to clone.
#[derive(Clone)]
pub struct Means {
    /// The queue, and with it the database.
    pub queue: Queue,
    /// Where files lie.
    pub files: FileStore,
    /// Signs links to them.
    pub links: LinkKey,
    /// What writes make invalid.
    pub outbox: Outbox,
    /// The way to users.
    pub mail: Mail,
    /// The way to programs of others.
    pub webhooks: Webhooks,
    /// Where the shop is reached, for links in mail, such as `https://shop.example`.
    pub public_url: String,
}

/// The shop's routes at the origin of this name. Products have the pictures of `site`, and without one none.
pub fn routes(
    accounts: Accounts,
    means: Means,
    site: Option<Site>,
    origin: &str,
    args: &ShopArgs,
) -> OpenApiRouter {
    let Means { queue, files, links, outbox, webhooks, .. } = means;
    let shop = Shop {
        db: queue.db().clone(),
        accounts,
        jobs: Jobs { queue, links },
        outbox,
        files,
        webhooks,
        images: Images::new(site),
        product_max_age: Duration::from_secs(args.product_max_age.into()),
    };
    OpenApiRouter::new()
        .merge(products::routes())
        .merge(pictures::routes())
        .merge(imports::routes())
        .merge(cart::routes())
        .merge(orders::routes())
        .merge(reports::routes())
        .merge(analytics::routes())
        .with_state(shop.clone())
        .merge(lab::routes(shop, origin, &args.lab))
}

/// The shop's jobs.
pub fn handlers(means: &Means) -> Handlers {
    let Means { queue, files, outbox, mail, webhooks, .. } = means;
    let db = queue.db();
    let handlers = Handlers::default()
        .with(pictures::PictureHandler::new(db.clone(), files.clone(), outbox.clone()))
        .with(imports::ImportHandler { files: files.clone(), outbox: outbox.clone() })
        .with(reports::ReportHandler { means: means.clone() })
        .with(expiry::ExpiryHandler { files: files.clone() })
        .with(lab::WaitingHandler);
    mail.add_to(webhooks.add_to(handlers, db.clone()))
}

/// What the shop does by the calendar.
///
/// # Errors
/// A schedule that can't be.
pub fn schedules() -> Result<Vec<Schedule>, ScheduleError> {
    Ok(vec![expiry::schedule()?])
}

/// What the shop's requests and jobs run again and again.
pub fn hot_statements() -> Vec<HotStatement> {
    let mut all = products::hot_statements();
    all.extend(cart::hot_statements());
    all.extend(orders::hot_statements());
    all.extend(imports::hot_statements());
    all.extend(pictures::hot_statements());
    all.extend(reports::hot_statements());
    all
}

/// The id that a part of a path names; `None` if it names no possible one.
fn parse_id(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
