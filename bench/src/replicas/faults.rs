//! What befalls the replicas while pairs run: each is paused, let go, and now and
//! then killed, on its own and at random.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::server::Server;
use crate::error::Reason;

/// How the replicas are treated.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Longest time that a replica is left alone, or stands still.
    pub span: Duration,
    /// A replica that was left alone for so long is to serve: it has caught up, and
    /// that was noticed.
    pub settled: Duration,
    /// One of so many pauses is a kill instead.
    pub kill_one_in: u64,
    /// Makes the same happen again.
    pub seed: u64,
}

/// Replicas under faults, until stopped.
pub(super) struct Running {
    stop: Arc<AtomicBool>,
    replicas: Vec<Arc<State>>,
    tasks: Vec<JoinHandle<Result<(), Reason>>>,
    begun: Instant,
    settled: Duration,
}

/// What was done to one replica.
#[derive(Default)]
struct State {
    pauses: AtomicU64,
    kills: AtomicU64,
    /// Since when it has been left alone, in milliseconds from the beginning;
    /// `u64::MAX` while it isn't.
    alone_since: AtomicU64,
}

impl Faults {
    pub(super) async fn start(self, replicas: &[String]) -> Result<Running, Reason> {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Instant::now();
        let (mut states, mut tasks) = (Vec::new(), Vec::new());
        for (index, url) in (1..).zip(replicas) {
            let server = Server::connect(url).await?;
            let state = Arc::new(State::default());
            let chance = Chance(self.seed.wrapping_add(index));
            let befall = befall(self, server, Arc::clone(&state), Arc::clone(&stop), begun, chance);
            tasks.push(tokio::spawn(befall));
            states.push(state);
        }
        Ok(Running { stop, replicas: states, tasks, begun, settled: self.settled })
    }
}

impl Running {
    /// A replica has been left alone for long enough to serve.
    pub(super) fn one_is_settled(&self) -> bool {
        let now = elapsed_ms(self.begun);
        let settled = u64::try_from(self.settled.as_millis()).unwrap_or(u64::MAX);
        let since = |state: &Arc<State>| state.alone_since.load(Ordering::Relaxed);
        self.replicas.iter().map(since).any(|since| since != u64::MAX && now.saturating_sub(since) >= settled)
    }

    /// Lets the replicas go; how often they were paused and killed.
    pub(super) async fn stop(self) -> Result<(u64, u64), Reason> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await??;
        }
        let sum = |count: fn(&State) -> &AtomicU64| {
            self.replicas.iter().map(|state| count(state).load(Ordering::Relaxed)).sum()
        };
        Ok((sum(|state| &state.pauses), sum(|state| &state.kills)))
    }
}

fn elapsed_ms(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

async fn befall(
    faults: Faults,
    mut server: Server,
    state: Arc<State>,
    stop: Arc<AtomicBool>,
    begun: Instant,
    mut chance: Chance,
) -> Result<(), Reason> {
    while !stop.load(Ordering::Relaxed) {
        // Left alone three times as long as it is bothered, at the most.
        sleep(chance.part_of(faults.span * 3)).await;
        state.alone_since.store(u64::MAX, Ordering::Relaxed);
        if chance.one_in(faults.kill_one_in) {
            server.kill().await?;
            state.kills.fetch_add(1, Ordering::Relaxed);
            // Dead for a moment at least, or it would answer its own end.
            sleep(Duration::from_millis(100)).await;
            server.reconnect().await?;
            // A pause doesn't outlive the server.
        } else {
            server.pause().await?;
            state.pauses.fetch_add(1, Ordering::Relaxed);
            sleep(chance.part_of(faults.span)).await;
            server.resume().await?;
        }
        state.alone_since.store(elapsed_ms(begun), Ordering::Relaxed);
    }
    Ok(())
}

/// Numbers by chance, the same for the same seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.next().is_multiple_of(count.max(1))
    }

    fn part_of(&mut self, whole: Duration) -> Duration {
        let micros = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(self.next() % micros)
    }
}
