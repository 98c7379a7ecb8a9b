//! The jobs that this worker runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::ending::Stop;
use super::figures::{Figures, KindFigures};
use super::handler::Progress;

/// Shared by those who start jobs, end them, and beat for them.
pub(super) struct Running {
    jobs: Mutex<HashMap<i64, Job>>,
    figures: Mutex<Figures>,
    /// Ends that are not written down yet.
    unsettled: AtomicUsize,
    /// A job has ended, or was settled.
    pub(super) ended: Notify,
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
        Self {
            jobs: Mutex::default(),
            figures: Mutex::default(),
            unsettled: AtomicUsize::new(0),
            ended: Notify::new(),
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<i64, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job begins; what tells it to stop.
    pub(super) fn begin(
        &self,
        id: i64,
        attempt: i32,
        kind: &'static str,
        progress: Progress,
    ) -> oneshot::Receiver<Stop> {
        let (stop, stopped) = oneshot::channel();
        self.jobs().insert(id, Job { attempt, kind, progress, told: 0.0, stop: Some(stop) });
        stopped
    }

    /// An attempt has ended; its end is to be written down.
    pub(super) fn end(&self, id: i64, attempt: i32, kind: &'static str, failed: bool, took: Duration) {
        self.unsettled.fetch_add(1, Ordering::Relaxed);
        let mut jobs = self.jobs();
        // Once its lease was lost the job may have come back as a later attempt.
        if jobs.get(&id).is_some_and(|job| job.attempt == attempt) {
            jobs.remove(&id);
        }
        drop(jobs);
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).ended(kind, failed, took);
        self.ended.notify_one();
    }

    /// So many ends were written down.
    pub(super) fn settled(&self, count: usize) {
        self.unsettled.fetch_sub(count, Ordering::Relaxed);
        self.ended.notify_one();
    }

    /// Jobs that run.
    pub(super) fn len(&self) -> usize {
        self.jobs().len()
    }

    /// Ends that are not written down yet.
    pub(super) fn unsettled(&self) -> usize {
        self.unsettled.load(Ordering::Relaxed)
    }

    /// Stops a job.
    pub(super) fn stop(&self, id: i64, why: Stop) {
        let stop = self.jobs().get_mut(&id).and_then(|job| job.stop.take());
        // Nobody hears it if it has just ended.
        stop.map(|stop| stop.send(why));
    }

    /// Stops all.
    pub(super) fn stop_all(&self, why: Stop) {
        for stop in self.jobs().values_mut().filter_map(|job| job.stop.take()) {
            let _ended = stop.send(why);
        }
    }

    /// Progress that was not told yet: (id, attempt, share).
    pub(super) fn take_progress(&self) -> Vec<(i64, i32, f64)> {
        let mut jobs = self.jobs();
        let changed = jobs.iter_mut().filter_map(|(id, job)| {
            let share = job.progress.share();
            let told = std::mem::replace(&mut job.told, share);
            (told.to_bits() != share.to_bits()).then_some((*id, job.attempt, share))
        });
        changed.collect()
    }

    /// What was done lately, by kind.
    pub(super) fn take_figures(&self, now: Instant) -> BTreeMap<&'static str, KindFigures> {
        let mut running: BTreeMap<&'static str, u32> = BTreeMap::new();
        for job in self.jobs().values() {
            *running.entry(job.kind).or_default() += 1;
        }
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).take(&running, now)
    }
}
