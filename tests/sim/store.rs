//! What stores responses: isolate memory, the cache of a data centre, and KV.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use tidewall_edge::control::position::Position;

use crate::resource::{Names, Resource, State};
use crate::weather::Link;
use crate::world::World;

/// Writes of one key that KV takes: one in so long.
const KV_WRITE_MS: u64 = 1_000;

/// How long a data centre keeps what it has read from KV, and that there was nothing.
const KV_STALE_MS: u64 = 60_000;

/// A response, stored.
pub(crate) struct Stored {
    /// The rows' states.
    pub(crate) content: Vec<State>,
    /// Where it stands in the two logs.
    pub(crate) position: Position,
    /// What entries are compared with.
    pub(crate) names: Names,
    /// Until when it is fresh, by the clock of whoever stored it.
    pub(crate) fresh_until: u64,
    /// When the exchange began that it is from: known to the oracle alone.
    pub(crate) exchanged_at: u64,
}

/// What is stored under: the resource, and the variant that `Vary` tells.
pub(crate) type StoreKey = (Resource, u8);

type PerDataCentre<T> = HashMap<(usize, StoreKey), T>;

type Shelf = RefCell<HashMap<StoreKey, Rc<Stored>>>;

/// What was put, and from when on it can be read.
type Put = (u64, Rc<Stored>);

/// What was found, and until when nobody looks again.
type Found = (u64, Option<Rc<Stored>>);

/// The memory of one isolate, or the cache of one data centre.
#[derive(Default)]
pub(crate) struct Shelves(Shelf);

/// The global store.
#[derive(Default)]
pub(crate) struct Kv {
    /// Whether it answers.
    pub(crate) is_down: Cell<bool>,
    values: RefCell<HashMap<StoreKey, Vec<Put>>>,
    written_at: RefCell<HashMap<StoreKey, u64>>,
    /// What each data centre has read, and until when it looks no further.
    seen: RefCell<PerDataCentre<Found>>,
}

impl Shelves {
    /// What is there.
    pub(crate) fn get(&self, key: StoreKey) -> Option<Rc<Stored>> {
        self.0.borrow().get(&key).cloned()
    }

    /// Puts it there.
    pub(crate) fn put(&self, key: StoreKey, stored: Rc<Stored>) {
        self.0.borrow_mut().insert(key, stored);
    }

    /// Drops everything.
    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

impl World {
    /// Looks in KV, as a data centre does: what it found last time serves for a minute.
    pub(crate) async fn kv_get(&self, data_centre: usize, key: StoreKey) -> Option<Rc<Stored>> {
        self.pass(Link::KvGet).await;
        if self.kv.is_down.get() {
            return None;
        }
        let now = self.clock.now();
        if let Some((until, seen)) = self.kv.seen.borrow().get(&(data_centre, key))
            && now < *until
        {
            return seen.clone();
        }
        let values = self.kv.values.borrow();
        let there = values.get(&key).into_iter().flatten().filter(|(at, _)| *at <= now);
        let found = there.max_by_key(|(at, _)| *at).map(|(_, stored)| stored.clone());
        let until = now + self.random.between(1_000, KV_STALE_MS);
        self.kv.seen.borrow_mut().insert((data_centre, key), (until, found.clone()));
        found
    }

    /// Puts into KV: it can be read later, and later puts may overtake.
    pub(crate) fn kv_put(&self, key: StoreKey, stored: Rc<Stored>) {
        let now = self.clock.now();
        let is_free =
            self.kv.written_at.borrow().get(&key).is_none_or(|written_at| written_at + KV_WRITE_MS <= now);
        if self.kv.is_down.get() || !is_free {
            return;
        }
        self.kv.written_at.borrow_mut().insert(key, now);
        let at = now + self.weather.ms(Link::KvPut);
        self.kv.values.borrow_mut().entry(key).or_default().push((at, stored));
    }
}
