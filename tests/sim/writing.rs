//! Writes and purges that pass an isolate: what they invalidate is logged before anybody is
//! answered (W1), and the new state may be stored (W3).

use std::rc::Rc;

use tidewall_api::bookmark::{Bookmark, Seq};
use tidewall_edge::control::bookmark::Brought;
use tidewall_edge::control::entry::{Scope, Severity};
use tidewall_edge::control::log::{Append, Known};
use tidewall_edge::control::position::{Position, ReadAt};
use tidewall_edge::control::view::View;
use tidewall_edge::control::write_through::{Logged, is_last};

use crate::control::{OutOfReach, Reply};
use crate::filling::TTL_MS;
use crate::flaw::Flaw;
use crate::oracle::Purge;
use crate::origin::Wrote;
use crate::resource::{Names, Resource, State};
use crate::store::Stored;
use crate::weather::Link;
use crate::world::World;

/// A request that writes.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// Which row.
    pub(crate) row: usize,
    /// Whether it is there afterwards.
    pub(crate) exists: bool,
    /// Whose request it is.
    pub(crate) bookmark: Bookmark,
    /// Whether it has an `Idempotency-Key`.
    pub(crate) is_keyed: bool,
    /// The answer that the origin remembers, as the request came before.
    pub(crate) remembered: Option<Wrote>,
}

/// What the edge knows of a write when its answer is there.
struct Written<'a> {
    wrote: &'a Wrote,
    /// Position of the view when it began.
    began_at: Known,
    /// The same as a time: known to the oracle alone.
    began: u64,
    is_keyed: bool,
}

impl World {
    /// A write. `None` if it failed.
    pub(crate) async fn write(self: &Rc<Self>, at: usize, write: Write) -> Option<(Bookmark, Wrote)> {
        let began_at = self.with_view(at, View::known);
        let began = self.clock.now();
        let origin = self.random.below(self.origins.len());
        self.pass(Link::ToOrigin).await;
        let wrote = match write.remembered {
            Some(wrote) => Ok(wrote),
            None => self.origin_writes(origin, write.row, write.exists).await,
        };
        self.pass(Link::FromOrigin).await;
        let wrote = wrote.ok()?;
        let resource = self.settings.extent.resource(write.row);
        let mut scopes = wrote.scopes.clone();
        scopes.push(Scope::Uri(resource.uri()));
        let severity = self.settings.severity;
        let append = Append { scopes, severity, lsn: Some(wrote.lsn), write: wrote.id };
        if self.has(Flaw::AnswersBeforeAppending) {
            let world = self.clone();
            self.clock.spawn(async move {
                let _ = world.append_at(at, append).await;
            });
            return Some((Bookmark { seq: Seq::At(self.head()), lsn: wrote.lsn }, wrote));
        }
        let seq = match self.append_at(at, append).await {
            Err(OutOfReach) if self.has(Flaw::UnloggedIsForgotten) => {
                Seq::At(began_at.map_or(1, |began_at| began_at.head))
            }
            Err(OutOfReach) => {
                self.counts.note("unlogged");
                Seq::Unlogged
            }
            Ok(reply) => {
                let seq = reply.seq;
                if let Some(began_at) = began_at {
                    let written = Written { wrote: &wrote, began_at, began, is_keyed: write.is_keyed };
                    self.write_through(at, resource, &written, reply).await;
                }
                Seq::At(seq)
            }
        };
        Some((Brought::one(write.bookmark).kept(Bookmark { seq, lsn: wrote.lsn }), wrote))
    }

    async fn write_through(
        self: &Rc<Self>,
        at: usize,
        resource: Resource,
        written: &Written<'_>,
        reply: Reply,
    ) {
        let (Resource::Item(_), State { exists: true, .. }) = (resource, written.wrote.state) else { return };
        let names = Names::of(resource, true);
        let may_be_old = (written.is_keyed || reply.is_duplicate) && !self.has(Flaw::StoresKeyedWrite);
        let Reply { seq, previous, .. } = reply;
        let logged = Logged { seq, previous, began_at: written.began_at, may_be_old };
        let is_last = self.with_view(at, |view| is_last(&logged, view, &names.subject())) == Some(true);
        if !is_last && !self.has(Flaw::StoresEveryWrite) {
            self.counts.note("crossed");
            return;
        }
        self.counts.note("written through");
        let stored = Rc::new(Stored {
            content: vec![written.wrote.state],
            position: Position { fence: Known { head: seq, ..written.began_at }, read_at: ReadAt::Primary },
            names,
            fresh_until: self.isolate_now(at).as_millis() + TTL_MS,
            exchanged_at: written.began,
        });
        for variant in 0..2 {
            self.store(at, (resource, variant), stored.clone()).await;
        }
    }

    /// Appends, and takes in what comes with the answer.
    pub(crate) async fn append_at(&self, at: usize, append: Append) -> Result<Reply, OutOfReach> {
        let sent_at = self.isolate_now(at);
        let life = self.life(at);
        let known = self.known(at);
        let reply = self.append(at, append, known).await?;
        if life == self.life(at) {
            self.applies(at, reply.delta.clone(), sent_at);
        }
        Ok(reply)
    }

    /// A purge. `None` if it was not acknowledged.
    pub(crate) async fn purge(
        &self,
        at: usize,
        scope: Scope,
        severity: Severity,
        has_lsn: bool,
    ) -> Option<u64> {
        // Everything that its author can have seen committed.
        let now = self.clock.now();
        let rows = 0..self.settings.extent.rows();
        let seen = has_lsn.then(|| rows.map(|row| self.database.on_primary(row, now)).collect());
        let lsn = has_lsn.then(|| self.database.flushed.get());
        let append = Append { scopes: vec![scope.clone()], severity, lsn, write: None };
        let reply = self.append_at(at, append).await.ok()?;
        self.counts.note("purged");
        self.oracle.purged(Purge { scope, severity, seen, at: reply.at, acknowledged_at: self.clock.now() });
        Some(reply.seq)
    }
}
