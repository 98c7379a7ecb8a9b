//! What is done for each kind of job.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::db::Lsn;

/// Does the work of one kind of job.
pub trait Handler: Send + Sync + 'static {
    /// Names the kind, in the table and on the wire.
    const KIND: &'static str;
    /// What a job of this kind is told.
    type Payload: Serialize + DeserializeOwned + Send;
    /// What it makes.
    type Output: Serialize;

    /// Runs one attempt. It is dropped at any await if the lease is lost or the
    /// worker stops, and may run again after it has succeeded, so doing it twice
    /// must come to the same.
    fn run(
        &self,
        payload: Self::Payload,
        job: JobContext,
    ) -> impl Future<Output = Result<Self::Output, JobError>> + Send;
}

/// What a running attempt knows of itself.
#[derive(Clone, Debug)]
pub struct JobContext {
    /// The job.
    pub id: i64,
    /// This attempt, counted from 1.
    pub attempt: i32,
    /// Reads at or past this position see what the enqueuing transaction wrote.
    /// Not known if the primary was lost just after the claim.
    pub position: Option<Lsn>,
    /// How the work goes on.
    pub progress: Progress,
}

/// Where an attempt reports its progress; the heartbeat carries it on.
#[derive(Clone, Debug)]
pub struct Progress(watch::Sender<f64>);

impl Progress {
    pub(super) fn new() -> (Self, watch::Receiver<f64>) {
        let (sender, receiver) = watch::channel(0.0);
        (Self(sender), receiver)
    }

    /// `done` of `total` units are done.
    pub fn set(&self, done: u64, total: u64) {
        let share = if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) };
        self.0.send_replace(share);
    }
}

/// Why an attempt failed. The message is for the job's owner and must tell
/// nothing of the inside; the source goes to the log.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    pub(super) message: String,
    pub(super) is_final: bool,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl JobError {
    /// Another attempt may succeed.
    pub fn retry(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message: message.into(), is_final: false, source: Some(source.into()) }
    }

    /// No attempt can succeed.
    pub fn discard(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message: message.into(), is_final: true, source: Some(source.into()) }
    }
}

type Run = Arc<dyn Fn(Value, JobContext) -> BoxFuture<'static, Result<Value, JobError>> + Send + Sync>;

/// The handlers of a worker, by kind.
#[derive(Clone, Default)]
pub struct Handlers {
    by_kind: BTreeMap<&'static str, Run>,
}

impl Handlers {
    /// Adds `handler` for its kind.
    #[must_use]
    pub fn with<H: Handler>(mut self, handler: H) -> Self {
        let handler = Arc::new(handler);
        let run: Run = Arc::new(move |payload, job| {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let payload = serde_json::from_value(payload)
                    .map_err(|error| JobError::discard("the job's order can't be read", error))?;
                let output = handler.run(payload, job).await?;
                serde_json::to_value(output)
                    .map_err(|error| JobError::discard("the job's result can't be kept", error))
            })
        });
        self.by_kind.insert(H::KIND, run);
        self
    }

    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.by_kind.keys().copied().collect()
    }

    pub(super) fn get(&self, kind: &str) -> Option<Run> {
        self.by_kind.get(kind).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Double;

    impl Handler for Double {
        const KIND: &'static str = "double";
        type Payload = i64;
        type Output = i64;

        async fn run(&self, payload: i64, job: JobContext) -> Result<i64, JobError> {
            job.progress.set(1, 2);
            Ok(payload * 2)
        }
    }

    async fn check(payload: Value) -> Result<Value, (String, bool)> {
        let (progress, _receiver) = Progress::new();
        let job = JobContext { id: 1, attempt: 1, position: None, progress };
        let run = Handlers::default().with(Double).get("double").unwrap();
        run(payload, job).await.map_err(|error| (error.message, error.is_final))
    }

    #[tokio::test]
    async fn a_handler_is_found_by_its_kind_and_given_its_typed_payload() {
        assert_eq!(check(21.into()).await, Ok(42.into()));
        assert!(Handlers::default().with(Double).get("triple").is_none());
    }

    #[tokio::test]
    async fn a_payload_that_can_not_be_read_is_not_tried_again() {
        assert_eq!(check("x".into()).await, Err(("the job's order can't be read".to_owned(), true)));
    }

    #[test]
    fn progress_is_a_share_of_the_total() {
        let (progress, shares) = Progress::new();
        for (done, total, share) in [(0, 0, 0.0), (1, 4, 0.25), (4, 4, 1.0), (5, 4, 1.0)] {
            progress.set(done, total);
            assert!((*shares.borrow() - share).abs() < f64::EPSILON, "{done} of {total}");
        }
    }
}
