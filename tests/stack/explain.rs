//! What the edge says of itself: its own account of a URL, as JSON and from the command.

use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::scripted::Scripted;
use crate::support::tidewall::output;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("explain::a_stored_answer_is_explained_level_by_level", a_stored_answer_is_explained),
    ("explain::looking_leaves_no_trace", looking_leaves_no_trace),
    ("explain::what_is_explained_is_what_happens", what_is_explained_is_what_happens),
    ("explain::an_answer_that_is_not_stored_comes_with_advice", an_answer_that_is_not_stored),
    ("explain::an_invalidation_is_shown_beside_what_it_ended", an_invalidation_is_shown),
    ("explain::a_variant_is_told_by_the_assumed_fields", a_variant_is_told_by_the_assumed_fields),
    ("explain::what_is_the_sites_is_said_to_be", what_is_the_sites_is_said_to_be),
    ("explain::a_question_needs_a_token_and_a_url", a_question_needs_a_token_and_a_url),
    ("explain::the_command_reports_it", the_command_reports_it),
];

const DEADLINE: Duration = Duration::from_secs(30);

/// Puts a question, with more parameters and with fields.
async fn ask(
    world: &World,
    origin: &Scripted,
    path: &str,
    parameters: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> Response {
    let mut url = reqwest::Url::parse(&origin.url("/_tidewall/explain")).unwrap();
    url.query_pairs_mut().append_pair("url", path).extend_pairs(parameters);
    let mut request = world.client.get(url).bearer_auth(origin.purge_token());
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn explained(world: &World, origin: &Scripted, path: &str) -> Value {
    let answer = ask(world, origin, path, &[], &[]).await;
    assert_eq!((answer.status(), field(&answer, "cache-control")), (StatusCode::OK, "no-store".into()));
    answer.json().await.unwrap()
}

/// Explains until it is as wanted: what is stored reaches the levels one by one.
async fn until(world: &World, origin: &Scripted, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let found = explained(world, origin, path).await;
        if is_wanted(&found) {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{found:#}");
    }
}

fn copies(explanation: &Value) -> usize {
    explanation["levels"].as_array().unwrap().iter().filter(|level| level["copy"].is_object()).count()
}

fn a_stored_answer_is_explained(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/explained?a=1&b=2", |_| {
            "200\ncdn-cache-control: max-age=600, stale-while-revalidate=30\ncache-groups: \"e-1\"\netag: \"e\"\ntidewall-lsn: 77\n\nhello".into()
        });
        let before = explained(world, origin, "/explained?b=2&utm_source=x&a=1").await;
        assert_eq!(before["decision"]["reason"]["name"], "uri-miss");
        assert_eq!(before["fresh"]["is_stored"], true, "{before:#}");
        assert_eq!(before["key"]["dropped"], json!(["utm_source=x"]));
        assert_eq!(before["key"]["is_sorted"], true);
        world.get(&url).await;

        let found = until(world, origin, "/explained?a=1&b=2", |found| copies(found) == 2).await;
        let levels: Vec<_> =
            found["levels"].as_array().unwrap().iter().map(|level| level["level"].as_str().unwrap()).collect();
        assert_eq!(levels, ["memory", "cache_api", "kv"]);
        assert_eq!(found["levels"][1]["copy"], Value::Null, "on one machine the Cache API keeps nothing");
        assert_eq!(found["decision"]["is_hit"], true, "{found:#}");
        let copy = &found["levels"][0]["copy"];
        for (name, expected) in [
            ("status", json!(200)),
            ("lifetime_s", json!(600)),
            ("from", json!("CDN-Cache-Control: max-age")),
            ("stale_while_revalidate_s", json!(30)),
            ("groups", json!(["e-1"])),
            ("usable", json!("fresh")),
        ] {
            assert_eq!(copy[name], expected, "{name}: {copy:#}");
        }
        assert_eq!(copy["position"]["lsn"], "77");
        assert!(copy["position"]["fence"].as_u64().unwrap() > 1_700_000_000_000, "{copy:#}");
        assert_eq!(found["view"]["is_current"], true);
        assert!(found["summary"].as_str().unwrap().starts_with("Answered from "), "{found:#}");
    });
}

fn looking_leaves_no_trace(world: &World) {
    let origin = world.scripted();
    world.run(async {
        origin.script("/untouched", |_| "200\ncache-control: max-age=600\n\nhello".into());
        let asked = || origin.asked("/untouched").len();
        let found = ask(world, origin, "/untouched", &[("origin", "0")], &[]).await;
        let found: Value = found.json().await.unwrap();
        assert_eq!((asked(), &found["fresh"]), (0, &Value::Null));

        let found = explained(world, origin, "/untouched").await;
        assert_eq!((asked(), &found["fresh"]["is_stored"]), (1, &json!(true)));
        let again = explained(world, origin, "/untouched").await;
        assert_eq!((copies(&again), asked()), (0, 2), "nothing was stored: {again:#}");
        assert_eq!(again["decision"]["cache_status"], "tidewall; fwd=uri-miss; stored");
    });
}

fn what_is_explained_is_what_happens(world: &World) {
    let origin = world.scripted();
    world.run(async {
        origin.script("/foretold", |asked| {
            let says = asked.field("x-says");
            let (cache_control, more) = says.split_once('|').unwrap_or((&says, ""));
            let more = if more.is_empty() { String::new() } else { format!("{more}\n") };
            format!("200\ncache-control: {cache_control}\ncache-groups: \"foretold\"\n{more}\nhello")
        });
        for (says, fields) in [
            ("no-store", &[][..]),
            ("max-age=60|set-cookie: a=1", &[]),
            ("max-age=60|vary: user-agent", &[]),
            ("max-age=60", &[("authorization", "x")]),
            ("max-age=60", &[("if-match", "\"a\"")]),
            ("max-age=60", &[("cache-control", "only-if-cached")]),
            ("max-age=60", &[("cache-control", "no-store")]),
            ("max-age=60", &[("range", "bytes=0-1")]),
            ("max-age=0, stale-while-revalidate=60", &[]),
            ("max-age=60", &[("tidewall-bookmark", "-.5")]),
            ("max-age=60", &[]),
            ("max-age=60", &[]),
            ("max-age=60", &[("cookie", "tw_session=1")]),
            ("max-age=60", &[("cache-control", "no-cache")]),
            ("max-age=60", &[("cache-control", "min-fresh=100")]),
            ("max-age=60", &[("tidewall-bookmark", "-.5")]),
        ] {
            let (authorization, others): (Vec<_>, Vec<_>) =
                fields.iter().copied().partition(|(name, _)| *name == "authorization");
            let in_query: Vec<_> =
                authorization.iter().map(|(name, value)| ("header", format!("{name}:{value}"))).collect();
            let in_query: Vec<_> = in_query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let others = [others, vec![("x-says", says)]].concat();
            let foretold = ask(world, origin, "/foretold", &in_query, &others).await;
            let foretold: Value = foretold.json().await.unwrap();
            let foretold = without_ttl(foretold["decision"]["cache_status"].as_str().unwrap());

            let mut request = world.client.get(origin.url("/foretold")).header("x-says", says);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let happened = field(&request.send().await.unwrap(), "cache-status");
            assert_eq!(without_ttl(&happened), foretold, "{says} {fields:?}");
        }
    });
}

/// A `Cache-Status` less what the time between two looks changes.
fn without_ttl(status: &str) -> String {
    status.split("; ").filter(|parameter| !parameter.starts_with("ttl=")).collect::<Vec<_>>().join("; ")
}

fn an_answer_that_is_not_stored(world: &World) {
    let origin = world.scripted();
    world.run(async {
        origin.script("/unstored", |asked| match asked.field("authorization").as_str() {
            "" => "200\ncache-control: max-age=60\nset-cookie: a=hush\n\nhello".into(),
            _ => "200\ncache-control: max-age=60\n\nhello".into(),
        });
        let found = explained(world, origin, "/unstored").await;
        assert_eq!(found["fresh"]["reason"]["name"], "set-cookie", "{found:#}");
        assert_eq!(found["fresh"]["reason"]["advice"]["change"], "Set-Cookie");
        assert!(!found.to_string().contains("hush"));
        // The asker's own token isn't the request's.
        assert_eq!(origin.asked("/unstored").pop().unwrap().field("authorization"), "");

        let assumed = [("header", "Authorization: Bearer mine")];
        let found: Value = ask(world, origin, "/unstored", &assumed, &[]).await.json().await.unwrap();
        assert_eq!(found["fresh"]["reason"]["name"], "authorization");
        assert_eq!(origin.asked("/unstored").pop().unwrap().field("authorization"), "Bearer mine");

        let assumed = [("cache-control", "no-store")];
        let found: Value = ask(world, origin, "/unstored", &[], &assumed).await.json().await.unwrap();
        assert_eq!(found["fresh"]["reason"]["name"], "request-no-store");

        let large = "x".repeat(1_100_000);
        origin.script("/large", move |_| {
            format!("200\ncache-control: max-age=60\ncontent-encoding: identity\n\n{large}")
        });
        let found = explained(world, origin, "/large").await;
        assert_eq!(found["fresh"]["reason"]["name"], "too-large");
    });
}

fn an_invalidation_is_shown(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/ended", |_| "200\ncache-control: max-age=600\ncache-groups: \"ended\"\n\nhello".into());
        world.get(&url).await;
        until(world, origin, "/ended", |found| copies(found) == 2).await;
        let purge = world.client.post(origin.url("/_tidewall/purge")).bearer_auth(origin.purge_token());
        let purged: Value =
            purge.json(&json!({ "groups": ["ended"], "lsn": 5 })).send().await.unwrap().json().await.unwrap();
        let found = explained(world, origin, "/ended").await;
        assert_eq!(found["decision"]["reason"]["name"], "invalidated-group", "{found:#}");
        assert_eq!(copies(&found), 2);
        let levels = found["levels"].as_array().unwrap().iter();
        for level in levels.filter(|level| level["copy"].is_object()) {
            let copy = &level["copy"];
            assert_eq!(copy["usable"], Value::Null, "{level:#}");
            let entry = json!({
                "scope": "group", "name": "ended", "is_soft": false, "seq": purged["seq"], "lsn": 5, "is_passed": false,
            });
            assert!(copy["entries"].as_array().unwrap().contains(&entry), "{copy:#}");
        }
        assert_eq!(found["fresh"]["is_stored"], true);
    });
}

fn a_variant_is_told_by_the_assumed_fields(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin
            .script("/varied", |_| "200\ncache-control: max-age=600\nvary: accept-language\n\nhello".into());
        world.client.get(&url).header("accept-language", "de").send().await.unwrap();
        let with = async |language| -> Value {
            let fields = [("accept-language", language)];
            ask(world, origin, "/varied", &[("origin", "0")], &fields).await.json().await.unwrap()
        };
        let found = with("de").await;
        assert_eq!(found["decision"]["is_hit"], true, "{found:#}");
        assert_eq!(found["key"]["variant"]["selected_by"], json!([["accept-language", "de"]]));
        let found = with("fr").await;
        assert_eq!(found["decision"]["reason"]["name"], "vary-miss", "{found:#}");
    });
}

fn what_is_the_sites_is_said_to_be(world: &World) {
    world.run(async {
        let ask = async |path: &str| -> Value {
            let url = format!("{}/_tidewall/explain?url={path}", world.edge());
            let request = world.client.get(url).bearer_auth(world.stack.text("/purge_token"));
            request.send().await.unwrap().json().await.unwrap()
        };
        for (path, handler) in [
            ("/", "site"),
            ("/_tidewall/status", "edge"),
            ("/nothing", "nobody"),
            ("/api/products", "origins"),
        ] {
            let found = ask(path).await;
            assert_eq!(found["answered_by"], handler, "{found:#}");
        }
        // Of a product that nobody writes to.
        let found = ask("/api/products/81").await;
        assert_eq!(found["fresh"]["is_stored"], true, "{found:#}");
    });
}

fn a_question_needs_a_token_and_a_url(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.url("/_tidewall/explain?url=/");
        assert_eq!(world.get(&url).await.status(), StatusCode::UNAUTHORIZED);
        let posted = world.client.post(&url).bearer_auth(origin.purge_token()).send().await.unwrap();
        assert_eq!(
            (posted.status(), field(&posted, "allow")),
            (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD".into())
        );
        for (path, parameters) in [
            ("", &[][..]),
            ("http://", &[]),
            ("ftp://h/", &[]),
            ("http://a:b@h/", &[]),
            ("/", &[("header", "no field")]),
            ("/", &[("method", "PUT")]),
        ] {
            let answer = ask(world, origin, path, parameters, &[]).await;
            assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{path} {parameters:?}");
            let problem: Value = answer.json().await.unwrap();
            assert!(!problem["errors"].as_object().unwrap().is_empty(), "{problem}");
        }
    });
}

fn the_command_reports_it(world: &World) {
    let origin = world.scripted();
    let url = origin.script("/reported", |asked| {
        format!("200\ncache-control: max-age=60, {}\n\nhello", asked.field("x-says"))
    });
    let token = origin.purge_token();
    let run = |more: &[&str]| {
        let output = output(&[&["explain", &url, "--token", &token][..], more].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let report = run(&["-H", "X-Says: private"]);
    for line in [
        &*format!("GET {url}"),
        "Key",
        "Stored copies",
        "memory            nothing",
        "View",
        "Decision",
        "Cache-Status      tidewall; fwd=uri-miss; detail=private",
        "Fresh answer",
        "would be stored   no: it says `private` (private)",
        "Advice",
        "If it is the same for everyone, send `CDN-Cache-Control: max-age=300`",
    ] {
        assert!(report.contains(line), "{line:?} is not in\n{report}");
    }
    let asked = origin.asked("/reported").len();
    let json: Value = serde_json::from_str(&run(&["--json", "--no-origin"])).unwrap();
    assert_eq!((&json["fresh"], origin.asked("/reported").len()), (&Value::Null, asked));
    assert_eq!(json["decision"]["cache_status"], "tidewall; fwd=uri-miss");

    let refused = output(&["explain", &url, "--token", "wrong"]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && error.contains("refuses the purge token"), "{error}");
}
