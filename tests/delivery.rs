//! `tidewall deploy`, with the real wrangler, to a small stand-in of Cloudflare's API.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::support::tidewall::{Folder, command};

const NAMESPACE: &str = "0123456789abcdef0123456789abcdef";
const NAME: &str = "tidewall";

/// What the account has.
#[derive(Default)]
struct Account {
    versions: Vec<String>,
    /// The newest first: versions and their parts.
    deployments: Vec<Value>,
    secrets: Vec<String>,
    namespaces: Vec<Value>,
    /// What was asked to change something.
    changes: Vec<String>,
    /// What was asked that this doesn't know.
    unknown: Vec<String>,
    /// Versions that answer with an error.
    broken: Vec<String>,
    /// The versions that were asked for at the deployed edge.
    looks: Vec<String>,
}

type Shared = Arc<Mutex<Account>>;

fn success(result: &Value) -> Response {
    axum::Json(json!({ "success": true, "errors": [], "messages": [], "result": result })).into_response()
}

fn failure(status: StatusCode, code: u32, message: &str) -> Response {
    let body = json!({ "success": false, "errors": [{ "code": code, "message": message }], "messages": [], "result": null });
    (status, axum::Json(body)).into_response()
}

async fn answer(
    State(account): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut account = account.lock().unwrap();
    let Some(path) = uri.path().strip_prefix("/client/v4/accounts/acme") else {
        // The deployed edge itself.
        let version = headers.get("cloudflare-workers-version-overrides").unwrap().to_str().unwrap();
        let version = version.strip_prefix("tidewall=\"").unwrap().strip_suffix('"').unwrap().to_owned();
        let is_broken = account.broken.contains(&version);
        account.looks.push(version);
        return if is_broken { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }.into_response();
    };
    if method != Method::GET {
        account.changes.push(format!("{method} {path}"));
    }
    let is_there = !account.versions.is_empty();
    let script = format!("/workers/scripts/{NAME}");
    let of_script = path.strip_prefix(&script);
    let no_worker = || failure(StatusCode::NOT_FOUND, 10007, "This Worker does not exist on your account.");
    let body_text = String::from_utf8_lossy(&body);
    match (method.as_str(), path, of_script) {
        ("GET", "/workers/services/tidewall", _) if is_there => success(&json!({
            "id": NAME, "default_environment": { "environment": "production", "script": {
                "id": NAME, "last_deployed_from": "wrangler", "tag": "t", "migration_tag": "v1" } },
        })),
        ("GET", "/workers/services/tidewall", _) => failure(StatusCode::NOT_FOUND, 10090, "no such service"),
        ("GET", "/storage/kv/namespaces", _) => success(&json!(account.namespaces)),
        ("POST", "/storage/kv/namespaces", _) => {
            let title = serde_json::from_slice::<Value>(&body).unwrap()["title"].clone();
            let made = json!({ "id": NAMESPACE, "title": title });
            account.namespaces.push(made.clone());
            success(&made)
        }
        ("GET", "/workers/subdomain", _) => success(&json!({ "subdomain": "acme" })),
        ("GET", "/workers/workers/tidewall", _) => success(&json!({
            "id": "w", "name": NAME, "subdomain": { "enabled": true, "previews_enabled": false }, "tags": [],
            "logpush": false, "tail_consumers": [], "observability": { "enabled": false },
        })),
        ("POST", _, Some("/assets-upload-session")) => success(&json!({ "jwt": "a.e30.b", "buckets": [] })),
        ("POST", _, Some("/subdomain")) => success(&json!({ "enabled": true, "previews_enabled": false })),
        ("PUT", _, Some("")) | ("POST", _, Some("/versions")) => {
            for name in ["PURGE_TOKEN", "STICKY_SECRET"] {
                if body_text.contains(&format!("\"name\":\"{name}\",\"type\":\"secret_text\"")) {
                    account.secrets.push(name.to_owned());
                }
            }
            let version = format!("11111111-1111-4111-8111-{:012}", account.versions.len() + 1);
            account.versions.push(version.clone());
            if method == Method::PUT {
                deploy(&mut account, &json!([{ "version_id": version, "percentage": 100 }]));
            }
            success(
                &json!({ "id": version, "deployment_id": version, "startup_time_ms": 5, "entry_point": "index.js",
                "etag": "e", "pipeline_hash": "h", "mutable_pipeline_id": "m", "number": 1,
                "metadata": { "created_on": time(0), "source": "wrangler", "author_email": "a@example.com", "has_preview": false } }),
            )
        }
        ("GET", _, Some("/deployments" | "/secrets" | "/settings")) if !is_there => no_worker(),
        ("GET", _, Some("/deployments")) => success(&json!({ "deployments": account.deployments })),
        ("POST", _, Some("/deployments")) => {
            let versions = serde_json::from_slice::<Value>(&body).unwrap()["versions"].clone();
            deploy(&mut account, &versions);
            success(&json!({ "id": "d" }))
        }
        ("GET", _, Some("/secrets")) => {
            let secrets: Vec<_> =
                account.secrets.iter().map(|name| json!({ "name": name, "type": "secret_text" })).collect();
            success(&json!(secrets))
        }
        ("GET", _, Some("/settings" | "/script-settings")) => success(&json!({
            "bindings": [{ "type": "kv_namespace", "name": "CACHE", "namespace_id": NAMESPACE }],
            "migration_tag": "v1", "logpush": false, "tail_consumers": [], "observability": { "enabled": false },
        })),
        ("GET", _, Some(version)) if version.starts_with("/versions/") => {
            let id = version.trim_start_matches("/versions/");
            success(&json!({ "id": id, "number": 1, "annotations": {},
                "metadata": { "created_on": time(0), "source": "wrangler", "author_email": "a@example.com" },
                "resources": { "bindings": [], "script": { "etag": "e", "handlers": ["fetch"] }, "script_runtime": {} } }))
        }
        _ => {
            account.unknown.push(format!("{method} {path}"));
            failure(StatusCode::NOT_FOUND, 7003, "no route")
        }
    }
}

/// The nth second of a day.
fn time(nth: usize) -> String {
    format!("2026-12-01T00:{:02}:{:02}.000000Z", nth / 60, nth % 60)
}

fn deploy(account: &mut Account, versions: &Value) {
    let nth = account.deployments.len();
    account.deployments.insert(
        0,
        json!({ "id": format!("d{nth}"), "source": "wrangler", "strategy": "percentage", "created_on": time(nth),
            "author_email": "a@example.com", "annotations": {}, "versions": versions }),
    );
}

/// The stand-in, and the command before it.
struct Cloud {
    url: String,
    account: Shared,
}

impl Cloud {
    async fn start() -> Self {
        let account = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(answer)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(Arc::clone(&account));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, account }
    }

    /// `tidewall deploy`.
    async fn deploy(&self, args: &[&str], env: &[(&str, &str)]) -> (Output, String) {
        let mut deploy = command();
        deploy.args(["deploy", "--dev", "--pause", "1"]).args(args);
        for name in ["PURGE_TOKEN", "STICKY_SECRET"] {
            deploy.env_remove(name);
        }
        deploy
            .env("CLOUDFLARE_API_BASE_URL", format!("{}/client/v4", self.url))
            .env("CLOUDFLARE_API_TOKEN", "of the test")
            .env("CLOUDFLARE_ACCOUNT_ID", "acme")
            .envs(env.iter().copied());
        let output = tokio::task::spawn_blocking(move || deploy.output().unwrap()).await.unwrap();
        let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        (output, said.concat())
    }

    /// The parts of the newest deployment, as `version@per cent`.
    fn parts(&self) -> Vec<String> {
        let account = self.account.lock().unwrap();
        let versions = account.deployments[0]["versions"].as_array().unwrap();
        let part = |part: &Value| {
            let version = part["version_id"].as_str().unwrap();
            format!(
                "{}@{}",
                version.trim_start_matches("11111111-1111-4111-8111-0000000000"),
                part["percentage"]
            )
        };
        versions.iter().map(part).collect()
    }

    fn take_changes(&self) -> Vec<String> {
        std::mem::take(&mut self.account.lock().unwrap().changes)
    }
}

const TOKEN: &str = "hush, hush, hush, hush";

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_is_deployed_rolled_out_and_taken_back() {
    let cloud = Cloud::start().await;
    // What is in the repository names origins of this machine.
    let (output, said) = cloud.deploy(&["--yes"], &[("PURGE_TOKEN", TOKEN)]).await;
    assert!(!output.status.success() && said.contains("error 1003"), "{said}");
    assert_eq!(cloud.take_changes(), [""; 0], "nothing is made while something lacks");

    let folder = Folder::new();
    let config = folder.join("wrangler.toml");
    let own = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("wrangler.toml")).unwrap();
    let own = own.replace("http://127.0.0.1:8081", "https://a.example.com");
    fs::write(&config, own.replace("http://127.0.0.1:8082", "https://b.example.com")).unwrap();
    let config = ["--config", config.to_str().unwrap()];
    let deploy =
        async |args: &[&str], env: &[(&str, &str)]| cloud.deploy(&[&config, args].concat(), env).await;
    let (output, said) = deploy(&["--yes"], &[]).await;
    assert!(!output.status.success() && said.contains("the secret PURGE_TOKEN lacks"), "{said}");

    let token = [("PURGE_TOKEN", TOKEN)];
    let (output, said) = deploy(&["--dry-run"], &token).await;
    assert!(output.status.success(), "{said}");
    for told in
        ["make the Worker tidewall", "KV namespace tidewall-cache", "set the secret PURGE_TOKEN", "a month"]
    {
        assert!(said.contains(told), "{told} is not in\n{said}");
    }
    let (output, said) = deploy(&[], &token).await;
    assert!(!output.status.success() && said.contains("nobody is there to say yes"), "{said}");
    assert_eq!(cloud.take_changes(), [""; 0], "nothing is made before a yes");

    let (output, said) = deploy(&["--yes"], &token).await;
    assert!(output.status.success(), "{said}");
    assert_eq!(cloud.parts(), ["01@100"], "{said}");
    assert_eq!(cloud.account.lock().unwrap().secrets, ["PURGE_TOKEN"]);
    assert_eq!(cloud.account.lock().unwrap().namespaces.len(), 1);
    assert!(!said.contains(TOKEN), "{said}");

    // The next one comes step by step, and is asked for itself.
    let url = format!("{}/", cloud.url);
    let rolled = ["--yes", "--steps", "20,60", "--url", &url];
    let (output, said) = deploy(&rolled, &[]).await;
    assert!(output.status.success(), "{said}");
    assert_eq!(cloud.parts(), ["02@100"]);
    let shares = |account: &Account| account.deployments.len();
    assert_eq!(shares(&cloud.account.lock().unwrap()), 4, "{said}");
    let looks = std::mem::take(&mut cloud.account.lock().unwrap().looks);
    assert!(looks.len() >= 3 && looks.iter().all(|version| version.ends_with("02")), "{looks:?}");

    // One that fails goes back by itself, at the first step.
    cloud.account.lock().unwrap().broken.push("11111111-1111-4111-8111-000000000003".to_owned());
    let (output, said) = deploy(&rolled, &[]).await;
    assert!(!output.status.success() && said.contains("has all requests again"), "{said}");
    assert_eq!(cloud.parts(), ["02@100"]);
    assert_eq!(shares(&cloud.account.lock().unwrap()), 6, "one step, and back");

    // A roll-out that was given up goes back to where it began, and then to what was before.
    {
        let [old, new] = [2, 3].map(|nth| format!("11111111-1111-4111-8111-{nth:012}"));
        let parts = json!([{ "version_id": new, "percentage": 20 }, { "version_id": old, "percentage": 80 }]);
        self::deploy(&mut cloud.account.lock().unwrap(), &parts);
    }
    for expected in ["02@100", "01@100"] {
        let (output, said) = deploy(&["--rollback", "--yes"], &[]).await;
        assert!(output.status.success(), "{said}");
        assert_eq!(cloud.parts(), [expected], "{said}");
    }
    let account = cloud.account.lock().unwrap();
    assert_eq!(account.unknown, [""; 0], "the stand-in knows all that wrangler asks");
}
