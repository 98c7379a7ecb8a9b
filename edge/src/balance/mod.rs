//! Which origin takes a request.

mod in_flight;
mod round_robin;

pub use in_flight::{InFlight, Ticket};
pub use round_robin::RoundRobin;

/// A way to choose among origins.
pub trait Pick {
    /// One of `candidates`, the indices of the origins that may take the request in
    /// ascending order; `None` when there is none.
    fn pick(&mut self, candidates: &[usize]) -> Option<usize>;
}
