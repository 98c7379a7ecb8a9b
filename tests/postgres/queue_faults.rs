//! The queue: answers that are lost, leases that are over, snapshots that stay open, a listener
//! that is killed, and who has to wait for whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tidewall_api::job::JobState;
use tidewall_origin::db::{DbError, PoolSettings};
use tidewall_origin::queue::{
    Handler, Handlers, JobContext, JobError, Limits, NewJob, Outcome, Queue, Rate, Retention,
};
use time::OffsetDateTime;
use tokio_postgres::Client;

use crate::proxy::{Cut, Proxy};
use crate::queue::{Acts, Notes, Worker, count, enqueue_job, find, note, queue, until_noted, until_state};
use crate::world::{Test, World, until};

pub(crate) const TESTS: &[Test] = &[
    (
        "queue_faults::a_claim_whose_answer_was_lost_is_handed_back_and_costs_no_attempt",
        a_claim_whose_answer_was_lost_is_handed_back_and_costs_no_attempt,
    ),
    (
        "queue_faults::a_claim_that_outlives_its_client_is_handed_back",
        a_claim_that_outlives_its_client_is_handed_back,
    ),
    (
        "queue_faults::a_claim_takes_nothing_once_the_lease_is_over",
        a_claim_takes_nothing_once_the_lease_is_over,
    ),
    (
        "queue_faults::claims_pass_over_what_an_old_snapshot_keeps",
        claims_pass_over_what_an_old_snapshot_keeps,
    ),
    (
        "queue_faults::a_listener_that_is_killed_hears_again_and_its_worker_is_woken",
        a_listener_that_is_killed_hears_again_and_its_worker_is_woken,
    ),
    ("queue_faults::no_kind_waits_for_the_backlog_of_another", no_kind_waits_for_the_backlog_of_another),
    (
        "queue_faults::jobs_from_before_a_kinds_limits_changed_are_run",
        jobs_from_before_a_kinds_limits_changed_are_run,
    ),
    ("queue_faults::a_rate_holds_in_every_stretch_of_time", a_rate_holds_in_every_stretch_of_time),
];

/// In every claim's text, with or without limits.
const CLAIM: &str = "WITH due AS MATERIALIZED";
/// In the text by which a worker waits for its claims before it hands back what it doesn't know of.
const FENCE: &str = "SELECT era FROM job_workers";
/// In the texts of heartbeats and rescues.
const LEASES: [&str; 2] = ["UPDATE job_workers SET lease_until", "DELETE FROM job_workers WHERE lease_until"];

/// A kind with limits that are never reached.
struct Roomy(Notes);

impl Handler for Roomy {
    const KIND: &'static str = "roomy";
    const ATTEMPTS_MAX: i32 = 2;
    const LIMITS: Limits = Limits { concurrency: Some(1_000), per_key: None, rate: None };
    type Payload = String;
    type Output = ();

    async fn run(&self, text: String, _: JobContext) -> Result<Outcome<()>, JobError> {
        self.0.push(text);
        Ok(Outcome::Done(()))
    }
}

fn roomy(text: &str) -> NewJob {
    NewJob::of::<Roomy>(&text.to_owned()).unwrap()
}

fn both(notes: &Notes) -> Handlers {
    Handlers::default().with(Acts(notes.clone())).with(Roomy(notes.clone()))
}

async fn enqueue_all(queue: &Queue, jobs: &[NewJob]) -> Vec<i64> {
    let written = queue.db().write(async |transaction| {
        let all = queue.enqueue_all(transaction, jobs).await.unwrap();
        Ok::<_, DbError>(all.into_iter().map(|enqueued| enqueued.job.id).collect())
    });
    written.await.unwrap().value
}

fn a_claim_whose_answer_was_lost_is_handed_back_and_costs_no_attempt(world: &World) {
    let queue = queue(world);
    world.run(async {
        // One claim is a statement, the other a transaction.
        for (text, new) in [(CLAIM, note as fn(&str) -> NewJob), ("COMMIT", roomy)] {
            let ids = enqueue_all(&queue, &["a", "b", "c"].map(new)).await;
            let proxy = Proxy::start(world, &[]).await;
            proxy.cut(text, Cut::Answer);
            let notes = Notes::default();
            let worker = Worker::start(&Queue::new(proxy.db("cut"), None), both(&notes));
            until("the answer is lost", || async { proxy.has_cut() }).await;
            for id in ids {
                let job = until_state(&queue, id, JobState::Completed).await;
                // Numbers aren't given out again, so it may use one more.
                assert_eq!((job.attempt, job.attempts_max), (2, 3), "{text}");
                let failures = queue.details(id).await.unwrap().unwrap().failures;
                assert_eq!(failures.as_array().map(Vec::len), Some(0), "no worker was lost");
            }
            let mut all = notes.all();
            all.sort();
            assert_eq!(all, ["a", "b", "c"], "each was run once");
            worker.stop().await;
        }
    });
}

/// The server doesn't notice that the client is gone, and is still at work on its claim when the
/// worker wants to hand back what it doesn't know of.
fn a_claim_that_outlives_its_client_is_handed_back(world: &World) {
    let queue = queue(world);
    world.run(async {
        let holder = world.server(0).await;
        let holds_claims = "
            CREATE OR REPLACE FUNCTION hold_claims() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.state = 'running' AND OLD.state <> 'running' THEN
                    PERFORM pg_advisory_xact_lock_shared(4711);
                END IF;
                RETURN NEW;
            END $$;
            CREATE OR REPLACE TRIGGER hold_claims BEFORE UPDATE ON jobs
                FOR EACH ROW EXECUTE FUNCTION hold_claims();
            SELECT pg_advisory_lock(4711)";
        holder.batch_execute(holds_claims).await.unwrap();
        let id = enqueue_job(&queue, note("late")).await;
        let proxy = Proxy::start(world, &[CLAIM, FENCE]).await;
        proxy.cut(CLAIM, Cut::Client);
        let notes = Notes::default();
        let worker = Worker::start(&Queue::new(proxy.db("late"), None), both(&notes));
        until("it wants to hand back what it may have", || async { proxy.seen(FENCE) > 0 }).await;
        holder
            .batch_execute("SELECT pg_advisory_unlock(4711); DROP FUNCTION hold_claims CASCADE")
            .await
            .unwrap();
        until_state(&queue, id, JobState::Completed).await;
        worker.stop().await;
    });
}

fn a_claim_takes_nothing_once_the_lease_is_over(world: &World) {
    let queue = queue(world);
    world.run(async {
        let primary = world.server(0).await;
        let proxy = Proxy::start(world, &[CLAIM]).await;
        let notes = Notes::default();
        let worker = Worker::start(&Queue::new(proxy.db("given-up"), None), both(&notes));
        enqueue_job(&queue, note("under the first lease")).await;
        until_noted(&notes, 1).await;
        // Nobody tells the worker, and its row stays.
        proxy.hold(&LEASES);
        // What was on its way is there by then.
        primary.batch_execute("SELECT pg_sleep(0.1)").await.unwrap();
        let over = "UPDATE job_workers SET lease_until = now() - interval '1 s' RETURNING id";
        let first: i64 = primary.query_one(over, &[]).await.unwrap().get(0);
        let ids = enqueue_all(&queue, &[note("later"), roomy("later")]).await;
        let before = proxy.seen(CLAIM);
        until("it has claimed several times", || async { proxy.seen(CLAIM) >= before + 6 }).await;
        for id in &ids {
            let job = find(&queue, *id).await.unwrap();
            assert_eq!((job.state, job.attempt), (JobState::Available, 0), "{} was claimed", job.kind);
        }
        proxy.hold(&[]);
        for id in ids {
            let job = until_state(&queue, id, JobState::Completed).await;
            assert_eq!(job.attempt, 1);
        }
        let row = primary.query_one("SELECT max(id) FROM job_workers", &[]).await.unwrap();
        assert!(row.get::<_, i64>(0) > first, "it has another number now");
        worker.stop().await;
    });
}

/// Jobs that are gone and still in the way.
const DEAD: i64 = 20_000;

/// Entries of the index of due jobs that all connections together have looked at. A connection
/// tells when it ends.
async fn looked_at(client: &Client, app: &str) -> i64 {
    let there = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    until("its connections are gone", || async {
        client.query_one(there, &[&app]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
    let read = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'jobs_due'";
    client.query_one(read, &[]).await.unwrap().get(0)
}

fn claims_pass_over_what_an_old_snapshot_keeps(world: &World) {
    const JOBS: usize = 200;
    let queue = queue(world);
    world.run(async {
        let primary = world.server(0).await;
        let old = world.server(0).await;
        old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM jobs").await.unwrap();
        let fill = format!(
            "INSERT INTO jobs (kind, payload, attempts_max) SELECT 'act', 'null', 1 FROM generate_series(1, {DEAD})"
        );
        primary.batch_execute(&fill).await.unwrap();
        primary.batch_execute("DELETE FROM jobs; ANALYZE jobs").await.unwrap();
        primary.batch_execute("SELECT pg_stat_force_next_flush()").await.unwrap();
        let before = looked_at(&primary, "old-snapshot").await;
        let proxy = Proxy::start(world, &[CLAIM]).await;
        {
            let notes = Notes::default();
            let claiming = Queue::new(proxy.db("old-snapshot"), None);
            let worker = Worker::start(&claiming, both(&notes));
            for number in 1..=JOBS {
                enqueue_job(&queue, note("one")).await;
                // Never many at once: hardly two are to be of one claim.
                until_noted(&notes, number.saturating_sub(3)).await;
            }
            until_noted(&notes, JOBS).await;
            worker.stop().await;
        }
        let claims = i64::try_from(proxy.seen(CLAIM)).unwrap();
        let read = looked_at(&primary, "old-snapshot").await - before;
        old.batch_execute("COMMIT").await.unwrap();
        assert!(claims > 100, "{claims} claims");
        assert!(read > DEAD, "they are in the way: {read}");
        let each = read / claims;
        eprintln!("{claims} claims looked at {each} entries each, of {DEAD} that are dead");
        assert!(each < DEAD / 4, "{claims} claims looked at {each} entries each");
        primary.batch_execute("VACUUM jobs").await.unwrap();
    });
}

/// A worker whose time stands still when it is told to: it never looks by itself then.
struct StandingStill {
    goes_on: Arc<AtomicBool>,
    stop: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl StandingStill {
    fn start(world: &World, app: &'static str, handlers: Handlers) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let (stop, stopped) = mpsc::channel();
        let url = format!("{}?application_name={app}", world.url(0));
        let passes = Arc::clone(&goes_on);
        let thread = std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let settings = tidewall_origin::db::DbSettings::parse(&url, &[]).unwrap();
                let queue = Queue::new(tidewall_origin::db::Db::new(settings), None);
                let worker = Worker::start(&queue, handlers);
                while stopped.try_recv().is_err() {
                    // While this is under way the clock doesn't move on by itself.
                    let pause = || std::thread::sleep(STEP);
                    tokio::task::spawn_blocking(pause).await.unwrap();
                    if passes.load(Ordering::SeqCst) {
                        tokio::time::advance(STEP).await;
                    }
                }
                let stopping = tokio::spawn(worker.stop());
                while !stopping.is_finished() {
                    tokio::task::spawn_blocking(|| std::thread::sleep(STEP)).await.unwrap();
                    tokio::time::advance(STEP).await;
                }
            });
        });
        Self { goes_on, stop, thread }
    }

    fn stop(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

const STEP: Duration = Duration::from_millis(5);

fn a_listener_that_is_killed_hears_again_and_its_worker_is_woken(world: &World) {
    let queue = queue(world);
    world.run(async {
        let primary = world.server(0).await;
        let notes = Notes::default();
        let worker = StandingStill::start(world, "listens", Handlers::default().with(Acts(notes.clone())));
        let listener = async || {
            let pid = "SELECT pid FROM pg_stat_activity
                WHERE application_name = 'listens' AND query LIKE 'LISTEN %' AND state = 'idle'";
            primary.query_opt(pid, &[]).await.unwrap().map(|row| row.get::<_, i32>(0))
        };
        until("it listens", || async { listener().await.is_some() }).await;
        let killed = listener().await.unwrap();
        primary.query_one("SELECT pg_terminate_backend($1)", &[&killed]).await.unwrap();
        until("it listens again", || async { listener().await.is_some_and(|pid| pid != killed) }).await;
        enqueue_job(&queue, note("0")).await;
        until_noted(&notes, 1).await;
        worker.goes_on.store(false, Ordering::SeqCst);
        // The first may be met by a look that was under way; no other can be.
        for number in 1..=5 {
            enqueue_job(&queue, note(&number.to_string())).await;
            until_noted(&notes, number + 1).await;
        }
        assert_eq!(notes.all(), ["0", "1", "2", "3", "4", "5"]);
        worker.goes_on.store(true, Ordering::SeqCst);
        worker.stop();
    });
}

const BACKLOG: i64 = 20_000;

fn no_kind_waits_for_the_backlog_of_another(world: &World) {
    let queue = queue(world);
    world.run(async {
        let primary = world.server(0).await;
        for (many, lane, few) in
            [("act", "NULL", roomy as fn(&str) -> NewJob), ("roomy", "''", note)]
        {
            primary.batch_execute("DELETE FROM jobs").await.unwrap();
            let payload = if many == "act" { r#"{"Note": "many"}"# } else { r#""many""# };
            let fill = format!(
                "INSERT INTO jobs (kind, payload, attempts_max, lane, run_at)
                 SELECT '{many}', '{payload}', 1, {lane}, now() - interval '1 h' FROM generate_series(1, {BACKLOG})"
            );
            primary.batch_execute(&fill).await.unwrap();
            primary.batch_execute("ANALYZE jobs").await.unwrap();
            let ids = enqueue_all(&queue, &["few"; 20].map(few)).await;
            let notes = Notes::default();
            let worker = Worker::start(&queue, both(&notes));
            for id in ids {
                until_state(&queue, id, JobState::Completed).await;
            }
            let all = notes.all();
            let last = all.iter().rposition(|note| note == "few").unwrap();
            assert!(last < 2_000, "{many}: the last of the few was number {last}");
            worker.stop().await;
        }
    });
}

fn jobs_from_before_a_kinds_limits_changed_are_run(world: &World) {
    /// The kind without limits.
    struct Free(Notes);
    impl Handler for Free {
        const KIND: &'static str = Roomy::KIND;
        type Payload = String;
        type Output = ();
        async fn run(&self, text: String, _: JobContext) -> Result<Outcome<()>, JobError> {
            self.0.push(text);
            Ok(Outcome::Done(()))
        }
    }
    let queue = queue(world);
    world.run(async {
        let free = |text: &str| NewJob::of::<Free>(&text.to_owned()).unwrap();
        let notes = Notes::default();
        let limited = Handlers::default().with(Roomy(notes.clone()));
        let unlimited = Handlers::default().with(Free(notes.clone()));
        for (new, handlers, lane) in
            [(&free as &dyn Fn(&str) -> NewJob, limited, "lane IS NULL"), (&roomy, unlimited, "lane = ''")]
        {
            let id = enqueue_job(&queue, new("x")).await;
            assert_eq!(count(&queue, lane).await, 1, "{lane}");
            let worker = Worker::start(&queue, handlers);
            until_state(&queue, id, JobState::Completed).await;
            worker.stop().await;
            world.server(0).await.batch_execute("DELETE FROM jobs").await.unwrap();
        }
    });
}

fn a_rate_holds_in_every_stretch_of_time(world: &World) {
    const RATE: Rate = Rate { count: 5, per: Duration::from_secs(1) };
    const JOBS: usize = 20;
    struct Rated;
    impl Handler for Rated {
        const KIND: &'static str = "rated_in_time";
        const LIMITS: Limits = Limits { rate: Some(RATE), ..Limits::NONE };
        const RETENTION: Retention = Retention::DEFAULT;
        type Payload = ();
        type Output = ();
        async fn run(&self, (): (), _: JobContext) -> Result<Outcome<()>, JobError> {
            Ok(Outcome::Done(()))
        }
    }
    /// From the beginning of a claim's transaction, which the rate counts from, to the claim, on a
    /// busy machine. Two workers that count each for itself would begin ten at once, still too many.
    const CLAIMED_WITHIN: Duration = Duration::from_millis(450);
    let queue = queue(world);
    world.run(async {
        enqueue_all(&queue, &[(); JOBS].map(|()| NewJob::of::<Rated>(&()).unwrap())).await;
        let workers = [(), ()].map(|()| {
            let queue = Queue::new(world.db("queue", PoolSettings::default()), None);
            Worker::start(&queue, Handlers::default().with(Rated))
        });
        let done = "kind = 'rated_in_time' AND state = 'completed'";
        until("all is done", || async { count(&queue, done).await == JOBS as i64 }).await;
        for worker in workers {
            worker.stop().await;
        }
        let begun = "SELECT started_at FROM jobs WHERE kind = 'rated_in_time' ORDER BY started_at";
        let rows = world.server(0).await.query(begun, &[]).await.unwrap();
        let begun: Vec<OffsetDateTime> = rows.iter().map(|row| row.get(0)).collect();
        let interval = RATE.per / RATE.count;
        for (first, from) in begun.iter().enumerate() {
            for (last, to) in begun.iter().enumerate().skip(first) {
                let time = (*to - *from).unsigned_abs() + CLAIMED_WITHIN;
                // One burst, and what has come back since.
                let most = f64::from(RATE.count) + time.as_secs_f64() / interval.as_secs_f64();
                let count = last - first + 1;
                assert!(count as f64 <= most, "{count} were begun in {time:?}, of {begun:?}");
            }
        }
        assert!(begun[JOBS - 1] - begun[0] > RATE.per * 2, "they had to wait");
    });
}
