//! The built site's table of contents, `manifest.json`: which authored name has
//! which hashed name, which page answers which path, and what is sent with each.

mod flat;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use flat::Flat;

/// File name of the manifest in the built site.
pub const FILE_NAME: &str = "manifest.json";
/// Where whoever serves a site says which build it is, for pages of an earlier one.
pub const BUILD_PATH: &str = "/build.json";
/// What follows the path in an asset's `Link` to its content before (RFC 5829, section 3.5).
pub const PREDECESSOR: &str = ">; rel=\"predecessor-version\"";
/// The form this code reads and writes; another one is refused.
pub const VERSION: u32 = 2;

/// The built site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`VERSION`] of the program that wrote it.
    pub version: u32,
    /// Names this build: the same input has the same, and another input another one.
    pub build: String,
    /// By authored name, such as `pictures/07.svg`.
    pub assets: BTreeMap<String, Asset>,
    /// Assets of earlier builds that are in the site as well, by path.
    #[serde(default)]
    pub kept: BTreeMap<String, Kept>,
    /// Files beside the pages that keep their names, such as `robots.txt`, by path.
    #[serde(default)]
    pub files: BTreeMap<String, File>,
    /// Pages, most specific path first.
    pub routes: Vec<Route>,
    /// The page that is shown, with status 404, where no other answers.
    pub not_found: Option<Page>,
}

/// One immutable file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Flat")]
pub struct Asset {
    /// Its path on the site, `/assets/{name}.{hash}.{ext}`.
    pub path: String,
    /// What is at the path.
    #[serde(flatten)]
    pub file: File,
    /// Pattern of the paths that its later contents will have, for `Use-As-Dictionary`
    /// (RFC 9842, section 2.1); `None` where it is of no use as a dictionary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dictionary_for: Option<String>,
    /// It as the difference to earlier contents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deltas: Vec<Delta>,
}

/// An asset of an earlier build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Flat")]
pub struct Kept {
    /// What is at its path.
    #[serde(flatten)]
    pub file: File,
    /// As of an [`Asset`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dictionary_for: Option<String>,
}

/// What is known of a file's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Subresource Integrity value, `sha256-{base64}` (W3C SRI, section 3.1).
    pub integrity: String,
    /// Bytes, uncompressed.
    pub size: u64,
    /// Its media type.
    #[serde(rename = "type")]
    pub content_type: String,
    /// Bytes of the compressed files beside it. The file's name is followed by
    /// `.br` or `.zst`.
    #[serde(default, skip_serializing_if = "Encodings::is_empty")]
    pub encodings: Encodings,
}

/// Sizes of a file's compressed forms, in bytes; `None` where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encodings {
    /// Brotli (RFC 7932).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub br: Option<u64>,
    /// Zstandard (RFC 8878).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zstd: Option<u64>,
}

impl Encodings {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A file as the difference to an earlier one (RFC 9842). The difference's file is named
/// `{path}.{first 16 digits of the dictionary's SHA-256 in hex}.dcb` or `.dcz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// SHA-256 of the earlier content in base64, as in its `integrity`.
    pub dictionary: String,
    /// Bytes of the Dictionary-Compressed Brotli form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dcb: Option<u64>,
    /// Bytes of the Dictionary-Compressed Zstandard form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dcz: Option<u64>,
}

/// A page and the paths it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Flat")]
pub struct Route {
    /// A path; a segment in braces, as in `/products/{id}`, stands for any one segment.
    pub path: String,
    /// What answers.
    #[serde(flatten)]
    pub page: Page,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Flat")]
pub struct Page {
    /// Its file in the site, such as `/products/_id.html`.
    pub file: String,
    /// What is in it.
    #[serde(flatten)]
    pub content: File,
    /// What it is sent with as `Content-Security-Policy`.
    pub policy: String,
    /// Members of its `Link` field: what a browser is to fetch along with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
}

impl Manifest {
    /// The page that answers `path`, if one does.
    pub fn page(&self, path: &str) -> Option<&Page> {
        self.route(path).map(|route| &route.page)
    }

    /// The route of the page that answers `path`, if one does.
    pub fn route(&self, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.matches(path))
    }
}

impl Route {
    fn matches(&self, path: &str) -> bool {
        let mut pattern = self.path.split('/');
        let mut segments = path.split('/');
        loop {
            match (pattern.next(), segments.next()) {
                (None, None) => return true,
                (Some(p), Some(s)) if p == s => {}
                (Some(p), Some(s)) if p.starts_with('{') && p.ends_with('}') && !s.is_empty() => {}
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One that has something of everything.
    fn manifest() -> Manifest {
        let file = |integrity: &str| File {
            integrity: integrity.into(),
            size: 7,
            content_type: "text/css".into(),
            encodings: Encodings { br: Some(3), zstd: None },
        };
        let page = |name: &str| Page {
            file: name.into(),
            content: file(name),
            policy: "default-src 'self'".into(),
            links: vec!["</a>; rel=preload".into()],
        };
        let asset = Asset {
            path: "/assets/a.1.css".into(),
            file: file("a"),
            dictionary_for: Some("/assets/a.*.css".into()),
            deltas: vec![Delta { dictionary: "d".into(), dcb: Some(1), dcz: None }],
        };
        let kept = Kept { file: file("k"), dictionary_for: Some("/assets/a.*.css".into()) };
        Manifest {
            version: VERSION,
            build: "b".into(),
            assets: [("a.css".into(), asset)].into(),
            kept: [("/assets/a.0.css".into(), kept)].into(),
            files: [("/robots.txt".into(), file("r"))].into(),
            routes: vec![Route { path: "/".into(), page: page("/index.html") }],
            not_found: Some(page("/404.html")),
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let manifest = manifest();
        let json = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest);
        assert_eq!(
            serde_json::from_str::<Manifest>(&json.replace("policy", "other"))
                .unwrap_err()
                .to_string()
                .split(" at ")
                .next(),
            Some("a page without `policy`")
        );
    }

    fn check(path: &str, file: Option<&str>) {
        let page = |file: &str| Page { file: file.into(), ..Page::default() };
        let route = |path: &str, file: &str| Route { path: path.into(), page: page(file) };
        let manifest = Manifest {
            version: VERSION,
            routes: vec![
                route("/", "/index.html"),
                route("/products/new", "/products/new.html"),
                route("/products/{id}", "/products/_id.html"),
            ],
            ..Manifest::default()
        };
        assert_eq!(manifest.page(path).map(|page| page.file.as_str()), file, "{path}");
    }

    #[test]
    fn a_page_answers_its_own_path_and_no_other() {
        check("/", Some("/index.html"));
        check("/products", None);
        check("/nothing", None);
        check("", None);
    }

    #[test]
    fn a_parameter_stands_for_exactly_one_segment() {
        check("/products/42", Some("/products/_id.html"));
        check("/products/new", Some("/products/new.html"));
        check("/products/", None);
        check("/products/42/", None);
        check("/products/42/reviews", None);
    }

    proptest! {
        #[test]
        fn no_text_whatever_makes_reading_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            path in "(/|a|\\{|\\}){0,6}",
        ) {
            let mut json = serde_json::to_vec(&manifest()).unwrap();
            for (place, byte) in changes {
                let place = place.index(json.len());
                json[place] = byte;
            }
            if let Ok(manifest) = serde_json::from_slice::<Manifest>(&json) {
                let _ = manifest.page(&path);
                let written = serde_json::to_string(&manifest).unwrap();
                prop_assert_eq!(serde_json::from_str::<Manifest>(&written).unwrap(), manifest);
            }
        }

        #[test]
        fn a_page_with_a_parameter_answers_no_path_of_another_length(path in "(/|[a-c]|\\{|\\}|%2f|é){0,8}") {
            let route = Route { path: "/a/{id}".into(), page: Page::default() };
            let segments: Vec<_> = path.split('/').collect();
            let is_one = matches!(segments[..], ["", "a", id] if !id.is_empty());
            prop_assert_eq!(route.matches(&path), is_one);
        }
    }
}
