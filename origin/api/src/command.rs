//! What is typed after `tidewall` and after `tidewall-origin`, where both take the same: the one
//! finds the database and has the other do it.

pub mod advise;
pub mod index;
pub mod jobs;
pub mod webhooks;
