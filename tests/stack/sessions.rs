//! Accounts and sessions: any origin knows them.

use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::support::tidewall::{client, with_token};
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("sessions::whoever_signs_up_is_known_at_every_origin", whoever_signs_up_is_known_at_every_origin),
    ("sessions::a_refresh_token_used_twice_ends_the_session", a_refresh_token_used_twice_ends_the_session),
    ("sessions::of_two_uses_at_once_of_a_refresh_token_one_counts", of_two_uses_at_once_one_counts),
    ("sessions::whoever_logs_out_is_nobody", whoever_logs_out_is_nobody),
    ("sessions::wrong_credentials_tell_nothing", wrong_credentials_tell_nothing),
    ("sessions::a_page_of_another_site_writes_nothing", a_page_of_another_site_writes_nothing),
    ("sessions::what_is_private_is_never_stored", what_is_private_is_never_stored),
];

const PASSWORD: &str = "correct horse battery staple";

/// Somebody who has just signed up.
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) id: i64,
    pub(crate) token: String,
    /// As a browser would send them.
    pub(crate) cookies: String,
}

impl Person {
    pub(crate) async fn sign_up(world: &World) -> Self {
        let email = format!("person-{:016x}@example.com", fastrand::u64(..));
        let body = json!({ "email": email.to_uppercase(), "password": PASSWORD });
        let answer = client().post(format!("{}/api/users", world.edge())).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let cookies = cookies(&answer);
        let signed_in: Value = answer.json().await.unwrap();
        let user = &signed_in["user"];
        assert_eq!((user["email"].as_str(), user["staff"].as_bool()), (Some(email.as_str()), Some(false)));
        let (id, token) = (user["id"].as_i64().unwrap(), signed_in["token"].as_str().unwrap().to_owned());
        Self { email, id, token, cookies }
    }

    /// Sends as a program would.
    pub(crate) fn program(&self) -> Client {
        with_token(&self.token)
    }
}

/// The cookies that an answer sets, as the next request brings them.
fn cookies(answer: &Response) -> String {
    let set = answer.headers().get_all("set-cookie").iter();
    let pairs: Vec<_> = set
        .map(|cookie| cookie.to_str().unwrap())
        .filter(|cookie| cookie.starts_with("tw_session") || cookie.starts_with("tw_refresh"))
        .map(|cookie| cookie.split(';').next().unwrap())
        .collect();
    pairs.join("; ")
}

async fn me(base: &str, cookies: &str) -> u16 {
    client().get(format!("{base}/api/me")).header("cookie", cookies).send().await.unwrap().status().as_u16()
}

async fn refresh(base: &str, cookies: &str) -> Response {
    let request = client().post(format!("{base}/api/session/refresh")).header("cookie", cookies);
    request.send().await.unwrap()
}

fn whoever_signs_up_is_known_at_every_origin(world: &World) {
    world.run(async {
        let person = Person::sign_up(world).await;
        let body = json!({ "email": person.email, "password": PASSWORD });
        let again = client().post(format!("{}/api/users", world.edge())).json(&body).send().await.unwrap();
        assert_eq!(again.status(), 409);
        for base in [world.origin(0), world.origin(1), world.edge()] {
            let answer = person.program().get(format!("{base}/api/me")).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let user: Value = answer.json().await.unwrap();
            assert_eq!(
                (user["id"].as_i64(), user["email"].as_str()),
                (Some(person.id), Some(&*person.email))
            );
            assert_eq!(me(&base, &person.cookies).await, 200);
            assert_eq!(me(&base, "").await, 401);
            let in_again = client().post(format!("{base}/api/session")).json(&body).send().await.unwrap();
            assert_eq!(in_again.status(), 200);
            let kept: Vec<_> = in_again
                .headers()
                .get_all("set-cookie")
                .iter()
                .map(|cookie| cookie.to_str().unwrap().to_owned())
                .filter(|cookie| cookie.contains("tw_session") || cookie.contains("tw_refresh"))
                .collect();
            assert_eq!(kept.len(), 2);
            assert!(kept.iter().all(|cookie| cookie.contains("HttpOnly; SameSite=Lax")), "{kept:?}");
            assert_eq!(me(&base, &cookies(&in_again)).await, 200);
        }
    });
}

fn a_refresh_token_used_twice_ends_the_session(world: &World) {
    world.run(async {
        let first = Person::sign_up(world).await.cookies;
        let renewed = refresh(&world.origin(0), &first).await;
        assert_eq!(renewed.status(), 200);
        let second = cookies(&renewed);
        assert!(renewed.json::<Value>().await.unwrap()["token"].is_string());
        assert_eq!(me(&world.edge(), &second).await, 200);
        // Whoever uses the first one again has stolen it, or it was stolen from them.
        let reused = refresh(&world.origin(1), &first).await;
        assert_eq!(reused.status(), 401);
        assert!(cookies(&reused).contains("tw_refresh="), "it is to be forgotten");
        for base in [world.origin(0), world.edge()] {
            assert_eq!(refresh(&base, &second).await.status(), 401, "the family has ended");
        }
        assert_eq!(me(&world.origin(0), &second).await, 401);
    });
}

fn of_two_uses_at_once_one_counts(world: &World) {
    world.run(async {
        let cookies = Person::sign_up(world).await.cookies;
        let bases = [world.origin(0), world.origin(1)];
        let (a, b) = tokio::join!(refresh(&bases[0], &cookies), refresh(&bases[1], &cookies));
        let mut statuses = [a.status().as_u16(), b.status().as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401]);
    });
}

fn whoever_logs_out_is_nobody(world: &World) {
    world.run(async {
        let person = Person::sign_up(world).await;
        let out = client().delete(format!("{}/api/session", world.edge())).header("cookie", &person.cookies);
        let out = out.send().await.unwrap();
        assert_eq!(out.status(), 204);
        assert_eq!(cookies(&out), "tw_session=; tw_refresh=");
        assert_eq!(refresh(&world.origin(0), &person.cookies).await.status(), 401);
        let me = person.program().get(format!("{}/api/me", world.origin(1))).send().await.unwrap();
        assert_eq!(me.status(), 401, "by the database the session has ended at once");
        // Nobody logs out as well.
        let nobody = client().delete(format!("{}/api/session", world.edge())).send().await.unwrap();
        assert_eq!(nobody.status(), 204);
    });
}

fn wrong_credentials_tell_nothing(world: &World) {
    world.run(async {
        let person = Person::sign_up(world).await;
        let mut said = Vec::new();
        // Seeded people have no password.
        let seeded = world.database(&world.stack.text("/primary")).await;
        let seeded: String =
            seeded.query_one("SELECT email FROM users WHERE id = 1", &[]).await.unwrap().get(0);
        for (email, password) in [
            (person.email.as_str(), "wrong password"),
            ("nobody@example.com", PASSWORD),
            (&seeded, ""),
            (&seeded, PASSWORD),
            ("no address", "x"),
        ] {
            let body = json!({ "email": email, "password": password });
            let answer = client().post(format!("{}/api/session", world.edge())).json(&body).send().await;
            let answer = answer.unwrap();
            assert_eq!(answer.status(), 401);
            assert_eq!(cookies(&answer), "");
            let mut problem: Value = answer.json().await.unwrap();
            problem["request_id"] = Value::Null;
            said.push(problem.to_string());
        }
        said.dedup();
        assert_eq!(said.len(), 1, "{said:?}");
    });
}

fn what_is_private_is_never_stored(world: &World) {
    world.run(async {
        let (one, other) = (Person::sign_up(world).await, Person::sign_up(world).await);
        for path in ["/api/me", "/api/cart", "/api/orders"] {
            let url = format!("{}{path}", world.edge());
            for person in [&one, &other, &one] {
                let answer = person.program().get(&url).send().await.unwrap();
                assert_eq!(answer.status(), 200, "{path}");
                let status = field(&answer, "cache-status");
                assert!(!status.contains("hit") && !status.contains("stored"), "{path}: {status}");
                assert_eq!(field(&answer, "cache-control"), "no-store", "{path}");
            }
            assert_eq!(world.get(&url).await.status(), 401, "{path}");
        }
        // What is the same for all is stored for those as well who are logged in.
        let url = format!("{}/api/products/17", world.edge());
        for person in [&one, &other] {
            client().get(&url).header("cookie", &person.cookies).send().await.unwrap();
        }
        let hit = client().get(&url).header("cookie", &one.cookies).send().await.unwrap();
        assert!(field(&hit, "cache-status").starts_with("tidewall; hit"), "{hit:?}");
    });
}

fn a_page_of_another_site_writes_nothing(world: &World) {
    world.run(async {
        let person = Person::sign_up(world).await;
        let edge = world.edge();
        let put = async |name: &str, value: &str| {
            let request = client().put(format!("{edge}/api/cart/5")).header("cookie", &person.cookies);
            let request = request.header(name, value).json(&json!({ "quantity": 1 }));
            request.send().await.unwrap().status().as_u16()
        };
        assert_eq!(put("origin", "https://evil.example").await, 403);
        assert_eq!(put("sec-fetch-site", "same-site").await, 403);
        // The origin knows by which host the edge was asked.
        assert_eq!(put("origin", &edge).await, 200);
        assert_eq!(put("sec-fetch-site", "same-origin").await, 200);
    });
}
