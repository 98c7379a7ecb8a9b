//! Background jobs, kept in the product's own database.
//!
//! A job is enqueued inside the transaction that gives rise to it, so it exists
//! exactly if that commits. A worker claims it (`FOR UPDATE SKIP LOCKED`, so
//! workers don't wait for each other) and holds it under a lease that a
//! heartbeat extends. A worker that is lost stops beating: the lease runs out
//! and the job runs again elsewhere, as a new attempt. Only the attempt that
//! owns a job may end it; an effect that must happen once is made to depend on
//! the attempt, or on the job's id.
//!
//! ```text
//! available | scheduled --claim--> running --complete--> completed
//!                ^                    |
//!                |                    +--fail, lease lost--> retryable --claim--> running
//!                +----hand back-------+                 \--attempts used up--> discarded
//! ```
//!
//! - `job`: a job's row, and a new one.
//! - `handler`: what to do for each kind.
//! - `storage`: every SQL statement of the queue.
//! - `worker`: claims; `run`: runs one claimed job under its lease, and says when a
//!   failed one runs again.
//! - `metrics`: how many jobs wait, and for how long.

mod handler;
mod job;
mod metrics;
mod run;
mod storage;
mod worker;

pub use handler::{Handler, Handlers, JobContext, JobError, Progress};
pub use job::{JobRow, NewJob};
pub use metrics::QueueMetrics;
pub use storage::{enqueue, find, hot_statements};
pub use worker::work;
