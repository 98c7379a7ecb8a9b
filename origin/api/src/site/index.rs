//! The manifest, to be looked up by path.

use std::collections::BTreeMap;

use super::entry::Entry;
use super::{ASSET_PREFIX, BUILD_PATH};
use crate::manifest::Manifest;

/// The manifest, with its assets by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    manifest: Manifest,
    /// Authored names of current assets, by path.
    names: BTreeMap<String, String>,
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
        let mut names = BTreeMap::new();
        for (name, asset) in &manifest.assets {
            names.insert(asset.path.clone(), name.clone());
        }
        Self { manifest, names }
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
            let current = self.names.get(path).and_then(|name| self.manifest.assets.get(name));
            return match (current, self.manifest.kept.get_key_value(path)) {
                (Some(asset), _) => Found::File(Entry::asset(asset)),
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
