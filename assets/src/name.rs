//! Hashed names, and the values that go with them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Where hashed files live on the site.
pub const PATH_PREFIX: &str = "/assets/";

/// Bytes of the SHA-256 that go into a name: 64 bits. Two of a million
/// different files share a name with a probability below 1 in 30 million.
const HASH_BYTES: usize = 8;

/// The name of a file with the hash of its bytes before its last extension.
pub fn hashed(name: &str, bytes: &[u8]) -> String {
    with_hash(name, &hash(bytes))
}

/// The beginning of a content's SHA-256, as in hashed names.
pub fn hash(bytes: &[u8]) -> String {
    digits(&Sha256::digest(bytes))
}

/// Subresource Integrity value of a content.
pub fn integrity(bytes: &[u8]) -> String {
    integrity_of(&Sha256::digest(bytes))
}

pub(crate) fn integrity_of(digest: &[u8]) -> String {
    format!("sha256-{}", STANDARD.encode(digest))
}

pub(crate) fn digits(digest: &[u8]) -> String {
    digest.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn with_hash(name: &str, hash: &str) -> String {
    match extension(name) {
        Some((stem, extension)) => format!("{stem}.{hash}.{extension}"),
        None => format!("{name}.{hash}"),
    }
}

/// Whether a file is a page, which is served by its path and not by its hash.
pub fn is_page(name: &str) -> bool {
    extension(name).is_some_and(|(_, extension)| extension == "html")
}

/// Whether others look for the file under just this name.
pub fn keeps_name(name: &str) -> bool {
    matches!(name, "robots.txt" | "favicon.ico" | "sitemap.xml" | "ads.txt")
        || name.starts_with(".well-known/")
}

/// Splits `a/b.min.css` into `a/b.min` and `css`; a leading dot starts no extension.
pub(crate) fn extension(name: &str) -> Option<(&str, &str)> {
    let file_start = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = name[file_start..].rfind('.').filter(|dot| *dot > 0)? + file_start;
    Some((&name[..dot], &name[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, bytes: &[u8], path: &str) {
        assert_eq!(format!("{PATH_PREFIX}{}", hashed(name, bytes)), path);
    }

    #[test]
    fn the_hash_stands_before_the_last_extension() {
        check("app.css", b"", "/assets/app.e3b0c44298fc1c14.css");
        check("icons/cart.min.svg", b"", "/assets/icons/cart.min.e3b0c44298fc1c14.svg");
        check("LICENSE", b"", "/assets/LICENSE.e3b0c44298fc1c14");
        check("v1.0/LICENSE", b"", "/assets/v1.0/LICENSE.e3b0c44298fc1c14");
    }

    #[test]
    fn another_content_has_another_name() {
        assert_ne!(hashed("a.css", b"a{}"), hashed("a.css", b"b{}"));
    }

    #[test]
    fn the_integrity_value_is_the_whole_sha256_in_base64() {
        assert_eq!(integrity(b""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
