//! The control log: what all isolates of the edge must agree on, in one order.
//!
//! One object keeps the [`log`]; each isolate follows it with a [`view`]. A stored
//! response knows its [`position`], and is judged by the view: what was invalidated
//! since is never used, however late it was stored and from whichever replica it was
//! read. A reader's [`bookmark`] says what the view must have seen.
//!
//! The rules are those of ARCHITECTURE.md, "Positions", by their names (P1, S1, W1 …).

pub mod bookmark;
pub mod entry;
pub mod exchange;
pub mod log;
pub mod position;
pub mod purge;
pub mod purge_rate;
pub mod refresh;
pub mod servable;
pub mod view;
pub mod write_through;
