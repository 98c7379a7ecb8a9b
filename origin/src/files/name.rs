//! Names that can't leave their directory.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A file's name: letters, digits, `-`, `_` and single dots inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

/// Text that is no [`FileName`].
#[derive(Debug, thiserror::Error)]
#[error("a file name has letters, digits, `-`, `_` and single dots inside")]
pub struct FileNameError;

impl FileName {
    /// Checks `name`.
    pub fn new(name: impl Into<String>) -> Result<Self, FileNameError> {
        let name = name.into();
        let in_alphabet = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        if name.split('.').all(in_alphabet) { Ok(Self(name)) } else { Err(FileNameError) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The media type that its extension stands for.
    pub fn content_type(&self) -> &'static str {
        match self.0.rsplit_once('.') {
            // RFC 7111, section 5.1.
            Some((_, "csv")) => "text/csv; charset=utf-8",
            Some((_, "jpeg" | "jpg")) => "image/jpeg",
            Some((_, "pdf")) => "application/pdf",
            Some((_, "png")) => "image/png",
            Some((_, "webp")) => "image/webp",
            _ => "application/octet-stream",
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FileName {
    type Error = FileNameError;

    fn try_from(name: String) -> Result<Self, FileNameError> {
        Self::new(name)
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_are_taken() {
        for name in ["12-1.csv", "a", "A_b.tar.gz"] {
            assert!(FileName::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn an_extension_stands_for_a_type() {
        for (name, expected) in [
            ("1.csv", "text/csv; charset=utf-8"),
            ("1.pdf", "application/pdf"),
            ("1.png", "image/png"),
            ("1.jpeg", "image/jpeg"),
            ("1.jpg", "image/jpeg"),
            ("1.webp", "image/webp"),
            ("1.html", "application/octet-stream"),
            ("csv", "application/octet-stream"),
        ] {
            assert_eq!(FileName::new(name).unwrap().content_type(), expected, "{name}");
        }
    }

    #[test]
    fn names_that_could_lead_elsewhere_are_refused() {
        for name in
            ["", ".", "..", "../x", "a/b", "a\\b", "/etc/passwd", ".hidden", "a..b", "a.", "a b", "a\0", "ä"]
        {
            assert!(FileName::new(name).is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_stays_in_its_directory_and_in_its_field(
            name in "([a-zA-Z0-9_-]|\\.|\\.\\.|/|\\\\|\"|:|\r|\n|\0| |é){0,10}",
        ) {
            if let Ok(name) = FileName::new(name) {
                let parts: Vec<_> = Path::new(name.as_str()).components().collect();
                prop_assert!(matches!(parts[..], [Component::Normal(_)]), "{parts:?}");
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
                prop_assert!(name.as_str().bytes().all(is_plain), "{name}");
            }
        }
    }
}
