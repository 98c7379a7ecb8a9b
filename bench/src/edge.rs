//! The bench `edge`: the Worker as it is deployed, in plain workerd, before an origin
//! of this process.
//!
//! - `hit`: CPU time of a hit from memory, from the Cache API and from KV, beside
//!   `plain`, a Worker in JavaScript, and the `proxies`.
//! - `speedup`: mean latency at 80 % hits. `burst`: many for one that isn't stored.
//! - `memory`: whether it is bounded. `size`: what is deployed.
//! - `balance`, `cdn`: the benches of these names, which share the rest.
//! - `tidewall`: the Worker under test; `workerd`: how one is run; `process`: what
//!   it takes; `folder`: where it lives. `origin`, `storage`: what it stands before
//!   and on. `crowd`: who ask; `http`: in which words. Some of these serve
//!   [`crate::scenario`] as well.
//!
//! workerd has one thread for requests; CPU time is that of the whole process, its
//! compilers and collectors included.

mod balance;
mod burst;
mod cdn;
mod crowd;
pub(crate) mod folder;
mod hit;
pub(crate) mod http;
mod memory;
mod origin;
mod plain;
mod process;
mod proxies;
mod size;
mod speedup;
pub(crate) mod storage;
pub(crate) mod tidewall;
pub(crate) mod workerd;

use crate::catalog::Setting;
use crate::error::{BenchError, Reason};
use crate::report::Measurement;
pub use balance::run as balance;
pub use cdn::run as cdn;
use hit::Level;
use origin::Origin;

/// Who ask at the same time, unless told otherwise.
const CLIENTS: u32 = 32;

/// Measures the edge.
///
/// # Errors
/// Something other than a peer can't be measured.
pub async fn run(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    measure(setting).await.map_err(|reason| BenchError::Contestant { name: "edge".to_owned(), reason })
}

async fn measure(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    let origin = Origin::start().await?;
    let mut results = vec![size::run(setting)?];
    for level in [Level::Memory, Level::CacheApi, Level::Kv] {
        results.extend(hit::run(setting, &origin, level).await?);
    }
    results.push(speedup::run(setting, &origin).await?);
    results.extend(burst::run(setting, &origin).await?);
    results.extend(memory::run(setting, &origin).await?);
    Ok(results)
}
