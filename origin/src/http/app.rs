//! Puts routes and layers together.

use axum::handler::Handler as _;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Router, routing};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::Accounts;
use super::download::Downloads;
use super::health::Health;
use super::jobs::{JobRoutes, Jobs};
use super::media::Media;
use super::metrics::Metrics;
use super::notifications::NotificationRoutes;
use super::ops::Ops;
use super::site::{self, Site};
use super::streams::Streams;
use super::{
    api_version, cross_site, deadline, download, draining, health, jobs, load, media, metrics, notifications,
    observe, openapi, ops, problems, session,
};
use crate::outbox::Outbox;
use crate::queue::WorkerMetrics;
use crate::shutdown::Shutdown;

/// Everything that the routes here need.
pub struct App {
    /// Who asks.
    pub accounts: Accounts,
    /// Jobs, and with them the database.
    pub jobs: Jobs,
    /// What is measured of the jobs that run here.
    pub worker: WorkerMetrics,
    /// What jobs made.
    pub downloads: Downloads,
    /// What writes made invalid.
    pub outbox: Outbox,
    /// The built site, if this origin serves it.
    pub site: Option<Site>,
    /// Tells when to stop being ready.
    pub shutdown: Shutdown,
}

/// The routes of this module and the `own` ones of whoever uses it, behind the layers that
/// all share.
pub fn router(app: App, own: OpenApiRouter) -> Result<Router, serde_json::Error> {
    let metrics = Metrics::new(app.jobs.queue.db().clone(), app.outbox.clone(), &app.worker);
    let streams = Streams::default();
    let jobs = JobRoutes::new(app.jobs.clone(), app.accounts.clone(), streams.clone(), app.shutdown.clone());
    let told = NotificationRoutes::new(
        app.jobs.queue.db().clone(),
        app.accounts.clone(),
        streams,
        app.shutdown.clone(),
    );
    let ops = Ops { jobs: app.jobs.clone(), outbox: app.outbox.clone(), accounts: app.accounts.clone() };
    let media = Media(app.downloads.files.media());
    let health = Health { db: app.jobs.queue.db().clone(), shutdown: app.shutdown.clone() };
    let (routes, document) = OpenApiRouter::with_openapi(openapi::document())
        .merge(own)
        .merge(session::routes().with_state(app.accounts))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(jobs::show, jobs::cancel))
                .routes(routes!(jobs::follow))
                .with_state(jobs),
        )
        .merge(OpenApiRouter::new().routes(routes!(notifications::follow)).with_state(told))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(ops::overview))
                .routes(routes!(ops::queue))
                .routes(routes!(ops::jobs))
                .routes(routes!(ops::retry))
                .with_state(ops),
        )
        .merge(OpenApiRouter::new().routes(routes!(download::download)).with_state(app.downloads))
        .merge(OpenApiRouter::new().routes(routes!(media::show)).with_state(media))
        .merge(OpenApiRouter::new().routes(routes!(health::ready)).with_state(health))
        .merge(OpenApiRouter::new().routes(routes!(metrics::page)).with_state(metrics.clone()))
        .routes(routes!(health::live))
        .split_for_parts();
    let page = openapi::page(&document)?;
    let routes = routes.route("/openapi.json", routing::get(async move || page));
    let routes = match app.site {
        Some(site) => routes
            .fallback_service(site::serve.with_state(site.clone()))
            .layer(from_fn_with_state(site, site::keep_current)),
        None => routes.fallback(problems::unknown_path),
    };
    Ok(routes
        .layer(CatchPanicLayer::custom(problems::panicked))
        .layer(from_fn(deadline::keep))
        .layer(from_fn(cross_site::refuse))
        .layer(from_fn(api_version::negotiate))
        .layer(from_fn_with_state(load::Load::default(), load::report))
        .layer(from_fn_with_state(app.shutdown, draining::close_connections))
        .layer(from_fn(problems::write_problems))
        .layer(from_fn_with_state(metrics, observe::observe)))
}

/// The routes of a process that answers no requests but runs jobs: whether it lives, and what
/// is measured of it.
pub fn worker_router(metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", routing::get(health::live))
        .route("/metrics", routing::get(metrics::page))
        .with_state(metrics)
}
