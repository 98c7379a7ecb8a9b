//! What workers rely on of each other and of the table, tried in many interleavings (`shuttle`).
//!
//! - `one_process`: what a process holds, while its heart, its worker, its attempts and its
//!   settling get at it.
//! - `table`: what the statements of `storage` do to the table, each in the steps that others can
//!   come between; `process`: a worker on it, with the real [`Running`](super::running::Running),
//!   [`Lease`](super::lease::Lease) and [`ending`](super::ending::ending); `world`: the clock, the
//!   faults, and who watches.
//! - `many_processes`: several of them, and what is to be true of it.
//! - `interleavings`: which ones are tried.

mod interleavings;
mod many_processes;
mod one_process;
mod process;
mod table;
mod world;
