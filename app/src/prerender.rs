//! Every page as a file, rendered natively by the code that the browser runs.

use leptos::prelude::*;
use leptos_router::location::RequestUrl;
use leptos_router::{PathSegment, RouteList};

use crate::app::{App, AppProps};
use crate::document::Document;
use crate::program::{self, Program};
use crate::{pages, paths};

/// What takes a page over in the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scripts {
    /// The loader that wasm-bindgen makes, an ES module.
    pub module: Script,
    /// The wasm it loads.
    pub wasm: Script,
}

/// A hashed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Its path on the site.
    pub path: String,
    /// Its Subresource Integrity value.
    pub integrity: String,
}

/// A page of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The paths it answers: `/products/{id}`.
    pub route: String,
    /// Its file in the site: `/products/_id.html`.
    pub file: String,
    /// The document.
    pub html: String,
}

/// Why there are no pages.
#[derive(Debug, thiserror::Error)]
pub enum PrerenderError {
    /// A route would have no file, or a file no route.
    #[error(
        "the app routes {routed:?}, but pages are described for {described:?}: bring app.rs and prerender.rs together"
    )]
    RoutesDiffer {
        /// Routes of the app.
        routed: Vec<String>,
        /// Routes that have a description here.
        described: Vec<&'static str>,
    },
}

/// What a page's document says about it.
struct Description {
    route: &'static str,
    title: &'static str,
    summary: &'static str,
    /// It is somebody's own: no search engine needs to know it.
    is_private: bool,
}

/// The app's pages.
const PAGES: [Description; 9] = [
    Description {
        route: paths::LIST,
        title: "",
        summary: "A demonstration shop that runs on Tidewall: edge, cache, replicas and queue.",
        is_private: false,
    },
    Description {
        route: paths::PRODUCT,
        title: "Product",
        summary: "A product of the Tidewall shop, a demonstration: picture, price and stock.",
        is_private: false,
    },
    Description {
        route: paths::CART,
        title: "Cart",
        summary: "What you are about to order.",
        is_private: true,
    },
    Description {
        route: paths::ORDERS,
        title: "Orders",
        summary: "What you have ordered.",
        is_private: true,
    },
    Description {
        route: paths::REPORTS,
        title: "Reports",
        summary: "Your orders of a stretch of time, as a table or a document.",
        is_private: true,
    },
    Description {
        route: paths::LOGIN,
        title: "Log in",
        summary: "Log in to the Tidewall shop, or make an account.",
        is_private: true,
    },
    Description {
        route: paths::LAB,
        title: "Lab",
        summary: "Seven tools, each without and with, measured on the system that serves the page.",
        is_private: false,
    },
    Description {
        route: paths::TOOLKIT,
        title: "Toolkit",
        summary: "Seven tools for a web product that grows: which of them, when, when not yet, and what a month costs.",
        is_private: false,
    },
    Description {
        route: paths::OPS,
        title: "Ops",
        summary: "How the system goes, for those who work here.",
        is_private: true,
    },
];

/// What the server sends with a 404. It runs no script: the reader came by a
/// document request, and every way on is a link.
const NOT_FOUND: Description = Description {
    route: paths::NOT_FOUND,
    title: "Page not found",
    summary: "There is nothing at this address.",
    is_private: true,
};

/// Renders every page of the site, which is the build `build`, with the scripts of its program (in
/// the order of [`Program::ALL`]); the same input gives the same bytes. Pages without a build don't look for a newer one.
///
/// # Errors
/// Routes and descriptions differ.
pub fn prerender(scripts: &[Scripts; 5], build: &str) -> Result<Vec<Page>, PrerenderError> {
    let routed = routes();
    let described: Vec<&str> = PAGES.iter().map(|page| page.route).collect();
    if routed != described {
        return Err(PrerenderError::RoutesDiffer { routed, described });
    }
    let pages =
        PAGES.iter().map(|page| render(page, build, Some(&scripts[Program::of(page.route) as usize])));
    Ok(pages.chain([render(&NOT_FOUND, build, None)]).collect())
}

fn render(page: &Description, build: &str, scripts: Option<&Scripts>) -> Page {
    let document = Document {
        title: &pages::title(page.title),
        description: page.summary,
        is_private: page.is_private,
        body: &rooted(&placeholder_path(page.route), || app(Program::of(page.route)).to_html()),
        build,
        scripts,
    };
    Page { route: page.route.to_owned(), file: file(page.route), html: document.html() }
}

/// Runs `f` as the server side of a request for `path`.
fn rooted<T>(path: &str, f: impl FnOnce() -> T) -> T {
    let owner = Owner::new();
    let result = owner.with(|| {
        provide_context(RequestUrl::new(path));
        f()
    });
    owner.unset_with_forced_cleanup();
    result
}

/// The app as `program` shows it.
fn app(program: Program) -> impl IntoView {
    let routes = match program {
        Program::Shop => program::shop,
        Program::Account => program::account,
        Program::Lab => program::lab,
        Program::Toolkit => program::toolkit,
        Program::Ops => program::ops,
    };
    App(AppProps { program, routes })
}

/// The routes of all programs, in their order and in the manifest's notation.
fn routes() -> Vec<String> {
    let listings = Program::ALL.into_iter().flat_map(|program| {
        let routes = rooted(paths::LIST, || RouteList::generate(|| app(program)));
        routes.map(RouteList::into_inner).unwrap_or_default()
    });
    listings.map(|listing| route(listing.path())).collect()
}

fn route(segments: &[PathSegment]) -> String {
    let mut route = String::new();
    for segment in segments {
        match segment {
            PathSegment::Unit => {}
            PathSegment::Static(name) if name.trim_matches('/').is_empty() => {}
            PathSegment::Static(name) => route.extend(["/", name.trim_matches('/')]),
            PathSegment::Param(name) | PathSegment::OptionalParam(name) | PathSegment::Splat(name) => {
                route.extend(["/{", name, "}"]);
            }
        }
    }
    if route.is_empty() { "/".to_owned() } else { route }
}

/// A path that the route matches and no reader asks for: `/products/_id`.
fn placeholder_path(route: &str) -> String {
    route.replace('{', "_").replace('}', "")
}

fn file(route: &str) -> String {
    if route == paths::LIST { "/index.html".to_owned() } else { format!("{}.html", placeholder_path(route)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripts() -> [Scripts; 5] {
        let script = |path: String| Script { path, integrity: "sha256-4RzN+/=".to_owned() };
        Program::ALL.map(|program| {
            let name = program.name();
            let module = script(format!("/assets/{name}.1.js"));
            Scripts { module, wasm: script(format!("/assets/{name}_bg.2.wasm")) }
        })
    }

    fn page(route: &str) -> Page {
        prerender(&scripts(), "b1").unwrap().into_iter().find(|page| page.route == route).unwrap()
    }

    #[test]
    fn every_route_has_a_file() {
        let pages = prerender(&scripts(), "b1").unwrap();
        let files: Vec<_> = pages.iter().map(|page| (page.route.as_str(), page.file.as_str())).collect();
        assert_eq!(
            files,
            [
                ("/", "/index.html"),
                ("/products/{id}", "/products/_id.html"),
                ("/cart", "/cart.html"),
                ("/orders", "/orders.html"),
                ("/reports", "/reports.html"),
                ("/login", "/login.html"),
                ("/lab", "/lab.html"),
                ("/toolkit", "/toolkit.html"),
                ("/ops", "/ops.html"),
                ("/404", "/404.html"),
            ]
        );
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        assert_eq!(prerender(&scripts(), "b1").unwrap(), prerender(&scripts(), "b1").unwrap());
    }

    #[test]
    fn a_shell_has_skeletons_for_a_whole_page_and_no_data() {
        const PICTURE: &str = "<div class=\"picture skeleton\" data-early=\"image\">";
        let html = page("/").html;
        assert_eq!(html.matches(PICTURE).count(), 24);
        assert!(!html.contains("<img"), "{html}");
        assert_eq!(page("/products/{id}").html.matches(PICTURE).count(), 1);
    }

    #[test]
    fn a_page_is_whole() {
        for page in prerender(&scripts(), "b1").unwrap() {
            let html = page.html;
            assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{html}");
            for part in
                ["<title>", "<meta name=\"viewport\"", "<header", "<main", "<footer", "/assets/styles."]
            {
                assert_eq!(html.matches(part).count(), 1, "{part} in {html}");
            }
        }
    }

    #[test]
    fn what_is_somebodys_own_is_for_no_search_engine() {
        for (route, is_private) in [("/", false), ("/products/{id}", false), ("/cart", true), ("/404", true)]
        {
            assert_eq!(page(route).html.contains("noindex"), is_private, "{route}");
        }
    }

    #[test]
    fn a_page_says_which_build_it_is_of() {
        let html = page("/").html;
        assert!(html.contains("<meta name=\"tidewall-build\" content=\"b1\">"), "{html}");
    }

    #[test]
    fn an_offer_of_a_newer_version_waits_empty_for_its_text() {
        let html = page("/").html;
        assert!(html.contains("<div class=\"update\"><p role=\"status\">"), "{html}");
        assert!(!html.contains("newer version") && !html.contains("Not now"), "{html}");
    }

    #[test]
    fn a_page_over_data_names_its_scripts() {
        let html = page("/products/{id}").html;
        assert!(html.contains("href=\"/assets/shop.1.js\" integrity=\"sha256-4RzN+/=\""), "{html}");
        assert!(html.contains("import init from \"/assets/shop.1.js\";"), "{html}");
        assert!(
            html.contains("fetch(\"/assets/shop_bg.2.wasm\", { integrity: \"sha256-4RzN+/=\" })"),
            "{html}"
        );
    }

    #[test]
    fn a_page_has_the_scripts_of_its_program() {
        for (route, script) in [
            ("/cart", "shop"),
            ("/login", "account"),
            ("/lab", "lab"),
            ("/ops", "ops"),
            ("/toolkit", "toolkit"),
        ] {
            assert!(
                page(route).html.contains(&format!("import init from \"/assets/{script}.1.js\"")),
                "{route}"
            );
        }
    }

    #[test]
    fn a_link_to_another_programs_page_is_left_to_the_browser() {
        let mut left = 0;
        for page in prerender(&scripts(), "b1").unwrap() {
            let links = page.html.split("<a ").skip(1).filter_map(|link| link.split('>').next());
            for link in links.filter(|link| link.contains("href=\"/")) {
                let to = link.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
                let program = Program::of(&page.route);
                let is_left = link.contains("rel=\"external\"");
                assert_eq!(is_left, Program::of(to) != program, "{link} in {}", page.route);
                left += usize::from(is_left);
            }
        }
        assert!(left > 10, "{left}");
    }

    #[test]
    fn the_page_of_a_404_runs_no_script() {
        let html = page("/404").html;
        assert!(html.contains("<h1>Page not found</h1>"), "{html}");
        assert!(!html.contains("<script"), "{html}");
    }
}
