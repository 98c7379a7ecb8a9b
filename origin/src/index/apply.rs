//! Builds what was proposed while others write, measures it on the table itself, and keeps it or
//! takes it back.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::IndexError;
use super::advice::Applied;
use super::advise::Chosen;
use super::scratch::of;
use super::session::{Refused, Session};
use super::work::Work;
use super::{candidate, storage};

/// Whoever builds holds this lock; an arbitrary number.
const LOCK: i64 = 0x7469_6465_6978;
/// How long a run that was killed may still hold it: the server notices within a second.
const LOCK_WAIT: Duration = Duration::from_secs(20);
/// How long to wait for transactions that were there before: a build waits for all of them.
const OLD_WAIT: Duration = Duration::from_secs(60);
/// A transaction that has been open for longer holds up a build.
const OLD_SECONDS: f64 = 5.0;
/// Each statement is run so often with each set of values; the least counts.
const RUNS: usize = 3;
const RUN_MAX: Duration = Duration::from_secs(20);
/// A build takes as long as it takes. A server goes on building for a client that is gone, unless it
/// looks.
const UNBOUNDED: &str =
    "SET statement_timeout = 0; SET lock_timeout = 0; SET client_connection_check_interval = '1s'";
/// An index is kept if what it serves takes at most this part of the time: the copy promised more,
/// so less than that is a promise that wasn't kept.
const KEEP_MAX: f64 = 0.95;

/// Takes away what builds that were broken off have left, its own alone.
pub(super) async fn clean(session: &Session) -> Result<(), IndexError> {
    lock(session).await?;
    session.batch(UNBOUNDED).await?;
    for row in session.rows(storage::LEFTOVERS, &[&candidate::PREFIX]).await? {
        let index = of(&(row.get(0), row.get(1)));
        tracing::warn!(index, "dropping an index whose build was broken off");
        session.batch(&format!("DROP INDEX CONCURRENTLY IF EXISTS {index}")).await?;
    }
    Ok(())
}

async fn lock(session: &Session) -> Result<(), IndexError> {
    let deadline = Instant::now() + LOCK_WAIT;
    while !session.row("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await?.get::<_, bool>(0) {
        if Instant::now() > deadline {
            return Err(IndexError::Busy);
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Builds each of `chosen`. `build` makes it, `look` measures.
pub(super) async fn apply(
    build: &Session,
    look: &Session,
    works: &[Work],
    chosen: &[Chosen],
) -> Result<Vec<Applied>, IndexError> {
    // What scratch has set.
    build.batch(UNBOUNDED).await?;
    let mut applied = Vec::new();
    for chosen in chosen {
        let before = measure(look, works, chosen).await;
        let refused = |reason| Applied {
            ddl: chosen.ddl.clone(),
            kept: false,
            before_ms: before.as_ref().ok().copied(),
            after_ms: None,
            reason,
        };
        if let Some(old) = old_snapshots(build).await? {
            applied.push(refused(format!("not built: it would wait for {old}; end those, and ask again")));
            continue;
        }
        let name = of(&(chosen.schema.clone(), chosen.name.clone()));
        if let Err(why) = build.command(&chosen.ddl).await {
            build.batch(&format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")).await?;
            applied.push(refused(why.describe()));
            continue;
        }
        if chosen.is_of_expression {
            build.batch(&format!("ANALYZE {}", of(&chosen.table))).await?;
        }
        let after = measure(look, works, chosen).await;
        let (kept, reason) = match (&before, &after) {
            (Ok(before), Ok(after)) if *after <= before * KEEP_MAX => {
                (true, format!("what it serves is {:.1} times faster", before / after.max(1e-9)))
            }
            (Ok(_), Ok(_)) => (false, "taken back: on the table itself it is not faster".to_owned()),
            // Without the index it took longer than may be.
            (Err(Refused::TooLong), Ok(_)) => (true, "what it serves took longer than may be".to_owned()),
            (_, Err(Refused::TooLong)) => {
                (false, "taken back: what it serves takes longer than may be".to_owned())
            }
            _ => (true, "it can't be measured here; it was on a copy".to_owned()),
        };
        if !kept {
            build.batch(&format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")).await?;
        }
        applied.push(Applied {
            ddl: chosen.ddl.clone(),
            kept,
            before_ms: before.ok(),
            after_ms: after.ok(),
            reason,
        });
    }
    build.row("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
    Ok(applied)
}

/// Milliseconds of what an index serves or harms, weighed by how often each runs.
async fn measure(look: &Session, works: &[Work], chosen: &Chosen) -> Result<f64, Refused> {
    let (mut total, mut weights) = (0.0, 0.0);
    for (place, sets) in &chosen.measured {
        let Some(work) = works.get(*place) else { continue };
        let mut ms = 0.0;
        for set in sets {
            let mut least = f64::INFINITY;
            for _ in 0..RUNS {
                least = least.min(look.run(&work.text, set, RUN_MAX).await?.ms);
            }
            ms += least;
        }
        let weight = work.statement.rate.max(1e-9);
        total += weight * ms / sets.len().max(1) as f64;
        weights += weight;
    }
    if weights > 0.0 { Ok(total / weights) } else { Err(Refused::Because("nothing can be run".to_owned())) }
}

/// Waits a while for transactions that were there before. What is left of them, in words.
async fn old_snapshots(session: &Session) -> Result<Option<String>, IndexError> {
    let deadline = Instant::now() + OLD_WAIT;
    let mut is_told = false;
    loop {
        let rows = session.rows(storage::OLD_SNAPSHOTS, &[&OLD_SECONDS]).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let each = rows.iter().map(|row| {
            let (what, seconds): (String, f64) = (row.get(0), row.get(1));
            format!("{what}, open for {seconds:.0} s")
        });
        let old = each.collect::<Vec<_>>().join("; ");
        if !is_told {
            tracing::warn!(old, "a build waits for transactions that were there before");
            is_told = true;
        }
        if Instant::now() > deadline {
            return Ok(Some(old));
        }
        sleep(Duration::from_millis(500)).await;
    }
}
