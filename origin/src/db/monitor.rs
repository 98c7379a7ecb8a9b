//! Keeps an eye on one server: does it answer, is it a replica, how far is it.
//!
//! A replica's position is a lower bound of what any later read there sees,
//! which is what answers claim; so it may be old, and between reads that wait
//! for it the monitor looks rarely. A read that waits wakes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::managed::Object;
use tokio::time::{sleep, timeout};
use tokio_postgres::types::PgLsn;

use super::error::DbError;
use super::link::Connector;
use super::server::Server;
use super::shared::Shared;
use super::survey::Sighting;

/// How often a server is looked at when nobody waits for it. Each look costs it
/// about 0.1 ms.
const INTERVAL: Duration = Duration::from_millis(50);
/// How often one that does not answer is tried again.
const INTERVAL_LOST: Duration = Duration::from_millis(250);
/// Looks that follow each other at once while reads wait: a healthy replica catches
/// up within a few of them.
const LOOKS_IN_A_ROW: u32 = 4;
/// Then there is a pause, however many reads wait. (No timer is finer.)
const INTERVAL_MIN: Duration = Duration::from_millis(1);
/// A server that takes longer to say where it is can't serve reads either.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// The timeline of a primary is in the name of the segment it writes. A replica
/// says which one it receives, to a role that may see that (`pg_monitor`) and
/// while it receives; else the control file knows the one it was on last.
const LOOK: &str = "
    SELECT pg_is_in_recovery(),
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END,
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() END,
        CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END,
        CASE WHEN pg_is_in_recovery() THEN coalesce(
            (SELECT received_tli FROM pg_stat_wal_receiver),
            (SELECT greatest(min_recovery_end_timeline, timeline_id)
             FROM pg_control_recovery(), pg_control_checkpoint()))
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int END";

/// Looks at `server` until dropped, and tells what it saw.
pub(super) async fn monitor(server: Arc<Server>, shared: Arc<Shared>) {
    let mut connection = None;
    let mut in_a_row = 0;
    loop {
        let mut looked = timeout(ANSWER_MAX, look(&server, &mut connection)).await;
        if looked.as_ref().is_ok_and(|looked| looked.as_ref().is_err_and(|error| !error.is_overload())) {
            // That connection may have been ended alone: the server is lost if a new one fails, too.
            drop(connection.take().map(Object::take));
            looked = timeout(ANSWER_MAX, look(&server, &mut connection)).await;
        }
        match looked {
            Ok(Ok(sighting)) => {
                shared.saw(server.index, sighting);
                in_a_row += 1;
                if in_a_row == LOOKS_IN_A_ROW {
                    in_a_row = 0;
                    sleep(INTERVAL_MIN).await;
                }
                if sighting.in_recovery && shared.reads_wait() {
                    continue;
                }
                tokio::select! {
                    () = sleep(INTERVAL) => in_a_row = 0,
                    () = server.look_now.notified() => {}
                }
            }
            // No connection was free to look: nothing is known.
            Ok(Err(error)) if error.is_overload() => sleep(INTERVAL).await,
            Ok(Err(_)) | Err(_) => {
                // Not back to the pool: an answer may still be on its way.
                drop(connection.take().map(Object::take));
                shared.lost(server.index);
                sleep(INTERVAL_LOST).await;
            }
        }
    }
}

/// One look, over a connection of the pool that is kept for it, so that a full
/// pool doesn't blind the monitor and every connection counts.
async fn look(server: &Server, connection: &mut Option<Object<Connector>>) -> Result<Sighting, DbError> {
    // Of an earlier role: it is counted, but must not be lent again.
    if connection.as_ref().is_some_and(|link| !server.pool().manager().is_of_this_term(link)) {
        drop(connection.take().map(Object::take));
    }
    let asked_at = Instant::now();
    let link = match connection {
        Some(link) => link,
        None => connection.insert(server.take(asked_at + ANSWER_MAX).await?),
    };
    let error = |error| DbError::of_statement(&server.name, error);
    let statement = link.client.prepare_cached(LOOK).await.map_err(error)?;
    let row = link.client.query_one(&statement, &[]).await.map_err(error)?;
    let lsn = |column| row.get::<_, Option<PgLsn>>(column).map(Into::into);
    Ok(Sighting {
        asked_at,
        in_recovery: row.get(0),
        lsn: lsn(1),
        received: lsn(2),
        paused: row.get(3),
        timeline: row.get::<_, Option<i32>>(4).map(i32::cast_unsigned),
    })
}
