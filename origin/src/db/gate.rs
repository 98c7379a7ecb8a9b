//! Admission to a server's connections: in order of arrival, a bounded number at
//! a time, a bounded number waiting.
//!
//! A queue without a bound makes every caller wait until none of them has time
//! left for an answer. Past the bound a caller is told so at once, while there is
//! still time to go elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Callers that may wait for each connection. At 40 ms a use, the last of them is
/// served just within the acquire deadline of two seconds.
const WAITERS_PER_CONNECTION: usize = 50;

/// Lets as many callers in as there are connections for them.
#[derive(Debug)]
pub(super) struct Gate {
    permits: Arc<Semaphore>,
    capacity: usize,
    waiting: AtomicUsize,
}

/// Leave to use one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// Why a caller wasn't let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too many wait already.
    Full,
    /// The deadline passed.
    Late,
}

impl Gate {
    /// For `capacity` connections.
    pub(super) fn new(capacity: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(capacity)), capacity, waiting: AtomicUsize::new(0) }
    }

    /// Waits for its turn.
    pub(super) async fn enter(&self, deadline: Instant) -> Result<Permit, Refusal> {
        // Nobody is overtaken: while anyone waits, a permit that comes back is theirs.
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(Permit(permit));
        }
        let _waiting = Waiting::begin(&self.waiting, self.waiters_max())?;
        match timeout_at(deadline, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Permit(permit)),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(Refusal::Late),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Callers that were let in.
    pub(super) fn inside(&self) -> usize {
        self.capacity - self.permits.available_permits().min(self.capacity)
    }

    /// Callers that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn waiters_max(&self) -> usize {
        self.capacity * WAITERS_PER_CONNECTION
    }
}

/// Counted among those who wait, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize, max: usize) -> Result<Self, Refusal> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        let counted = Self(waiting);
        if before < max { Ok(counted) } else { Err(Refusal::Full) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    /// Further away than any test lasts.
    fn deadline() -> Instant {
        Instant::now() + Duration::from_secs(600)
    }

    /// Waits until `count` callers wait; they do once they were polled.
    async fn waiting(gate: &Gate, count: usize) {
        while gate.waiting() < count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn callers_are_let_in_in_order_of_arrival() {
        let gate = Arc::new(Gate::new(1));
        let held = gate.enter(deadline()).await.unwrap();
        let (sender, mut order) = mpsc::unbounded_channel();
        for number in 0..20 {
            let (gate_too, sender) = (Arc::clone(&gate), sender.clone());
            tokio::spawn(async move {
                let _permit = gate_too.enter(deadline()).await.unwrap();
                sender.send(number).unwrap();
            });
            waiting(&gate, number + 1).await;
        }
        drop((held, sender));
        let mut seen = Vec::new();
        while let Some(number) = order.recv().await {
            seen.push(number);
        }
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn past_the_bound_of_waiters_a_caller_is_refused_at_once() {
        let gate = Arc::new(Gate::new(1));
        let _held = gate.enter(deadline()).await.unwrap();
        for _ in 0..WAITERS_PER_CONNECTION {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move { gate.enter(deadline()).await.map(drop) });
        }
        waiting(&gate, WAITERS_PER_CONNECTION).await;
        assert_eq!(gate.enter(deadline()).await.unwrap_err(), Refusal::Full);
    }

    #[tokio::test]
    async fn a_caller_waits_until_its_deadline_and_no_longer() {
        let gate = Gate::new(2);
        let _held = (gate.enter(deadline()).await.unwrap(), gate.enter(deadline()).await.unwrap());
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_eq!(gate.enter(deadline).await.unwrap_err(), Refusal::Late);
        assert!(Instant::now() >= deadline);
        assert_eq!((gate.inside(), gate.waiting()), (2, 0));
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_leaves_no_trace() {
        let gate = Arc::new(Gate::new(1));
        let held = gate.enter(deadline()).await.unwrap();
        let gate_too = Arc::clone(&gate);
        let waiter = tokio::spawn(async move { gate_too.enter(deadline()).await.map(drop) });
        waiting(&gate, 1).await;
        waiter.abort();
        let _ = waiter.await;
        assert_eq!(gate.waiting(), 0);
        drop(held);
        assert!(gate.enter(deadline()).await.is_ok());
    }
}
