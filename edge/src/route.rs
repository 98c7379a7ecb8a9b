//! Who answers a path.

use tidewall_api::manifest::{FILE_NAME, Manifest};

/// Paths of the edge's own interface.
const CONTROL_PREFIX: &str = "/_tidewall/";
/// Paths of files whose names hold their content's hash.
const ASSET_PREFIX: &str = "/assets/";

/// The built site, as far as this deployment has one.
#[derive(Clone, Copy, Debug)]
pub enum Site<'a> {
    /// None was deployed: the edge stands before origins alone.
    Absent,
    /// One was deployed, but its manifest can't be read.
    Broken,
    /// Its table of contents.
    Built(&'a Manifest),
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// The edge: its own state.
    Status,
    /// The site: an immutable file at the request's path, or nothing.
    Asset,
    /// The site: this file, which is a page.
    Page(&'a str),
    /// The site: a file at the request's path, such as `/favicon.ico`.
    File,
    /// An origin.
    Origin,
    /// Nobody.
    NotFound,
    /// The site, if it could be read.
    SiteBroken,
}

/// The one decision on paths. A page goes before a prefix of the origins, so that
/// the prefix `/` gives them all that isn't the site's.
pub fn route<'a>(path: &str, site: Site<'a>, origin_paths: &[String]) -> Route<'a> {
    if let Some(own) = path.strip_prefix(CONTROL_PREFIX) {
        return if own == "status" { Route::Status } else { Route::NotFound };
    }
    let page = match site {
        Site::Absent => return Route::Origin,
        _ if path.starts_with(ASSET_PREFIX) => return Route::Asset,
        Site::Broken => None,
        Site::Built(manifest) => manifest.page(path),
    };
    if let Some(file) = page {
        return Route::Page(file);
    }
    if origin_paths.iter().any(|prefix| path.starts_with(prefix.as_str())) {
        return Route::Origin;
    }
    match site {
        Site::Broken => Route::SiteBroken,
        _ if is_public_file(path) => Route::File,
        _ => Route::NotFound,
    }
}

/// Whether a path may name a file of the site beside its pages, which have their
/// own paths, and its manifest, which is the edge's.
fn is_public_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((_, extension)) => {
            !extension.is_empty() && extension != "html" && path.strip_prefix('/') != Some(FILE_NAME)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tidewall_api::manifest::{Route as PageRoute, VERSION};

    use super::*;

    fn site() -> Manifest {
        let page = |path: &str, file: &str| PageRoute { path: path.into(), file: file.into() };
        Manifest {
            version: VERSION,
            assets: BTreeMap::new(),
            routes: vec![page("/", "/index.html"), page("/items/{id}", "/items/_id.html")],
        }
    }

    fn check(path: &str, origin_paths: &[&str], expected: Route<'_>) {
        let site = site();
        let origin_paths: Vec<_> = origin_paths.iter().map(|path| (*path).to_owned()).collect();
        assert_eq!(route(path, Site::Built(&site), &origin_paths), expected, "{path}");
    }

    #[test]
    fn pages_assets_origins_and_files_are_told_apart() {
        check("/", &["/api/"], Route::Page("/index.html"));
        check("/items/7", &["/api/"], Route::Page("/items/_id.html"));
        check("/assets/app.0123.js", &["/api/"], Route::Asset);
        check("/assets/", &["/api/"], Route::Asset);
        check("/api/items", &["/api/"], Route::Origin);
        check("/favicon.ico", &["/api/"], Route::File);
        check("/.well-known/security.txt", &["/api/"], Route::File);
        check("/nothing", &["/api/"], Route::NotFound);
        check("/api", &["/api/"], Route::NotFound);
        check("/API/items", &["/api/"], Route::NotFound);
    }

    #[test]
    fn pages_have_no_second_path_and_the_manifest_none() {
        check("/index.html", &[], Route::NotFound);
        check("/other.html", &[], Route::NotFound);
        check("/manifest.json", &[], Route::NotFound);
        check("/a.", &[], Route::NotFound);
    }

    #[test]
    fn origins_may_have_all_that_is_not_the_sites() {
        check("/", &["/"], Route::Page("/index.html"));
        check("/nothing", &["/"], Route::Origin);
        check("/assets/gone.js", &["/"], Route::Asset);
    }

    #[test]
    fn the_edges_own_paths_are_nobody_elses() {
        for site in [Site::Absent, Site::Broken] {
            assert_eq!(route("/_tidewall/status", site, &["/".to_owned()]), Route::Status);
            assert_eq!(route("/_tidewall/status/", site, &["/".to_owned()]), Route::NotFound);
            assert_eq!(route("/_tidewall/other", site, &["/".to_owned()]), Route::NotFound);
        }
    }

    #[test]
    fn without_a_site_everything_goes_to_the_origins() {
        for path in ["/", "/assets/a.js", "/favicon.ico", "/anything"] {
            assert_eq!(route(path, Site::Absent, &[]), Route::Origin, "{path}");
        }
    }

    #[test]
    fn a_broken_site_leaves_origins_and_assets_alone() {
        let origin_paths = ["/api/".to_owned()];
        assert_eq!(route("/api/x", Site::Broken, &origin_paths), Route::Origin);
        assert_eq!(route("/assets/a.js", Site::Broken, &origin_paths), Route::Asset);
        assert_eq!(route("/", Site::Broken, &origin_paths), Route::SiteBroken);
    }
}
