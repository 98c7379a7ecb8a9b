//! The built site, as the edge sends it.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::built::{Built, decompress, text};
use crate::raw;
use crate::shelf::Shelf;
use crate::support::tidewall::Folder;
use crate::workerd::{Setup, Workerd};
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    (
        "built::serving::a_file_is_sent_in_a_form_that_its_client_takes",
        a_file_in_a_form_that_its_client_takes,
    ),
    ("built::serving::who_has_a_file_is_not_sent_it_again", who_has_a_file_is_not_sent_it_again),
    ("built::serving::a_part_is_sent_of_the_bytes_as_they_are", a_part_is_sent_of_the_bytes_as_they_are),
    ("built::serving::a_head_says_what_its_get_would", a_head_says_what_its_get_would),
    ("built::serving::what_is_not_there_is_no_page_for_programs", what_is_not_there_is_no_page_for_programs),
    (
        "built::serving::a_difference_is_sent_to_who_has_the_dictionary",
        a_difference_to_who_has_the_dictionary,
    ),
];

const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// An edge with a site.
struct Served<'a> {
    world: &'a World,
    site: Built,
    app: String,
    edge: Workerd,
    _objects: Folder,
}

impl<'a> Served<'a> {
    async fn start(world: &'a World) -> Self {
        let mut site = Built::new("first");
        let (before, after) = (text(1, 2_000), format!("{}// and more\n", text(1, 2_000)));
        let app = site.asset("app.js", after.as_bytes());
        site.dictionary("app.js");
        site.delta("app.js", after.as_bytes(), before.as_bytes());
        site.page("/", "/index.html", &format!("<!doctype html><title>x</title>{}", text(2, 50)));
        site.page("", "/404.html", &format!("<!doctype html><title>nothing</title>{}", text(3, 50)));
        site.plain("/robots.txt", "User-agent: *\n");
        let shelf = Shelf::start(&world.runtime);
        let objects = Folder::new();
        let setup = Setup {
            origins: &[world.scripted().origin()],
            policy: "round-robin",
            kv: &shelf,
            cache_api: &shelf,
            variables: &[],
            objects: &objects.0,
            site: Some(site.folder()),
        };
        let edge = Workerd::start(world, &setup).await;
        Self { world, site, app, edge, _objects: objects }
    }

    fn ask(&self, method: Method, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let request = self.world.client.request(method, format!("{}{path}", self.edge.url));
        fields.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }

    async fn get(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.ask(Method::GET, path, fields).send().await.unwrap()
    }
}

fn a_file_in_a_form_that_its_client_takes(world: &World) {
    world.run(async {
        let served = Served::start(world).await;
        let (app, whole) = (&*served.app, served.site.read(&served.app));
        for (accept_encoding, coding) in [("br", "br"), ("gzip", ""), ("", ""), ("br;q=0, *;q=0.5", "")] {
            let answer = served.get(app, &[("accept-encoding", accept_encoding)]).await;
            let status = answer.status();
            let said = ["content-encoding", "content-type", "cache-control", "vary", "use-as-dictionary"]
                .map(|name| field(&answer, name));
            let length = field(&answer, "content-length");
            let bytes = answer.bytes().await.unwrap();
            assert_eq!(status, 200);
            let vary = "accept-encoding, available-dictionary";
            let dictionary = "match=\"/assets/app.*.js\"";
            assert_eq!(said, [coding, "text/javascript", IMMUTABLE, vary, dictionary], "{accept_encoding}");
            assert_eq!(length, bytes.len().to_string(), "{accept_encoding}");
            match coding {
                "br" => assert_eq!(decompress(&bytes), whole),
                _ => assert_eq!(&bytes[..], whole),
            }
        }
        let page = served.get("/", &[("accept-encoding", "gzip, br")]).await;
        let said = ["content-encoding", "content-type", "cache-control", "vary", "content-security-policy"]
            .map(|name| field(&page, name));
        let policy = "frame-ancestors 'none'";
        assert_eq!(said, ["br", "text/html; charset=utf-8", "no-cache", "accept-encoding", policy]);
        assert_eq!(decompress(&page.bytes().await.unwrap()), served.site.read("/index.html"));

        let build: Value = served.get("/build.json", &[]).await.json().await.unwrap();
        assert_eq!(build["build"], "first");
        assert_eq!(served.get("/robots.txt", &[]).await.text().await.unwrap(), "User-agent: *\n");
        assert_eq!(served.get("/manifest.json", &[]).await.status(), 404);
    });
}

fn who_has_a_file_is_not_sent_it_again(world: &World) {
    world.run(async {
        let served = Served::start(world).await;
        for path in [&*served.app, "/", "/robots.txt", "/build.json"] {
            let br = ("accept-encoding", "br");
            let first = served.get(path, &[br]).await;
            let etag = field(&first, "etag");
            assert!(etag.starts_with('"'), "{path}: {etag}");
            let again = served.get(path, &[br, ("if-none-match", &etag)]).await;
            assert_eq!(again.status(), 304, "{path}");
            for name in ["etag", "vary", "cache-control", "use-as-dictionary"] {
                assert_eq!(field(&again, name), field(&first, name), "{path} {name}");
            }
            for name in ["content-type", "content-encoding", "content-length"] {
                assert_eq!(field(&again, name), "", "{path} {name}");
            }
            let other = served.get(path, &[br, ("if-none-match", "\"other\"")]).await;
            assert_eq!(other.status(), 200, "{path}");
        }
    });
}

fn a_part_is_sent_of_the_bytes_as_they_are(world: &World) {
    world.run(async {
        let served = Served::start(world).await;
        let (app, whole) = (&*served.app, served.site.read(&served.app));
        let br = ("accept-encoding", "br");
        let part = served.get(app, &[br, ("range", "bytes=10-19")]).await;
        assert_eq!(part.status(), 206);
        assert_eq!(field(&part, "content-range"), format!("bytes 10-19/{}", whole.len()));
        assert_eq!(field(&part, "content-encoding"), "");
        let etag = field(&part, "etag");
        assert_eq!(part.bytes().await.unwrap(), &whole[10..20]);
        let end = served.get(app, &[("range", "bytes=-5"), ("if-range", &etag)]).await;
        assert_eq!(end.bytes().await.unwrap(), &whole[whole.len() - 5..]);
        let changed = served.get(app, &[("range", "bytes=-5"), ("if-range", "\"other\"")]).await;
        assert_eq!((changed.status().as_u16(), &changed.bytes().await.unwrap()[..]), (200, &whole[..]));
        let beyond = served.get(app, &[("range", "bytes=99999999-")]).await;
        assert_eq!(beyond.status(), 416);
        assert_eq!(field(&beyond, "content-range"), format!("bytes */{}", whole.len()));
        assert_eq!(field(&beyond, "cache-control"), "no-store");
    });
}

fn a_head_says_what_its_get_would(world: &World) {
    world.run(async {
        let served = Served::start(world).await;
        for path in [&*served.app, "/", "/robots.txt", "/build.json"] {
            for accept_encoding in ["br", "identity"] {
                let line = |method| format!("{method} {path}");
                let accepts = format!("accept-encoding: {accept_encoding}");
                let get = raw::ask(&served.edge.url, &line("GET"), &[&accepts], "").await;
                let head = raw::ask(&served.edge.url, &line("HEAD"), &[&accepts], "").await;
                assert_eq!((get.status, head.status), (200, 200), "{path}");
                for name in
                    ["content-type", "content-encoding", "content-length", "etag", "vary", "cache-control"]
                {
                    assert_eq!(head.field(name), get.field(name), "{path} {accept_encoding} {name}");
                }
                assert_eq!(head.text.split_once("\r\n\r\n").unwrap().1, "");
            }
        }
    });
}

fn what_is_not_there_is_no_page_for_programs(world: &World) {
    world.run(async {
        let served = Served::start(world).await;
        let html = ("accept", "text/html");
        let delta = format!("{}.br", served.app);
        for path in ["/assets/app.0000000000000000.js", "/assets/", &delta] {
            let missing = served.get(path, &[html]).await;
            let said = ["cache-control", "content-type"].map(|name| field(&missing, name));
            assert_eq!(missing.status(), 404, "{path}");
            assert_eq!(said, ["no-store", "application/problem+json"], "{path}");
        }
        let person = served.get("/nothing", &[html, ("accept-encoding", "br")]).await;
        let said =
            ["cache-control", "content-type", "etag", "content-encoding"].map(|name| field(&person, name));
        assert_eq!(person.status(), 404);
        assert_eq!(said, ["no-store", "text/html; charset=utf-8", "", "br"]);
        assert_eq!(decompress(&person.bytes().await.unwrap()), served.site.read("/404.html"));
        let program = served.get("/nothing", &[]).await;
        assert_eq!(
            (program.status().as_u16(), field(&program, "content-type")),
            (404, "application/problem+json".into())
        );
        for path in [&*served.app, "/", "/robots.txt", "/build.json"] {
            let refused = served.ask(Method::POST, path, &[]).body("x").send().await.unwrap();
            assert_eq!(
                (refused.status().as_u16(), field(&refused, "allow")),
                (405, "GET, HEAD".into()),
                "{path}"
            );
        }
    });
}

fn a_difference_to_who_has_the_dictionary(world: &World) {
    world.run(async {
        let served = Served::start(world).await;
        let asset = &served.site.manifest.assets["app.js"];
        let available = format!(":{}:", asset.deltas[0].dictionary);
        let dcb = ("accept-encoding", "gzip, br, zstd, dcb, dcz");
        let answer = served.get(&served.app, &[dcb, ("available-dictionary", &available)]).await;
        assert_eq!(field(&answer, "content-encoding"), "dcb");
        assert_eq!(field(&answer, "vary"), "accept-encoding, available-dictionary");
        let delta = answer.bytes().await.unwrap();
        assert!(delta.starts_with(b"\xffDCB") && delta.len() < 200, "{} bytes", delta.len());
        let other = format!(":{}:", asset.file.integrity.trim_start_matches("sha256-"));
        let answer = served.get(&served.app, &[dcb, ("available-dictionary", &other)]).await;
        assert_eq!(field(&answer, "content-encoding"), "br");
    });
}
