//! The CPUs of a machine: as many can compute at a time as it has, and the others wait. Computing is
//! waiting here, so a machine of a product may have more of them than this one has.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// A machine.
pub(super) struct Machine {
    cpus: u32,
    free: Semaphore,
    /// Microseconds that its CPUs have computed.
    used: AtomicU64,
}

impl Machine {
    pub(super) fn new(cpus: u32) -> Self {
        let free = Semaphore::new(cpus.try_into().unwrap_or(1));
        Self { cpus, free, used: AtomicU64::new(0) }
    }

    /// Has a CPU compute for so many milliseconds.
    pub(super) async fn compute(&self, ms: f64) {
        if ms > 0.0 {
            // It takes so long from when a CPU is free.
            self.run(async { tokio::time::sleep(Duration::from_secs_f64(ms / 1_000.0)).await }).await;
        }
    }

    /// Has a CPU run something.
    pub(super) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        // Nobody closes it.
        let _held = self.free.acquire().await;
        let begun = Instant::now();
        let outcome = work.await;
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.used.fetch_add(took, Ordering::Relaxed);
        outcome
    }

    pub(super) fn cpus(&self) -> f64 {
        self.cpus.into()
    }

    /// Seconds that its CPUs have computed so far.
    pub(super) fn used(&self) -> f64 {
        self.used.load(Ordering::Relaxed) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_compute_at_a_time_than_there_are_cpus() {
        let machine = Machine::new(2);
        let begun = Instant::now();
        tokio::join!(machine.compute(20.0), machine.compute(20.0), machine.compute(20.0));
        assert!(begun.elapsed() >= Duration::from_millis(40));
        assert!(machine.used() >= 0.06);
    }
}
