//! A file of the site, and what its kind is sent with.

use super::dictionary;
use crate::manifest::{Asset, Delta, File, Kept, PREDECESSOR, Page};

/// For a file whose name changes with its content: a year, the longest that means
/// anything to caches, and no revalidation (RFC 8246).
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// For a file that keeps its name: kept, but never used unasked.
const REVALIDATED: &str = "no-cache";
/// Where a page has no policy of its own: nobody may show it in a frame of theirs, to have it
/// clicked unseen.
const LEAST_POLICY: &str = "frame-ancestors 'none'";

/// A file, with what decides how it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// Its path in the site.
    pub(super) path: &'a str,
    pub(super) file: &'a File,
    pub(super) deltas: &'a [Delta],
    kind: Kind<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Kind<'a> {
    Asset { dictionary_for: Option<&'a str>, predecessor: Option<&'a str> },
    File,
    Page(&'a Page),
}

impl<'a> Entry<'a> {
    pub(super) fn asset(asset: &'a Asset, predecessor: Option<&'a str>) -> Self {
        let kind = Kind::Asset { dictionary_for: asset.dictionary_for.as_deref(), predecessor };
        Self { path: &asset.path, file: &asset.file, deltas: &asset.deltas, kind }
    }

    pub(super) fn kept(path: &'a str, kept: &'a Kept) -> Self {
        let kind = Kind::Asset { dictionary_for: kept.dictionary_for.as_deref(), predecessor: None };
        Self { path, file: &kept.file, deltas: &[], kind }
    }

    pub(super) fn file(path: &'a str, file: &'a File) -> Self {
        Self { path, file, deltas: &[], kind: Kind::File }
    }

    pub(super) fn page(page: &'a Page) -> Self {
        Self { path: &page.file, file: &page.content, deltas: &[], kind: Kind::Page(page) }
    }

    /// The entity tag of the form with this ending: of the content's hash, so that it is strong.
    /// A file without a hash has none.
    pub(super) fn tag(&self, of_form: &str) -> Option<String> {
        let integrity = &self.file.integrity;
        let digest = integrity.strip_prefix("sha256-").unwrap_or(integrity);
        (!digest.is_empty()).then(|| format!("\"{digest}{of_form}\""))
    }

    /// Fields that say how it may be kept and used, which a 304 has as well.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields =
            vec![("cache-control", self.cache_control().to_owned()), ("vary", self.vary().to_owned())];
        match self.kind {
            Kind::Asset { dictionary_for, predecessor } => {
                fields.extend(predecessor.map(|path| ("link", format!("<{path}{PREDECESSOR}"))));
                fields.extend(
                    dictionary_for
                        .and_then(dictionary::use_as_dictionary)
                        .map(|value| ("use-as-dictionary", value)),
                );
            }
            Kind::File => {}
            Kind::Page(page) => {
                let policy = if page.policy.is_empty() { LEAST_POLICY } else { &page.policy };
                fields.push(("content-security-policy", policy.to_owned()));
                fields.push(("referrer-policy", "strict-origin-when-cross-origin".to_owned()));
                if !page.links.is_empty() {
                    fields.push(("link", page.links.join(", ")));
                }
            }
        }
        fields.push(("x-content-type-options", "nosniff".to_owned()));
        fields
    }

    fn cache_control(&self) -> &'static str {
        match self.kind {
            Kind::Asset { .. } => IMMUTABLE,
            Kind::File | Kind::Page(_) => REVALIDATED,
        }
    }

    /// What the form that is sent was chosen by, whatever was chosen.
    fn vary(&self) -> &'static str {
        match self.kind {
            Kind::Asset { dictionary_for, .. } if dictionary_for.is_some() || !self.deltas.is_empty() => {
                "accept-encoding, available-dictionary"
            }
            _ => "accept-encoding",
        }
    }
}
