//! What `tidewall bench` measures: Tidewall's parts beside their peers, in one
//! run on one machine.
//!
//! - [`catalog`]: which benches there are. [`edge`], [`index`], [`pool`], [`queue`],
//!   [`replicas`], [`scale`]: these.
//! - [`contest`]: several contestants under the same load, in turn, again and
//!   again, so that what the machine does meanwhile meets all of them.
//!   [`load`]: that load. [`effort`]: for how long.
//! - [`sample`]: what the rounds came to; [`figure`], [`report`]: how it is told.
//!   All three pure.
//! - [`results`]: what is kept of a run.
//! - [`scenario`]: products under load, by which the advisor is judged.
//! - [`peers`]: what the contestants are called, with the versions that are locked.
//! - `node`: peers of npm, as processes.
//! - [`checkout`], [`machine`], [`versions`], [`database`], [`progress`]: what else touches the world.
//! - [`error`]: why a bench can't be measured, or a contestant can't go on.
//!
//! A new bench is a module that returns [`report::Measurement`]s, and a variant
//! of [`catalog::Bench`].

pub mod catalog;
pub mod checkout;
pub mod contest;
pub mod database;
pub mod edge;
pub mod effort;
pub mod error;
pub mod figure;
pub mod index;
pub mod load;
pub mod machine;
mod node;
pub mod peers;
pub mod pool;
pub mod progress;
pub mod queue;
pub mod replicas;
pub mod report;
pub mod results;
pub mod sample;
pub mod scale;
pub mod scenario;
pub mod versions;
