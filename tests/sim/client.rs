//! Those who use the edge: readers, customers who write and read in parallel, programs
//! whose writes the edge doesn't see, and whoever purges.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use tidewall_api::bookmark::{Bookmark, Seq};
use tidewall_edge::control::bookmark::Brought;
use tidewall_edge::control::entry::{Scope, Severity};

use crate::clock::all;
use crate::flaw::Flaw;
use crate::isolate::NO_BOOKMARK;
use crate::oracle::Seen;
use crate::random::Random;
use crate::reading::{Answer, From, Read};
use crate::resource::Resource;
use crate::world::World;
use crate::writing::Write;

/// Groups that are purged and that nothing is in.
const OTHER_GROUPS: usize = 60;

/// Somebody.
pub(crate) struct Client {
    world: Rc<World>,
    random: Random,
    data_centre: usize,
    /// Whether it carries a bookmark.
    keeps_bookmark: bool,
    bookmark: Cell<Bookmark>,
    seen: RefCell<Seen>,
}

type Doing = Pin<Box<dyn Future<Output = ()>>>;

impl Client {
    /// The client of a number.
    pub(crate) fn new(world: &Rc<World>, number: u64, keeps_bookmark: bool) -> Rc<Self> {
        let random = Random::of(world.settings.seed, 100 + number);
        let data_centre = random.below(world.caches.len());
        Rc::new(Self {
            world: world.clone(),
            random,
            data_centre,
            keeps_bookmark,
            bookmark: Cell::new(NO_BOOKMARK),
            seen: RefCell::default(),
        })
    }

    /// The isolate that a request of it reaches: mostly one of its own data centre.
    fn isolate(&self) -> usize {
        let count = self.world.isolates.len();
        let first = self.random.below(count);
        if self.random.chance(20) {
            return first;
        }
        let near = |at: &usize| self.world.isolates[*at].data_centre == self.data_centre;
        (0..count).map(|index| (first + index) % count).find(near).unwrap_or(first)
    }

    fn resource(&self) -> Resource {
        let all = self.world.settings.extent.all();
        all[self.random.below(all.len())]
    }

    /// The bookmark that it sends.
    pub(crate) fn bookmark(&self) -> Bookmark {
        if self.keeps_bookmark { self.bookmark.get() } else { NO_BOOKMARK }
    }

    /// Takes up an answer's bookmark (W6).
    pub(crate) fn takes(&self, bookmark: Bookmark) {
        let own = self.bookmark.get();
        let taken = if self.world.has(Flaw::LastBookmarkWins) {
            bookmark
        } else if self.world.has(Flaw::WalBookmarkVanishes) {
            field_by_field(own, bookmark)
        } else {
            Brought::one(own).kept(bookmark)
        };
        self.bookmark.set(taken);
    }

    /// From now on nothing before this may be served to it.
    pub(crate) fn has_seen(&self, row: usize, version: u64) {
        let mut seen = self.seen.borrow_mut();
        let seen = seen.entry(row).or_default();
        *seen = version.max(*seen);
    }

    /// One read.
    pub(crate) async fn reads(&self, at: usize, resource: Resource) -> Answer {
        let world = &self.world;
        let came_at = world.clock.now();
        let seen = if self.keeps_bookmark { self.seen.borrow().clone() } else { Seen::new() };
        let variant = u8::from(world.settings.is_stormy && self.random.chance(30));
        let answer = world.read(at, Read { resource, variant, bookmark: self.bookmark() }).await;
        world.oracle.check(resource, &answer, &seen, came_at);
        world.counts.note(match answer.from {
            From::Hit => "hits",
            From::Stale => "stale",
            From::StaleOnError => "stale on error",
            From::Joined => "hits of waiters",
            From::Origin => "misses",
            From::Blind => "blind",
            From::Nothing => "errors",
        });
        answer
    }

    /// One write. If it has a key, its first answer may never come, and it is asked for again.
    pub(crate) async fn writes(&self, at: usize, row: usize, exists: bool, is_keyed: bool) {
        let world = &self.world;
        let mut write = Write { row, exists, bookmark: self.bookmark(), is_keyed, remembered: None };
        if is_keyed && self.random.chance(80) {
            let Ok(wrote) = world.origin_writes(0, row, exists).await else { return };
            write.remembered = Some(wrote);
            world.clock.sleep(self.random.between(0, 3_000)).await;
            write.bookmark = self.bookmark();
        }
        let Some((bookmark, wrote)) = world.write(at, write).await else { return };
        self.takes(bookmark);
        self.has_seen(row, wrote.state.version);
        if bookmark.seq != Seq::Unlogged || world.has(Flaw::UnloggedIsForgotten) {
            world.oracle.acknowledged(row, wrote.state.version, world.clock.now());
        }
    }

    /// A write that the edge doesn't see: the client's own at the origin, or a job's.
    pub(crate) async fn writes_past_the_edge(&self, row: usize, is_job: bool) {
        let world = &self.world;
        let Ok(wrote) = world.origin_writes(1, row, true).await else { return };
        if is_job {
            world.clock.sleep(self.random.between(0, 1_000)).await;
        }
        let bookmark = if is_job { world.bookmark_of_effect(&wrote) } else { Bookmark::of_lsn(wrote.lsn) };
        if !(is_job && world.has(Flaw::JobWithoutBookmark)) {
            self.takes(bookmark);
        }
        self.has_seen(row, wrote.state.version);
    }

    /// Reads, on and on.
    pub(crate) async fn browses(self: Rc<Self>, until: u64) {
        while self.world.clock.now() < until {
            self.world.clock.sleep(self.random.between(50, 500)).await;
            let from = self.reads(self.isolate(), self.resource()).await.from;
            let is_hit = matches!(from, From::Hit | From::Joined | From::Stale);
            self.world.counts.note(if is_hit { "hits of bystanders" } else { "misses of bystanders" });
        }
    }

    /// Writes, and reads at once, several at a time; on and on.
    pub(crate) async fn shops(self: Rc<Self>, until: u64, is_program: bool) {
        let world = self.world.clone();
        while world.clock.now() < until {
            world.clock.sleep(self.random.between(100, 2_000)).await;
            let writes = [0, 0, 1, 1, 1, 2][self.random.below(6)];
            let mut doing: Vec<Doing> = (0..writes).map(|_| self.clone().one_write(is_program)).collect();
            if self.random.chance(30) {
                doing.push(self.clone().one_read(self.resource()));
            }
            all(doing).await;
            let extent = world.settings.extent;
            let row = self.random.below(extent.rows());
            let mut reading = vec![self.clone().one_read(extent.resource(row))];
            if row < extent.items {
                reading.push(self.clone().one_read(Resource::List(row % extent.lists)));
            }
            let own = self.seen.borrow().keys().next_back().copied();
            reading.extend(own.map(|row| self.clone().one_read(extent.resource(row))));
            all(reading).await;
        }
    }

    fn one_read(self: Rc<Self>, resource: Resource) -> Doing {
        Box::pin(async move {
            self.reads(self.isolate(), resource).await;
        })
    }

    fn one_write(self: Rc<Self>, is_program: bool) -> Doing {
        Box::pin(async move {
            let extent = self.world.settings.extent;
            if is_program && self.random.chance(50) {
                let is_job = self.random.chance(50);
                return self.writes_past_the_edge(self.random.below(extent.items), is_job).await;
            }
            let row = self.random.below(extent.rows());
            let exists = row >= extent.items || self.random.chance(80);
            self.writes(self.isolate(), row, exists, row < extent.items && self.random.chance(10)).await;
        })
    }

    /// Purges, on and on.
    pub(crate) async fn purges(self: Rc<Self>, until: u64) {
        while self.world.clock.now() < until {
            self.world.clock.sleep(self.random.between(50, 1_000)).await;
            let resource = self.resource();
            let other = |name: &str| format!("{name}{}", self.random.below(OTHER_GROUPS));
            let scope = match self.random.below(20) {
                0 => Scope::All,
                1 | 2 => Scope::Path(resource.path()),
                3 => Scope::Prefix("/lists/".to_owned()),
                4 | 5 => Scope::Prefix(other("/other/")),
                6 | 7 => resource.groups().pop().map_or_else(|| Scope::Uri(resource.uri()), Scope::Group),
                _ => Scope::Group(other("other:")),
            };
            let severity = if self.random.chance(40) { Severity::Soft } else { Severity::Hard };
            self.world.purge(self.isolate(), scope, severity, self.random.chance(50)).await;
        }
    }
}

/// Both fields, each the greater: what was never logged leaves no trace.
fn field_by_field(one: Bookmark, other: Bookmark) -> Bookmark {
    let seq = match (one.seq, other.seq) {
        (Seq::At(one), Seq::At(other)) => Seq::At(one.max(other)),
        _ => Seq::Unlogged,
    };
    Bookmark { seq, lsn: one.lsn.max(other.lsn) }
}
