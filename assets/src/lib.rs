//! Content-hashed asset names: `styles.css` is served as
//! `/assets/styles.{hash}.css`, where the hash is of its bytes, so that a name
//! never has two contents and may be cached for ever.
//!
//! Called by the root `build.rs` for `public/` and by `tidewall build` for the
//! rest of the site; nothing else in the workspace makes such names.

mod content_type;
mod directory;
mod name;
mod source;

pub use content_type::content_type;
pub use directory::{DirectoryError, read_directory};
pub use name::{Asset, PATH_PREFIX};
pub use source::rust_source;
