//! The built site's table of contents, `manifest.json`: which authored name has
//! which hashed name, and which page answers which path.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// File name of the manifest in the built site.
pub const FILE_NAME: &str = "manifest.json";
/// The form this code reads and writes; another one is refused.
pub const VERSION: u32 = 1;

/// The built site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`VERSION`] of the program that wrote it.
    pub version: u32,
    /// By authored name, such as `pictures/07.svg`.
    pub assets: BTreeMap<String, Asset>,
    /// Pages, most specific path first.
    pub routes: Vec<Route>,
    /// File of the page that is shown, with status 404, where no other answers.
    pub not_found: Option<String>,
}

/// One immutable file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Its path on the site, `/assets/{name}.{hash}.{ext}`.
    pub path: String,
    /// Subresource Integrity value, `sha256-…`.
    pub integrity: String,
    /// Bytes, uncompressed.
    pub size: u64,
    /// Its media type.
    #[serde(rename = "type")]
    pub content_type: String,
}

/// A page and the paths it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// A path; a segment in braces, as in `/products/{id}`, stands for any one segment.
    pub path: String,
    /// The page's file in the site, such as `/products/_id.html`.
    pub file: String,
}

impl Manifest {
    /// The file of the page that answers `path`, if one does.
    pub fn page(&self, path: &str) -> Option<&str> {
        self.routes.iter().find(|route| route.matches(path)).map(|route| route.file.as_str())
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
    use super::*;

    fn check(path: &str, file: Option<&str>) {
        let route = |path: &str, file: &str| Route { path: path.into(), file: file.into() };
        let manifest = Manifest {
            version: VERSION,
            assets: BTreeMap::new(),
            routes: vec![
                route("/", "/index.html"),
                route("/products/new", "/products/new.html"),
                route("/products/{id}", "/products/_id.html"),
            ],
            not_found: None,
        };
        assert_eq!(manifest.page(path), file, "{path}");
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
}
