//! The queue, the longer its backlog is: how fast jobs are added by the batch API, and how fast they
//! are done, from the start of the workers to the last completion. The parts are those of the bench
//! `queue`, without its peers.

use super::{Grows, Point, affordable};
use crate::catalog::Setting;
use crate::error::{BenchError, Reason};
use crate::queue;
use crate::report::{Better, Measurement};

/// How many jobs.
const AMOUNTS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The first so many, where it is to be quick.
const QUICK: usize = 2;
/// Rounds that count, at most: the longest backlog takes a minute.
const ROUNDS_MAX: u32 = 3;

pub(super) async fn run(setting: &Setting, rounds: u32) -> Result<Vec<Measurement>, BenchError> {
    let amounts = affordable(setting, &AMOUNTS, QUICK);
    let rounds = queue::backlogs(&setting.primary, amounts, rounds.min(ROUNDS_MAX)).await?;
    let (mut added, mut done) = (Point::at(amounts.iter().copied()), Point::at(amounts.iter().copied()));
    for round in rounds {
        for (place, rates) in round.into_iter().enumerate() {
            added[place].rounds.push(rates.added);
            done[place].rounds.push(rates.done);
        }
    }
    results(&added, &done).map_err(|reason| BenchError::Contestant { name: "scale".to_owned(), reason })
}

fn results(added: &[Point], done: &[Point]) -> Result<Vec<Measurement>, Reason> {
    let grows = |name, unit| Grows { name, unit, better: Better::Higher, of: "jobs" };
    Ok(vec![
        grows("scale/jobs-done", "jobs/s, of the longest backlog").by(done)?,
        grows("scale/jobs-added", "jobs/s added, of the longest backlog").by(added)?,
    ])
}
