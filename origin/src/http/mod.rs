//! HTTP: what every route shares.
//!
//! A request passes, from the outside in: `observe` (its id, its log line, its
//! metrics), `problems` (gives every error the body of RFC 9457), `draining`, `load`,
//! `api_version`, `cross_site`, a deadline and a guard against panics, then its handler.
//!
//! - `error`: what handlers fail with, and the problem it becomes.
//! - `deadline`: how long a request may take, and how long an upload.
//! - `body`: bodies as they arrive; `json`: JSON bodies, `query`: parameters, both refused with a
//!   reason.
//! - `caching`: cache fields and cache groups; `conditional`: entity tags.
//! - `position`: where in the log an answer was read or written.
//! - `accounts`: who asks; `cookies`, `client`: how that is known; `session`: routes over it;
//!   `cross_site`: whose page had it sent.
//! - `api_version`: which shapes of bodies both sides speak.
//! - `idempotency`: writes that may be sent again.
//! - `jobs`, `download`, `media`: routes over the queue and the files.
//! - `notifications`: what users are told of.
//! - `streams`: answers that go on, and how many there may be.
//! - `site`: the built site, for what no route answers.
//! - `health`, `metrics`, `openapi`, `ops`: routes for those who run it.
//! - `app`: puts the routes together; `server`: serves them and stops in good order.

pub mod accounts;
mod api_version;
pub mod app;
pub mod body;
pub mod caching;
pub mod client;
pub mod conditional;
pub mod cookies;
mod cross_site;
mod deadline;
pub mod download;
mod draining;
pub mod error;
mod health;
pub mod idempotency;
pub mod jobs;
pub mod json;
mod linger;
mod load;
mod media;
pub mod metrics;
mod notifications;
mod observe;
mod openapi;
mod ops;
pub mod path;
pub mod position;
mod problems;
pub mod query;
mod request_id;
pub mod server;
mod session;
pub mod site;
mod streams;
