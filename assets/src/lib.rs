//! A build step for static files.
//!
//! `styles.css` is served as `/assets/styles.{hash}.css`, where the hash is of its bytes, so that
//! a name never has two contents and may be cached for ever. Files name each other by these
//! names: [`build`] follows references in style sheets, scripts, drawings and web manifests (and,
//! with the feature `html`, in pages), leaf to root, each read by a parser of its own, and makes
//! everything as small as it gets. The same files give the same bytes on every machine.
//!
//! Without the feature `build` there are the names alone, and with `compress` what is made of
//! finished files.
//!
//! Called by the root `build.rs` for `public/` and by `tidewall build` for the whole site;
//! nothing else in the workspace makes such names.

#[cfg(feature = "build")]
mod asset;
#[cfg(feature = "compress")]
pub mod compress;
mod content_type;
#[cfg(feature = "build")]
mod directory;
#[cfg(feature = "build")]
mod error;
#[cfg(feature = "build")]
mod format;
#[cfg(feature = "html")]
mod html;
mod name;
#[cfg(feature = "build")]
mod nearest;
#[cfg(feature = "build")]
mod pipeline;
#[cfg(feature = "build")]
mod reference;
#[cfg(feature = "build")]
mod source;

#[cfg(feature = "build")]
pub use asset::Asset;
pub use content_type::{content_type, is_compressible};
#[cfg(feature = "build")]
pub use directory::{DirectoryError, read_directory};
#[cfg(feature = "build")]
pub use error::{BuildError, Flaw};
#[cfg(feature = "build")]
pub use format::image::Dimensions;
#[cfg(feature = "html")]
pub use html::{Others, Page};
pub use name::{PATH_PREFIX, hash, hashed, integrity, is_page, keeps_name};
#[cfg(feature = "build")]
pub use pipeline::{Built, Source, build};
#[cfg(feature = "build")]
pub use source::rust_source;
