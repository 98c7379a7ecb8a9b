//! All contestants, in turn.
//!
//! As in [`crate::contest`], they are measured one after the other in every
//! round, in an order that differs from round to round. A peer that fails is
//! missing from then on.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use super::contestant::Contestant;
use super::place::{Opened, Place};
use crate::contest::{Outcome, order};
use crate::error::{BenchError, Reason};
use crate::progress;

/// Time a contestant may take to be set up.
const SETUP_MAX: Duration = Duration::from_mins(1);
/// Time it may take for what is measured at once.
const ROUND_MAX: Duration = Duration::from_mins(10);

/// Those that are measured.
pub(super) struct Field {
    primary: String,
    entries: Vec<Entry>,
    missing: BTreeMap<String, Reason>,
}

/// One of them.
pub(super) struct Entry {
    pub(super) name: String,
    is_peer: bool,
    pub(super) contestant: Box<dyn Contestant>,
    pub(super) place: Opened,
}

impl Field {
    pub(super) fn new(primary: &str) -> Self {
        Self { primary: primary.to_owned(), entries: Vec::new(), missing: BTreeMap::new() }
    }

    /// Adds one that must run.
    pub(super) async fn enter<C: Contestant + 'static>(
        &mut self,
        name: &str,
        place: &Place,
        connect: impl AsyncFnOnce(String) -> Result<C, Reason>,
    ) -> Result<(), BenchError> {
        let added = self.add(name, false, place, connect).await;
        added.map_err(|reason| BenchError::Contestant { name: name.to_owned(), reason })
    }

    /// Adds a peer, which is missing if it can't be set up.
    pub(super) async fn invite<C: Contestant + 'static>(
        &mut self,
        name: &str,
        place: &Place,
        connect: impl AsyncFnOnce(String) -> Result<C, Reason>,
    ) {
        if let Err(reason) = self.add(name, true, place, connect).await {
            self.miss(name, reason);
        }
    }

    /// Says that a peer is missing.
    pub(super) fn miss(&mut self, name: &str, reason: Reason) {
        progress::tell(format!("{name} is missing: {reason}"));
        self.missing.insert(name.to_owned(), reason);
    }

    async fn add<C: Contestant + 'static>(
        &mut self,
        name: &str,
        is_peer: bool,
        place: &Place,
        connect: impl AsyncFnOnce(String) -> Result<C, Reason>,
    ) -> Result<(), Reason> {
        let place = Opened::create(&self.primary, place).await?;
        match within(SETUP_MAX, connect(place.url().to_owned())).await {
            Ok(contestant) => {
                let contestant = Box::new(contestant);
                self.entries.push(Entry { name: name.to_owned(), is_peer, contestant, place });
                Ok(())
            }
            Err(reason) => {
                place.remove().await?;
                Err(reason)
            }
        }
    }

    /// Measures those of `who`, so many rounds; nobody's jobs are left after each.
    pub(super) async fn rounds<T>(
        &mut self,
        what: &str,
        rounds: u32,
        who: impl Fn(&str) -> bool,
        measure: impl AsyncFn(&mut Entry) -> Result<T, Reason>,
    ) -> Result<Outcome<T>, BenchError> {
        let mut loads: BTreeMap<String, Vec<T>> = BTreeMap::new();
        for round in 0..rounds {
            progress::tell(format!("queue, {what}: round {} of {rounds}", round + 1));
            let mut failed = Vec::new();
            for index in order(self.entries.len(), round) {
                let entry = &mut self.entries[index];
                if !who(&entry.name) {
                    continue;
                }
                let measured = within(ROUND_MAX, async {
                    let measured = measure(entry).await?;
                    entry.place.clear().await?;
                    Ok(measured)
                });
                match measured.await {
                    Ok(measured) => loads.entry(entry.name.clone()).or_default().push(measured),
                    Err(reason) if entry.is_peer => failed.push((entry.name.clone(), reason)),
                    Err(reason) => {
                        return Err(BenchError::Contestant { name: entry.name.clone(), reason });
                    }
                }
            }
            for (name, reason) in failed {
                self.drop_out(&name, reason).await;
                loads.remove(&name);
            }
        }
        let missing = self.missing.iter().filter(|(name, _)| who(name));
        Ok(Outcome { loads, missing: missing.map(|(name, why)| (name.clone(), why.clone())).collect() })
    }

    async fn drop_out(&mut self, name: &str, reason: Reason) {
        if let Some(index) = self.entries.iter().position(|entry| entry.name == name) {
            self.entries.remove(index).leave().await;
        }
        self.miss(name, reason);
    }

    /// Ends all of them, and drops their databases.
    pub(super) async fn leave(&mut self) {
        for entry in self.entries.drain(..) {
            entry.leave().await;
        }
    }
}

impl Entry {
    async fn leave(self) {
        let Self { name, contestant, place, .. } = self;
        drop(contestant);
        if let Err(reason) = place.remove().await {
            progress::tell(format!("the database of {name} stays: {reason}"));
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Reason>>) -> Result<T, Reason> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(Reason::new(&format!("it did not end within {} s", limit.as_secs()))))
}
