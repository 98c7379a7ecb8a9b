//! The manifest, to be looked up by path.

use std::collections::BTreeMap;

use super::dictionary::is_same;
use super::entry::Entry;
use super::{ASSET_PREFIX, BUILD_PATH};
use crate::manifest::{Delta, Manifest};

/// The manifest, with its assets by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    manifest: Manifest,
    /// Current assets, by path.
    current: BTreeMap<String, Current>,
}

/// A current asset.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Current {
    /// Its authored name.
    name: String,
    /// The path of the newest content before that there is a difference to, if that is still here.
    predecessor: Option<String>,
}

/// What is at a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    File(Entry<'a>),
    /// The build's name.
    Build(&'a str),
    UnknownAsset,
    Nothing,
}

impl Index {
    /// Of a manifest, whose version the caller has looked at.
    pub fn new(manifest: Manifest) -> Self {
        let with_content = |delta: &Delta| {
            let mut kept = manifest.kept.iter();
            kept.find_map(|(path, kept)| {
                is_same(&kept.file.integrity, &delta.dictionary).then(|| path.clone())
            })
        };
        let current = manifest.assets.iter().map(|(name, asset)| {
            let predecessor = asset.deltas.iter().find_map(with_content);
            (asset.path.clone(), Current { name: name.clone(), predecessor })
        });
        let current = current.collect();
        Self { manifest, current }
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether a path is the site's before it is anybody else's: an asset's, known or not, a
    /// page's, or the build's name.
    pub fn claims(&self, path: &str) -> bool {
        path.starts_with(ASSET_PREFIX) || path == BUILD_PATH || self.manifest.page(path).is_some()
    }

    /// Whether a path is that of a page, an asset or another file.
    pub fn has(&self, path: &str) -> bool {
        matches!(self.find(path), Found::File(_) | Found::Build(_))
    }

    /// What is at a path.
    pub(super) fn find(&self, path: &str) -> Found<'_> {
        if path.starts_with(ASSET_PREFIX) {
            let current = self.current.get(path).and_then(|Current { name, predecessor }| {
                Some((self.manifest.assets.get(name)?, predecessor.as_deref()))
            });
            return match (current, self.manifest.kept.get_key_value(path)) {
                (Some((asset, predecessor)), _) => Found::File(Entry::asset(asset, predecessor)),
                (None, Some((path, kept))) => Found::File(Entry::kept(path, kept)),
                (None, None) => Found::UnknownAsset,
            };
        }
        if path == BUILD_PATH {
            return Found::Build(&self.manifest.build);
        }
        if let Some(page) = self.manifest.page(path) {
            return Found::File(Entry::page(page));
        }
        match self.manifest.files.get_key_value(path) {
            Some((path, file)) => Found::File(Entry::file(path, file)),
            None => Found::Nothing,
        }
    }
}
