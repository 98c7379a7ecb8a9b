//! Several contestants under the same load, in turn.
//!
//! They are set up, then each is warmed up, then each is measured in every
//! round, so that what else the machine does meets all of them. Rounds differ in
//! their order: nobody always follows the same neighbour.
//!
//! A contestant that the results are about *must* run, or there are none. A
//! peer *may* fail: then its rounds don't count and its reason is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::timeout;

use crate::effort::Effort;
use crate::error::{BenchError, Reason};
use crate::load::{self, Client, Load};
use crate::progress;
use crate::report::Measurement;
use crate::sample::Sample;

/// Time a contestant may take to be set up.
const SETUP_MAX: Duration = Duration::from_secs(30);
/// Time a round may take beyond its length, for the answers to its last requests.
const OVERTIME_MAX: Duration = Duration::from_secs(30);

/// What is measured.
pub trait Contestant: Send {
    /// One round of this length.
    fn round(&mut self, length: Duration) -> BoxFuture<'_, Result<Load, Reason>>;
}

/// A client of this process, under the load of [`load::drive`].
pub struct Driven<C>(Arc<C>);

impl<C: Client> Driven<C> {
    /// To be measured.
    pub fn new(client: C) -> Self {
        Self(Arc::new(client))
    }
}

impl<C: Client> Contestant for Driven<C> {
    fn round(&mut self, length: Duration) -> BoxFuture<'_, Result<Load, Reason>> {
        load::drive(&self.0, length).boxed()
    }
}

/// Contestants before they are measured.
#[derive(Default)]
pub struct Contest {
    entries: Vec<Entry>,
    missing: BTreeMap<String, Reason>,
}

struct Entry {
    name: String,
    is_peer: bool,
    contestant: Box<dyn Contestant>,
    loads: Vec<Load>,
}

impl Contest {
    /// Adds a contestant that must run.
    ///
    /// # Errors
    /// It can't be set up.
    pub async fn enter<C: Contestant + 'static>(
        &mut self,
        name: &str,
        setup: impl Future<Output = Result<C, Reason>>,
    ) -> Result<(), BenchError> {
        match within(SETUP_MAX, setup).await {
            Ok(contestant) => {
                self.add(name, false, contestant);
                Ok(())
            }
            Err(reason) => Err(BenchError::Contestant { name: name.to_owned(), reason }),
        }
    }

    /// Adds a peer, which is missing from the results if it can't be set up.
    pub async fn invite<C: Contestant + 'static>(
        &mut self,
        name: &str,
        setup: impl Future<Output = Result<C, Reason>>,
    ) {
        match within(SETUP_MAX, setup).await {
            Ok(contestant) => self.add(name, true, contestant),
            Err(reason) => self.miss(name, reason),
        }
    }

    /// Says that a peer is missing.
    pub fn miss(&mut self, name: &str, reason: Reason) {
        progress::tell(format!("{name} is missing: {reason}"));
        self.missing.insert(name.to_owned(), reason);
    }

    fn add(&mut self, name: &str, is_peer: bool, contestant: impl Contestant + 'static) {
        let contestant = Box::new(contestant);
        self.entries.push(Entry { name: name.to_owned(), is_peer, contestant, loads: Vec::new() });
    }

    /// Measures all of them; `what` is what people are told is being measured.
    ///
    /// # Errors
    /// One that must run can't go on.
    pub async fn run(mut self, what: &str, effort: &Effort) -> Result<Outcome, BenchError> {
        let names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        progress::tell(format!("{what}: warming up {}", names.join(", ")));
        self.round(0, effort.warm_up).await?;
        for entry in &mut self.entries {
            entry.loads.clear();
        }
        for round in 0..effort.rounds {
            progress::tell(format!("{what}: round {} of {}", round + 1, effort.rounds));
            self.round(round, effort.round).await?;
        }
        let loads = self.entries.into_iter().map(|entry| (entry.name, entry.loads)).collect();
        Ok(Outcome { loads, missing: self.missing })
    }

    /// Measures each once.
    async fn round(&mut self, round: u32, length: Duration) -> Result<(), BenchError> {
        let mut failed = Vec::new();
        for index in order(self.entries.len(), round) {
            let Entry { name, is_peer, contestant, loads } = &mut self.entries[index];
            match within(length + OVERTIME_MAX, contestant.round(length)).await {
                Ok(load) => loads.push(load),
                Err(reason) if *is_peer => failed.push((name.clone(), reason)),
                Err(reason) => return Err(BenchError::Contestant { name: name.clone(), reason }),
            }
        }
        for (name, reason) in failed {
            self.entries.retain(|entry| entry.name != name);
            self.miss(&name, reason);
        }
        Ok(())
    }
}

/// In which order so many contestants are measured in a round: each two rounds
/// begin with another one, and the second goes backwards.
pub(crate) fn order(count: usize, round: u32) -> Vec<usize> {
    let first = usize::try_from(round / 2).unwrap_or(0);
    let mut order: Vec<usize> = (0..count).map(|offset| (first + offset) % count).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(Reason::new(&format!("it did not end within {} s", limit.as_secs()))))
}

/// What the contestants came to.
#[derive(Debug, Default)]
pub struct Outcome<L = Load> {
    /// The rounds of each, by name, in the order in which they ran.
    pub loads: BTreeMap<String, Vec<L>>,
    /// Why each missing peer is.
    pub missing: BTreeMap<String, Reason>,
}

impl<L> Outcome<L> {
    /// What one that must run came to.
    ///
    /// # Errors
    /// It was not among them.
    pub fn sample(&self, name: &str, figure: impl Fn(&L) -> f64) -> Result<Sample, BenchError> {
        self.sample_of(name, figure).ok_or_else(|| BenchError::Contestant {
            name: name.to_owned(),
            reason: Reason::new("its rounds came to no figure"),
        })
    }

    fn sample_of(&self, name: &str, figure: impl Fn(&L) -> f64) -> Option<Sample> {
        Sample::new(self.loads.get(name)?.iter().map(figure).collect())
    }

    /// Puts everybody else beside a result: all but `except`, and those that are missing.
    pub fn beside(
        &self,
        mut measurement: Measurement,
        except: &[&str],
        figure: impl Fn(&L) -> f64,
    ) -> Measurement {
        for name in self.loads.keys().filter(|name| !except.contains(&name.as_str())) {
            if let Some(sample) = self.sample_of(name, &figure) {
                measurement = measurement.peer(name, sample.median());
            }
        }
        for (name, reason) in &self.missing {
            measurement = measurement.without(name, reason.to_string());
        }
        measurement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFORT: Effort = Effort { rounds: 3, round: Duration::ZERO, warm_up: Duration::ZERO };

    /// Counts its rounds, warm-up included, as its requests, and fails in the round `fails_in`.
    struct Counting {
        rounds: u32,
        fails_in: Option<u32>,
    }

    impl Contestant for Counting {
        fn round(&mut self, _length: Duration) -> BoxFuture<'_, Result<Load, Reason>> {
            self.rounds += 1;
            let outcome = if self.fails_in == Some(self.rounds) {
                Err(Reason::new("out of breath"))
            } else {
                let second = Duration::from_secs(1);
                Ok(Load { requests: self.rounds, elapsed: second, waited: second })
            };
            futures::future::ready(outcome).boxed()
        }
    }

    async fn counting(fails_in: Option<u32>) -> Result<Counting, Reason> {
        Ok(Counting { rounds: 0, fails_in })
    }

    #[test]
    fn rounds_differ_in_their_order() {
        for (round, expected) in
            [(0, [0, 1, 2]), (1, [2, 1, 0]), (2, [1, 2, 0]), (3, [0, 2, 1]), (6, [0, 1, 2])]
        {
            assert_eq!(order(3, round), expected, "{round}");
        }
        assert!(order(0, 5).is_empty());
    }

    #[tokio::test]
    async fn the_warm_up_does_not_count() {
        let mut contest = Contest::default();
        contest.enter("ours", counting(None)).await.unwrap();
        let outcome = contest.run("test", &EFFORT).await.unwrap();
        let requests: Vec<u32> = outcome.loads["ours"].iter().map(|load| load.requests).collect();
        assert_eq!(requests, [2, 3, 4]);
    }

    #[tokio::test]
    async fn a_peer_that_fails_is_missing_and_the_others_go_on() {
        let mut contest = Contest::default();
        contest.enter("ours", counting(None)).await.unwrap();
        contest.invite("late", counting(Some(3))).await;
        contest.invite("never", async { Err::<Counting, _>(Reason::new("not installed")) }).await;
        contest.invite("theirs", counting(None)).await;
        let outcome = contest.run("test", &EFFORT).await.unwrap();
        let missing: Vec<_> =
            outcome.missing.iter().map(|(name, reason)| (name.as_str(), reason.to_string())).collect();
        assert_eq!(missing, [("late", "out of breath".to_owned()), ("never", "not installed".to_owned())]);
        assert_eq!(outcome.loads.keys().collect::<Vec<_>>(), ["ours", "theirs"]);
        assert_eq!(outcome.loads["theirs"].len(), 3);
    }

    #[tokio::test]
    async fn one_that_must_run_and_fails_ends_the_contest() {
        let mut contest = Contest::default();
        contest.enter("ours", counting(Some(1))).await.unwrap();
        let error = contest.run("test", &EFFORT).await.unwrap_err();
        assert_eq!(error.to_string(), "ours can't be measured: out of breath");
    }

    #[tokio::test]
    async fn what_never_ends_is_given_up() {
        let outcome = within(Duration::ZERO, std::future::pending::<Result<(), Reason>>()).await;
        assert_eq!(outcome, Err(Reason::new("it did not end within 0 s")));
    }
}
