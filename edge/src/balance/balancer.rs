//! All that one isolate goes by when it sends requests to origins.

use std::time::Duration;

use crate::balance::budget::Budget;
use crate::balance::health::{Health, Notice, Outcome, State};
use crate::balance::in_flight::{InFlight, Ticket};
use crate::balance::latency::{Latency, cost};
use crate::balance::load::{Load, pressure};
use crate::balance::outlier::{Apart, Outliers};
use crate::balance::policy::{Route, longest};
use crate::balance::watch::Verdict;
use crate::balance::{Asker, Candidate, Pick};
use crate::config::Origin;
use crate::time::Timestamp;

/// The balancer of one isolate.
pub struct Balancer {
    routes: Vec<Balanced>,
    health: Health,
    outliers: Outliers,
    seen: Vec<Latency>,
    loads: Vec<Load>,
    in_flight: InFlight,
    budget: Budget,
}

/// The requests whose paths begin so.
struct Balanced {
    path: String,
    policy: Box<dyn Pick>,
    goes_by_latency: bool,
    takes_turns: bool,
    pins: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// Its path.
    pub path: &'a str,
    /// Where it was sent.
    pub origin: usize,
    /// How that went.
    pub outcome: Outcome,
    /// Time until that was known; nothing where the client's upload is a part of it.
    pub took: Option<Duration>,
}

/// Where a request is about to go.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The request's path.
    pub path: &'a str,
    /// Who asks.
    pub asker: Asker<'a>,
    /// Origins that were asked already.
    pub tried: &'a [usize],
    /// Whether it may be sent to another one.
    pub may_retry: bool,
}

impl Balancer {
    /// For so many origins. An answer's head is waited for no longer than `deadline`.
    /// Policies that take turns begin at origin `first`.
    pub fn new(origins: usize, routes: &[Route], first: usize, deadline: Duration, now: Timestamp) -> Self {
        Self {
            routes: routes
                .iter()
                .map(|Route { path, policy }| Balanced {
                    path: path.clone(),
                    policy: policy.begin(first),
                    goes_by_latency: policy.goes_by_latency(),
                    takes_turns: policy.takes_turns(),
                    pins: policy.pins(),
                })
                .collect(),
            health: Health::new(origins),
            outliers: Outliers::new(origins),
            seen: vec![Latency::default(); origins],
            loads: vec![Load::default(); origins],
            in_flight: InFlight::new(deadline),
            budget: Budget::new(now),
        }
    }

    /// The origin that is to be asked; `None` where a request was tried everywhere, or
    /// may not be tried again.
    pub fn pick(&mut self, origins: &[Origin], attempt: &Attempt<'_>, now: Timestamp) -> Option<usize> {
        let is_first = attempt.tried.is_empty();
        let candidates = self.health.candidates(attempt.asker.draw, attempt.may_retry, attempt.tried, now);
        if candidates.is_empty() || !(is_first || self.budget.retry(now)) {
            return None;
        }
        if is_first {
            self.budget.request();
        }
        let counts: Vec<usize> = (0..origins.len()).map(|origin| self.in_flight.count(origin, now)).collect();
        let costs = cost(&self.seen, |origin| counts[origin], now);
        let pressures = pressure(&self.loads, now);
        let candidates: Vec<_> = candidates
            .into_iter()
            .map(|origin| {
                let Origin { id, weight, .. } = &origins[origin];
                Candidate {
                    origin,
                    id,
                    weight: *weight,
                    cost: (costs[origin] as f64 * pressures[origin]) as u64,
                }
            })
            .collect();
        let route = self.route(attempt.path)?;
        // What is left of the number, once who is in probation was drawn.
        let asker = Asker { draw: attempt.asker.draw / 100, ..attempt.asker };
        let Balanced { policy, takes_turns, .. } = &mut self.routes[route];
        if !is_first && *takes_turns {
            // Were it a turn, the origin that failed might have the next first one again.
            return least_loaded(&candidates, asker.draw);
        }
        policy.pick(&candidates, &asker)
    }

    fn route(&self, path: &str) -> Option<usize> {
        longest(self.routes.iter().map(|route| &*route.path), path)
    }

    /// A request is sent to `origin`.
    pub fn begin(&mut self, origin: usize, now: Timestamp) -> Ticket {
        self.in_flight.begin(origin, now)
    }

    /// It isn't waited for any more, whatever became of it.
    pub fn end(&mut self, ticket: Ticket) {
        self.in_flight.end(ticket);
    }

    /// Notes what became of a request, and what there is to say of its origin.
    pub fn note(&mut self, ended: Ended<'_>, now: Timestamp) -> Option<Notice> {
        let Ended { path, origin, outcome, took } = ended;
        match outcome {
            Outcome::Well | Outcome::Erring | Outcome::Draining => self.seen[origin].answered(took, now),
            Outcome::Busy(_) | Outcome::Unwell | Outcome::Unreachable => self.seen[origin].failed(now),
        }
        let notice = self.health.note(origin, outcome, now);
        let is_judged = matches!(self.health.state(origin, now), State::Up | State::Probation);
        if !is_judged {
            self.outliers.forget(origin);
            return notice;
        }
        let (goes_by_latency, pins) = self
            .route(path)
            .map_or((false, false), |route| (self.routes[route].goes_by_latency, self.routes[route].pins));
        // Of one client's own pages, that fail or are slow, nothing follows for the others.
        let has_failed = match outcome {
            Outcome::Erring => !pins,
            Outcome::Unwell | Outcome::Unreachable => true,
            Outcome::Well | Outcome::Draining | Outcome::Busy(_) => false,
        };
        let is_answer = matches!(outcome, Outcome::Well | Outcome::Erring);
        let took = took.filter(|_| is_answer && !goes_by_latency && !pins);
        self.outliers.ended(origin, has_failed, took, now);
        let apart = self.outliers.apart(origin, now);
        let Some(apart) = apart.filter(|_| self.health.eject(origin, now)) else { return notice };
        self.outliers.forget(origin);
        Some(match apart {
            Apart::Failing => Notice::Failing,
            Apart::Slow => Notice::Slow,
        })
    }

    /// An answer of `origin` has told its utilisation.
    pub fn reported(&mut self, origin: usize, utilization: f64, now: Timestamp) {
        self.loads[origin].reported(utilization, now);
    }

    /// What the keeper of the control log has seen of origins.
    pub fn told(&mut self, origins: &[Origin], verdicts: &[Verdict], now: Timestamp) {
        for Verdict { id, seen } in verdicts {
            if let Some(origin) = origins.iter().position(|origin| origin.id == *id) {
                self.health.told(origin, *seen, now);
            }
        }
    }

    /// Whether an origin gets requests.
    pub fn state(&self, origin: usize, now: Timestamp) -> State {
        self.health.state(origin, now)
    }

    /// How many requests wait for an origin.
    pub fn in_flight(&mut self, origin: usize, now: Timestamp) -> usize {
        self.in_flight.count(origin, now)
    }
}

/// The origin with least to do; of several one that is drawn.
fn least_loaded(candidates: &[Candidate<'_>], draw: u64) -> Option<usize> {
    let load = |candidate: &Candidate<'_>| candidate.cost / u64::from(candidate.weight.max(1));
    let least = candidates.iter().map(load).min()?;
    let those: Vec<_> = candidates.iter().filter(|candidate| load(candidate) == least).collect();
    let drawn = usize::try_from(draw % u64::try_from(those.len()).ok()?).ok()?;
    those.get(drawn).map(|candidate| candidate.origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::policy::Policy;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn origins() -> Vec<Origin> {
        let origin = |id: &str| Origin { id: id.to_owned(), url: format!("http://{id}"), weight: 1 };
        ["a", "b", "c"].map(origin).to_vec()
    }

    fn balancer(routes: &[(&str, Policy)]) -> Balancer {
        let route = |(path, policy): &(&str, Policy)| Route { path: (*path).to_owned(), policy: *policy };
        let routes: Vec<_> = routes.iter().map(route).collect();
        Balancer::new(3, &routes, 0, Duration::from_secs(30), NOW)
    }

    fn pick(balancer: &mut Balancer, path: &str, tried: &[usize]) -> Option<usize> {
        let asker = Asker { client: "192.0.2.1", kept: None, draw: 0 };
        balancer.pick(&origins(), &Attempt { path, asker, tried, may_retry: true }, NOW)
    }

    fn fails(balancer: &mut Balancer, origin: usize) {
        for _ in 0..3 {
            note(balancer, origin, Outcome::Unreachable, 0);
        }
    }

    fn note(balancer: &mut Balancer, origin: usize, outcome: Outcome, took_ms: u64) -> Option<Notice> {
        balancer.note(Ended { path: "/", origin, outcome, took: Some(Duration::from_millis(took_ms)) }, NOW)
    }

    #[test]
    fn a_path_has_the_policy_of_the_longest_prefix() {
        let mut balancer =
            balancer(&[("/", Policy::IpHash), ("/api/", Policy::RoundRobin), ("/api/x", Policy::IpHash)]);
        let mut picks = |path| [(); 3].map(|()| pick(&mut balancer, path, &[]).unwrap());
        assert_eq!(picks("/api/products"), [0, 1, 2]);
        for path in ["/", "/other", "/api/x/y"] {
            let [first, second, third] = picks(path);
            assert!(first == second && second == third, "{path}");
        }
    }

    #[test]
    fn an_ejected_origin_is_passed_over_and_is_the_last_resort() {
        let mut balancer = balancer(&[("/", Policy::RoundRobin)]);
        fails(&mut balancer, 1);
        assert_eq!([(); 3].map(|()| pick(&mut balancer, "/", &[]).unwrap()), [0, 2, 0]);
        assert_eq!(pick(&mut balancer, "/", &[0, 2]), Some(1));
        assert_eq!(pick(&mut balancer, "/", &[0, 1, 2]), None);
    }

    #[test]
    fn when_all_fail_a_request_is_seldom_tried_again() {
        let mut balancer = balancer(&[("/", Policy::RoundRobin)]);
        let mut attempts = 0;
        for _ in 0..10_000 {
            let mut tried = Vec::new();
            while let Some(origin) = pick(&mut balancer, "/", &tried) {
                attempts += 1;
                note(&mut balancer, origin, Outcome::Unreachable, 0);
                tried.push(origin);
            }
        }
        assert!(attempts <= 12_010, "{attempts} attempts");
    }

    #[test]
    fn least_connections_leaves_a_slow_and_a_failing_origin_alone() {
        for (outcome, took_ms) in [(Outcome::Well, 200), (Outcome::Unwell, 0)] {
            let mut balancer = balancer(&[("/", Policy::LeastConnections)]);
            let mut taken = [0; 3];
            for draw in 0..1_000 {
                let asker = Asker { client: "", kept: None, draw: draw * 700 };
                let attempt = Attempt { path: "/", asker, tried: &[], may_retry: true };
                let origin = balancer.pick(&origins(), &attempt, NOW).unwrap();
                taken[origin] += 1;
                let (outcome, took_ms) = if origin == 1 { (outcome, took_ms) } else { (Outcome::Well, 20) };
                note(&mut balancer, origin, outcome, took_ms);
            }
            assert!(taken[1] < 50, "{taken:?}");
            assert_eq!(
                balancer.state(1, NOW),
                State::Up,
                "it keeps its small share, to be seen when it is well"
            );
        }
    }

    #[test]
    fn least_connections_spares_who_reports_that_it_is_busy_with_others() {
        let mut balancer = balancer(&[("/", Policy::LeastConnections)]);
        let mut taken = [0; 3];
        for draw in 0..1_000 {
            let asker = Asker { client: "", kept: None, draw: draw * 700 };
            let attempt = Attempt { path: "/", asker, tried: &[], may_retry: true };
            let origin = balancer.pick(&origins(), &attempt, NOW).unwrap();
            taken[origin] += 1;
            balancer.reported(origin, if origin == 1 { 0.9 } else { 0.3 }, NOW);
            note(&mut balancer, origin, Outcome::Well, 20);
        }
        assert!(taken[1] < 50, "{taken:?}");
    }

    #[test]
    fn a_retry_is_no_turn() {
        let mut balancer = balancer(&[("/", Policy::RoundRobin)]);
        for turn in 0..9 {
            let first = pick(&mut balancer, "/", &[]).unwrap();
            assert_eq!(first, turn % 3);
            let second = pick(&mut balancer, "/", &[first]);
            assert!(second.is_some_and(|second| second != first));
        }
    }

    #[test]
    fn who_stands_out_among_those_that_take_turns_is_ejected() {
        for (outcome, took_ms, notice) in
            [(Outcome::Well, 200, Notice::Slow), (Outcome::Erring, 20, Notice::Failing)]
        {
            let mut balancer = balancer(&[("/", Policy::RoundRobin)]);
            let mut notices = Vec::new();
            for turn in 0..300 {
                let origin = pick(&mut balancer, "/", &[]).unwrap();
                let is_one = origin == 1 && turn >= 100;
                let (outcome, took_ms) = if is_one { (outcome, took_ms) } else { (Outcome::Well, 20) };
                let took = Some(Duration::from_millis(took_ms));
                let ended = Ended { path: "/", origin, outcome, took };
                notices.extend(balancer.note(ended, NOW.after(Duration::from_millis(10 * turn))));
            }
            assert_eq!(notices, [notice], "{outcome:?}");
            assert_eq!(balancer.state(1, NOW.after(Duration::from_secs(3))), State::Ejected);
        }
    }
}
