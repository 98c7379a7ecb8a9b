//! How long things take.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use crate::random::Random;
use crate::world::World;

/// What takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Link {
    /// A message from an isolate to the control log.
    ToLog,
    /// A message back.
    FromLog,
    /// A lookup in KV.
    KvGet,
    /// Until what was put into KV can be read.
    KvPut,
    /// A lookup or a write in the data centre's cache.
    CacheApi,
    /// A request on its way to an origin.
    ToOrigin,
    /// An answer on its way back.
    FromOrigin,
    /// A statement on a database server.
    Statement,
    /// From the flush of a commit until the primary's snapshots show it.
    Visible,
    /// Between two looks of the outbox's deliverer.
    Outbox,
    /// Between two looks of an origin at the servers.
    Look,
}

/// What takes how long.
pub(crate) struct Weather {
    storm: Option<Random>,
    planned: RefCell<HashMap<Link, VecDeque<u64>>>,
}

impl Weather {
    /// The same every time, and little.
    pub(crate) fn calm() -> Self {
        Self { storm: None, planned: RefCell::default() }
    }

    /// Anything that can happen.
    pub(crate) fn storm(random: Random) -> Self {
        Self { storm: Some(random), ..Self::calm() }
    }

    /// What a link will take the next time.
    pub(crate) fn plan(&self, link: Link, ms: u64) {
        self.planned.borrow_mut().entry(link).or_default().push_back(ms);
    }

    /// What it takes now.
    pub(crate) fn ms(&self, link: Link) -> u64 {
        if let Some(ms) = self.planned.borrow_mut().get_mut(&link).and_then(VecDeque::pop_front) {
            return ms;
        }
        match &self.storm {
            None => calm(link),
            Some(random) => stormy(link, random),
        }
    }
}

fn calm(link: Link) -> u64 {
    match link {
        Link::CacheApi | Link::Statement | Link::Visible => 1,
        Link::ToLog | Link::FromLog | Link::ToOrigin | Link::FromOrigin => 5,
        Link::KvGet | Link::KvPut => 10,
        Link::Outbox => 100,
        Link::Look => 50,
    }
}

fn stormy(link: Link, random: &Random) -> u64 {
    // Of a hundred, so many take that much longer.
    let (least, most, percent, worst) = match link {
        Link::CacheApi => (1, 4, 1, 100),
        Link::ToLog | Link::FromLog => (2, 40, 2, 1_500),
        Link::KvGet => (5, 80, 1, 2_000),
        Link::KvPut => (20, 3_000, 5, 15_000),
        Link::ToOrigin => (2, 30, 2, 10_000),
        Link::FromOrigin => (2, 30, 4, 15_000),
        Link::Statement => (0, 8, 2, 500),
        Link::Visible => (0, 10, 10, 400),
        Link::Outbox => (50, 500, 2, 5_000),
        Link::Look => (20, 100, 5, 900),
    };
    if random.chance(percent) { random.between(most, worst) } else { random.between(least, most) }
}

impl World {
    /// Waits for what takes time.
    pub(crate) async fn pass(&self, link: Link) {
        self.clock.sleep(self.weather.ms(link)).await;
    }
}
