//! A worker's process in a model: what `worker`, `heart`, `attempt` and `settle` do, without the
//! database and its pauses, and with the same state.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::sync::Mutex;
use shuttle::thread::{self, JoinHandle};
use tokio::sync::oneshot;

use super::super::ending::{End, Rules, Stop, ending};
use super::super::handler::{Completion, JobError, Outcome, Progress, Retention};
use super::super::lease::Lease;
use super::super::running::{Former, Running};
use super::super::storage::settle::Ended;
use super::table::{Flaw, Table};
use super::world::World;
use crate::backoff::Backoff;

const KIND: &str = "test";
const CONCURRENCY: usize = 2;
const RULES: Rules = Rules {
    backoff: Backoff { base: Duration::from_secs(1), delay_max: Duration::from_secs(2) },
    retention: Retention::DEFAULT,
};

pub(super) struct Process {
    world: Arc<World>,
    table: Arc<Table>,
    running: Running,
    /// The number, as its worker sees it.
    number: Mutex<Option<i64>>,
    /// The heart's. Looking isn't a step.
    lease: std::sync::Mutex<Option<(i64, Lease)>>,
    /// A claim's answer was lost.
    is_unsure: AtomicBool,
    /// The era in which it claims, of a number.
    era: std::sync::Mutex<(i64, i32)>,
    /// Ends that are to be written.
    ends: Mutex<Vec<Ended>>,
    attempts: Mutex<Vec<JoinHandle<()>>>,
    is_killed: AtomicBool,
}

impl Process {
    pub(super) fn new(world: &Arc<World>, table: &Arc<Table>) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            table: Arc::clone(table),
            running: Running::new(),
            number: Mutex::new(None),
            lease: std::sync::Mutex::default(),
            is_unsure: AtomicBool::new(false),
            era: std::sync::Mutex::default(),
            ends: Mutex::default(),
            attempts: Mutex::default(),
            is_killed: AtomicBool::new(false),
        })
    }

    /// Whatever it does ends in the middle.
    pub(super) fn kill(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::Relaxed)
    }

    /// Whether what it claimed under `number` may run, by its own clock.
    pub(super) fn believes(&self, number: i64, now: Instant) -> bool {
        let lease = *self.lease.lock().unwrap();
        !self.is_killed() && lease.is_some_and(|(held, lease)| held == number && lease.holds(now))
    }

    fn ask<T: Send + 'static>(&self, statement: impl FnOnce(&Table) -> T + Send + 'static) -> Option<T> {
        if self.is_killed() {
            return None;
        }
        let table = Arc::clone(&self.table);
        let answer = self.world.ask(move || statement(&table));
        // It may have been killed while it waited.
        answer.filter(|_| !self.is_killed())
    }

    /// The same of a transaction that ends only if its client says so.
    fn ask_in_turn<T: Send + 'static>(&self, statement: impl FnOnce(&Table) -> T) -> Option<T> {
        if self.is_killed() {
            return None;
        }
        let answer = self.world.ask_in_turn(|| statement(&self.table));
        answer.filter(|_| !self.is_killed())
    }

    /// One heartbeat.
    pub(super) fn beat(&self) {
        let sent_at = self.world.now();
        let number = *self.number.lock().unwrap();
        match number {
            None => {
                if let Some(number) = self.ask(Table::register) {
                    self.running.take_lease(number);
                    *self.number.lock().unwrap() = Some(number);
                    *self.lease.lock().unwrap() = Some((number, Lease::extended(sent_at)));
                }
            }
            Some(number) => match self.ask(move |table| table.beat(number)) {
                Some(true) => *self.lease.lock().unwrap() = Some((number, Lease::extended(sent_at))),
                Some(false) => self.give_up(),
                None => {}
            },
        }
        let now = self.world.now();
        let lease = *self.lease.lock().unwrap();
        if lease.is_some_and(|(_, lease)| !lease.holds(now)) {
            self.give_up();
        }
    }

    fn give_up(&self) {
        let number = self.number.lock().unwrap().take();
        if let Some(number) = number {
            self.running.lose_lease(Former { number, is_own_fault: false });
        }
        *self.lease.lock().unwrap() = None;
    }

    /// Claims what it has room for, and begins it.
    pub(super) fn turn(self: &Arc<Self>) {
        let claimed_under = *self.number.lock().unwrap();
        let Some(number) = claimed_under else { return };
        let free = CONCURRENCY.saturating_sub(self.running.len());
        if free == 0 || !self.is_sure(number) {
            return;
        }
        let mut era = *self.era.lock().unwrap();
        if era.0 != number {
            era = (number, 0);
        }
        match self.ask(move |table| table.claim(era, free)) {
            Some(jobs) => jobs.into_iter().for_each(|job| self.begin(number, job)),
            None => self.is_unsure.store(true, Ordering::Relaxed),
        }
    }

    /// Hands back what it may have without knowing.
    fn is_sure(&self, number: i64) -> bool {
        if !self.is_unsure.load(Ordering::Relaxed) || self.table.has(Flaw::NoRelease) {
            return true;
        }
        let held = self.running.attempts();
        // A transaction of several round trips: the server doesn't end it without its client.
        let era = self.ask_in_turn(move |table| table.fence(number));
        let released = match era {
            None => false,
            Some(None) => true,
            Some(Some(era)) => {
                *self.era.lock().unwrap() = (number, era);
                self.ask(move |table| table.release((number, era), &held)).is_some()
            }
        };
        self.is_unsure.store(!released, Ordering::Relaxed);
        released
    }

    fn begin(self: &Arc<Self>, number: i64, (id, attempt, attempts_max): (i64, i32, i32)) {
        let Some(stopped) = self.running.begin(number, id, attempt, KIND, Progress::default()) else {
            return;
        };
        self.world.begins(id, attempt, self, number);
        let process = Arc::clone(self);
        let run = move || process.run((id, attempt, attempts_max), stopped);
        if self.world.is_calm() {
            run();
        } else {
            self.attempts.lock().unwrap().push(thread::spawn(run));
        }
    }

    /// One attempt.
    fn run(
        self: &Arc<Self>,
        (id, attempt, attempts_max): (i64, i32, i32),
        mut stopped: oneshot::Receiver<Stop>,
    ) {
        let end = loop {
            thread::yield_now();
            if self.is_killed() {
                break None;
            }
            self.world.watch(id);
            if let Ok(why) = stopped.try_recv() {
                break Some(End::Stopped(why));
            }
            if let Some(returned) = self.work(id, attempt) {
                break Some(End::Returned(returned));
            }
        };
        self.world.is_over(id, attempt, self);
        let Some(end) = end else { return };
        let ending = ending(RULES, attempt, attempts_max, end, 0);
        let is_written = !ending.is_silent();
        self.running.end(id, attempt, is_written, KIND, false, Duration::ZERO);
        if is_written {
            self.ends.lock().unwrap().push(Ended { id, attempt, ending });
        }
    }

    /// A part of the work; what the handler returns, if it was the last.
    fn work(&self, id: i64, attempt: i32) -> Option<Result<Outcome<serde_json::Value>, JobError>> {
        match if self.world.is_calm() { 0 } else { thread_rng().gen_range(0..16) } {
            0 => Some(match self.ask(move |table| table.complete(id, attempt)) {
                Some(true) => Ok(Outcome::Completed(Completion(()))),
                Some(false) => Err(JobError::lost()),
                None => Err(JobError::retry("no answer", "the model")),
            }),
            1 => Some(Ok(Outcome::Snooze(Duration::from_secs(1)))),
            2 => Some(Err(JobError::retry("no luck", "the model"))),
            _ => None,
        }
    }

    /// Writes down what has ended. `false`: it couldn't.
    pub(super) fn settle(&self) -> bool {
        let batch = std::mem::take(&mut *self.ends.lock().unwrap());
        let written = batch.clone();
        if self.ask(move |table| table.settle(&written)).is_none() {
            self.ends.lock().unwrap().extend(batch);
            return false;
        }
        self.running.settled(&batch);
        true
    }

    /// Waits until nothing runs.
    pub(super) fn join(&self) {
        let attempts = std::mem::take(&mut *self.attempts.lock().unwrap());
        for attempt in attempts {
            attempt.join().unwrap();
        }
    }

    /// Stops in good order, once its heart has stopped. `false`: it was killed over it.
    pub(super) fn stop(&self) -> bool {
        self.running.stop_all(Stop::Shutdown);
        self.join();
        while !self.settle() {
            if self.is_killed() {
                return false;
            }
            thread::yield_now();
        }
        let number = *self.number.lock().unwrap();
        let is_done = self.running.len() == 0 && self.running.unsettled() == 0;
        if let Some(number) = number.filter(|_| is_done)
            && self.is_sure(number)
        {
            self.ask(move |table| table.sign_off(number));
        }
        true
    }

    /// What it has, for the end.
    pub(super) fn holds(&self) -> (usize, usize) {
        (self.running.len(), self.running.unsettled())
    }
}
