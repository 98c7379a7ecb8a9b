//! The control log, its views and the rules of ARCHITECTURE.md, "Positions", in a world in
//! which anything happens: a simulation that is the same for the same seed.
//!
//! What the edge decides with is the real code of `tidewall_edge::control`; the Worker's
//! rim, the stores, the origins, the database and the clients are simulated. [`balance`] does the
//! same for the balancers of many isolates, in a smaller world of its own.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod balance;
mod cases;
mod client;
mod clock;
mod control;
mod database;
mod filling;
mod flaw;
mod isolate;
mod oracle;
mod origin;
mod random;
mod reading;
mod resource;
mod seeds;
mod store;
mod storm;
mod weather;
mod world;
mod writing;
