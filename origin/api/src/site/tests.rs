//! The site's answers, in tables, and what holds for all of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::manifest::{Asset, Delta, Encodings, File, Kept, Manifest, Page, Route, VERSION};

const APP: &str = "/assets/app.1111.js";
const STYLES: &str = "/assets/styles.2222.css";
const PICTURE: &str = "/assets/picture.3333.svg";
const OLD: &str = "/assets/app.0000.js";
/// Hashes in base64: of the app before, and of one that nobody has.
const BEFORE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const UNKNOWN: &str = "//////////////////////////////////////////8=";

fn file(digest: &str, size: u64, content_type: &str, br: Option<u64>, zstd: Option<u64>) -> File {
    File {
        integrity: format!("sha256-{digest}"),
        size,
        content_type: content_type.to_owned(),
        encodings: Encodings { br, zstd },
    }
}

fn page(name: &str, policy: &str, links: &[&str]) -> Page {
    Page {
        file: name.to_owned(),
        content: file(name.trim_matches('/'), 400, "text/html; charset=utf-8", Some(100), Some(120)),
        policy: policy.to_owned(),
        links: links.iter().map(|link| (*link).to_owned()).collect(),
    }
}

fn site() -> Index {
    let app = Asset {
        path: APP.to_owned(),
        file: file("app", 1_000, "text/javascript", Some(300), Some(320)),
        dictionary_for: Some("/assets/app.*.js".to_owned()),
        deltas: vec![Delta { dictionary: BEFORE.to_owned(), dcb: Some(20), dcz: Some(25) }],
    };
    let styles = Asset {
        path: STYLES.to_owned(),
        file: file("styles", 500, "text/css", Some(90), Some(80)),
        ..Asset::default()
    };
    let picture = Asset {
        path: PICTURE.to_owned(),
        file: file("picture", 10, "image/svg+xml", None, None),
        ..Asset::default()
    };
    let old = Kept {
        file: file("old", 900, "text/javascript", Some(280), None),
        dictionary_for: Some("/assets/app.*.js".to_owned()),
    };
    Index::new(Manifest {
        version: VERSION,
        build: "b7".to_owned(),
        assets: [app, styles, picture].map(|asset| (asset.path.replace("/assets/", ""), asset)).into(),
        kept: [(OLD.to_owned(), old)].into(),
        files: [("/robots.txt".to_owned(), file("robots", 30, "text/plain", None, None))].into(),
        routes: vec![
            Route {
                path: "/".to_owned(),
                page: page("/index.html", "default-src 'self'", &["</a.js>; rel=preload", "</b>; rel=x"]),
            },
            Route { path: "/items/{id}".to_owned(), page: page("/items/_id.html", "", &[]) },
        ],
        not_found: Some(page("/404.html", "", &[])),
    })
}

fn get(path: &str) -> Request<'_> {
    Request { method: "GET", path, ..Request::default() }
}

fn ask(request: Request<'_>) -> Answer {
    respond(&site(), &request)
}

/// The answer as lines: status and outcome, fields, and what of which file is sent.
fn told(request: Request<'_>) -> Vec<String> {
    let answer = ask(request);
    let mut lines = vec![format!("{} {:?}", answer.status, answer.outcome)];
    lines.extend(answer.fields.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(match answer.body {
        Body::Empty => "nothing".to_owned(),
        Body::Text(text) => text,
        Body::Problem(problem) => problem.kind,
        Body::File(sent) => format!("{} {:?} {}", sent.file, sent.range, sent.is_encoded),
    });
    lines
}

#[test]
fn an_asset_names_its_content_before_if_that_is_here_and_there_is_a_difference() {
    assert_eq!(ask(get(APP)).field("link"), None, "what is here is not what the difference is to");
    let mut manifest = site().manifest().clone();
    manifest.kept.get_mut(OLD).unwrap().file.integrity = format!("sha256-{BEFORE}");
    let link = |path| respond(&Index::new(manifest.clone()), &get(path)).field("link").map(str::to_owned);
    assert_eq!(link(APP).as_deref(), Some("</assets/app.0000.js>; rel=\"predecessor-version\""));
    assert_eq!(link(STYLES), None);
    assert_eq!(link(OLD), None);
}

#[test]
fn an_asset_is_kept_for_ever() {
    assert_eq!(
        told(get(STYLES)),
        [
            "200 Whole",
            "content-type: text/css",
            "content-length: 500",
            "etag: \"styles\"",
            "cache-control: public, max-age=31536000, immutable",
            "vary: accept-encoding",
            "x-content-type-options: nosniff",
            "/assets/styles.2222.css None false",
        ]
    );
}

#[test]
fn an_asset_that_is_a_dictionary_says_of_what() {
    let request = Request { accept_encoding: Some("gzip, br"), ..get(APP) };
    assert_eq!(
        told(request),
        [
            "200 Whole",
            "content-type: text/javascript",
            "content-encoding: br",
            "content-length: 300",
            "etag: \"app-br\"",
            "cache-control: public, max-age=31536000, immutable",
            "vary: accept-encoding, available-dictionary",
            "use-as-dictionary: match=\"/assets/app.*.js\"",
            "x-content-type-options: nosniff",
            "/assets/app.1111.js.br None true",
        ]
    );
}

#[test]
fn a_client_with_the_dictionary_gets_the_difference() {
    let available = format!(":{BEFORE}:");
    let request = Request {
        accept_encoding: Some("gzip, br, zstd, dcb, dcz"),
        available_dictionary: Some(&available),
        ..get(APP)
    };
    assert_eq!(
        told(request),
        [
            "200 Whole",
            "content-type: text/javascript",
            "content-encoding: dcb",
            "content-length: 20",
            "etag: \"app-dcb-0001020304050607\"",
            "cache-control: public, max-age=31536000, immutable",
            "vary: accept-encoding, available-dictionary",
            "use-as-dictionary: match=\"/assets/app.*.js\"",
            "x-content-type-options: nosniff",
            "/assets/app.1111.js.0001020304050607.dcb None true",
        ]
    );
}

#[test]
fn a_page_is_asked_for_each_time_and_protected() {
    assert_eq!(
        told(get("/")),
        [
            "200 Whole",
            "content-type: text/html; charset=utf-8",
            "content-length: 400",
            "etag: \"index.html\"",
            "cache-control: no-cache",
            "vary: accept-encoding",
            "content-security-policy: default-src 'self'",
            "referrer-policy: strict-origin-when-cross-origin",
            "link: </a.js>; rel=preload, </b>; rel=x",
            "x-content-type-options: nosniff",
            "/index.html None false",
        ]
    );
    let item = ask(get("/items/7"));
    assert_eq!(item.field("content-security-policy"), Some("frame-ancestors 'none'"));
    assert_eq!(item.field("link"), None);
    let item = ask(Request { accept_encoding: Some("zstd"), ..get("/items/7") });
    assert_eq!(
        (item.field("content-encoding"), item.field("etag")),
        (Some("zstd"), Some("\"items/_id.html-zstd\""))
    );
}

#[test]
fn a_file_that_keeps_its_name_is_asked_for_each_time() {
    assert_eq!(
        told(get("/robots.txt")),
        [
            "200 Whole",
            "content-type: text/plain",
            "content-length: 30",
            "etag: \"robots\"",
            "cache-control: no-cache",
            "vary: accept-encoding",
            "x-content-type-options: nosniff",
            "/robots.txt None false",
        ]
    );
}

#[test]
fn an_asset_of_an_earlier_build_is_served_as_it_was() {
    let answer = ask(Request { accept_encoding: Some("br, zstd"), ..get(OLD) });
    assert_eq!((answer.status, answer.field("etag")), (200, Some("\"old-br\"")));
    assert_eq!(answer.field("use-as-dictionary"), Some("match=\"/assets/app.*.js\""));
    let site = site();
    let kept = &site.manifest().kept[OLD];
    let elsewhere = respond_kept(kept, &Request { accept_encoding: Some("br, zstd"), ..get(OLD) });
    assert_eq!(elsewhere, answer);
}

#[test]
fn a_missing_asset_is_no_page_and_kept_by_nobody() {
    for path in ["/assets/app.9999.js", "/assets/", "/assets/app.1111.js.br", "/assets/styles.2222.css.zst"] {
        let request = Request { accept: Some("text/html"), ..get(path) };
        assert_eq!(
            told(request),
            [
                "404 UnknownAsset",
                "content-type: application/problem+json",
                "cache-control: no-store",
                "x-content-type-options: nosniff",
                "/problems/not-found",
            ],
            "{path}"
        );
    }
    let delta = format!("{APP}.0001020304050607.dcb");
    assert_eq!(ask(get(&delta)).outcome, Outcome::UnknownAsset);
}

#[test]
fn the_site_claims_its_own_paths_before_anybody_elses() {
    let site = site();
    for path in [APP, OLD, "/assets/gone.js", "/", "/items/7", BUILD_PATH] {
        assert!(site.claims(path), "{path}");
    }
    for path in ["/robots.txt", "/nothing", "/items/", "/index.html", "/assets", "/build.json/"] {
        assert!(!site.claims(path), "{path}");
    }
    assert!(site.has("/robots.txt") && site.has("/") && site.has(OLD));
    assert!(!site.has("/assets/gone.js") && !site.has("/nothing"));
}

#[test]
fn where_nothing_is_a_person_gets_a_page_that_says_so() {
    let person = Request { accept: Some("text/html, */*"), accept_encoding: Some("br"), ..get("/nothing") };
    let expected = [
        "404 NotFoundPage",
        "content-type: text/html; charset=utf-8",
        "content-encoding: br",
        "content-length: 100",
        "cache-control: no-store",
        "vary: accept-encoding",
        "content-security-policy: frame-ancestors 'none'",
        "referrer-policy: strict-origin-when-cross-origin",
        "x-content-type-options: nosniff",
        "/404.html.br None true",
    ];
    assert_eq!(told(person), expected);
    assert_eq!(told(Request { if_none_match: Some("*"), range: Some("bytes=0-1"), ..person }), expected);
    assert_eq!(ask(get("/nothing")).outcome, Outcome::NotFound);
    assert_eq!(ask(Request { method: "POST", ..person }).outcome, Outcome::NotFound);
    for path in ["/index.html", "/404.html", "/index.html.br", "/robots.txt.br", "/manifest.json", ""] {
        assert_eq!(ask(get(path)).outcome, Outcome::NotFound, "{path}");
    }
}

#[test]
fn what_is_there_can_be_read_and_nothing_else() {
    for path in [APP, OLD, "/", "/robots.txt", BUILD_PATH] {
        for method in ["POST", "PUT", "OPTIONS", "get", ""] {
            let answer = ask(Request { method, ..get(path) });
            let said = (answer.status, answer.field("allow"), answer.field("cache-control"));
            assert_eq!(said, (405, Some("GET, HEAD"), Some("no-store")), "{method} {path}");
        }
    }
}

#[test]
fn a_head_says_what_its_get_would() {
    for path in [APP, OLD, "/", "/robots.txt", "/nothing", BUILD_PATH] {
        let get = Request { accept_encoding: Some("br"), accept: Some("text/html"), ..get(path) };
        let (get, head) = (ask(get), ask(Request { method: "HEAD", ..get }));
        assert_eq!((get.status, get.fields), (head.status, head.fields), "{path}");
        assert_eq!(head.body, Body::Empty, "{path}");
    }
    let ranged = Request { range: Some("bytes=0-1"), ..get(APP) };
    assert_eq!(ask(Request { method: "HEAD", ..ranged }).status, 200);
}

#[test]
fn the_name_of_the_build_is_told() {
    assert_eq!(
        told(get(BUILD_PATH)),
        [
            "200 Whole",
            "content-type: application/json",
            "content-length: 14",
            "etag: \"b7\"",
            "cache-control: no-cache",
            "x-content-type-options: nosniff",
            "{\"build\":\"b7\"}",
        ]
    );
    let again = Request { if_none_match: Some("\"b7\""), ..get(BUILD_PATH) };
    let same =
        ["304 NotModified", "etag: \"b7\"", "cache-control: no-cache", "x-content-type-options: nosniff"];
    assert_eq!(told(again), [&same[..], &["nothing"]].concat());
    assert_eq!(ask(Request { if_none_match: Some("\"b6\""), ..get(BUILD_PATH) }).status, 200);
    let unnamed = respond(&Index::default(), &get(BUILD_PATH));
    assert_eq!((unnamed.status, unnamed.field("etag")), (200, None));
}

#[test]
fn whoever_has_a_form_is_not_sent_it_again() {
    let request = Request { accept_encoding: Some("br"), if_none_match: Some("\"app-br\""), ..get(APP) };
    assert_eq!(
        told(request),
        [
            "304 NotModified",
            "etag: \"app-br\"",
            "cache-control: public, max-age=31536000, immutable",
            "vary: accept-encoding, available-dictionary",
            "use-as-dictionary: match=\"/assets/app.*.js\"",
            "x-content-type-options: nosniff",
            "nothing",
        ]
    );
    let check = |if_none_match, status| {
        let answer = ask(Request { if_none_match: Some(if_none_match), ..request });
        assert_eq!(answer.status, status, "{if_none_match}");
    };
    check("W/\"app-br\"", 304);
    check("\"x\", \"app-br\"", 304);
    check("*", 304);
    check("\"app\"", 200);
    check("\"app-zstd\"", 200);
    check("app-br", 200);
    // A condition goes before a range (RFC 9110, section 13.2.2).
    let part = Request { range: Some("bytes=0-1"), if_none_match: Some("\"app\""), ..request };
    assert_eq!(ask(part).status, 304);
}

#[test]
fn the_best_acceptable_form_is_chosen() {
    let available = format!(":{BEFORE}:");
    let check = |path, accept_encoding, coding: Option<&str>| {
        let available_dictionary = Some(&*available);
        let answer = ask(Request { accept_encoding, available_dictionary, ..get(path) });
        assert_eq!(
            (answer.status, answer.field("content-encoding")),
            (200, coding),
            "{path} {accept_encoding:?}"
        );
    };
    check(APP, Some("br, zstd, dcz, dcb"), Some("dcb"));
    check(APP, Some("br, zstd, dcz"), Some("dcz"));
    check(APP, Some("br, zstd, dcb;q=0.9"), Some("br"));
    check(APP, Some("zstd, br"), Some("br"));
    check(APP, Some("zstd, br;q=0.9"), Some("zstd"));
    check(APP, Some("br;q=0, zstd;q=0.1"), Some("zstd"));
    check(APP, Some("*"), Some("br"));
    check(APP, Some("identity, br;q=0.5"), None);
    check(APP, Some("identity;q=0.5, br;q=0.5"), Some("br"));
    check(APP, Some("gzip, deflate"), None);
    check(APP, Some(""), None);
    check(APP, None, None);
    check(STYLES, Some("br, zstd"), Some("zstd"));
    check(STYLES, Some("br, zstd, dcb, dcz"), Some("zstd"));
    check(PICTURE, Some("br, zstd, dcb"), None);
    check(OLD, Some("zstd, dcb"), None);
}

#[test]
fn a_difference_is_for_whoever_has_its_dictionary() {
    let check = |available: &str, coding| {
        let request = Request { accept_encoding: Some("dcb, br"), ..get(APP) };
        let answer = ask(Request { available_dictionary: Some(available), ..request });
        assert_eq!(answer.field("content-encoding"), Some(coding), "{available}");
    };
    check(&format!(":{BEFORE}:"), "dcb");
    check(&format!(":{UNKNOWN}:"), "br");
    check(BEFORE, "br");
    check("", "br");
}

#[test]
fn who_takes_no_form_is_told_so() {
    for accept_encoding in ["identity;q=0", "gzip, *;q=0"] {
        let answer = ask(Request { accept_encoding: Some(accept_encoding), ..get(APP) });
        assert_eq!((answer.status, answer.outcome), (406, Outcome::NotAcceptable), "{accept_encoding}");
        assert_eq!(answer.field("vary"), Some("accept-encoding, available-dictionary"));
        assert_eq!(answer.field("cache-control"), Some("no-store"));
    }
    let zstd = ask(Request { accept_encoding: Some("zstd, *;q=0"), ..get(APP) });
    assert_eq!(zstd.field("content-encoding"), Some("zstd"));
}

#[test]
fn a_part_is_one_of_the_bytes_as_they_are() {
    let request = Request { accept_encoding: Some("br"), range: Some("bytes=10-19"), ..get(APP) };
    assert_eq!(
        told(request),
        [
            "206 Part",
            "content-type: text/javascript",
            "content-length: 10",
            "content-range: bytes 10-19/1000",
            "etag: \"app\"",
            "cache-control: public, max-age=31536000, immutable",
            "vary: accept-encoding, available-dictionary",
            "use-as-dictionary: match=\"/assets/app.*.js\"",
            "x-content-type-options: nosniff",
            "/assets/app.1111.js Some(10..20) false",
        ]
    );
    let check = |range, if_range, accept_encoding, status, coding| {
        let answer =
            ask(Request { accept_encoding: Some(accept_encoding), range: Some(range), if_range, ..request });
        let said = (answer.status, answer.field("content-encoding"));
        assert_eq!(said, (status, coding), "{range} {if_range:?} {accept_encoding}");
    };
    check("bytes=-1", Some("\"app\""), "br", 206, None);
    check("bytes=0-", Some("\"app-br\""), "br", 200, Some("br"));
    check("bytes=0-", Some("W/\"app\""), "br", 200, Some("br"));
    check("bytes=0-", Some("Sun, 06 Nov 1994 08:49:37 GMT"), "br", 200, Some("br"));
    check("bytes=0-1,4-5", None, "br", 200, Some("br"));
    check("bytes=0-1", None, "br, identity;q=0", 200, Some("br"));
    check("bytes=1000-", Some("\"old\""), "br", 200, Some("br"));
}

#[test]
fn a_part_that_is_not_there_is_refused() {
    assert_eq!(
        told(Request { range: Some("bytes=1000-"), accept_encoding: Some("br"), ..get(APP) }),
        [
            "416 Unsatisfiable",
            "content-type: application/problem+json",
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "content-range: bytes */1000",
            "/problems/range-not-satisfiable",
        ]
    );
}

#[test]
fn forms_that_differ_have_tags_that_differ() {
    let available = format!(":{BEFORE}:");
    let mut tags: Vec<_> = ["", "br", "zstd", "dcb", "dcz"]
        .map(|coding| {
            let available_dictionary = Some(&*available);
            let answer = ask(Request { accept_encoding: Some(coding), available_dictionary, ..get(APP) });
            assert_eq!(answer.field("content-encoding").unwrap_or_default(), coding);
            answer.field("etag").unwrap().to_owned()
        })
        .into();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 5);
}

/// The files of the site: what each is the form of, which form, and its length.
fn files() -> BTreeMap<String, (&'static str, &'static str, u64)> {
    let mut files = BTreeMap::new();
    let mut add = |path: &'static str, size, br: Option<u64>, zstd: Option<u64>| {
        files.insert(path.to_owned(), (path, "", size));
        files.extend(br.map(|size| (format!("{path}.br"), (path, "br", size))));
        files.extend(zstd.map(|size| (format!("{path}.zst"), (path, "zstd", size))));
    };
    add(APP, 1_000, Some(300), Some(320));
    add(STYLES, 500, Some(90), Some(80));
    add(PICTURE, 10, None, None);
    add(OLD, 900, Some(280), None);
    add("/index.html", 400, Some(100), Some(120));
    files.insert(format!("{APP}.0001020304050607.dcb"), (APP, "dcb", 20));
    files.insert(format!("{APP}.0001020304050607.dcz"), (APP, "dcz", 25));
    files
}

/// The file that answers a path.
fn of(path: &str) -> &str {
    if path == "/" { "/index.html" } else { path }
}

/// Whether a coding is one that the field allows, read in the plainest way.
fn is_acceptable(coding: &str, field: &str) -> bool {
    let weight = |wanted: &str| {
        field.split(',').find_map(|member| {
            let (name, weight) = member.split_once(";q=").unwrap_or((member, "1"));
            (name.trim().eq_ignore_ascii_case(wanted)).then(|| weight.trim().parse::<f64>().unwrap())
        })
    };
    match coding {
        "" => weight("identity").or_else(|| weight("*")) != Some(0.0),
        "dcb" | "dcz" => weight(coding).is_some_and(|weight| weight > 0.0),
        _ => weight(coding).or_else(|| weight("*")).is_some_and(|weight| weight > 0.0),
    }
}

fn accept_encoding() -> impl Strategy<Value = String> {
    let coding = prop::sample::select(vec!["br", "zstd", "dcb", "dcz", "gzip", "identity", "*", "BR"]);
    let weight = prop::sample::select(vec!["", ";q=0", ";q=0.5", ";q=1", ";q=0.001", ";q=0.000"]);
    let member = (coding, weight).prop_map(|(coding, weight)| format!("{coding}{weight}"));
    prop::collection::vec(member, 0..6).prop_map(|members| members.join(", "))
}

proptest! {
    /// What is sent can be undone by the client, to bytes of what it asked for.
    #[test]
    fn a_client_can_read_whatever_it_is_sent(
        path in prop::sample::select(vec![APP, STYLES, PICTURE, OLD, "/"]),
        field in prop::option::of(accept_encoding()),
        available in prop::sample::select(vec![None, Some(BEFORE), Some(UNKNOWN)]),
        range in prop::option::of("bytes=[0-9]{0,4}-[0-9]{0,4}"),
    ) {
        let available = available.map(|digest| format!(":{digest}:"));
        let answer = ask(Request {
            accept_encoding: field.as_deref(),
            available_dictionary: available.as_deref(),
            range: range.as_deref(),
            ..get(path)
        });
        let coding = answer.field("content-encoding").unwrap_or_default();
        let Body::File(sent) = &answer.body else {
            let fits = match answer.status {
                406 => ["", "br", "zstd"].into_iter().all(|coding| {
                    let files = files();
                    let is_there = files.values().any(|file| (file.0, file.1) == (of(path), coding));
                    !is_there || !is_acceptable(coding, field.as_deref().unwrap_or_default())
                }),
                status => status == 416,
            };
            prop_assert!(fits, "{answer:?}");
            return Ok(());
        };
        let (whole, form, size) = files()[&sent.file];
        prop_assert_eq!(whole, of(path));
        prop_assert_eq!((form, form.is_empty()), (coding, !sent.is_encoded));
        prop_assert!(is_acceptable(coding, field.as_deref().unwrap_or_default()), "{coding} for {field:?}");
        let has_dictionary = available.is_some_and(|available| available.contains(BEFORE));
        prop_assert!(!coding.starts_with("dc") || has_dictionary);
        let length = sent.range.as_ref().map_or(size, |range| range.end - range.start);
        prop_assert_eq!(answer.field("content-length"), Some(&*length.to_string()));
        prop_assert_eq!(answer.status, if sent.range.is_some() { 206 } else { 200 });
        if let Some(range) = &sent.range {
            prop_assert!(coding.is_empty() && range.start < range.end && range.end <= size);
        }
    }

    /// No field makes an answer of something else than HTTP.
    #[test]
    fn whatever_fields_come_there_is_an_answer(fields in prop::array::uniform6("[ -~]{0,40}"), path in "/[ -~]{0,20}") {
        let [accept, accept_encoding, available_dictionary, if_none_match, if_range, range] = &fields;
        for path in [APP, "/", &path] {
            let answer = ask(Request {
                method: "GET",
                path,
                accept: Some(accept),
                accept_encoding: Some(accept_encoding),
                available_dictionary: Some(available_dictionary),
                if_none_match: Some(if_none_match),
                if_range: Some(if_range),
                range: Some(range),
            });
            prop_assert!([200, 206, 304, 404, 406, 416].contains(&answer.status));
            let is_field = |value: &str| value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            prop_assert!(answer.fields.iter().all(|(_, value)| is_field(value)), "{:?}", answer.fields);
        }
    }
}
