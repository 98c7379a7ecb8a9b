//! What all processes of a model share: the clock, the faults, and those who watch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::thread::{self, JoinHandle};

use super::process::Process;

/// One clock for all: the server's decides, and the processes' only tell how much time has passed.
///
/// What is in here is no step that others come between.
pub(super) struct World {
    now: Mutex<Instant>,
    /// Attempts that run.
    attempts: Mutex<Vec<Running>>,
    /// Nothing fails any more.
    is_calm: AtomicBool,
    /// Statements of clients that are gone.
    orphans: Mutex<Vec<JoinHandle<()>>>,
    faults: Faults,
}

/// What may fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Faults {
    /// Statements don't arrive, or their answers don't.
    Answers,
    /// And the server goes on with a statement whose client is gone already.
    LateStatements,
}

/// An attempt, and by what it believes that it may run.
struct Running {
    job: i64,
    attempt: i32,
    process: Arc<Process>,
    number: i64,
}

impl World {
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            now: Mutex::new(Instant::now()),
            attempts: Mutex::default(),
            is_calm: AtomicBool::new(false),
            orphans: Mutex::default(),
            faults,
        }
    }

    pub(super) fn now(&self) -> Instant {
        *self.now.lock().unwrap()
    }

    pub(super) fn pass(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }

    /// From now on nothing fails, and time passes as it is told to.
    pub(super) fn calm_down(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
        loop {
            let Some(orphan) = self.orphans.lock().unwrap().pop() else { break };
            orphan.join().unwrap();
        }
    }

    pub(super) fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::Relaxed)
    }

    /// Asks for what is done before its client goes on, or not at all.
    pub(super) fn ask_in_turn<T>(&self, statement: impl FnOnce() -> T) -> Option<T> {
        answered(self.fate(), statement)
    }

    /// Asks the database. `None`: there was no answer, and nobody knows whether it was done.
    pub(super) fn ask<T>(&self, statement: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self.fate() {
            2 if self.faults == Faults::LateStatements => {
                let orphan = thread::spawn(move || drop(statement()));
                self.orphans.lock().unwrap().push(orphan);
                None
            }
            fate => answered(fate, statement),
        }
    }

    /// What befalls a statement: one of eight, the last one once nothing fails any more.
    fn fate(&self) -> i32 {
        if self.is_calm() { 7 } else { thread_rng().gen_range(0..8) }
    }

    /// An attempt begins.
    pub(super) fn begins(&self, job: i64, attempt: i32, process: &Arc<Process>, number: i64) {
        let process = Arc::clone(process);
        self.attempts.lock().unwrap().push(Running { job, attempt, process, number });
        self.watch(job);
    }

    /// An attempt is over.
    pub(super) fn is_over(&self, job: i64, attempt: i32, process: &Arc<Process>) {
        self.attempts.lock().unwrap().retain(|running| {
            (running.job, running.attempt) != (job, attempt) || !Arc::ptr_eq(&running.process, process)
        });
    }

    /// No two attempts of `job` believe that they may run.
    pub(super) fn watch(&self, job: i64) {
        let now = self.now();
        let attempts = self.attempts.lock().unwrap();
        let believe: Vec<_> = attempts
            .iter()
            .filter(|running| running.job == job && running.process.believes(running.number, now))
            .map(|running| running.attempt)
            .collect();
        drop(attempts);
        assert!(believe.len() < 2, "attempts {believe:?} of job {job} run at the same time");
    }
}

/// Doesn't arrive, or its answer doesn't, or all is well.
fn answered<T>(fate: i32, statement: impl FnOnce() -> T) -> Option<T> {
    match fate {
        0 => None,
        1 => {
            statement();
            None
        }
        _ => Some(statement()),
    }
}
