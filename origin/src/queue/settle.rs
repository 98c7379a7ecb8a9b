//! Writes down how attempts ended, many at once.
//!
//! What ends while the last ends are being written waits and is written together: the more ends,
//! the more there are in each statement, and a single one waits for nothing.

use std::sync::Arc;
use std::time::Duration;

use tidewall_api::job::JobState;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::ending::Ending;
use super::handler::Retention;
use super::running::Running;
use super::storage::settle::{Ended, settle};
use crate::db::{Db, DbError};
use crate::telemetry::chain;

/// Ends written by one statement.
const BATCH_MAX: usize = 1_000;
/// Time to the next try when the database is out of reach.
const AGAIN: Duration = Duration::from_millis(500);

/// Writes until nobody is left who could end.
pub(super) async fn settle_all(db: Db, mut ends: mpsc::UnboundedReceiver<Ended>, running: Arc<Running>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while ends.recv_many(&mut batch, BATCH_MAX).await > 0 {
        settle_batch(&db, &batch).await;
        running.settled(&batch);
        batch.clear();
    }
}

/// Goes on trying: as long as the ends aren't written the jobs are this worker's, and once its
/// lease has run out there is nothing to change any more.
async fn settle_batch(db: &Db, batch: &[Ended]) {
    loop {
        match write(db, batch).await {
            Ok(settled) => {
                if settled < batch.len() as u64 {
                    tracing::warn!(
                        ended = batch.len(),
                        settled,
                        "later attempts own some of the jobs that ended"
                    );
                }
                return;
            }
            // One of them can't be written, such as a text with a NUL: the others can.
            Err(error) if error.is_bad_data() => match batch {
                [] => return,
                [one] => {
                    tracing::error!(job = one.id, error = %chain(&error), "a job's end can't be written");
                    match unwritable(one) {
                        Some(instead) => return Box::pin(settle_batch(db, &[instead])).await,
                        None => return,
                    }
                }
                many => {
                    let (first, second) = many.split_at(many.len() / 2);
                    Box::pin(settle_batch(db, first)).await;
                    return Box::pin(settle_batch(db, second)).await;
                }
            },
            Err(error) => {
                tracing::warn!(error = %chain(&error), ended = batch.len(), "ends can't be written yet");
                sleep(AGAIN).await;
            }
        }
    }
}

async fn write(db: &Db, batch: &[Ended]) -> Result<u64, DbError> {
    settle(&db.writer().await?, batch).await
}

/// What is written instead of an end that can't be.
fn unwritable(ended: &Ended) -> Option<Ended> {
    let message = "the job's result can't be kept";
    let ending = match &ended.ending {
        Ending::End { error, .. } if error.as_deref() == Some(message) => return None,
        _ => Ending::End {
            state: JobState::Discarded,
            error: Some(message.to_owned()),
            keep: Retention::DEFAULT.failed,
        },
    };
    Some(Ended { ending, ..ended.clone() })
}
