//! Claims jobs for one worker.

use std::time::{Duration, Instant};

use super::frontier::{Frontier, Place};
use super::handler::{Handlers, Kind};
use super::job::Claimed;
use super::limits;
use super::priority::Priority;
use super::storage::claim::{self as storage, Claimant};
use crate::db::{Db, DbError, Lsn, Transaction, Written};

/// Jobs taken by one statement: with more the statement takes so long that others wait.
const CLAIM_MAX: usize = 500;
/// Time to the next look at a kind with limits that had nothing to claim.
const LIMITED_PAUSE: Duration = Duration::from_millis(50);

/// What a worker remembers of its claims.
pub(super) struct Claims {
    db: Db,
    kinds: Vec<&'static str>,
    versions: Vec<i16>,
    frontier: Frontier,
    limited: Vec<Limited>,
    /// Who claims first: 0 are the kinds without limits.
    turn: usize,
}

/// A kind with limits.
struct Limited {
    kind: &'static Kind,
    /// Where its lanes are looked at next.
    lane: String,
    /// Not before.
    look_at: Option<Instant>,
}

/// Jobs with a position at which they can be seen.
pub(super) struct Batch {
    pub(super) jobs: Vec<Claimed>,
    pub(super) position: Option<Lsn>,
}

impl Claims {
    pub(super) fn new(db: Db, handlers: &Handlers) -> Self {
        let limited = handlers.limited(true);
        let limited = limited.map(|kind| Limited { kind, lane: String::new(), look_at: None }).collect();
        Self {
            db,
            kinds: handlers.limited(false).map(|kind| kind.name).collect(),
            versions: handlers.limited(false).map(|kind| kind.version).collect(),
            frontier: Frontier::new(),
            limited,
            turn: 0,
        }
    }

    /// There are kinds that may wait for one of their jobs to end.
    pub(super) fn are_limited(&self) -> bool {
        !self.limited.is_empty()
    }

    /// There may be something anywhere.
    pub(super) fn woken(&mut self) {
        for limited in &mut self.limited {
            limited.look_at = None;
        }
    }

    /// Claims may begin anywhere again, as after a loss.
    pub(super) fn forget(&mut self) {
        self.frontier.forget();
        self.woken();
    }

    /// Up to `free` jobs for `claimant`, into `batches`. What is in there was claimed, also if there
    /// is an error in the end; then more may have been, and is to be [released](release).
    pub(super) async fn claim(
        &mut self,
        claimant: Claimant,
        free: usize,
        batches: &mut Vec<Batch>,
    ) -> Result<(), DbError> {
        let mut free = free;
        // In turns, so that no kind waits for ever while others have enough to do.
        let turns = self.limited.len() + 1;
        self.turn = (self.turn + 1) % turns;
        let first = self.turn;
        for place in (0..turns).map(|step| (first + step) % turns) {
            if free == 0 {
                break;
            }
            let limit = free.min(CLAIM_MAX);
            let now = Instant::now();
            let batch = match place.checked_sub(1).and_then(|index| self.limited.get_mut(index)) {
                None if self.kinds.is_empty() => continue,
                None => self.claim_unlimited(claimant, limit).await?,
                Some(limited) if limited.look_at.is_some_and(|at| now < at) => continue,
                Some(limited) => {
                    let batch = limited.claim(&self.db, claimant, limit).await?;
                    limited.look_at = batch.jobs.is_empty().then(|| now + LIMITED_PAUSE);
                    batch
                }
            };
            free -= batch.jobs.len();
            if !batch.jobs.is_empty() {
                batches.push(batch);
            }
        }
        Ok(())
    }

    async fn claim_unlimited(&mut self, claimant: Claimant, limit: usize) -> Result<Batch, DbError> {
        let connection = self.db.writer().await?;
        let sent_at = Instant::now();
        let begin = self.frontier.begin(sent_at);
        let mut jobs =
            storage::claim(&connection, claimant, &begin.places, &self.kinds, &self.versions, limit).await?;
        let places = jobs.iter().filter_map(|job| {
            let priority = Priority::ALL.into_iter().find(|priority| priority.rank() == job.priority)?;
            Some((priority, Place { run_at: job.run_at, id: job.id }))
        });
        self.frontier.claimed(begin, places, sent_at.elapsed(), Instant::now());
        // As they were claimed, not as the join gave them.
        jobs.sort_unstable_by_key(|job| (job.priority, job.run_at, job.id));
        // After the claim has committed; what made these jobs had committed before.
        let position = if jobs.is_empty() { None } else { connection.flushed().await.ok() };
        Ok(Batch { jobs, position })
    }
}

impl Limited {
    async fn claim(&mut self, db: &Db, claimant: Claimant, free: usize) -> Result<Batch, DbError> {
        let Self { kind, lane, .. } = self;
        let written = db.write(async |transaction| claim_kind(transaction, claimant, kind, lane, free).await);
        let Written { value: (jobs, next_lane), position } = written.await?;
        self.lane = next_lane;
        Ok(Batch { jobs, position })
    }
}

/// Claims of one kind with limits, under its lock; and where its lanes are looked at next.
async fn claim_kind(
    transaction: &Transaction,
    claimant: Claimant,
    kind: &Kind,
    lane: &str,
    free: usize,
) -> Result<(Vec<Claimed>, String), DbError> {
    if !storage::lock(transaction, kind.name).await? {
        return Ok((Vec::new(), lane.to_owned()));
    }
    let used = storage::used(transaction, kind.name).await?;
    let allowance = limits::allowance(&kind.limits, used, free);
    if allowance == 0 {
        return Ok((Vec::new(), lane.to_owned()));
    }
    let mut lanes = storage::lanes(transaction, kind.name, lane).await?;
    if lanes.is_empty() && !lane.is_empty() {
        lanes = storage::lanes(transaction, kind.name, "").await?;
    }
    let rooms: Vec<_> = lanes
        .iter()
        .map(|(lane, running)| (&**lane, limits::room(&kind.limits, *running, allowance)))
        .filter(|(_, room)| *room > 0)
        .collect();
    let jobs = if rooms.is_empty() {
        Vec::new()
    } else {
        storage::claim_lanes(transaction, claimant, (kind.name, kind.version), &rooms, allowance).await?
    };
    if let Some(rate) = kind.limits.rate.filter(|_| !jobs.is_empty()) {
        storage::use_rate(transaction, kind.name, rate, used, jobs.len()).await?;
    }
    let visited: Vec<_> = lanes.iter().map(|(lane, _)| &**lane).collect();
    let claimed: Vec<_> = jobs.iter().filter_map(|job| job.lane.as_deref()).collect();
    let next = limits::next_lane(&visited, &claimed, allowance);
    Ok((jobs, next))
}

/// Hands back what `worker` has by the database and doesn't know of, `held` being the attempts that
/// it does know of; how many jobs, and the era in which it claims from now on, unless it was found
/// lost. The era comes first and by itself: the worker's heartbeats wait for that, and for no more.
pub(super) async fn release(
    db: &Db,
    worker: i64,
    held: &[(i64, i32)],
) -> Result<(u64, Option<i32>), DbError> {
    let era = db.write(async |transaction| storage::fence(transaction, worker).await).await?.value;
    let Some(era) = era else { return Ok((0, None)) };
    let released = storage::release(&db.writer().await?, Claimant { worker, era }, held).await?;
    Ok((released, Some(era)))
}

/// Kinds by whether they have limits, for jobs that were enqueued when that was otherwise.
pub(super) async fn adopt(db: &Db, handlers: &Handlers) -> Result<u64, DbError> {
    let names = |limited| handlers.limited(limited).map(|kind| kind.name).collect::<Vec<_>>();
    storage::adopt(&db.writer().await?, &names(true), &names(false)).await
}
