//! What crosses a wire between Tidewall's parts: JSON bodies, header names and
//! the site's manifest. No behaviour beyond reading and writing these forms, so
//! that app, edge, origin and tests share one definition.

pub mod account;
pub mod analytics;
pub mod api_version;
pub mod bookmark;
pub mod cart;
pub mod headers;
pub mod job;
pub mod manifest;
pub mod order;
pub mod problem;
pub mod product;
pub mod purge;
