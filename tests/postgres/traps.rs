//! Ways to tell a position that look right and are not, each beside the right
//! one: what the library relies on is true of the server, and would be noticed
//! if it were not.

use std::time::Duration;

use tidewall_origin::db::{Db, Lsn, PoolSettings};
use tokio_postgres::Client;
use tokio_postgres::types::PgLsn;

use crate::world::{Test, World, until};

pub(crate) const TESTS: &[Test] = &[
    (
        "traps::a_position_taken_before_the_commit_misses_the_write",
        a_position_taken_before_the_commit_misses_the_write,
    ),
    ("traps::the_insert_position_may_never_be_reached", the_insert_position_may_never_be_reached),
    (
        "traps::a_position_asked_in_the_reads_own_statement_claims_too_much",
        a_position_asked_in_the_reads_own_statement_claims_too_much,
    ),
];

/// What a waiter gives a replica to catch up, in vain or not.
const PATIENCE: Duration = Duration::from_millis(500);

async fn lsn(client: &Client, what: &str) -> Lsn {
    client.query_one(&format!("SELECT {what}"), &[]).await.unwrap().get::<_, PgLsn>(0).into()
}

async fn replayed(replica: &Client) -> Lsn {
    lsn(replica, "pg_last_wal_replay_lsn()").await
}

/// Whether the replica gets to `position`, while nobody writes anything more.
async fn is_reached(replica: &Client, position: Lsn) -> bool {
    let reached = async {
        while replayed(replica).await < position {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.is_ok()
}

async fn until_reached(replica: &Client, position: Lsn) {
    until("the replica has replayed it", || async { replayed(replica).await >= position }).await;
}

async fn count(client: &Client) -> i64 {
    client.query_one("SELECT count(*) FROM facts WHERE id = 100", &[]).await.unwrap().get(0)
}

const INSERT: &str = "INSERT INTO facts (id, value) VALUES (100, 1)";

/// Whether a replica that is at `position`, and no further, lacks what was written.
async fn lacks_the_write_at(primary: &Client, replica: &Client, before_commit: bool) -> bool {
    primary.batch_execute("DELETE FROM facts WHERE id = 100").await.unwrap();
    let start = lsn(primary, "pg_current_wal_flush_lsn()").await;
    until("the replica is there", || async { replayed(replica).await >= start }).await;
    primary.batch_execute("BEGIN").await.unwrap();
    primary.batch_execute(INSERT).await.unwrap();
    let mut token = lsn(primary, "pg_current_wal_flush_lsn()").await;
    if before_commit {
        until_reached(replica, token).await;
        // Here it stays, at the token.
        replica.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
    }
    primary.batch_execute("COMMIT").await.unwrap();
    if !before_commit {
        token = lsn(primary, "pg_current_wal_flush_lsn()").await;
        until_reached(replica, token).await;
    }
    let lacks = replayed(replica).await >= token && count(replica).await == 0;
    replica.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
    lacks
}

fn a_position_taken_before_the_commit_misses_the_write(world: &World) {
    world.run(async {
        let (primary, replica) = (world.server(0).await, world.server(1).await);
        assert!(lacks_the_write_at(&primary, &replica, true).await, "this trap is none");
        for _ in 0..20 {
            assert!(!lacks_the_write_at(&primary, &replica, false).await, "the position is too early");
        }
        // And so with the library's.
        let db: Db = world.db_ready("commit", PoolSettings::default()).await;
        for _ in 0..20 {
            primary.batch_execute("DELETE FROM facts WHERE id = 100").await.unwrap();
            let written = db.write(async |transaction| transaction.execute(INSERT, &[]).await).await.unwrap();
            until_reached(&replica, written.position.unwrap()).await;
            assert_eq!(count(&replica).await, 1);
        }
    });
}

/// Bytes of a page of the log, and of the header that follows its end.
const PAGE: u64 = 8192;
const PAGE_HEADER: u64 = 24;

/// Writes a record with a message of `bytes` and flushes it; where the log ends then.
async fn emit(primary: &Client, bytes: u64) -> u64 {
    let emit = "SELECT pg_logical_emit_message(false, '', repeat('x', $1), true)";
    primary.query_one(emit, &[&i32::try_from(bytes).unwrap()]).await.unwrap();
    lsn(primary, "pg_current_wal_insert_lsn()").await.get()
}

/// Writes a record that ends with its page: the next one will begin behind the
/// header of a page that doesn't exist yet.
async fn end_with_a_page(primary: &Client) -> Lsn {
    const MESSAGE: u64 = 300;
    for _ in 0..1_000 {
        let (before, after) = (emit(primary, MESSAGE).await, emit(primary, MESSAGE).await);
        let left = PAGE - after % PAGE;
        // What a record has beside its message, its padding included.
        let overhead = (after - before).saturating_sub(MESSAGE);
        if before / PAGE == after / PAGE && left > MESSAGE + 2 * overhead {
            let end = emit(primary, left - overhead).await;
            if end % PAGE == PAGE_HEADER {
                return Lsn::new(end);
            }
        }
    }
    panic!("the log never ended with a page");
}

fn the_insert_position_may_never_be_reached(world: &World) {
    world.run(async {
        let (primary, replica) = (world.server(0).await, world.server(1).await);
        // Once in a while somebody else writes just then, which fills the page.
        let mut hung = false;
        for _ in 0..10 {
            let insert = end_with_a_page(&primary).await;
            let flushed = lsn(&primary, "pg_current_wal_flush_lsn()").await;
            // The position that the library takes is reached.
            until_reached(&replica, flushed).await;
            if !is_reached(&replica, insert).await {
                hung = true;
                break;
            }
        }
        assert!(hung, "this trap is none");
    });
}

fn a_position_asked_in_the_reads_own_statement_claims_too_much(world: &World) {
    world.run(async {
        let (primary, replica) = (world.server(0).await, world.server(1).await);
        let db = world.db_ready("label", PoolSettings::default()).await;
        primary.batch_execute("DELETE FROM facts WHERE id = 100").await.unwrap();
        let start = lsn(&primary, "pg_current_wal_flush_lsn()").await;
        until("the replicas are there", || async { replayed(&replica).await >= start }).await;

        let label_before = replayed(&replica).await;
        // Its snapshot is taken before the wait, the label after.
        let holder = world.server(1).await;
        holder.batch_execute("SELECT pg_advisory_lock(4713)").await.unwrap();
        let read = "SELECT (SELECT count(*) FROM facts WHERE id = 100), pg_advisory_lock(4713)::text, pg_last_wal_replay_lsn()";
        let reader = tokio::spawn(async move { (replica.query_one(read, &[]).await, replica) });
        until("the read has begun", || async {
            let waits = "SELECT count(*) FROM pg_locks
                WHERE locktype = 'advisory' AND objid = 4713 AND NOT granted";
            holder.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) > 0
        })
        .await;
        let token = db
            .write(async |transaction| transaction.execute(INSERT, &[]).await)
            .await
            .unwrap()
            .position
            .unwrap();
        until_reached(&holder, token).await;
        holder.batch_execute("SELECT pg_advisory_unlock(4713)").await.unwrap();
        let (row, _replica) = reader.await.unwrap();
        let row = row.unwrap();
        let (seen, label): (i64, Lsn) = (row.get(0), row.get::<_, PgLsn>(2).into());
        assert_eq!(seen, 0, "the snapshot was taken too late for this test");
        assert!(label >= token, "this trap is none: {label} is before {token}");
        assert!(label_before < token, "what the library tells, taken before, doesn't claim the write");
    });
}
