//! What the doors, the monitors and the pools of one database share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tidewall_api::ops::DatabaseServer;
use tokio::sync::watch;

use super::metrics::DbMetrics;
use super::server::{Server, Usage};
use super::survey::{Contact, Out, Sighting, Standing, Survey, View};

pub(super) struct Shared {
    pub(super) servers: Vec<Arc<Server>>,
    pub(super) metrics: DbMetrics,
    survey: Mutex<Survey>,
    /// What follows from the survey; tells of a change when there is one that matters.
    pub(super) view: watch::Sender<View>,
    /// Reads that wait for a replica to catch up.
    waiting: AtomicUsize,
}

/// A read that waits, until dropped.
pub(super) struct WaitingRead<'a>(&'a Shared);

impl Drop for WaitingRead<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(super) fn new(servers: Vec<Arc<Server>>, metrics: DbMetrics) -> Self {
        let survey = Survey::new(servers.len());
        let view = watch::Sender::new(survey.view(Instant::now()));
        Self { servers, metrics, survey: Mutex::new(survey), view, waiting: AtomicUsize::new(0) }
    }

    /// A read waits for a replica: they are looked at until it doesn't any more.
    pub(super) fn wait(&self) -> WaitingRead<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        for replica in &self.view.borrow().replicas {
            self.servers[replica.index].look_now.notify_one();
        }
        WaitingRead(self)
    }

    /// Whether any read waits.
    pub(super) fn reads_wait(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    fn survey(&self) -> MutexGuard<'_, Survey> {
        self.survey.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server answered a look.
    pub(super) fn saw(&self, index: usize, sighting: Sighting) {
        self.update(|survey| survey.saw(index, sighting));
        self.servers[index].reached.send_if_modified(|reached| !std::mem::replace(reached, true));
    }

    /// A server didn't answer a look.
    pub(super) fn lost(&self, index: usize) {
        self.update(|survey| survey.lost(index));
        self.servers[index].reached.send_if_modified(|reached| std::mem::replace(reached, false));
    }

    /// A connection to a server failed: it serves no reads until the next look, which is now.
    pub(super) fn doubt(&self, server: &Server) {
        self.update(|survey| survey.doubt(server.index));
        server.look_now.notify_one();
    }

    fn update(&self, change: impl FnOnce(&mut Survey)) {
        let mut survey = self.survey();
        change(&mut survey);
        let view = survey.view(Instant::now());
        // While the survey is held, so that views follow each other as the looks do.
        let mut before = View::default();
        self.view.send_if_modified(|current| {
            before = std::mem::replace(current, view);
            !before.tells_the_same_as(current)
        });
        drop(survey);
        self.report(&before);
    }

    /// Tells of changed roles, and gives up the connections to who has changed.
    fn report(&self, before: &View) {
        let now = self.view.borrow().clone();
        if now.primary != before.primary {
            // One that was never seen before has no connections of another role.
            let changed = [before.primary, now.primary].into_iter().flatten();
            for index in changed.filter(|index| before.standings[*index] != Standing::Out(Out::Unknown)) {
                self.servers[index].begin_term();
            }
            let name = now.primary.map(|index| self.servers[index].name.as_str());
            tracing::info!(primary = name, "the primary was found");
        }
        for ((server, was), is) in self.servers.iter().zip(&before.standings).zip(&now.standings) {
            if was != is {
                tracing::info!(server = server.name, state = is.as_str(), "database server changed state");
            }
        }
        if now.primary_contact != before.primary_contact && now.primary_contact == Contact::Lost {
            tracing::warn!("the primary doesn't answer: reads go on, writes are refused");
        }
    }

    /// Reads can be served.
    pub(super) fn is_ready(&self) -> bool {
        let view = self.view.borrow();
        (view.primary.is_some() && view.primary_contact == Contact::Reached) || !view.replicas.is_empty()
    }

    /// What each server is, for a message.
    pub(super) fn describe(&self) -> String {
        let view = self.view.borrow();
        let each = self.servers.iter().zip(&view.standings).map(|(server, standing)| {
            let state = match standing {
                // Otherwise there would be a primary.
                Standing::Primary => "unreachable",
                standing => standing.as_str(),
            };
            format!("{} is {state}", server.name)
        });
        each.collect::<Vec<_>>().join(", ")
    }

    /// Each server with how far it is behind, and what it is.
    fn each(&self) -> impl Iterator<Item = (&Arc<Server>, Option<(u64, u64)>, Standing)> {
        let lags: Vec<_> = {
            let survey = self.survey();
            (0..self.servers.len()).map(|index| survey.lag_bytes(index)).collect()
        };
        let standings = self.view.borrow().standings.clone();
        self.servers.iter().zip(lags).zip(standings).map(|((server, lag), standing)| (server, lag, standing))
    }

    /// What each server is, and how its connections are used.
    pub(super) fn servers(&self) -> Vec<DatabaseServer> {
        let each = self.each().map(|(server, lag, standing)| {
            let Usage { idle, in_use, waiting } = server.usage();
            DatabaseServer {
                name: server.name.clone(),
                state: standing.as_str().to_owned(),
                lag_bytes: lag.map(|(replay, _)| replay),
                idle,
                in_use,
                max: server.pool().status().max_size,
                waiting,
            }
        });
        each.collect()
    }

    /// Brings the gauges up to date.
    pub(super) fn observe(&self) {
        for (server, lag, standing) in self.each() {
            server.observe();
            server.metrics.set_lag(lag);
            server.metrics.set_standing(standing);
        }
    }
}
