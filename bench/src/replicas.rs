//! The bench `replicas`: what routing costs, what a bookmark costs, and whether
//! it holds what it promises while replicas are paused, killed and promoted.
//!
//! - `select`: reads spread over replicas by the router, beside bare pools.
//! - `wait`: a reader right behind its own write, with a bookmark and without.
//! - [`pairs`]: a write and the read after it, many times, while [`faults`] befall
//!   the replicas.
//! - `failover`: a frozen primary, a promotion, and what was acknowledged before.
//!   It leaves the servers of no use to others, so it comes last.
//! - `server`: what is done to a server, through its own SQL.

pub mod faults;
pub mod pairs;

mod failover;
mod select;
mod server;
mod wait;

use crate::catalog::Setting;
use crate::error::{BenchError, Reason};
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// Measures the replicas.
///
/// # Errors
/// Something other than a peer can't be measured.
pub async fn run(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    let mut results = select::run(setting).await?;
    let measured = async {
        let mut results = wait::run(setting).await?;
        results.extend(pairs::run(setting).await?);
        results.extend(failover::run(setting).await?);
        Ok(results)
    };
    results.extend(
        measured
            .await
            .map_err(|reason: Reason| BenchError::Contestant { name: "replicas".to_owned(), reason })?,
    );
    Ok(results)
}

/// A result of one run, which no round repeats.
fn once(name: &'static str, unit: &'static str, better: Better, value: f64) -> Result<Measurement, Reason> {
    let sample = Sample::new(vec![value]).ok_or_else(|| Reason::new(&format!("{name} came to no figure")))?;
    Ok(Measurement::new(name, unit, better, &sample))
}

/// The share in percent; no number of nothing, which is then no result.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}
