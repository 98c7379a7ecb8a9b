//! The origins: they answer from the primary or a replica, write, and see to it that what
//! a write invalidates is logged (W2).

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use tidewall_api::bookmark::{Bookmark, Seq};
use tidewall_edge::control::entry::{Scope, Severity};
use tidewall_edge::control::log::Append;
use tidewall_edge::control::position::ReadAt;

use crate::database::{Commit, Down};
use crate::flaw::Flaw;
use crate::resource::{Resource, State};
use crate::weather::Link;
use crate::world::World;

/// How long a read waits for a replica to catch up.
const CATCH_UP_MS: u64 = 50;

/// An origin.
#[derive(Default)]
pub(crate) struct Origin {
    /// Whether it answers.
    pub(crate) is_paused: Cell<bool>,
    /// The timeline that it takes the primary to be on.
    timeline: Cell<usize>,
}

/// Writes on their way to the log.
#[derive(Default)]
pub(crate) struct Outbox {
    /// Whether its deliverer stands still.
    pub(crate) is_paused: Cell<bool>,
    delivered: RefCell<HashMap<u64, u64>>,
}

/// An answer to a read.
pub(crate) struct Told {
    /// The rows' states.
    pub(crate) content: Vec<State>,
    /// Where the origin says it read them.
    pub(crate) read_at: ReadAt,
}

/// An answer to a write.
#[derive(Clone, Debug)]
pub(crate) struct Wrote {
    /// The new state.
    pub(crate) state: State,
    /// Where in the WAL it can be seen.
    pub(crate) lsn: u64,
    /// Which write it was.
    pub(crate) id: Option<u64>,
    /// What it invalidated.
    pub(crate) scopes: Vec<Scope>,
}

impl World {
    /// Answers a read at or past `sent`.
    pub(crate) async fn origin_reads(
        &self,
        origin: usize,
        resource: Resource,
        sent: u64,
    ) -> Result<Told, Down> {
        let origin = &self.origins[origin];
        if origin.is_paused.get() {
            self.clock.sleep(100).await;
            return Err(Down);
        }
        let sent = if self.settings.heeds_lsn { sent } else { 0 };
        let mut replica = self.replica_at(origin, sent);
        if replica.is_none() {
            self.clock.sleep(CATCH_UP_MS).await;
            replica = self.replica_at(origin, sent);
        }
        let rows = self.settings.extent.rows_of(resource);
        match replica {
            Some(replica) => self.reads_on_replica(replica, rows).await,
            None => self.reads_on_primary(origin, rows).await,
        }
    }

    fn replica_at(&self, origin: &Origin, lsn: u64) -> Option<usize> {
        let timeline = origin.timeline.get();
        let database = &self.database;
        let is_eligible = |replica: &usize| {
            let replica = &database.replicas[*replica];
            let is_on_it = replica.timeline.get() == timeline || self.has(Flaw::ReadsFormerTimeline);
            is_on_it && replica.replayed.get() >= lsn
        };
        let eligible: Vec<usize> = (0..database.replicas.len()).filter(is_eligible).collect();
        (!eligible.is_empty()).then(|| eligible[self.random.below(eligible.len())])
    }

    async fn reads_on_replica(&self, index: usize, rows: Vec<usize>) -> Result<Told, Down> {
        let replica = &self.database.replicas[index];
        let timeline = replica.timeline.get();
        let mut lsn = replica.replayed.get();
        let mut content = Vec::new();
        for row in rows {
            self.pass(Link::Statement).await;
            content.push(self.database.on_replica(index, row));
        }
        if self.has(Flaw::LsnAfterSnapshot) {
            self.pass(Link::Statement).await;
            lsn = replica.replayed.get();
        }
        if replica.timeline.get() != timeline {
            return Err(Down);
        }
        Ok(Told { content, read_at: ReadAt::Lsn(lsn) })
    }

    async fn reads_on_primary(&self, origin: &Origin, rows: Vec<usize>) -> Result<Told, Down> {
        let timeline = origin.timeline.get();
        let mut content = Vec::new();
        let mut flushed = 0;
        for row in rows {
            self.pass(Link::Statement).await;
            if !self.database.is_up.get() || timeline != self.database.timeline() {
                return Err(Down);
            }
            flushed = self.database.flushed.get();
            content.push(self.database.on_primary(row, self.clock.now()));
        }
        let is_flawed = self.has(Flaw::FlushLsnAsContent);
        Ok(Told { content, read_at: if is_flawed { ReadAt::Lsn(flushed) } else { ReadAt::Primary } })
    }

    /// Writes a row: its other state where it can be deleted and made again.
    pub(crate) async fn origin_writes(&self, origin: usize, row: usize, exists: bool) -> Result<Wrote, Down> {
        if self.origins[origin].is_paused.get()
            || self.origins[origin].timeline.get() != self.database.timeline()
        {
            self.clock.sleep(100).await;
            return Err(Down);
        }
        let before = self.database.flushed.get();
        let scopes = self.settings.extent.invalidated(row);
        let outbox = (!self.has(Flaw::NoOutbox) && !scopes.is_empty()).then(|| scopes.clone());
        let (_, commit) = self.commit(row, exists, outbox).await?;
        let lsn = if self.has(Flaw::LsnBeforeCommit) { before } else { self.database.flushed.get() };
        Ok(Wrote { state: commit.state, lsn, id: commit.name, scopes })
    }

    /// The bookmark of what a write did that no answer to a request told of, such as a
    /// job's: of the log as well, once its outbox row was delivered.
    pub(crate) fn bookmark_of_effect(&self, wrote: &Wrote) -> Bookmark {
        let seq = self.outbox.delivered.borrow().get(&wrote.state.version).copied();
        Bookmark { seq: Seq::At(seq.unwrap_or(0)), lsn: wrote.lsn }
    }

    /// How many outbox rows wait.
    pub(crate) fn outbox_len(&self) -> usize {
        let delivered = self.outbox.delivered.borrow();
        let rows = self.database.visible_behind(self.database.timeline(), 0, u64::MAX);
        rows.iter().filter(|row| row.outbox.is_some() && !delivered.contains_key(&row.state.version)).count()
    }

    /// Delivers the outbox, on and on.
    pub(crate) async fn deliver(self: Rc<Self>) {
        let mut flushed_before = 0;
        let mut done: HashSet<u64> = HashSet::new();
        // Below this everything was delivered.
        let mut from = (0, 0);
        loop {
            self.pass(Link::Outbox).await;
            if !self.database.is_up.get() || self.outbox.is_paused.get() {
                continue;
            }
            let timeline = self.database.timeline();
            if from.0 != timeline {
                from = (timeline, 0);
            }
            let mut rows = self.database.visible_behind(timeline, from.1, self.clock.now());
            rows.retain(|row| row.outbox.is_some() && !done.contains(&row.state.version));
            self.pass(Link::Statement).await;
            if timeline != self.database.timeline() || !self.database.is_up.get() {
                continue;
            }
            let flushed = self.database.flushed.get();
            let lsn = if self.has(Flaw::OutboxLsnBeforeRow) { flushed_before } else { flushed };
            flushed_before = flushed;
            for row in rows.iter().rev() {
                if self.delivers(row, lsn).await {
                    done.insert(row.state.version);
                }
            }
        }
    }

    async fn delivers(&self, row: &Commit, lsn: u64) -> bool {
        let scopes = row.outbox.clone().unwrap_or_default();
        let write = row.name;
        let append = Append { scopes, severity: Severity::Hard, lsn: Some(lsn), write };
        let Ok(reply) = self.append(self.outside(), append, None).await else { return false };
        self.outbox.delivered.borrow_mut().insert(row.state.version, reply.seq);
        self.oracle.acknowledged(row.row, row.state.version, self.clock.now());
        self.counts.note(if reply.is_duplicate { "duplicates" } else { "outbox" });
        true
    }

    /// An origin looks which server is the primary, on and on. When it is another, it
    /// reads from no former one, and then has everything invalidated (P6).
    pub(crate) async fn looks(self: Rc<Self>, index: usize) {
        loop {
            self.pass(Link::Look).await;
            let timeline = self.database.timeline();
            if self.origins[index].timeline.get() == timeline {
                continue;
            }
            self.origins[index].timeline.set(timeline);
            let is_first =
                self.origins.iter().filter(|origin| origin.timeline.get() == timeline).count() == 1;
            let is_silent = self.has(Flaw::OnlyFirstOriginAppendsAll) && !is_first;
            if !is_silent && !self.has(Flaw::PromotionWithoutAll) {
                self.appends_all().await;
            }
            self.oracle.promotion_is_known(self.clock.now());
        }
    }

    async fn appends_all(&self) {
        loop {
            let lsn = Some(self.database.flushed.get());
            let append = Append { scopes: vec![Scope::All], severity: Severity::Hard, lsn, write: None };
            if self.append(self.outside(), append, None).await.is_ok() {
                return;
            }
            self.clock.sleep(200).await;
        }
    }
}
