//! Builds what was proposed while others write, measures it on the table itself, and keeps it or
//! takes it back.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::IndexError;
use super::advice::Applied;
use super::advise::{Chosen, Measured};
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
/// A build takes as long as it takes.
const UNBOUNDED: &str = "SET statement_timeout = 0; SET lock_timeout = 0";
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

/// Builds each of `chosen`. `build` makes it, `look` measures. What was done so far is in `applied`
/// also if there is an error.
pub(super) async fn apply(
    build: &Session,
    look: &Session,
    works: &[&Work],
    chosen: &[Chosen],
    applied: &mut Vec<Applied>,
) -> Result<(), IndexError> {
    build.batch(UNBOUNDED).await?;
    for chosen in chosen {
        let before = measure(look, works, chosen).await;
        let nothing = |kept, reason| Applied {
            ddl: chosen.ddl.clone(),
            kept,
            before_ms: served_ms(&before),
            after_ms: None,
            reason,
        };
        if state(build, chosen).await? == Some(true) {
            applied.push(nothing(true, "it is there already".to_owned()));
            continue;
        }
        if let Some(old) = old_snapshots(build).await? {
            let reason = format!("not built: it would wait for {old}; end those, and ask again");
            applied.push(nothing(false, reason));
            continue;
        }
        if let Err(why) = build.command(&chosen.ddl).await {
            drop_broken(build, chosen).await?;
            applied.push(nothing(false, why.describe()));
            continue;
        }
        if chosen.is_of_expression {
            build.batch(&format!("ANALYZE {}", of(&chosen.table))).await?;
        }
        let after = measure(look, works, chosen).await;
        let verdict = judge(&before, &after);
        if verdict.is_err() {
            build.batch(&format!("DROP INDEX CONCURRENTLY IF EXISTS {}", chosen.index())).await?;
        }
        applied.push(Applied {
            ddl: chosen.ddl.clone(),
            kept: verdict.is_ok(),
            before_ms: served_ms(&before),
            after_ms: served_ms(&after),
            reason: match verdict {
                Ok(reason) | Err(reason) => reason,
            },
        });
    }
    Ok(())
}

/// Gives the right to build back to others.
pub(super) async fn unlock(session: &Session) -> Result<(), IndexError> {
    session.row("SELECT pg_advisory_unlock($1)", &[&LOCK]).await.map(drop)
}

/// Whether the index is there, and is valid.
async fn state(session: &Session, chosen: &Chosen) -> Result<Option<bool>, IndexError> {
    let rows = session.rows(storage::STATE, &[&chosen.schema, &chosen.name]).await?;
    Ok(rows.first().map(|row| row.get(0)))
}

/// Takes away what a build of one's own has left, and nothing that is of use.
async fn drop_broken(session: &Session, chosen: &Chosen) -> Result<(), IndexError> {
    match state(session, chosen).await? {
        Some(false) => session.batch(&format!("DROP INDEX CONCURRENTLY IF EXISTS {}", chosen.index())).await,
        _ => Ok(()),
    }
}

/// What a statement takes.
struct Taken {
    place: usize,
    /// The index is there for it.
    is_served: bool,
    rate: f64,
    /// `None`: longer than may be.
    ms: Option<f64>,
}

/// Milliseconds of the statements that an index serves, or could harm. What can't be run is left out.
async fn measure(look: &Session, works: &[&Work], chosen: &Chosen) -> Vec<Taken> {
    let mut taken = Vec::new();
    for Measured { place, sets, is_served } in &chosen.measured {
        let Some(work) = works.get(*place) else { continue };
        let mut ms = Ok(0.0);
        for set in sets {
            let mut least = f64::INFINITY;
            for _ in 0..RUNS {
                match look.run(&work.text, set, false, RUN_MAX).await {
                    Ok(run) => least = least.min(run.ms),
                    Err(refused) => {
                        ms = Err(refused);
                        break;
                    }
                }
            }
            let Ok(sum) = &mut ms else { break };
            *sum += least;
        }
        let ms = match ms {
            Ok(ms) => Some(ms / sets.len().max(1) as f64),
            Err(Refused::TooLong) => None,
            Err(Refused::Because(_)) => continue,
        };
        taken.push(Taken { place: *place, is_served: *is_served, rate: work.statement.rate.max(1e-9), ms });
    }
    taken
}

/// Milliseconds of what is served, weighed by how often each runs.
fn served_ms(taken: &[Taken]) -> Option<f64> {
    let served = || taken.iter().filter(|taken| taken.is_served);
    let weights: f64 = served().map(|taken| taken.rate).sum();
    let ms: Option<f64> = served().map(|taken| Some(taken.rate * taken.ms?)).sum();
    ms.filter(|_| weights > 0.0).map(|ms| ms / weights)
}

/// Whether an index stays: what it serves is faster, and nothing else slower by as much. In words.
fn judge(before: &[Taken], after: &[Taken]) -> Result<String, String> {
    let (mut gain, mut harm) = (0.0, 0.0);
    for before in before {
        let Some(after) = after.iter().find(|after| after.place == before.place) else { continue };
        let longest = RUN_MAX.as_secs_f64() * 1_000.0;
        let saved = (before.ms.unwrap_or(longest) - after.ms.unwrap_or(longest)) * before.rate;
        if before.is_served { gain += saved } else { harm += (-saved).max(0.0) }
    }
    match (served_ms(before), served_ms(after)) {
        (None, None) if gain == 0.0 => Ok("it can't be measured here; it was on a copy".to_owned()),
        _ if harm > gain => Err("taken back: it makes other statements slower".to_owned()),
        (Some(before), Some(after)) if after > before * KEEP_MAX => {
            Err("taken back: on the table itself it is not faster".to_owned())
        }
        (Some(before), Some(after)) => {
            Ok(format!("what it serves is {:.1} times faster", before / after.max(1e-9)))
        }
        (None, Some(_)) => Ok("what it serves took longer than may be".to_owned()),
        (_, None) => Err("taken back: what it serves takes longer than may be".to_owned()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(is_served: bool, ms: Option<f64>) -> Taken {
        Taken { place: usize::from(is_served), is_served, rate: 1.0, ms }
    }

    fn check(before: &[Taken], after: &[Taken], is_kept: bool) {
        let verdict = judge(before, after);
        assert_eq!(verdict.is_ok(), is_kept, "{verdict:?}");
    }

    #[test]
    fn an_index_stays_if_what_it_serves_is_faster_and_others_are_not_slower_by_as_much() {
        check(&[taken(true, Some(50.0))], &[taken(true, Some(1.0))], true);
        check(&[taken(true, Some(50.0))], &[taken(true, Some(49.0))], false);
        let other = |ms| taken(false, Some(ms));
        check(&[taken(true, Some(50.0)), other(10.0)], &[taken(true, Some(1.0)), other(20.0)], true);
        check(&[taken(true, Some(50.0)), other(10.0)], &[taken(true, Some(1.0)), other(80.0)], false);
    }

    #[test]
    fn what_takes_longer_than_may_be_counts_for_whom_it_is() {
        // A report that nobody serves takes as long as before.
        let report = || taken(false, None);
        check(&[taken(true, Some(50.0)), report()], &[taken(true, Some(1.0)), report()], true);
        check(&[taken(true, None)], &[taken(true, Some(1.0))], true);
        check(&[taken(true, Some(50.0))], &[taken(true, None)], false);
        check(&[], &[], true);
    }
}
