//! `/api/lab/…`: each of the seven tools off and on, on the running system itself. For a system that
//! `tidewall dev` brought up, and staff alone: what it does to that is bounded, and is over by itself.
//!
//! What anonymous readers of a cache are to be given, they must be able to ask for: such reads need no
//! login, and are refused like all else where there is no Lab.
//!
//! - `stack`: what `tidewall dev` runs, by its ready file; `lag`: replicas that are held back.
//! - `advice`: the advisor on this system. `cache`, `balance`, `index`, `replicas`, `pool`, `waiting` (the
//!   queue): the routes of each tool. A CDN needs none: a browser's own requests for the site's files show it.
//! - `storage`: every SQL statement.

mod advice;
mod balance;
mod cache;
mod index;
mod lag;
mod pool;
mod replicas;
mod stack;
mod storage;
mod waiting;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRef, State};
use futures::future::join_all;
use tidewall_api::lab;
use tidewall_api::problem::Problem;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::task::AbortOnDropHandle;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shop;
use crate::db::{Db, Lsn};
use crate::http::accounts::{Accounts, Staff};
use crate::http::error::ApiError;

pub(super) use waiting::WaitingHandler;

use stack::Stack;

/// What is said where there is none.
const OFF: &str = "The Lab works where `tidewall dev` runs the system, and nowhere else.";

/// Connections that are made for one request each, at a time.
const CONNECTIONS_MAX: usize = 16;
/// Calculations at a time.
const CALCULATIONS_MAX: usize = 16;

/// Where the Lab plays.
#[derive(Clone, Debug, clap::Args)]
pub struct LabArgs {
    /// The ready file of the `tidewall dev` that runs this origin: opens the Lab, which stops origins
    /// and slows things down
    #[arg(long, value_name = "FILE")]
    pub lab: Option<PathBuf>,
    /// The replicas are that system's own, and may be held back
    #[arg(long, requires = "lab")]
    pub lab_lags: bool,
}

/// What the Lab's routes need; cheap to clone.
#[derive(Clone)]
struct Lab {
    shop: Shop,
    /// This origin's name.
    origin: String,
    on: Option<Arc<On>>,
}

/// A Lab that is open.
struct On {
    stack: Stack,
    lags: bool,
    client: reqwest::Client,
    connections: Semaphore,
    /// Calculations that anybody may ask for.
    calculations: Semaphore,
    /// One looks at a time.
    advice: Semaphore,
    /// Where in the log the Lab's tables are.
    tables: OnceCell<Option<Lsn>>,
    _lag: AbortOnDropHandle<()>,
}

impl FromRef<Lab> for Accounts {
    fn from_ref(lab: &Lab) -> Self {
        lab.shop.accounts.clone()
    }
}

impl FromRef<Lab> for Db {
    fn from_ref(lab: &Lab) -> Self {
        lab.shop.db.clone()
    }
}

impl Lab {
    fn new(shop: Shop, origin: &str, args: &LabArgs) -> Self {
        let on = args.lab.as_ref().map(|file| {
            let stack = Stack::new(file.clone());
            let lag = tokio::spawn(lag::keep(shop.db.clone(), stack.clone(), args.lab_lags));
            Arc::new(On {
                stack,
                lags: args.lab_lags,
                client: balance::client(),
                connections: Semaphore::new(CONNECTIONS_MAX),
                calculations: Semaphore::new(CALCULATIONS_MAX),
                advice: Semaphore::new(1),
                tables: OnceCell::new(),
                _lag: AbortOnDropHandle::new(lag),
            })
        });
        Self { shop, origin: origin.to_owned(), on }
    }

    /// The Lab, unless it is closed.
    fn on(&self) -> Result<&On, ApiError> {
        self.on.as_deref().ok_or(ApiError::Forbidden(OFF))
    }

    /// The same for anybody: its tables are there if staff have looked in.
    async fn opened(&self) -> Result<(&On, Option<Lsn>), ApiError> {
        let on = self.on()?;
        let find = async || match storage::find(&self.shop.db).await? {
            Some(found) => Ok(Some(found)),
            None => Err(ApiError::Busy("Nobody of the staff has opened the Lab yet.".to_owned())),
        };
        Ok((on, *on.tables.get_or_try_init(find).await?))
    }

    /// The same, with its tables, and where in the log those are.
    async fn prepared(&self) -> Result<(&On, Option<Lsn>), ApiError> {
        let on = self.on()?;
        let tables = on.tables.get_or_try_init(|| storage::prepare(&self.shop.db)).await?;
        Ok((on, *tables))
    }
}

pub(super) fn routes(shop: Shop, origin: &str, args: &LabArgs) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(cache::show, cache::write_through))
        .routes(routes!(cache::write))
        .routes(routes!(balance::ping))
        .routes(routes!(balance::kill))
        .routes(routes!(balance::restart_all))
        .routes(routes!(advice::of_this_system))
        .routes(routes!(index::newest))
        .routes(routes!(replicas::read_back))
        .routes(routes!(replicas::hold_back))
        .routes(routes!(pool::ask))
        .routes(routes!(waiting::work))
        .with_state(Lab::new(shop, origin, args))
}

/// What of the system can be played with.
#[utoipa::path(get, path = "/api/lab", tag = "lab",
    responses(
        (status = 200, description = "What there is", body = lab::Lab),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn show(State(lab): State<Lab>, _: Staff) -> Result<Json<lab::Lab>, ApiError> {
    let (on, _) = lab.prepared().await?;
    let running = on.stack.read().await?;
    let origins = running.origins.into_iter().map(async |origin| lab::LabOrigin {
        is_running: balance::is_ready(on, &origin.url).await,
        id: origin.id,
    });
    Ok(Json(lab::Lab {
        origin: lab.origin.clone(),
        origins: join_all(origins).await,
        replicas: running.replicas.len(),
        lags: on.lags,
    }))
}

/// One of the names that a path may have.
fn named<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, ApiError> {
    serde_json::from_value(name.into()).map_err(|_| nothing())
}

fn nothing() -> ApiError {
    ApiError::NotFound("The Lab has nothing of this name.".to_owned())
}
