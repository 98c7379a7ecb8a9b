//! Reads at an isolate: what is stored is looked up, judged, and served or fetched (S1, S6, S7).

use std::cell::RefCell;
use std::rc::Rc;

use tidewall_api::bookmark::Bookmark;
use tidewall_edge::control::bookmark::Demand;
use tidewall_edge::control::position::ReadAt;
use tidewall_edge::control::servable::{Fenced, servable};
use tidewall_edge::control::view::Validity;

use crate::clock::Gate;
use crate::flaw::Flaw;
use crate::isolate::{NO_BOOKMARK, Sight};
use crate::resource::{Resource, State};
use crate::store::{StoreKey, Stored};
use crate::weather::Link;
use crate::world::World;

/// `stale-while-revalidate`.
const SWR_MS: u64 = 10_000;

/// `stale-if-error`.
const SIE_MS: u64 = 30_000;

/// Leaders that one request waits for.
const LEADERS_MAX: u32 = 3;

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    /// Of what.
    pub(crate) resource: Resource,
    /// In which variant.
    pub(crate) variant: u8,
    /// By whom.
    pub(crate) bookmark: Bookmark,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A fresh stored response.
    Hit,
    /// A stale one, while it was revalidated.
    Stale,
    /// A stale one, as the origin failed.
    StaleOnError,
    /// What another request fetched meanwhile.
    Joined,
    /// The origin.
    Origin,
    /// The origin, asked by an isolate without a view.
    Blind,
    /// Nowhere.
    Nothing,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The rows' states.
    pub(crate) content: Vec<State>,
    /// Where it came from.
    pub(crate) from: From,
    /// When the exchange with the origin began.
    pub(crate) exchanged_at: u64,
    /// Whether the log was out of reach.
    pub(crate) is_cut_off: bool,
}

/// How good a stored response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// Its entity tag can be compared, and nothing else.
    Fenced,
    /// It may stand in for an error.
    Old,
    /// It may be served while it is revalidated.
    Stale,
    /// It may be served.
    Fresh,
}

/// A fetch that others wait for.
#[derive(Default)]
pub(crate) struct Flight {
    pub(crate) gate: Gate,
    pub(crate) result: RefCell<Option<Rc<Stored>>>,
}

impl World {
    /// The one decision, as an isolate makes it now.
    pub(crate) fn judged(
        &self,
        at: usize,
        has_view: bool,
        demand: Demand,
        stored: &Stored,
    ) -> Result<Validity, Fenced> {
        if self.has(Flaw::ServesWithoutView) && !has_view {
            return Ok(Validity::Valid);
        }
        let mut position = stored.position;
        if self.has(Flaw::AnyLog) {
            position.fence.first = self.known(at).map_or(0, |known| known.first);
        }
        if self.has(Flaw::LsnOnly) {
            position.fence.head = u64::MAX;
        }
        if self.has(Flaw::FenceOnly) {
            position.read_at = ReadAt::Unknown;
        }
        self.with_view_or_none(at, |view| {
            let view = view.filter(|_| has_view);
            let subject = stored.names.subject();
            servable(view, self.demanded(demand, !subject.groups.is_empty()), &subject, position)
        })
    }

    fn demanded(&self, demand: Demand, is_grouped: bool) -> Demand {
        match demand {
            Demand::Seen { .. } if self.has(Flaw::ServesStaleToItsWriter) => Demand::Nothing,
            Demand::Unstored if self.has(Flaw::UnloggedMeansGrouped) && !is_grouped => Demand::Nothing,
            demand => demand,
        }
    }

    fn grade(&self, at: usize, has_view: bool, demand: Demand, stored: &Stored) -> Grade {
        let now = self.isolate_now(at).as_millis();
        let stale_since = match self.judged(at, has_view, demand, stored) {
            Err(Fenced::Invalidated(_)) if self.has(Flaw::ServesFencedWhileRevalidating) => {
                return Grade::Stale;
            }
            Err(Fenced::Invalidated(_)) if self.has(Flaw::ServesFencedOnError) => return Grade::Old,
            Err(_) => return Grade::Fenced,
            Ok(Validity::Valid) => stored.fresh_until,
            Ok(Validity::StaleSince(since)) => stored.fresh_until.min(since.as_millis()).min(now),
        };
        match now.checked_sub(stale_since) {
            None => Grade::Fresh,
            Some(stale_ms) if stale_ms < SWR_MS => Grade::Stale,
            Some(stale_ms) if stale_ms < SIE_MS => Grade::Old,
            Some(_) => Grade::Fenced,
        }
    }

    /// A reader's request.
    pub(crate) async fn read(self: &Rc<Self>, at: usize, read: Read) -> Answer {
        let sight = self.sight(at, self.isolate_now(at)).await;
        let has_view = sight != Sight::None;
        let demand = if has_view { self.demands(at, read.bookmark).await } else { Demand::Nothing };
        let key = (read.resource, read.variant);
        let found = self.look_up(at, has_view, demand, key).await;
        let answer = match &found {
            Some((Grade::Fresh, stored)) => Some((From::Hit, stored)),
            Some((Grade::Stale, stored)) => {
                self.revalidate(at, has_view, key, stored.clone());
                Some((From::Stale, stored))
            }
            _ => None,
        };
        let is_cut_off = sight == Sight::Old;
        if let Some((from, stored)) = answer {
            let (content, exchanged_at) = (stored.content.clone(), stored.exchanged_at);
            return Answer { content, from, exchanged_at, is_cut_off };
        }
        let mut asked = Asked { at, key, bookmark: read.bookmark, has_view, demand, candidate: None };
        asked.candidate = found.map(|(_, stored)| stored);
        Answer { is_cut_off, ..self.fetch(&asked).await }
    }

    /// Looks where something may be stored, the nearest first.
    async fn look_up(
        &self,
        at: usize,
        has_view: bool,
        demand: Demand,
        key: StoreKey,
    ) -> Option<(Grade, Rc<Stored>)> {
        let isolate = &self.isolates[at];
        let cache = &self.caches[isolate.data_centre];
        let mut best: Option<(Grade, Rc<Stored>)> = None;
        for place in 0..3 {
            let stored = match place {
                0 => isolate.memory.get(key),
                1 => {
                    self.pass(Link::CacheApi).await;
                    cache.get(key)
                }
                _ => self.kv_get(isolate.data_centre, key).await,
            };
            let Some(stored) = stored else { continue };
            let grade = self.grade(at, has_view, demand, &stored);
            if best.as_ref().is_none_or(|(best, _)| *best < grade) {
                best = Some((grade, stored.clone()));
            }
            if grade == Grade::Fresh {
                isolate.memory.put(key, stored.clone());
                if place == 2 {
                    cache.put(key, stored);
                }
                break;
            }
        }
        best
    }

    /// Fetches in the background, without anything of the reader's (S6).
    fn revalidate(self: &Rc<Self>, at: usize, has_view: bool, key: StoreKey, candidate: Rc<Stored>) {
        let flight_key = (self.isolates[at].data_centre, key);
        if self.flights.borrow().contains_key(&flight_key) {
            return;
        }
        let world = self.clone();
        self.clock.spawn(async move {
            let candidate = Some(candidate);
            let demand = Demand::Nothing;
            let asked = Asked { at, key, bookmark: NO_BOOKMARK, has_view, demand, candidate };
            world.fetch(&asked).await;
        });
    }

    /// Fetches, or waits for whoever does.
    async fn fetch(self: &Rc<Self>, asked: &Asked) -> Answer {
        let data_centre = self.isolates[asked.at].data_centre;
        let flight_key = (data_centre, asked.key);
        for _ in 0..LEADERS_MAX {
            let under_way = self.flights.borrow().get(&flight_key).cloned();
            let Some(flight) = under_way else {
                let flight = Rc::new(Flight::default());
                self.flights.borrow_mut().insert(flight_key, flight.clone());
                let answer = self.fill(asked, Some(&flight)).await;
                self.release(flight_key, &flight);
                return answer;
            };
            self.clock.pass(&flight.gate).await;
            let trusted = flight.result.borrow().clone().filter(|_| self.has(Flaw::WaitersTrustLeader));
            let stored = match trusted {
                Some(stored) => Some(stored),
                None => {
                    self.pass(Link::CacheApi).await;
                    let stored = self.caches[data_centre].get(asked.key);
                    stored.filter(|stored| {
                        self.grade(asked.at, asked.has_view, asked.demand, stored) == Grade::Fresh
                    })
                }
            };
            if let Some(stored) = stored {
                self.counts.note("joined");
                let (content, exchanged_at) = (stored.content.clone(), stored.exchanged_at);
                return Answer { content, from: From::Joined, exchanged_at, is_cut_off: false };
            }
            if self.has(Flaw::WaitersAllLead) {
                break;
            }
        }
        self.fill(asked, None).await
    }

    /// Lets the waiters go.
    pub(crate) fn release(&self, flight_key: (usize, StoreKey), flight: &Rc<Flight>) {
        let mut flights = self.flights.borrow_mut();
        if flights.get(&flight_key).is_some_and(|current| Rc::ptr_eq(current, flight)) {
            flights.remove(&flight_key);
        }
        drop(flights);
        self.clock.open(&flight.gate);
    }

    /// What is left when the origin failed.
    pub(crate) fn instead_of_error(&self, asked: &Asked) -> Answer {
        let has_view = asked.has_view && self.has_view(asked.at);
        let usable = asked
            .candidate
            .as_ref()
            .filter(|stored| self.grade(asked.at, has_view, asked.demand, stored) > Grade::Fenced);
        match usable {
            Some(stored) => {
                let (content, exchanged_at) = (stored.content.clone(), stored.exchanged_at);
                Answer { content, from: From::StaleOnError, exchanged_at, is_cut_off: false }
            }
            None => Answer { content: Vec::new(), from: From::Nothing, exchanged_at: 0, is_cut_off: false },
        }
    }
}

/// What is to be fetched, and for whom.
pub(crate) struct Asked {
    /// By which isolate.
    pub(crate) at: usize,
    /// What.
    pub(crate) key: StoreKey,
    /// The reader's bookmark.
    pub(crate) bookmark: Bookmark,
    /// Whether there was a view when the reader came.
    pub(crate) has_view: bool,
    /// What the reader asks of stored responses.
    pub(crate) demand: Demand,
    /// The best that is stored.
    pub(crate) candidate: Option<Rc<Stored>>,
}
