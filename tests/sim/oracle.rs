//! What must hold, whatever happens: the four guarantees, checked on every answer.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use tidewall_edge::control::entry::{Scope, Severity};

use crate::reading::{Answer, From};
use crate::resource::{Extent, Resource, State};
use crate::world::{Settings, World};

/// What a client has been told of, by row.
pub(crate) type Seen = BTreeMap<usize, u64>;

/// A purge that was acknowledged.
pub(crate) struct Purge {
    /// Of what.
    pub(crate) scope: Scope,
    /// In which way.
    pub(crate) severity: Severity,
    /// With an LSN: every row as it was when that was asked.
    pub(crate) seen: Option<Vec<State>>,
    /// When it was logged.
    pub(crate) at: u64,
    /// When its author heard of that.
    pub(crate) acknowledged_at: u64,
}

/// A guarantee that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Broken {
    /// A client was served a state before its own write.
    OwnWrite,
    /// Somebody was served what had been invalidated for long enough.
    Stale,
    /// In the end somebody was served another state than the last.
    Lost,
    /// It cost more than it must.
    Dear,
}

/// The judge.
pub(crate) struct Oracle {
    extent: Extent,
    max_age_ms: u64,
    grace_ms: u64,
    has_deaf_origins: bool,
    /// By row: when a version was acknowledged, and the greatest until then.
    acknowledged: RefCell<Vec<Vec<(u64, u64)>>>,
    purges: RefCell<Vec<Purge>>,
    lost: RefCell<BTreeSet<u64>>,
    /// Until when answers prove nothing, as not all origins know of a promotion.
    unsettled_until: Cell<u64>,
    origins_unaware: Cell<usize>,
    broken: RefCell<Vec<(Broken, String)>>,
}

impl Oracle {
    /// A judge of a world.
    pub(crate) fn new(settings: &Settings) -> Self {
        let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(0);
        Self {
            extent: settings.extent,
            max_age_ms: ms(settings.limits.max_age),
            grace_ms: ms(settings.limits.grace),
            has_deaf_origins: !settings.heeds_lsn,
            acknowledged: RefCell::new(vec![Vec::new(); settings.extent.rows()]),
            purges: RefCell::default(),
            lost: RefCell::default(),
            unsettled_until: Cell::new(0),
            origins_unaware: Cell::new(0),
            broken: RefCell::default(),
        }
    }

    /// Somebody was told that a version is committed and its invalidation logged.
    pub(crate) fn acknowledged(&self, row: usize, version: u64, now: u64) {
        if self.lost.borrow().contains(&version) {
            return;
        }
        let mut acknowledged = self.acknowledged.borrow_mut();
        let greatest = acknowledged[row].last().map_or(0, |(_, greatest)| *greatest);
        acknowledged[row].push((now, greatest.max(version)));
    }

    /// A purge was acknowledged.
    pub(crate) fn purged(&self, purge: Purge) {
        self.purges.borrow_mut().push(purge);
    }

    /// A promotion lost these versions.
    pub(crate) fn promoted(&self, lost: Vec<u64>, origins: usize) {
        self.lost.borrow_mut().extend(lost);
        let lost = self.lost.borrow();
        for row in self.acknowledged.borrow_mut().iter_mut() {
            row.retain(|(_, version)| !lost.contains(version));
        }
        self.unsettled_until.set(u64::MAX);
        self.origins_unaware.set(origins);
    }

    /// One more origin knows of the promotion, and had everything invalidated.
    pub(crate) fn promotion_is_known(&self, now: u64) {
        self.origins_unaware.set(self.origins_unaware.get().saturating_sub(1));
        if self.origins_unaware.get() == 0 {
            self.unsettled_until.set(now + self.grace_ms);
        }
    }

    /// Whether nothing is under way that excuses an answer.
    pub(crate) fn is_settled(&self, now: u64) -> bool {
        self.unsettled_until.get() < now
    }

    /// Checks an answer to a request that came at `came_at`, of a client that has seen so
    /// much.
    pub(crate) fn check(&self, resource: Resource, answer: &Answer, seen: &Seen, came_at: u64) {
        if answer.from == From::Nothing || !self.is_settled(came_at) {
            return;
        }
        let is_stored = !matches!(answer.from, From::Origin | From::Blind);
        if self.has_deaf_origins && !is_stored {
            // An origin that reads where it likes breaks its own promises, not the edge's.
            return;
        }
        let rows = self.extent.rows_of(resource);
        for (row, state) in rows.iter().zip(&answer.content) {
            let expected = seen.get(row).copied().filter(|version| !self.lost.borrow().contains(version));
            if expected.is_some_and(|expected| state.version < expected) {
                self.report(
                    Broken::OwnWrite,
                    format!("{resource:?} {state:?}, seen {expected:?}: {answer:?}"),
                );
            }
        }
        if answer.from == From::Blind {
            // Without a view nobody knows which LSN to ask an origin for.
            return;
        }
        let bound = if answer.is_cut_off { self.grace_ms } else { self.max_age_ms };
        let Some(until) = came_at.checked_sub(bound) else { return };
        for (row, state) in rows.iter().zip(&answer.content) {
            let acknowledged = &self.acknowledged.borrow()[*row];
            let count = acknowledged.partition_point(|(at, _)| *at < until);
            let expected = count.checked_sub(1).map_or(0, |last| acknowledged[last].1);
            if state.version < expected {
                self.report(Broken::Stale, format!("{resource:?} {state:?}, not {expected}: {answer:?}"));
            }
        }
        if is_stored {
            self.check_purges(resource, &rows, answer, until);
        }
    }

    fn check_purges(&self, resource: Resource, rows: &[usize], answer: &Answer, until: u64) {
        for purge in self.purges.borrow().iter() {
            let is_over = purge.acknowledged_at >= until || !resource.is_in(&purge.scope);
            let is_allowed =
                purge.severity == Severity::Soft && !matches!(answer.from, From::Hit | From::Joined);
            if is_over || is_allowed {
                continue;
            }
            let is_behind = |(row, state): (&usize, &State)| {
                let seen = purge.seen.as_ref().map(|seen| seen[*row].version);
                seen.is_some_and(|seen| state.version < seen && !self.lost.borrow().contains(&seen))
            };
            if answer.exchanged_at < purge.at || rows.iter().zip(&answer.content).any(is_behind) {
                let Purge { scope, severity, at, .. } = purge;
                self.report(
                    Broken::Stale,
                    format!("{resource:?}, {severity:?} {scope:?} at {at}: {answer:?}"),
                );
            }
        }
    }

    /// Notes what is broken.
    pub(crate) fn report(&self, broken: Broken, what: String) {
        self.broken.borrow_mut().push((broken, what));
    }

    /// What is broken, the first first.
    pub(crate) fn broken(&self) -> Vec<(Broken, String)> {
        self.broken.borrow().clone()
    }
}

impl World {
    /// What must be so that it costs no more than it must.
    pub(crate) fn expects(&self, is_so: bool, what: &str) {
        if !is_so {
            self.oracle.report(Broken::Dear, format!("{what}: {:?}", self.counts.all()));
        }
    }

    /// In the end everybody must be served the last state.
    pub(crate) async fn check_the_end(self: &std::rc::Rc<Self>) {
        for at in 0..self.isolates.len() {
            for resource in self.settings.extent.all() {
                // A note's invalidation has no outbox row; see ARCHITECTURE.md.
                if matches!(resource, Resource::Note(_)) {
                    continue;
                }
                let read =
                    crate::reading::Read { resource, variant: 0, bookmark: crate::isolate::NO_BOOKMARK };
                let answer = self.read(at, read).await;
                let is_deaf =
                    self.oracle.has_deaf_origins && matches!(answer.from, From::Origin | From::Blind);
                if is_deaf || answer.from == From::Nothing {
                    continue;
                }
                let rows = self.settings.extent.rows_of(resource);
                let last: Vec<State> =
                    rows.iter().map(|row| self.database.on_primary(*row, self.clock.now())).collect();
                if answer.content != last {
                    self.oracle.report(Broken::Lost, format!("{resource:?}, not {last:?}: {answer:?}"));
                }
            }
        }
    }
}
