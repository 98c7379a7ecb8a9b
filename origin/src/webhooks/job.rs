//! The job that tells an endpoint of an event.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::answer::{Verdict, judge};
use super::event::Event;
use super::exchange::{Exchange, ExchangeError, Outgoing};
use super::signature::Secret;
use super::storage::{self, Endpoint};
use super::target::{Addresses, Target};
use crate::backoff::Backoff;
use crate::db::Db;
use crate::queue::{Handler, JobContext, JobError, Limits, NewJob, Outcome};
use crate::sealing::Sealing;
use crate::timestamp::rfc3339;

/// What an endpoint is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Which endpoint: its URL and secret are those of the moment it is told.
    endpoint: i64,
    /// The event's name.
    event: String,
    /// When it was published.
    at: String,
    /// What there is to say of it.
    body: Value,
}

/// The job that tells `endpoint` what happened at `now`.
pub(super) fn telling(
    endpoint: i64,
    event: Event,
    body: &Value,
    now: OffsetDateTime,
) -> Result<NewJob, serde_json::Error> {
    let message = Message { endpoint, event: event.name().to_owned(), at: rfc3339(now), body: body.clone() };
    Ok(NewJob::of::<WebhookHandler>(&message)?.key(endpoint.to_string()))
}

/// Tells endpoints.
pub struct WebhookHandler {
    db: Db,
    sealing: Sealing,
    exchange: Exchange,
    addresses: Addresses,
}

impl WebhookHandler {
    pub(super) fn new(db: Db, sealing: Sealing, exchange: Exchange, addresses: Addresses) -> Self {
        Self { db, sealing, exchange, addresses }
    }

    async fn tell(&self, endpoint: Endpoint, message: &Message, job: i64) -> Result<Outcome<()>, JobError> {
        let Endpoint { url, sealed } = endpoint;
        let target = Target::parse(&url, self.addresses)
            .map_err(|error| JobError::discard("the endpoint's URL can't be used", error))?;
        // Somebody may bring the right key back.
        let secret = self
            .sealing
            .open(&sealed, &url)
            .map_err(|error| JobError::retry("the endpoint's secret can't be opened", error))?;
        let outgoing = sign(&Secret::new(&secret), message, job, OffsetDateTime::now_utc())
            .map_err(|error| JobError::discard("the message can't be written", error))?;
        let answer = self.exchange.post(&target, outgoing).await.map_err(|error| match error {
            ExchangeError::Address => JobError::discard("the endpoint's address is not public", error),
            ExchangeError::Request(_) => JobError::discard("the message can't be sent", error),
            _ => JobError::retry("the endpoint can't be reached", error),
        })?;
        let status = answer.status;
        match judge(status, answer.retry_after_s) {
            Verdict::Taken => Ok(Outcome::Done(())),
            Verdict::Again => {
                Err(JobError::retry("the endpoint could not take it", format!("it answered {status}")))
            }
            Verdict::Later(wait) => {
                let answer = format!("it answered {status}, and asks for {} s", wait.as_secs());
                Err(JobError::retry("the endpoint can't take it now", answer).after(wait))
            }
            Verdict::Discard => {
                Err(JobError::discard("the endpoint has refused it", format!("it answered {status}")))
            }
        }
    }
}

/// The request that tells `message`: all attempts of a job have the same id and body, by which
/// who was told before knows it.
fn sign(
    secret: &Secret<'_>,
    message: &Message,
    job: i64,
    now: OffsetDateTime,
) -> Result<Outgoing, serde_json::Error> {
    let body =
        serde_json::to_vec(&json!({ "type": message.event, "timestamp": message.at, "data": message.body }))?;
    // With the moment: another database counts its jobs from 1 as well.
    let at: String = message.at.chars().filter(char::is_ascii_digit).collect();
    let (id, timestamp) = (format!("msg_{at}_{job}"), now.unix_timestamp());
    let signature = secret.sign(&id, timestamp, &body);
    Ok(Outgoing { id, timestamp, signature, body })
}

impl Handler for WebhookHandler {
    const KIND: &'static str = "webhook";
    /// One that is slow doesn't hold up the others.
    const LIMITS: Limits = Limits { per_key: Some(2), ..Limits::NONE };
    /// Some days in all: whoever receives it may be away over a weekend.
    const ATTEMPTS_MAX: i32 = 20;
    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(10), delay_max: Duration::from_hours(6) };
    type Payload = Message;
    type Output = ();

    async fn run(&self, message: Message, job: JobContext) -> Result<Outcome<()>, JobError> {
        let read = async { storage::endpoint(&*self.db.read(job.position).await?, message.endpoint).await };
        let endpoint =
            read.await.map_err(|error| JobError::retry("the database could not be read", error))?;
        match endpoint {
            Some(endpoint) => self.tell(endpoint, &message, job.id).await,
            // A replica may not have it yet.
            None if job.position.is_none() => {
                Err(JobError::retry("the endpoint isn't found", "no position to read at"))
            }
            None => Err(JobError::discard("the endpoint is gone", "there is no such endpoint any more")),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn attempts_differ_in_their_time_alone() {
        let message = Message {
            endpoint: 1,
            event: "thing.made".to_owned(),
            at: "2026-01-01T00:00:00.000Z".to_owned(),
            body: json!({ "id": 7 }),
        };
        let secret = Secret::new(&[7; 32]);
        let first = sign(&secret, &message, 42, datetime!(2026-01-01 0:00 UTC)).unwrap();
        let second = sign(&secret, &message, 42, datetime!(2026-01-01 0:01 UTC)).unwrap();
        assert_eq!((&first.id, &first.body), (&second.id, &second.body));
        assert_eq!(first.id, "msg_20260101000000000_42");
        assert_eq!(second.timestamp - first.timestamp, 60);
        assert_ne!(first.signature, second.signature);
        let body: Value = serde_json::from_slice(&first.body).unwrap();
        assert_eq!(
            body,
            json!({ "type": "thing.made", "timestamp": "2026-01-01T00:00:00.000Z", "data": { "id": 7 } })
        );
    }
}
