//! The demo: a shop. The only folder that knows what is sold.
//!
//! - `analytics`: sales by day and category, calculated when asked for.
//! - `cart`, `orders`: what somebody is about to order, and what they did.
//! - `products`: the catalogue and its routes; `imports`: products from a table.
//! - `reports`: orders of a range of days as a file, made by a job.
//! - `groups`: which cache groups an answer is in, and a write invalidates.
//! - `images`: which picture shows which product that has none of its own; `pictures`: those that
//!   staff upload.
//! - `uploads`: what they send, until a job has worked on it.
//! - `seed`: a shop's worth of rows, the same each time.

mod analytics;
mod cart;
mod groups;
mod images;
mod imports;
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
use crate::files::FileStore;
use crate::http::accounts::Accounts;
use crate::http::jobs::Jobs;
use crate::http::site::Site;
use crate::outbox::Outbox;
use crate::queue::Handlers;

use images::Images;

/// Settings of the shop's routes.
#[derive(Clone, Debug, clap::Args)]
pub struct ShopArgs {
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

/// The shop's routes. Products have the pictures of `site`, and without one none.
pub fn routes(
    accounts: Accounts,
    jobs: Jobs,
    outbox: Outbox,
    files: FileStore,
    site: Option<Site>,
    args: &ShopArgs,
) -> OpenApiRouter {
    let shop = Shop {
        db: jobs.db.clone(),
        accounts,
        jobs,
        outbox,
        files,
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
        .with_state(shop)
}

/// The shop's jobs.
pub fn handlers(db: Db, files: FileStore, outbox: Outbox) -> Handlers {
    Handlers::default()
        .with(pictures::PictureHandler::new(db.clone(), files.clone(), outbox.clone()))
        .with(imports::ImportHandler { db: db.clone(), files: files.clone(), outbox })
        .with(reports::ReportHandler { db, files })
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
