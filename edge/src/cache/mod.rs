//! A shared cache as RFC 9111 describes it, as decisions: what is a response's
//! key, may it be stored, may it be used, what is the client told. Reading and
//! writing the store is the rim's business.
//!
//! - [`target`], [`key`]: which requests ask for the same thing.
//! - [`directives`], [`request`], [`freshness`], [`age`], [`privacy`], [`vary`],
//!   [`entity_tag`]: what the messages say.
//! - [`storable`], [`usable`]: the two decisions, each with a named reason;
//!   [`terms`]: what the first leaves to the second.
//! - [`validation`]: what an origin's answer says of a stored response.
//! - [`precondition`], [`range`]: how much of a response the client is sent.
//! - [`invalidation`]: what a write takes back.
//! - [`envelope`]: the form in the store. [`status`]: the account given of it.
//! - [`level`]: the places for copies; [`memory`]: what an isolate keeps itself;
//!   [`rest`]: when a slower one isn't asked; [`write_rate`], [`removals`]: when it is
//!   written.

pub mod age;
pub mod directives;
pub mod entity_tag;
pub mod envelope;
pub mod flight;
pub mod freshness;
pub mod groups;
pub mod invalidation;
pub mod key;
pub mod level;
pub mod memory;
pub mod precondition;
pub mod privacy;
pub mod range;
pub mod removals;
pub mod request;
pub mod rest;
pub mod status;
pub mod storable;
pub mod target;
pub mod terms;
pub mod usable;
pub mod validation;
pub mod vary;
pub mod write_rate;

#[cfg(test)]
mod rfc9111;
