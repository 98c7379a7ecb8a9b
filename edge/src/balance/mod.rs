//! Which origin takes a request.
//!
//! - [`balancer`]: all of it as one, for one isolate.
//! - [`health`] says who may take it at all, [`outlier`] who does badly beside the others,
//!   [`again`] and [`budget`] whether another one may be asked when that failed.
//! - A policy chooses among them: `round_robin`, `weighted`, `least_connections`,
//!   `ip_hash`, [`sticky`]. [`policy`] names them.
//! - [`watch`], [`quorum`]: what the keeper of the control log does for all isolates.
//! - [`in_flight`] and [`latency`] are what an isolate sees of the origins, [`load`] what they
//!   say of themselves.

pub mod again;
pub mod balancer;
pub mod budget;
pub mod health;
pub mod in_flight;
mod ip_hash;
pub mod latency;
mod least_connections;
pub mod load;
pub mod outlier;
pub mod policy;
pub mod quorum;
mod round_robin;
pub mod sticky;
pub mod watch;
mod weighted;

/// An origin that may take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its place in the configuration.
    pub origin: usize,
    /// Its name there.
    pub id: &'a str,
    /// How much it takes beside the others; at least one.
    pub weight: u32,
    /// What a request to it costs now; see [`cost`](crate::balance::latency::cost).
    pub cost: u64,
}

/// What a choice may hang on beside the origins.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The client's address, or nothing where the runtime doesn't tell it.
    pub client: &'a str,
    /// The origin that its cookie names.
    pub kept: Option<&'a str>,
    /// A random number.
    pub draw: u64,
}

/// A way to choose among origins.
pub trait Pick {
    /// The origin of one of `candidates`, which are in the order of the configuration;
    /// `None` when there is none.
    fn pick(&mut self, candidates: &[Candidate<'_>], asker: &Asker<'_>) -> Option<usize>;
}

/// Candidates as tests write them: ids, each with a weight and a cost.
#[cfg(test)]
fn candidates<'a>(of: &[(&'a str, u32, u64)]) -> Vec<Candidate<'a>> {
    let candidate = |(origin, &(id, weight, cost))| Candidate { origin, id, weight, cost };
    of.iter().enumerate().map(candidate).collect()
}
