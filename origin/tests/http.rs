//! The HTTP surface as a client sees it while no database is in reach: every
//! answer that needs none, and what the others say then.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[path = "http/site.rs"]
mod site;

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration as Pause;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use futures::{StreamExt as _, stream};
use serde_json::Value;
use tidewall_api::account::User;
use tidewall_origin::db::{Db, DbSettings};
use tidewall_origin::files::{FileName, FileStore, LinkKey, Location};
use tidewall_origin::http::accounts::{Accounts, RateLimits};
use tidewall_origin::http::app::{App, router};
use tidewall_origin::http::client::ClientAddress;
use tidewall_origin::http::cookies::CookieNames;
use tidewall_origin::http::download::Downloads;
use tidewall_origin::http::jobs::Jobs;
use tidewall_origin::http::site::Site;
use tidewall_origin::mail::Mail;
use tidewall_origin::outbox::Outbox;
use tidewall_origin::queue::{Queue, WorkerMetrics};
use tidewall_origin::session::{Claims, SESSION_BYTES, SessionKeys, Sessions};
use tidewall_origin::shop::lab::LabArgs;
use tidewall_origin::shop::{self, Means, ShopArgs};
use tidewall_origin::shutdown::Shutdown;
use tidewall_origin::signing::Secrets;
use tidewall_origin::webhooks::{Addresses, Webhooks};
use time::{Duration, OffsetDateTime};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tower::ServiceExt as _;

/// An origin whose database refuses connections.
struct Origin {
    router: Router,
    links: LinkKey,
    keys: SessionKeys,
    files: PathBuf,
    stop: watch::Sender<bool>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Origin {
    async fn new() -> Self {
        Self::serving(None).await
    }

    async fn serving(site: Option<Site>) -> Self {
        // Nothing listens on port 1.
        let db = Db::new(DbSettings::parse("postgres://nobody@127.0.0.1:1/none", &[]).unwrap());
        let secrets = Secrets::new("a secret of the tests and of none other", None).unwrap();
        let (links, keys) = (LinkKey::new(&secrets), SessionKeys::new(&secrets));
        let files = std::env::temp_dir().join(format!("tidewall-http-{:x}", fastrand::u64(..)));
        let store = FileStore::open(&Location::Directory(files.clone())).await.unwrap();
        let downloads = Downloads { files: store, links: links.clone() };
        let sessions = Sessions::new(db.clone(), keys.clone());
        let limits = RateLimits { sign_ups_per_minute: 20, logins_per_minute: 20, reports_per_minute: 200 };
        let (cookies, clients) = (CookieNames::Plain, ClientAddress::default());
        let accounts = Accounts { sessions, db: db.clone(), cookies, clients, limits };
        let jobs = Jobs { queue: Queue::new(db, None), links: links.clone() };
        let (stop, shutdown) = Shutdown::manual();
        let (outbox, args) = (
            Outbox::new(None),
            ShopArgs { product_max_age: 300, lab: LabArgs { lab: None, lab_lags: false } },
        );
        let means = Means {
            queue: jobs.queue.clone(),
            files: downloads.files.clone(),
            links: links.clone(),
            outbox: outbox.clone(),
            mail: Mail::new(None),
            webhooks: Webhooks::new(&secrets, Addresses::Public),
            public_url: String::new(),
        };
        let routes = shop::routes(accounts.clone(), means, site.clone(), "a", &args);
        let worker = WorkerMetrics::default();
        let app = App { accounts, jobs, worker, downloads, outbox, site, shutdown };
        let router = router(app, routes).unwrap();
        Self { router, links, keys, files, stop }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// As staff.
    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).header("authorization", self.staff()).body(Body::empty()).unwrap()).await
    }

    /// What staff bring.
    fn staff(&self) -> String {
        self.session(true, OffsetDateTime::now_utc())
    }

    /// What somebody brings who has logged in at this moment.
    fn session(&self, staff: bool, since: OffsetDateTime) -> String {
        let user = User { id: 7, email: "ada@example.com".to_owned(), staff };
        format!("Bearer {}", self.keys.issue(&Claims { user, session: [7; SESSION_BYTES] }, since))
    }

    async fn post(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header("content-type", content_type);
        let request = request.header("authorization", self.staff());
        self.send(request.body(body.into()).unwrap()).await
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.files);
    }
}

impl Answer {
    /// Checks all that every problem has, and returns it.
    fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.headers["cache-control"], "no-store");
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.headers["x-request-id"].to_str().unwrap());
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        problem
    }

    fn fields(&self) -> Vec<String> {
        self.problem(422)["errors"].as_object().unwrap().keys().cloned().collect()
    }
}

const JSON: &str = "application/json";
const PRODUCT: &str = r#"{"name":"a","category":"b","price_cents":1,"stock":1,"description":""}"#;

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let origin = Origin::new().await;
    assert_eq!(origin.get("/nothing").await.problem(404)["type"], "/problems/not-found");
}

#[tokio::test]
async fn an_unknown_method_is_a_problem_that_lists_the_others() {
    let origin = Origin::new().await;
    let answer = origin.send(Request::patch("/api/products").body(Body::empty()).unwrap()).await;
    answer.problem(405);
    let mut allow: Vec<_> = answer.headers["allow"].to_str().unwrap().split(',').collect();
    allow.sort_unstable();
    assert_eq!(allow, ["GET", "HEAD", "POST"]);
}

#[tokio::test]
async fn a_body_that_can_not_be_read_is_refused_with_its_reason() {
    let origin = Origin::new().await;
    origin.post("/api/products", JSON, "{").await.problem(400);
    origin.post("/api/products", "text/plain", PRODUCT).await.problem(415);
    origin.post("/api/products", JSON, vec![b' '; 1 << 20]).await.problem(413);
    assert_eq!(origin.post("/api/products", JSON, "{}").await.fields(), ["name"]);
    let colour = PRODUCT.replace("{", r#"{"colour":1,"#);
    assert_eq!(origin.post("/api/products", JSON, colour).await.fields(), ["colour"]);
    let negative = PRODUCT.replace(":1", ":-1");
    assert_eq!(origin.post("/api/products", JSON, negative).await.fields(), ["price_cents", "stock"]);
}

#[tokio::test]
async fn what_is_not_for_everybody_asks_who_it_is() {
    let origin = Origin::new().await;
    let now = OffsetDateTime::now_utc();
    let (nobody, customer) = (String::new(), origin.session(false, now));
    let past = origin.session(true, now - Duration::minutes(16));
    for (method, path, of_staff) in [
        ("POST", "/api/products", true),
        ("PUT", "/api/products/1", true),
        ("DELETE", "/api/products/1", true),
        ("POST", "/api/reports", false),
        ("GET", "/api/jobs/1", false),
        ("GET", "/api/me", false),
        ("GET", "/api/cart", false),
        ("PUT", "/api/cart/1", false),
        ("DELETE", "/api/cart/1", false),
        ("DELETE", "/api/cart", false),
        ("GET", "/api/orders", false),
        ("POST", "/api/orders", false),
        ("GET", "/api/orders/1", false),
    ] {
        let ask = async |authorization: &str| {
            let request = Request::builder().method(method).uri(path).header("content-type", JSON);
            let request = match authorization {
                "" => request,
                authorization => request.header("authorization", authorization),
            };
            origin.send(request.body(Body::from("{}")).unwrap()).await
        };
        for unknown in [&nobody, "Bearer x.y.z", "Basic YTpi", "Bearer", &past] {
            let answer = ask(unknown).await;
            assert_eq!(answer.problem(401)["type"], "/problems/no-session", "{method} {path} {unknown}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{method} {path}");
        }
        let status = ask(&customer).await.status;
        assert_eq!(status == 403, of_staff, "{method} {path}: {status}");
        let status = ask(&origin.staff()).await.status;
        assert!(![401, 403].contains(&status.as_u16()), "{method} {path}: {status}");
    }
}

#[tokio::test]
async fn a_write_from_another_sites_page_is_refused() {
    let origin = Origin::new().await;
    let token = origin.staff();
    let cookie = format!("tw_session={}", token.trim_start_matches("Bearer "));
    let write = |fields: &[(&str, &str)]| {
        let request =
            Request::post("/api/orders").header("content-type", JSON).header("host", "shop.example");
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        origin.send(request.body(Body::from("{}")).unwrap())
    };
    for origin in ["https://evil.example", "null"] {
        assert_eq!(
            write(&[("cookie", &cookie), ("origin", origin)]).await.problem(403)["type"],
            "/problems/forbidden"
        );
    }
    write(&[("cookie", &cookie), ("sec-fetch-site", "cross-site")]).await.problem(403);
    // From its own page, from no page and from a program it comes as far as the database.
    write(&[("cookie", &cookie), ("origin", "https://shop.example")]).await.problem(503);
    write(&[("cookie", &cookie)]).await.problem(503);
    write(&[("authorization", &token), ("sec-fetch-site", "cross-site")]).await.problem(503);
    // A program's token counts alone: a page can't send one along with somebody's cookie.
    write(&[("authorization", "Bearer x"), ("cookie", &cookie), ("origin", "https://evil.example")])
        .await
        .problem(401);
}

#[tokio::test]
async fn credentials_that_can_not_be_an_accounts_are_named() {
    let origin = Origin::new().await;
    let nonsense = r#"{"email":"ada","password":"short"}"#;
    assert_eq!(origin.post("/api/users", JSON, nonsense).await.fields(), ["email", "password"]);
    let more = r#"{"email":"a@b.example","password":"long enough","staff":true}"#;
    assert_eq!(origin.post("/api/users", JSON, more).await.fields(), ["staff"]);
}

#[tokio::test]
async fn a_key_that_names_nothing_is_refused() {
    let origin = Origin::new().await;
    let request = Request::post("/api/orders").header("authorization", origin.staff());
    let request = request.header("content-type", JSON).header("idempotency-key", "");
    origin.send(request.body(Body::from("{}")).unwrap()).await.problem(400);
}

#[tokio::test]
async fn a_query_that_is_not_known_is_refused_by_name() {
    let origin = Origin::new().await;
    assert_eq!(origin.get("/api/products?colour=red&page=0").await.fields(), ["colour", "page"]);
    assert_eq!(origin.get("/api/analytics/daily?days=0&week=1").await.fields(), ["days", "week"]);
}

#[tokio::test]
async fn a_report_over_days_that_do_not_exist_is_refused() {
    let origin = Origin::new().await;
    let report = r#"{"kind":"orders","format":"csv","from":"2026-02-30","to":"2026-03-01"}"#;
    assert_eq!(origin.post("/api/reports", JSON, report).await.fields(), ["from"]);
}

#[tokio::test]
async fn an_id_that_can_not_exist_is_not_found() {
    let origin = Origin::new().await;
    for path in ["/api/products/x", "/api/products/-1", "/api/products/99999999999999999999", "/api/jobs/x"] {
        origin.get(path).await.problem(404);
    }
}

#[tokio::test]
async fn without_a_database_requests_are_told_to_come_back() {
    let origin = Origin::new().await;
    for path in ["/api/products", "/api/products/1", "/api/analytics/daily", "/api/jobs/1"] {
        let answer = origin.get(path).await;
        answer.problem(503);
        assert_eq!(answer.headers["retry-after"], "1");
    }
    origin.post("/api/products", JSON, PRODUCT).await.problem(503);
}

#[tokio::test]
async fn every_answer_of_the_api_names_the_version_of_its_shapes_and_no_other_does() {
    let origin = Origin::new().await;
    for path in ["/api/products", "/api/products/x", "/api/nothing", "/api/products?colour=red"] {
        assert_eq!(origin.get(path).await.headers["tidewall-api-version"], "1", "{path}");
    }
    // Those that no handler made as well.
    let other_method = origin.send(Request::patch("/api/products").body(Body::empty()).unwrap()).await;
    other_method.problem(405);
    assert_eq!(other_method.headers["tidewall-api-version"], "1");
    for path in ["/healthz", "/nothing", "/api"] {
        assert!(!origin.get(path).await.headers.contains_key("tidewall-api-version"), "{path}");
    }
}

#[tokio::test]
async fn who_speaks_another_version_is_refused_before_anything_is_done() {
    let origin = Origin::new().await;
    let ask = async |method: &str, path: &str, version: &str| {
        let request = Request::builder().method(method).uri(path).header("tidewall-api-version", version);
        // Another site's page: what is asked about first is seen by what is refused.
        let request = request.header("sec-fetch-site", "cross-site");
        origin.send(request.body(Body::from("{}")).unwrap()).await
    };
    for (method, path) in [("GET", "/api/products"), ("POST", "/api/orders"), ("GET", "/api/nothing")] {
        let answer = ask(method, path, "2").await;
        assert_eq!(answer.problem(409)["type"], "/problems/server-outdated", "{method} {path}");
        assert_eq!(answer.headers["tidewall-api-version"], "1");
        assert_eq!(ask(method, path, "one").await.problem(400)["type"], "/problems/bad-request");
    }
    ask("GET", "/api/products", "1").await.problem(503);
    ask("POST", "/api/orders", "1").await.problem(403);
    assert_eq!(ask("GET", "/healthz", "2").await.status, 200);
}

#[tokio::test]
async fn each_answer_tells_the_edge_how_busy_the_origin_is() {
    let origin = Origin::new().await;
    for path in ["/healthz", "/nothing"] {
        let answer = origin.get(path).await;
        // One request, beside the twenty connections that a primary is asked on.
        assert_eq!(answer.headers["endpoint-load-metrics"], "TEXT application_utilization=0.050", "{path}");
    }
}

#[tokio::test]
async fn a_process_is_alive_but_not_ready_without_a_database() {
    let origin = Origin::new().await;
    assert_eq!(origin.get("/healthz").await.status, 200);
    assert_eq!(origin.get("/readyz").await.problem(503)["type"], "/problems/unavailable");
}

#[tokio::test]
async fn a_stopping_process_says_so_and_closes_connections() {
    let origin = Origin::new().await;
    assert!(!origin.get("/healthz").await.headers.contains_key("connection"));
    origin.stop.send_replace(true);
    assert_eq!(origin.get("/readyz").await.problem(503)["type"], "/problems/draining");
    let answer = origin.get("/healthz").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["connection"], "close");
}

#[tokio::test]
async fn a_fit_request_id_is_kept() {
    let origin = Origin::new().await;
    let request = |id: &str| Request::get("/nothing").header("x-request-id", id).body(Body::empty()).unwrap();
    assert_eq!(origin.send(request("abc-1")).await.problem(404)["request_id"], "abc-1");
    assert_ne!(origin.send(request("a b")).await.problem(404)["request_id"], "a b");
}

#[tokio::test]
async fn a_file_is_had_by_its_link_alone_and_until_it_expires() {
    let origin = Origin::new().await;
    std::fs::write(origin.files.join("7-1.csv"), "a,b\r\n").unwrap();
    let name = FileName::new("7-1.csv").unwrap();
    let link = |made: OffsetDateTime| format!("/api/files/{}", origin.links.sign(&name, made));
    let now = OffsetDateTime::now_utc();

    let answer = origin.get(&link(now)).await;
    assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, &b"a,b\r\n"[..]));
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"7-1.csv\"");
    assert_eq!(answer.headers["cache-control"], "no-store");

    origin.get(&link(now - Duration::days(2))).await.problem(410);
    origin.get(&format!("{}x", link(now))).await.problem(404);
    for path in ["7-1.csv", "..%2f7-1.csv", "..%2F..%2Fetc%2Fpasswd", "%ff"] {
        let answer = origin.get(&format!("/api/files/{path}")).await;
        assert!(answer.status.is_client_error(), "{path}");
        answer.problem(answer.status.as_u16());
    }
    std::fs::remove_file(origin.files.join("7-1.csv")).unwrap();
    origin.get(&link(now)).await.problem(404);
}

#[tokio::test]
async fn a_picture_is_served_for_ever_under_its_name() {
    let origin = Origin::new().await;
    std::fs::create_dir(origin.files.join("media")).unwrap();
    std::fs::write(origin.files.join("media/1a-960.jpeg"), b"jpeg").unwrap();
    std::fs::write(origin.files.join("1-1.csv"), b"a").unwrap();

    let answer = origin.get("/api/media/1a-960.jpeg").await;
    assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, &b"jpeg"[..]));
    for (name, value) in [
        ("cache-control", "public, max-age=31536000, immutable"),
        ("content-length", "4"),
        ("content-type", "image/jpeg"),
        ("etag", "\"1a-960.jpeg\""),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.headers[name], value);
    }
    let known = Request::get("/api/media/1a-960.jpeg").header("if-none-match", "\"1a-960.jpeg\"");
    let answer = origin.send(known.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(answer.headers["etag"], "\"1a-960.jpeg\"");

    for path in ["2b-960.jpeg", "1-1.csv", "..%2f1-1.csv", "1a-960.jpeg%231"] {
        origin.get(&format!("/api/media/{path}")).await.problem(404);
    }
}

#[tokio::test]
async fn what_is_uploaded_has_a_type_and_a_bound() {
    let origin = Origin::new().await;
    let too_large = vec![0; 10 * 1024 * 1024 + 1];
    for (path, content_type) in [("/api/products/1/image", "image/png"), ("/api/imports", "text/csv")] {
        for other in ["image/gif", "image/svg+xml", "application/json", "text/html", ""] {
            origin.post(path, other, "a").await.problem(415);
        }
        origin.post(path, content_type, too_large.clone()).await.problem(413);
        // There is no database here.
        let customer = origin.session(false, OffsetDateTime::now_utc());
        let request = Request::post(path).header("content-type", content_type);
        let answer =
            origin.send(request.header("authorization", customer).body(Body::from("a")).unwrap()).await;
        answer.problem(403);
        origin.send(Request::post(path).body(Body::empty()).unwrap()).await.problem(401);
    }
    origin.post("/api/products/1/image", "image/png", "a").await.problem(503);
    assert_eq!(std::fs::read_dir(&origin.files).unwrap().count(), 0, "nothing is kept of what is refused");
}

/// A body in so many parts, with so many seconds from one to the next.
fn slow(parts: u64, pause_s: u64) -> Body {
    let part = move |number| async move {
        sleep(Pause::from_secs(if number == 0 { 0 } else { pause_s })).await;
        Ok::<_, Infallible>("a")
    };
    Body::from_stream(stream::iter(0..parts).then(part))
}

#[tokio::test(start_paused = true)]
async fn an_upload_may_take_longer_than_other_requests_as_long_as_it_comes_on() {
    let origin = Origin::new().await;
    let took = async |path: &str, content_type: &str, body: Body| {
        let begun = Instant::now();
        (origin.post(path, content_type, body).await, begun.elapsed().as_secs())
    };
    let upload = async |body: Body| took("/api/imports", "text/csv", body).await;

    // Five minutes: it is read to its end, and found to be no table.
    let (answer, seconds) = upload(slow(16, 20)).await;
    assert_eq!((answer.fields(), seconds), (vec!["header".to_owned()], 300));
    // It stops coming, and it doesn't come to an end.
    for (body, expected) in [(slow(2, 31), 30), (slow(100, 10), 600)] {
        let (answer, seconds) = upload(body).await;
        assert_eq!(answer.problem(408)["type"], "/problems/too-slow");
        assert_eq!((answer.headers["connection"].to_str().unwrap(), seconds), ("close", expected));
    }
    assert_eq!(std::fs::read_dir(&origin.files).unwrap().count(), 0, "nothing is kept of it");
    // What is refused is not waited for: it is read on after the answer.
    let (answer, seconds) = took("/api/imports", "image/png", slow(100, 10)).await;
    assert_eq!((answer.problem(415)["status"].as_u64(), seconds), (Some(415), 0));
    // A body that is no upload has the time of its request.
    let (answer, seconds) = took("/api/products", JSON, slow(100, 10)).await;
    assert_eq!((answer.problem(503)["type"].as_str(), seconds), (Some("/problems/unavailable"), 30));
}

#[tokio::test]
async fn where_there_is_no_lab_nobody_plays_with_anything() {
    let origin = Origin::new().await;
    for path in ["/api/lab", "/api/lab/ping", "/api/lab/cache/event/1", "/api/ops/advice"] {
        origin.get(path).await.problem(403);
    }
    for path in [
        "/api/lab/origins/a/kill",
        "/api/lab/pool/connect",
        "/api/lab/index/without/1",
        "/api/lab/replicas/eventual",
        "/api/lab/values/event/1",
        "/api/ops/rolling-restart",
    ] {
        let request = Request::post(path).header("authorization", origin.staff());
        origin.send(request.body(Body::empty()).unwrap()).await.problem(403);
    }
    for (method, path, body) in [
        ("PUT", "/api/lab/lag", r#"{"milliseconds":100}"#),
        ("PUT", "/api/lab/cache/write-through/1", "null"),
        ("POST", "/api/lab/queue/queued", r#"{"seconds":1}"#),
    ] {
        let request = Request::builder().method(method).uri(path).header("authorization", origin.staff());
        let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
        origin.send(request).await.problem(403);
    }
}

#[tokio::test]
async fn the_document_describes_every_route() {
    let origin = Origin::new().await;
    let document: Value = serde_json::from_slice(&origin.get("/openapi.json").await.body).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let expected = [
        "/api/analytics/daily",
        "/api/cart",
        "/api/cart/{product}",
        "/api/files/{signed}",
        "/api/imports",
        "/api/jobs/{id}",
        "/api/jobs/{id}/events",
        "/api/lab",
        "/api/lab/cache/{strategy}/{number}",
        "/api/lab/index/{how}/{user}",
        "/api/lab/lag",
        "/api/lab/origins/{id}/kill",
        "/api/lab/ping",
        "/api/lab/pool/{how}",
        "/api/lab/queue/{how}",
        "/api/lab/replicas/{from}",
        "/api/lab/values/{strategy}/{number}",
        "/api/me",
        "/api/media/{name}",
        "/api/notifications",
        "/api/ops/advice",
        "/api/ops/jobs",
        "/api/ops/jobs/{id}/retry",
        "/api/ops/overview",
        "/api/ops/queue",
        "/api/ops/rolling-restart",
        "/api/orders",
        "/api/orders/{id}",
        "/api/products",
        "/api/products/{id}",
        "/api/products/{id}/image",
        "/api/reports",
        "/api/session",
        "/api/session/refresh",
        "/api/users",
        "/healthz",
        "/metrics",
        "/readyz",
    ];
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn a_bookmark_that_can_not_be_read_is_ignored_and_counted() {
    let origin = Origin::new().await;
    let request = |bookmark: &str| {
        Request::get("/api/products/1").header("tidewall-bookmark", bookmark).body(Body::empty()).unwrap()
    };
    // Not even a bookmark that is right helps where there is no database.
    for bookmark in ["0.1", "nonsense", "0.99999999999999999999"] {
        origin.send(request(bookmark)).await.problem(503);
    }
    let page = String::from_utf8(origin.get("/metrics").await.body).unwrap();
    let line = r#"tidewall_db_bookmarks_ignored_total{reason="malformed"} 2"#;
    assert!(page.contains(line), "{line} is missing in\n{page}");
}

#[tokio::test]
async fn what_happened_is_counted_by_route() {
    let origin = Origin::new().await;
    origin.get("/api/jobs/1").await;
    origin.get("/no/such/path").await;
    let page = String::from_utf8(origin.get("/metrics").await.body).unwrap();
    for line in [
        r#"tidewall_http_requests_total{method="GET",route="/api/jobs/{id}",status="503"} 1"#,
        r#"tidewall_http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
        r#"tidewall_http_request_seconds_count{method="GET",route="/api/jobs/{id}"} 1"#,
        r#"tidewall_http_request_seconds_count{method="GET",route="unmatched"} 1"#,
        r#"tidewall_db_connections{server="primary",state="idle"} 0"#,
        "# TYPE tidewall_db_acquire_seconds histogram",
    ] {
        assert!(page.contains(line), "{line} is missing in\n{page}");
    }
}
