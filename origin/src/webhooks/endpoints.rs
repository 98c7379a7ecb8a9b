//! The endpoints, for those who look after them. None of it needs their secrets.

use serde_json::json;
use time::OffsetDateTime;

use super::event::Event;
use super::job::{self, WebhookHandler};
use super::target::{Addresses, Target};
use super::{WebhookError, storage};
use crate::db::DbError;
use crate::queue::{Handler as _, JobRow, Priority, Queue};

/// An endpoint, and how it goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRow {
    /// Where its messages are sent.
    pub url: String,
    /// The names of the events that it is told of.
    pub events: Vec<String>,
    /// Since when there is such an endpoint.
    pub created_at: OffsetDateTime,
    /// Messages that it is yet to be sent, or is being sent.
    pub waiting: i64,
    /// Messages that were given up, as far as they are kept.
    pub discarded: i64,
}

/// All endpoints.
///
/// # Errors
/// The database.
pub async fn list(queue: &Queue) -> Result<Vec<EndpointRow>, DbError> {
    storage::endpoints(&*queue.db().writer().await?, WebhookHandler::KIND).await
}

/// Removes the endpoint of this URL, and cancels what it was yet to be sent; the number of those
/// messages, or `None` if there is no such endpoint. A transaction that had seen it before may
/// enqueue more: their jobs find that it is gone, and are discarded.
///
/// # Errors
/// The database. If the endpoint is gone already, the jobs that are left find that as well.
pub async fn remove(queue: &Queue, url: &str) -> Result<Option<usize>, DbError> {
    let url = canonical(url);
    let removed = queue.db().write(async |transaction| storage::remove_endpoint(transaction, &url).await);
    let Some(endpoint) = removed.await?.value else { return Ok(None) };
    let waiting = storage::waiting(&*queue.db().writer().await?, WebhookHandler::KIND, endpoint).await?;
    let mut cancelled = 0;
    for job in waiting {
        cancelled += usize::from(queue.cancel(job).await?.is_some());
    }
    Ok(Some(cancelled))
}

/// Sends `ping` to the endpoint of this URL and to no other, once: whoever asks wants to know
/// how it goes now. The job that does it, or `None` if there is no such endpoint.
///
/// # Errors
/// The database.
pub async fn ping(queue: &Queue, url: &str) -> Result<Option<JobRow>, WebhookError> {
    let url = canonical(url);
    let enqueued = queue.db().write(async |transaction| {
        let Some(endpoint) = storage::find_endpoint(transaction, &url).await? else { return Ok(None) };
        let now = OffsetDateTime::now_utc();
        let job = job::telling(endpoint, Event::PING, &json!({}), now)?;
        let job = job.attempts_max(1).priority(Priority::Urgent);
        Ok::<_, WebhookError>(Some(queue.enqueue(transaction, &job).await?.job))
    });
    Ok(enqueued.await?.value)
}

/// A URL as endpoints have it, also where no new one may be.
fn canonical(url: &str) -> String {
    Target::parse(url, Addresses::Any).map_or_else(|_| url.to_owned(), |target| target.url().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_found_by_any_form_of_its_url() {
        for (typed, kept) in [
            ("https://EXAMPLE.com", "https://example.com/"),
            ("https://example.com:443/a/../b#c", "https://example.com/b"),
            ("http://10.0.0.1/", "http://10.0.0.1/"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(canonical(typed), kept);
        }
    }
}
