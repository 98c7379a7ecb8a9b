//! Reads that an origin answers, and what is stored of them (S1, S5, P5).

use std::rc::Rc;

use tidewall_edge::control::bookmark::Demand;
use tidewall_edge::control::log::Known;
use tidewall_edge::control::position::{Position, ReadAt};
use tidewall_edge::control::view::View;

use crate::flaw::Flaw;
use crate::origin::Told;
use crate::reading::{Answer, Asked, Flight, From};
use crate::resource::Names;
use crate::store::{StoreKey, Stored};
use crate::weather::Link;
use crate::world::World;

/// `max-age` at the edge.
pub(crate) const TTL_MS: u64 = 15_000;

/// The same of a negative answer.
const NEGATIVE_TTL_MS: u64 = 5_000;

impl World {
    /// Asks an origin, stores what may be stored, and answers.
    pub(crate) async fn fill(self: &Rc<Self>, asked: &Asked, flight: Option<&Rc<Flight>>) -> Answer {
        let fence = self.with_view(asked.at, View::known).filter(|_| asked.has_view);
        let exchanged_at = self.clock.now();
        let Some(told) = self.exchange(asked).await else { return self.instead_of_error(asked) };
        let content = told.content.clone();
        if let Some(fence) = fence {
            let stored = Rc::new(self.response(asked, told, fence, exchanged_at));
            if let Some(flight) = flight {
                *flight.result.borrow_mut() = Some(stored.clone());
                if self.has(Flaw::ReleasesBeforeStoring) {
                    self.release((self.isolates[asked.at].data_centre, asked.key), flight);
                    self.clock.sleep(10).await;
                }
            }
            self.store(asked.at, asked.key, stored).await;
        }
        self.counts.note("filled");
        let from = if fence.is_some() { From::Origin } else { From::Blind };
        Answer { content, from, exchanged_at, is_cut_off: false }
    }

    /// Asks one origin, and then another one.
    async fn exchange(&self, asked: &Asked) -> Option<Told> {
        let lsn_max = self.with_view(asked.at, View::lsn_max).filter(|_| asked.has_view).unwrap_or(0);
        let lsn_max = if self.has(Flaw::NoLsnOnFill) { 0 } else { lsn_max };
        let first = self.random.below(self.origins.len());
        for turn in 0..self.origins.len() {
            self.pass(Link::ToOrigin).await;
            self.counts.note("asked");
            let origin = (first + turn) % self.origins.len();
            let told = self.origin_reads(origin, asked.key.0, asked.bookmark.lsn.max(lsn_max)).await;
            self.pass(Link::FromOrigin).await;
            if let Ok(told) = told {
                return Some(told);
            }
        }
        None
    }

    fn response(&self, asked: &Asked, told: Told, fence: Known, exchanged_at: u64) -> Stored {
        let mut position = Position { fence, read_at: told.read_at };
        if self.has(Flaw::FenceOfAnswer) {
            position.fence = self.with_view(asked.at, View::known).unwrap_or(fence);
        }
        let is_there = told.content.iter().any(|state| state.exists);
        // The entity tag is the same: a 304.
        if let Some(candidate) = asked.candidate.as_ref().filter(|it| is_there && it.content == told.content)
        {
            self.counts.note("revalidated");
            if self.has(Flaw::KeepsOldPosition) {
                position = candidate.position;
            }
            if self.has(Flaw::MergesPositions) {
                position = greater_of_either(position, candidate.position);
            }
        }
        let ttl = if is_there { TTL_MS } else { NEGATIVE_TTL_MS };
        Stored {
            names: Names::of(asked.key.0, is_there || !self.has(Flaw::NegativeWithoutGroup)),
            content: told.content,
            position,
            fresh_until: self.isolate_now(asked.at).as_millis() + ttl,
            exchanged_at,
        }
    }

    /// Stores a response, unless it was invalidated meanwhile.
    pub(crate) async fn store(self: &Rc<Self>, at: usize, key: StoreKey, stored: Rc<Stored>) {
        let is_fine = self.judged(at, self.has_view(at), Demand::Nothing, &stored).is_ok();
        if !is_fine && !self.has(Flaw::StoresUnjudged) {
            self.counts.note("rejected");
            return;
        }
        let isolate = &self.isolates[at];
        isolate.memory.put(key, stored.clone());
        self.pass(Link::CacheApi).await;
        self.caches[isolate.data_centre].put(key, stored.clone());
        self.kv_put(key, stored);
    }
}

/// What a flaw makes of two positions: neither exchange saw it.
fn greater_of_either(one: Position, other: Position) -> Position {
    let read_at = match (one.read_at, other.read_at) {
        (ReadAt::Primary, _) | (_, ReadAt::Primary) => ReadAt::Primary,
        (ReadAt::Lsn(one), ReadAt::Lsn(other)) => ReadAt::Lsn(one.max(other)),
        _ => ReadAt::Unknown,
    };
    Position { fence: if one.fence.head > other.fence.head { one.fence } else { other.fence }, read_at }
}
