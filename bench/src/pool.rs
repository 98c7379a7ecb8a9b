//! The bench `pool`: what a bounded pool saves over a connection for each
//! request, and what ours costs over others and over none.
//!
//! The load is 64 tasks that each ask for one product by its key, on 20
//! connections. What a connection checks when it is taken is the same for all:
//! whether it is open, without a query; and every statement is prepared once
//! for each connection. Where a library's defaults differ, its file says so.

#[cfg(feature = "peers")]
mod bb8;
mod deadpool;
mod node;
mod per_request;
pub(crate) mod product;
mod results;
mod shared;
#[cfg(feature = "peers")]
mod sqlx;
mod tidewall;

use crate::catalog::Setting;
use crate::contest::Contest;
use crate::error::BenchError;
#[cfg(not(feature = "peers"))]
use crate::error::Reason;
use crate::peers;
use crate::report::Measurement;

/// Connections of each contestant.
const CONNECTIONS: usize = 20;

/// Tidewall's pool.
const TIDEWALL: &str = "tidewall";
/// No pool: a request connects, asks and leaves.
const PER_REQUEST: &str = "connection per request";
/// No pool either: the connections are dealt out to the tasks once.
const SHARED: &str = "connections without a pool";

/// Measures the pool.
///
/// # Errors
/// Something other than a peer can't be measured.
pub async fn run(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    // One after the other: all together would need more connections than the
    // server takes.
    let mut results = against_none(setting).await?;
    results.extend(against_others(setting).await?);
    Ok(results)
}

async fn against_none(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    let mut contest = Contest::default();
    contest.enter(TIDEWALL, tidewall::connect(&setting.primary)).await?;
    contest.enter(PER_REQUEST, per_request::connect(&setting.primary)).await?;
    let outcome = contest.run("pool, against a connection per request", &setting.effort).await?;
    Ok(vec![results::latency(&outcome)?, results::requests_ratio(&outcome)?])
}

async fn against_others(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    let deadpool = peers::cargo("deadpool-postgres");
    let mut contest = Contest::default();
    contest.enter(TIDEWALL, tidewall::connect(&setting.primary)).await?;
    contest.enter(&deadpool, deadpool::connect(&setting.primary)).await?;
    contest.enter(SHARED, shared::connect(&setting.primary)).await?;
    #[cfg(feature = "peers")]
    {
        contest.invite(&peers::cargo("bb8"), bb8::connect(&setting.primary)).await;
        contest.invite(&peers::cargo("sqlx"), sqlx::connect(&setting.primary)).await;
    }
    #[cfg(not(feature = "peers"))]
    for package in ["bb8", "sqlx"] {
        contest.miss(&peers::cargo(package), Reason::new("this was built without the feature `peers`"));
    }
    contest.invite(&peers::npm("pg"), node::connect(&setting.primary)).await;
    let outcome = contest.run("pool, against other pools", &setting.effort).await?;
    Ok(vec![results::select(&outcome)?, results::overhead(&outcome, &deadpool)?])
}
