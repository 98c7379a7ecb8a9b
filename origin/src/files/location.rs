//! Where files lie: a directory, or a bucket by its URL.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What a bucket's URL begins with.
const SCHEME: &str = "s3://";

/// Where a [`super::FileStore`] keeps files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A directory of this machine, or one that is mounted on all.
    Directory(PathBuf),
    /// A bucket of S3, or of what speaks its protocol, such as R2 and MinIO. Endpoint,
    /// region and credentials come from the environment (`AWS_ENDPOINT_URL`, `AWS_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, and `AWS_ALLOW_HTTP=true` for one
    /// without TLS).
    Bucket {
        /// Its name.
        bucket: String,
        /// What all names begin with there; may be empty.
        prefix: String,
    },
}

/// Text that names no [`Location`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Nothing.
    #[error("name a directory, or a bucket as s3://bucket/prefix")]
    Empty,
    /// A URL of something else. What follows the scheme may be a secret.
    #[error("`{0}` is not supported; name a directory, or a bucket as s3://bucket/prefix")]
    Scheme(String),
    /// No name, or one with more than it.
    #[error(
        "a bucket is named as s3://bucket/prefix, without port, query and credentials; those come from AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    Bucket,
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return match text.split_once("://") {
                Some((scheme, _)) => Err(LocationError::Scheme(format!("{scheme}://"))),
                None => Ok(Self::Directory(PathBuf::from(text))),
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let is_bucket = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let is_prefix =
            |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['?', '#', '%', '\\']);
        if bucket.is_empty()
            || !bucket.bytes().all(is_bucket)
            || !(prefix.is_empty() || prefix.split('/').all(is_prefix))
        {
            return Err(LocationError::Bucket);
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Bucket { bucket, prefix } => write!(f, "{SCHEME}{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Location, LocationError>) {
        assert_eq!(text.parse(), expected, "{text}");
    }

    fn bucket(bucket: &str, prefix: &str) -> Result<Location, LocationError> {
        Ok(Location::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    #[test]
    fn what_is_no_url_is_a_directory() {
        for path in ["files", "/var/lib/files", "./a:b", "../s3"] {
            check(path, Ok(Location::Directory(PathBuf::from(path))));
        }
    }

    #[test]
    fn a_bucket_is_named_by_its_url() {
        check("s3://files", bucket("files", ""));
        check("s3://files/", bucket("files", ""));
        check("s3://files/a/b/", bucket("files", "a/b"));
    }

    #[test]
    fn what_names_no_bucket_is_refused() {
        for text in [
            "s3://",
            "s3:///a",
            "s3://a:9000/b",
            "s3://key:secret@a/b",
            "s3://a/b?region=c",
            "s3://a/../b",
            "s3://a//b//c",
        ] {
            check(text, Err(LocationError::Bucket));
        }
        check("", Err(LocationError::Empty));
    }

    #[test]
    fn of_another_url_the_scheme_alone_is_told() {
        check("https://user:secret@host/x", Err(LocationError::Scheme("https://".to_owned())));
    }
}
