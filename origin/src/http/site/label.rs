//! What a request for the site counts as. There are as many labels as the manifest has
//! routes and files, whatever is asked for.

use tidewall_api::site::{ASSET_PREFIX, BUILD_PATH, Index};

/// What a request is counted and logged as; in an answer's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Label(pub(in crate::http) String);

impl Label {
    /// Of a request for `path`; `None` where the site has nothing there.
    pub(super) fn of(index: &Index, path: &str) -> Option<Self> {
        let manifest = index.manifest();
        let label = if path.starts_with(ASSET_PREFIX) {
            format!("{ASSET_PREFIX}*")
        } else if path == BUILD_PATH {
            path.to_owned()
        } else if let Some(route) = manifest.route(path) {
            route.path.clone()
        } else {
            manifest.files.get_key_value(path)?.0.clone()
        };
        Some(Self(label))
    }
}

#[cfg(test)]
mod tests {
    use tidewall_api::manifest::{File, Manifest, Page, Route};

    use super::*;

    #[test]
    fn a_label_is_of_the_manifest_and_not_of_the_request() {
        let route = Route { path: "/items/{id}".to_owned(), page: Page::default() };
        let index = Index::new(Manifest {
            files: [("/robots.txt".to_owned(), File::default())].into(),
            routes: vec![route],
            ..Manifest::default()
        });
        for (path, label) in [
            ("/items/7", Some("/items/{id}")),
            ("/items/secret", Some("/items/{id}")),
            ("/assets/a.1.js", Some("/assets/*")),
            ("/assets/nothing", Some("/assets/*")),
            ("/build.json", Some("/build.json")),
            ("/robots.txt", Some("/robots.txt")),
            ("/items/7/8", None),
            ("/", None),
            ("/wp-login.php", None),
        ] {
            let found = Label::of(&index, path).map(|Label(label)| label);
            assert_eq!(found.as_deref(), label, "{path}");
        }
    }
}
