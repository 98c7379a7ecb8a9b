//! An edge of many isolates before some origins, simulated: who gets how many requests, and how
//! often the keeper of the control log is asked.
//!
//! What decides is the edge's own code: each isolate has a balancer and a view of the log of its
//! own, and asks as an isolate does. What sends, waits and answers is simulated. No request is a
//! hit, no origin fails, and every second something is invalidated. Chance comes from a seed.

use std::collections::BTreeMap;
use std::time::Duration;

use tidewall_edge::balance::Asker;
use tidewall_edge::balance::balancer::{Attempt, Balancer, Ended};
use tidewall_edge::balance::health::Outcome;
use tidewall_edge::balance::in_flight::Ticket;
use tidewall_edge::balance::policy::{Policy, Route};
use tidewall_edge::config::{Config, ConfigError, Origin, RESPONSE_DEADLINE, Vars};
use tidewall_edge::control::entry::{Scope, Severity};
use tidewall_edge::control::log::{Append, Log};
use tidewall_edge::control::refresh::{Number, Refreshes, Step, Want};
use tidewall_edge::control::view::{Currency, View};
use tidewall_edge::time::Timestamp;

/// When it begins; positions of the log are times.
const BEGUN_MS: u64 = 1_700_000_000_000;
/// A question to the keeper, and its answer, on the way.
const REFRESH_MS: u64 = 50;
/// What an origin takes for a request: the least, and how much more at most.
const SERVICE_MS: u64 = 10;
const SERVICE_MORE_MS: u64 = 20;
/// Clients; each request is of one of them.
const CLIENTS: u64 = 10_000;
/// Until when nothing is counted: all isolates begin at once, as they never do.
const SETTLED_MS: u64 = 1_000;

/// What comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) isolates: usize,
    /// Of each isolate, on the average; a thousand at most.
    pub(super) requests_per_s: u64,
    /// How long it counts.
    pub(super) seconds: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Played {
    /// Requests of each origin.
    pub(super) taken: Vec<u64>,
    /// Questions to the keeper.
    pub(super) questions: u64,
    seconds: u64,
}

impl Played {
    /// So many times the mean the origin has that has most.
    pub(super) fn evenness(&self) -> f64 {
        let most = self.taken.iter().copied().max().unwrap_or_default();
        let all: u64 = self.taken.iter().sum();
        most as f64 * self.taken.len() as f64 / all as f64
    }

    /// Questions a second.
    pub(super) fn questions_per_s(&self) -> f64 {
        self.questions as f64 / self.seconds as f64
    }
}

/// The configuration of an edge that is told of so many origins and nothing else.
pub(super) fn config(origins: u32) -> Result<Config, ConfigError> {
    let origins: Vec<Origin> = (0..origins)
        .map(|number| Origin::new(number.to_string(), format!("https://{number}.example")))
        .collect();
    // Names and numbers, which can always be written.
    let origins = serde_json::to_string(&origins).unwrap_or_default();
    Config::parse(&Vars { origins: Some(origins), ..Vars::default() })
}

/// Plays it, with random numbers of `draw`.
pub(super) fn play(config: &Config, policy: Policy, load: Load, draw: &mut dyn FnMut() -> u64) -> Played {
    let begun = Timestamp::from_millis(BEGUN_MS);
    let routes = [Route { path: "/".to_owned(), policy }];
    let origins = config.origins.len();
    let isolates = (0..load.isolates).map(|_| {
        // As the Worker has it: another one for each.
        let first = below(draw(), origins);
        let balancer = Balancer::new(origins, &routes, first, RESPONSE_DEADLINE, begun);
        Isolate { balancer, view: None, refreshes: Refreshes::default() }
    });
    let mut fleet = Fleet {
        config,
        load,
        isolates: isolates.collect(),
        log: Log::begun(begun),
        events: BTreeMap::new(),
        scheduled: 0,
        now_ms: 0,
        played: Played { taken: vec![0; origins], questions: 0, seconds: load.seconds },
        draw,
    };
    for isolate in 0..load.isolates {
        fleet.next_arrival(isolate);
    }
    fleet.later(0, Event::Invalidated);
    fleet.run(SETTLED_MS + load.seconds * 1_000);
    fleet.played
}

/// One of `0..end`.
fn below(draw: u64, end: usize) -> usize {
    (draw % (end as u64).max(1)) as usize
}

struct Fleet<'a> {
    config: &'a Config,
    load: Load,
    isolates: Vec<Isolate>,
    log: Log,
    /// What comes, by when, and of several at a time by who was first to be scheduled.
    events: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    /// Since the beginning.
    now_ms: u64,
    played: Played,
    draw: &'a mut dyn FnMut() -> u64,
}

struct Isolate {
    balancer: Balancer,
    view: Option<View>,
    refreshes: Refreshes,
}

enum Event {
    /// A request, at an isolate.
    Arrives(usize),
    Answered {
        isolate: usize,
        origin: usize,
        ticket: Ticket,
        took: Duration,
    },
    /// The keeper's answer is at an isolate.
    Refreshed {
        isolate: usize,
        number: Number,
        sent_at: Timestamp,
    },
    Invalidated,
}

impl Fleet<'_> {
    fn run(&mut self, until_ms: u64) {
        while let Some(((at, _), event)) = self.events.pop_first()
            && at < until_ms
        {
            self.now_ms = at;
            self.happens(event);
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGUN_MS + self.now_ms)
    }

    fn is_counted(&self) -> bool {
        self.now_ms >= SETTLED_MS
    }

    fn later(&mut self, ms: u64, event: Event) {
        self.scheduled += 1;
        self.events.insert((self.now_ms + ms, self.scheduled), event);
    }

    /// The next request of an isolate: after up to twice the mean time.
    fn next_arrival(&mut self, isolate: usize) {
        let mean_ms = 1_000 / self.load.requests_per_s.max(1);
        let wait_ms = (self.draw)() % (2 * mean_ms + 1);
        self.later(wait_ms, Event::Arrives(isolate));
    }

    fn happens(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Arrives(isolate) => {
                self.next_arrival(isolate);
                self.consult(isolate);
                self.forward(isolate);
            }
            Event::Answered { isolate, origin, ticket, took } => {
                let balancer = &mut self.isolates[isolate].balancer;
                balancer.end(ticket);
                balancer.note(Ended { path: "/", origin, outcome: Outcome::Well, took: Some(took) }, now);
            }
            Event::Refreshed { isolate, number, sent_at } => {
                let Isolate { view, refreshes, .. } = &mut self.isolates[isolate];
                let delta = self.log.since(view.as_ref().map(View::known));
                match view {
                    Some(view) => view.apply(delta, sent_at),
                    None => *view = Some(View::new(delta, sent_at)),
                }
                refreshes.came_back(number, true);
            }
            Event::Invalidated => {
                let scopes = vec![Scope::Group((self.now_ms / 1_000 % 100).to_string())];
                let append = Append { scopes, severity: Severity::Hard, lsn: None, write: None };
                self.log.append(append, now);
                self.later(1_000, Event::Invalidated);
            }
        }
    }

    /// Asks the keeper, where an isolate with this view would. Whether a request waits for the
    /// answer makes no difference to what is counted.
    fn consult(&mut self, isolate: usize) {
        let (now, limits) = (self.now(), self.config.control);
        let Isolate { view, refreshes, .. } = &mut self.isolates[isolate];
        let asks = match view.as_ref().map_or(Currency::Expired, |view| view.currency(limits, now)) {
            Currency::Current => false,
            Currency::RefreshAhead => refreshes.under_way_since().is_none(),
            Currency::RefreshFirst | Currency::Expired => {
                let want = Want::Younger { arrived: now, max_age: limits.max_age };
                refreshes.step(refreshes.last_sent(), want, now) == Step::Send
            }
        };
        if asks {
            let number = refreshes.send(now);
            self.played.questions += u64::from(self.is_counted());
            self.later(REFRESH_MS, Event::Refreshed { isolate, number, sent_at: now });
        }
    }

    /// Sends a request to an origin.
    fn forward(&mut self, isolate: usize) {
        let now = self.now();
        let client = ((self.draw)() % CLIENTS).to_string();
        let asker = Asker { client: &client, kept: None, draw: (self.draw)() };
        let attempt = Attempt { path: "/", asker, tried: &[], may_retry: true };
        let balancer = &mut self.isolates[isolate].balancer;
        let Some(origin) = balancer.pick(&self.config.origins, &attempt, now) else { return };
        let ticket = balancer.begin(origin, now);
        self.played.taken[origin] += u64::from(self.is_counted());
        let took_ms = SERVICE_MS + (self.draw)() % SERVICE_MORE_MS;
        let took = Duration::from_millis(took_ms);
        self.later(took_ms, Event::Answered { isolate, origin, ticket, took });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(isolates: usize, origins: u32, policy: Policy, seed: u64) -> Played {
        let mut random = fastrand::Rng::with_seed(seed);
        let load = Load { isolates, requests_per_s: 20, seconds: 10 };
        play(&config(origins).unwrap(), policy, load, &mut || random.u64(..))
    }

    #[test]
    fn the_same_seed_is_the_same_run() {
        let twice = [7, 7].map(|seed| played(10, 4, Policy::LeastConnections, seed));
        assert_eq!(twice[0], twice[1]);
        assert_ne!(twice[0], played(10, 4, Policy::LeastConnections, 8));
    }

    #[test]
    fn one_isolate_takes_turns_and_many_come_near_it() {
        assert!(played(1, 4, Policy::RoundRobin, 1).evenness() < 1.03);
        let many = played(50, 4, Policy::RoundRobin, 1);
        assert!(many.evenness() < 1.03, "{many:?}");
        // 20 requests a second of each.
        let all: u64 = many.taken.iter().sum();
        assert!((9_500..10_500).contains(&all), "{all}");
    }

    #[test]
    fn an_isolate_with_requests_asks_before_its_view_is_too_old() {
        let limits = config(1).unwrap().control;
        let asked = played(10, 1, Policy::RoundRobin, 1).questions_per_s() / 10.0;
        // From half the age on that a view may have, with the next request that comes then.
        let most = 2.0 / limits.max_age.as_secs_f64();
        assert!(asked > 0.85 * most && asked <= most, "{asked}");
    }

    #[test]
    fn evenness_is_the_greatest_over_the_mean() {
        let played = |taken: &[u64]| Played { taken: taken.to_vec(), questions: 30, seconds: 10 };
        assert_eq!(played(&[5, 5]).evenness(), 1.0);
        assert_eq!(played(&[9, 0, 0]).evenness(), 3.0);
        assert_eq!(played(&[1]).questions_per_s(), 3.0);
    }
}
