//! The built site at an origin. What is answered with which fields is decided, and tested, by
//! `tidewall_api::site`; here it is what an origin makes of it.

use std::fs;
use std::path::{Path, PathBuf};

use tidewall_api::manifest::{Asset, Encodings, FILE_NAME, File, Manifest, Page, Route, VERSION};
use tidewall_origin::http::site::{Site, SiteError};

use super::*;

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

/// A site in a folder of its own, beside which a secret lies.
struct Folder {
    root: PathBuf,
    manifest: Manifest,
}

impl Folder {
    fn new() -> Self {
        let root = std::env::temp_dir().join(format!("tidewall-site-{:x}", fastrand::u64(..)));
        fs::create_dir_all(root.join("site")).unwrap();
        fs::write(root.join("secret.txt"), "a secret").unwrap();
        let mut folder = Self { root, manifest: Manifest { version: VERSION, ..Manifest::default() } };
        let page = |file: &str, content: File| Page { file: file.to_owned(), content, ..Page::default() };
        let route = |path: &str, page| Route { path: path.to_owned(), page };
        let list = page("/index.html", folder.write("/index.html", "the list", "text/html"));
        let item = page("/items/_id.html", folder.write("/items/_id.html", "an item", "text/html"));
        folder.manifest.routes = vec![route("/", list), route("/items/{id}", item)];
        folder.manifest.not_found =
            Some(page("/404.html", folder.write("/404.html", "<h1>no such page</h1>", "text/html")));
        let script = folder.write("/assets/app.01.js", "let a = 0123456789;", "text/javascript");
        folder.write("/assets/app.01.js.br", "compressed", "");
        let file = File { encodings: Encodings { br: Some(10), zstd: None }, ..script };
        let asset = Asset { path: "/assets/app.01.js".to_owned(), file, ..Asset::default() };
        folder.manifest.assets = [("app.js".to_owned(), asset)].into();
        let robots = folder.write("/robots.txt", "User-agent: *", "text/plain");
        folder.manifest.files = [("/robots.txt".to_owned(), robots)].into();
        folder.build("one");
        folder
    }

    fn path(&self) -> PathBuf {
        self.root.join("site")
    }

    fn write(&self, name: &str, content: &str, content_type: &str) -> File {
        let path = self.path().join(name.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        let size = content.len() as u64;
        let (integrity, content_type) = (format!("sha256-{content}"), content_type.to_owned());
        File { integrity, size, content_type, encodings: Encodings::default() }
    }

    /// Writes the manifest, as one that differs from any before.
    fn build(&mut self, name: &str) {
        self.manifest.build = name.to_owned();
        self.replace_manifest(&serde_json::to_vec(&self.manifest).unwrap());
    }

    /// A build is done at another moment than the one before, however coarse the clock of the
    /// file system.
    fn replace_manifest(&self, json: &[u8]) {
        let path = self.path().join(FILE_NAME);
        let before = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
        fs::write(&path, json).unwrap();
        if let Some(before) = before {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(before + std::time::Duration::from_secs(1)).unwrap();
        }
    }

    async fn origin(&self) -> Origin {
        Origin::serving(Some(Site::open(&self.path()).await.unwrap())).await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Answer {
    fn text(&self) -> (u16, &str) {
        (self.status.as_u16(), str::from_utf8(&self.body).unwrap())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn ask(origin: &Origin, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    origin.send(request.body(Body::empty()).unwrap()).await
}

async fn get(origin: &Origin, path: &str) -> Answer {
    ask(origin, "GET", path, &[]).await
}

#[tokio::test]
async fn pages_assets_and_files_are_served_as_the_policy_says() {
    let folder = Folder::new();
    let origin = folder.origin().await;
    let page = get(&origin, "/items/7?colour=red").await;
    assert_eq!(page.text(), (200, "an item"));
    assert_eq!(
        (page.header("cache-control"), page.header("content-type")),
        (Some("no-cache"), Some("text/html"))
    );
    assert_eq!(page.header("content-security-policy"), Some("frame-ancestors 'none'"));
    let asset = get(&origin, "/assets/app.01.js").await;
    assert_eq!(asset.text(), (200, "let a = 0123456789;"));
    assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(get(&origin, "/robots.txt").await.text(), (200, "User-agent: *"));
    assert_eq!(get(&origin, "/build.json").await.text(), (200, r#"{"build":"one"}"#));
}

#[tokio::test]
async fn a_compressed_form_is_the_file_beside_it() {
    let folder = Folder::new();
    let answer =
        ask(&folder.origin().await, "GET", "/assets/app.01.js", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(answer.text(), (200, "compressed"));
    assert_eq!(answer.header("content-encoding"), Some("br"));
}

#[tokio::test]
async fn parts_heads_and_conditions_cost_no_more_than_they_must() {
    let folder = Folder::new();
    let origin = folder.origin().await;
    let path = "/assets/app.01.js";
    let part = ask(&origin, "GET", path, &[("range", "bytes=8-11")]).await;
    assert_eq!(part.text(), (206, "0123"));
    assert_eq!(
        (part.header("content-range"), part.header("content-length")),
        (Some("bytes 8-11/19"), Some("4"))
    );
    ask(&origin, "GET", path, &[("range", "bytes=19-")]).await.problem(416);
    let head = ask(&origin, "HEAD", path, &[]).await;
    assert_eq!((head.text(), head.header("content-length")), ((200, ""), Some("19")));
    let tag = head.header("etag").unwrap();
    let fresh = ask(&origin, "GET", path, &[("if-none-match", "\"x\""), ("if-none-match", tag)]).await;
    assert_eq!((fresh.text(), fresh.header("etag")), ((304, ""), Some(tag)));
}

#[tokio::test]
async fn the_origins_own_routes_go_before_the_site() {
    let mut folder = Folder::new();
    let page = folder.manifest.routes[0].page.clone();
    folder.manifest.routes.push(Route { path: "/healthz".to_owned(), page: page.clone() });
    folder.manifest.routes.push(Route { path: "/api/{any}".to_owned(), page });
    folder.build("two");
    let origin = folder.origin().await;
    assert_eq!(get(&origin, "/healthz").await.text(), (200, r#"{"status":"ok"}"#));
    get(&origin, "/api/products").await.problem(503);
    // What the API doesn't have it says itself, to browsers as well.
    ask(&origin, "GET", "/api/nothing", &[("accept", HTML)]).await.problem(404);
}

#[tokio::test]
async fn where_there_is_nothing_people_get_a_page_and_programs_a_problem() {
    let folder = Folder::new();
    let origin = folder.origin().await;
    get(&origin, "/nothing").await.problem(404);
    let page = ask(&origin, "GET", "/nothing", &[("accept", HTML)]).await;
    assert_eq!(page.text(), (404, "<h1>no such page</h1>"));
    assert_eq!(
        (page.header("content-type"), page.header("cache-control")),
        (Some("text/html"), Some("no-store"))
    );
    ask(&origin, "GET", "/assets/gone.00.js", &[("accept", HTML)]).await.problem(404);
    let write = ask(&origin, "POST", "/items/7", &[("accept", HTML)]).await;
    write.problem(405);
    assert_eq!(write.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn a_page_opens_from_another_sites_link() {
    let folder = Folder::new();
    let fields = [("sec-fetch-site", "cross-site"), ("origin", "https://other.example"), ("accept", HTML)];
    assert_eq!(ask(&folder.origin().await, "GET", "/", &fields).await.text(), (200, "the list"));
}

#[tokio::test]
async fn no_path_of_a_request_reaches_the_file_system() {
    let folder = Folder::new();
    folder.write("/unnamed.txt", "not in the manifest", "text/plain");
    let origin = folder.origin().await;
    for path in [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/items/..%2f..%2fsecret.txt/x",
        "/unnamed.txt",
        "/manifest.json",
        "/index.html",
        "/items/_id.html/",
        "/assets/",
        "/assets/app.01.js.br",
        "/robots.txt%00",
        "/%00",
    ] {
        get(&origin, path).await.problem(404);
    }
    // A parameter is anything, and no part of a file's name.
    assert_eq!(get(&origin, "/items/..%2f..%2fsecret.txt").await.text(), (200, "an item"));
    assert_eq!(get(&origin, "/items/..").await.text(), (200, "an item"));
}

#[tokio::test]
async fn a_site_that_is_built_again_is_served_without_a_restart() {
    let mut folder = Folder::new();
    let origin = folder.origin().await;
    assert_eq!(get(&origin, "/").await.text(), (200, "the list"));
    folder.manifest.routes[0].page.content = folder.write("/index.html", "another list", "text/html");
    folder.build("two");
    assert_eq!(get(&origin, "/").await.text(), (200, "another list"));
    assert_eq!(get(&origin, "/build.json").await.text(), (200, r#"{"build":"two"}"#));
}

#[tokio::test]
async fn a_broken_manifest_leaves_the_last_good_one() {
    let mut folder = Folder::new();
    let origin = folder.origin().await;
    folder.replace_manifest(b"{");
    assert_eq!(get(&origin, "/").await.text(), (200, "the list"));
    fs::remove_file(folder.path().join(FILE_NAME)).unwrap();
    assert_eq!(get(&origin, "/build.json").await.text(), (200, r#"{"build":"one"}"#));
    folder.build("two");
    assert_eq!(get(&origin, "/build.json").await.text(), (200, r#"{"build":"two"}"#));
}

#[tokio::test]
async fn a_site_that_can_not_be_read_is_no_start() {
    let folder = Folder::new();
    folder.replace_manifest(b"{}");
    let error = Site::open(&folder.path()).await.unwrap_err();
    assert!(matches!(error, SiteError::Form { .. }), "{error}");
    assert!(error.to_string().ends_with("build the site again"), "{error}");
    let error = Site::open(Path::new("/nowhere")).await.unwrap_err();
    assert!(error.to_string().ends_with("build the site first"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_what_the_manifest_says_is_a_fault_and_not_a_half_answer() {
    let folder = Folder::new();
    let origin = folder.origin().await;
    folder.write("/robots.txt", "other bytes", "text/plain");
    assert_eq!(get(&origin, "/robots.txt").await.problem(500)["type"], "/problems/internal");
    fs::remove_file(folder.path().join("robots.txt")).unwrap();
    get(&origin, "/robots.txt").await.problem(500);
    fs::create_dir(folder.path().join("robots.txt")).unwrap();
    get(&origin, "/robots.txt").await.problem(500);
    let range = [("range", "bytes=0-100")];
    fs::write(folder.path().join("assets/app.01.js"), "short").unwrap();
    ask(&origin, "GET", "/assets/app.01.js", &range).await.problem(500);
}

#[tokio::test]
async fn requests_for_the_site_are_counted_by_what_the_manifest_calls_them() {
    let folder = Folder::new();
    let origin = folder.origin().await;
    for path in ["/items/7", "/items/8", "/assets/app.01.js", "/assets/gone.js", "/robots.txt", "/x", "/y"] {
        get(&origin, path).await;
    }
    let page = String::from_utf8(origin.get("/metrics").await.body).unwrap();
    for (route, status, count) in [
        ("/items/{id}", 200, 2),
        ("/assets/*", 200, 1),
        ("/assets/*", 404, 1),
        ("/robots.txt", 200, 1),
        ("unmatched", 404, 2),
    ] {
        let line = format!(
            r#"tidewall_http_requests_total{{method="GET",route="{route}",status="{status}"}} {count}"#
        );
        assert!(page.contains(&line), "{line} is missing in\n{page}");
    }
}

#[tokio::test]
async fn the_document_does_not_list_the_site() {
    let folder = Folder::new();
    let with_site = folder.origin().await.get("/openapi.json").await.body;
    assert_eq!(with_site, Origin::new().await.get("/openapi.json").await.body);
}
