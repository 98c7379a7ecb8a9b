//! The bench `queue`: Tidewall's queue beside others, all on the same server with
//! commits that are durable, each in a database of its own and as its own
//! documentation says that it is fastest. What is done by a job is nothing.
//!
//! - `backlog`: many jobs are added by the batch API, then workers are started
//!   and do them: how fast that is, and how much WAL it writes.
//! - `single`: jobs are added one by one, on 20 connections.
//! - `pickup`: jobs come at a steady rate; how long until a handler has each.
//! - `snapshot`: jobs are added and done while an old transaction keeps the server
//!   from cleaning up.
//! - `results`: what these come to; pure.
//!
//! A contestant does what `contestant` asks of it. Libraries in Rust do it in this
//! process (`library`, with `tally` to hear from their handlers), those of npm in
//! a process of their own (`node`). `place` is the database of each, `field` all
//! of them in turn, and `scale` says how much.
//!
//! Between two rounds nobody's workers run, and nobody's jobs are left.

#[cfg(feature = "peers")]
mod apalis;
mod backlog;
mod bare;
mod contestant;
mod field;
#[cfg(feature = "peers")]
mod graphile_worker;
mod library;
mod node;
#[cfg(feature = "peers")]
mod pgmq;
mod pickup;
mod place;
mod results;
pub mod scale;
mod single;
mod snapshot;
mod tally;
mod tidewall;

use crate::catalog::Setting;
use crate::error::{BenchError, Reason};
use crate::peers;
use crate::report::Measurement;
use backlog::Backlog;
use field::Field;

/// Connections on which jobs are added one by one.
const CONNECTIONS: u32 = 20;

/// Tidewall's queue.
const TIDEWALL: &str = "tidewall";
/// No library: one statement claims and deletes.
const BARE: &str = "bare SKIP LOCKED";

/// Measures the queue.
///
/// # Errors
/// Something other than a peer can't be measured.
pub async fn run(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    let mut field = Field::new(&setting.primary);
    let scale = &setting.queue;
    enter(&mut field).await?;
    let measured = async {
        let mut results = backlog::run(&mut field, scale).await?;
        results.extend(single::run(&mut field, scale).await?);
        results.extend(pickup::run(&mut field, scale).await?);
        results.extend(snapshot::run(&mut field, scale).await?);
        Ok(results)
    };
    let results = measured.await;
    field.leave().await;
    results
}

/// Jobs a second of one backlog.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    /// Added by the batch API.
    pub(crate) added: f64,
    /// Done, from the start of the workers to the last completion.
    pub(crate) done: f64,
}

/// What Tidewall's queue alone makes of backlogs of so many jobs each, round by round.
///
/// # Errors
/// It can't be measured.
pub(crate) async fn backlogs(
    primary: &str,
    jobs: &[u32],
    rounds: u32,
) -> Result<Vec<Vec<Rates>>, BenchError> {
    let mut field = Field::new(primary);
    field.enter(TIDEWALL, &tidewall::PLACE, tidewall::connect).await?;
    let measured = backlog::of_each(&mut field, jobs, rounds).await;
    field.leave().await;
    let rates = |backlog: Backlog| Rates { added: backlog.enqueued.rate(), done: backlog.done.rate() };
    Ok(measured?.into_iter().map(|round| round.into_iter().map(rates).collect()).collect())
}

async fn enter(field: &mut Field) -> Result<(), BenchError> {
    field.enter(TIDEWALL, &tidewall::PLACE, tidewall::connect).await?;
    field.enter(BARE, &bare::PLACE, bare::connect).await?;
    for package in [&node::GRAPHILE_WORKER, &node::PG_BOSS] {
        field.invite(&peers::npm(package.package), &package.place, |url| package.connect(url)).await;
    }
    #[cfg(feature = "peers")]
    {
        field
            .invite(&peers::cargo("graphile_worker"), &graphile_worker::PLACE, graphile_worker::connect)
            .await;
        field.invite(&peers::cargo("apalis-postgres"), &apalis::PLACE, apalis::connect).await;
        field.invite(&peers::cargo("pgmq"), &pgmq::PLACE, pgmq::connect).await;
    }
    #[cfg(not(feature = "peers"))]
    for package in ["graphile_worker", "apalis-postgres", "pgmq"] {
        field.miss(&peers::cargo(package), Reason::new("this was built without the feature `peers`"));
    }
    field.miss("underway", Reason::new("it needs sqlx 0.8, the other peers 0.9"));
    field.miss(
        "node bullmq",
        Reason::new("it needs Redis, and isn't durable as it is usually run: not measured here"),
    );
    Ok(())
}
