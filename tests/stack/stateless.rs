//! `tidewall check stateless`, on origins that are and on origins that aren't.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::support::tidewall::{Folder, output};
use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] = &[
    ("stateless::any_origin_of_the_demo_serves_any_request", any_origin_of_the_demo_serves_any_request),
    ("stateless::a_route_that_goes_by_an_origins_memory_is_named", a_route_that_goes_by_memory_is_named),
];

/// Runs the check at `origins`; whether it is content, what it prints, and what it says.
async fn check(origins: [String; 2], more: &[&str]) -> (bool, Value, String) {
    let mut args = vec!["check".to_owned(), "stateless".to_owned(), "--json".to_owned()];
    args.extend(origins.into_iter().flat_map(|origin| ["--origin".to_owned(), origin]));
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    let ended =
        tokio::task::spawn_blocking(move || output(&args.iter().map(String::as_str).collect::<Vec<_>>()));
    let ended = ended.await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    let report = serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{said}"));
    (ended.status.success(), report, said)
}

fn any_origin_of_the_demo_serves_any_request(world: &World) {
    world.run(async {
        let (is_content, report, said) = check([world.origin(0), world.origin(1)], &[]).await;
        assert!(is_content, "{said}\n{report:#}");
        assert_eq!(report["stateless"], true);
        // It has done what it was about.
        let statuses: Vec<_> =
            report["steps"].as_array().unwrap().iter().map(|step| step["status"].as_u64().unwrap()).collect();
        for status in [201, 202, 204, 401] {
            assert!(statuses.contains(&status), "{statuses:?}");
        }
    });
}

type Logins = Arc<Mutex<HashMap<String, usize>>>;

/// An origin that keeps who is logged in to itself.
async fn forgetful() -> String {
    async fn log_in(State(logins): State<Logins>) -> impl IntoResponse {
        let id = format!("{:016x}", fastrand::u64(..));
        logins.lock().unwrap().insert(id.clone(), 0);
        (StatusCode::OK, [(SET_COOKIE, format!("id={id}; Path=/"))])
    }
    async fn profile(State(logins): State<Logins>, request: HeaderMap) -> StatusCode {
        let cookie = request.get(COOKIE).map_or("", |cookie| cookie.to_str().unwrap());
        let is_known = logins.lock().unwrap().contains_key(cookie.trim_start_matches("id="));
        if is_known { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
    }
    async fn about() -> Json<Value> {
        Json(json!({ "about": "us", "nonce": fastrand::u64(..) }))
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new()
        .route("/login", post(log_in))
        .route("/profile", get(profile))
        .route("/about", get(about))
        .with_state(Logins::default());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

fn a_route_that_goes_by_memory_is_named(world: &World) {
    world.run(async {
        let folder = Folder::new();
        let session = folder.join("session.json");
        let steps = json!([
            { "method": "GET", "path": "/about" },
            { "method": "POST", "path": "/login" },
            { "method": "GET", "path": "/profile" },
        ]);
        fs::write(&session, steps.to_string()).unwrap();
        let origins = [forgetful().await, forgetful().await];
        let (is_content, report, said) = check(origins, &["--session", session.to_str().unwrap()]).await;
        assert!(!is_content && said.contains("GET /profile depends on the origin"), "{said}");
        let depends: Vec<_> = report["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|step| !step["depends"].is_null())
            .map(|step| step["path"].as_str().unwrap())
            .collect();
        assert_eq!(depends, ["/profile"], "{report:#}");
        assert_eq!(report["stateless"], false);
    });
}
