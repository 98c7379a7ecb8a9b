//! A shared cache as RFC 9111 describes it, as decisions: what is a response's
//! key, may it be stored, may it be used, what is the client told. Reading and
//! writing the store is the rim's business.
//!
//! - [`target`], [`key`]: which requests ask for the same thing.
//! - [`directives`], [`freshness`], [`privacy`], [`vary`]: what the messages say.
//! - [`storable`], [`usable`]: the two decisions, each with a named reason.
//! - [`validation`]: when a client's own copy will do.
//! - [`envelope`]: the form in the store. [`status`]: the account given of it.

pub mod directives;
pub mod envelope;
pub mod freshness;
pub mod key;
pub mod privacy;
pub mod status;
pub mod storable;
pub mod target;
pub mod usable;
pub mod validation;
pub mod vary;
