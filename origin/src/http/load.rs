//! Tells the edge how much this origin has to do, with each answer: an isolate of the edge
//! sees what it sends itself and nothing of what all the others send.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tidewall_api::headers::ENDPOINT_LOAD_METRICS;

use crate::db::PoolSettings;

/// The requests that are being answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Load(Arc<AtomicUsize>);

/// One of them, until its answer begins; whoever goes away before takes it off as well.
struct Working(Arc<AtomicUsize>);

impl Load {
    fn begin(&self) -> Working {
        self.0.fetch_add(1, Ordering::Relaxed);
        Working(Arc::clone(&self.0))
    }

    /// What is being done as a share of what can be: beyond the connections that a primary is
    /// asked on at once, requests wait for each other.
    fn utilization(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / PoolSettings::default().max as f64
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Adds the report to each answer, in the form of ORCA.
pub(super) async fn report(State(load): State<Load>, request: Request, next: Next) -> Response {
    let working = load.begin();
    let mut response = next.run(request).await;
    let report = format!("TEXT application_utilization={:.3}", load.utilization());
    drop(working);
    if let Ok(report) = HeaderValue::from_str(&report) {
        response.headers_mut().insert(ENDPOINT_LOAD_METRICS, report);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_answered_counts_until_it_is_or_is_given_up() {
        let load = Load::default();
        let working: Vec<_> = (0..10).map(|_| load.begin()).collect();
        assert!((load.utilization() - 0.5).abs() < 1e-9);
        drop(working);
        assert!(load.utilization().abs() < 1e-9);
    }
}
