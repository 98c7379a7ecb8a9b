//! What an attacker would try on the cache, through the real edge: to be given what is another's
//! (web-cache deception), and to give others what they didn't ask for (cache poisoning).

pub(crate) mod doors;
pub(crate) mod exchanges;

use crate::raw::{self, Raw};
use crate::scripted::{Asked, Scripted};
use crate::shelf::Shelf;
use crate::support::tidewall::Folder;
use crate::workerd::{Setup, TRUSTED, Workerd};
use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] = &[
    ("safety::no_path_makes_what_is_one_persons_anothers", no_path_makes_what_is_one_persons_anothers),
    ("safety::edge_and_origin_mean_the_same_by_a_path", edge_and_origin_mean_the_same_by_a_path),
    ("safety::without_a_front_of_its_own_it_is_the_same", without_a_front_of_its_own_it_is_the_same),
    ("safety::what_is_not_in_the_key_reaches_nobody_else", what_is_not_in_the_key_reaches_nobody_else),
    ("safety::an_error_that_one_provoked_is_not_anothers", an_error_that_one_provoked_is_not_anothers),
    ("safety::the_body_of_a_get_ends_at_the_edge", the_body_of_a_get_ends_at_the_edge),
    ("safety::an_answer_that_is_none_is_a_bad_gateway", an_answer_that_is_none_is_a_bad_gateway),
    ("safety::odd_and_huge_answers_are_handed_on", odd_and_huge_answers_are_handed_on),
    ("safety::many_variants_are_told_apart", many_variants_are_told_apart),
];

/// Ways to write a path that lead, or could be taken to lead, to `{me}`.
const PATHS: [&str; 26] = [
    "{me}",
    "{me}/x.css",
    "{me}%2Fx.css",
    "{me};x.css",
    "{me}?x.css",
    "{me}#x.css",
    "{me}%23x.css",
    "{me}%3Fx.css",
    "{me}%00.css",
    "{me}%0A.css",
    "{me}.css",
    "{me}/.css",
    "{me}/",
    "{me}/.",
    "{me}/..",
    "{me}/..%2f",
    "{me}/%2e%2e/x.js",
    "/assets/..{me}",
    "/assets/%2e%2E{me}",
    "/assets/..%2F..{me}",
    "/assets\\..{me}",
    "/static/../assets/..//{me}",
    "/{me}",
    "//{me}//",
    "{me}/%6de",
    "{me}?utm_source=x.css",
];

/// An edge of its own in plain workerd, before the scripted origin. It is told addresses.
async fn plain(world: &World, folder: &Folder) -> Workerd {
    let (kv, cache_api) = (Shelf::start(&world.runtime), Shelf::start(&world.runtime));
    let setup = Setup {
        origins: &[world.scripted().origin()],
        policy: "round-robin",
        kv: &kv,
        cache_api: &cache_api,
        variables: &[TRUSTED],
        objects: &folder.0,
        site: None,
    };
    Workerd::start(world, &setup).await
}

/// Whose the request is, by whichever credential.
fn credential(asked: &Asked) -> Option<String> {
    let session =
        asked.field("cookie").split("; ").find_map(|pair| Some(pair.strip_prefix("tw_session=")?.to_owned()));
    let fields = ["authorization", "x-api-key"].map(|name| asked.field(name));
    session.or_else(|| fields.into_iter().find(|value| !value.is_empty()))
}

/// An origin that tells everybody apart, and says of everything that it may be stored.
fn careless(asked: &Asked) -> String {
    let whose = credential(asked).unwrap_or_else(|| "nobody".to_owned());
    format!("200\ncache-control: max-age=600\netag: \"{}\"\n\nfor {whose}", whose.len())
}

async fn deceive(edge: &str, me: &str) {
    for (nth, path) in PATHS.iter().enumerate() {
        let path = path.replace("{me}", me);
        for kind in ["cookie: theme=dark; tw_session=", "authorization: Bearer ", "x-api-key: "] {
            let of = |user: &str| format!("{kind}{user}-{nth}");
            let line = format!("GET {path}");
            let victim = raw::ask(edge, &line, &[&of("victim")], "").await;
            assert!(victim.status < 500, "{path}: {victim:?}");
            let others = [vec![], vec![of("other")], vec!["cookie: theme=dark".to_owned()]];
            for other in others {
                let fields: Vec<&str> = other.iter().map(String::as_str).collect();
                let answer = raw::ask(edge, &line, &fields, "").await;
                assert!(!answer.text.contains("victim"), "{path} with {kind}: {answer:?}");
            }
            // What is there for anybody by now isn't what a known person gets either.
            let again = raw::ask(edge, &line, &[&of("victim")], "").await;
            assert!(!again.text.contains("nobody") && !again.text.contains("other"), "{path}: {again:?}");
        }
    }
}

fn no_path_makes_what_is_one_persons_anothers(world: &World) {
    let origin = world.scripted();
    // Whatever the edge makes of a path, it is one of these.
    for prefix in ["/deceived*", "//deceived*", "///deceived*", "/assets*", "/x.js"] {
        origin.script(prefix, careless);
    }
    world.run(deceive(&origin.url(""), "/deceived/me"));
}

/// Asks in each way, and then for what the origin was asked for: it must be found.
async fn agree(origin: &Scripted, edge: &str, me: &str) {
    for path in PATHS {
        let path = path.replace("{me}", me);
        let answer = raw::ask(edge, &format!("GET {path}"), &[], "").await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let seen = answer.text.rsplit("asked for ").next().unwrap();
        let seen = seen.split(' ').next().unwrap();
        assert!(!origin.asked(seen).is_empty(), "{path}: {answer:?}");
        let again = raw::ask(edge, &format!("GET {seen}"), &[], "").await;
        assert!(again.field("cache-status").starts_with("tidewall; hit"), "{path} is {seen}: {again:?}");
        assert!(again.text.contains(&format!("asked for {seen} ")), "{path}: {again:?}");
    }
    for (line, fields) in [("GET /x", vec!["host: a b"]), ("GET /x", vec!["host: a\"b"])] {
        let answer = raw::ask(edge, line, &fields, "").await;
        assert!(answer.status >= 400, "{line} {fields:?}: {answer:?}");
    }
}

fn telling(asked: &Asked) -> String {
    format!("200\ncache-control: max-age=600\n\nasked for {} !", asked.path)
}

fn edge_and_origin_mean_the_same_by_a_path(world: &World) {
    let origin = world.scripted();
    for prefix in ["/agreed*", "//agreed*", "///agreed*", "/assets/..%2F../agreed*", "/x.js"] {
        origin.script(prefix, telling);
    }
    // The others of that file ask for it, too.
    origin.script("/assets/..%2F../agreed/me", telling);
    world.run(agree(origin, &origin.url(""), "/agreed/me"));
}

/// wrangler, as the platform, has a front that tidies up what the edge gets; workerd has none.
fn without_a_front_of_its_own_it_is_the_same(world: &World) {
    let origin = world.scripted();
    for prefix in ["/alone*", "//alone*", "///alone*", "/assets/..%2F../alone*"] {
        origin.script(prefix, telling);
    }
    origin.script("/alone/of*", careless);
    let folder = Folder::new();
    world.run(async {
        let edge = plain(world, &folder).await;
        agree(origin, &edge.url, "/alone/me").await;
        deceive(&edge.url, "/alone/of/me").await;
        for (host, other) in [("EDGE.test", "edge.test"), ("edge.test:80", "edge.test")] {
            let ask = |host: &str| {
                let (edge, host) = (edge.url.clone(), format!("host: {host}"));
                async move { raw::ask(&edge, "GET /alone/host", &[&host], "").await }
            };
            ask(host).await;
            assert!(ask(other).await.field("cache-status").starts_with("tidewall; hit"), "{host}");
        }
        for (line, host) in [("GET /", "a b"), ("GET /", "u@edge.test"), ("GET /", "a:b")] {
            let answer = raw::ask(&edge.url, line, &[&format!("host: {host}")], "").await;
            assert_eq!(answer.status, 400, "{line} {host}: {answer:?}");
            assert!(answer.text.contains("/problems/bad-target"), "{answer:?}");
        }
    });
}

/// An origin that repeats all it is told, but for what belongs to one exchange: its id.
fn echo(asked: &Asked) -> String {
    let head: String = asked.head.lines().filter(|line| !line.starts_with("x-request-id")).collect();
    format!(
        "200\ncache-control: max-age=600\netag: \"e\"\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\n\n{head}"
    )
}

/// Fields that a key doesn't hold, with something in them to know them by.
const UNKEYED: [&str; 48] = [
    "x-forwarded-host: evil",
    "x-forwarded-for: evil",
    "x-forwarded-proto: evil",
    "x-forwarded-scheme: evil",
    "x-forwarded-port: evil",
    "x-forwarded-server: evil",
    "x-forwarded-prefix: evil",
    "x-forwarded: evil",
    "forwarded: for=evil;host=evil",
    "x-original-url: /evil",
    "x-original-uri: /evil",
    "x-original-host: evil",
    "x-rewrite-url: /evil",
    "x-override-url: /evil",
    "x-host: evil",
    "x-host-override: evil",
    "x-http-host-override: evil",
    "x-backend-host: evil",
    "x-scheme: evil",
    "x-url-scheme: evil",
    "x-real-ip: evil",
    "x-client-ip: evil",
    "true-client-ip: evil",
    "cf-connecting-ip: evil",
    "cf-ipcountry: evil",
    "x-envoy-original-path: /evil",
    "x-middleware-subrequest: evil",
    "front-end-https: evil",
    "request-uri: /evil",
    "x-http-method-override: EVIL",
    "x-http-method: EVIL",
    "x-method-override: EVIL",
    "range: bytes=0-1, evil",
    "range: bytes=0-1\r\nif-range: \"evil\"",
    "if-none-match: \"evil\"",
    "if-modified-since: evil",
    "if-match: \"evil\"",
    "if-unmodified-since: evil",
    "accept-encoding: evil",
    "accept-encoding: gzip, evil",
    "expect: evil",
    "content-type: text/evil",
    "content-encoding: evil",
    "te: evil",
    "trailer: evil",
    "keep-alive: evil",
    "tidewall-bookmark: evil",
    "cookie: tw_bookmark=evil",
];

/// What is asked for first, and by whom it must not be seen afterwards.
const QUERIES: [(&str, &str); 9] = [
    ("?utm_source=evil", ""),
    ("?utm_source=x%26evil=2", ""),
    ("?utm_source=x;evil=2", ""),
    ("?gclid=evil&utm_medium=evil", ""),
    ("?a=1&utm_source=evil", "?a=1"),
    ("?a=1;utm_source=evil", "?a=1"),
    ("?a=1&a=evil", "?a=1"),
    ("?a=evil&a=1", "?a=1"),
    ("?utm%5Fsource=evil", ""),
];

fn what_is_not_in_the_key_reaches_nobody_else(world: &World) {
    let origin = world.scripted();
    origin.script("/echoed*", echo);
    let edge = origin.url("");
    world.run(async {
        let check = async |attack: &str, path: &str| {
            let seen = raw::ask(&edge, &format!("GET {path}"), &[], "").await;
            assert_eq!(seen.status, 200, "{attack}: {seen:?}");
            assert!(!seen.text.to_lowercase().contains("evil"), "{attack}: {seen:?}");
        };
        for (nth, attack) in UNKEYED.iter().enumerate() {
            for method in ["GET", "HEAD"] {
                let path = format!("/echoed/{nth}/{method}");
                raw::ask(&edge, &format!("{method} {path}"), &[attack], "").await;
                check(attack, &path).await;
                // Nor when it is renewed.
                let fields = [attack, "cache-control: no-cache"];
                raw::ask(&edge, &format!("{method} {path}"), &fields, "").await;
                check(attack, &path).await;
            }
        }
        for (nth, (attack, plain)) in QUERIES.iter().enumerate() {
            raw::ask(&edge, &format!("GET /echoed/q{nth}{attack}"), &[], "").await;
            check(attack, &format!("/echoed/q{nth}{plain}")).await;
        }
        let tracked = "/echoed/q0?utm_source=evil";
        assert!(origin.asked(tracked).is_empty(), "a tracking parameter reached the origin");

        raw::ask(&edge, "GET /echoed/host", &["host: evil.test"], "").await;
        check("another host", "/echoed/host").await;
        raw::ask(&edge, "GET http://evil.test/echoed/absolute", &["host: evil.test"], "").await;
        check("another host", "/echoed/absolute").await;
        let body = ["content-length: 4", "content-type: text/evil"];
        raw::ask(&edge, "GET /echoed/fat", &body, "evil").await;
        check("a body", "/echoed/fat").await;
        raw::ask(&edge, "GET /echoed/chunked", &["transfer-encoding: chunked"], "4\r\nevil\r\n0\r\n\r\n")
            .await;
        check("a body in chunks", "/echoed/chunked").await;
    });
}

/// What makes many origins answer with an error, and what they then answer with.
fn an_error_that_one_provoked_is_not_anothers(world: &World) {
    let origin = world.scripted();
    let statuses = ["400", "404", "405", "410", "413", "414", "431", "500", "501", "503"];
    for status in statuses {
        origin.script(&format!("/provoked/{status}*"), move |asked| {
            let is_odd = asked.head.len() > 8_000 || asked.head.to_lowercase().contains("evil");
            let status = if is_odd { status } else { "200" };
            format!("{status}\ncache-control: max-age=600\n\nhello")
        });
    }
    let edge = origin.url("");
    let large = format!("x-large: {}", "y".repeat(12_000));
    let many: Vec<String> = (0..600).map(|n| format!("x-{n}: 0123456789")).collect();
    world.run(async {
        for status in statuses {
            for (nth, attack) in UNKEYED.iter().enumerate() {
                let path = format!("/provoked/{status}/{nth}");
                raw::ask(&edge, &format!("GET {path}"), &[attack], "").await;
                let seen = raw::ask(&edge, &format!("GET {path}"), &[], "").await;
                assert_eq!(seen.status, 200, "{status} by {attack}: {seen:?}");
            }
        }
        // What is said of too much is understood to be about the request.
        for status in ["400", "413", "431", "500", "503"] {
            for (nth, attack) in
                [vec![large.as_str()], many.iter().map(String::as_str).collect()].iter().enumerate()
            {
                let path = format!("/provoked/{status}/large/{nth}");
                let provoked = raw::ask(&edge, &format!("GET {path}"), attack, "").await;
                assert_eq!(provoked.status.to_string(), status);
                let seen = raw::ask(&edge, &format!("GET {path}"), &[], "").await;
                assert_eq!(seen.status, 200, "{status}: {seen:?}");
            }
        }
    });
}

fn the_body_of_a_get_ends_at_the_edge(world: &World) {
    let origin = world.scripted();
    origin.script("/fat*", |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
    let edge = origin.url("");
    world.run(async {
        let fields = ["content-length: 5", "content-type: text/plain", "content-encoding: gzip"];
        for method in ["GET", "HEAD"] {
            let path = format!("/fat/{method}");
            let answer = raw::ask(&edge, &format!("{method} {path}"), &fields, "hello").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let asked = origin.asked(&path).pop().unwrap();
            for name in ["content-length", "transfer-encoding", "content-type", "content-encoding", "expect"]
            {
                assert_eq!(asked.field(name), "", "{name}: {asked:?}");
            }
        }
        // What comes behind it on the connection is a request of its own.
        let two = "GET /fat/one HTTP/1.1\r\nhost: edge.test\r\ncontent-length: 33\r\n\r\n\
                   GET /fat/smuggled HTTP/1.1\r\na: \r\n\
                   GET /fat/two HTTP/1.1\r\nhost: edge.test\r\nconnection: close\r\n\r\n";
        let answer = raw::send(&edge, two.as_bytes()).await;
        assert_eq!(answer.text.matches("hello").count(), 2, "{answer:?}");
        assert!(origin.asked("/fat/smuggled").is_empty());
    });
}

/// Asks twice: what comes must be the same when something is stored.
async fn twice(edge: &str, path: &str) -> [Raw; 2] {
    let line = format!("GET {path}");
    [raw::ask(edge, &line, &[], "").await, raw::ask(edge, &line, &[], "").await]
}

fn an_answer_that_is_none_is_a_bad_gateway(world: &World) {
    let origin = world.scripted();
    let edge = origin.url("");
    world.run(async {
        for status in ["101", "600", "999"] {
            let path = format!("/none/{status}");
            origin.script(&path, move |_| format!("{status}\ncache-control: max-age=600\n\nhello"));
            for answer in twice(&edge, &path).await {
                assert_eq!(answer.status, 502, "{status}: {answer:?}");
                assert_eq!(answer.field("content-type"), "application/problem+json");
            }
        }
        // A field that would begin a new one, or end the head.
        for (nth, value) in ["a\rset-cookie: evil=1", "a\0b", "a\r\r\nevil"].iter().enumerate() {
            let path = format!("/none/value/{nth}");
            origin
                .script(&path, move |_| format!("200\ncache-control: max-age=600\nx-name: {value}\n\nhello"));
            for answer in twice(&edge, &path).await {
                assert!(matches!(answer.status, 200 | 502 | 503), "{value:?}: {answer:?}");
                assert_eq!(answer.field("set-cookie"), "", "{value:?}");
                assert_eq!(answer.field("evil"), "", "{value:?}");
            }
        }
    });
}

fn odd_and_huge_answers_are_handed_on(world: &World) {
    let origin = world.scripted();
    let groups: Vec<String> = (0..5_000).map(|n| format!("\"g{n}\"")).collect();
    let vary: Vec<String> = (0..500).map(|n| format!("x-{n}")).collect();
    let many: Vec<String> = (0..1_500).map(|n| format!("x-{n}: {n}\n")).collect();
    let fields = [
        ("groups", format!("cache-groups: {}", groups.join(", ")), "detail=groups"),
        ("group", format!("cache-groups: \"{}\"", "g".repeat(50_000)), "detail=groups"),
        ("vary", format!("vary: {}", vary.join(", ")), "detail=vary-fields"),
        ("many", many.concat(), "stored"),
        ("large", format!("x-large: {}", "y".repeat(100_000)), "stored"),
        ("control", "x-name: a\u{1}b\u{7f}c".to_owned(), "stored"),
        ("accents", "x-name: ü€\nx-emoji: 🌊".to_owned(), "stored"),
        ("status", "cache-status: \"never closed".to_owned(), "stored"),
        ("ages", "age: 99999999999999999999\nage: -1\ndate: never".to_owned(), ""),
        ("lives", "cdn-cache-control: max-age=99999999999999999999999".to_owned(), "stored"),
        ("lsn", "tidewall-lsn: 99999999999999999999999\ntidewall-bookmark: -.-".to_owned(), "stored"),
    ];
    let edge = origin.url("");
    world.run(async {
        for (name, fields, expected) in fields {
            let path = format!("/odd/{name}");
            origin.script(&path, move |_| {
                format!("200\ncache-control: max-age=600\n{}\n\nhello", fields.trim())
            });
            let answers = twice(&edge, &path).await;
            assert!(
                answers[0].field("cache-status").contains(expected),
                "{name}: {}",
                answers[0].field("cache-status")
            );
            for answer in answers {
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                assert!(answer.text.contains("hello"), "{name}");
            }
        }
    });
}

fn many_variants_are_told_apart(world: &World) {
    let origin = world.scripted();
    origin.script("/many-variants", |asked| {
        let value = asked.field("x-variant");
        format!("200\ncache-control: max-age=600\nvary: x-variant, accept-language\n\nvariant {value}!")
    });
    let edge = origin.url("");
    world.run(async {
        for round in 0..2 {
            for n in 0..150 {
                let variant = format!("x-variant: {n}");
                let answer = raw::ask(&edge, "GET /many-variants", &[&variant], "").await;
                assert!(answer.text.contains(&format!("variant {n}!")), "{round}: {answer:?}");
            }
        }
        assert_eq!(origin.asked("/many-variants").len(), 150);
    });
}
