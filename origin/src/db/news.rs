//! The wait for news of the servers.

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::survey::View;

/// For who had a view that was not complete: waits until there is more to see. `false`: there was no
/// more by the deadline. What was learnt since that view counts, or the last look would be waited for
/// that nobody takes any more.
pub(super) async fn learns_more(mut views: watch::Receiver<View>, deadline: Instant) -> bool {
    let is_complete = views.borrow_and_update().is_complete;
    is_complete || timeout_at(deadline, views.changed()).await.is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn view(is_complete: bool) -> View {
        View { is_complete, ..View::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_learnt_between_a_view_and_the_wait_for_more_counts() {
        let deadline = Instant::now() + Duration::from_secs(2);
        let views = watch::Sender::new(view(false));
        assert!(!learns_more(views.subscribe(), deadline).await, "nothing is");
        // The last look, just before the wait.
        views.send_replace(view(true));
        assert!(learns_more(views.subscribe(), deadline).await);

        let views = watch::Sender::new(view(false));
        let waits = tokio::spawn(learns_more(views.subscribe(), deadline + Duration::from_secs(60)));
        tokio::task::yield_now().await;
        views.send_replace(view(false));
        assert!(waits.await.unwrap());
    }
}
