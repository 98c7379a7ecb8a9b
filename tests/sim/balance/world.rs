//! Fifty isolates with a balancer each, their origins and the keeper that watches for all: what
//! decides is the real code, what sends, waits and answers is simulated.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tidewall_edge::balance::Asker;
use tidewall_edge::balance::balancer::{Attempt, Balancer, Ended};
use tidewall_edge::balance::health::{Notice, Outcome, Seen, State};
use tidewall_edge::balance::in_flight::Ticket;
use tidewall_edge::balance::policy::{Policy, Route};
use tidewall_edge::balance::quorum::Quorum;
use tidewall_edge::balance::watch::{PROBE_MAX, Probe, Verdict, Watch};
use tidewall_edge::config::{Origin, RESPONSE_DEADLINE};
use tidewall_edge::time::Timestamp;

use crate::random::Random;

/// As many as a site of some size has at once.
pub(super) const ISOLATES: usize = 50;
/// A question to the keeper, and its answer, on the way.
const KEEPER_MS: u64 = 10;
/// So old a view is refreshed before a request goes on: the default of `CONTROL_MAX_AGE_MS`.
const VIEW_MS: u64 = 1_000;
/// The default of `ORIGIN_DEADLINE_MS`.
const PATIENCE_MS: u64 = 10_000;
/// Longest wait for an answer in all.
const TOTAL_MS: u64 = RESPONSE_DEADLINE.as_secs() * 1_000;

/// A guarantee left out, or done as one would at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// What the keeper has seen it tells nobody.
    KeeperTellsNobody,
    /// The keeper looks at an origin once.
    KeeperLooksOnce,
    /// Nobody says that an origin is silent, nor asks another one.
    WaitsForTheSilent,
    /// A request is sent once.
    NeverRetries,
    /// A request is sent wherever it was not, as long as there is such an origin.
    RetriesWithoutBudget,
    /// An answer that takes longer than a second is a failure.
    SlowIsFailed,
    /// An error in an answer is a failure.
    ErrorIsFailed,
    /// Nobody looks how long answers take.
    LatencyIsNotMeasured,
    /// Every isolate begins with the first origin.
    AllBeginAtTheFirst,
    /// What isolates have ejected the keeper tells nobody.
    EachEjectsAlone,
}

/// How an origin is for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Being {
    /// Answers in about so many milliseconds.
    Well(u64),
    /// The same with an error.
    Erring(u64),
    /// Takes no connection.
    Dead,
    /// Takes requests and answers none.
    Silent,
    /// Answers that it can't, though it is ready.
    Failing,
}

/// What a world is like.
pub(super) struct Settings {
    pub(super) seed: u64,
    pub(super) policy: Policy,
    pub(super) requests_per_s: u64,
    /// After so many requests an isolate is begun anew.
    pub(super) isolate_lives_for: usize,
    /// How each origin is, and from when on.
    pub(super) origins: Vec<Vec<(u64, Being)>>,
    pub(super) flaw: Option<Flaw>,
}

/// What became of it.
pub(super) struct World {
    settings: Settings,
    origins: Vec<Origin>,
    isolates: Vec<Isolate>,
    watch: Watch,
    quorum: Quorum,
    is_probing: bool,
    requests: Vec<Request>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    random: Random,
    now: u64,
    /// When each attempt began, and at which origin.
    pub(super) attempts: Vec<(u64, usize)>,
    /// When each request ended, whether well, and after how many milliseconds.
    pub(super) ended: Vec<(u64, bool, u64)>,
    /// How often an origin was seen ejected by an isolate that has just had its answer.
    pub(super) ejections: usize,
}

struct Isolate {
    number: u64,
    balancer: Balancer,
    served: usize,
    refreshed: Option<u64>,
    reports: Vec<usize>,
    ejected: Vec<usize>,
}

struct Request {
    isolate: usize,
    began: u64,
    tried: Vec<usize>,
    sent: u64,
    ticket: Option<Ticket>,
    is_over: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives,
    Begins(usize),
    /// The attempt of this number of a request is answered, or broken off.
    Answered(usize, usize, bool),
    /// It has waited for so long.
    Waited(usize, usize),
    Told(usize, Vec<(usize, Seen)>),
    Asked(usize, Vec<usize>, Vec<usize>),
    Probes,
    Probed(Vec<(usize, Probe)>),
}

impl World {
    /// The world after so many milliseconds.
    pub(super) fn after(ms: u64, settings: Settings) -> Self {
        let ids = ('a'..='z').take(settings.origins.len());
        let mut world = Self {
            origins: ids.map(|id| Origin::new(id, format!("http://{id}"))).collect(),
            isolates: Vec::new(),
            watch: Watch::default(),
            quorum: Quorum::default(),
            is_probing: false,
            requests: Vec::new(),
            events: BinaryHeap::new(),
            random: Random::of(settings.seed, 70),
            now: 0,
            attempts: Vec::new(),
            ended: Vec::new(),
            ejections: 0,
            settings,
        };
        world.isolates = (0..ISOLATES).map(|_| world.isolate()).collect();
        world.later(0, Event::Arrives);
        while let Some(Reverse((at, _, event))) = world.events.pop()
            && at < ms
        {
            world.now = at;
            world.happens(event);
        }
        world
    }

    /// The share of attempts between two times that went to an origin.
    pub(super) fn share(&self, origin: usize, from: u64, to: u64) -> f64 {
        let within: Vec<_> = self.attempts.iter().filter(|(at, _)| (from..to).contains(at)).collect();
        let its = within.iter().filter(|(_, to)| *to == origin).count();
        its as f64 / within.len().max(1) as f64
    }

    /// Requests that failed.
    pub(super) fn failed(&self) -> usize {
        self.ended.iter().filter(|(_, is_well, _)| !is_well).count()
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.settings.flaw == Some(flaw)
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + self.now)
    }

    fn later(&mut self, ms: u64, event: Event) {
        // Of two at the same time either may be first.
        let order = self.random.between(0, u64::MAX - 1);
        self.events.push(Reverse((self.now + ms, order, event)));
    }

    fn isolate(&self) -> Isolate {
        let first =
            if self.has(Flaw::AllBeginAtTheFirst) { 0 } else { self.random.below(self.origins.len()) };
        let routes = [Route { path: "/".to_owned(), policy: self.settings.policy }];
        let balancer = Balancer::new(self.origins.len(), &routes, first, RESPONSE_DEADLINE, self.time());
        let number = self.random.between(0, u64::MAX - 1);
        Isolate { number, balancer, served: 0, refreshed: None, reports: Vec::new(), ejected: Vec::new() }
    }

    fn being(&self, origin: usize) -> Being {
        let beings = self.settings.origins[origin].iter().rev();
        beings.into_iter().find(|(from, _)| *from <= self.now).map_or(Being::Dead, |(_, being)| *being)
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives => self.arrives(),
            Event::Begins(request) => match self.pick(request) {
                Some(origin) => self.send(request, origin),
                None => self.ends(request, false),
            },
            Event::Answered(request, attempt, is_well) => self.answered(request, attempt, is_well),
            Event::Waited(request, attempt) => self.waited(request, attempt),
            Event::Asked(isolate, suspects, ejected) => self.asked(isolate, &suspects, &ejected),
            Event::Told(isolate, verdicts) => {
                let verdict =
                    |(origin, seen): (usize, Seen)| Verdict { id: self.origins[origin].id.clone(), seen };
                let verdicts: Vec<_> = verdicts.into_iter().map(verdict).collect();
                let now = self.time();
                self.isolates[isolate].balancer.told(&self.origins, &verdicts, now);
            }
            Event::Probes => self.probes(),
            Event::Probed(results) => self.probed(&results),
        }
    }

    fn arrives(&mut self) {
        let mean = 1_000_000 / self.settings.requests_per_s;
        // In microseconds, so that there may be several in a millisecond.
        let pause = self.random.between(0, 2 * mean);
        let pause = pause / 1_000 + u64::from(self.random.between(0, 999) < pause % 1_000);
        self.later(pause, Event::Arrives);
        let isolate = self.random.below(ISOLATES);
        if self.isolates[isolate].served >= self.settings.isolate_lives_for {
            self.isolates[isolate] = self.isolate();
        }
        self.isolates[isolate].served += 1;
        let request =
            Request { isolate, began: self.now, tried: Vec::new(), sent: 0, ticket: None, is_over: false };
        self.requests.push(request);
        // As the rim consults the keeper: first where the view is old, beside it to report.
        let Isolate { refreshed, reports, ejected, .. } = &mut self.isolates[isolate];
        let is_old = refreshed.is_none_or(|at| self.now - at >= VIEW_MS);
        if is_old || !reports.is_empty() {
            *refreshed = Some(self.now);
            let (reports, ejected) = (std::mem::take(reports), std::mem::take(ejected));
            self.later(KEEPER_MS, Event::Asked(isolate, reports, ejected));
        }
        let wait = if is_old { 2 * KEEPER_MS + 1 } else { 0 };
        self.later(wait, Event::Begins(self.requests.len() - 1));
    }

    fn pick(&mut self, request: usize) -> Option<usize> {
        let now = self.time();
        let Request { isolate, tried, .. } = &self.requests[request];
        if self.has(Flaw::NeverRetries) && !tried.is_empty() {
            return None;
        }
        let client = format!("192.0.2.{}", request % 250);
        let asker = Asker { client: &client, kept: None, draw: self.random.between(0, u64::MAX - 1) };
        let attempt = Attempt { path: "/", asker, tried, may_retry: true };
        let picked = self.isolates[*isolate].balancer.pick(&self.origins, &attempt, now);
        let anyone = || (0..self.origins.len()).find(|origin| !tried.contains(origin));
        if self.has(Flaw::RetriesWithoutBudget) { picked.or_else(anyone) } else { picked }
    }

    fn send(&mut self, request: usize, origin: usize) {
        let now = self.time();
        self.attempts.push((self.now, origin));
        let sent = &mut self.requests[request];
        sent.tried.push(origin);
        sent.sent = self.now;
        let (isolate, attempt, left) = (sent.isolate, sent.tried.len(), sent.began + TOTAL_MS - self.now);
        sent.ticket = Some(self.isolates[isolate].balancer.begin(origin, now));
        match self.being(origin) {
            Being::Well(ms) | Being::Erring(ms) => {
                let took = self.random.between(ms - ms / 4, ms + ms / 4);
                self.later(took, Event::Answered(request, attempt, true));
            }
            Being::Dead | Being::Failing => self.later(1, Event::Answered(request, attempt, false)),
            Being::Silent => {}
        }
        let patience = if self.has(Flaw::WaitsForTheSilent) { TOTAL_MS } else { PATIENCE_MS };
        self.later(patience.min(left), Event::Waited(request, attempt));
    }

    fn is_stale(&self, request: usize, attempt: usize) -> bool {
        self.requests[request].is_over || self.requests[request].tried.len() != attempt
    }

    fn answered(&mut self, request: usize, attempt: usize, is_well: bool) {
        if self.is_stale(request, attempt) {
            return;
        }
        let origin = self.requests[request].tried[attempt - 1];
        let is_erring = matches!(self.being(origin), Being::Erring(_));
        let is_failing = self.being(origin) == Being::Failing;
        let is_late = self.now - self.requests[request].sent > 1_000 && self.has(Flaw::SlowIsFailed);
        self.note(
            request,
            match is_well {
                true if is_late || (is_erring && self.has(Flaw::ErrorIsFailed)) => Outcome::Unwell,
                true if is_erring => Outcome::Erring,
                true => Outcome::Well,
                false if is_failing => Outcome::Unwell,
                false => Outcome::Unreachable,
            },
        );
        if is_well {
            return self.ends(request, true);
        }
        match self.pick(request) {
            Some(origin) => self.send(request, origin),
            None => self.ends(request, false),
        }
    }

    fn waited(&mut self, request: usize, attempt: usize) {
        if self.is_stale(request, attempt) {
            return;
        }
        let left = self.requests[request].began + TOTAL_MS - self.now;
        let other = if left == 0 { None } else { self.pick(request) };
        match other {
            None if left > 0 => self.later(left, Event::Waited(request, attempt)),
            _ => {
                let origin = self.note(request, Outcome::Unwell);
                if !self.has(Flaw::WaitsForTheSilent) {
                    let isolate = self.requests[request].isolate;
                    self.isolates[isolate].reports.push(origin);
                }
                match other {
                    Some(other) => self.send(request, other),
                    None => self.ends(request, false),
                }
            }
        }
    }

    fn note(&mut self, request: usize, outcome: Outcome) -> usize {
        let now = self.time();
        let has_no_time = self.has(Flaw::LatencyIsNotMeasured);
        let Request { isolate, tried, sent, ticket, .. } = &mut self.requests[request];
        let origin = tried.last().copied().unwrap_or_default();
        let took = (!has_no_time).then(|| Duration::from_millis(self.now - *sent));
        let Isolate { balancer, reports, ejected, .. } = &mut self.isolates[*isolate];
        if let Some(ticket) = ticket.take() {
            balancer.end(ticket);
        }
        let notice = balancer.note(Ended { path: "/", origin, outcome, took }, now);
        reports.extend(notice.map(|_| origin));
        if notice == Some(Notice::Failing) {
            ejected.push(origin);
        }
        self.ejections += usize::from(balancer.state(origin, now) == State::Ejected);
        origin
    }

    fn ends(&mut self, request: usize, is_well: bool) {
        let request = &mut self.requests[request];
        request.is_over = true;
        self.ended.push((self.now, is_well, self.now - request.began));
    }

    fn asked(&mut self, isolate: usize, suspects: &[usize], ejected: &[usize]) {
        let now = self.time();
        for origin in ejected {
            self.quorum.ejected(&self.origins[*origin].id, self.isolates[isolate].number, now);
        }
        let mut has_new = false;
        for suspect in suspects {
            has_new |= self.watch.report(&self.origins[*suspect].id, now);
        }
        if has_new && !self.is_probing {
            self.is_probing = true;
            self.later(0, Event::Probes);
        }
        let place = |id: &str| self.origins.iter().position(|origin| origin.id == id).unwrap_or_default();
        let failing = if self.has(Flaw::EachEjectsAlone) { Vec::new() } else { self.quorum.verdicts(now) };
        let verdicts = self.watch.verdicts(now).into_iter().chain(failing);
        let verdicts = verdicts.map(|verdict| (place(&verdict.id), verdict.seen));
        let verdicts = if self.has(Flaw::KeeperTellsNobody) { Vec::new() } else { verdicts.collect() };
        self.later(KEEPER_MS, Event::Told(isolate, verdicts));
    }

    fn probes(&mut self) {
        let ids = self.watch.to_probe();
        let place = |id: &String| self.origins.iter().position(|origin| origin.id == *id).unwrap_or_default();
        let probe_max = u64::try_from(PROBE_MAX.as_millis()).unwrap_or(u64::MAX);
        let result = |origin: usize| match self.being(origin) {
            Being::Well(ms) | Being::Erring(ms) if ms < probe_max => (origin, Probe::Answered, ms),
            Being::Failing => (origin, Probe::Answered, 1),
            Being::Well(_) | Being::Erring(_) | Being::Silent => (origin, Probe::Unready, probe_max),
            Being::Dead => (origin, Probe::Refused, 1),
        };
        let results: Vec<_> = ids.iter().map(place).map(result).collect();
        let took = results.iter().map(|(.., ms)| *ms).max().unwrap_or_default();
        let results = results.into_iter().map(|(origin, probe, _)| (origin, probe)).collect();
        self.later(took, Event::Probed(results));
    }

    fn probed(&mut self, results: &[(usize, Probe)]) {
        let now = self.time();
        for (origin, probe) in results {
            self.watch.probed(&self.origins[*origin].id, *probe, now);
        }
        let pause = self.watch.pause(now).filter(|_| !self.has(Flaw::KeeperLooksOnce));
        self.is_probing = pause.is_some();
        if let Some(pause) = pause {
            self.later(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), Event::Probes);
        }
    }
}
