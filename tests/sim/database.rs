//! The database: a primary, its WAL, and replicas that follow it.
//!
//! A commit is flushed some time before the primary's own snapshots show it, and a
//! replica may show it before the primary does. A promotion begins a timeline on which
//! positions and transaction ids are given out again.

use std::cell::{Cell, RefCell};

use tidewall_edge::control::entry::Scope;

use crate::flaw::Flaw;
use crate::resource::State;
use crate::weather::Link;
use crate::world::World;

/// Where the WAL begins.
const WAL_FIRST: u64 = 1_000;

/// A transaction in the WAL.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    /// The end of its commit record.
    pub(crate) lsn: u64,
    /// When the primary's snapshots begin to show it.
    pub(crate) visible_at: u64,
    /// Its `xid8`.
    pub(crate) xid: u64,
    /// The id by which the edge is told of it. None for longer after a promotion than the
    /// log remembers ids, for a lost primary may have given the same out before.
    pub(crate) name: Option<u64>,
    /// What it wrote.
    pub(crate) row: usize,
    /// To which state.
    pub(crate) state: State,
    /// The outbox row that it wrote, if any.
    pub(crate) outbox: Option<Vec<Scope>>,
}

/// A follower.
#[derive(Default)]
pub(crate) struct Replica {
    /// The timeline it is on.
    pub(crate) timeline: Cell<usize>,
    /// How far it has replayed.
    pub(crate) replayed: Cell<u64>,
    /// Whether it stands still.
    pub(crate) is_paused: Cell<bool>,
}

/// All servers.
pub(crate) struct Database {
    /// Whether the primary answers.
    pub(crate) is_up: Cell<bool>,
    /// How far the WAL is written and flushed.
    pub(crate) flushed: Cell<u64>,
    /// The followers.
    pub(crate) replicas: Vec<Replica>,
    timelines: RefCell<Vec<Vec<Commit>>>,
    xid: Cell<u64>,
    version: Cell<u64>,
    locked: RefCell<Vec<bool>>,
}

/// A server that doesn't answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Down;

impl Database {
    /// Rows that exist, each in its first state.
    pub(crate) fn new(rows: usize, replicas: usize) -> Self {
        let commits = (0..rows).map(|row| Commit {
            lsn: WAL_FIRST + row as u64,
            visible_at: 0,
            xid: row as u64,
            name: None,
            row,
            state: State { version: row as u64 + 1, exists: true },
            outbox: None,
        });
        let flushed = WAL_FIRST + rows as u64;
        let replica = || Replica { replayed: Cell::new(flushed), ..Replica::default() };
        Self {
            is_up: Cell::new(true),
            flushed: Cell::new(flushed),
            replicas: (0..replicas).map(|_| replica()).collect(),
            timelines: RefCell::new(vec![commits.collect()]),
            xid: Cell::new(rows as u64),
            version: Cell::new(rows as u64),
            locked: RefCell::new(vec![false; rows]),
        }
    }

    /// The timeline that the primary writes.
    pub(crate) fn timeline(&self) -> usize {
        self.timelines.borrow().len() - 1
    }

    /// A row as a snapshot on the primary shows it.
    pub(crate) fn on_primary(&self, row: usize, now: u64) -> State {
        self.last(self.timeline(), |commit| commit.row == row && commit.visible_at <= now)
    }

    /// A row as a replica shows it.
    pub(crate) fn on_replica(&self, replica: usize, row: usize) -> State {
        let replica = &self.replicas[replica];
        let replayed = replica.replayed.get();
        self.last(replica.timeline.get(), |commit| commit.row == row && commit.lsn <= replayed)
    }

    fn last(&self, timeline: usize, is_it: impl Fn(&Commit) -> bool) -> State {
        let timelines = self.timelines.borrow();
        timelines[timeline].iter().rev().find(|commit| is_it(commit)).map_or(State::default(), |it| it.state)
    }

    /// What was committed on a timeline behind a position, as far as the primary shows it.
    pub(crate) fn visible_behind(&self, timeline: usize, lsn: u64, now: u64) -> Vec<Commit> {
        let timelines = self.timelines.borrow();
        let newer = timelines[timeline].iter().rev().take_while(|commit| commit.lsn > lsn);
        newer.filter(|commit| commit.visible_at <= now).cloned().collect()
    }

    /// The first replica becomes the primary, on a timeline of its own: not always the one
    /// that is furthest.
    /// Returns the versions that are lost.
    pub(crate) fn promote(&self, now: u64) -> Vec<u64> {
        let current = self.timeline();
        let mut followers = self.replicas.iter().filter(|replica| replica.timeline.get() == current);
        let Some(chosen) = followers.next() else { return Vec::new() };
        let fork = chosen.replayed.get();
        let mut timelines = self.timelines.borrow_mut();
        let (mut kept, lost): (Vec<_>, Vec<_>) =
            timelines[current].iter().cloned().partition(|commit| commit.lsn <= fork);
        for commit in &mut kept {
            commit.visible_at = commit.visible_at.min(now);
        }
        self.flushed.set(fork);
        self.xid.set(kept.last().map_or(0, |commit| commit.xid) + 1);
        timelines.push(kept);
        // It is a follower no more; a copy of it becomes one in its place.
        chosen.timeline.set(current + 1);
        self.is_up.set(true);
        lost.iter().map(|commit| commit.state.version).collect()
    }

    /// A follower of a former timeline is made anew as a copy.
    pub(crate) fn rejoin(&self) {
        for replica in &self.replicas {
            if replica.timeline.replace(self.timeline()) != self.timeline() {
                replica.replayed.set(self.flushed.get());
            }
        }
    }
}

impl World {
    /// A transaction that writes one row, as far as its author sees it commit.
    pub(crate) async fn commit(
        &self,
        row: usize,
        exists: bool,
        outbox: Option<Vec<Scope>>,
    ) -> Result<(usize, Commit), Down> {
        let database = &self.database;
        let timeline = database.timeline();
        while database.locked.borrow()[row] {
            self.clock.sleep(1).await;
        }
        database.locked.borrow_mut()[row] = true;
        self.pass(Link::Statement).await;
        let commit = (database.is_up.get() && timeline == database.timeline()).then(|| {
            database.flushed.set(database.flushed.get() + self.random.between(1, 50));
            database.xid.set(database.xid.get() + 1);
            database.version.set(database.version.get() + 1);
            let commit = Commit {
                lsn: database.flushed.get(),
                visible_at: self.clock.now() + self.weather.ms(Link::Visible),
                xid: database.xid.get(),
                name: (timeline == 0 || self.has(Flaw::NamesWritesAfterPromotion))
                    .then(|| database.xid.get()),
                row,
                state: State { version: database.version.get(), exists },
                outbox,
            };
            database.timelines.borrow_mut()[timeline].push(commit.clone());
            commit
        });
        let visible_at = commit.as_ref().map_or(0, |commit| commit.visible_at);
        self.clock.sleep(visible_at.saturating_sub(self.clock.now())).await;
        database.locked.borrow_mut()[row] = false;
        // Asked in one round trip behind COMMIT.
        self.clock.sleep(self.random.between(0, 1)).await;
        let is_there = database.is_up.get() && timeline == database.timeline();
        commit.filter(|_| is_there).map(|commit| (timeline, commit)).ok_or(Down)
    }

    /// A replica replays what the primary has flushed, unless it is paused.
    pub(crate) fn replay(&self) {
        let database = &self.database;
        for replica in &database.replicas {
            let follows = replica.timeline.get() == database.timeline() && database.is_up.get();
            if follows && !replica.is_paused.get() {
                replica.replayed.set(database.flushed.get());
            }
        }
    }
}
