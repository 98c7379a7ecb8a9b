//! The jobs that this worker runs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::ending::Stop;
use super::figures::{Figures, KindFigures};
use super::handler::Progress;
use super::storage::settle::Ended;
use super::sync::{Mutex, MutexGuard};

/// Shared by those who start jobs, end them, and beat for them.
pub(super) struct Running {
    held: Mutex<Held>,
    figures: Mutex<Figures>,
    /// A job has ended, or was settled.
    pub(super) ended: Notify,
}

/// What this worker has.
#[derive(Default)]
struct Held {
    /// Its number, while its lease holds.
    worker: Option<i64>,
    /// Those that it had before, as long as jobs may be left.
    former: Vec<Former>,
    jobs: HashMap<i64, Job>,
    /// Ends that are not written down yet: (id, attempt).
    unsettled: HashSet<(i64, i32)>,
}

/// A lease that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Former {
    pub(super) number: i64,
    /// What this worker ran kept its heart from beating.
    pub(super) is_own_fault: bool,
}

struct Job {
    attempt: i32,
    kind: &'static str,
    progress: Progress,
    /// The share that was told last.
    told: f64,
    stop: Option<oneshot::Sender<Stop>>,
}

impl Running {
    pub(super) fn new() -> Self {
        Self { held: Mutex::default(), figures: Mutex::default(), ended: Notify::new() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker has a lease, under this number.
    pub(super) fn take_lease(&self, worker: i64) {
        self.held().worker = Some(worker);
    }

    /// The worker has none any more: everything stops, and nothing that was claimed under it begins.
    pub(super) fn lose_lease(&self, former: Former) {
        let mut held = self.held();
        held.worker = None;
        held.former.push(former);
        stop_all(&mut held, Stop::LeaseLost);
    }

    /// A lease that was lost, and under which the worker may still have jobs by the database.
    pub(super) fn former(&self) -> Option<Former> {
        self.held().former.first().copied()
    }

    /// There are no more of those.
    pub(super) fn handed_back(&self, number: i64) {
        self.held().former.retain(|former| former.number != number);
    }

    /// A job that was claimed under the number `worker` begins; what tells it to stop. `None`: that
    /// lease is lost, and the job is not this process's to run.
    pub(super) fn begin(
        &self,
        worker: i64,
        id: i64,
        attempt: i32,
        kind: &'static str,
        progress: Progress,
    ) -> Option<oneshot::Receiver<Stop>> {
        let (stop, stopped) = oneshot::channel();
        let mut held = self.held();
        if held.worker != Some(worker) {
            return None;
        }
        held.jobs.insert(id, Job { attempt, kind, progress, told: 0.0, stop: Some(stop) });
        Some(stopped)
    }

    /// An attempt has ended, and its end is to be written down or not.
    pub(super) fn end(
        &self,
        id: i64,
        attempt: i32,
        is_written: bool,
        kind: &'static str,
        failed: bool,
        took: Duration,
    ) {
        let mut held = self.held();
        if is_written {
            held.unsettled.insert((id, attempt));
        }
        // Once its lease was lost the job may have come back as a later attempt.
        if held.jobs.get(&id).is_some_and(|job| job.attempt == attempt) {
            held.jobs.remove(&id);
        }
        drop(held);
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).ended(kind, failed, took);
        self.ended.notify_one();
    }

    /// These ends were written down.
    pub(super) fn settled(&self, ended: &[Ended]) {
        let mut held = self.held();
        for Ended { id, attempt, .. } in ended {
            held.unsettled.remove(&(*id, *attempt));
        }
        drop(held);
        self.ended.notify_one();
    }

    /// Jobs that run.
    pub(super) fn len(&self) -> usize {
        self.held().jobs.len()
    }

    /// Ends that are not written down yet.
    pub(super) fn unsettled(&self) -> usize {
        self.held().unsettled.len()
    }

    /// The attempts that run, and those whose end isn't written down yet: (id, attempt).
    pub(super) fn attempts(&self) -> Vec<(i64, i32)> {
        let held = self.held();
        let running = held.jobs.iter().map(|(id, job)| (*id, job.attempt));
        running.chain(held.unsettled.iter().copied()).collect()
    }

    /// Stops a job.
    pub(super) fn stop(&self, id: i64, why: Stop) {
        let stop = self.held().jobs.get_mut(&id).and_then(|job| job.stop.take());
        // Nobody hears it if it has just ended.
        stop.map(|stop| stop.send(why));
    }

    /// Stops all.
    pub(super) fn stop_all(&self, why: Stop) {
        stop_all(&mut self.held(), why);
    }

    /// Progress that was not told yet: (id, attempt, share).
    pub(super) fn take_progress(&self) -> Vec<(i64, i32, f64)> {
        let mut held = self.held();
        let changed = held.jobs.iter_mut().filter_map(|(id, job)| {
            let share = job.progress.share();
            let told = std::mem::replace(&mut job.told, share);
            (told.to_bits() != share.to_bits()).then_some((*id, job.attempt, share))
        });
        changed.collect()
    }

    /// What was done lately, by kind.
    pub(super) fn take_figures(&self, now: Instant) -> BTreeMap<&'static str, KindFigures> {
        let mut running: BTreeMap<&'static str, u32> = BTreeMap::new();
        for job in self.held().jobs.values() {
            *running.entry(job.kind).or_default() += 1;
        }
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).take(&running, now)
    }
}

fn stop_all(held: &mut Held, why: Stop) {
    for stop in held.jobs.values_mut().filter_map(|job| job.stop.take()) {
        let _ended = stop.send(why);
    }
}
