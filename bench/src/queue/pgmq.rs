//! The crate `pgmq`, which is a queue of messages: it has no handlers and no
//! retries, and a message that was read is deleted by whoever read it. Two readers
//! take 500 at a time, as the bare loop does, and delete them together.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use pgmq::{Message, PGMQueueExt};
use sqlx::postgres::PgPoolOptions;
use tokio::time::sleep;

use super::CONNECTIONS;
use super::library::{InProcess, Library, Stop};
use super::place::Place;
use super::tally::Tally;
use crate::error::Reason;

pub(super) const PLACE: Place = Place {
    database: "bench_queue_pgmq",
    is_left: "SELECT EXISTS (SELECT FROM pgmq.q_noop)",
    clear: "TRUNCATE pgmq.q_noop",
};

const QUEUE: &str = "noop";
const READERS: usize = 2;
const BATCH: i32 = 500;
/// For how long nobody else gets a message that was read.
const INVISIBLE: Duration = Duration::from_secs(30);
/// Time to the next look when there was nothing.
const PAUSE: Duration = Duration::from_millis(1);

pub(super) struct Pgmq {
    queue: PGMQueueExt,
}

pub(super) async fn connect(url: String) -> Result<InProcess<Pgmq>, Reason> {
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&url).await?;
    let queue = PGMQueueExt::new_with_pool(pool).await;
    queue.install_sql_from_embedded().await?;
    queue.create(QUEUE).await?;
    Ok(InProcess::new(Pgmq { queue }))
}

impl Library for Pgmq {
    const BATCH: usize = 5_000;

    async fn enqueue(&self, numbers: &[u32]) -> Result<(), Reason> {
        self.queue.send_batch(QUEUE, numbers).await?;
        Ok(())
    }

    async fn enqueue_one(&self, number: u32) -> Result<(), Reason> {
        self.queue.send(QUEUE, &number).await?;
        Ok(())
    }

    async fn work(&self, tally: Arc<Tally>, stop: Stop) -> Result<(), Reason> {
        let readers = (0..READERS).map(async |_| {
            while !stop.is_told() {
                let messages: Vec<Message<u32>> = self.queue.read_batch(QUEUE, INVISIBLE, BATCH).await?;
                if messages.is_empty() {
                    sleep(PAUSE).await;
                    continue;
                }
                for message in &messages {
                    tally.begun(message.message);
                }
                let ids: Vec<i64> = messages.iter().map(|message| message.msg_id).collect();
                self.queue.delete_batch(QUEUE, &ids).await?;
            }
            Ok::<_, Reason>(())
        });
        try_join_all(readers).await?;
        Ok(())
    }
}
