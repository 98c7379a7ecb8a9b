//! What a worker does from time to time while its jobs run: extends its lease, tells of their
//! progress, hears of those that were cancelled, and looks after the jobs of workers that were
//! lost and jobs that ended long ago.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::claim;
use super::ending::Stop;
use super::handler::{Handlers, Retention};
use super::lease::{HEARTBEAT, Held, LEASE, Lease};
use super::running::{Former, Running};
use super::storage;
use crate::db::{Db, DbError};
use crate::telemetry::chain;

/// A worker's heart.
pub(super) struct Heart {
    /// Connections that are there while all others are in use.
    db: Db,
    name: String,
    concurrency: usize,
    running: Arc<Running>,
    /// The worker's number, while its lease holds.
    worker: watch::Sender<Option<i64>>,
    /// In which log of the database it was given that.
    log: String,
    /// Beats before its time.
    beat_now: Arc<Notify>,
    /// This beat was held up.
    is_late: bool,
}

/// A beat that comes so much too late was held up by something that computes.
const LATE: Duration = Duration::from_secs(1);

impl Heart {
    pub(super) fn new(
        db: &Db,
        name: String,
        concurrency: usize,
        running: Arc<Running>,
        beat_now: Arc<Notify>,
    ) -> (Self, watch::Receiver<Option<i64>>) {
        let (worker, number) = watch::channel(None);
        (
            Self {
                db: db.reserved(),
                name,
                concurrency,
                running,
                worker,
                log: String::new(),
                beat_now,
                is_late: false,
            },
            number,
        )
    }

    /// Beats until it is dropped.
    pub(super) async fn beat(mut self) {
        let mut beats = interval(HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lease: Option<Lease> = None;
        loop {
            self.is_late = false;
            tokio::select! {
                due = beats.tick() => {
                    self.is_late = due.elapsed() > LATE;
                    if self.is_late {
                        tracing::warn!(
                            late = ?due.elapsed(),
                            "the worker's heart was held up: what computes belongs in spawn_blocking"
                        );
                    }
                }
                () = self.beat_now.notified() => {}
            }
            let sent_at = Instant::now();
            // A beat that isn't answered is given up in time to give up the lease.
            let answer_max = lease.map_or(HEARTBEAT * 2, |lease| lease.left(sent_at).min(HEARTBEAT * 2));
            match timeout(answer_max, self.extend(sent_at)).await {
                Ok(Ok(true)) => {
                    lease = Some(Lease::extended(sent_at));
                    self.tell_progress().await;
                }
                Ok(Ok(false)) => {
                    tracing::warn!("the worker's lease was lost; its jobs are stopped");
                    self.give_up();
                    lease = None;
                }
                Ok(Err(error)) => tracing::warn!(error = %chain(&error), "heartbeat failed"),
                Err(_) => tracing::warn!("heartbeat failed: no answer in time"),
            }
            if lease.is_some_and(|lease| !lease.holds(Instant::now())) {
                tracing::warn!("the worker's lease runs out; its jobs are stopped");
                self.give_up();
                lease = None;
            }
        }
    }

    /// Begins or extends the lease. `false`: it was lost.
    async fn extend(&mut self, now: Instant) -> Result<bool, DbError> {
        let number = *self.worker.borrow();
        let Some(worker) = number else {
            let connection = self.db.writer().await?;
            let registered = storage::worker::register(&connection, &self.name, self.concurrency, LEASE);
            let (worker, log) = registered.await?;
            self.log = log;
            self.running.take_lease(worker);
            self.worker.send_replace(Some(worker));
            return Ok(true);
        };
        let connection = self.db.writer().await?;
        let figures = serde_json::to_value(self.running.take_figures(now)).unwrap_or(Value::Null);
        let Some(cancelled) = storage::worker::beat(&connection, worker, &self.log, LEASE, &figures).await?
        else {
            return Ok(false);
        };
        for job in cancelled {
            self.running.stop(job, Stop::Cancelled);
        }
        Ok(true)
    }

    /// The lease doesn't depend on it.
    async fn tell_progress(&self) {
        let progress = self.running.take_progress();
        if progress.is_empty() {
            return;
        }
        let told = async { storage::worker::tell_progress(&self.db.writer().await?, &progress).await };
        match timeout(HEARTBEAT, told).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(error = %chain(&error), "progress was not told"),
            Err(_) => tracing::debug!("progress was not told: no answer in time"),
        }
    }

    fn give_up(&self) {
        if let Some(number) = self.worker.send_replace(None) {
            self.running.lose_lease(Former { number, is_own_fault: self.is_late });
        }
    }
}

/// How often is looked after what nobody else looks after.
const CARE: Duration = Duration::from_secs(1);
/// How often is looked for jobs that were enqueued, or came back, where nobody looks for them any
/// more since their kind's limits have changed.
const ADOPT: Duration = Duration::from_mins(1);

/// Time to the next look for jobs of lost workers that somebody holds.
const HELD_AGAIN: Duration = Duration::from_secs(5);

/// Looks after the jobs of lost workers, and removes jobs that ended long ago, until it is dropped.
pub(super) async fn care(
    db: Db,
    handlers: Handlers,
    running: Arc<Running>,
    number: watch::Receiver<Option<i64>>,
) {
    let mut adopt_at = Instant::now();
    let mut held: Option<Held> = None;
    // Jobs that a lost worker has, as when whoever found it lost was lost as well.
    let mut lost_at = Some(Instant::now());
    let mut looks = interval(CARE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let now = Instant::now();
        if now >= adopt_at {
            adopt_at = now + ADOPT;
            lost_at = lost_at.or(Some(now));
            if let Err(error) = claim::adopt(&db, &handlers).await {
                tracing::debug!(error = %chain(&error), "no look at jobs whose kind's limits have changed");
            }
        }
        if let Err(error) = hand_back(&db, &running).await {
            tracing::debug!(error = %chain(&error), "jobs that were stopped aren't free yet");
        }
        let own = *number.borrow();
        held = Held::next(held, own, Instant::now());
        if let Some(own) = own
            && held.is_some_and(|held| held.may_judge(Instant::now()))
        {
            match rescue(&db, own, lost_at.is_some_and(|at| now >= at)).await {
                Ok(Rescued::NotLooked) => {}
                Ok(Rescued::All) => lost_at = None,
                Ok(Rescued::Some) => lost_at = Some(now + HELD_AGAIN),
                Err(error) => tracing::debug!(error = %chain(&error), "no look at lost workers"),
            }
        }
        let prune = async { storage::worker::prune(&db.writer().await?).await };
        match prune.await {
            // There may be more.
            Ok(true) => looks.reset_immediately(),
            Ok(false) => {}
            Err(error) => tracing::debug!(error = %chain(&error), "no look at old jobs"),
        }
    }
}

/// What ran while the worker couldn't beat was stopped, and ended nowhere. It is handed back, so
/// no attempt is used up, unless others have found the worker lost by now; but if its own jobs held
/// up its heart the attempts count, or a job that does so would run for ever. Ends that are still to
/// be written stay its own.
async fn hand_back(db: &Db, running: &Running) -> Result<(), DbError> {
    while let Some(Former { number, is_own_fault }) = running.former() {
        let freed = if is_own_fault {
            storage::worker::rescue(&db.writer().await?, &[number], Retention::DEFAULT.failed).await?
        } else {
            claim::release(db, number, &running.attempts()).await?.0
        };
        if freed > 0 {
            tracing::info!(freed, "jobs that were stopped are free again");
        }
        running.handed_back(number);
    }
    Ok(())
}

/// What came of a look for jobs of lost workers.
enum Rescued {
    NotLooked,
    /// All that there were.
    All,
    /// Somebody may hold others just now.
    Some,
}

/// Finds workers lost on behalf of the worker `own`, and frees their jobs. `look`: also without
/// finding one.
async fn rescue(db: &Db, own: i64, look: bool) -> Result<Rescued, DbError> {
    let connection = db.writer().await?;
    let workers = storage::worker::bury(&connection, own).await?;
    if workers.is_empty() && !look {
        return Ok(Rescued::NotLooked);
    }
    let lost = storage::worker::lost(&connection).await?;
    if lost.is_empty() {
        if !workers.is_empty() {
            tracing::info!(?workers, "workers are gone, and had no jobs");
        }
        return Ok(Rescued::All);
    }
    let rescued = storage::worker::rescue(&connection, &lost, Retention::DEFAULT.failed).await?;
    tracing::warn!(?workers, jobs = rescued, "workers were lost; their jobs are free again");
    Ok(Rescued::Some)
}

/// Time for the last words to the database.
const SIGN_OFF_MAX: Duration = Duration::from_secs(1);

/// Hands back all that the database holds for a worker that has ended everything it knows of.
/// `false`: it couldn't in time.
pub(super) async fn release(db: &Db, worker: i64) -> bool {
    matches!(timeout(SIGN_OFF_MAX, claim::release(db, worker, &[])).await, Ok(Ok(_)))
}

/// Ends a lease by which nothing is held any more: nobody has to wait for it to run out.
pub(super) async fn sign_off(db: &Db, worker: i64) {
    let signed_off = async { storage::worker::sign_off(&db.reserved().writer().await?, worker).await };
    if !matches!(timeout(SIGN_OFF_MAX, signed_off).await, Ok(Ok(()))) {
        tracing::debug!("the worker's lease runs out by itself");
    }
}
