//! What `/openapi.json` says of each operation, held against what is answered to whatever may be sent.

use std::collections::BTreeSet;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::tidewall::{client, logged_in};
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    (
        "documented::whatever_is_sent_is_answered_as_documented_and_fails_nothing",
        whatever_is_sent_is_answered_as_documented,
    ),
    ("documented::what_others_refer_to_is_there_and_each_error_is_a_problem", what_others_refer_to_is_there),
];

/// Put where a path has a name: of nothing, of another form, past what numbers hold, no text.
const NAMES: [&str; 6] = ["0", "-1", "x", "9223372036854775808", "%FF", "..%2F..%2Fetc"];
/// What an origin alone answers.
const OF_ORIGINS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
/// What these do to staff or to the system others count on here.
const SPARED: [(&str, &str); 5] = [
    ("post", "/api/orders"),
    ("delete", "/api/session"),
    ("delete", "/api/cart"),
    ("post", "/api/session/refresh"),
    ("post", "/api/ops/rolling-restart"),
];

/// A body of a request, as it is sent.
type Sent = fn(RequestBuilder) -> RequestBuilder;

fn bodies() -> Vec<Sent> {
    fn of(request: RequestBuilder, content_type: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        request.header("content-type", content_type).body(body)
    }
    vec![
        |request| request,
        |request| of(request, "application/json", "{"),
        |request| of(request, "application/json", "{}"),
        |request| of(request, "application/json", "[]"),
        |request| of(request, "application/json", "null"),
        |request| of(request, "application/json", &b"\xff\xfe"[..]),
        |request| of(request, "application/json", r#"{"surprise":1e400}"#),
        |request| of(request, "application/json", "[".repeat(200)),
        // So large that it still arrives when it is refused.
        |request| of(request, "application/json", " ".repeat(200 * 1024)),
        |request| of(request, "text/plain", "hello"),
        |request| of(request, "text/csv", "name\n\0\n"),
        |request| of(request, "image/png", &b"\x89PNG"[..]),
        |request| {
            request.json(&json!({
            "name": "", "category": 7, "price_cents": -1, "stock": null, "description": {}, "quantity": 1e9,
            "email": "@", "password": "", "kind": "x", "format": "x", "from": "2026-13-01", "to": "",
        }))
        },
    ]
}

fn whatever_is_sent_is_answered_as_documented(world: &World) {
    world.run(async {
        let openapi: Value =
            world.get(&format!("{}/openapi.json", world.origin(0))).await.json().await.unwrap();
        let account = json!({ "email": "whatever@example.com", "password": "correct horse battery" });
        let signed_up = world.send(Method::POST, &format!("{}/api/users", world.edge()), &account).await;
        assert_eq!(signed_up.status(), 201);
        let customer = logged_in(&world.origin(0), &account).await;
        let mut wrong = BTreeSet::new();
        assert!(openapi["paths"].as_object().unwrap().len() >= 30, "{openapi}");
        for (who, reader) in [("a guest", client()), ("a customer", customer), ("staff", world.staff().await)]
        {
            for (path, operations) in openapi["paths"].as_object().unwrap() {
                for (method, operation) in operations.as_object().unwrap() {
                    let is_spared = SPARED.contains(&(method.as_str(), path.as_str()));
                    if !(OF_ORIGINS.contains(&path.as_str()) || is_spared && who == "staff") {
                        let found = surprises(world, &reader, path, method, &operation["responses"]).await;
                        wrong.extend(found.into_iter().map(|found| format!("{found}, to {who}")));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

/// Answers that are not documented, or are the server's fault.
async fn surprises(
    world: &World,
    reader: &Client,
    path: &str,
    method: &str,
    documented: &Value,
) -> Vec<String> {
    let asked: Method = method.to_uppercase().parse().unwrap();
    let takes_body = asked == Method::POST || asked == Method::PUT;
    let names = if path.contains('{') { &NAMES[..] } else { &NAMES[..1] };
    let bodies = if takes_body { bodies() } else { vec![bodies()[0]] };
    // Each name without a body, and each body with the first name.
    let asks = names.iter().map(|name| (*name, bodies[0])).chain(bodies.iter().map(|body| (names[0], *body)));
    let mut found = Vec::new();
    for (number, (name, body)) in asks.enumerate() {
        let url = format!("{}{}", world.edge(), filled(path, name));
        let request = body(reader.request(asked.clone(), url)).header("origin", world.edge());
        // A stream is not read to its end, which it doesn't have.
        let answer = request.send().await.unwrap();
        let (status, form) = (answer.status().as_u16(), field(&answer, "content-type"));
        let is_told = status < 400 || form == "application/problem+json";
        if documented.get(status.to_string()).is_none() || status >= 500 || !is_told {
            found.push(format!("{method} {path} with {name}, request {number}: {status}, {form}"));
        }
    }
    found
}

/// A path with this in place of each of its names.
fn filled(path: &str, name: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { name } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn what_others_refer_to_is_there(world: &World) {
    world.run(async {
        let openapi: Value =
            world.get(&format!("{}/openapi.json", world.origin(0))).await.json().await.unwrap();
        let mut missing = BTreeSet::new();
        follow(&openapi, &openapi, &mut missing);
        assert!(missing.is_empty(), "{missing:?}");
        for (path, operations) in openapi["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                for (status, answer) in operation["responses"].as_object().unwrap() {
                    let is_problem = answer["content"].get("application/problem+json").is_some();
                    assert_eq!(is_problem, status.as_str() >= "400", "{method} {path}: {status}");
                }
            }
        }
    });
}

/// Collects the references that lead to nothing.
fn follow(document: &Value, part: &Value, missing: &mut BTreeSet<String>) {
    if let Some(to) = part.get("$ref").and_then(Value::as_str)
        && document.pointer(to.trim_start_matches('#')).is_none()
    {
        missing.insert(to.to_owned());
    }
    let parts: Vec<&Value> = match part {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => return,
    };
    for part in parts {
        follow(document, part, missing);
    }
}
