//! Waiting for what has no event of its own to wait for.

use std::time::{Duration, Instant};

/// Between two looks: often enough not to be noticed, seldom enough to cost nothing.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks until there is something, or until `deadline` has passed.
pub(crate) fn until<T>(deadline: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(INTERVAL);
    }
}

/// The same where looking takes a while itself.
pub(crate) async fn until_async<T, F>(deadline: Duration, mut look: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Option<T>>,
{
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    tokio::time::timeout(deadline, looking).await.ok()
}
