//! Where reads go while replicas are paused, stopped, killed and behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tidewall_origin::db::{Db, DbError, Lsn, PoolSettings, Position, Written};
use tokio::task::JoinHandle;

use crate::world::{Metrics, Stopped, Test, World, until, until_replicas_serve};

pub(crate) const TESTS: &[Test] = &[
    ("routing::a_writer_finds_its_write_on_a_replica", a_writer_finds_its_write_on_a_replica),
    ("routing::replicas_share_the_reads", replicas_share_the_reads),
    ("routing::a_reader_is_not_sent_to_who_has_not_replayed", a_reader_is_not_sent_to_who_has_not_replayed),
    (
        "routing::replicas_that_are_behind_do_not_bury_the_primary",
        replicas_that_are_behind_do_not_bury_the_primary,
    ),
    (
        "routing::a_write_through_the_read_door_is_refused_and_harms_nobody",
        a_write_through_the_read_door_is_refused_and_harms_nobody,
    ),
    ("routing::a_bookmark_from_the_future_is_ignored", a_bookmark_from_the_future_is_ignored),
    ("routing::a_replica_that_stands_still_fails_no_read", a_replica_that_stands_still_fails_no_read),
    ("routing::a_killed_replica_fails_no_read", a_killed_replica_fails_no_read),
    ("routing::without_replicas_reads_go_on", without_replicas_reads_go_on),
    (
        "routing::without_a_primary_reads_go_on_and_writes_are_refused",
        without_a_primary_reads_go_on_and_writes_are_refused,
    ),
];

/// "Re-admitted within 2 s of being well".
const READMITTED: Duration = Duration::from_secs(2);

async fn write(db: &Db, id: i64, value: i64) -> Result<Written<u64>, DbError> {
    let upsert = "INSERT INTO facts (id, value) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET value = excluded.value";
    db.write(async |transaction| transaction.execute(upsert, &[&id, &value]).await).await
}

async fn read(db: &Db, id: i64, bookmark: Option<Lsn>) -> Result<(Option<i64>, Position), DbError> {
    db.read_with(bookmark, |connection| {
        Box::pin(async move {
            let row = connection.query_opt("SELECT value FROM facts WHERE id = $1", &[&id]).await?;
            Ok(row.map(|row| row.get(0)))
        })
    })
    .await
}

fn a_writer_finds_its_write_on_a_replica(world: &World) {
    world.run(async {
        let db = world.db_ready("finds", PoolSettings::default()).await;
        // Each time it is right; and on a machine that lets replicas replay in time, it is a replica's.
        until("replicas serve the writer", || async {
            let mut on_replicas = 0;
            for value in 0..100 {
                let position =
                    write(&db, 1, value).await.unwrap().position.expect("a write has its position");
                let (found, read_at) = read(&db, 1, Some(position)).await.unwrap();
                assert_eq!(found, Some(value));
                if let Position::AtLeast(at) = read_at {
                    assert!(at >= position, "{at} is before {position}");
                    on_replicas += 1;
                }
            }
            on_replicas >= 80
        })
        .await;
    });
}

fn replicas_share_the_reads(world: &World) {
    world.run(async {
        let db = world.db_ready("share", PoolSettings::default()).await;
        for _ in 0..200 {
            read(&db, 1, None).await.unwrap();
        }
        let metrics = Metrics::of(&db);
        let reads =
            |server| metrics.get(&format!("tidewall_db_queries_total{{server=\"{server}\",kind=\"read\"}}"));
        assert!(reads("replica1") >= 80.0 && reads("replica2") >= 80.0);
        assert!(reads("primary") < 1.0);
    });
}

async fn pause(world: &World, pause: bool) {
    let sql = if pause { "SELECT pg_wal_replay_pause()" } else { "SELECT pg_wal_replay_resume()" };
    for replica in [1, 2] {
        let client = world.server(replica).await;
        client.batch_execute(sql).await.unwrap();
        let is_so =
            "SELECT pg_get_wal_replay_pause_state() = CASE WHEN $1 THEN 'paused' ELSE 'not paused' END";
        until("the replay is as wanted", || async {
            client.query_one(is_so, &[&pause]).await.unwrap().get(0)
        })
        .await;
    }
}

fn a_reader_is_not_sent_to_who_has_not_replayed(world: &World) {
    world.run(async {
        let db = world.db_ready("behind", PoolSettings::default()).await;
        pause(world, true).await;
        let position = write(&db, 2, 7).await.unwrap().position;
        let (found, read_at) = read(&db, 2, position).await.unwrap();
        assert_eq!((found, read_at), (Some(7), Position::Primary));
        // Nobody is served by who stands still, since nobody knows for how long.
        until_replicas_serve(&db, 0).await;
        assert_eq!(read(&db, 2, None).await.unwrap(), (Some(7), Position::Primary));

        pause(world, false).await;
        let well = Instant::now();
        until_replicas_serve(&db, 2).await;
        assert!(well.elapsed() < READMITTED, "{:?}", well.elapsed());
        until("a replica has it", || async {
            let (found, read_at) = read(&db, 2, position).await.unwrap();
            assert_eq!(found, Some(7));
            read_at != Position::Primary
        })
        .await;
    });
}

fn replicas_that_are_behind_do_not_bury_the_primary(world: &World) {
    world.run(async {
        let db = world.db_ready("bury", PoolSettings::default()).await;
        pause(world, true).await;
        let position = write(&db, 3, 1).await.unwrap().position;
        let client = world.server(0).await;
        let readers: Vec<_> = (0..300)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    db.read(position).await?.query_one("SELECT pg_sleep(0.05)", &[]).await.map(drop)
                })
            })
            .collect();
        let active = "SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'bury' AND state = 'active' AND query LIKE '%pg_sleep%'";
        let (mut most, mut writes) = (0, 0);
        while !readers.iter().all(JoinHandle::is_finished) {
            most = client.query_one(active, &[]).await.unwrap().get::<_, i64>(0).max(most);
            // Writes find connections that no reader may have.
            write(&db, 3, writes).await.unwrap();
            writes += 1;
        }
        for reader in readers {
            match reader.await.unwrap() {
                Ok(()) => {}
                Err(error) => assert!(error.is_overload(), "{error}"),
            }
        }
        pause(world, false).await;
        // Half of the seventeen that are for everybody.
        assert!((1..=9).contains(&most), "{most} reads at once on the primary");
        assert!(writes > 0);
    });
}

fn a_write_through_the_read_door_is_refused_and_harms_nobody(world: &World) {
    world.run(async {
        let db = world.db_ready("wrong-door", PoolSettings::default()).await;
        let insert = "INSERT INTO facts (id, value) VALUES (-2, 1)";
        for _ in 0..5 {
            let refused = db
                .read_with(None, |connection| Box::pin(async move { connection.query(insert, &[]).await }))
                .await;
            assert!(matches!(refused, Err(DbError::Statement { .. })), "{refused:?}");
            assert_eq!(Metrics::of(&db).serving(), ["replica1", "replica2"]);
        }
    });
}

fn a_bookmark_from_the_future_is_ignored(world: &World) {
    world.run(async {
        let db = world.db_ready("future", PoolSettings::default()).await;
        let metrics = Metrics::of(&db);
        let ignored = || metrics.get("tidewall_db_bookmarks_ignored_total{reason=\"future\"}");
        for _ in 0..5 {
            let (_, read_at) = read(&db, 1, Some(Lsn::new(u64::MAX))).await.unwrap();
            assert_ne!(read_at, Position::Primary);
        }
        assert!((ignored() - 5.0).abs() < f64::EPSILON);
    });
}

/// Reads as fast as they are answered, until told to stop.
struct Readers {
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Vec<DbError>>>,
}

impl Readers {
    fn start(db: &Db) -> Self {
        let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let tasks = (0..16)
            .map(|_| {
                let (db, stop, reads) = (db.clone(), Arc::clone(&stop), Arc::clone(&reads));
                tokio::spawn(async move {
                    let mut errors = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        match read(&db, 1, None).await {
                            Ok(_) => {
                                reads.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => errors.push(error),
                        }
                    }
                    errors
                })
            })
            .collect();
        Self { stop, reads, tasks }
    }

    /// Waits until each of them could read some more.
    async fn go_on(&self) {
        let before = self.reads.load(Ordering::Relaxed);
        until("reads go on", || async { self.reads.load(Ordering::Relaxed) > before + 2_000 }).await;
    }

    /// What failed, of how many.
    async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let errors = join_all(self.tasks).await;
        errors.into_iter().flat_map(Result::unwrap).map(|error| error.to_string()).collect()
    }
}

fn a_replica_that_stands_still_fails_no_read(world: &World) {
    world.run(async {
        let db = world.db_ready("still", PoolSettings::default()).await;
        let readers = Readers::start(&db);
        readers.go_on().await;
        let stopped = Stopped::new(world.processes(1).await);
        until_replicas_serve(&db, 1).await;
        readers.go_on().await;
        drop(stopped);
        let well = Instant::now();
        until_replicas_serve(&db, 2).await;
        assert!(well.elapsed() < READMITTED, "{:?}", well.elapsed());
        assert_eq!(readers.stop().await, Vec::<String>::new());
    });
}

fn a_killed_replica_fails_no_read(world: &World) {
    world.run(async {
        let db = world.db_ready("killed", PoolSettings::default()).await;
        let readers = Readers::start(&db);
        readers.go_on().await;
        world.kill(2).await;
        until_replicas_serve(&db, 1).await;
        readers.go_on().await;
        world.server_soon(2).await;
        let well = Instant::now();
        until_replicas_serve(&db, 2).await;
        assert!(well.elapsed() < READMITTED, "{:?}", well.elapsed());
        assert_eq!(readers.stop().await, Vec::<String>::new());
    });
}

fn without_replicas_reads_go_on(world: &World) {
    world.run(async {
        let db = world.db_ready("alone", PoolSettings::default()).await;
        let readers = Readers::start(&db);
        readers.go_on().await;
        let stopped = (Stopped::new(world.processes(1).await), Stopped::new(world.processes(2).await));
        until_replicas_serve(&db, 0).await;
        readers.go_on().await;
        drop(stopped);
        until_replicas_serve(&db, 2).await;
        assert_eq!(readers.stop().await, Vec::<String>::new());
    });
}

fn without_a_primary_reads_go_on_and_writes_are_refused(world: &World) {
    world.run(async {
        let db = world.db_ready("headless", PoolSettings::default()).await;
        write(&db, 1, 1).await.unwrap();
        let readers = Readers::start(&db);
        readers.go_on().await;
        let stopped = Stopped::new(world.processes(0).await);
        // Until that was noticed, writes wait for it; then they are refused at once.
        until("writes are refused", || async {
            matches!(write(&db, 4, 4).await, Err(DbError::NoPrimary { .. }))
        })
        .await;
        let begun = Instant::now();
        assert!(write(&db, 4, 4).await.unwrap_err().is_unavailable());
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        readers.go_on().await;
        drop(stopped);
        until("writes are back", || async { write(&db, 4, 4).await.is_ok() }).await;

        world.kill(0).await;
        readers.go_on().await;
        world.server_soon(0).await;
        let well = Instant::now();
        until("writes are back", || async { write(&db, 5, 5).await.is_ok() }).await;
        assert!(well.elapsed() < READMITTED, "{:?}", well.elapsed());
        assert_eq!(readers.stop().await, Vec::<String>::new());
        until_replicas_serve(&db, 2).await;
    });
}
