//! What crosses a wire between Tidewall's parts: JSON bodies, header names and
//! the site's manifest. No behaviour beyond reading and writing these forms, so
//! that app, edge, origin and tests share one definition. The exception is [`site`],
//! which says how a built site is served, to whichever of them serves it. `command` is what
//! crosses from one program's command line to another's, and `postgres` how both reach a database.

pub mod account;
pub mod advice;
pub mod analytics;
pub mod api_version;
pub mod bookmark;
pub mod cart;
#[cfg(feature = "command")]
pub mod command;
pub mod entity_tag;
pub mod format;
pub mod headers;
pub mod job;
pub mod lab;
pub mod manifest;
pub mod notification;
pub mod ops;
pub mod order;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod problem;
pub mod product;
pub mod purge;
pub mod range;
#[cfg(feature = "site")]
pub mod site;
