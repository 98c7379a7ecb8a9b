//! The edge, the more isolates it has: how evenly all of them together load four origins, and how
//! many questions the one object gets that keeps the control log. Simulated.

use tidewall_edge::balance::policy::Policy;
use tidewall_edge::config::Config;

use super::fleet::{self, Load, Played};
use super::{Grows, Point};
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// How many isolates.
const AMOUNTS: [u32; 4] = [1, 10, 100, 1_000];
const ORIGINS: u32 = 4;
/// What each isolate gets.
const REQUESTS_PER_S: u64 = 20;
const SECONDS: u64 = 10;
/// Seeds that are tried: what differs between them is little.
const SEEDS_MAX: u32 = 5;

/// Requests a second that one Durable Object takes, a soft limit:
/// <https://developers.cloudflare.com/durable-objects/platform/limits/>, "How much work can a single
/// Durable Object do?".
const OBJECT_PER_S: f64 = 1_000.0;

const SIMULATED: &str = "simulated: 20 requests a second at each isolate, four origins";
const SIMULATED_QUESTIONS: &str = "simulated: 20 requests a second at each isolate, a view used for a second as where nothing is \
     configured; the limit is Cloudflare's for one Durable Object \
     (developers.cloudflare.com/durable-objects/platform/limits)";

pub(super) fn run(rounds: u32) -> Result<Vec<Measurement>, Reason> {
    let config = fleet::config(ORIGINS)?;
    let seeds = 1..=rounds.clamp(1, SEEDS_MAX);
    let (mut evenness, mut questions) = (Point::at(AMOUNTS), Point::at(AMOUNTS));
    for (place, isolates) in AMOUNTS.into_iter().enumerate() {
        progress::tell(format!("scale, {isolates} isolates"));
        for seed in seeds.clone() {
            let played = play(&config, Policy::RoundRobin, isolates, seed)?;
            evenness[place].rounds.push(played.evenness());
            questions[place].rounds.push(played.questions_per_s());
        }
    }
    let grows = |name, unit| Grows { name, unit, better: Better::Lower, of: "isolates" };
    let mut spread =
        grows("scale/isolates-evenness", "greatest over mean, of the most isolates").by(&evenness)?;
    for (name, policy) in [("least-connections", Policy::LeastConnections), ("ip-hash", Policy::IpHash)] {
        let [.., most] = AMOUNTS;
        let others = seeds.clone().map(|seed| Ok(play(&config, policy, most, seed)?.evenness()));
        spread = match Sample::new(others.collect::<Result<_, Reason>>()?) {
            Some(sample) => spread.peer(name, sample.median()),
            None => spread.without(name, "it came to no figure"),
        };
    }
    Ok(vec![
        spread.limit(1.0).note(SIMULATED),
        grows("scale/isolates-questions", "questions/s to the control object, of the most isolates")
            .by(&questions)?
            .limit(OBJECT_PER_S)
            .note(SIMULATED_QUESTIONS),
    ])
}

fn play(config: &Config, policy: Policy, isolates: u32, seed: u32) -> Result<Played, Reason> {
    let mut random = fastrand::Rng::with_seed(seed.into());
    let load =
        Load { isolates: usize::try_from(isolates)?, requests_per_s: REQUESTS_PER_S, seconds: SECONDS };
    Ok(fleet::play(config, policy, load, &mut || random.u64(..)))
}
