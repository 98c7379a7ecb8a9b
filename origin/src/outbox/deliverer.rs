//! Delivers what waits, for as long as there is something, and then looks now and then.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::delivery::{HEAD_START, Waiting, due};
use super::edge::Edge;
use super::invalidation::Invalidation;
use super::metrics::OutboxMetrics;
use super::settings::EdgeSettings;
use super::storage::{self, Read};
use crate::db::{Db, DbError, Exclusive};
use crate::telemetry::chain;

/// Names the right to deliver. An arbitrary number.
const KEY: i64 = 0x7469_6465_6f75_7462;
/// Time until a deliverer that has stopped dead is replaced. A live one asks the database
/// more often: it waits for no edge and between no two tries for so long.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Time to the next look when nothing waits. What this process enqueues wakes it, so
/// this is for what a lost process has left.
const IDLE: Duration = Duration::from_secs(1);
/// Time to the next look while something waits.
const POLL: Duration = Duration::from_millis(250);
/// Rows that are looked at together. An edge that is down holds the others up only when so
/// many wait for it.
const WINDOW: i64 = 1_000;

/// One process's part in it.
pub(super) struct Deliverer<'a> {
    db: Db,
    edges: Vec<Edge>,
    metrics: &'a OutboxMetrics,
    /// Younger rows are left to others.
    patience: Duration,
}

/// How a time of delivering ended.
enum End {
    /// Nothing is left.
    Done,
    /// Another server has become the primary.
    LeftBehind,
}

impl<'a> Deliverer<'a> {
    pub(super) fn new(
        db: Db,
        settings: &EdgeSettings,
        metrics: &'a OutboxMetrics,
        patience: Duration,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self { db, edges: Edge::all(settings)?, metrics, patience })
    }

    /// Delivers until dropped.
    pub(super) async fn run(&mut self, wake: &Notify) {
        let mut has_failed = false;
        loop {
            let turn = self.turn().await;
            let pause = match &turn {
                Ok(pause) => *pause,
                Err(error) => {
                    // Once: the database may be away for long, and others say so as well.
                    if !has_failed {
                        tracing::warn!(error = %chain(error), "invalidations wait: the outbox can't be read");
                    }
                    IDLE
                }
            };
            has_failed = turn.is_err();
            tokio::select! {
                () = sleep(pause) => {}
                () = wake.notified() => sleep(HEAD_START + self.patience).await,
                () = self.db.primary_changed() => {}
            }
        }
    }

    /// Looks, and delivers what waits. Returns the time to the next look.
    async fn turn(&mut self) -> Result<Duration, DbError> {
        let look = {
            let connection = self.db.writer().await?;
            let look = storage::look(&connection).await?;
            if look.is_another_log {
                let noted = storage::note_log(&connection, &Invalidation::of_everything()).await?;
                if let Some(timeline) = noted {
                    tracing::info!(
                        timeline,
                        "the primary writes another log: the edge is told to drop everything"
                    );
                }
                return Ok(Duration::ZERO);
            }
            look
        };
        let Some(oldest) = look.oldest else { return Ok(IDLE) };
        let old_enough = HEAD_START + self.patience;
        if oldest < old_enough {
            return Ok(old_enough - oldest);
        }
        let Some(right) = self.db.try_exclusive(KEY, SILENCE_MAX).await? else { return Ok(POLL) };
        match self.clear(&right).await? {
            End::Done => {
                right.release().await?;
                Ok(IDLE)
            }
            // The right is dropped, and its connection closed.
            End::LeftBehind => Ok(Duration::ZERO),
        }
    }

    /// Delivers until nothing is left.
    async fn clear(&mut self, right: &Exclusive) -> Result<End, DbError> {
        loop {
            let read = storage::waiting(right, WINDOW).await?;
            if read.is_empty() {
                return Ok(End::Done);
            }
            let waiting = self.readable(right, read).await?;
            // Asked after the rows were seen, so it is past their commits.
            let lsn = right.flushed().await?.get();
            if !right.is_of_the_primary() {
                return Ok(End::LeftBehind);
            }
            let (due, now) = (due(&waiting), Instant::now());
            let metrics = self.metrics;
            let told = join_all(self.edges.iter_mut().filter_map(|edge| {
                edge.retain(&waiting);
                let delivery = edge.next(due, now)?;
                Some(edge.tell(delivery, lsn, metrics))
            }))
            .await;
            self.end(right, due).await?;
            if told.is_empty() {
                sleep(self.pause(&waiting, Instant::now())).await;
            }
        }
    }

    /// Sets aside what nobody can read.
    async fn readable(&self, right: &Exclusive, read: Vec<Read>) -> Result<Vec<Waiting>, DbError> {
        let mut waiting = Vec::with_capacity(read.len());
        for row in read {
            match row {
                Ok(row) => waiting.push(row),
                Err(id) => {
                    tracing::error!(row = id, "an invalidation can't be read; the row is set aside");
                    self.metrics.refused.inc_by(storage::set_aside(right, id, "can't be read").await?);
                }
            }
        }
        Ok(waiting)
    }

    /// Ends the rows that every edge is done with.
    async fn end(&self, right: &Exclusive, due: &[Waiting]) -> Result<(), DbError> {
        let mut accepted = Vec::new();
        for id in due.iter().map(|row| row.id) {
            if !self.edges.iter().all(|edge| edge.is_done(id)) {
                continue;
            }
            let refusals: Vec<_> = self.edges.iter().filter_map(|edge| edge.refusal(id)).collect();
            if refusals.is_empty() {
                accepted.push(id);
            } else {
                self.metrics.refused.inc_by(storage::set_aside(right, id, &refusals.join("; ")).await?);
            }
        }
        if !accepted.is_empty() {
            self.metrics.delivered.inc_by(storage::delete(right, &accepted).await?);
        }
        Ok(())
    }

    /// Until there may be something to tell: an edge may be told again, or a row is due.
    fn pause(&self, waiting: &[Waiting], now: Instant) -> Duration {
        let left =
            |edge: &Edge| edge.not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let edge = self.edges.iter().map(left).min().unwrap_or_default();
        if !edge.is_zero() {
            // None may be told anything before.
            return edge;
        }
        let young = waiting.iter().map(|row| HEAD_START.saturating_sub(row.age));
        let others = self.edges.iter().map(left);
        young.chain(others).filter(|left| !left.is_zero()).min().unwrap_or(POLL).min(POLL)
    }
}
