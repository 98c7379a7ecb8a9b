//! Watches rows on behalf of many: one look at the database for all of them together, again
//! and again while anybody watches.
//!
//! Each look tells how things stand, and not what has changed. So one that is missed, or that
//! the database doesn't answer, loses nothing: the next one tells the same and more.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::db::DbError;
use crate::telemetry::chain;

/// Time between two looks: half the longest wait that people don't notice.
const INTERVAL: Duration = Duration::from_millis(200);
/// Time to the next look when the database gave no answer.
const INTERVAL_FAILED: Duration = Duration::from_secs(1);
/// A look that takes longer is given up: the next one may find another server.
const LOOK_MAX: Duration = Duration::from_secs(5);

type Look<K, V> = dyn Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, DbError>> + Send + Sync;

/// What a look saw of a row.
#[derive(Clone, Debug, PartialEq)]
struct Sight<V> {
    /// From before the look was begun.
    asked_at: Instant,
    /// `None` if there is no such row.
    value: Option<V>,
}

/// Looks at rows of one kind; cheap to clone.
pub(crate) struct Watcher<K, V> {
    inner: Arc<Inner<K, V>>,
}

struct Inner<K, V> {
    look: Box<Look<K, V>>,
    watched: Mutex<Watched<K, V>>,
}

/// Who is told what.
struct Watched<K, V> {
    rows: HashMap<K, watch::Sender<Option<Sight<V>>>>,
    /// Somebody looks.
    is_running: bool,
}

impl<K, V> Clone for Watcher<K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, V> Watcher<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// One that asks `look` for all rows that are watched. Rows that there are none of are
    /// left out of its answer.
    pub(crate) fn new<F>(look: F) -> Self
    where
        F: Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, DbError>> + Send + Sync + 'static,
    {
        let watched = Mutex::new(Watched { rows: HashMap::new(), is_running: false });
        Self { inner: Arc::new(Inner { look: Box::new(look), watched }) }
    }

    /// Watches one row, until what is returned is dropped.
    pub(crate) fn watch(&self, key: K) -> Watching<V> {
        let mut watched = self.inner.watched();
        let sender = watched.rows.entry(key).or_insert_with(|| watch::channel(None).0);
        let watching = Watching { sights: sender.subscribe(), from: Instant::now() };
        if !watched.is_running {
            watched.is_running = true;
            tokio::spawn(run(Arc::clone(&self.inner)));
        }
        watching
    }
}

impl<K, V> Inner<K, V> {
    fn watched(&self) -> MutexGuard<'_, Watched<K, V>> {
        // Nothing that panics is done under it.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, V> Inner<K, V> {
    /// The rows that somebody watches; `None`, and the end of looking, if nobody does.
    fn keys(&self) -> Option<Vec<K>> {
        let mut watched = self.watched();
        watched.rows.retain(|_, sender| sender.receiver_count() > 0);
        watched.is_running = !watched.rows.is_empty();
        watched.is_running.then(|| watched.rows.keys().cloned().collect())
    }

    fn tell(&self, asked_at: Instant, keys: &[K], mut found: HashMap<K, V>) {
        let watched = self.watched();
        for key in keys {
            if let Some(sender) = watched.rows.get(key) {
                sender.send_replace(Some(Sight { asked_at, value: found.remove(key) }));
            }
        }
    }
}

/// Looks for as long as anybody watches.
async fn run<K: Clone + Eq + Hash, V>(inner: Arc<Inner<K, V>>) {
    let mut failures = 0_u32;
    while let Some(keys) = inner.keys() {
        let asked_at = Instant::now();
        let failure = match timeout(LOOK_MAX, (inner.look)(keys.clone())).await {
            Ok(Ok(found)) => {
                inner.tell(asked_at, &keys, found);
                None
            }
            Ok(Err(error)) => Some(chain(&error).to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        let Some(failure) = failure else {
            failures = 0;
            sleep(INTERVAL).await;
            continue;
        };
        if failures == 0 {
            tracing::warn!(error = failure, "what is watched could not be looked at; it is tried again");
        }
        failures = failures.saturating_add(1);
        sleep(INTERVAL_FAILED).await;
    }
}

/// A row that is watched.
pub(crate) struct Watching<V> {
    sights: watch::Receiver<Option<Sight<V>>>,
    from: Instant,
}

impl<V: Clone> Watching<V> {
    /// What its holder has read itself by now is newer than looks that have begun already.
    pub(crate) fn have_read(&mut self) {
        self.from = Instant::now();
    }

    /// The next sight of it; `None` if there is no such row.
    pub(crate) async fn next(&mut self) -> Option<V> {
        loop {
            if self.sights.changed().await.is_err() {
                return None;
            }
            let sight = self.sights.borrow_and_update();
            if let Some(sight) = sight.as_ref().filter(|sight| sight.asked_at >= self.from) {
                return sight.value.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Rows, looks at them, and whether the database answers.
    #[derive(Default)]
    struct Table {
        rows: Mutex<HashMap<i64, u32>>,
        looks: Mutex<Vec<Vec<i64>>>,
        failing: AtomicUsize,
    }

    fn watcher(table: &Arc<Table>) -> Watcher<i64, u32> {
        let table = Arc::clone(table);
        Watcher::new(move |mut keys| {
            keys.sort_unstable();
            let rows = table.rows.lock().unwrap().clone();
            table.looks.lock().unwrap().push(keys);
            let fails = table.failing.load(Ordering::Relaxed) > 0;
            if fails {
                table.failing.fetch_sub(1, Ordering::Relaxed);
            }
            let failure = || DbError::NoPrimary { servers: "none".to_owned() };
            Box::pin(async move { if fails { Err(failure()) } else { Ok(rows) } })
        })
    }

    fn set(table: &Table, key: i64, value: u32) {
        table.rows.lock().unwrap().insert(key, value);
    }

    #[tokio::test(start_paused = true)]
    async fn one_look_is_for_all_that_watch() {
        let table = Arc::new(Table::default());
        set(&table, 1, 10);
        let watcher = watcher(&table);
        let (mut one, mut again, mut none) = (watcher.watch(1), watcher.watch(1), watcher.watch(2));
        assert_eq!((one.next().await, again.next().await, none.next().await), (Some(10), Some(10), None));
        assert_eq!(*table.looks.lock().unwrap(), [[1, 2]]);
        set(&table, 2, 20);
        assert_eq!(none.next().await, Some(20));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_looks_while_nobody_watches() {
        let table = Arc::new(Table::default());
        let watcher = watcher(&table);
        let mut watching = watcher.watch(1);
        watching.next().await;
        drop(watching);
        sleep(Duration::from_secs(60)).await;
        assert!(table.looks.lock().unwrap().len() <= 2);
        set(&table, 1, 10);
        assert_eq!(watcher.watch(1).next().await, Some(10), "it begins again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_fails_loses_nothing() {
        let table = Arc::new(Table::default());
        let watcher = watcher(&table);
        let mut watching = watcher.watch(1);
        assert_eq!(watching.next().await, None);
        table.failing.store(3, Ordering::Relaxed);
        set(&table, 1, 10);
        assert_eq!(watching.next().await, Some(10));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_before_the_own_read_is_passed_over() {
        let table = Arc::new(Table::default());
        set(&table, 1, 10);
        let watcher = watcher(&table);
        let mut early = watcher.watch(1);
        assert_eq!(early.next().await, Some(10));
        let mut watching = watcher.watch(1);
        sleep(INTERVAL * 3 / 2).await;
        set(&table, 1, 11);
        watching.have_read();
        assert_eq!(watching.next().await, Some(11));
    }
}
