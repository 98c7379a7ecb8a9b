//! The built site, served by an origin itself: the stage with one server. What is sent, and
//! with which fields, [`tidewall_api::site`] says, to the edge as well.
//!
//! - `contents`: reads what a built site has. `label`: what a request for it counts as.
//! - `store`: the folder, and its contents as they are now.
//! - `file`: the bytes. `serve`: answers requests.

mod contents;
mod file;
mod label;
mod serve;
mod store;

pub use contents::SiteError;
pub(super) use label::Label;
pub(super) use serve::{keep_current, serve};
pub use store::Site;
