//! The Lab: each of the tools off and on, under a load that this page makes, on the system that serves it.
//!
//! - `tally`: what a load came to, second by second; `plot`: a line through it; `experiment`: what there is
//!   to try, in words and numbers; `earth`: distances. Pure.
//! - `once`: one request of each experiment; `load`: many, for a while.
//! - `bench`: what is seen of an experiment; `chart`, `steps`, `origins`, `distances`: parts of it.

pub mod bench;
pub mod chart;
pub mod distances;
pub mod earth;
pub mod experiment;
pub mod load;
pub mod once;
pub mod origins;
pub mod plot;
pub mod steps;
pub mod tally;
