//! A build step for static files.
//!
//! `styles.css` is served as `/assets/styles.{hash}.css`, where the hash is of its bytes, so that
//! a name never has two contents and may be cached for ever. Files name each other by these
//! names: [`build`] follows references in style sheets, scripts, drawings and web manifests (and,
//! with the feature `html`, in pages), leaf to root, each read by a parser of its own, and makes
//! everything as small as it gets. The same files give the same bytes on every machine.
//!
//! Called by the root `build.rs` for `public/` and by `tidewall build` for the whole site;
//! nothing else in the workspace makes such names.

#[cfg(feature = "compress")]
pub mod compress;
mod content_type;
mod directory;
mod error;
mod format;
#[cfg(feature = "html")]
mod html;
mod name;
mod nearest;
mod pipeline;
mod reference;
mod source;

pub use content_type::{content_type, is_compressible};
pub use directory::{DirectoryError, read_directory};
pub use error::{BuildError, Flaw};
pub use format::image::Dimensions;
#[cfg(feature = "html")]
pub use html::{Others, Page};
pub use name::{Asset, PATH_PREFIX, hash, hashed, integrity, is_page, keeps_name};
pub use pipeline::{Built, Source, build};
pub use source::rust_source;
