//! The balancer of one isolate, the more origins it has: what a choice takes, and how evenly it
//! spreads requests, by the policies that go by no weights and no cookies.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tidewall_edge::balance::Asker;
use tidewall_edge::balance::balancer::{Attempt, Balancer, Ended};
use tidewall_edge::balance::health::Outcome;
use tidewall_edge::balance::policy::{Policy, Route};
use tidewall_edge::config::{Origin, RESPONSE_DEADLINE};
use tidewall_edge::time::Timestamp;

use super::fleet::{self, Load};
use super::{Grows, Point};
use crate::contest::order;
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};

/// How many origins.
const AMOUNTS: [u32; 4] = [1, 4, 16, 64];
/// Choices of a round.
const CHOICES: u32 = 5_000;
/// Requests of the isolate that wait for an answer meanwhile.
const IN_FLIGHT: usize = 32;
/// Who asks: so many clients, in turn.
const CLIENTS: u32 = 1_000;
/// What one isolate gets in the simulation.
const LOAD: Load = Load { isolates: 1, requests_per_s: 1_000, seconds: 20 };

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

const SIMULATED: &str = "simulated: 1,000 requests a second of 10,000 clients at one isolate";

/// A policy, and what its results are called.
struct Subject {
    policy: Policy,
    choice: &'static str,
    evenness: &'static str,
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        policy: Policy::RoundRobin,
        choice: "scale/origins-choice-round-robin",
        evenness: "scale/origins-evenness-round-robin",
    },
    Subject {
        policy: Policy::LeastConnections,
        choice: "scale/origins-choice-least-connections",
        evenness: "scale/origins-evenness-least-connections",
    },
    Subject {
        policy: Policy::IpHash,
        choice: "scale/origins-choice-ip-hash",
        evenness: "scale/origins-evenness-ip-hash",
    },
];

pub(super) fn run(rounds: u32) -> Result<Vec<Measurement>, Reason> {
    let mut results = Vec::new();
    for subject in &SUBJECTS {
        let (mut choices, mut evenness) = (Point::at(AMOUNTS), Point::at(AMOUNTS));
        let choosers = AMOUNTS.iter().map(|origins| Chooser::new(*origins, subject.policy));
        let mut choosers: Vec<Chooser> = choosers.collect::<Result<_, _>>()?;
        for round in 0..=rounds {
            progress::tell(format!("{}: round {round} of {rounds}", subject.choice));
            for place in order(choosers.len(), round) {
                let took_ns = choosers[place].choose(round)?;
                // The first is to warm up.
                if round > 0 {
                    choices[place].rounds.push(took_ns);
                    evenness[place].rounds.push(spread(AMOUNTS[place], subject.policy, round)?);
                }
            }
        }
        let grows = |name, unit| Grows { name, unit, better: Better::Lower, of: "origins" };
        results.push(grows(subject.choice, "ns a choice, among the most").by(&choices)?);
        results.push(
            grows(subject.evenness, "greatest over mean, of the most")
                .by(&evenness)?
                .limit(1.0)
                .note(SIMULATED),
        );
    }
    Ok(results)
}

/// How even the load of the origins is.
fn spread(origins: u32, policy: Policy, seed: u32) -> Result<f64, Reason> {
    let mut random = fastrand::Rng::with_seed(seed.into());
    Ok(fleet::play(&fleet::config(origins)?, policy, LOAD, &mut || random.u64(..)).evenness())
}

/// An isolate's balancer in the middle of its work.
struct Chooser {
    origins: Vec<Origin>,
    balancer: Balancer,
    clients: Vec<String>,
}

impl Chooser {
    fn new(origins: u32, policy: Policy) -> Result<Self, Reason> {
        let origins = fleet::config(origins)?.origins;
        let routes = [Route { path: "/".to_owned(), policy }];
        let mut balancer = Balancer::new(origins.len(), &routes, 0, RESPONSE_DEADLINE, NOW);
        for origin in 0..origins.len() {
            let took = Some(Duration::from_millis(20));
            balancer.note(Ended { path: "/", origin, outcome: Outcome::Well, took }, NOW);
        }
        for turn in 0..IN_FLIGHT {
            balancer.begin(turn % origins.len(), NOW);
        }
        let clients =
            (0..CLIENTS).map(|client| format!("198.51.{}.{}", client / 250, client % 250)).collect();
        Ok(Self { origins, balancer, clients })
    }

    /// Nanoseconds that a choice takes, the mean of a round.
    fn choose(&mut self, seed: u32) -> Result<f64, Reason> {
        let mut random = fastrand::Rng::with_seed(seed.into());
        let draws: Vec<u64> = (0..CHOICES).map(|_| random.u64(..)).collect();
        let begun = Instant::now();
        for (draw, client) in draws.iter().zip(self.clients.iter().cycle()) {
            let asker = Asker { client, kept: None, draw: *draw };
            let attempt = Attempt { path: "/", asker, tried: &[], may_retry: true };
            let picked = black_box(self.balancer.pick(black_box(&self.origins), &attempt, NOW));
            picked.ok_or_else(|| Reason::new("no origin was chosen though all are well"))?;
        }
        Ok(begun.elapsed().as_secs_f64() * 1e9 / f64::from(CHOICES))
    }
}
