//! Who answers a path.

use tidewall_api::site::{ASSET_PREFIX, Index};

/// Paths of the edge's own interface.
const CONTROL_PREFIX: &str = "/_tidewall/";

/// The built site, as far as this deployment has one.
#[derive(Clone, Copy, Debug)]
pub enum Site<'a> {
    /// None was deployed: the edge stands before origins alone.
    Absent,
    /// One was deployed, but its manifest can't be read.
    Broken,
    /// What is in it.
    Built(&'a Index),
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The edge: its own state.
    Status,
    /// The edge: what is out of date.
    Purge,
    /// The edge: what it would do with a request, and why.
    Explain,
    /// The site.
    Site,
    /// An origin.
    Origin,
    /// Nobody, which the site says.
    Nothing,
    /// Nobody, in the edge's own interface.
    NotFound,
    /// The site, if it could be read.
    SiteBroken,
}

/// The one decision on paths. What the site claims goes before a prefix of the origins, so
/// that the prefix `/` gives them all that isn't the site's.
pub fn route(path: &str, site: Site<'_>, origin_paths: &[String]) -> Route {
    if let Some(own) = path.strip_prefix(CONTROL_PREFIX) {
        return match own {
            "status" => Route::Status,
            "purge" => Route::Purge,
            "explain" => Route::Explain,
            _ => Route::NotFound,
        };
    }
    match site {
        Site::Absent => return Route::Origin,
        Site::Built(index) if index.claims(path) => return Route::Site,
        // Of a hashed name nobody else knows anything.
        Site::Broken if path.starts_with(ASSET_PREFIX) => return Route::SiteBroken,
        Site::Built(_) | Site::Broken => {}
    }
    if origin_paths.iter().any(|prefix| path.starts_with(prefix.as_str())) {
        return Route::Origin;
    }
    match site {
        Site::Built(index) if index.has(path) => Route::Site,
        Site::Built(_) => Route::Nothing,
        Site::Absent | Site::Broken => Route::SiteBroken,
    }
}

#[cfg(test)]
mod tests {
    use tidewall_api::manifest::{File, Manifest, Page, Route as PageRoute, VERSION};

    use super::*;

    fn site() -> Index {
        let page = |file: &str| Page { file: file.into(), ..Page::default() };
        let route = |path: &str, file: &str| PageRoute { path: path.into(), page: page(file) };
        let files = ["/favicon.ico", "/.well-known/security.txt"];
        Index::new(Manifest {
            version: VERSION,
            files: files.map(|path| (path.to_owned(), File::default())).into(),
            routes: vec![route("/", "/index.html"), route("/items/{id}", "/items/_id.html")],
            not_found: Some(page("/404.html")),
            ..Manifest::default()
        })
    }

    fn check(path: &str, origin_paths: &[&str], expected: Route) {
        let site = site();
        let origin_paths: Vec<_> = origin_paths.iter().map(|path| (*path).to_owned()).collect();
        assert_eq!(route(path, Site::Built(&site), &origin_paths), expected, "{path}");
    }

    #[test]
    fn the_site_and_origins_are_told_apart() {
        check("/", &["/api/"], Route::Site);
        check("/items/7", &["/api/"], Route::Site);
        check("/assets/app.0123.js", &["/api/"], Route::Site);
        check("/assets/", &["/api/"], Route::Site);
        check("/build.json", &["/api/"], Route::Site);
        check("/api/items", &["/api/"], Route::Origin);
        check("/favicon.ico", &["/api/"], Route::Site);
        check("/.well-known/security.txt", &["/api/"], Route::Site);
        check("/other.ico", &["/api/"], Route::Nothing);
        check("/nothing", &["/api/"], Route::Nothing);
        check("/api", &["/api/"], Route::Nothing);
        check("/API/items", &["/api/"], Route::Nothing);
    }

    #[test]
    fn pages_have_no_second_path_and_the_manifest_none() {
        check("/index.html", &[], Route::Nothing);
        check("/manifest.json", &[], Route::Nothing);
    }

    #[test]
    fn origins_may_have_all_that_is_not_the_sites() {
        check("/", &["/"], Route::Site);
        check("/build.json", &["/"], Route::Site);
        check("/nothing", &["/"], Route::Origin);
        check("/favicon.ico", &["/"], Route::Origin);
        check("/assets/gone.js", &["/"], Route::Site);
    }

    #[test]
    fn the_edges_own_paths_are_nobody_elses() {
        for site in [Site::Absent, Site::Broken] {
            let check = |path, expected| assert_eq!(route(path, site, &["/".to_owned()]), expected, "{path}");
            check("/_tidewall/status", Route::Status);
            check("/_tidewall/purge", Route::Purge);
            check("/_tidewall/explain", Route::Explain);
            check("/_tidewall/status/", Route::NotFound);
            check("/_tidewall/other", Route::NotFound);
        }
        check("/_tidewall/nothing", &["/"], Route::NotFound);
    }

    #[test]
    fn without_a_site_everything_goes_to_the_origins() {
        for path in ["/", "/assets/a.js", "/favicon.ico", "/anything"] {
            assert_eq!(route(path, Site::Absent, &[]), Route::Origin, "{path}");
        }
    }

    #[test]
    fn a_broken_site_leaves_origins_alone() {
        let origin_paths = ["/api/".to_owned()];
        assert_eq!(route("/api/x", Site::Broken, &origin_paths), Route::Origin);
        assert_eq!(route("/assets/a.js", Site::Broken, &["/".to_owned()]), Route::SiteBroken);
        assert_eq!(route("/", Site::Broken, &origin_paths), Route::SiteBroken);
    }
}
