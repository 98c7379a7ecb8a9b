//! What servers are told on channels (`LISTEN`, `NOTIFY`).

use std::panic::Location;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Db;
use super::error::DbError;
use super::server::Purpose;
use crate::telemetry::chain;

/// Time to the next try to listen.
const AGAIN: Duration = Duration::from_secs(1);
/// How often the connection is looked at: one that is lost tells nothing by itself.
const LOOK: Duration = Duration::from_secs(1);

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It hears from now on. What was said before was missed.
    Listening,
    /// Somebody said this.
    Message(String),
}

impl Db {
    /// Listens on `channel` of whichever server is the primary, over a connection that it has to
    /// itself, and tells `hear`. It never ends; after a loss it begins again.
    #[track_caller]
    pub fn listen(
        &self,
        channel: &'static str,
        mut hear: impl FnMut(Heard) + Send,
    ) -> impl Future<Output = ()> + Send {
        let site = Location::caller();
        async move {
            loop {
                if let Err(error) = self.listen_once(channel, &mut hear, site).await {
                    tracing::debug!(channel, error = %chain(&error), "nothing is heard");
                }
                sleep(AGAIN).await;
            }
        }
    }

    /// Until the connection is lost, or another server is the primary.
    async fn listen_once(
        &self,
        channel: &str,
        hear: &mut (impl FnMut(Heard) + Send),
        site: &'static Location<'static>,
    ) -> Result<(), DbError> {
        let connection = self.primary(Purpose::Write, site).await?;
        // Dropped, it is closed rather than given back.
        connection.in_transaction.store(true, Ordering::Relaxed);
        let mut heard = connection.heard();
        connection.batch(&format!("LISTEN {channel}")).await?;
        hear(Heard::Listening);
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = heard.recv() => match message {
                    Ok(message) if message.channel() == channel => {
                        hear(Heard::Message(message.payload().to_owned()));
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => hear(Heard::Listening),
                    Err(RecvError::Closed) => return Ok(()),
                },
                _ = looks.tick() => {
                    if connection.client().is_closed() || !connection.is_of_the_primary() {
                        return Ok(());
                    }
                }
            }
        }
    }
}
