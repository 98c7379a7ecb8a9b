//! How this process is told to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Returns when a person or the system asks this process to stop.
pub(crate) async fn told_to_stop() {
    let stop = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            // Without a handler the signal ends the process, as it does by default.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop(SignalKind::interrupt()) => {}
        () = stop(SignalKind::terminate()) => {}
        () = stop(SignalKind::hangup()) => {}
    }
}
