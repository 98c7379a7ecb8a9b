//! What all origins of a product agree on about those who ask: how often they did, and which
//! secret has signed what they bring.

use reqwest::Response;
use serde_json::{Value, json};
use tidewall_origin::db::PoolSettings;
use tidewall_origin::session::{StaffAccount, keep_staff_account};

use crate::edge::Edge;
use crate::program::Program;
use crate::support::tidewall::client;
use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] = &[
    ("accounts::a_client_is_counted_over_all_origins", a_client_is_counted_over_all_origins),
    ("accounts::a_new_password_of_the_staff_ends_their_sessions", a_new_password_ends_their_sessions),
    ("accounts::a_secret_is_replaced_while_all_goes_on", a_secret_is_replaced_while_all_goes_on),
];

/// An origin with this in its environment, and its URL.
async fn origin(world: &World, env: &[(&str, &str)]) -> (Program, String) {
    let address = Edge::address_of_none().await.to_string();
    let mut program = Program::origin_with(world, &address, env);
    let url = format!("http://{address}");
    program.until_ready(&url).await;
    (program, url)
}

fn a_client_is_counted_over_all_origins(world: &World) {
    world.run(async {
        // Addresses that are for documentation (RFC 5737): nobody else's.
        let told = [("CLIENT_ADDRESS_FIELD", "x-forwarded-for")];
        let (_one, one) = origin(world, &told).await;
        let (_other, other) = origin(world, &told).await;
        let credentials = json!({ "email": "nobody@example.com", "password": "a wrong password" });
        let log_in = async |url: &str, address: &str| -> Response {
            let request = client().post(format!("{url}/api/session")).header("x-forwarded-for", address);
            request.json(&credentials).send().await.unwrap()
        };
        for at in 0..20 {
            let answer = log_in(if at % 2 == 0 { &one } else { &other }, "203.0.113.1").await;
            assert_eq!(answer.status(), 401, "try {at}");
        }
        for url in [&one, &other] {
            let refused = log_in(url, "203.0.113.1").await;
            assert_eq!(refused.status(), 429);
            let retry_after: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&retry_after), "{retry_after}");
            assert_eq!(refused.json::<Value>().await.unwrap()["type"], "/problems/rate-limited");
        }
        assert_eq!(log_in(&one, "203.0.113.2").await.status(), 401, "another client isn't refused");
        // When a minute has passed, it may again.
        let primary = world.server(0).await;
        let later = "UPDATE rate_limits SET taken_at = ARRAY(
            SELECT taken - interval '1 minute' FROM unnest(taken_at) AS taken)";
        primary.execute(later, &[]).await.unwrap();
        assert_eq!(log_in(&one, "203.0.113.1").await.status(), 401);

        // Others have signed up from here as well.
        primary.execute("DELETE FROM rate_limits", &[]).await.unwrap();
        // Where nobody is to say it, what a client says of its address counts for nothing.
        let (_alone, alone) = origin(world, &[("LOGINS_PER_MINUTE", "2")]).await;
        let mut statuses = Vec::new();
        for at in 0..3 {
            statuses.push(log_in(&alone, &format!("203.0.113.{}", 10 + at)).await.status().as_u16());
        }
        assert_eq!(statuses[2], 429, "{statuses:?}");
        // The others are held as well.
        let few = [("SIGN_UPS_PER_MINUTE", "1"), ("REPORTS_PER_MINUTE", "1")];
        let (_few, few) = origin(world, &few).await;
        let sign_up = async || {
            let email = format!("limited-{:016x}@example.com", fastrand::u64(..));
            let body = json!({ "email": email, "password": "a long password" });
            client().post(format!("{few}/api/users")).json(&body).send().await.unwrap()
        };
        let first = sign_up().await;
        assert_eq!((first.status().as_u16(), sign_up().await.status().as_u16()), (201, 429));
        let token = first.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
        let report = json!({ "kind": "orders", "format": "csv", "from": "2026-01-01", "to": "2026-01-02" });
        for status in [202, 429] {
            let asked = client().post(format!("{few}/api/reports")).bearer_auth(&token).json(&report);
            assert_eq!(asked.send().await.unwrap().status(), status);
        }
        // Others log in from this machine.
        primary.execute("DELETE FROM rate_limits", &[]).await.unwrap();
    });
}

fn a_secret_is_replaced_while_all_goes_on(world: &World) {
    const OLD: &str = "an old secret of the tests and of none other";
    const NEW: &str = "a new secret of the tests and of none other";
    world.run(async {
        let step = async |signs: &'static str, accepted: &'static str| {
            origin(world, &[("TIDEWALL_SECRET", signs), ("TIDEWALL_SECRET_ACCEPTED", accepted)]).await
        };
        let (_first, first) = step(OLD, NEW).await;
        let (_second, second) = step(NEW, OLD).await;
        let (_third, third) = step(NEW, "").await;
        let staff = &world.stack.ready["staff"];
        let token = async |url: &str| -> String {
            let answer = client().post(format!("{url}/api/session")).json(staff).send().await.unwrap();
            answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
        };
        let (by_old, by_new) = (token(&first).await, token(&second).await);
        for (url, token, status) in [
            (&first, &by_old, 200),
            (&first, &by_new, 200),
            (&second, &by_old, 200),
            (&second, &by_new, 200),
            (&third, &by_new, 200),
            (&third, &by_old, 401),
        ] {
            let me = client().get(format!("{url}/api/me")).bearer_auth(token).send().await.unwrap();
            assert_eq!(me.status(), status, "{url}");
        }
    });
}

fn a_new_password_ends_their_sessions(world: &World) {
    world.run(async {
        let (_one, url) = origin(world, &[]).await;
        let staff = &world.stack.ready["staff"];
        let in_ = client().post(format!("{url}/api/session")).json(staff).send().await.unwrap();
        let token = in_.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
        let me =
            async || client().get(format!("{url}/api/me")).bearer_auth(&token).send().await.unwrap().status();
        let db = world.db("staff", PoolSettings::default());
        let text = |name: &str| staff[name].as_str().unwrap().to_owned();
        let account = |password: &str| StaffAccount { email: text("email"), password: password.to_owned() };
        keep_staff_account(&db, &account(&text("password"))).await.unwrap();
        assert_eq!(me().await, 200, "the same password changes nothing");
        keep_staff_account(&db, &account("another long password")).await.unwrap();
        assert_eq!(me().await, 401);
        keep_staff_account(&db, &account(&text("password"))).await.unwrap();

        // Nobody becomes staff by having taken the address first.
        let customer = json!({ "email": "early@example.com", "password": "a long password" });
        let signed_up = client().post(format!("{url}/api/users")).json(&customer).send().await.unwrap();
        assert_eq!(signed_up.status(), 201);
        let taken = StaffAccount { email: "early@example.com".to_owned(), password: text("password") };
        let refused = keep_staff_account(&db, &taken).await.unwrap_err();
        assert!(refused.to_string().contains("a customer's account"), "{refused}");
        let still = client().post(format!("{url}/api/session")).json(&customer).send().await.unwrap();
        assert_eq!(still.json::<Value>().await.unwrap()["user"]["staff"], false);
    });
}
