//! Stopping in good order: on SIGTERM or SIGINT first stop taking work, then end
//! what was begun, all by one deadline.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Work that has not ended this long after the signal is given up.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Tells whether the process is stopping; cheap to clone.
#[derive(Clone)]
pub struct Shutdown {
    stopping: watch::Receiver<bool>,
}

impl Shutdown {
    /// Begins to listen for SIGTERM and SIGINT.
    pub fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (begin, shutdown) = Self::manual();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            begin.send_replace(true);
        });
        Ok(shutdown)
    }

    /// One that begins when `true` is sent.
    pub fn manual() -> (watch::Sender<bool>, Self) {
        let (begin, stopping) = watch::channel(false);
        (begin, Self { stopping })
    }

    /// The process is stopping.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Returns when the process begins to stop.
    pub async fn begun(&self) {
        let mut stopping = self.stopping.clone();
        if stopping.wait_for(|&stopping| stopping).await.is_err() {
            // Nobody is left who could begin it.
            std::future::pending::<()>().await;
        }
    }
}
