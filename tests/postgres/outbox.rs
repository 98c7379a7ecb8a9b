//! What writes make invalid, and how the edge comes to know: over edges that are away,
//! slow or refuse, and deliverers that are killed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tidewall_api::purge::Purge;
use tidewall_origin::db::{Db, DbError, PoolSettings, Written};
use tidewall_origin::outbox::{EdgeSettings, Invalidated, Invalidation, Outbox};
use tokio::task::JoinHandle;
use tokio_postgres::types::PgLsn;

use crate::edge::{Edge, TOKEN};
use crate::program::Program;
use crate::world::{Test, World, until};

pub(crate) const TESTS: &[Test] = &[
    (
        "outbox::what_was_committed_is_delivered_once_the_edge_is_there",
        what_was_committed_is_delivered_once_the_edge_is_there,
    ),
    ("outbox::an_answer_has_a_head_start", an_answer_has_a_head_start),
    ("outbox::the_order_is_kept_over_failures", the_order_is_kept_over_failures),
    ("outbox::what_commits_late_is_not_lost", what_commits_late_is_not_lost),
    ("outbox::the_position_is_past_the_commit", the_position_is_past_the_commit),
    ("outbox::one_process_at_a_time_delivers", one_process_at_a_time_delivers),
    ("outbox::a_killed_deliverers_work_is_taken_over", a_killed_deliverers_work_is_taken_over),
    ("outbox::a_deliverer_that_stands_still_is_replaced", a_deliverer_that_stands_still_is_replaced),
    ("outbox::what_an_edge_refuses_is_set_aside", what_an_edge_refuses_is_set_aside),
    ("outbox::a_backlog_is_told_together", a_backlog_is_told_together),
    (
        "outbox::an_edge_that_is_away_does_not_hold_the_others_up",
        an_edge_that_is_away_does_not_hold_the_others_up,
    ),
    ("outbox::a_wrong_token_is_tried_again", a_wrong_token_is_tried_again),
    ("outbox::the_databases_restart_loses_nothing", the_databases_restart_loses_nothing),
    ("outbox::a_transaction_has_one_invalidation", a_transaction_has_one_invalidation),
    ("outbox::without_an_edge_nothing_is_written_down", without_an_edge_nothing_is_written_down),
];

/// One process's outbox and deliverer, as the library has them.
pub(crate) struct Sender {
    pub(crate) db: Db,
    pub(crate) outbox: Outbox,
    _delivering: Option<Delivering>,
}

/// A deliverer, which stops when dropped.
struct Delivering(JoinHandle<()>);

impl Delivering {
    fn start(outbox: &Outbox, db: &Db) -> Self {
        let (outbox, db) = (outbox.clone(), db.clone());
        Self(tokio::spawn(async move { outbox.deliver(db, Duration::ZERO).await }))
    }
}

impl Drop for Delivering {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sender {
    /// One that only enqueues.
    pub(crate) fn idle(world: &World, edges: &[String]) -> Self {
        let db = world.db("outbox", PoolSettings::default());
        let settings = EdgeSettings::parse(edges, TOKEN).unwrap();
        Self { db, outbox: Outbox::new(settings), _delivering: None }
    }

    pub(crate) fn delivering(world: &World, edges: &[String]) -> Self {
        let sender = Self::idle(world, edges);
        let delivering = Delivering::start(&sender.outbox, &sender.db);
        Self { _delivering: Some(delivering), ..sender }
    }

    /// Commits an invalidation.
    async fn write(&self, groups: &[&str]) -> Result<Written<Invalidated>, DbError> {
        let invalidation = Invalidation::of_groups(groups);
        self.db.write(async |transaction| self.outbox.enqueue(transaction, invalidation).await).await
    }

    /// The write's name.
    async fn write_id(&self, groups: &[&str]) -> u64 {
        self.write(groups).await.unwrap().value.in_band().write.unwrap()
    }

    fn metric(&self, series: &str) -> f64 {
        let mut registry = Registry::default();
        self.outbox.register_metrics(&mut registry);
        let mut page = String::new();
        text::encode(&mut page, &registry).unwrap();
        page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok()).unwrap_or(0.0)
    }

    /// Waits for what is counted once it is committed, and so after a test can see the rows.
    async fn until_counted(&self, counter: &str, expected: f64) {
        until(&format!("{counter} is {expected}"), || async { self.metric(counter) == expected }).await;
    }

    /// Waits for what any server's rows say: a replica has them a moment after the primary.
    async fn until_observed(&self, gauge: &str, expected: f64) {
        until(&format!("{gauge} is {expected}"), || async {
            self.outbox.observe(&self.db).await.unwrap();
            self.metric(gauge) == expected
        })
        .await;
    }
}

/// Rows that wait, and rows that were set aside.
pub(crate) async fn rows(db: &Db) -> (i64, i64) {
    let connection = db.writer().await.unwrap();
    let count = "SELECT count(*) - count(failed_at), count(failed_at) FROM outbox";
    let row = connection.query_one(count, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

pub(crate) async fn until_delivered(db: &Db) {
    until("everything is delivered", || async { rows(db).await.0 == 0 }).await;
}

/// Every row is old enough to be told, however long it took to write them.
async fn until_due(db: &Db) {
    let youngest = "SELECT min(clock_timestamp() - enqueued_at) > interval '200 ms' FROM outbox";
    until("everything is due", || async {
        db.writer().await.unwrap().query_one(youngest, &[]).await.unwrap().get(0)
    })
    .await;
}

fn writes(purges: &[Purge]) -> Vec<u64> {
    purges.iter().filter_map(|purge| purge.write).collect()
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn what_was_committed_is_delivered_once_the_edge_is_there(world: &World) {
    world.run(async {
        let address = Edge::address_of_none().await;
        let sender = Sender::delivering(world, &[url(address)]);
        let written = sender.write(&["a", "bücher"]).await.unwrap();
        let position = written.position.unwrap().get();
        let given_up = sender
            .db
            .write(async |transaction| {
                let _never = sender.outbox.enqueue(transaction, Invalidation::of_groups(["never"])).await?;
                transaction.query_one("SELECT 1 / 0", &[]).await.map(drop)
            })
            .await;
        assert!(given_up.is_err());
        let retries = "tidewall_outbox_retries_total{reason=\"unreachable\"}";
        until("it is tried again", || async { sender.metric(retries) >= 3.0 }).await;
        assert_eq!(rows(&sender.db).await, (1, 0));
        sender.until_observed("tidewall_outbox_rows", 1.0).await;
        assert!(sender.metric("tidewall_outbox_oldest_seconds") > 0.2);

        let edge = Edge::start_at(address).await;
        until_delivered(&sender.db).await;
        let later = sender.write_id(&["later"]).await;
        until_delivered(&sender.db).await;
        let told = edge.accepted();
        let in_band = written.value.in_band();
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(
            Purge { lsn: None, ..told[0].clone() },
            Purge { groups: in_band.groups.to_vec(), write: in_band.write, ..Purge::default() },
            "it says what the write's answer says"
        );
        assert_eq!(told[0].groups, ["a", "b%C3%BCcher"]);
        assert!(told[0].lsn.unwrap() >= position);
        assert_eq!(told[1].write, Some(later), "and never what was rolled back");
        sender.until_counted("tidewall_outbox_delivered_total", 2.0).await;
        sender.until_observed("tidewall_outbox_oldest_seconds", 0.0).await;
    });
}

fn an_answer_has_a_head_start(world: &World) {
    world.run(async {
        let edge = Edge::start().await;
        let sender = Sender::delivering(world, &[edge.url()]);
        for _ in 0..5 {
            let before = edge.told().len();
            // From before the row, and its delivery is noticed at once.
            let begun = Instant::now();
            sender.write(&["a"]).await.unwrap();
            until("it is delivered", || async { edge.told().len() > before }).await;
            let after = edge.told()[before].at - begun;
            assert!(after >= Duration::from_millis(200), "{after:?}");
        }
    });
}

fn the_order_is_kept_over_failures(world: &World) {
    world.run(async {
        // Each is refused for a while first.
        let edge = Edge::start().await.answering(|purge| {
            static SEEN: std::sync::Mutex<BTreeMap<u64, u32>> = std::sync::Mutex::new(BTreeMap::new());
            let mut seen = SEEN.lock().unwrap();
            let times = seen.entry(purge.write.unwrap()).or_default();
            *times += 1;
            (if *times > 2 { 200 } else { 503 }, Duration::ZERO)
        });
        let sender = Sender::delivering(world, &[edge.url()]);
        let mut expected = Vec::new();
        for _ in 0..8 {
            expected.push(sender.write_id(&["a"]).await);
        }
        until_delivered(&sender.db).await;
        assert_eq!(writes(&edge.accepted()), expected);
        // Not even a try of a later one comes before an earlier one is accepted.
        let tried: Vec<_> = edge.told().iter().filter_map(|told| told.purge.write).collect();
        assert!(tried.is_sorted(), "{tried:?}");
        assert_eq!(sender.metric("tidewall_outbox_retries_total{reason=\"unable\"}"), 16.0);
    });
}

fn what_commits_late_is_not_lost(world: &World) {
    world.run(async {
        let edge = Edge::start().await;
        let sender = Sender::delivering(world, &[edge.url()]);
        let late = sender
            .db
            .write(async |transaction| {
                let late = sender.outbox.enqueue(transaction, Invalidation::of_groups(["a"])).await?;
                // A row with a greater id comes and goes meanwhile.
                let early = sender.write_id(&["b"]).await;
                until("it is delivered", || async { writes(&edge.accepted()) == [early] }).await;
                Ok::<_, DbError>(late.in_band().write)
            })
            .await
            .unwrap();
        until_delivered(&sender.db).await;
        assert_eq!(edge.accepted().last().unwrap().write, late.value);
    });
}

fn the_position_is_past_the_commit(world: &World) {
    world.run(async {
        let is_open = Arc::new(AtomicBool::new(false));
        let open = Arc::clone(&is_open);
        let edge = Edge::start()
            .await
            .answering(move |_| (if open.load(Ordering::SeqCst) { 200 } else { 503 }, Duration::ZERO));
        // So many that what comes next is told together with them, in the round that finds it.
        let sender = Sender::idle(world, &[edge.url()]);
        for _ in 0..20 {
            sender.write(&["first"]).await.unwrap();
        }
        let sender = Sender::delivering(world, &[edge.url()]);
        until("the deliverer is at it", || async { !edge.told().is_empty() }).await;
        let written = sender
            .db
            .write(async |transaction| {
                let _second = sender.outbox.enqueue(transaction, Invalidation::of_groups(["second"])).await?;
                tokio::time::sleep(Duration::from_millis(250)).await;
                // The deliverer's next look finds the row, and not before this commits.
                transaction.batch("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE").await?;
                let waits =
                    "SELECT count(*) FROM pg_locks WHERE relation = 'outbox'::regclass AND NOT granted";
                until("it waits", || async {
                    transaction.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) > 0
                })
                .await;
                transaction.execute("INSERT INTO facts VALUES (-1, 0)", &[]).await?;
                let before = transaction.query_one("SELECT pg_current_wal_insert_lsn()", &[]).await?;
                let before: u64 = before.get::<_, PgLsn>(0).into();
                is_open.store(true, Ordering::SeqCst);
                Ok::<_, DbError>(before)
            })
            .await;
        let before = written.unwrap().value;
        until_delivered(&sender.db).await;
        let told = edge.accepted();
        let lsn = told.iter().find(|purge| purge.groups.contains(&"second".to_owned())).unwrap().lsn.unwrap();
        assert!(lsn > before, "{lsn} is not past {before}");
    });
}

fn one_process_at_a_time_delivers(world: &World) {
    world.run(async {
        let edge = Edge::start().await.answering(|_| (200, Duration::from_millis(5)));
        let senders = [(); 3].map(|()| Sender::delivering(world, &[edge.url()]));
        let mut expected = Vec::new();
        for _ in 0..10 {
            for sender in &senders {
                for _ in 0..3 {
                    expected.push(sender.write_id(&["a"]).await);
                }
            }
            // With what is added they are too few to be told together.
            until("they keep up", || async { rows(&senders[0].db).await.0 <= 10 }).await;
        }
        until_delivered(&senders[0].db).await;
        let mut told = writes(&edge.accepted());
        told.sort_unstable();
        assert_eq!(told, expected, "each once, and alone");
        assert_eq!(edge.in_flight_max(), 1);
        let by = || senders.iter().map(|sender| sender.metric("tidewall_outbox_delivered_total"));
        until("each is counted once", || async { by().sum::<f64>() == 90.0 }).await;
    });
}

/// A deliverer in a process of its own that has told the edge, and waits for its answer.
async fn in_the_middle(world: &World, edge: &Edge, sender: &Sender) -> (Program, u64) {
    let mut program = Program::worker(world, &edge.url());
    let write = sender.write_id(&["a"]).await;
    until("the process tells it", || {
        program.check();
        std::future::ready(edge.in_flight_max() > 0)
    })
    .await;
    (program, write)
}

fn a_killed_deliverers_work_is_taken_over(world: &World) {
    world.run(async {
        let mute = Edge::start().await.answering(|_| (200, Duration::from_secs(600)));
        let edge = Edge::start().await;
        let sender = Sender::idle(world, &[edge.url()]);
        let (program, write) = in_the_middle(world, &mute, &sender).await;
        drop(program);
        let sender = Sender::delivering(world, &[edge.url()]);
        let killed = Instant::now();
        until_delivered(&sender.db).await;
        // Rather than when the server finds it silent.
        assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
        assert_eq!(writes(&edge.accepted()), [write]);
    });
}

fn a_deliverer_that_stands_still_is_replaced(world: &World) {
    world.run(async {
        let mute = Edge::start().await.answering(|_| (200, Duration::from_secs(600)));
        let edge = Edge::start().await;
        let sender = Sender::idle(world, &[edge.url()]);
        let (program, write) = in_the_middle(world, &mute, &sender).await;
        program.stand_still();
        let sender = Sender::delivering(world, &[edge.url()]);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(edge.told().len(), 0, "it might still go on");
        until_delivered(&sender.db).await;
        assert_eq!(writes(&edge.accepted()), [write]);
    });
}

fn is_poison(purge: &Purge) -> bool {
    purge.groups.iter().any(|group| group == "poison")
}

fn what_an_edge_refuses_is_set_aside(world: &World) {
    world.run(async {
        let edge =
            Edge::start().await.answering(|purge| (if is_poison(purge) { 422 } else { 200 }, Duration::ZERO));
        let sender = Sender::idle(world, &[edge.url()]);
        // So many that they are told together, and among them one that is refused.
        let mut expected = Vec::new();
        for number in 0..30 {
            if number == 7 {
                sender.write(&["poison"]).await.unwrap();
            } else {
                expected.push(sender.write_id(&[&format!("g{number}")]).await);
            }
        }
        until_due(&sender.db).await;
        let sender = Sender::delivering(world, &[edge.url()]);
        until_delivered(&sender.db).await;
        assert_eq!(writes(&edge.accepted()), expected, "the others come through, one by one");
        assert_eq!(rows(&sender.db).await, (0, 1));
        sender.until_counted("tidewall_outbox_failed_total", 1.0).await;
        sender.until_observed("tidewall_outbox_failed_rows", 1.0).await;
        let connection = sender.db.writer().await.unwrap();
        let failure = connection.query_one("SELECT failure FROM outbox WHERE failed_at IS NOT NULL", &[]);
        let failure: String = failure.await.unwrap().get(0);
        assert_eq!(failure, format!("{}: status 422: as the test wants", edge.url()));

        // What can't be read is set aside as well.
        let odd = "INSERT INTO outbox (purge) VALUES ('{\"tags\": [\"a\"]}')";
        connection.execute(odd, &[]).await.unwrap();
        drop(connection);
        let next = sender.write_id(&["next"]).await;
        until_delivered(&sender.db).await;
        assert_eq!(rows(&sender.db).await, (0, 2));
        assert_eq!(edge.accepted().last().unwrap().write, Some(next));
        sender.db.writer().await.unwrap().execute("DELETE FROM outbox", &[]).await.unwrap();
    });
}

fn a_backlog_is_told_together(world: &World) {
    world.run(async {
        let edge = Edge::start().await;
        let sender = Sender::idle(world, &[edge.url()]);
        for number in 0..40 {
            sender.write(&["all", &format!("g{}", number % 10)]).await.unwrap();
        }
        until_due(&sender.db).await;
        let sender = Sender::delivering(world, &[edge.url()]);
        until_delivered(&sender.db).await;
        let told = edge.accepted();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].groups.len(), told[0].write), (11, None));
        sender.until_counted("tidewall_outbox_delivered_total", 40.0).await;
    });
}

fn an_edge_that_is_away_does_not_hold_the_others_up(world: &World) {
    world.run(async {
        let (edge, away) = (Edge::start().await, Edge::address_of_none().await);
        let sender = Sender::delivering(world, &[edge.url(), url(away)]);
        let mut expected = Vec::new();
        for _ in 0..3 {
            expected.push(sender.write_id(&["a"]).await);
            until("the one that is there knows", || async { writes(&edge.accepted()) == expected }).await;
        }
        assert_eq!(rows(&sender.db).await, (3, 0));
        let back = Edge::start_at(away).await;
        until_delivered(&sender.db).await;
        assert_eq!(writes(&back.accepted()), expected);
        assert_eq!(writes(&edge.accepted()), expected, "it isn't told again");
    });
}

fn a_wrong_token_is_tried_again(world: &World) {
    world.run(async {
        let edge = Edge::start().await;
        let db = world.db("outbox", PoolSettings::default());
        let outbox = Outbox::new(EdgeSettings::parse(&[edge.url()], "another").unwrap());
        let wrong = Sender { db, outbox, _delivering: None };
        let write = wrong.write_id(&["a"]).await;
        let delivering = Delivering::start(&wrong.outbox, &wrong.db);
        let retries = "tidewall_outbox_retries_total{reason=\"unauthorized\"}";
        until("it is tried again", || async { wrong.metric(retries) >= 3.0 }).await;
        assert_eq!(rows(&wrong.db).await, (1, 0));
        // As after a restart with the right one.
        drop(delivering);
        let sender = Sender::delivering(world, &[edge.url()]);
        until_delivered(&sender.db).await;
        assert_eq!(writes(&edge.accepted()), [write]);
    });
}

fn the_databases_restart_loses_nothing(world: &World) {
    world.run(async {
        let address = Edge::address_of_none().await;
        let sender = Sender::delivering(world, &[url(address)]);
        let before = sender.write_id(&["a"]).await;
        let retries = "tidewall_outbox_retries_total{reason=\"unreachable\"}";
        until("it is under way", || async { sender.metric(retries) >= 1.0 }).await;
        world.kill(0).await;
        let edge = Edge::start_at(address).await;
        drop(world.server_soon(0).await);
        until("the edge knows", || async { writes(&edge.accepted()).contains(&before) }).await;
        let after = loop {
            match sender.write(&["b"]).await {
                Ok(written) => break written.value.in_band().write.unwrap(),
                Err(error) => assert!(error.is_unavailable(), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        until("and goes on to be told", || async { writes(&edge.accepted()).contains(&after) }).await;
        until_delivered(&sender.db).await;
    });
}

fn a_transaction_has_one_invalidation(world: &World) {
    world.run(async {
        let sender = Sender::idle(world, &["http://127.0.0.1:1".to_owned()]);
        let twice = sender
            .db
            .write(async |transaction| {
                let _first = sender.outbox.enqueue(transaction, Invalidation::of_groups(["a"])).await?;
                sender.outbox.enqueue(transaction, Invalidation::of_groups(["b"])).await
            })
            .await;
        // Both would be one write to the edge, which acts on the first alone.
        assert!(matches!(twice, Err(DbError::Statement { .. })), "{twice:?}");
        assert_eq!(rows(&sender.db).await, (0, 0));
    });
}

fn without_an_edge_nothing_is_written_down(world: &World) {
    world.run(async {
        let sender = Sender::delivering(world, &[]);
        let written = sender.write(&["a"]).await.unwrap().value;
        assert_eq!((written.in_band().groups, written.in_band().write), (&["a".to_owned()][..], None));
        assert_eq!(rows(&sender.db).await, (0, 0));
    });
}
