//! A worker: claims jobs and starts them, several at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::attempt::Attempts;
use super::claim::{self, Batch, Claims};
use super::ending::Stop;
use super::handler::{Handlers, JobContext, Progress};
use super::heart::{self, Heart};
use super::metrics::WorkerMetrics;
use super::running::Running;
use super::schedule::Schedule;
use super::storage::claim::Claimant;
use super::wake::{CHANNEL, Told};
use super::{Queue, clock, settle};
use crate::db::Heard;
use crate::shutdown::{self, Shutdown};
use crate::telemetry::chain;

/// Time to the next look when the last found nothing, and nobody says that there is something:
/// long enough to cost nothing, short enough to be no catastrophe if nobody can say so.
const POLL: Duration = Duration::from_millis(250);
/// Time to the next look when the last found something, and there is room for more.
const POLL_BUSY: Duration = Duration::from_millis(2);
/// Time to the next look when the database is out of reach.
const POLL_FAILED: Duration = Duration::from_secs(1);
/// A look in vain takes a place's worth of work, so a worker waits until it has room for a part
/// of what it can run, the inverse of this, or for [`POLL_BUSY`].
const ROOM_PART: usize = 4;
/// Ends that wait to be written, as a multiple of what may run; beyond it nothing is claimed.
const UNSETTLED_TIMES: usize = 4;
/// A stopping worker's jobs have this long to end by themselves; the rest of the deadline is for
/// handing them back.
const GRACE: Duration = shutdown::DEADLINE.saturating_sub(Duration::from_secs(3));

/// How a worker works.
#[derive(Clone)]
pub struct WorkerSettings {
    /// By which it is known to people: where it runs.
    pub name: String,
    /// Jobs that it runs at the same time, of all kinds.
    pub concurrency: usize,
    /// What is measured of it.
    pub metrics: WorkerMetrics,
}

/// Works until `shutdown` begins, then ends or hands back what it has: all by one deadline,
/// [`shutdown::DEADLINE`], whatever the kinds.
pub async fn work(
    queue: Queue,
    handlers: Handlers,
    schedules: Vec<Schedule>,
    settings: WorkerSettings,
    shutdown: Shutdown,
) {
    let WorkerSettings { name, concurrency, metrics } = settings;
    let db = queue.db().clone();
    let running = Arc::new(Running::new());
    let (woken, beat_now) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (ends, to_settle) = mpsc::unbounded_channel();
    let settled = tokio::spawn(settle::settle_all(db.clone(), to_settle, Arc::clone(&running)));
    let settled = AbortOnDropHandle::new(settled);
    let (heart, number) = Heart::new(&db, name, concurrency, Arc::clone(&running), Arc::clone(&beat_now));
    let heart = AbortOnDropHandle::new(tokio::spawn(heart.beat()));
    let care = AbortOnDropHandle::new(tokio::spawn(heart::care(
        db.clone(),
        handlers.clone(),
        Arc::clone(&running),
        number.clone(),
    )));
    let listener = {
        let (db, woken) = (db.clone(), Arc::clone(&woken));
        let hear = move |heard| match heard {
            Heard::Message(text) if Told::parse(&text) == Told::Cancel => beat_now.notify_one(),
            Heard::Message(_) | Heard::Listening => woken.notify_one(),
        };
        AbortOnDropHandle::new(tokio::spawn(async move { db.listen(CHANNEL, hear).await }))
    };
    let clock = AbortOnDropHandle::new(tokio::spawn(clock::fire(queue.clone(), schedules)));

    let attempts = Attempts { running: Arc::clone(&running), ends, seal: queue.seal.clone(), metrics };
    let mut worker = Worker {
        claims: Claims::new(db.clone(), &handlers),
        handlers,
        concurrency: concurrency.max(1),
        queue,
        running: Arc::clone(&running),
        attempts,
        number: number.clone(),
        is_unsure: false,
        claimant: None,
    };
    let begun = {
        let shutdown = shutdown.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            shutdown.begun().await;
            Instant::now()
        }))
    };
    let mut pause = Duration::ZERO;
    while !shutdown.is_stopping() {
        pause = worker.turn(pause, &woken, &shutdown).await;
    }
    drop((listener, clock, care));
    let begun = begun.await.unwrap_or_else(|_| Instant::now());
    stop(&running, begun + GRACE).await;
    // The last sender: what is to be written ends with it.
    let is_unsure = worker.is_unsure;
    drop(worker);
    if timeout(SETTLE_MAX, settled).await.is_err() {
        tracing::warn!("stopped before all ends were written; those jobs run again");
    }
    drop(heart);
    let number = *number.borrow();
    let is_done = running.len() == 0 && running.unsettled() == 0;
    match number {
        // Nothing is held: nobody has to wait for the lease to run out.
        Some(number) if is_done && (!is_unsure || heart::release(&db, number).await) => {
            heart::sign_off(&db, number).await;
        }
        _ => {}
    }
}

/// Time to write the last ends.
const SETTLE_MAX: Duration = Duration::from_millis(1_500);

/// Waits until what runs has ended, or time is up; then it is handed back.
async fn stop(running: &Running, deadline: Instant) {
    if running.len() > 0 {
        tracing::info!(running = running.len(), "stopping: jobs may end, then they are handed back");
    }
    let mut stopped = false;
    while running.len() > 0 {
        tokio::select! {
            () = running.ended.notified() => {}
            () = sleep_until(deadline), if !stopped => {
                running.stop_all(Stop::Shutdown);
                stopped = true;
            }
            // One that computes without a pause can't be stopped; it ends with the process.
            () = sleep_until(deadline + Duration::from_millis(500)), if stopped => return,
        }
    }
}

struct Worker {
    claims: Claims,
    handlers: Handlers,
    concurrency: usize,
    queue: Queue,
    running: Arc<Running>,
    attempts: Attempts,
    number: watch::Receiver<Option<i64>>,
    /// A claim's answer was lost: more may be held by the database than is known here.
    is_unsure: bool,
    /// As whom it claimed last.
    claimant: Option<Claimant>,
}

impl Worker {
    /// Waits for the next time to look, and looks; how long until the next.
    async fn turn(&mut self, pause: Duration, woken: &Notify, shutdown: &Shutdown) -> Duration {
        tokio::select! {
            biased;
            () = shutdown.begun() => return Duration::ZERO,
            () = sleep(pause) => {}
            () = woken.notified() => self.claims.woken(),
            () = self.has_room(), if pause == POLL_BUSY => self.claims.woken(),
            () = self.running.ended.notified(), if self.claims.are_limited() => self.claims.woken(),
        }
        let Some(number) = *self.number.borrow_and_update() else {
            // Without a lease nothing can be held. Its heart tries to get one.
            self.claims.forget();
            tokio::select! {
                _changed = self.number.changed() => {}
                () = shutdown.begun() => {}
            }
            return Duration::ZERO;
        };
        let free = self.free();
        if free == 0 {
            tokio::select! {
                () = self.running.ended.notified() => {}
                () = sleep(POLL) => {}
                () = shutdown.begun() => {}
            }
            return POLL_BUSY;
        }
        if self.is_unsure {
            // Nothing else claims for this worker, so what it doesn't know of now nobody runs.
            match claim::release(self.queue.db(), number, &self.running.attempts()).await {
                Ok((released, era)) => {
                    self.claimant = era.map(|era| Claimant { worker: number, era });
                    tracing::info!(released, "what may have been claimed is free again");
                    self.is_unsure = false;
                }
                Err(_) => return POLL_FAILED,
            }
        }
        let mut batches = Vec::new();
        let claimant = self.claimant.filter(|claimant| claimant.worker == number);
        let claimant = *self.claimant.insert(claimant.unwrap_or(Claimant { worker: number, era: 0 }));
        let claimed = self.claims.claim(claimant, free, &mut batches).await;
        let is_any = !batches.is_empty();
        for batch in batches {
            self.start(number, batch);
        }
        match claimed {
            Ok(()) if is_any => POLL_BUSY,
            Ok(()) => POLL,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "no jobs could be claimed");
                self.claims.forget();
                self.is_unsure = true;
                POLL_FAILED
            }
        }
    }

    /// Jobs that may be begun now.
    fn free(&self) -> usize {
        if self.running.unsettled() > self.concurrency * UNSETTLED_TIMES {
            return 0;
        }
        self.concurrency.saturating_sub(self.running.len())
    }

    /// Returns once there is room for a claim that is worth it.
    async fn has_room(&self) {
        while self.free() * ROOM_PART < self.concurrency {
            self.running.ended.notified().await;
        }
    }

    fn start(&self, worker: i64, batch: Batch) {
        let Batch { jobs, position } = batch;
        for job in jobs {
            let Some(kind) = self.handlers.get(&job.kind) else { continue };
            let progress = Progress::default();
            let begun = self.running.begin(worker, job.id, job.attempt, kind.name, progress.clone());
            // Its lease is lost: others will run it.
            let Some(stopped) = begun else { continue };
            self.attempts.metrics.begun(kind.name, job.waited);
            let context = JobContext {
                id: job.id,
                attempt: job.attempt,
                attempts_max: job.attempts_max,
                owner: job.owner,
                position,
                progress,
                db: self.queue.db().clone(),
                kind,
            };
            // A task of its own: what it computes doesn't hold up the others.
            tokio::spawn(self.attempts.clone().run(kind, job, context, stopped));
        }
    }
}
