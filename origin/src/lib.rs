//! The origin: a web product on one PostgreSQL, and the tools that let it grow.
//!
//! Every part below is of use to any product; the demo that shows them at work
//! lies in [`shop`] alone, and nothing outside that folder names what it sells.
//!
//! - [`index`]: which indexes a workload lacks; [`advise`]: which of the seven tools a product does.
//! - [`db`]: two doors to PostgreSQL, [`db::Db::write`] and [`db::Db::read`]; the
//!   second leads to a replica that has what the reader already saw.
//! - [`queue`]: background jobs in the same database, enqueued in the caller's
//!   transaction, run under a lease by whichever worker claims them.
//! - [`mail`]: letters that jobs send.
//! - [`notifications`]: what users are told of without having asked, enqueued in the
//!   transaction that gives rise to it.
//! - [`outbox`]: what a write made invalid, enqueued in its transaction and delivered to
//!   the edge until that has accepted it.
//! - [`files`]: what jobs make, in a directory, fetched by signed links.
//! - [`session`]: accounts, and sessions that any origin knows.
//! - [`rate_limit`]: how much one client may do in a minute.
//! - [`signing`]: keys for what is handed out and comes back.
//! - [`sealing`]: secrets that are kept where others can read.
//! - [`webhooks`]: what happens here, told to programs of others by jobs.
//! - [`http`]: problem details, request ids, metrics, health, positions and cache
//!   headers; assembles the routes and their OpenAPI document; stops gracefully.
//! - [`shop`]: the demo: its routes, its jobs, its seed.
//! - [`command`]: the subcommands of the binary, which put these together.
//! - [`shutdown`], [`telemetry`], [`timestamp`], [`backoff`], `cache_group`, `watcher`: what they
//!   share.
//!
//! Decisions are pure functions of their arguments (`db/route.rs`,
//! `outbox/delivery.rs`, `files/link.rs`, `http/conditional.rs` …); clocks, sockets
//! and randomness stay in the code that calls them.

pub mod advise;
pub mod backoff;
mod cache_group;
pub mod command;
pub mod db;
pub mod files;
pub mod http;
pub mod index;
pub mod mail;
pub mod notifications;
pub mod outbox;
pub mod queue;
pub mod rate_limit;
pub mod sealing;
pub mod session;
pub mod shop;
pub mod shutdown;
pub mod signing;
pub mod telemetry;
pub mod timestamp;
mod watcher;
pub mod webhooks;
