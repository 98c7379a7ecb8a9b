//! A library in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, sleep_until, timeout};

use super::contestant::{Contestant, Counted, Flow, Flowed, Pace};
use super::tally::{Tally, quantile};
use crate::error::Reason;

/// How often it is looked whether jobs may be added.
const LOOK: Duration = Duration::from_millis(1);
/// Longest time in which no handler is called though jobs wait.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Time in which workers must stop.
const STOP_MAX: Duration = Duration::from_secs(15);

/// What a library does.
pub(super) trait Library: Send + Sync + 'static {
    /// Jobs of one call of its batch API, where it is to be fast.
    const BATCH: usize;

    /// Adds a job for each of these numbers by one call of the batch API; returns once they
    /// are committed.
    fn enqueue(&self, numbers: &[u32]) -> impl Future<Output = Result<(), Reason>> + Send;

    /// Adds one job of this number, likewise.
    fn enqueue_one(&self, number: u32) -> impl Future<Output = Result<(), Reason>> + Send;

    /// Works until `stop`. Handlers tell `tally` their job's number and do nothing else.
    fn work(&self, tally: Arc<Tally>, stop: Stop) -> impl Future<Output = Result<(), Reason>> + Send;
}

/// Tells workers to stop.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns when they are to.
    pub(super) async fn told(&mut self) {
        // Without a sender nobody wants them any more.
        let _told = self.0.wait_for(|&is_told| is_told).await;
    }

    /// Whether they are to.
    pub(super) fn is_told(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

/// A library as a contestant.
pub(super) struct InProcess<L> {
    library: Arc<L>,
    workers: Option<Workers>,
}

struct Workers {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), Reason>>,
}

impl<L: Library> InProcess<L> {
    pub(super) fn new(library: L) -> Self {
        Self { library: Arc::new(library), workers: None }
    }

    fn start(&mut self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        let (stop, told) = watch::channel(false);
        let task = tokio::spawn({
            let (library, tally) = (Arc::clone(&self.library), Arc::clone(&tally));
            async move { library.work(tally, Stop(told)).await }
        });
        self.workers = Some(Workers { stop, task });
        tally
    }

    /// Waits for handlers, unless the workers end before.
    async fn reach(&mut self, tally: &Tally, jobs: u32) -> Result<(), Reason> {
        let Some(workers) = &mut self.workers else { return Err(Reason::new("no workers run")) };
        tokio::select! {
            reached = tally.reach(jobs, SILENCE_MAX) => reached,
            ended = &mut workers.task => {
                ended??;
                Err(Reason::new("the workers ended by themselves"))
            }
        }
    }

    async fn run(&mut self, flow: Flow) -> Result<Flowed, Reason> {
        let tally = self.start();
        let begun = Instant::now();
        let since = begun + flow.lead;
        let until = since + flow.length;
        let sent = Arc::new(AtomicU32::new(1));
        let mut producers = JoinSet::new();
        for producer in 0..flow.producers {
            let (library, tally, sent) = (Arc::clone(&self.library), Arc::clone(&tally), Arc::clone(&sent));
            producers.spawn(async move {
                let mut due = Due::new(flow, producer, begun);
                while due.next(&sent, &tally, until).await {
                    let first = sent.fetch_add(flow.batch, Ordering::Relaxed);
                    let numbers: Vec<u32> = (first..first + flow.batch).collect();
                    library.enqueue(&numbers).await?;
                    tally.committed(&numbers);
                }
                Ok::<_, Reason>(())
            });
        }
        sleep_until(since.into()).await;
        let before = (tally.handled(), Instant::now());
        sleep_until(until.into()).await;
        let handled = Counted { jobs: tally.handled().saturating_sub(before.0), elapsed: before.1.elapsed() };
        while let Some(ended) = producers.join_next().await {
            ended??;
        }
        // What waits the longest is not left out.
        self.reach(&tally, sent.load(Ordering::Relaxed) - 1).await?;
        self.end().await?;
        let mut waits_ms = tally.waits_ms(since, until);
        Ok(Flowed { handled, p50_ms: quantile(&mut waits_ms, 0.5), p99_ms: quantile(&mut waits_ms, 0.99) })
    }

    async fn end(&mut self) -> Result<(), Reason> {
        let Some(workers) = self.workers.take() else { return Ok(()) };
        workers.stop.send_replace(true);
        match timeout(STOP_MAX, workers.task).await {
            Ok(ended) => ended?,
            Err(_) => Err(Reason::new(&format!("its workers did not stop within {} s", STOP_MAX.as_secs()))),
        }
    }
}

/// When a producer is to add its next jobs.
struct Due {
    flow: Flow,
    /// At a rate.
    next: Instant,
}

impl Due {
    fn new(flow: Flow, producer: u32, begun: Instant) -> Self {
        let next = match flow.pace {
            // One after the other, so that they don't come all at once.
            Pace::Rate(rate) => begun + Duration::from_secs_f64(f64::from(flow.batch * producer) / rate),
            Pace::Waiting(_) => begun,
        };
        Self { flow, next }
    }

    /// Waits for it; `false` at the end.
    async fn next(&mut self, sent: &AtomicU32, tally: &Tally, until: Instant) -> bool {
        match self.flow.pace {
            Pace::Rate(rate) => {
                sleep_until(self.next.into()).await;
                self.next += Duration::from_secs_f64(f64::from(self.flow.batch * self.flow.producers) / rate);
            }
            Pace::Waiting(most) => {
                while Instant::now() < until
                    && sent.load(Ordering::Relaxed).saturating_sub(tally.handled()) > most
                {
                    sleep(LOOK).await;
                }
            }
        }
        Instant::now() < until
    }
}

impl<L: Library> Contestant for InProcess<L> {
    fn enqueue(&mut self, jobs: u32) -> BoxFuture<'_, Result<(), Reason>> {
        async move {
            // Nobody follows them.
            let numbers = vec![0; usize::try_from(jobs)?];
            for batch in numbers.chunks(L::BATCH) {
                self.library.enqueue(batch).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn enqueue_singly(
        &mut self,
        length: Duration,
        connections: u32,
    ) -> BoxFuture<'_, Result<Counted, Reason>> {
        async move {
            let begun = Instant::now();
            let mut tasks = JoinSet::new();
            for _ in 0..connections {
                let library = Arc::clone(&self.library);
                tasks.spawn(async move {
                    let mut jobs = 0_u32;
                    while jobs == 0 || begun.elapsed() < length {
                        library.enqueue_one(0).await?;
                        jobs += 1;
                    }
                    Ok::<_, Reason>(jobs)
                });
            }
            let mut jobs = 0;
            while let Some(ended) = tasks.join_next().await {
                jobs += ended??;
            }
            Ok(Counted { jobs, elapsed: begun.elapsed() })
        }
        .boxed()
    }

    fn work(&mut self, jobs: u32) -> BoxFuture<'_, Result<(), Reason>> {
        async move {
            let tally = self.start();
            self.reach(&tally, jobs).await
        }
        .boxed()
    }

    fn stop(&mut self) -> BoxFuture<'_, Result<(), Reason>> {
        self.end().boxed()
    }

    fn flow(&mut self, flow: Flow) -> BoxFuture<'_, Result<Flowed, Reason>> {
        self.run(flow).boxed()
    }
}
