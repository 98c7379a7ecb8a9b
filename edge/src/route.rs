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
    /// The edge: what is out of date.
    Purge,
    /// The edge: what it would do with a request, and why.
    Explain,
    /// The site: an immutable file at the request's path, or nothing.
    Asset,
    /// The site: this file, which is a page.
    Page(&'a str),
    /// The site: a file at the request's path, such as `/favicon.ico`.
    File,
    /// An origin.
    Origin,
    /// The site: this file, a page that says that nobody else does.
    NotFoundPage(&'a str),
    /// Nobody.
    NotFound,
    /// The site, if it could be read.
    SiteBroken,
}

/// The one decision on paths. A page goes before a prefix of the origins, so that
/// the prefix `/` gives them all that isn't the site's. `wants_html` says whether a
/// person is there to read a page (see [`wants_html`]).
pub fn route<'a>(path: &str, site: Site<'a>, origin_paths: &[String], wants_html: bool) -> Route<'a> {
    if let Some(own) = path.strip_prefix(CONTROL_PREFIX) {
        return match own {
            "status" => Route::Status,
            "purge" => Route::Purge,
            "explain" => Route::Explain,
            _ => Route::NotFound,
        };
    }
    let page = match site {
        Site::Absent => return Route::Origin,
        _ if path.starts_with(ASSET_PREFIX) => return Route::Asset,
        Site::Broken => None,
        Site::Built(manifest) => manifest.page(path).map(|page| page.file.as_str()),
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
        Site::Built(Manifest { not_found: Some(page), .. }) if wants_html => Route::NotFoundPage(&page.file),
        _ => Route::NotFound,
    }
}

/// Whether an `Accept` field names HTML, as those of browsers do when they open a
/// page and those of programs don't: they say `*/*` or nothing (RFC 9110, section 12.5.1).
pub fn wants_html(accept: Option<&str>) -> bool {
    accept.unwrap_or_default().split(',').any(|range| {
        let media_type = range.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("text/html")
    })
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
    use tidewall_api::manifest::{Page, Route as PageRoute, VERSION};

    use super::*;

    fn site() -> Manifest {
        let page = |file: &str| Page { file: file.into(), ..Page::default() };
        let route = |path: &str, file: &str| PageRoute { path: path.into(), page: page(file) };
        Manifest {
            version: VERSION,
            routes: vec![route("/", "/index.html"), route("/items/{id}", "/items/_id.html")],
            not_found: Some(page("/404.html")),
            ..Manifest::default()
        }
    }

    fn check(path: &str, origin_paths: &[&str], expected: Route<'_>) {
        let site = site();
        let origin_paths: Vec<_> = origin_paths.iter().map(|path| (*path).to_owned()).collect();
        assert_eq!(route(path, Site::Built(&site), &origin_paths, false), expected, "{path}");
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
            assert_eq!(route("/_tidewall/status", site, &["/".to_owned()], false), Route::Status);
            assert_eq!(route("/_tidewall/purge", site, &["/".to_owned()], false), Route::Purge);
            assert_eq!(route("/_tidewall/explain", site, &["/".to_owned()], false), Route::Explain);
            assert_eq!(route("/_tidewall/status/", site, &["/".to_owned()], false), Route::NotFound);
            assert_eq!(route("/_tidewall/other", site, &["/".to_owned()], false), Route::NotFound);
        }
    }

    #[test]
    fn without_a_site_everything_goes_to_the_origins() {
        for path in ["/", "/assets/a.js", "/favicon.ico", "/anything"] {
            assert_eq!(route(path, Site::Absent, &[], false), Route::Origin, "{path}");
        }
    }

    #[test]
    fn a_broken_site_leaves_origins_and_assets_alone() {
        let origin_paths = ["/api/".to_owned()];
        assert_eq!(route("/api/x", Site::Broken, &origin_paths, true), Route::Origin);
        assert_eq!(route("/assets/a.js", Site::Broken, &origin_paths, true), Route::Asset);
        assert_eq!(route("/", Site::Broken, &origin_paths, true), Route::SiteBroken);
    }

    #[test]
    fn a_person_gets_a_page_that_says_so_where_nothing_is() {
        let (site, origins) = (site(), ["/api/".to_owned()]);
        let person = |path| route(path, Site::Built(&site), &origins, true);
        assert_eq!(person("/nothing"), Route::NotFoundPage("/404.html"));
        assert_eq!(person("/assets/gone.0123.css"), Route::Asset);
        assert_eq!(person("/api/nothing"), Route::Origin);
        assert_eq!(person("/_tidewall/nothing"), Route::NotFound);
    }

    #[test]
    fn only_an_accept_field_that_names_html_wants_it() {
        assert!(wants_html(Some("text/html,application/xhtml+xml,*/*;q=0.8")));
        assert!(wants_html(Some("application/json, TEXT/HTML ;q=0.5")));
        for accept in [None, Some(""), Some("*/*"), Some("application/json"), Some("text/htmlx")] {
            assert!(!wants_html(accept), "{accept:?}");
        }
    }
}
