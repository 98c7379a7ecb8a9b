//! One server, as whoever runs it sees it: its processes, its replay, its role.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;
use tokio_postgres::Client;
use tokio_postgres::types::PgLsn;

use crate::database::connect;
use crate::error::Reason;

/// Time a killed server has to come back.
const BACK_MAX: Duration = Duration::from_secs(60);
/// Between two tries to reach it.
const BACK_POLL: Duration = Duration::from_millis(50);

pub(super) struct Server {
    url: String,
    client: Client,
}

impl Server {
    pub(super) async fn connect(url: &str) -> Result<Self, Reason> {
        Ok(Self { url: url.to_owned(), client: connect(&url.parse()?).await? })
    }

    /// Connects again to a server that was killed, once it is back.
    pub(super) async fn reconnect(&mut self) -> Result<(), Reason> {
        let config = self.url.parse()?;
        let begun = Instant::now();
        loop {
            match connect(&config).await {
                Ok(client) => self.client = client,
                Err(error) if begun.elapsed() > BACK_MAX => return Err(error.into()),
                Err(_) => {
                    sleep(BACK_POLL).await;
                    continue;
                }
            }
            return Ok(());
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn pause(&self) -> Result<(), Reason> {
        Ok(self.client.batch_execute("SELECT pg_wal_replay_pause()").await?)
    }

    pub(super) async fn resume(&self) -> Result<(), Reason> {
        Ok(self.client.batch_execute("SELECT pg_wal_replay_resume()").await?)
    }

    /// How far it has the log.
    pub(super) async fn received(&self) -> Result<PgLsn, Reason> {
        Ok(self.client.query_one("SELECT pg_last_wal_receive_lsn()", &[]).await?.try_get(0)?)
    }

    /// Makes it a primary; returns once it is one.
    pub(super) async fn promote(&self) -> Result<(), Reason> {
        let promoted = self.client.query_one("SELECT pg_promote()", &[]).await?.try_get(0)?;
        if promoted { Ok(()) } else { Err(Reason::new("the promotion did not end in time")) }
    }

    /// Its processes, the one that starts the others first.
    async fn pids(&self) -> Result<Vec<i32>, Reason> {
        let first = self
            .client
            .query_one("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int", &[])
            .await?;
        let others = self.client.query("SELECT pid FROM pg_stat_activity", &[]).await?;
        let mut pids = vec![first.try_get(0)?];
        for row in others {
            pids.push(row.try_get(0)?);
        }
        Ok(pids)
    }

    /// Kills it as a power cut would. Whoever started it starts it again.
    pub(super) async fn kill(&self) -> Result<(), Reason> {
        // The others end when they see that the first is gone.
        signal(self.pids().await?.first().copied(), Signal::KILL);
        Ok(())
    }

    /// Makes it stand still, all of it, until the value is dropped.
    pub(super) async fn freeze(&self) -> Result<Frozen, Reason> {
        let pids = self.pids().await?;
        for pid in &pids {
            signal(Some(*pid), Signal::STOP);
        }
        Ok(Frozen(pids))
    }
}

/// A server that stands still.
pub(super) struct Frozen(Vec<i32>);

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            signal(Some(*pid), Signal::CONT);
        }
    }
}

/// To a process that may have ended, as those of connections do.
fn signal(pid: Option<i32>, signal: Signal) {
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}
