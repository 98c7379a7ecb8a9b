//! The load that every contestant is put under: many tasks, each of which sends
//! its next request as soon as the last one was answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::error::Reason;

/// Tasks that ask at the same time.
pub const TASKS: u32 = 64;

/// Something that requests can be sent to.
pub trait Client: Send + Sync + 'static {
    /// Request number `turn` of the task number `task`, to its answer.
    fn request(&self, task: u32, turn: u32) -> impl Future<Output = Result<(), Reason>> + Send;
}

/// What came of one round under load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests that were answered.
    pub requests: u32,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// How long all requests took, one after the other.
    pub waited: Duration,
}

impl Load {
    /// Requests a second.
    pub fn rate(&self) -> f64 {
        f64::from(self.requests) / self.elapsed.as_secs_f64()
    }

    /// What a request takes on average.
    pub fn latency_ms(&self) -> f64 {
        self.waited.as_secs_f64() * 1000.0 / f64::from(self.requests)
    }
}

/// Puts `client` under load for `length`.
///
/// # Errors
/// The reason why the first request failed that did.
pub async fn drive(client: &Arc<impl Client>, length: Duration) -> Result<Load, Reason> {
    let begun = Instant::now();
    // Dropped early, the set ends its tasks.
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let client = Arc::clone(client);
        tasks.spawn(async move {
            let mut load = Load::default();
            while load.requests == 0 || begun.elapsed() < length {
                let sent = Instant::now();
                client.request(task, load.requests).await?;
                load.waited += sent.elapsed();
                load.requests += 1;
            }
            Ok::<_, Reason>(load)
        });
    }
    let mut sum = Load::default();
    while let Some(ended) = tasks.join_next().await {
        let load = ended??;
        sum.requests += load.requests;
        sum.waited += load.waited;
    }
    sum.elapsed = begun.elapsed();
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_latency_are_per_request() {
        for (requests, elapsed_ms, waited_ms, rate, latency_ms) in
            [(1000, 2000, 128_000, 500.0, 128.0), (1, 500, 500, 2.0, 500.0)]
        {
            let load = Load {
                requests,
                elapsed: Duration::from_millis(elapsed_ms),
                waited: Duration::from_millis(waited_ms),
            };
            assert!((load.rate() - rate).abs() < 1e-9, "{load:?}");
            assert!((load.latency_ms() - latency_ms).abs() < 1e-9, "{load:?}");
        }
    }

    struct Fails;

    impl Client for Fails {
        async fn request(&self, task: u32, turn: u32) -> Result<(), Reason> {
            tokio::task::yield_now().await;
            if (task, turn) == (3, 2) { Err(Reason::new("the third task is unwell")) } else { Ok(()) }
        }
    }

    #[tokio::test]
    async fn a_failed_request_ends_the_round_with_its_reason() {
        let outcome = drive(&Arc::new(Fails), Duration::from_mins(1)).await;
        assert_eq!(outcome.unwrap_err().to_string(), "the third task is unwell");
    }

    struct Answers;

    impl Client for Answers {
        async fn request(&self, _task: u32, _turn: u32) -> Result<(), Reason> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn every_task_asks_at_least_once() {
        let load = drive(&Arc::new(Answers), Duration::ZERO).await.unwrap();
        assert_eq!(load.requests, TASKS);
    }
}
