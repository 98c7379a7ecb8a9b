//! The built site, from the edge and straight from an origin: nobody can tell by the answer
//! which of them it was.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::support::browser::Chromium;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("one_server::an_origin_serves_the_site_as_the_edge_does", an_origin_serves_the_site_as_the_edge_does),
    ("one_server::the_shop_works_at_an_origin_alone", the_shop_works_at_an_origin_alone),
    (
        "one_server::a_page_of_another_version_is_refused_and_nobody_else_notices",
        a_page_of_another_version_is_refused_and_nobody_else_notices,
    ),
];

/// What an answer of the site says.
const FIELDS: [&str; 14] = [
    "allow",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "etag",
    "link",
    "referrer-policy",
    "retry-after",
    "use-as-dictionary",
    "vary",
    "x-content-type-options",
];

/// What is compared of an answer.
struct Said {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

async fn ask(world: &World, base: &str, method: &Method, path: &str, fields: &[(&str, &str)]) -> Said {
    let request = world.client.request(method.clone(), format!("{base}{path}"));
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let said = |headers: &HeaderMap| {
        let named = FIELDS.into_iter().filter(|name| headers.contains_key(*name));
        named.map(|name| (name, headers[name].to_str().unwrap().to_owned())).collect()
    };
    let mut said = Said { status, fields: said(response.headers()), body: Vec::new() };
    said.body = response.bytes().await.unwrap().to_vec();
    // Each request has an id of its own, and so has its problem.
    if let Ok(Value::Object(mut problem)) = serde_json::from_slice(&said.body)
        && problem.remove("request_id").is_some()
    {
        said.body = serde_json::to_vec(&problem).unwrap();
        said.fields.retain(|(name, _)| *name != "content-length");
    }
    said
}

fn an_origin_serves_the_site_as_the_edge_does(world: &World) {
    world.run(async {
        let (edge, origin) = (world.edge(), world.origin(0));
        let check = async |method: Method, path: &str, fields: &[(&str, &str)], status: u16| {
            let mut from_edge = ask(world, &edge, &method, path, fields).await;
            let mut from_origin = ask(world, &origin, &method, path, fields).await;
            // workerd streams what it has from the assets binding, and then doesn't say how long it is.
            let length = |said: &Said| said.fields.iter().any(|(name, _)| *name == "content-length");
            if !length(&from_edge) || !length(&from_origin) {
                for said in [&mut from_edge, &mut from_origin] {
                    said.fields.retain(|(name, _)| *name != "content-length");
                }
            }
            assert_eq!(
                (from_edge.status, &from_edge.fields),
                (from_origin.status, &from_origin.fields),
                "{method} {path} {fields:?}"
            );
            assert!(from_edge.body == from_origin.body, "{method} {path} {fields:?}: other bytes");
            assert_eq!(from_origin.status, status, "{method} {path} {fields:?}");
            from_origin
        };
        let page = check(Method::GET, "/", &[], 200).await;
        let html = str::from_utf8(&page.body).unwrap();
        let start = html.find("/assets/").expect("the page names an asset");
        let asset = &html[start..start + html[start..].find('"').unwrap()];
        let html = ("accept", "text/html,*/*;q=0.8");
        check(Method::GET, "/products/7?utm_source=mail", &[html], 200).await;
        check(Method::HEAD, "/products/7", &[], 200).await;
        check(Method::POST, "/products/7", &[], 405).await;
        for path in ["/", "/products/7", asset, "/build.json"] {
            let whole = check(Method::GET, path, &[], 200).await;
            check(Method::HEAD, path, &[], 200).await;
            let (_, tag) =
                whole.fields.iter().find(|(name, _)| *name == "etag").expect("all of it has a tag");
            check(Method::GET, path, &[("if-none-match", tag)], 304).await;
        }
        // `wrangler dev` encodes anew for whoever takes gzip, which is not the edge's doing.
        for (said, coding) in
            [("br", "br"), ("zstd", "zstd"), ("br;q=0.5, zstd", "zstd"), ("br, zstd;q=0.5", "br")]
        {
            for path in [asset, "/"] {
                let answer = check(Method::GET, path, &[("accept-encoding", said)], 200).await;
                assert!(
                    answer.fields.contains(&("content-encoding", coding.to_owned())),
                    "{said}: {:?}",
                    answer.fields
                );
            }
        }
        check(Method::GET, asset, &[("accept-encoding", "identity;q=0, *;q=0")], 406).await;
        let part = check(Method::GET, asset, &[("range", "bytes=10-19")], 206).await;
        assert_eq!(part.body.len(), 10);
        check(Method::GET, asset, &[("range", "bytes=-5")], 206).await;
        check(Method::GET, asset, &[("range", "bytes=99999999-")], 416).await;
        let gone = check(Method::GET, "/assets/styles.0000000000000000.css", &[html], 404).await;
        assert!(
            gone.fields.contains(&("content-type", "application/problem+json".to_owned())),
            "{:?}",
            gone.fields
        );
        check(Method::GET, "/nothing", &[], 404).await;
        let page = check(Method::GET, "/nothing", &[html], 404).await;
        assert!(page.body.starts_with(b"<!DOCTYPE html>"), "{:?}", page.fields);
        check(Method::GET, "/manifest.json", &[], 404).await;
        check(Method::GET, "/api/nothing", &[html], 404).await;
    });
}

fn the_shop_works_at_an_origin_alone(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/?category=garden", world.origin(0))).await;
        tab.until("document.querySelectorAll('main a[href^=\"/products/\"]').length >= 24").await;
        tab.until("Array.from(document.images).slice(0, 4).every(image => image.naturalWidth > 0)").await;
        assert_eq!(tab.console(), Vec::<String>::new());
        chromium.close().await;
    });
}

fn a_page_of_another_version_is_refused_and_nobody_else_notices(world: &World) {
    world.run(async {
        let url = format!("{}/api/products?category=version-of-shapes", world.edge());
        let ask = |version: Option<&'static str>| {
            let request = world.client.get(&url);
            let request = match version {
                Some(version) => request.header("tidewall-api-version", version),
                None => request,
            };
            async { request.send().await.unwrap() }
        };
        // Whoever comes first, and is refused, leaves nothing behind.
        for (version, status) in [("2", 409), ("nonsense", 400)] {
            let refused = ask(Some(version)).await;
            assert_eq!(
                (refused.status().as_u16(), field(&refused, "cache-control")),
                (status, "no-store".into())
            );
            assert_eq!(field(&refused, "tidewall-api-version"), "1");
        }
        let first = ask(Some("1")).await;
        assert_eq!((first.status().as_u16(), field(&first, "tidewall-api-version")), (200, "1".into()));
        let tag = field(&first, "etag");
        // One key for all: the copy is of the version that it says.
        for version in [None, Some("1"), Some("2")] {
            let hit = ask(version).await;
            assert!(field(&hit, "cache-status").contains("hit"), "{version:?}: {hit:?}");
            assert_eq!((hit.status().as_u16(), field(&hit, "tidewall-api-version")), (200, "1".into()));
        }
        for base in [world.edge(), world.origin(0)] {
            let url = format!("{base}/api/products?category=version-of-shapes");
            let fresh = world.client.get(&url).header("if-none-match", &tag).send().await.unwrap();
            assert_eq!((fresh.status().as_u16(), field(&fresh, "tidewall-api-version")), (304, "1".into()));
        }
        // Past the copy, as a newer page asks, its origin says that it doesn't speak that yet.
        let past =
            world.client.get(&url).header("cache-control", "no-cache").header("tidewall-api-version", "2");
        assert_eq!(past.send().await.unwrap().status(), 409);
    });
}
