//! One edge, over HTTP, and how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use tidewall_api::ops::EdgeStatus;
use tidewall_api::purge::Purge;

use super::answer::{Answer, Failure, Reason, judge};
use super::delivery::{Delivery, Waiting, next};
use super::metrics::OutboxMetrics;
use super::settings::{EdgeSettings, Endpoint};
use crate::backoff::Backoff;
use crate::telemetry::chain;

/// An edge that takes longer is asked again.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// A connection that can't be made in that time is tried again.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Most that is read of an answer.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// When an edge that failed is told again. Its log may be out of reach for hours, and it
/// is to be no further behind than a few seconds once it is back.
const RETRY: Backoff = Backoff { base: Duration::from_millis(100), delay_max: Duration::from_secs(5) };

/// A client for all edges.
pub(super) fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        // One that the environment names is for what is out in the world.
        .no_proxy()
        // The token is for the edge, and for nobody it names.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_MAX)
        .timeout(ANSWER_MAX)
        .build()
}

/// What an edge says of itself; `None`: it doesn't answer, or not in that form.
pub(super) async fn status(
    client: &Client,
    endpoint: &Endpoint,
    authorization: &HeaderValue,
) -> Option<EdgeStatus> {
    let asked = client.get(endpoint.status.clone()).header(AUTHORIZATION, authorization).send().await;
    asked.ok()?.error_for_status().ok()?.json().await.ok()
}

/// An edge.
pub(super) struct Edge {
    client: Client,
    endpoint: Endpoint,
    authorization: HeaderValue,
    /// Rows that it has accepted and that others have not.
    accepted: BTreeSet<i64>,
    /// Rows that it has refused, and why.
    refused: BTreeMap<i64, String>,
    /// Rows up to here are told one by one: among them is one that it refuses.
    alone_until: i64,
    /// Failures in a row.
    failures: u32,
    last_failure: Option<Reason>,
    /// Not to be told anything before.
    pub(super) not_before: Option<Instant>,
}

impl Edge {
    pub(super) fn all(settings: &EdgeSettings) -> Result<Vec<Self>, reqwest::Error> {
        let client = client()?;
        let edge = |endpoint: &Endpoint| Self {
            client: client.clone(),
            endpoint: endpoint.clone(),
            authorization: settings.authorization.clone(),
            accepted: BTreeSet::new(),
            refused: BTreeMap::new(),
            alone_until: 0,
            failures: 0,
            last_failure: None,
            not_before: None,
        };
        Ok(settings.endpoints.iter().map(edge).collect())
    }

    /// Forgets the rows that are gone.
    pub(super) fn retain(&mut self, waiting: &[Waiting]) {
        let waits: BTreeSet<i64> = waiting.iter().map(|row| row.id).collect();
        self.accepted.retain(|id| waits.contains(id));
        self.refused.retain(|id, _| waits.contains(id));
    }

    /// It has accepted the row, or refused it for good.
    pub(super) fn is_done(&self, id: i64) -> bool {
        self.accepted.contains(&id) || self.refused.contains_key(&id)
    }

    /// Why it has refused the row, if it has.
    pub(super) fn refusal(&self, id: i64) -> Option<String> {
        self.refused.get(&id).map(|reason| format!("{}: {reason}", self.endpoint.name))
    }

    /// What it is to be told now.
    pub(super) fn next(&self, due: &[Waiting], now: Instant) -> Option<Delivery> {
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return None;
        }
        next(due, |id| self.is_done(id), self.alone_until)
    }

    /// Tells it, and notes what it says.
    pub(super) async fn tell(&mut self, delivery: Delivery, lsn: u64, metrics: &OutboxMetrics) {
        let Delivery { ids, purge } = delivery;
        match self.post(&Purge { lsn: Some(lsn), ..purge }).await {
            Answer::Accepted => {
                if self.failures > 0 {
                    tracing::info!(
                        edge = self.endpoint.name,
                        after = self.failures,
                        "the edge accepts again"
                    );
                }
                self.recover();
                self.accepted.extend(ids);
            }
            Answer::Refused(reason) => {
                self.recover();
                match ids[..] {
                    [id] => {
                        tracing::error!(
                            edge = self.endpoint.name,
                            row = id,
                            reason,
                            "the edge refuses an invalidation for good; what it names may be served until it \
                             expires. The row is set aside: once the cause is mended, UPDATE outbox \
                             SET failed_at = NULL, failure = NULL"
                        );
                        self.refused.insert(id, reason);
                    }
                    [.., last] => self.alone_until = last,
                    [] => {}
                }
            }
            Answer::Failed(failure) => self.fail(&failure, metrics),
        }
    }

    fn recover(&mut self) {
        (self.failures, self.last_failure, self.not_before) = (0, None, None);
    }

    fn fail(&mut self, failure: &Failure, metrics: &OutboxMetrics) {
        let Failure { reason, detail } = failure;
        metrics.retry(*reason);
        self.failures = self.failures.saturating_add(1);
        let delay = RETRY.delay(self.failures, fastrand::u32(..));
        self.not_before = Some(Instant::now() + delay);
        // Not each time: an edge may be away for hours.
        if self.last_failure.replace(*reason) != Some(*reason) || self.failures.is_power_of_two() {
            tracing::warn!(
                edge = self.endpoint.name,
                reason = reason.as_str(),
                detail,
                failures = self.failures,
                "the edge has not accepted an invalidation, and is told again: {}",
                reason.advice()
            );
        }
    }

    async fn post(&self, purge: &Purge) -> Answer {
        let request = self
            .client
            .post(self.endpoint.purge.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .json(purge);
        let answered = async {
            let mut response = request.send().await?;
            let status = response.status().as_u16();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                body.extend_from_slice(&chunk);
                if body.len() > BODY_BYTES_MAX {
                    break;
                }
            }
            Ok((status, body))
        };
        match answered.await {
            Ok((status, body)) => judge(status, &body),
            Err(error) => Answer::Failed(failure(&error)),
        }
    }
}

fn failure(error: &reqwest::Error) -> Failure {
    let reason = if error.is_timeout() { Reason::Timeout } else { Reason::Unreachable };
    Failure { reason, detail: chain(error).to_string() }
}
