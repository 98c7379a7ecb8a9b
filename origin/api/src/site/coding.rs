//! Which form of a file is sent.

use super::accept_encoding::AcceptEncoding;
use super::dictionary;
use crate::manifest::{Delta, File};

/// The form of a file: as it is, or with a content coding (RFC 9110, section 8.4.1) undone by
/// the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Br,
    Zstd,
    /// As the difference to what the client has, whose hash has these digits.
    Dcb(String),
    /// Likewise.
    Dcz(String),
}

/// A form that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) coding: Coding,
    /// Its bytes.
    pub(super) size: u64,
}

impl Coding {
    /// As in `Content-Encoding`.
    pub(super) fn name(&self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Br => Some("br"),
            Self::Zstd => Some("zstd"),
            Self::Dcb(_) => Some("dcb"),
            Self::Dcz(_) => Some("dcz"),
        }
    }

    /// What follows the file's name.
    pub(super) fn ending(&self) -> String {
        match self {
            Self::Identity => String::new(),
            Self::Br => ".br".to_owned(),
            Self::Zstd => ".zst".to_owned(),
            Self::Dcb(dictionary) => format!(".{dictionary}.dcb"),
            Self::Dcz(dictionary) => format!(".{dictionary}.dcz"),
        }
    }

    /// What follows the content's hash in an entity tag: other bytes, another tag.
    pub(super) fn tag(&self) -> String {
        match self {
            Self::Identity => String::new(),
            Self::Br => "-br".to_owned(),
            Self::Zstd => "-zstd".to_owned(),
            Self::Dcb(dictionary) => format!("-dcb-{dictionary}"),
            Self::Dcz(dictionary) => format!("-dcz-{dictionary}"),
        }
    }
}

/// The best acceptable form of a file; `None` where there is none. Of equal weight a difference
/// goes first, and then the smaller of the compressed ones.
pub(super) fn chosen(
    file: &File,
    deltas: &[Delta],
    accepted: &AcceptEncoding<'_>,
    available_dictionary: Option<&str>,
) -> Option<Form> {
    let delta = available_dictionary.and_then(dictionary::available).and_then(|digest| {
        let delta = deltas.iter().find(|delta| dictionary::is_same(&delta.dictionary, digest))?;
        Some((delta, dictionary::name(digest)?))
    });
    let (mut best, mut weight_max) = (None, None);
    // The first of the greatest weight stays.
    let mut offer = |coding: Coding, size: Option<u64>| {
        let is_of_dictionary = matches!(coding, Coding::Dcb(_) | Coding::Dcz(_));
        let weight = match coding.name() {
            Some(name) => accepted.weight(name, is_of_dictionary),
            None => accepted.identity(),
        };
        if let Some(size) = size
            && weight > weight_max
        {
            (best, weight_max) = (Some(Form { coding, size }), weight);
        }
    };
    if let Some((delta, name)) = delta {
        offer(Coding::Dcb(name.clone()), delta.dcb);
        offer(Coding::Dcz(name), delta.dcz);
    }
    let encodings = file.encodings;
    let is_zstd_smaller = matches!((encodings.br, encodings.zstd), (Some(br), Some(zstd)) if zstd < br);
    if is_zstd_smaller {
        offer(Coding::Zstd, encodings.zstd);
        offer(Coding::Br, encodings.br);
    } else {
        offer(Coding::Br, encodings.br);
        offer(Coding::Zstd, encodings.zstd);
    }
    offer(Coding::Identity, Some(file.size));
    best
}
