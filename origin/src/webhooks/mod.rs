//! What happens here, told to programs of others: signed as Standard Webhooks has it
//! (standardwebhooks.com), and told again until they have taken it.
//!
//! An event is published in the transaction that gives rise to it, as one job for each endpoint
//! that has subscribed to it. Who asks for an endpoint says where requests are sent from inside,
//! so only public addresses are spoken to, whatever the names resolve to at that moment.
//!
//! - `event`: what there is to be told of; `address`: which addresses are public; `target`: what
//!   a URL may be; `signature`: what a message is signed with; `answer`: what an endpoint's answer
//!   means. Pure.
//! - `exchange`: one request. `job`: the job that sends it. `storage`: every SQL statement.
//! - [`endpoints`]: the endpoints, for those who look after them.

mod address;
mod answer;
pub mod endpoints;
mod event;
mod exchange;
mod job;
mod signature;
mod storage;
mod target;

use serde_json::Value;
use time::OffsetDateTime;

pub use endpoints::EndpointRow;
pub use event::{Event, Events};
pub use job::WebhookHandler;
pub use storage::hot_statements;
pub use target::{Addresses, TargetError};

use crate::db::{Db, DbError, Transaction};
use crate::queue::{Handlers, NewJobError, Queue};
use crate::sealing::{NONCE_BYTES, Sealing};
use crate::signing::Secrets;
use exchange::Exchange;
use signature::{SECRET_BYTES, Secret};
use target::Target;

/// The endpoints, and the way to them; cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    sealing: Sealing,
    addresses: Addresses,
}

/// An endpoint that will be told of events. Has no `Debug`: it holds a secret.
pub struct Subscribed {
    /// Its URL, in the form in which it is kept.
    pub url: String,
    /// What its messages are signed with, as `whsec_…`. It is told here alone.
    pub secret: String,
    /// There was none of this URL.
    pub is_new: bool,
}

/// Why nothing was subscribed or published.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Nothing can be sent there.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// It can't be written down.
    #[error("the message can't be written down")]
    Payload(#[from] serde_json::Error),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[from] getrandom::Error),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The queue.
    #[error(transparent)]
    Job(#[from] NewJobError),
}

impl Webhooks {
    /// With the secrets of the endpoints sealed by keys of `secrets`.
    pub fn new(secrets: &Secrets, addresses: Addresses) -> Self {
        Self { sealing: Sealing::new(secrets, "webhook endpoints"), addresses }
    }

    /// Has `url` be told of these events once `transaction` commits, and no more of others. It has
    /// a new secret from then on, also where it was told of events before.
    pub async fn subscribe(
        &self,
        transaction: &Transaction,
        url: &str,
        events: &[Event],
    ) -> Result<Subscribed, WebhookError> {
        let target = Target::parse(url, self.addresses)?;
        let (mut secret, mut nonce) = ([0; SECRET_BYTES], [0; NONCE_BYTES]);
        getrandom::fill(&mut secret)?;
        getrandom::fill(&mut nonce)?;
        let url = target.url();
        let sealed = self.sealing.seal(&secret, url, nonce);
        let is_new = storage::put_endpoint(transaction, url, &sealed, events).await?;
        Ok(Subscribed { url: url.to_owned(), secret: Secret::new(&secret).text(), is_new })
    }

    /// Tells each endpoint that has subscribed to `event` once `transaction` commits; their number.
    pub async fn publish(
        &self,
        queue: &Queue,
        transaction: &Transaction,
        event: Event,
        body: &Value,
    ) -> Result<usize, WebhookError> {
        let endpoints = storage::subscribed(transaction, event).await?;
        let now = OffsetDateTime::now_utc();
        let jobs = endpoints.iter().map(|endpoint| job::telling(*endpoint, event, body, now));
        let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
        queue.enqueue_all(transaction, &jobs).await?;
        Ok(endpoints.len())
    }

    /// Adds the handler that sends what was published.
    #[must_use]
    pub fn add_to(&self, handlers: Handlers, db: Db) -> Handlers {
        let Self { sealing, addresses } = self.clone();
        handlers.with(WebhookHandler::new(db, sealing, Exchange::new(addresses), addresses))
    }
}
