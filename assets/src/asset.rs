//! A file under its hashed name, and what goes with it.

use sha2::{Digest, Sha256};

use crate::content_type;
use crate::format::image::{Dimensions, dimensions};
use crate::name::{PATH_PREFIX, digits, integrity_of, with_hash};

/// A file with the name that its bytes give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The name its author gave it, with `/` between folders, such as `pictures/07.svg`.
    pub name: String,
    /// Its path on the site, such as `/assets/pictures/07.0123456789abcdef.svg`.
    pub path: String,
    /// Its Subresource Integrity value, `sha256-{base64}` (W3C SRI, section 3.1).
    pub integrity: String,
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Width and height, of a picture that tells.
    pub dimensions: Option<Dimensions>,
    /// Authored names of the files that it refers to.
    pub references: Vec<String>,
}

impl Asset {
    /// Names `bytes`, which its author calls `name`.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        let name = name.into();
        let digest = Sha256::digest(&bytes);
        Self {
            path: format!("{PATH_PREFIX}{}", with_hash(&name, &digits(&digest))),
            integrity: integrity_of(&digest),
            content_type: content_type(&name),
            dimensions: dimensions(&name, &bytes),
            references: Vec::new(),
            name,
            bytes,
        }
    }

    /// Its path with `*` for the hash: what its later contents will be called.
    pub fn pattern(&self) -> String {
        format!("{PATH_PREFIX}{}", with_hash(&self.name, "*"))
    }
}
