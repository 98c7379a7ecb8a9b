//! The world: everything there is, wired together.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use tidewall_edge::control::entry::Severity;
use tidewall_edge::control::log::Bounds;
use tidewall_edge::control::view::Limits;

use crate::clock::Clock;
use crate::control::Keeper;
use crate::database::Database;
use crate::flaw::Flaw;
use crate::isolate::{Isolate, MAX_AGE};
use crate::oracle::Oracle;
use crate::origin::{Origin, Outbox};
use crate::random::Random;
use crate::reading::Flight;
use crate::resource::Extent;
use crate::store::{Kv, Shelves, StoreKey};
use crate::weather::Weather;

/// When the world begins.
pub(crate) const EPOCH_MS: u64 = 1_000_000_000;

/// How often replicas replay.
const REPLAY_MS: u64 = 7;

/// What a world is like.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What is drawn.
    pub(crate) seed: u64,
    /// Whether anything can happen, or only what a script says.
    pub(crate) is_stormy: bool,
    /// How old a view may become.
    pub(crate) limits: Limits,
    /// How long the log may become.
    pub(crate) bounds: Bounds,
    /// What there is to read.
    pub(crate) extent: Extent,
    /// In which data centre each isolate is.
    pub(crate) isolates: Vec<usize>,
    /// How far an isolate's clock is off at most.
    pub(crate) clocks_differ_ms: u64,
    /// Replicas.
    pub(crate) replicas: usize,
    /// Whether origins read where they are asked to.
    pub(crate) heeds_lsn: bool,
    /// Of what a write invalidates.
    pub(crate) severity: Severity,
    /// The rule that is broken.
    pub(crate) flaw: Option<Flaw>,
}

/// A world.
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) weather: Weather,
    pub(crate) database: Database,
    pub(crate) origins: Vec<Origin>,
    pub(crate) outbox: Outbox,
    pub(crate) keeper: Keeper,
    pub(crate) kv: Kv,
    pub(crate) caches: Vec<Shelves>,
    pub(crate) isolates: Vec<Isolate>,
    pub(crate) flights: RefCell<HashMap<(usize, StoreKey), Rc<Flight>>>,
    pub(crate) oracle: Oracle,
    pub(crate) counts: Counts,
}

/// How often things happened, by their names.
#[derive(Default)]
pub(crate) struct Counts(RefCell<BTreeMap<&'static str, u64>>);

impl Counts {
    /// It happened once more.
    pub(crate) fn note(&self, name: &'static str) {
        self.add(name, 1);
    }

    /// It happened several times.
    pub(crate) fn add(&self, name: &'static str, count: u64) {
        *self.0.borrow_mut().entry(name).or_default() += count;
    }

    /// How often.
    pub(crate) fn get(&self, name: &str) -> u64 {
        self.0.borrow().get(name).copied().unwrap_or(0)
    }

    /// All of them.
    pub(crate) fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0.borrow().clone()
    }
}

impl Settings {
    /// Two isolates in two data centres, two origins, one replica; nothing happens but by
    /// the script.
    pub(crate) fn calm() -> Self {
        Self {
            seed: 0,
            is_stormy: false,
            limits: Limits { max_age: MAX_AGE, grace: Duration::from_secs(5) },
            bounds: Bounds::default(),
            extent: Extent { items: 4, lists: 2, notes: 1 },
            isolates: vec![0, 1],
            clocks_differ_ms: 0,
            replicas: 1,
            heeds_lsn: true,
            severity: Severity::Hard,
            flaw: None,
        }
    }
}

impl World {
    /// Begins one.
    pub(crate) fn begin(settings: Settings) -> Rc<Self> {
        let random = Random::of(settings.seed, 1);
        let storm = Random::of(settings.seed, 2);
        let off = settings.clocks_differ_ms;
        let ahead = |random: &Random| random.between(0, 2 * off) as i64 - off as i64;
        let isolates: Vec<Isolate> =
            settings.isolates.iter().map(|&data_centre| Isolate::new(data_centre, ahead(&random))).collect();
        let data_centres = settings.isolates.iter().max().map_or(0, |last| last + 1);
        let world = Rc::new(Self {
            clock: Clock::default(),
            weather: if settings.is_stormy { Weather::storm(storm) } else { Weather::calm() },
            database: Database::new(settings.extent.rows(), settings.replicas),
            origins: vec![Origin::default(), Origin::default()],
            outbox: Outbox::default(),
            keeper: Keeper::new(isolates.len() + 1),
            kv: Kv::default(),
            caches: (0..data_centres).map(|_| Shelves::default()).collect(),
            isolates,
            flights: RefCell::default(),
            oracle: Oracle::new(&settings),
            counts: Counts::default(),
            random,
            settings,
        });
        world.keeper.clock_ahead.set(ahead(&world.random));
        let begun = world.clone();
        world.clock.spawn(async move { begun.begin_log().await });
        let replaying = world.clone();
        world.clock.spawn(async move {
            loop {
                replaying.replay();
                replaying.clock.sleep(REPLAY_MS).await;
            }
        });
        for origin in 0..world.origins.len() {
            world.clock.spawn(world.clone().looks(origin));
        }
        world.clock.spawn(world.clone().deliver());
        world
    }

    /// Whether a rule is broken in this world.
    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.settings.flaw == Some(flaw)
    }

    /// Whoever reaches the log from outside the edge.
    pub(crate) fn outside(&self) -> usize {
        self.isolates.len()
    }

    /// Lets a script happen, and the world be until it is over.
    pub(crate) fn plays<S: Future<Output = ()> + 'static>(
        self: &Rc<Self>,
        script: impl FnOnce(Rc<Self>) -> S,
    ) {
        let script = script(self.clone());
        let is_over = Rc::new(std::cell::Cell::new(false));
        let over = is_over.clone();
        self.clock.spawn(async move {
            script.await;
            over.set(true);
        });
        while !is_over.get() {
            assert!(self.clock.now() < 1_000_000, "the script hangs");
            self.clock.run_until(self.clock.now() + 100);
        }
    }

    /// The end: nothing goes on.
    pub(crate) fn end(&self) {
        self.clock.stop();
    }
}
