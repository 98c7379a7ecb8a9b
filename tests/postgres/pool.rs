//! The pool: how many connections there are, who gets one, and what is said to who doesn't.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tidewall_origin::db::{Cause, Db, DbError, DbSettings, Exhausted, PoolSettings};
use tokio_postgres::Client;

use crate::world::{Metrics, SOON, Test, World, until};

pub(crate) const TESTS: &[Test] = &[
    ("pool::connections_lie_ready_before_anybody_asks", connections_lie_ready_before_anybody_asks),
    ("pool::a_thousand_callers_share_max_connections", a_thousand_callers_share_max_connections),
    ("pool::idle_connections_beyond_min_are_closed", idle_connections_beyond_min_are_closed),
    ("pool::old_connections_are_replaced", old_connections_are_replaced),
    ("pool::who_waits_in_vain_is_told_why_and_by_whom", who_waits_in_vain_is_told_why_and_by_whom),
    ("pool::past_the_bound_of_waiters_callers_are_refused", past_the_bound_of_waiters_callers_are_refused),
    ("pool::a_lane_is_kept_while_all_others_wait", a_lane_is_kept_while_all_others_wait),
    ("pool::a_statement_given_up_is_stopped_at_the_server", a_statement_given_up_is_stopped_at_the_server),
    ("pool::a_failed_transaction_is_not_taken_for_a_commit", a_failed_transaction_is_not_taken_for_a_commit),
    ("pool::a_commit_that_is_not_flushed_is_not_allowed", a_commit_that_is_not_flushed_is_not_allowed),
    ("pool::a_database_that_refuses_is_named", a_database_that_refuses_is_named),
];

/// Connections that a server has from `app`.
async fn connections(client: &Client, app: &str) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    client.query_one(count, &[&app]).await.unwrap().get(0)
}

/// Two connections for everybody, and a short wait.
fn small() -> PoolSettings {
    PoolSettings { min: 1, max: 5, acquire_deadline: Duration::from_secs(3), ..PoolSettings::default() }
}

fn connections_lie_ready_before_anybody_asks(world: &World) {
    world.run(async {
        let db = world.db_ready("ready", PoolSettings::default()).await;
        for server in 0..3 {
            let client = world.server(server).await;
            until("five connections are open", || async { connections(&client, "ready").await == 5 }).await;
        }
        let metrics = Metrics::of(&db);
        let connects = || metrics.get("tidewall_db_connects_total{server=\"primary\",outcome=\"ok\"}");
        // The server has five before the last of them is counted.
        until("they are counted", || async { connects() >= 5.0 }).await;
        let before = connects();
        for _ in 0..100 {
            // One of the five is the monitor's.
            let four = join_all((0..4).map(|_| db.writer())).await;
            assert!(four.iter().all(Result::is_ok));
        }
        assert!((connects() - before).abs() < f64::EPSILON, "a warm acquire has connected");
    });
}

fn a_thousand_callers_share_max_connections(world: &World) {
    world.run(async {
        let db = world.db_ready("thousand", PoolSettings::default()).await;
        let done = Arc::new(AtomicI64::new(0));
        let callers = (0..1_000).map(|number| {
            let (db, done) = (db.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let sleep = "SELECT pg_sleep(0.004)";
                if number % 2 == 0 {
                    db.writer().await?.query_one(sleep, &[]).await?;
                } else {
                    db.read(None).await?.query_one(sleep, &[]).await?;
                }
                done.fetch_add(1, Ordering::Relaxed);
                Ok::<(), DbError>(())
            })
        });
        let callers: Vec<_> = callers.collect();
        let mut most = [0; 3];
        let clients = [world.server(0).await, world.server(1).await, world.server(2).await];
        while !callers.iter().all(tokio::task::JoinHandle::is_finished) {
            for (most, client) in most.iter_mut().zip(&clients) {
                *most = connections(client, "thousand").await.max(*most);
            }
        }
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
        assert!(most[0] <= 20 && most[1] <= 50 && most[2] <= 50, "{most:?}");
        assert!(most[0] >= 10, "there was no load: {most:?}");
    });
}

fn idle_connections_beyond_min_are_closed(world: &World) {
    world.run(async {
        let pool = PoolSettings { idle: Duration::from_millis(500), ..PoolSettings::default() };
        let db = world.db_ready("idle", pool).await;
        let client = world.server(0).await;
        let held = join_all((0..12).map(|_| db.writer())).await;
        assert!(held.iter().all(Result::is_ok));
        assert!(connections(&client, "idle").await >= 13);
        drop(held);
        until("five are left", || async { connections(&client, "idle").await == 5 }).await;
        assert!(Metrics::of(&db).get("tidewall_db_closes_total{server=\"primary\",reason=\"idle\"}") >= 8.0);
    });
}

fn old_connections_are_replaced(world: &World) {
    world.run(async {
        let pool = PoolSettings { lifetime: Duration::from_secs(1), ..PoolSettings::default() };
        let _db = world.db_ready("old", pool).await;
        let client = world.server(0).await;
        let pids = async || {
            let pids = "SELECT pid FROM pg_stat_activity WHERE application_name = 'old'";
            let rows = client.query(pids, &[]).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>()
        };
        until("there are five", || async { pids().await.len() == 5 }).await;
        let before = pids().await;
        until("all but the monitor's are others", || async {
            let now = pids().await;
            now.len() == 5 && now.iter().filter(|pid| before.contains(pid)).count() <= 1
        })
        .await;
    });
}

async fn exhausted(db: &Db) -> Exhausted {
    match db.writer().await.map(drop) {
        Err(DbError::Exhausted(exhausted)) => *exhausted,
        other => panic!("{other:?}"),
    }
}

fn who_waits_in_vain_is_told_why_and_by_whom(world: &World) {
    world.run(async {
        let db = world.db_ready("vain", small()).await;
        let slow = [db.writer().await.unwrap(), db.writer().await.unwrap()];
        let running = slow.map(|connection| {
            tokio::spawn(
                async move { connection.query_one("SELECT 'secret', pg_sleep(12)", &[]).await.map(drop) },
            )
        });
        let client = world.server(0).await;
        until("both run", || async {
            let count = "SELECT count(*) FROM pg_stat_activity
                WHERE application_name = 'vain' AND wait_event = 'PgSleep'";
            client.query_one(count, &[]).await.unwrap().get::<_, i64>(0) == 2
        })
        .await;
        let told = exhausted(&db).await;
        assert_eq!((told.cause, told.in_use, told.capacity), (Cause::SlowStatements, 2, 2));
        let shown = told.to_string();
        assert!(
            shown.contains("tests/postgres/pool.rs") && shown.contains("running `SELECT ?, pg_sleep(?)`"),
            "{shown}"
        );
        assert!(!shown.contains("secret"), "{shown}");
        for running in running {
            running.await.unwrap().unwrap();
        }

        let leaked = [db.writer().await.unwrap(), db.writer().await.unwrap()];
        assert_eq!(exhausted(&db).await.cause, Cause::Leaked);
        drop(leaked);

        // Each has its connection for a moment only, and there are many. Where the machine stands still
        // for a second, that is no burst any more.
        until("a burst is told as one", || async {
            let burst = (0..90).map(|_| async {
                match db.writer().await {
                    Ok(connection) => connection.query_one("SELECT pg_sleep(0.1)", &[]).await.map(drop),
                    Err(error) => Err(error),
                }
            });
            let causes = join_all(burst).await.into_iter().filter_map(|outcome| match outcome {
                Err(DbError::Exhausted(exhausted)) => Some(exhausted.cause),
                _ => None,
            });
            let causes: Vec<_> = causes.collect();
            !causes.is_empty() && causes.iter().all(|cause| *cause == Cause::Burst)
        })
        .await;
    });
}

fn past_the_bound_of_waiters_callers_are_refused(world: &World) {
    world.run(async {
        let pool = PoolSettings { acquire_deadline: Duration::from_secs(30), ..small() };
        let db = world.db_ready("bound", pool).await;
        let held = [db.writer().await.unwrap(), db.writer().await.unwrap()];
        // Fifty may wait for each of the two.
        let waiters: Vec<_> = (0..100)
            .map(|_| db.clone())
            .map(|db| tokio::spawn(async move { db.writer().await.map(drop) }))
            .collect();
        let metrics = Metrics::of(&db);
        until("all of them wait", || async {
            metrics.get("tidewall_db_waiting{server=\"primary\"}") >= 100.0
        })
        .await;
        let begun = Instant::now();
        assert!(matches!(db.writer().await.map(drop), Err(DbError::Overloaded { waiting: 100, .. })));
        assert!(begun.elapsed() < pool.acquire_deadline / 2, "it waited before it was refused");
        drop(held);
        for waiter in waiters {
            waiter.await.unwrap().unwrap();
        }
    });
}

fn a_lane_is_kept_while_all_others_wait(world: &World) {
    world.run(async {
        let db = world.db_ready("lane", small()).await;
        let _held = [db.writer().await.unwrap(), db.writer().await.unwrap()];
        exhausted(&db).await;
        let reserved = db.reserved();
        reserved.writer().await.unwrap().query_one("SELECT 1", &[]).await.unwrap();
        reserved.write(async |transaction| transaction.query_one("SELECT 1", &[]).await).await.unwrap();
    });
}

fn a_statement_given_up_is_stopped_at_the_server(world: &World) {
    world.run(async {
        let db = world.db_ready("given-up", PoolSettings::default()).await;
        let client = world.server(0).await;
        let running = async || {
            let running = "SELECT count(*) FROM pg_stat_activity
                WHERE application_name = 'given-up' AND state <> 'idle' AND query LIKE '%pg_sleep(600)%'";
            client.query_one(running, &[]).await.unwrap().get::<_, i64>(0)
        };
        let connection = db.writer().await.unwrap();
        let statement =
            tokio::spawn(async move { connection.query_one("SELECT pg_sleep(600)", &[]).await.map(drop) });
        until("it runs", || async { running().await == 1 }).await;
        statement.abort();
        until("it is stopped", || async { running().await == 0 }).await;

        let transaction = tokio::spawn({
            let db = db.clone();
            async move {
                db.write(async |transaction| transaction.query_one("SELECT pg_sleep(600)", &[]).await)
                    .await
                    .map(drop)
            }
        });
        until("it runs", || async { running().await == 1 }).await;
        transaction.abort();
        until("it is stopped", || async { running().await == 0 }).await;
        let metrics = Metrics::of(&db);
        let closed = || metrics.get("tidewall_db_closes_total{server=\"primary\",reason=\"abandoned\"}");
        // The server says so before the client has heard of it.
        until("both are counted", || async { closed() >= 2.0 }).await;
        assert!((closed() - 2.0).abs() < f64::EPSILON, "{}", closed());

        // While they are being stopped, they count: many at once make room for no more than max.
        for _ in 0..3 {
            let many: Vec<_> = (0..17)
                .map(|_| {
                    let db = db.clone();
                    tokio::spawn(async move {
                        db.writer().await?.query_one("SELECT pg_sleep(600)", &[]).await.map(drop)
                    })
                })
                .collect();
            until("they run", || async { running().await == 17 }).await;
            assert!(connections(&client, "given-up").await <= 20);
            for one in many {
                one.abort();
            }
        }
        until("all are stopped", || async { running().await == 0 }).await;
    });
}

fn a_failed_transaction_is_not_taken_for_a_commit(world: &World) {
    world.run(async {
        let db = world.db_ready("failed", PoolSettings::default()).await;
        let holder = world.server(0).await;
        holder.batch_execute("SELECT pg_advisory_lock(4712)").await.unwrap();
        let insert = "INSERT INTO facts (id, value) VALUES (-1, 1)";
        let outcome = db
            .write(async |transaction| {
                transaction.execute(insert, &[]).await?;
                // The caller thinks nothing of it; the server does.
                let _ = transaction.query("SELECT 1 / 0", &[]).await;
                Ok::<(), DbError>(())
            })
            .await;
        assert!(matches!(outcome, Err(DbError::Aborted { .. })), "{outcome:?}");
        // Nor does one count that was given up, and fails after that.
        let outcome = db
            .write(async |transaction| {
                transaction.execute(insert, &[]).await?;
                let fails = transaction.query("SELECT 1 / length(pg_advisory_xact_lock(4712)::text)", &[]);
                let waits = "SELECT count(*) FROM pg_locks
                    WHERE locktype = 'advisory' AND objid = 4712 AND NOT granted";
                tokio::select! {
                    ended = fails => panic!("{ended:?}"),
                    () = until("it runs", || async {
                        holder.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) > 0
                    }) => {}
                }
                holder.batch_execute("SELECT pg_advisory_unlock(4712)").await.unwrap();
                Ok::<(), DbError>(())
            })
            .await;
        assert!(matches!(outcome, Err(DbError::Aborted { .. })), "{outcome:?}");
        // Nor a COPY that was begun and not ended.
        let outcome = db
            .write(async |transaction| {
                transaction.execute(insert, &[]).await?;
                drop(transaction.copy_in("COPY facts FROM STDIN").await?);
                Ok::<(), DbError>(())
            })
            .await;
        assert!(matches!(outcome, Err(DbError::Aborted { .. })), "{outcome:?}");
        // What only the caller takes for an error is none.
        let outcome = db
            .write(async |transaction| {
                transaction.query_one("SELECT 1 WHERE false", &[]).await.map(drop).or(Ok::<(), DbError>(()))
            })
            .await;
        assert!(outcome.is_ok(), "{outcome:?}");
        let refused = db
            .write(async |transaction| {
                transaction.execute(insert, &[]).await?;
                Err::<(), DbError>(DbError::NoPrimary { servers: "a reason of the caller's".to_owned() })
            })
            .await;
        assert!(matches!(refused, Err(DbError::NoPrimary { .. })), "{refused:?}");
        let found = db.writer().await.unwrap().query_opt("SELECT 1 FROM facts WHERE id = -1", &[]).await;
        assert!(found.unwrap().is_none(), "it was written all the same");
    });
}

fn a_commit_that_is_not_flushed_is_not_allowed(world: &World) {
    world.run(async {
        let off = format!("{}?options=-c%20synchronous_commit%3Doff", world.url(0));
        let db = Db::new(DbSettings::parse(&off, &[]).unwrap());
        let row = db.writer().await.unwrap().query_one("SHOW synchronous_commit", &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "on");
    });
}

fn a_database_that_refuses_is_named(world: &World) {
    world.run(async {
        let wrong = world.url(0).replace("postgres://postgres:", "postgres://nobody:hidden");
        let db = Db::new(DbSettings::parse(&wrong, &[]).unwrap());
        let begun = Instant::now();
        let error = db.writer().await.map(drop).unwrap_err();
        assert!(matches!(error, DbError::NoPrimary { .. }), "{error:?}");
        assert_eq!(error.to_string(), "no primary: primary is unreachable");
        assert!(begun.elapsed() < SOON, "it waited for what can't come");
    });
}
