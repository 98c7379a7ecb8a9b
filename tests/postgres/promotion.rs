//! Replicas are promoted while the old primary still runs: the worst case, since
//! both take writes.

use std::time::{Duration, Instant};

use tidewall_api::job::JobState;
use tidewall_api::purge::Purge;
use tidewall_origin::db::{DbError, PoolSettings, Position, Written};
use tidewall_origin::outbox::{Invalidated, Invalidation};
use tidewall_origin::queue::{Handlers, Queue};
use tokio_postgres::Client;

use crate::edge::Edge;
use crate::outbox::{Sender, until_delivered};
use crate::queue::{Act, Acts, Notes, Worker, enqueue_job, job, note, until_noted, until_state};
use crate::world::{Metrics, Test, World, until};

pub(crate) const TESTS: &[Test] = &[
    ("promotion::everybody_follows_the_new_primary_at_once", everybody_follows_the_new_primary_at_once),
    (
        "promotion::the_edge_drops_everything_once_for_each_promotion",
        the_edge_drops_everything_once_for_each_promotion,
    ),
];

/// "Writes back within 2 s of the promotion's end".
const BACK: Duration = Duration::from_secs(2);

fn everybody_follows_the_new_primary_at_once(world: &World) {
    world.run(async {
        let db = world.db_ready("promoted", PoolSettings::default()).await;
        let metrics = Metrics::of(&db);
        let ports = [0, 1, 2].map(|server| {
            let url = world.url(server);
            url.rsplit(':').next().unwrap().split('/').next().unwrap().parse::<i32>().unwrap()
        });
        let port = "SELECT inet_server_port()";
        let write = async || {
            let written = db
                .write(async |transaction| {
                    let row = transaction.query_one(port, &[]).await?;
                    transaction.execute("UPDATE facts SET value = value + 1 WHERE id = 1", &[]).await?;
                    Ok::<i32, DbError>(row.get(0))
                })
                .await?;
            Ok::<_, DbError>(written)
        };
        assert_eq!(write().await.unwrap().value, ports[0]);
        let jobs = Jobs::start(world).await;
        let (replica, other) = (world.server(1).await, world.server(2).await);
        until("the replica has the claim", || jobs.are_claimed(&replica)).await;
        // Nothing of the old primary may reach the other one that the new one never had.
        follow(&other, "").await;
        follow(&replica, "").await;
        jobs.go_on_unseen().await;

        // These have the old primary's connections, and one more waits for its turn there.
        let old = world.server(0).await;
        old.batch_execute("SELECT pg_advisory_lock(4714)").await.unwrap();
        let holders: Vec<_> = (0..17)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    let wait = "SELECT pg_advisory_xact_lock_shared(4714)::text";
                    db.writer().await?.query_one(wait, &[]).await.map(drop)
                })
            })
            .collect();
        until("all connections are in use", || async {
            metrics.get("tidewall_db_connections{server=\"primary\",state=\"in_use\"}") >= 18.0
        })
        .await;
        let waiter = tokio::spawn({
            let db = db.clone();
            async move {
                let row = db.writer().await?.query_one(port, &[]).await?;
                Ok::<i32, DbError>(row.get(0))
            }
        });
        until("it waits", || async { metrics.get("tidewall_db_waiting{server=\"primary\"}") >= 1.0 }).await;

        assert!(replica.query_one("SELECT pg_promote()", &[]).await.unwrap().get::<_, bool>(0));
        let promoted = Instant::now();
        // Who comes before it is seen waits for a turn at the old one as well.
        until("the promotion is seen", || async {
            metrics.get("tidewall_db_server_state{server=\"replica1\",state=\"primary\"}") > 0.0
        })
        .await;
        old.batch_execute("SELECT pg_advisory_unlock(4714)").await.unwrap();
        until("writes go to the new primary", || async {
            write().await.is_ok_and(|written| written.value == ports[1])
        })
        .await;
        assert!(promoted.elapsed() < BACK, "{:?}", promoted.elapsed());
        jobs.go_on().await;
        for holder in holders {
            holder.await.unwrap().unwrap();
        }
        assert_eq!(
            waiter.await.unwrap().unwrap(),
            ports[1],
            "its turn came when the old one was none any more"
        );

        // The old one answers still, and the other replica is on its timeline. Neither is asked any more.
        for _ in 0..100 {
            let written = write().await.unwrap();
            assert_eq!(written.value, ports[1]);
            let connection = db.read(written.position).await.unwrap();
            assert_eq!(connection.position(), Position::Primary);
            assert_eq!(connection.query_one(port, &[]).await.unwrap().get::<_, i32>(0), ports[1]);
        }
        for server in ["primary", "replica2"] {
            let state = format!("tidewall_db_server_state{{server=\"{server}\",state=\"other_timeline\"}}");
            assert!(metrics.get(&state) > 0.0, "{server}");
        }
        assert_eq!(metrics.serving(), Vec::<String>::new());
        let closed = metrics.get("tidewall_db_closes_total{server=\"primary\",reason=\"role_changed\"}");
        assert!(closed >= 4.0, "the connections to the old primary were dropped: {closed}");

        // Once it follows the new primary, the other replica serves again.
        let here: String = other.query_one("SHOW primary_conninfo", &[]).await.unwrap().get(0);
        assert_eq!(here, "");
        let password = world.url(1).split(':').nth(2).unwrap().split('@').next().unwrap().to_owned();
        let new = format!("host=127.0.0.1 port={} user=postgres password={password}", ports[1]);
        follow(&other, &new).await;
        until("the replica serves", || async { metrics.serving() == ["replica2"] }).await;
        until("it serves a writer", || async {
            let written = write().await.unwrap();
            let connection = db.read(written.position).await.unwrap();
            let Position::AtLeast(at) = connection.position() else { return false };
            assert!(at >= written.position.unwrap());
            assert_eq!(connection.query_one(port, &[]).await.unwrap().get::<_, i32>(0), ports[2]);
            true
        })
        .await;
    });
}

/// A worker that nobody tells of the promotion, and that is ahead of what the new primary has: one
/// job has ended, and another one was claimed.
struct Jobs {
    queue: Queue,
    notes: Notes,
    worker: Worker,
    ended: i64,
    claimed: i64,
}

impl Jobs {
    async fn start(world: &World) -> Self {
        let queue = Queue::new(world.db_ready("promoted-jobs", PoolSettings::default()).await, None);
        let notes = Notes::default();
        let handlers = Handlers::default().with(Acts(notes.clone()));
        let worker = Worker::start_with(&queue, handlers, 1, Vec::new());
        let ended = enqueue_job(&queue, job(&Act::Until("nobody sees".to_owned()))).await;
        let claimed = enqueue_job(&queue, job(&Act::Until("go on".to_owned()))).await;
        until_noted(&notes, 1).await;
        Self { queue, notes, worker, ended, claimed }
    }

    /// At this server the one runs and the other one waits.
    async fn are_claimed(&self, server: &Client) -> bool {
        let states = "SELECT array_agg(state ORDER BY id) FROM jobs WHERE id = $1 OR id = $2";
        let row = server.query_one(states, &[&self.ended, &self.claimed]).await.unwrap();
        row.get::<_, Option<Vec<String>>>(0).is_some_and(|states| states == ["running", "available"])
    }

    async fn go_on_unseen(&self) {
        self.notes.push("nobody sees");
        until_state(&self.queue, self.ended, JobState::Completed).await;
        until("the next one runs", || async { self.notes.all().contains(&"waits: go on".to_owned()) }).await;
    }

    /// What the new primary knows nothing of happens again there, and what is enqueued there is run.
    async fn go_on(self) {
        let Self { queue, notes, worker, ended, claimed } = self;
        notes.push("go on");
        let new = note("at the new primary");
        until("jobs are enqueued", || async {
            let enqueued =
                queue.db().write(async |transaction| queue.enqueue(transaction, &new).await.map(drop));
            enqueued.await.is_ok()
        })
        .await;
        until("they are run", || async { notes.all().contains(&"at the new primary".to_owned()) }).await;
        for id in [ended, claimed] {
            until_state(&queue, id, JobState::Completed).await;
        }
        let begun = notes.all().iter().filter(|note| *note == "waits: nobody sees").count();
        assert_eq!(begun, 2, "its end was lost");
        worker.stop().await;
    }
}

/// Has a running replica follow another server, or none.
async fn follow(replica: &Client, conninfo: &str) {
    replica.batch_execute(&format!("ALTER SYSTEM SET primary_conninfo = '{conninfo}'")).await.unwrap();
    replica.batch_execute("ALTER SYSTEM SET primary_slot_name = ''").await.unwrap();
    replica.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let receivers = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'";
    until("it follows as it was told", || async {
        let row = replica.query_one(receivers, &[]).await.unwrap();
        row.get::<_, i64>(0) == i64::from(!conninfo.is_empty())
    })
    .await;
}

/// What an edge was told of everything, rather than of something.
fn of_everything(edge: &Edge) -> Vec<Purge> {
    edge.accepted().into_iter().filter(|purge| purge.all).collect()
}

fn the_edge_drops_everything_once_for_each_promotion(world: &World) {
    world.run(async {
        let edge = Edge::start().await;
        // Nobody was there when the other one was promoted.
        let senders = [(); 3].map(|()| Sender::delivering(world, &[edge.url()]));
        until("the edge drops everything", || async { of_everything(&edge).len() == 1 }).await;
        let first = of_everything(&edge)[0].clone();
        assert_eq!((first.write, first.soft), (None, false));
        assert!(first.lsn.is_some());

        // Numbers of transactions may have been given by both servers.
        let written = enqueue(&senders[0]).await.unwrap();
        assert_eq!(written.value.in_band().write, None);
        until_delivered(&senders[0].db).await;
        assert_eq!(edge.accepted().last().unwrap().write, None);

        let replica = world.server(2).await;
        assert!(replica.query_one("SELECT pg_promote()", &[]).await.unwrap().get::<_, bool>(0));
        until("it does so again", || async { of_everything(&edge).len() == 2 }).await;
        // Whoever else sees it, and later, too.
        let again = Sender::delivering(world, &[edge.url()]);
        for sender in senders.iter().chain([&again]) {
            until("the new primary takes writes", || async { enqueue(sender).await.is_ok() }).await;
            until_delivered(&sender.db).await;
        }
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(of_everything(&edge).len(), 2, "{:?}", edge.accepted());
        let row = "SELECT timeline = 3, since > now() - interval '1 minute' FROM outbox_log";
        let row = replica.query_one(row, &[]).await.unwrap();
        assert!(row.get::<_, bool>(0) && row.get::<_, bool>(1));
        // In time, they are nobody else's any more.
        replica.execute("UPDATE outbox_log SET since = since - interval '1 hour'", &[]).await.unwrap();
        assert!(enqueue(&again).await.unwrap().value.in_band().write.is_some());
        until_delivered(&again.db).await;
    });
}

async fn enqueue(sender: &Sender) -> Result<Written<Invalidated>, DbError> {
    let invalidation = Invalidation::of_groups(["a"]);
    sender.db.write(async |transaction| sender.outbox.enqueue(transaction, invalidation).await).await
}
