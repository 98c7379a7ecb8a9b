//! Simulated time, and the tasks that pass it.
//!
//! What happens in the world is written as futures, so that it reads as the flows of the
//! Worker do. Each is polled by one loop, at the times it waits for, in the order in
//! which it began to wait: the same seed gives the same run.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The event queue.
#[derive(Default)]
pub(crate) struct Clock {
    now: Cell<u64>,
    /// How many waits there were: what is due at one time is run in their order.
    waits: Cell<u64>,
    due: RefCell<BTreeMap<(u64, u64), usize>>,
    tasks: RefCell<Vec<Option<Task>>>,
    running: Cell<usize>,
}

/// What tasks can wait for until another one opens it.
#[derive(Default)]
pub(crate) struct Gate {
    is_open: Cell<bool>,
    waiting: RefCell<Vec<usize>>,
}

impl Clock {
    /// Milliseconds since the world began.
    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Begins a task.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        tasks.push(Some(Box::pin(task)));
        self.wake_at(self.now(), tasks.len() - 1);
    }

    /// Waits.
    pub(crate) async fn sleep(&self, ms: u64) {
        let until = self.now() + ms;
        self.wake_at(until, self.running.get());
        std::future::poll_fn(|_| if self.now() >= until { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Waits for a gate.
    pub(crate) async fn pass(&self, gate: &Gate) {
        std::future::poll_fn(|_| {
            if gate.is_open.get() {
                return Poll::Ready(());
            }
            gate.waiting.borrow_mut().push(self.running.get());
            Poll::Pending
        })
        .await;
    }

    /// Opens a gate for good.
    pub(crate) fn open(&self, gate: &Gate) {
        gate.is_open.set(true);
        for task in gate.waiting.borrow_mut().drain(..) {
            self.wake_at(self.now(), task);
        }
    }

    /// Lets time pass.
    pub(crate) fn run_until(&self, end: u64) {
        loop {
            let next = self.due.borrow().first_key_value().map(|(at, task)| (*at, *task));
            let Some((at, task)) = next.filter(|((at, _), _)| *at <= end) else { break };
            self.due.borrow_mut().remove(&at);
            self.now.set(at.0);
            self.running.set(task);
            let Some(mut future) = self.tasks.borrow_mut()[task].take() else { continue };
            if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                self.tasks.borrow_mut()[task] = Some(future);
            }
        }
        self.now.set(end);
    }

    /// Ends all tasks.
    pub(crate) fn stop(&self) {
        self.due.borrow_mut().clear();
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(tasks);
    }

    fn wake_at(&self, at: u64, task: usize) {
        self.waits.set(self.waits.get() + 1);
        self.due.borrow_mut().insert((at, self.waits.get()), task);
    }
}

/// Runs futures side by side until all are done.
pub(crate) async fn all<T>(mut futures: Vec<Pin<Box<dyn Future<Output = T>>>>) -> Vec<T> {
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        if results.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}
