//! Entries of the manifest as they are written: with the members of their file beside their own.
//!
//! One form is read for all of them. What serde has for it (`flatten`) reads each member into a
//! value of any type first, which is a good part of the edge's Worker.

use serde::Deserialize;

use super::{Asset, Delta, Encodings, File, Kept, Page, Route};

/// An entry of any kind.
#[derive(Deserialize)]
pub(super) struct Flat {
    integrity: String,
    size: u64,
    #[serde(rename = "type")]
    content_type: String,
    #[serde(default)]
    encodings: Encodings,
    path: Option<String>,
    file: Option<String>,
    policy: Option<String>,
    dictionary_for: Option<String>,
    #[serde(default)]
    deltas: Vec<Delta>,
    #[serde(default)]
    links: Vec<String>,
}

impl From<Flat> for Kept {
    fn from(flat: Flat) -> Self {
        let Flat { integrity, size, content_type, encodings, dictionary_for, .. } = flat;
        Self { file: File { integrity, size, content_type, encodings }, dictionary_for }
    }
}

impl TryFrom<Flat> for Asset {
    type Error = &'static str;

    fn try_from(mut flat: Flat) -> Result<Self, Self::Error> {
        let path = flat.path.take().ok_or("an asset without `path`")?;
        let deltas = std::mem::take(&mut flat.deltas);
        let Kept { file, dictionary_for } = flat.into();
        Ok(Self { path, file, dictionary_for, deltas })
    }
}

impl TryFrom<Flat> for Page {
    type Error = &'static str;

    fn try_from(mut flat: Flat) -> Result<Self, Self::Error> {
        let file = flat.file.take().ok_or("a page without `file`")?;
        let policy = flat.policy.take().ok_or("a page without `policy`")?;
        let links = std::mem::take(&mut flat.links);
        Ok(Self { file, content: Kept::from(flat).file, policy, links })
    }
}

impl TryFrom<Flat> for Route {
    type Error = &'static str;

    fn try_from(mut flat: Flat) -> Result<Self, Self::Error> {
        let path = flat.path.take().ok_or("a route without `path`")?;
        Ok(Self { path, page: flat.try_into()? })
    }
}
