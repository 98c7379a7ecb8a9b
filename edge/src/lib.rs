//! The edge: a Worker that serves a built site, and caches and balances over HTTP
//! origins. It knows nothing of what the origins serve.
//!
//! Everything but `worker` is pure: no I/O, no clock and no randomness, so it
//! compiles and is tested natively. `worker` is the rim, where the Workers runtime
//! calls in and where the decisions are carried out.

pub mod authorization;
pub mod balance;
pub mod cache;
pub mod client_address;
pub mod config;
pub mod control;
pub mod cookies;
pub mod counters;
pub mod explain;
pub mod fields;
pub mod forward;
pub mod judge;
pub mod kept;
pub mod problems;
pub mod refusals;
pub mod request_id;
pub mod route;
pub mod status;
pub mod time;
pub mod timing;
#[cfg(not(target_arch = "wasm32"))]
pub mod workerd;

#[cfg(target_arch = "wasm32")]
mod worker;
