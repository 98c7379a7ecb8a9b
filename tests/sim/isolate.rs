//! An isolate of the edge: its view of the control log, and when it asks for a new one (S2, S3).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tidewall_api::bookmark::Bookmark;
use tidewall_edge::control::bookmark::{Brought, Demand, demand};
use tidewall_edge::control::log::{Delta, Known};
use tidewall_edge::control::view::{Currency, View};
use tidewall_edge::time::Timestamp;

use crate::clock::Gate;
use crate::flaw::Flaw;
use crate::store::Shelves;
use crate::world::World;

/// An isolate.
#[derive(Default)]
pub(crate) struct Isolate {
    /// Where it is.
    pub(crate) data_centre: usize,
    /// How far its clock is ahead.
    pub(crate) clock_ahead: i64,
    /// What it keeps in memory.
    pub(crate) memory: Shelves,
    view: RefCell<Option<View>>,
    refreshing: RefCell<Option<Rc<Refresh>>>,
    /// Counts how often it was begun anew: what was asked for before is not for it.
    life: Cell<u64>,
}

/// A refresh of the view that is under way, for whoever came before it was sent.
struct Refresh {
    sent_at: Timestamp,
    gate: Gate,
    is_done: Cell<Option<bool>>,
}

/// With what a request looks at stored responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// There is no view that may be used.
    None,
    /// The view was refreshed less than `max_age` before the request came.
    Current,
    /// The log is out of reach: the view is one from before that.
    Old,
}

impl Isolate {
    /// One that begins.
    pub(crate) fn new(data_centre: usize, clock_ahead: i64) -> Self {
        Self { data_centre, clock_ahead, ..Self::default() }
    }
}

impl World {
    /// A clock that is ahead, or behind.
    pub(crate) fn time(&self, ahead: i64) -> Timestamp {
        Timestamp::from_millis((self.clock.now() + crate::world::EPOCH_MS).saturating_add_signed(ahead))
    }

    /// An isolate's own clock.
    pub(crate) fn isolate_now(&self, at: usize) -> Timestamp {
        self.time(self.isolates[at].clock_ahead)
    }

    /// Asks the view something.
    pub(crate) fn with_view<T>(&self, at: usize, ask: impl FnOnce(&View) -> T) -> Option<T> {
        self.isolates[at].view.borrow().as_ref().map(ask)
    }

    /// Asks the view something, even if there is none.
    pub(crate) fn with_view_or_none<T>(&self, at: usize, ask: impl FnOnce(Option<&View>) -> T) -> T {
        ask(self.isolates[at].view.borrow().as_ref())
    }

    /// How far it has read.
    pub(crate) fn known(&self, at: usize) -> Option<Known> {
        self.with_view(at, View::known)
    }

    /// An isolate is ended, and another one begins in its place.
    pub(crate) fn restart(&self, at: usize) {
        let isolate = &self.isolates[at];
        isolate.life.set(isolate.life.get() + 1);
        isolate.memory.clear();
        *isolate.view.borrow_mut() = None;
        *isolate.refreshing.borrow_mut() = None;
    }

    /// Whether the view could be used now, however it came to be.
    pub(crate) fn has_view(&self, at: usize) -> bool {
        let currency = self.with_view(at, |view| view.currency(self.settings.limits, self.isolate_now(at)));
        self.has(Flaw::ViewNeverExpires) && currency.is_some()
            || currency.is_some_and(|currency| currency != Currency::Expired)
    }

    /// Takes in what came with an answer of the log.
    pub(crate) fn applies(&self, at: usize, delta: Delta, sent_at: Timestamp) {
        let mut view = self.isolates[at].view.borrow_mut();
        let sent_at = if self.has(Flaw::AgeFromAnswer) { self.isolate_now(at) } else { sent_at };
        let is_rebuilt = self.has(Flaw::MarksOfLastAppend) || self.has(Flaw::ForgetsEvicted);
        match view.as_mut().filter(|_| !is_rebuilt) {
            Some(view) => view.apply(delta, sent_at),
            None => *view = Some(View::new(delta, sent_at).bounded(self.settings.bounds)),
        }
    }

    /// The life an isolate is in.
    pub(crate) fn life(&self, at: usize) -> u64 {
        self.isolates[at].life.get()
    }

    /// Refreshes the view by a request that is sent at `since` or later.
    async fn refresh(self: &Rc<Self>, at: usize, since: Timestamp) -> bool {
        let isolate = &self.isolates[at];
        let under_way = isolate.refreshing.borrow().clone();
        let joins_any = self.has(Flaw::JoinsAnyRefresh);
        if let Some(refresh) = under_way.filter(|refresh| refresh.sent_at >= since || joins_any) {
            self.clock.pass(&refresh.gate).await;
            return refresh.is_done.get() == Some(true);
        }
        let refresh = Rc::new(Refresh {
            sent_at: self.isolate_now(at),
            gate: Gate::default(),
            is_done: Cell::new(None),
        });
        *isolate.refreshing.borrow_mut() = Some(refresh.clone());
        let life = self.life(at);
        let world = self.clone();
        let running = refresh.clone();
        // Whoever asked may go; those who joined still wait for it.
        self.clock.spawn(async move {
            let delta = world.since(at, world.known(at)).await;
            let is_done = delta.is_ok() && life == world.life(at);
            if let Some(delta) = delta.ok().filter(|_| is_done) {
                world.applies(at, delta, running.sent_at);
            }
            running.is_done.set(Some(is_done));
            let mut refreshing = world.isolates[at].refreshing.borrow_mut();
            if refreshing.as_ref().is_some_and(|refresh| Rc::ptr_eq(refresh, &running)) {
                *refreshing = None;
            }
            drop(refreshing);
            world.clock.open(&running.gate);
        });
        self.clock.pass(&refresh.gate).await;
        refresh.is_done.get() == Some(true)
    }

    /// The view for a request that came at `arrived` (S2).
    pub(crate) async fn sight(self: &Rc<Self>, at: usize, arrived: Timestamp) -> Sight {
        let limits = self.settings.limits;
        let currency = self.with_view(at, |view| view.currency(limits, arrived));
        if self.has(Flaw::ViewNeverExpires) && currency.is_some() {
            return Sight::Current;
        }
        match currency {
            Some(Currency::Current) => return Sight::Current,
            Some(Currency::RefreshAhead) => {
                let world = self.clone();
                self.clock.spawn(async move {
                    world.refresh(at, Timestamp::from_millis(0)).await;
                });
                return Sight::Current;
            }
            Some(Currency::RefreshFirst | Currency::Expired) | None => {}
        }
        // What is under way will do if it was sent late enough for this request.
        let max_age = u64::try_from(limits.max_age.as_millis()).unwrap_or(0);
        let late_enough = (arrived.as_millis() - max_age).saturating_add(u64::from(max_age > 0));
        if self.refresh(at, Timestamp::from_millis(late_enough)).await {
            return Sight::Current;
        }
        match self.with_view(at, |view| view.currency(limits, arrived)) {
            None | Some(Currency::Expired) => Sight::None,
            Some(_) => Sight::Old,
        }
    }

    /// What a reader's bookmark asks for, after a refresh where it needs one (S3).
    pub(crate) async fn demands(self: &Rc<Self>, at: usize, bookmark: Bookmark) -> Demand {
        let Some(known) = self.known(at) else { return Demand::Nothing };
        let demanded = demand(Brought::one(bookmark), known, false);
        if demanded != Demand::Refresh {
            return demanded;
        }
        if self.has(Flaw::NoRefreshForBookmark) {
            return Demand::Nothing;
        }
        self.refresh(at, self.isolate_now(at)).await;
        self.known(at).map_or(Demand::Nothing, |known| demand(Brought::one(bookmark), known, true))
    }
}

/// Nothing at all.
pub(crate) const NO_BOOKMARK: Bookmark = Bookmark { seq: tidewall_api::bookmark::Seq::At(0), lsn: 0 };

/// The limits of a view, as they are by default.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(1);
