//! The limit: no library. One statement claims jobs and deletes them, so they are
//! done the moment it commits; nothing is leased, retried, counted or kept. Jobs
//! are added by one INSERT of an array.

use std::sync::Arc;

use futures::future::try_join_all;
use tokio::time::sleep;
use tokio_postgres::{Client, Statement};

use super::CONNECTIONS;
use super::library::{InProcess, Library, Stop};
use super::place::Place;
use super::tally::Tally;
use crate::database;
use crate::error::Reason;

pub(super) const PLACE: Place = Place {
    database: "bench_queue_bare",
    is_left: "SELECT EXISTS (SELECT FROM jobs)",
    clear: "TRUNCATE jobs",
};

const CREATE: &str =
    "CREATE TABLE jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb NOT NULL)";
const ENQUEUE: &str =
    "INSERT INTO jobs (payload) SELECT to_jsonb(number) FROM unnest($1::bigint[]) AS number";
const CLAIM: &str = "
    WITH due AS (SELECT id FROM jobs ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED)
    DELETE FROM jobs USING due WHERE jobs.id = due.id RETURNING payload::bigint";
/// Workers, each with a connection: more don't claim faster.
const WORKERS: usize = 2;
/// Time to the next claim when there was nothing.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(1);

pub(super) struct Bare {
    connections: Vec<Connection>,
    next: std::sync::atomic::AtomicUsize,
}

struct Connection {
    client: Client,
    enqueue: Statement,
    claim: Statement,
}

pub(super) async fn connect(url: String) -> Result<InProcess<Bare>, Reason> {
    let config = url.parse()?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = database::connect(&config).await?;
        if connections.is_empty() {
            client.batch_execute(CREATE).await?;
        }
        let enqueue = client.prepare(ENQUEUE).await?;
        let claim = client.prepare(CLAIM).await?;
        connections.push(Connection { client, enqueue, claim });
    }
    Ok(InProcess::new(Bare { connections, next: std::sync::atomic::AtomicUsize::new(0) }))
}

impl Library for Bare {
    const BATCH: usize = 10_000;

    async fn enqueue(&self, numbers: &[u32]) -> Result<(), Reason> {
        let next = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let Connection { client, enqueue, .. } = &self.connections[next % self.connections.len()];
        let numbers: Vec<i64> = numbers.iter().map(|&number| i64::from(number)).collect();
        client.execute(enqueue, &[&numbers]).await?;
        Ok(())
    }

    async fn enqueue_one(&self, number: u32) -> Result<(), Reason> {
        self.enqueue(&[number]).await
    }

    async fn work(&self, tally: Arc<Tally>, stop: Stop) -> Result<(), Reason> {
        let workers =
            self.connections.iter().take(WORKERS).map(async |Connection { client, claim, .. }| {
                while !stop.is_told() {
                    let rows = client.query(claim, &[]).await?;
                    for row in &rows {
                        tally.begun(u32::try_from(row.try_get::<_, i64>(0)?)?);
                    }
                    if rows.is_empty() {
                        sleep(PAUSE).await;
                    }
                }
                Ok::<_, Reason>(())
            });
        try_join_all(workers).await?;
        Ok(())
    }
}
