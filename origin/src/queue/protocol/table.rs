//! The table, changed as the statements of [`storage`](super::super::storage) change it.
//!
//! A statement is one step but for the locks that it waits for. Those of the jobs' rows don't
//! matter: claims pass over them, and nothing else waits for two. Those of the workers' rows do:
//! claims and heartbeats share one (`FOR KEY SHARE`, `FOR NO KEY UPDATE`), and whoever removes the
//! row has it alone until its transaction ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shuttle::sync::{Mutex, RwLock};
use tidewall_api::job::JobState;

use super::super::ending::Ending;
use super::super::lease::LEASE;
use super::super::storage::settle::Ended;
use super::world::World;

/// What is left out of the protocol, to see that it is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Claims don't ask whether the worker has a lease.
    ClaimWithoutLease,
    /// They ask, and take jobs also once it was given up to know what they took.
    ClaimWithoutEra,
    /// They ask, and don't hold the worker's row until they have the jobs.
    ClaimWithoutLock,
    /// Workers are given up while their lease holds.
    RescueTooEarly,
    /// An end is written whichever attempt has the job.
    SettleAnyAttempt,
    /// What is handed back may be handed back once more, later.
    ReleaseWithoutEra,
    /// What a worker knows of is handed back, too.
    ReleaseWhatIsHeld,
    /// What is handed back is told by its id, and not by its attempt.
    ReleaseByIdAlone,
    /// Nothing is handed back when a claim's answer was lost.
    NoRelease,
    /// The effect is made, and the job ended in another transaction.
    EffectApart,
}

pub(super) struct Table {
    world: Arc<World>,
    rows: Mutex<Rows>,
    flaw: Option<Flaw>,
}

#[derive(Default)]
struct Rows {
    jobs: BTreeMap<i64, Job>,
    workers: BTreeMap<i64, Worker>,
    last_worker: i64,
}

/// A row of `jobs`, and what its attempts have done elsewhere in the database.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) state: JobState,
    pub(super) worker: Option<i64>,
    pub(super) attempt: i32,
    pub(super) attempts_max: i32,
    pub(super) run_at: Instant,
    pub(super) effects: u32,
    /// Attempts that don't count: those that were handed back, or snoozed.
    pub(super) uncounted: i32,
}

/// A row of `job_workers`.
struct Worker {
    lease_until: Instant,
    era: i32,
    lock: Arc<RwLock<()>>,
}

const WAITING: [JobState; 3] = [JobState::Available, JobState::Scheduled, JobState::Retryable];

impl Table {
    pub(super) fn new(world: &Arc<World>, jobs: i64, attempts_max: i32, flaw: Option<Flaw>) -> Self {
        let new = Job {
            state: JobState::Available,
            worker: None,
            attempt: 0,
            attempts_max,
            run_at: world.now(),
            effects: 0,
            uncounted: 0,
        };
        let jobs = (1..=jobs).map(|id| (id, new.clone())).collect();
        let rows = Mutex::new(Rows { jobs, ..Rows::default() });
        Self { world: Arc::clone(world), rows, flaw }
    }

    pub(super) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    pub(super) fn jobs(&self) -> BTreeMap<i64, Job> {
        self.rows.lock().unwrap().jobs.clone()
    }

    pub(super) fn register(&self) -> i64 {
        let mut rows = self.rows.lock().unwrap();
        rows.last_worker += 1;
        let (number, lease_until) = (rows.last_worker, self.world.now() + LEASE);
        rows.workers.insert(number, Worker { lease_until, era: 0, lock: Arc::default() });
        number
    }

    fn lock_of(&self, worker: i64) -> Option<Arc<RwLock<()>>> {
        self.rows.lock().unwrap().workers.get(&worker).map(|worker| Arc::clone(&worker.lock))
    }

    /// `false`: the lease was lost.
    pub(super) fn beat(&self, worker: i64) -> bool {
        let Some(lock) = self.lock_of(worker) else { return false };
        let _shared = lock.read().unwrap();
        let now = self.world.now();
        match self.rows.lock().unwrap().workers.get_mut(&worker) {
            Some(row) if row.lease_until > now => {
                row.lease_until = now + LEASE;
                true
            }
            _ => false,
        }
    }

    /// Up to `limit` jobs: (id, attempt, attempts that it may use).
    pub(super) fn claim(&self, (worker, era): (i64, i32), limit: usize) -> Vec<(i64, i32, i32)> {
        let lock = self.lock_of(worker).unwrap_or_default();
        let shared = lock.read().unwrap();
        let now = self.world.now();
        let is_era = |row: &Worker| row.era == era || self.has(Flaw::ClaimWithoutEra);
        let may = |row: &Worker| row.lease_until > now && is_era(row);
        let holds = self.rows.lock().unwrap().workers.get(&worker).is_some_and(may);
        if !holds && !self.has(Flaw::ClaimWithoutLease) {
            return Vec::new();
        }
        // Until the statement's end, unless it is flawed.
        let _shared = (!self.has(Flaw::ClaimWithoutLock)).then_some(shared);
        let mut rows = self.rows.lock().unwrap();
        let due = rows.jobs.iter_mut().filter(|(_, job)| WAITING.contains(&job.state) && job.run_at <= now);
        due.take(limit)
            .map(|(id, job)| {
                job.state = JobState::Running;
                job.worker = Some(worker);
                job.attempt += 1;
                (*id, job.attempt, job.attempts_max)
            })
            .collect()
    }

    /// Makes an attempt's effect and completes its job. `false`: it is no longer its.
    pub(super) fn complete(&self, id: i64, attempt: i32) -> bool {
        if self.has(Flaw::EffectApart) {
            self.rows.lock().unwrap().jobs.entry(id).and_modify(|job| job.effects += 1);
        }
        let mut rows = self.rows.lock().unwrap();
        let Some(job) = rows.of(id, attempt, self.flaw) else { return false };
        job.effects += u32::from(self.flaw != Some(Flaw::EffectApart));
        job.end(JobState::Completed);
        true
    }

    pub(super) fn settle(&self, ended: &[Ended]) {
        let now = self.world.now();
        let mut rows = self.rows.lock().unwrap();
        for Ended { id, attempt, ending } in ended {
            let Some(job) = rows.of(*id, *attempt, self.flaw) else { continue };
            match ending {
                Ending::Complete { .. } => job.end(JobState::Completed),
                Ending::Wait { state, delay, counts, .. } => job.wait(*state, now + *delay, *counts),
                Ending::End { state, .. } => job.end(*state),
                Ending::Completed | Ending::Lost => {}
            }
        }
    }

    /// Ends what was claimed and released before; the era of what comes now.
    pub(super) fn fence(&self, worker: i64) -> Option<i32> {
        let lock = self.lock_of(worker)?;
        let _own = lock.write().unwrap();
        let mut rows = self.rows.lock().unwrap();
        let row = rows.workers.get_mut(&worker)?;
        row.era += 1;
        Some(row.era)
    }

    /// Hands back what `worker` has but for what it knows of.
    pub(super) fn release(&self, (worker, era): (i64, i32), held: &[(i64, i32)]) {
        let lock = self.lock_of(worker).unwrap_or_default();
        let _shared = lock.read().unwrap();
        let mut rows = self.rows.lock().unwrap();
        let is_era = |row: &Worker| row.era == era || self.has(Flaw::ReleaseWithoutEra);
        if !rows.workers.get(&worker).is_some_and(is_era) {
            return;
        }
        for (id, job) in &mut rows.jobs {
            let is_held = match self.flaw {
                Some(Flaw::ReleaseWhatIsHeld) => false,
                // An earlier attempt, of a lease that was lost, may be all that is known of.
                Some(Flaw::ReleaseByIdAlone) => held.iter().any(|(held, _)| held == id),
                _ => held.contains(&(*id, job.attempt)),
            };
            if job.worker == Some(worker) && job.state == JobState::Running && !is_held {
                job.wait(JobState::Available, job.run_at, false);
            }
        }
    }

    /// Buries the workers whose lease ran out, and frees their jobs: one transaction.
    pub(super) fn rescue(&self) {
        let now = self.world.now();
        let is_lost = |worker: &Worker| worker.lease_until < now || self.has(Flaw::RescueTooEarly);
        let lost: Vec<_> = {
            let rows = self.rows.lock().unwrap();
            let lost = rows.workers.iter().filter(|(_, worker)| is_lost(worker));
            lost.map(|(number, worker)| (*number, Arc::clone(&worker.lock))).collect()
        };
        let mut held = Vec::new();
        let mut buried = Vec::new();
        for (number, lock) in &lost {
            let own = lock.write().unwrap();
            let mut rows = self.rows.lock().unwrap();
            // It may have been extended, or buried, before the lock was free.
            if rows.workers.get(number).is_some_and(is_lost) {
                rows.workers.remove(number);
                buried.push(*number);
                held.push(own);
            }
        }
        // The second statement.
        let mut rows = self.rows.lock().unwrap();
        for job in rows.jobs.values_mut() {
            if job.state == JobState::Running && job.worker.is_some_and(|worker| buried.contains(&worker)) {
                if job.attempt < job.attempts_max {
                    job.wait(JobState::Retryable, now, true);
                } else {
                    job.end(JobState::Discarded);
                }
            }
        }
    }

    pub(super) fn sign_off(&self, worker: i64) {
        let Some(lock) = self.lock_of(worker) else { return };
        let _own = lock.write().unwrap();
        self.rows.lock().unwrap().workers.remove(&worker);
    }
}

impl Rows {
    /// The job, if this attempt may end it.
    fn of(&mut self, id: i64, attempt: i32, flaw: Option<Flaw>) -> Option<&mut Job> {
        let is_its = |job: &Job| job.attempt == attempt || flaw == Some(Flaw::SettleAnyAttempt);
        self.jobs.get_mut(&id).filter(|job| job.state == JobState::Running && is_its(job))
    }
}

impl Job {
    fn wait(&mut self, state: JobState, run_at: Instant, counts: bool) {
        self.attempts_max += i32::from(!counts);
        self.uncounted += i32::from(!counts);
        (self.state, self.worker, self.run_at) = (state, None, run_at);
    }

    fn end(&mut self, state: JobState) {
        (self.state, self.worker) = (state, None);
    }
}

/// Longer than any lease and any delay in these models.
pub(super) const LONG: Duration = Duration::from_secs(30);
