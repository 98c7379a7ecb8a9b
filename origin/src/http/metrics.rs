//! What is measured of requests, and the page that Prometheus reads.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::timeout;

use super::error::ApiError;
use crate::db::Db;
use crate::outbox::Outbox;
use crate::queue::{QueueMetrics, WorkerMetrics};
use crate::telemetry::chain;

/// From an answer out of memory to one past every deadline.
const REQUEST_BUCKETS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// Longest that the page waits for the database; without it the page lacks the
/// newest state of queue and outbox, and nothing else.
const OBSERVE_MAX: Duration = Duration::from_secs(1);

/// Everything that is measured; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    queue: QueueMetrics,
    outbox: Outbox,
    registry: Arc<Registry>,
    db: Db,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

impl Metrics {
    /// Registers requests, and what `db`, the queue and the outbox measure. The names are
    /// part of the contract with whoever reads them.
    pub fn new(db: Db, outbox: Outbox, worker: &WorkerMetrics) -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        registry.register("tidewall_http_requests", "Requests answered", requests.clone());
        let request_seconds: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS));
        registry.register(
            "tidewall_http_request_seconds",
            "From a request's arrival to the head of its answer, by route",
            request_seconds.clone(),
        );
        db.register_metrics(&mut registry);
        let queue = QueueMetrics::default();
        queue.register(&mut registry);
        worker.register(&mut registry);
        outbox.register_metrics(&mut registry);
        Self { requests, request_seconds, queue, outbox, registry: Arc::new(registry), db }
    }

    pub(super) fn request(&self, method: &'static str, route: &str, status: u16, duration: Duration) {
        let labels = RequestLabels { method, route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { method, route: route.to_owned() };
        self.request_seconds.get_or_create(&labels).observe(duration.as_secs_f64());
    }
}

/// What is measured, in the OpenMetrics text format, which Prometheus reads.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
    (status = 200, description = "Metrics, as text", content_type = "application/openmetrics-text", body = String),
))]
pub(super) async fn page(State(metrics): State<Metrics>) -> Result<Response, ApiError> {
    metrics.db.observe();
    let db = metrics.db.reserved();
    let observed = async {
        metrics.queue.observe(&db).await?;
        metrics.outbox.observe(&db).await
    };
    match timeout(OBSERVE_MAX, observed).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(error = %chain(&error), "no look at queue and outbox");
        }
        Err(_) => tracing::debug!("no look at queue and outbox in time"),
    }
    let mut page = String::new();
    text::encode(&mut page, &metrics.registry).map_err(ApiError::internal)?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], page).into_response())
}
