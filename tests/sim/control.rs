//! The keeper of the control log, and the way to it.

use std::cell::{Cell, RefCell};

use tidewall_edge::control::entry::{Key, Mark, Scope, Severity};
use tidewall_edge::control::log::{Append, Appended, Delta, Known, Log};
use tidewall_edge::time::Timestamp;

use crate::flaw::Flaw;
use crate::weather::Link;
use crate::world::World;

/// After how long a call that isn't answered counts as failed.
const TIMEOUT_MS: u64 = 300;

/// The object that keeps the log.
pub(crate) struct Keeper {
    /// Whether nobody reaches it.
    pub(crate) is_down: Cell<bool>,
    /// Who doesn't reach it: each isolate, and behind them whoever is outside.
    pub(crate) cut: RefCell<Vec<bool>>,
    /// Whose messages arrive while the answers are lost.
    pub(crate) is_deaf_to: RefCell<Vec<bool>>,
    /// How far its clock is ahead.
    pub(crate) clock_ahead: Cell<i64>,
    log: RefCell<Option<Log>>,
}

/// A call that came to nothing, or to nothing that the caller knows of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutOfReach;

/// The answer to an append.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Position of the entries.
    pub(crate) seq: u64,
    /// What the scopes' entries were before.
    pub(crate) previous: Vec<(Scope, u64)>,
    /// Whether the log knew the write.
    pub(crate) is_duplicate: bool,
    /// What the caller's view lacks.
    pub(crate) delta: Delta,
    /// When that was: known to the oracle alone.
    pub(crate) at: u64,
}

impl Keeper {
    /// A keeper without a log.
    pub(crate) fn new(callers: usize) -> Self {
        Self {
            is_down: Cell::new(false),
            cut: RefCell::new(vec![false; callers]),
            is_deaf_to: RefCell::new(vec![false; callers]),
            clock_ahead: Cell::new(0),
            log: RefCell::new(None),
        }
    }

    /// Cuts somebody off, or no more.
    pub(crate) fn set_cut(&self, caller: usize, is_cut: bool) {
        self.cut.borrow_mut()[caller] = is_cut;
    }

    fn is_reached_by(&self, caller: usize) -> bool {
        !self.is_down.get() && !self.cut.borrow()[caller] && self.log.borrow().is_some()
    }
}

impl World {
    /// What a follower lacks.
    pub(crate) async fn since(&self, caller: usize, known: Option<Known>) -> Result<Delta, OutOfReach> {
        self.pass(Link::ToLog).await;
        let delta = self.keeper_answers(caller, |log| self.delta(log, known));
        self.way_back(caller, delta).await
    }

    /// Appends an invalidation.
    pub(crate) async fn append(
        &self,
        caller: usize,
        append: Append,
        known: Option<Known>,
    ) -> Result<Reply, OutOfReach> {
        self.pass(Link::ToLog).await;
        let reply = self.keeper_answers(caller, |log| {
            let write = if self.has(Flaw::LogsTwice) { None } else { append.write };
            let appended = log.append(Append { write, ..append.clone() }, self.keeper_now());
            self.spoil(log, &append, &appended);
            self.counts.note("appends");
            self.counts.add("evicted", appended.changes.evicted.len() as u64);
            let previous = append.scopes.iter().cloned().zip(appended.previous).collect();
            let Appended { seq, is_duplicate, .. } = appended;
            Reply { seq, previous, is_duplicate, delta: self.delta(log, known), at: self.clock.now() }
        });
        self.way_back(caller, reply).await
    }

    fn keeper_answers<T>(&self, caller: usize, answer: impl FnOnce(&mut Log) -> T) -> Option<T> {
        let is_reached = self.keeper.is_reached_by(caller);
        self.keeper.log.borrow_mut().as_mut().filter(|_| is_reached).map(answer)
    }

    async fn way_back<T>(&self, caller: usize, answer: Option<T>) -> Result<T, OutOfReach> {
        let is_lost = self.keeper.is_deaf_to.borrow()[caller];
        self.clock.sleep(if answer.is_none() || is_lost { TIMEOUT_MS } else { 0 }).await;
        self.pass(Link::FromLog).await;
        let is_cut = is_lost || self.keeper.is_down.get() || self.keeper.cut.borrow()[caller];
        answer.filter(|_| !is_cut).ok_or(OutOfReach)
    }

    /// Begins a log: where the last one was lost, nobody knows what it said. So all that was
    /// acknowledged until then is behind the new log's first entry: by its seq, and by the
    /// position that the WAL has reached by now (P1).
    pub(crate) async fn begin_log(&self) {
        let now = self.keeper_now();
        let mut log = Log::begun(now).bounded(self.settings.bounds);
        if !self.has(Flaw::LogWithoutFloor) && !self.has(Flaw::AnyLog) {
            while !self.database.is_up.get() {
                self.clock.sleep(100).await;
            }
            let lsn = Some(self.database.flushed.get());
            log.append(Append { scopes: vec![Scope::All], severity: Severity::Hard, lsn, write: None }, now);
        }
        *self.keeper.log.borrow_mut() = Some(log);
    }

    /// The log is gone, with everything it said.
    pub(crate) fn lose_log(&self) {
        *self.keeper.log.borrow_mut() = None;
    }

    /// The log's head.
    pub(crate) fn head(&self) -> u64 {
        self.keeper.log.borrow().as_ref().map_or(0, Log::head)
    }

    fn keeper_now(&self) -> Timestamp {
        self.time(self.keeper.clock_ahead.get())
    }

    fn delta(&self, log: &Log, known: Option<Known>) -> Delta {
        let is_rebuilt = self.has(Flaw::MarksOfLastAppend) || self.has(Flaw::ForgetsEvicted);
        log.since(known.filter(|_| !is_rebuilt))
    }

    /// The flaws that lie in the log itself.
    fn spoil(&self, log: &mut Log, append: &Append, appended: &Appended) {
        let mut entries = log.since(None).entries;
        if self.has(Flaw::MarksOfLastAppend) && !appended.is_duplicate {
            for (Key { scope, severity }, mark) in &mut entries {
                if *severity == append.severity && append.scopes.contains(scope) {
                    *mark = Mark { seq: appended.seq, lsn: append.lsn };
                }
            }
        } else if self.has(Flaw::ForgetsEvicted) && !append.scopes.contains(&Scope::All) {
            let is_new = !appended.changes.evicted.is_empty();
            entries.retain(|(key, _)| !is_new || !matches!(key.scope, Scope::All | Scope::Uris(_)));
        } else {
            return;
        }
        // Its memory of writes is lost with that: worth some hits, and no stale answer.
        *log = Log::restored(log.first(), log.head(), entries, Vec::new()).bounded(self.settings.bounds);
    }
}
