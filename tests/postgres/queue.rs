//! The queue: what becomes of jobs, whatever happens to handlers, workers and servers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tidewall_api::job::JobState;
use tidewall_origin::db::{Db, DbError, PoolSettings};
use tidewall_origin::queue::{
    self, Filter, Handler, Handlers, JobContext, JobError, JobRow, Limits, Missed, NewJob, OnConflict,
    Outcome, Priority, Queue, Rate, Retention, Schedule, Seal, Unique, WorkerMetrics, WorkerSettings,
};
use tidewall_origin::shutdown::Shutdown;
use tidewall_origin::signing::Secrets;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ledger::{self, KEYS, Ledger, LedgerWorker, Line, PER_KEY};
use crate::world::{Test, World, until};

pub(crate) const TESTS: &[Test] = &[
    (
        "queue::a_job_is_there_exactly_if_its_transaction_commits",
        a_job_is_there_exactly_if_its_transaction_commits,
    ),
    ("queue::the_more_urgent_goes_first_then_the_longer_due", the_more_urgent_goes_first_then_the_longer_due),
    (
        "queue::a_second_job_of_a_key_is_dropped_replaces_or_is_kept_away",
        a_second_job_of_a_key_is_dropped_replaces_or_is_kept_away,
    ),
    (
        "queue::a_failed_job_is_tried_again_discarded_and_retried_by_hand",
        a_failed_job_is_tried_again_discarded_and_retried_by_hand,
    ),
    (
        "queue::an_ended_job_keeps_its_key_for_who_retries_it_and_keeps_nobody_from_it",
        an_ended_job_keeps_its_key_for_who_retries_it_and_keeps_nobody_from_it,
    ),
    (
        "queue::jobs_with_keys_are_added_together_and_the_first_of_a_key_is_the_one",
        jobs_with_keys_are_added_together_and_the_first_of_a_key_is_the_one,
    ),
    ("queue::a_snoozed_job_comes_again_and_loses_no_attempt", a_snoozed_job_comes_again_and_loses_no_attempt),
    (
        "queue::a_panic_and_a_timeout_are_failures_and_the_worker_goes_on",
        a_panic_and_a_timeout_are_failures_and_the_worker_goes_on,
    ),
    (
        "queue::a_waiting_job_is_cancelled_at_once_and_a_running_one_by_its_worker",
        a_waiting_job_is_cancelled_at_once_and_a_running_one_by_its_worker,
    ),
    ("queue::limits_hold_over_all_workers", limits_hold_over_all_workers),
    ("queue::a_rate_holds_over_all_workers", a_rate_holds_over_all_workers),
    ("queue::a_schedule_is_fired_by_one_worker", a_schedule_is_fired_by_one_worker),
    (
        "queue::an_effect_and_the_jobs_end_happen_together_or_not_at_all",
        an_effect_and_the_jobs_end_happen_together_or_not_at_all,
    ),
    (
        "queue::a_lost_workers_jobs_run_again_and_a_live_ones_do_not",
        a_lost_workers_jobs_run_again_and_a_live_ones_do_not,
    ),
    (
        "queue::a_worker_that_lost_its_lease_hands_back_what_it_had_and_no_attempt_is_used_up",
        a_worker_that_lost_its_lease_hands_back_what_it_had_and_no_attempt_is_used_up,
    ),
    (
        "queue::a_job_that_keeps_its_worker_from_beating_uses_up_its_attempts",
        a_job_that_keeps_its_worker_from_beating_uses_up_its_attempts,
    ),
    (
        "queue::a_lost_job_that_somebody_holds_keeps_nobody_from_the_others",
        a_lost_job_that_somebody_holds_keeps_nobody_from_the_others,
    ),
    (
        "queue::a_worker_that_was_given_up_stops_and_claims_nothing_under_its_old_number",
        a_worker_that_was_given_up_stops_and_claims_nothing_under_its_old_number,
    ),
    ("queue::a_stopping_worker_hands_back_what_does_not_end", a_stopping_worker_hands_back_what_does_not_end),
    (
        "queue::a_job_of_a_later_version_waits_for_a_worker_that_knows_it",
        a_job_of_a_later_version_waits_for_a_worker_that_knows_it,
    ),
    (
        "queue::a_handler_that_reads_a_replica_finds_what_enqueued_it",
        a_handler_that_reads_a_replica_finds_what_enqueued_it,
    ),
    (
        "queue::secrets_are_sealed_at_rest_and_open_for_the_handler",
        secrets_are_sealed_at_rest_and_open_for_the_handler,
    ),
    (
        "queue::a_result_that_can_not_be_stored_ends_its_job_alone",
        a_result_that_can_not_be_stored_ends_its_job_alone,
    ),
    (
        "queue::what_has_ended_is_removed_when_its_time_is_over",
        what_has_ended_is_removed_when_its_time_is_over,
    ),
    ("queue::each_effect_happens_once_whatever_is_killed", each_effect_happens_once_whatever_is_killed),
];

/// What a job of these tests is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Act {
    Note(String),
    Fail(String),
    Panic,
    Sleep(u64),
    /// The first time.
    Snooze(u64),
    /// So often, and then it fails, and runs until it is stopped.
    SnoozeAndFail(i32),
    /// Runs until it is stopped.
    Hang,
    /// Runs until this is noted.
    Until(String),
    /// Computes for so long, and lets nobody else do anything meanwhile.
    Block(u64),
    /// A result that jsonb can't hold.
    Nul,
}

/// What handlers have done, for those who look on.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn push(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push(note.into());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) struct Acts(pub(crate) Notes);

impl Handler for Acts {
    const KIND: &'static str = "act";
    const ATTEMPTS_MAX: i32 = 2;
    const TIMEOUT: Duration = Duration::from_secs(20);
    type Payload = Act;
    type Output = String;

    async fn run(&self, act: Act, job: JobContext) -> Result<Outcome<String>, JobError> {
        match act {
            Act::Note(text) => {
                self.0.push(text.clone());
                Ok(Outcome::Done(text))
            }
            Act::Fail(why) => Err(JobError::retry(why, "inside").after(Duration::ZERO)),
            Act::Panic => panic!("as it was told"),
            Act::Sleep(ms) => {
                self.0.push("begins");
                tokio::time::sleep(Duration::from_millis(ms)).await;
                self.0.push("ends");
                Ok(Outcome::Done("slept".to_owned()))
            }
            Act::Snooze(_) if job.attempt > 1 => Ok(Outcome::Done("awake".to_owned())),
            Act::Snooze(ms) => Ok(Outcome::Snooze(Duration::from_millis(ms))),
            Act::SnoozeAndFail(times) if job.attempt <= times => Ok(Outcome::Snooze(Duration::ZERO)),
            Act::SnoozeAndFail(times) if job.attempt == times + 1 => Err(JobError::retry("tired", "inside")),
            Act::SnoozeAndFail(_) => std::future::pending().await,
            Act::Block(ms) => {
                std::thread::sleep(Duration::from_millis(ms));
                self.0.push("blocked");
                std::future::pending().await
            }
            Act::Hang => {
                let _gone = OnDrop(self.0.clone());
                self.0.push("hangs");
                std::future::pending().await
            }
            Act::Until(text) => {
                self.0.push(format!("waits: {text}"));
                until("what a job waits for is noted", || async { self.0.all().contains(&text) }).await;
                Ok(Outcome::Done(text))
            }
            Act::Nul => Ok(Outcome::Done("\0".to_owned())),
        }
    }
}

/// Tells when an attempt is gone.
struct OnDrop(Notes);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.push("gone");
    }
}

/// A worker in this process; it stops when told, or when dropped.
pub(crate) struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    pub(crate) fn start(queue: &Queue, handlers: Handlers) -> Self {
        Self::start_with(queue, handlers, 8, Vec::new())
    }

    pub(crate) fn start_with(
        queue: &Queue,
        handlers: Handlers,
        concurrency: usize,
        schedules: Vec<Schedule>,
    ) -> Self {
        let (stop, shutdown) = Shutdown::manual();
        let settings =
            WorkerSettings { name: "test".to_owned(), concurrency, metrics: WorkerMetrics::default() };
        let task = tokio::spawn(queue::work(queue.clone(), handlers, schedules, settings, shutdown));
        Self { stop, task }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        (&mut self.task).await.unwrap();
    }
}

/// One of a test that failed isn't to take the jobs of the next.
impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn queue(world: &World) -> Queue {
    let _runtime = world.runtime.enter();
    Queue::new(world.db("queue", PoolSettings::default()), None)
}

pub(crate) fn job(act: &Act) -> NewJob {
    NewJob::of::<Acts>(act).unwrap()
}

pub(crate) fn note(text: &str) -> NewJob {
    job(&Act::Note(text.to_owned()))
}

pub(crate) async fn enqueue(queue: &Queue, job: NewJob) -> JobRow {
    let written = queue
        .db()
        .write(async |transaction| Ok::<_, DbError>(queue.enqueue(transaction, &job).await.unwrap().job));
    written.await.unwrap().value
}

pub(crate) async fn find(queue: &Queue, id: i64) -> Option<JobRow> {
    Queue::find(&queue.db().writer().await.unwrap(), id).await.unwrap()
}

pub(crate) async fn until_state(queue: &Queue, id: i64, state: JobState) -> JobRow {
    until(&format!("job {id} is {}", state.as_str()), || async {
        find(queue, id).await.is_some_and(|job| job.state == state)
    })
    .await;
    find(queue, id).await.unwrap()
}

pub(crate) async fn until_noted(notes: &Notes, count: usize) {
    until("as much is noted", || async { notes.all().len() >= count }).await;
}

fn a_job_is_there_exactly_if_its_transaction_commits(world: &World) {
    let queue = queue(world);
    world.run(async {
        let notes = Notes::default();
        let worker = Worker::start(&queue, Handlers::default().with(Acts(notes.clone())));
        let undone = queue.db().write(async |transaction| {
            queue.enqueue(transaction, &note("undone")).await.unwrap();
            Err::<(), _>(transaction.query("SELECT 1 / 0", &[]).await.unwrap_err())
        });
        undone.await.unwrap_err();
        let jobs: Vec<_> = (0..3).map(|n| note(&format!("done {n}"))).collect();
        let done = queue.db().write(async |transaction| {
            // The transaction is older than the statement that enqueues.
            transaction.query("SELECT pg_sleep(0.01)", &[]).await.unwrap();
            let all = queue.enqueue_all(transaction, &jobs).await.unwrap();
            assert!(all.iter().all(|enqueued| enqueued.job.state == JobState::Available));
            assert_eq!(notes.all().len(), 0, "nothing begins before the commit");
            Ok::<_, DbError>(all.into_iter().map(|enqueued| enqueued.job.id).collect::<Vec<_>>())
        });
        let ids = done.await.unwrap().value;
        assert!(ids.is_sorted());
        let job = until_state(&queue, ids[2], JobState::Completed).await;
        assert_eq!((job.result, job.progress, job.attempt), (Some("done 2".into()), 1.0, 1));
        until_noted(&notes, 3).await;
        assert!(!notes.all().contains(&"undone".to_owned()));
        worker.stop().await;
    });
}

fn the_more_urgent_goes_first_then_the_longer_due(world: &World) {
    let queue = queue(world);
    world.run(async {
        for (text, priority) in [
            ("low", Priority::Low),
            ("normal 1", Priority::Normal),
            ("urgent", Priority::Urgent),
            ("normal 2", Priority::Normal),
        ] {
            enqueue(&queue, note(text).priority(priority)).await;
        }
        let later = enqueue(&queue, note("later").run_after(Duration::from_hours(1))).await;
        assert_eq!(later.state, JobState::Scheduled);
        let notes = Notes::default();
        let worker = Worker::start_with(&queue, Handlers::default().with(Acts(notes.clone())), 1, Vec::new());
        until_noted(&notes, 4).await;
        let soon = "UPDATE jobs SET run_at = now() + interval '1 s' WHERE id = $1";
        world.server(0).await.execute(soon, &[&later.id]).await.unwrap();
        until_noted(&notes, 5).await;
        assert_eq!(notes.all(), ["urgent", "normal 1", "normal 2", "low", "later"]);
        worker.stop().await;
    });
}

fn a_second_job_of_a_key_is_dropped_replaces_or_is_kept_away(world: &World) {
    let queue = queue(world);
    world.run(async {
        let enqueue = async |text: &str, key: &str, on_conflict| {
            let job = note(text).unique(Unique::new(key, on_conflict));
            let written = queue
                .db()
                .write(async |transaction| Ok::<_, DbError>(queue.enqueue(transaction, &job).await.unwrap()));
            written.await.unwrap().value
        };
        for (key, on_conflict) in
            [("d", OnConflict::Drop), ("r", OnConflict::Replace), ("k", OnConflict::Keep)]
        {
            let first = enqueue(&format!("{key} first"), key, on_conflict).await;
            let second = enqueue(&format!("{key} second"), key, on_conflict).await;
            assert_eq!((first.is_new, second.is_new, second.job.id), (true, false, first.job.id), "{key}");
        }
        let notes = Notes::default();
        let worker = Worker::start(&queue, Handlers::default().with(Acts(notes.clone())));
        until_noted(&notes, 3).await;
        let mut all = notes.all();
        all.sort();
        assert_eq!(all, ["d first", "k first", "r second"]);
        // A handler is done before its job is.
        until("all have ended", || async { count(&queue, "finished_at IS NULL").await == 0 }).await;

        // While one runs a key is still held by those that are dropped, and by no others.
        for (key, on_conflict, is_new) in
            [("d", OnConflict::Drop, false), ("r", OnConflict::Replace, true), ("k", OnConflict::Keep, true)]
        {
            let hang = job(&Act::Hang).unique(Unique::new(key, on_conflict));
            let running = enqueue_job(&queue, hang).await;
            until_state(&queue, running, JobState::Running).await;
            assert_eq!(enqueue("again", key, on_conflict).await.is_new, is_new, "{key}");
            queue.cancel(running).await.unwrap();
            until_state(&queue, running, JobState::Cancelled).await;
            // And once it has ended nobody holds it.
            until("the key is free", || async { enqueue("after", key, on_conflict).await.is_new }).await;
        }
        worker.stop().await;
    });
}

pub(crate) async fn enqueue_job(queue: &Queue, job: NewJob) -> i64 {
    enqueue(queue, job).await.id
}

fn a_failed_job_is_tried_again_discarded_and_retried_by_hand(world: &World) {
    let queue = queue(world);
    world.run(async {
        let notes = Notes::default();
        let worker = Worker::start(&queue, Handlers::default().with(Acts(notes)));
        let id = enqueue_job(&queue, job(&Act::Fail("no luck".to_owned()))).await;
        let discarded = until_state(&queue, id, JobState::Discarded).await;
        assert_eq!((discarded.attempt, discarded.attempts_max), (2, 2));
        assert_eq!((discarded.error.as_deref(), discarded.run_at), (Some("no luck"), None));
        let details = queue.details(id).await.unwrap().unwrap();
        let failures = details.failures.as_array().unwrap();
        assert_eq!((failures.len(), &failures[1]["attempt"]), (2, &2.into()));

        let dead = Filter { state: Some(JobState::Discarded), limit: 10, ..Filter::default() };
        let listed: Vec<_> = queue.list(&dead).await.unwrap().iter().map(|job| job.id).collect();
        assert_eq!(listed, [id]);
        let retried = queue.retry(id).await.unwrap().unwrap();
        assert_eq!((retried.state, retried.attempts_max), (JobState::Available, 3));
        until("it is discarded again", || async {
            find(&queue, id).await.is_some_and(|job| job.state == JobState::Discarded && job.attempt == 3)
        })
        .await;
        assert!(queue.cancel(id).await.unwrap().is_none(), "what has ended can't be cancelled");
        assert!(queue.retry(0).await.unwrap().is_none());
        worker.stop().await;
    });
}

fn an_ended_job_keeps_its_key_for_who_retries_it_and_keeps_nobody_from_it(world: &World) {
    let queue = queue(world);
    world.run(async {
        let keyed = |act: &Act| job(act).unique(Unique::new("one", OnConflict::Drop)).attempts_max(1);
        let worker = Worker::start(&queue, Handlers::default().with(Acts(Notes::default())));
        let first = enqueue_job(&queue, keyed(&Act::Fail("no luck".to_owned()))).await;
        until_state(&queue, first, JobState::Discarded).await;
        let second = enqueue_job(&queue, keyed(&Act::Hang)).await;
        assert_ne!(second, first, "who has ended keeps nobody from its key");
        assert!(queue.retry(first).await.unwrap().is_none(), "there would be two of its key");
        until_state(&queue, second, JobState::Running).await;
        queue.cancel(second).await.unwrap();
        until_state(&queue, second, JobState::Cancelled).await;
        worker.stop().await;
        assert!(queue.retry(first).await.unwrap().is_some());
        let third = enqueue_job(&queue, keyed(&Act::Hang)).await;
        assert_eq!(third, first, "who is retried has its key again");
    });
}

fn jobs_with_keys_are_added_together_and_the_first_of_a_key_is_the_one(world: &World) {
    let queue = queue(world);
    world.run(async {
        let keyed = |text: &str, key: &str, conflict| note(text).unique(Unique::new(key, conflict));
        let held = enqueue_job(&queue, keyed("held", "c", OnConflict::Keep)).await;
        let jobs = [
            keyed("b", "b", OnConflict::Keep),
            note("plain"),
            keyed("a", "a", OnConflict::Drop),
            keyed("b again", "b", OnConflict::Keep),
            keyed("c", "c", OnConflict::Keep),
            keyed("d", "d", OnConflict::Replace),
            keyed("d again", "d", OnConflict::Replace),
        ];
        let all = queue.db().write(async |transaction| {
            Ok::<_, DbError>(queue.enqueue_all(transaction, &jobs).await.unwrap())
        });
        let all = all.await.unwrap().value;
        let is_new: Vec<_> = all.iter().map(|enqueued| enqueued.is_new).collect();
        assert_eq!(is_new, [true, true, true, false, false, true, false]);
        let id = |index: usize| all[index].job.id;
        assert_eq!((id(3), id(4), id(6)), (id(0), held, id(5)));
        let texts = async |index| queue.details(id(index)).await.unwrap().unwrap().payload["Note"].clone();
        assert_eq!(
            (texts(2).await, texts(0).await, texts(5).await),
            ("a".into(), "b".into(), "d again".into())
        );
    });
}

fn a_snoozed_job_comes_again_and_loses_no_attempt(world: &World) {
    let queue = queue(world);
    world.run(async {
        let worker = Worker::start(&queue, Handlers::default().with(Acts(Notes::default())));
        let id = enqueue_job(&queue, job(&Act::Snooze(300)).attempts_max(1)).await;
        let job = until_state(&queue, id, JobState::Completed).await;
        assert_eq!((job.attempt, job.attempts_max, job.result), (2, 2, Some("awake".into())));
        let id = enqueue_job(&queue, self::job(&Act::SnoozeAndFail(5)).attempts_max(2)).await;
        until("it has failed", || async {
            queue.details(id).await.unwrap().unwrap().failures.as_array().unwrap().len() == 1
        })
        .await;
        // The first failure is followed by one within a second, the sixth by one after 16.
        let delay = "SELECT extract(epoch FROM run_at - (failures -> 0 ->> 'at')::timestamptz)::float8
            FROM jobs WHERE id = $1";
        let delay: f64 = world.server(0).await.query_one(delay, &[&id]).await.unwrap().get(0);
        assert!(delay < 2.0, "{delay}");
        queue.cancel(id).await.unwrap();
        worker.stop().await;
    });
}

fn a_panic_and_a_timeout_are_failures_and_the_worker_goes_on(world: &World) {
    struct Slow;
    impl Handler for Slow {
        const KIND: &'static str = "slow";
        const ATTEMPTS_MAX: i32 = 1;
        const TIMEOUT: Duration = Duration::from_millis(100);
        type Payload = ();
        type Output = ();
        async fn run(&self, (): (), _: JobContext) -> Result<Outcome<()>, JobError> {
            std::future::pending().await
        }
    }
    let queue = queue(world);
    world.run(async {
        let notes = Notes::default();
        let handlers = Handlers::default().with(Acts(notes.clone())).with(Slow);
        let worker = Worker::start(&queue, handlers);
        let panics = enqueue_job(&queue, job(&Act::Panic).attempts_max(1)).await;
        let slow = enqueue_job(&queue, NewJob::of::<Slow>(&()).unwrap()).await;
        let error = async |id| until_state(&queue, id, JobState::Discarded).await.error.unwrap();
        assert_eq!(error(panics).await, "the job failed unexpectedly");
        assert_eq!(error(slow).await, "the job took too long");
        enqueue(&queue, note("goes on")).await;
        until_noted(&notes, 1).await;
        worker.stop().await;
    });
}

fn a_waiting_job_is_cancelled_at_once_and_a_running_one_by_its_worker(world: &World) {
    let queue = queue(world);
    world.run(async {
        let waiting = enqueue_job(&queue, note("never")).await;
        let cancelled = queue.cancel(waiting).await.unwrap().unwrap();
        assert_eq!(cancelled.state, JobState::Cancelled);
        assert!(cancelled.finished_at.is_some());

        let notes = Notes::default();
        let worker = Worker::start(&queue, Handlers::default().with(Acts(notes.clone())));
        let id = enqueue_job(&queue, job(&Act::Hang)).await;
        until_noted(&notes, 1).await;
        let asked = Instant::now();
        queue.cancel(id).await.unwrap().unwrap();
        until_state(&queue, id, JobState::Cancelled).await;
        assert_eq!(notes.all(), ["hangs", "gone"], "it is gone before it counts as cancelled");
        // Rather than when its time is over, after 20 s.
        assert!(asked.elapsed() < Duration::from_secs(18), "{:?}", asked.elapsed());
        worker.stop().await;
    });
}

/// Counts how many run at a time, in all and of each key.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    async fn hold(&self, time: Duration) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(time).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Gauges {
    all: Gauge,
    by_key: BTreeMap<String, Gauge>,
}

struct Limited(Arc<Gauges>);

impl Handler for Limited {
    const KIND: &'static str = "limited";
    const RETENTION: Retention = Retention::NONE;
    const LIMITS: Limits = Limits { concurrency: Some(5), per_key: Some(2), rate: None };
    type Payload = String;
    type Output = ();

    async fn run(&self, key: String, _: JobContext) -> Result<Outcome<()>, JobError> {
        let time = Duration::from_millis(fastrand::u64(1..5));
        tokio::join!(self.0.all.hold(time), self.0.by_key[&key].hold(time));
        Ok(Outcome::Done(()))
    }
}

fn limits_hold_over_all_workers(world: &World) {
    let queue = queue(world);
    world.run(async {
        let keys = ["a", "b", "c", "d"].map(str::to_owned);
        let by_key = keys.iter().map(|key| (key.clone(), Gauge::default())).collect();
        let gauges = Arc::new(Gauges { by_key, ..Gauges::default() });
        let jobs: Vec<_> = (0..600)
            .map(|n| &keys[if n < 300 { 0 } else { n % 4 }])
            .map(|key| NewJob::of::<Limited>(key).unwrap().key(key))
            .collect();
        let enqueued = queue.db().write(async |transaction| {
            queue.enqueue_all(transaction, &jobs).await.unwrap();
            Ok::<_, DbError>(())
        });
        enqueued.await.unwrap();
        let workers: Vec<_> = (0..3)
            .map(|_| {
                // Each on connections of its own, as in a process of its own.
                let queue = Queue::new(world.db("queue", PoolSettings::default()), None);
                Worker::start(&queue, Handlers::default().with(Limited(Arc::clone(&gauges))))
            })
            .collect();
        until("all is done", || async { count(&queue, "TRUE").await == 0 }).await;
        let most = |gauge: &Gauge| gauge.most.load(Ordering::SeqCst);
        assert_eq!(most(&gauges.all), 5, "all of it is used, and no more");
        for (key, gauge) in &gauges.by_key {
            assert!(most(gauge) <= 2, "{key}: {}", most(gauge));
        }
        for worker in workers {
            worker.stop().await;
        }
    });
}

pub(crate) async fn count(queue: &Queue, condition: &str) -> i64 {
    let connection = queue.db().writer().await.unwrap();
    let sql = format!("SELECT count(*) FROM jobs WHERE {condition}");
    connection.query_one(&sql, &[]).await.unwrap().get(0)
}

fn a_rate_holds_over_all_workers(world: &World) {
    struct Rated(Notes);
    impl Handler for Rated {
        const KIND: &'static str = "rated";
        const LIMITS: Limits =
            Limits { rate: Some(Rate { count: 5, per: Duration::from_secs(2) }), ..Limits::NONE };
        type Payload = ();
        type Output = ();
        async fn run(&self, (): (), _: JobContext) -> Result<Outcome<()>, JobError> {
            self.0.push("run");
            Ok(Outcome::Done(()))
        }
    }
    let queue = queue(world);
    world.run(async {
        let jobs: Vec<_> = (0..15).map(|_| NewJob::of::<Rated>(&()).unwrap()).collect();
        let enqueued = queue.db().write(async |transaction| {
            queue.enqueue_all(transaction, &jobs).await.unwrap();
            Ok::<_, DbError>(())
        });
        enqueued.await.unwrap();
        let notes = Notes::default();
        let begun = Instant::now();
        let workers =
            [(), ()].map(|()| Worker::start(&queue, Handlers::default().with(Rated(notes.clone()))));
        until_noted(&notes, 15).await;
        // Five at once, and ten more at 2.5 in a second.
        assert!(begun.elapsed() >= Duration::from_millis(3_900), "{:?}", begun.elapsed());
        for worker in workers {
            worker.stop().await;
        }
    });
}

fn a_schedule_is_fired_by_one_worker(world: &World) {
    let queue = queue(world);
    world.run(async {
        let every_second = || {
            let make = |at: OffsetDateTime| NewJob::of::<Acts>(&Act::Note(at.unix_timestamp().to_string()));
            Schedule::new("every second", "* * * * * *", "UTC", Missed::All, make).unwrap()
        };
        let notes = Notes::default();
        let workers = [(), (), ()].map(|()| {
            let handlers = Handlers::default().with(Acts(notes.clone()));
            Worker::start_with(&queue, handlers, 8, vec![every_second()])
        });
        until_noted(&notes, 4).await;
        for worker in workers {
            worker.stop().await;
        }
        let mut fired: Vec<i64> = notes.all().iter().map(|note| note.parse().unwrap()).collect();
        fired.sort_unstable();
        let first = fired[0];
        let expected: Vec<_> = (first..).take(fired.len()).collect();
        assert_eq!(fired, expected, "each second once, none left out");
    });
}

struct Effect {
    notes: Notes,
    /// Takes the job away in the middle.
    steal: bool,
}

impl Handler for Effect {
    const KIND: &'static str = "effect";
    type Payload = i64;
    type Output = i64;

    async fn run(&self, id: i64, job: JobContext) -> Result<Outcome<i64>, JobError> {
        let steals = self.steal && job.attempt == 1;
        let ended = job
            .complete(async |transaction| {
                transaction.execute("UPDATE facts SET value = value + 1 WHERE id = $1", &[&id]).await?;
                if steals {
                    // As a rescue does when the lease has run out.
                    let free = "UPDATE jobs SET state = 'available', worker_id = NULL WHERE id = $1";
                    transaction.execute(free, &[&job.id]).await?;
                }
                Ok(id)
            })
            .await;
        self.notes.push(if ended.is_ok() { "done" } else { "lost" });
        ended
    }
}

fn an_effect_and_the_jobs_end_happen_together_or_not_at_all(world: &World) {
    let queue = queue(world);
    world.run(async {
        let primary = world.server(0).await;
        let value = async || {
            primary.query_one("SELECT value FROM facts WHERE id = 77", &[]).await.unwrap().get::<_, i64>(0)
        };
        primary
            .batch_execute("INSERT INTO facts VALUES (77, 0) ON CONFLICT (id) DO UPDATE SET value = 0")
            .await
            .unwrap();
        for (steal, expected) in [(false, ["done"].as_slice()), (true, &["lost", "done"])] {
            primary.batch_execute("UPDATE facts SET value = 0 WHERE id = 77").await.unwrap();
            let notes = Notes::default();
            let handlers = Handlers::default().with(Effect { notes: notes.clone(), steal });
            let worker = Worker::start(&queue, handlers);
            let id = enqueue_job(&queue, NewJob::of::<Effect>(&77).unwrap()).await;
            let job = until_state(&queue, id, JobState::Completed).await;
            assert_eq!((job.result, value().await), (Some(77.into()), 1), "steal: {steal}");
            // Noted once it is committed.
            until_noted(&notes, expected.len()).await;
            assert_eq!(notes.all(), expected);
            worker.stop().await;
        }
    });
}

fn a_lost_workers_jobs_run_again_and_a_live_ones_do_not(world: &World) {
    let queue = queue(world);
    world.run(async {
        let primary = world.server(0).await;
        let notes = Notes::default();
        let worker = Worker::start(&queue, Handlers::default().with(Acts(notes.clone())));
        // Longer than a lease.
        let long = enqueue_job(&queue, job(&Act::Sleep(12_000))).await;
        until_noted(&notes, 1).await;

        let ids = [("again", 1, 5), ("poison", 5, 5)].map(|(text, attempt, attempts_max)| {
            let payload = serde_json::to_value(Act::Note(text.to_owned())).unwrap();
            (text, attempt, attempts_max, payload)
        });
        let lost: i64 = primary
            .query_one(
                "INSERT INTO job_workers (name, concurrency, lease_until)
                 VALUES ('lost', 1, now() + interval '1 s') RETURNING id",
                &[],
            )
            .await
            .unwrap()
            .get(0);
        let mut jobs = Vec::new();
        for (_, attempt, attempts_max, payload) in &ids {
            let row = primary
                .query_one(
                    "INSERT INTO jobs (kind, payload, state, worker_id, attempt, attempts_max)
                     VALUES ('act', $1, 'running', $2, $3, $4) RETURNING id",
                    &[payload, &lost, attempt, attempts_max],
                )
                .await
                .unwrap();
            jobs.push(row.get::<_, i64>(0));
        }
        let again = until_state(&queue, jobs[0], JobState::Completed).await;
        assert_eq!(again.attempt, 2);
        let poison = until_state(&queue, jobs[1], JobState::Discarded).await;
        assert_eq!(poison.error.as_deref(), Some("the worker that ran it was lost"));

        let long = until_state(&queue, long, JobState::Completed).await;
        assert_eq!(long.attempt, 1);
        assert_eq!(notes.all().iter().filter(|note| *note == "begins").count(), 1);
        worker.stop().await;
        let left: i64 = primary.query_one("SELECT count(*) FROM job_workers", &[]).await.unwrap().get(0);
        assert_eq!(left, 0, "who stops in good order leaves no lease to run out");
    });
}

fn a_worker_that_lost_its_lease_hands_back_what_it_had_and_no_attempt_is_used_up(world: &World) {
    let queue = queue(world);
    world.run(async {
        let notes = Notes::default();
        let worker = Worker::start(&queue, Handlers::default().with(Acts(notes.clone())));
        let id = enqueue_job(&queue, job(&Act::Hang)).await;
        until_noted(&notes, 1).await;
        // As when the server was away for longer than the lease.
        let primary = world.server(0).await;
        primary.batch_execute("UPDATE job_workers SET lease_until = now() - interval '1 s'").await.unwrap();
        until_noted(&notes, 3).await;
        assert_eq!(notes.all(), ["hangs", "gone", "hangs"]);
        let again = find(&queue, id).await.unwrap();
        assert_eq!((again.attempt, again.attempts_max, again.error), (2, 3, None));
        worker.stop().await;
    });
}

fn a_job_that_keeps_its_worker_from_beating_uses_up_its_attempts(world: &World) {
    let queue = queue(world);
    let db = {
        let _runtime = world.runtime.enter();
        world.db("stalled", PoolSettings::default())
    };
    // Longer than a lease.
    let id = world.runtime.block_on(enqueue_job(&queue, job(&Act::Block(11_000)).attempts_max(1)));
    let stalled = std::thread::spawn(move || {
        // One thread for the handler and for the heart.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let queue = Queue::new(db, None);
            let notes = Notes::default();
            let worker = Worker::start(&queue, Handlers::default().with(Acts(notes.clone())));
            let job = until_state(&queue, id, JobState::Discarded).await;
            worker.stop().await;
            (job, notes.all())
        })
    });
    let (job, notes) = stalled.join().unwrap();
    assert_eq!((job.attempt, notes), (1, vec!["blocked".to_owned()]));
    assert_eq!(job.error.as_deref(), Some("the worker that ran it was lost"));
}

fn a_lost_job_that_somebody_holds_keeps_nobody_from_the_others(world: &World) {
    let queue = queue(world);
    world.run(async {
        let (held, free) = (enqueue_job(&queue, note("held")).await, enqueue_job(&queue, note("free")).await);
        // Of a worker that nobody knows any more: whoever found it lost was lost before it was done.
        let mut holder = world.server(0).await;
        holder.batch_execute("UPDATE jobs SET state = 'running', worker_id = -1, attempt = 1").await.unwrap();
        let transaction = holder.transaction().await.unwrap();
        transaction.execute("SELECT FROM jobs WHERE id = $1 FOR UPDATE", &[&held]).await.unwrap();
        let notes = Notes::default();
        let worker = Worker::start(&queue, Handlers::default().with(Acts(notes.clone())));
        until_state(&queue, free, JobState::Completed).await;
        assert_eq!(notes.all(), ["free"]);
        transaction.rollback().await.unwrap();
        until_state(&queue, held, JobState::Completed).await;
        worker.stop().await;
    });
}

fn a_worker_that_was_given_up_stops_and_claims_nothing_under_its_old_number(world: &World) {
    let queue = queue(world);
    world.run(async {
        let primary = world.server(0).await;
        let notes = Notes::default();
        let worker = Worker::start(&queue, Handlers::default().with(Acts(notes.clone())));
        let id = enqueue_job(&queue, job(&Act::Hang)).await;
        until_noted(&notes, 1).await;
        // As another worker does that finds the lease run out.
        primary
            .batch_execute(
                "BEGIN; DELETE FROM job_workers;
                 UPDATE jobs SET state = 'cancelled', worker_id = NULL, run_at = NULL, finished_at = now(),
                     keep_until = now() + interval '1 h' WHERE state = 'running';
                 COMMIT",
            )
            .await
            .unwrap();
        until_noted(&notes, 2).await;
        assert_eq!(notes.all(), ["hangs", "gone"]);
        enqueue(&queue, note("under a new lease")).await;
        until_noted(&notes, 3).await;
        assert_eq!(find(&queue, id).await.unwrap().state, JobState::Cancelled);
        worker.stop().await;
    });
}

fn a_stopping_worker_hands_back_what_does_not_end(world: &World) {
    let queue = queue(world);
    world.run(async {
        let notes = Notes::default();
        let mut worker = Worker::start(&queue, Handlers::default().with(Acts(notes.clone())));
        let ends = enqueue_job(&queue, job(&Act::Sleep(1_000))).await;
        let hangs = enqueue_job(&queue, job(&Act::Hang)).await;
        until_noted(&notes, 2).await;
        let begun = Instant::now();
        worker.stop.send_replace(true);
        let later = enqueue_job(&queue, note("never")).await;
        (&mut worker.task).await.unwrap();
        // Rather than when its time is over, after 20 s.
        assert!(begun.elapsed() < Duration::from_secs(18), "{:?}", begun.elapsed());
        let state = async |id| find(&queue, id).await.unwrap();
        assert_eq!(state(ends).await.state, JobState::Completed);
        let handed_back = state(hangs).await;
        assert_eq!(
            (handed_back.state, handed_back.attempt, handed_back.attempts_max),
            (JobState::Available, 1, 3)
        );
        assert_eq!(state(later).await.state, JobState::Available);
        assert!(!notes.all().contains(&"never".to_owned()), "nothing is claimed once it stops");
    });
}

fn a_job_of_a_later_version_waits_for_a_worker_that_knows_it(world: &World) {
    struct Second(Notes);
    impl Handler for Second {
        const KIND: &'static str = "act";
        const VERSION: i16 = 2;
        type Payload = Act;
        type Output = ();
        async fn run(&self, act: Act, _: JobContext) -> Result<Outcome<()>, JobError> {
            self.0.push(format!("{act:?}"));
            Ok(Outcome::Done(()))
        }
    }
    let queue = queue(world);
    world.run(async {
        let (old, new) = (Notes::default(), Notes::default());
        let worker = Worker::start(&queue, Handlers::default().with(Acts(old.clone())));
        let id = enqueue_job(&queue, NewJob::of::<Second>(&Act::Hang).unwrap()).await;
        enqueue(&queue, note("old")).await;
        until_noted(&old, 1).await;
        assert_eq!(find(&queue, id).await.unwrap().state, JobState::Available);
        let second = Worker::start(&queue, Handlers::default().with(Second(new.clone())));
        until_state(&queue, id, JobState::Completed).await;
        assert_eq!((old.all(), new.all()), (vec!["old".to_owned()], vec!["Hang".to_owned()]));
        worker.stop().await;
        second.stop().await;
    });
}

fn a_handler_that_reads_a_replica_finds_what_enqueued_it(world: &World) {
    struct Reads(Db, Notes);
    impl Handler for Reads {
        const KIND: &'static str = "reads";
        type Payload = i64;
        type Output = ();
        async fn run(&self, id: i64, job: JobContext) -> Result<Outcome<()>, JobError> {
            assert!(job.position.is_some());
            let connection = self.0.read(job.position).await?;
            let found = connection.query_opt("SELECT FROM facts WHERE id = $1", &[&id]).await?;
            self.1.push(if found.is_some() { "found" } else { "missed" });
            // And so does the attempt after a pause.
            Ok(if job.attempt == 1 { Outcome::Snooze(Duration::ZERO) } else { Outcome::Done(()) })
        }
    }
    let queue = queue(world);
    world.run(async {
        let db = world.db_ready("queue", PoolSettings::default()).await;
        let replicas = [world.server(1).await, world.server(2).await];
        for replica in &replicas {
            replica.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
        }
        let notes = Notes::default();
        let worker = Worker::start(&queue, Handlers::default().with(Reads(db, notes.clone())));
        let written = queue.db().write(async |transaction| {
            transaction.execute("INSERT INTO facts VALUES (4711, 0)", &[]).await?;
            queue.enqueue(transaction, &NewJob::of::<Reads>(&4711).unwrap()).await.unwrap();
            Ok::<_, DbError>(())
        });
        written.await.unwrap();
        until_noted(&notes, 2).await;
        for replica in &replicas {
            replica.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
        }
        assert_eq!(notes.all(), ["found", "found"]);
        worker.stop().await;
    });
}

fn secrets_are_sealed_at_rest_and_open_for_the_handler(world: &World) {
    #[derive(Serialize, Deserialize)]
    struct Login {
        user: String,
        password: String,
    }
    struct LogsIn(Notes);
    impl Handler for LogsIn {
        const KIND: &'static str = "logs_in";
        const SECRETS: &'static [&'static str] = &["/password"];
        type Payload = Login;
        type Output = ();
        async fn run(&self, login: Login, _: JobContext) -> Result<Outcome<()>, JobError> {
            self.0.push(format!("{} {}", login.user, login.password));
            Ok(Outcome::Done(()))
        }
    }
    world.run(async {
        let secrets = Secrets::new("a secret of the tests and of none other", None).unwrap();
        let queue = Queue::new(world.db("queue", PoolSettings::default()), Some(Seal::new(&secrets)));
        let login = Login { user: "ann".to_owned(), password: "hunter2".to_owned() };
        let id = enqueue_job(&queue, NewJob::of::<LogsIn>(&login).unwrap()).await;
        let stored: String = {
            let connection = queue.db().writer().await.unwrap();
            let row =
                connection.query_one("SELECT jobs::text FROM jobs WHERE id = $1", &[&id]).await.unwrap();
            row.get(0)
        };
        assert!(stored.contains("ann") && !stored.contains("hunter2"), "{stored}");
        let shown = queue.details(id).await.unwrap().unwrap().payload;
        assert_eq!(shown["password"], "[sealed]");
        let notes = Notes::default();
        let worker = Worker::start(&queue, Handlers::default().with(LogsIn(notes.clone())));
        until_noted(&notes, 1).await;
        assert_eq!(notes.all(), ["ann hunter2"]);
        worker.stop().await;
    });
}

fn a_result_that_can_not_be_stored_ends_its_job_alone(world: &World) {
    let queue = queue(world);
    world.run(async {
        let mut jobs: Vec<_> = (0..6).map(|n| note(&n.to_string())).collect();
        jobs.insert(3, job(&Act::Nul));
        let written = queue.db().write(async |transaction| {
            let all = queue.enqueue_all(transaction, &jobs).await.unwrap();
            Ok::<_, DbError>(all.into_iter().map(|enqueued| enqueued.job.id).collect::<Vec<_>>())
        });
        let ids = written.await.unwrap().value;
        let worker = Worker::start(&queue, Handlers::default().with(Acts(Notes::default())));
        let bad = until_state(&queue, ids[3], JobState::Discarded).await;
        assert_eq!(bad.error.as_deref(), Some("the job's result can't be kept"));
        until("the others are completed", || async { count(&queue, "state = 'completed'").await == 6 }).await;
        worker.stop().await;
    });
}

fn what_has_ended_is_removed_when_its_time_is_over(world: &World) {
    struct Brief;
    impl Handler for Brief {
        const KIND: &'static str = "brief";
        const RETENTION: Retention =
            Retention { completed: Duration::from_hours(1), failed: Duration::from_hours(2) };
        type Payload = bool;
        type Output = ();
        async fn run(&self, well: bool, _: JobContext) -> Result<Outcome<()>, JobError> {
            if well { Ok(Outcome::Done(())) } else { Err(JobError::discard("bad", "inside")) }
        }
    }
    let queue = queue(world);
    world.run(async {
        let worker = Worker::start(&queue, Handlers::default().with(Brief));
        let well = enqueue_job(&queue, NewJob::of::<Brief>(&true).unwrap()).await;
        let bad = enqueue_job(&queue, NewJob::of::<Brief>(&false).unwrap()).await;
        until_state(&queue, well, JobState::Completed).await;
        until_state(&queue, bad, JobState::Discarded).await;
        let an_hour_later = "UPDATE jobs SET keep_until = keep_until - interval '1 h'";
        world.server(0).await.batch_execute(an_hour_later).await.unwrap();
        until("what went well is removed", || async { find(&queue, well).await.is_none() }).await;
        assert_eq!(find(&queue, bad).await.unwrap().state, JobState::Discarded);
        worker.stop().await;
    });
}

fn each_effect_happens_once_whatever_is_killed(world: &World) {
    // More by hand: QUEUE_JOBS=100000.
    let jobs: i64 = std::env::var("QUEUE_JOBS").ok().and_then(|jobs| jobs.parse().ok()).unwrap_or(3_000);
    let queue = queue(world);
    world.run(async {
        let primary = world.server(0).await;
        primary.batch_execute(ledger::TABLES).await.unwrap();
        for chunk in (0..jobs).collect::<Vec<_>>().chunks(1_000) {
            let jobs: Vec<_> = chunk
                .iter()
                .map(|number| {
                    let job = NewJob::of::<Ledger>(&Line { number: *number }).unwrap();
                    job.key(format!("{:03}", number % KEYS))
                })
                .collect();
            let written = queue.db().write(async |transaction| {
                queue.enqueue_all(transaction, &jobs).await.unwrap();
                Ok::<_, DbError>(())
            });
            written.await.unwrap();
        }
        let mut workers = [LedgerWorker::start(world), LedgerWorker::start(world)];
        let mut connection = Some(primary);
        let (mut violations, mut looks, mut kills, mut killed_server) = (0, 0, 0_i32, false);
        let (begun, mut killed_at) = (Instant::now(), Instant::now());
        loop {
            assert!(begun.elapsed() < Duration::from_mins(10), "some jobs are stuck");
            if connection.is_none() {
                connection = Some(world.server_soon(0).await);
            }
            let Some(client) = &connection else { continue };
            let too_many = "SELECT count(*) FROM (SELECT FROM jobs WHERE state = 'running'
                GROUP BY kind, lane HAVING count(*) > $1)";
            let left = "SELECT count(*) FROM jobs WHERE kind = 'ledger'";
            let looked = async {
                let violations: i64 = client.query_one(too_many, &[&i64::from(PER_KEY)]).await?.get(0);
                let left: i64 = client.query_one(left, &[]).await?.get(0);
                Ok::<_, tokio_postgres::Error>((violations, left))
            };
            let left = match looked.await {
                Ok((found, left)) => {
                    violations += found;
                    looks += 1;
                    left
                }
                Err(_) => {
                    connection = None;
                    continue;
                }
            };
            if left == 0 {
                break;
            }
            // Three times however quick it goes, and every five seconds however slow.
            let is_due = kills < 3 && left < jobs * (4 - i64::from(kills)) / 5;
            if is_due || killed_at.elapsed() > Duration::from_secs(5) {
                killed_at = Instant::now();
                kills += 1;
                match kills % 3 {
                    1 => workers[usize::try_from(kills % 2).unwrap()] = LedgerWorker::start(world),
                    2 => {
                        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                            WHERE application_name = 'ledger' AND random() < 0.5";
                        client.query(cut, &[]).await.unwrap();
                    }
                    _ if !killed_server => {
                        killed_server = true;
                        world.kill(0).await;
                    }
                    _ => workers[usize::try_from(kills % 2).unwrap()] = LedgerWorker::start(world),
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let client = connection.unwrap();
        let row = client.query_one("SELECT count(*), count(DISTINCT number) FROM ledger", &[]).await.unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (jobs, jobs), "each once");
        let row = client.query_one(ledger::MOST, &[]).await.unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (i64::from(PER_KEY), 0), "at any time");
        assert_eq!(violations, 0, "of {looks} looks");
        assert!(kills >= 3, "{kills} kills");
        drop(workers);
        eprintln!("{jobs} jobs in {:?}, {kills} times something was killed, {looks} looks", begun.elapsed());
    });
}
