//! The built edge in plain workerd, without wrangler: each start is a new isolate, and what
//! stands behind its bindings is a test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::shelf::Shelf;
use crate::support::poll;
use crate::support::tidewall::Folder;
use crate::world::World;

/// The edge as it was built, with objects that do as a test says.
const MAIN: &str = r#"
import edge, { Control as RealControl, Collapse as RealCollapse } from "./index.js";

const faults = {};
const calls = {};
const dictionaries = {};

function faulty(name, Class) {
  return class extends Class {
    async fetch(request) {
      calls[name] = (calls[name] ?? 0) + 1;
      if (faults[name] === "throws") throw new Error("as the test wants it");
      if (faults[name] === "hangs") await new Promise((resolve) => setTimeout(resolve, 60_000));
      return super.fetch(request);
    }
  };
}

export const Control = faulty("control", RealControl);
export const Collapse = faulty("collapse", RealCollapse);

export default {
  fetch(request, env, context) {
    const { pathname, searchParams } = URL.parse(request.url) ?? {};
    switch (pathname) {
      case "/__fault":
        faults[searchParams.get("of")] = searchParams.get("is");
        return new Response("so be it");
      case "/__calls":
        return Response.json(calls[searchParams.get("of")] ?? 0);
      case "/__append":
        return env.CONTROL.getByName("control").fetch("https://control.invalid/", request);
      case "/__dictionary":
        return Response.json(dictionaries[searchParams.get("of")] ?? "");
      default:
        const dictionary = request.headers.get("available-dictionary");
        if (dictionary) dictionaries[pathname] = dictionary;
        return edge.fetch(request, env, context);
    }
  },
};
"#;

/// How long the edge believes its view of a control log that is out of reach.
pub(crate) const CONTROL_GRACE: Duration = Duration::from_secs(3);

const READY_DEADLINE: Duration = Duration::from_secs(60);
/// The variable that makes the edge believe what clients say of their address, as a platform would.
pub(crate) const TRUSTED: (&str, &str) = ("CLIENT_ADDRESS_FIELD", "CF-Connecting-IP");
pub(crate) const PURGE_TOKEN: &str = "of this test alone";

/// What an edge is to be.
pub(crate) struct Setup<'a> {
    /// Named `a`, `b`, and so on.
    pub(crate) origins: &'a [&'a str],
    /// How one of them is chosen.
    pub(crate) policy: &'a str,
    pub(crate) kv: &'a Shelf,
    pub(crate) cache_api: &'a Shelf,
    /// Further variables, by name.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// Where its Durable Objects keep what they know: for one edge at a time.
    pub(crate) objects: &'a Path,
    /// The folder of the site that it serves; then what begins with `/api/` is the origins'.
    pub(crate) site: Option<&'a Path>,
}

impl Setup<'_> {
    /// It all, as workerd reads it: <https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp>.
    fn config(&self) -> String {
        let wrangler: toml::Table =
            fs::read_to_string(root().join("wrangler.toml")).unwrap().parse().unwrap();
        let compatibility_date = wrangler["compatibility_date"].as_str().unwrap();
        let list = |name: &str| json!(json!(wrangler["vars"][name].as_array().unwrap()).to_string());
        let (private_cookies, private_fields) = (list("PRIVATE_COOKIES"), list("PRIVATE_FIELDS"));
        let tracking_parameters = list("TRACKING_PARAMETERS");
        // JSON's strings are Cap'n Proto's.
        let named = |(name, url): (char, &&str)| json!({ "id": name, "url": url });
        let origins = Value::from_iter(('a'..='z').zip(self.origins).map(named));
        let origins = json!(origins.to_string());
        let balance = json!(json!([{ "path": "/", "policy": self.policy }]).to_string());
        let paths = json!(json!([if self.site.is_some() { "/api/" } else { "/" }]).to_string());
        let (site_service, site_binding) = match self.site {
            Some(site) => (
                format!("(name = \"site\", disk = (path = {})),", json!(site)),
                r#"(name = "ASSETS", service = "site"),"#,
            ),
            None => (String::new(), ""),
        };
        let (kv, cache_api) = (&self.kv.address, &self.cache_api.address);
        let objects = json!(self.objects);
        let grace_ms = CONTROL_GRACE.as_millis();
        let more: String = self
            .variables
            .iter()
            .map(|(name, text)| format!("    (name = {}, text = {}),\n", json!(name), json!(text)))
            .collect();
        format!(
            r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "kv", external = (address = "{kv}", http = ())),
    (name = "cache-api", external = (address = "{cache_api}", http = ())),
    (name = "objects", disk = (path = {objects}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
    {site_service}
  ],
  sockets = [(name = "http", http = (), service = "edge")],
);
const edge :Workerd.Worker = (
  compatibilityDate = "{compatibility_date}",
  modules = [
    (name = "main.js", esModule = embed "main.js"),
    (name = "index.js", esModule = embed "index.js"),
    (name = "index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  bindings = [
    (name = "CACHE", kvNamespace = "kv"),
    (name = "CONTROL", durableObjectNamespace = "Control"),
    (name = "COLLAPSE", durableObjectNamespace = "Collapse"),
    {site_binding}
    (name = "CONTROL_GRACE_MS", text = "{grace_ms}"),
    (name = "ORIGINS", text = {origins}),
    (name = "BALANCE", text = {balance}),
    (name = "ORIGIN_PATHS", text = {paths}),
    (name = "PURGE_TOKEN", text = "{PURGE_TOKEN}"),
    (name = "PRIVATE_COOKIES", text = {private_cookies}),
    (name = "PRIVATE_FIELDS", text = {private_fields}),
    (name = "TRACKING_PARAMETERS", text = {tracking_parameters}),
{more}  ],
  cacheApiOutbound = "cache-api",
  durableObjectNamespaces = [
    (className = "Control", uniqueKey = "control", enableSql = true),
    (className = "Collapse", uniqueKey = "collapse", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
);
"#
        )
    }
}

/// A running edge, ended when dropped.
pub(crate) struct Workerd {
    child: Child,
    log: PathBuf,
    pub(crate) url: String,
    _folder: Folder,
}

impl Workerd {
    /// Starts one; `world` has built it for its own.
    pub(crate) async fn start(world: &World, setup: &Setup<'_>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        Self::start_at(world, setup, &address).await
    }

    /// Starts one at an address that is free.
    pub(crate) async fn start_at(world: &World, setup: &Setup<'_>, address: &str) -> Self {
        let folder = Folder::new();
        for file in ["index.js", "index_bg.wasm"] {
            fs::copy(root().join("target/dev/edge").join(file), folder.join(file)).unwrap();
        }
        fs::write(folder.join("main.js"), MAIN).unwrap();
        fs::write(folder.join("config.capnp"), setup.config()).unwrap();
        let log = folder.join("workerd.log");
        let output = fs::File::create(&log).unwrap();
        let child = Command::new(program())
            // Objects on disk are what is experimental.
            .args(["serve", "--experimental", "config.capnp", "--socket-addr", &format!("http={address}")])
            .current_dir(&folder.0)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let workerd = Self { child, log, url: format!("http://{address}"), _folder: folder };
        let up = poll::until_async(READY_DEADLINE, || async { workerd.status(world).await });
        assert!(up.await.is_some(), "workerd does not answer:\n{}", workerd.log());
        workerd
    }

    /// `/_tidewall/status`, once it answers.
    pub(crate) async fn status(&self, world: &World) -> Option<Value> {
        let url = format!("{}/_tidewall/status", self.url);
        let response = world.client.get(url).bearer_auth(PURGE_TOKEN).send().await.ok()?;
        response.json().await.ok()
    }

    /// Makes the objects of a class do so from now on: `throws`, `hangs`, or `works`.
    pub(crate) async fn fault(&self, world: &World, class: &str, fault: &str) {
        let url = format!("{}/__fault?of={class}&is={fault}", self.url);
        assert_eq!(world.client.get(url).send().await.unwrap().status(), 200);
    }

    /// How many questions the objects of a class were asked.
    pub(crate) async fn calls(&self, world: &World, class: &str) -> u64 {
        let url = format!("{}/__calls?of={class}", self.url);
        world.get(&url).await.json().await.unwrap()
    }

    /// The `Available-Dictionary` that a path was last asked for with.
    pub(crate) async fn dictionary(&self, world: &World, path: &str) -> String {
        let url = format!("{}/__dictionary?of={path}", self.url);
        world.get(&url).await.json().await.unwrap()
    }

    /// Logs an invalidation of a group as another isolate would, so that this one doesn't know
    /// of it; its position.
    pub(crate) async fn append_elsewhere(&self, world: &World, group: &str) -> u64 {
        let append = json!({ "scopes": [{ "g": group }], "severity": "h" });
        let url = format!("{}/__append", self.url);
        let answer = world.client.post(url).json(&json!({ "append": append })).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["logged"]["seq"].as_u64().unwrap_or_else(|| panic!("not logged: {answer}"))
    }

    /// Says that an origin can't be reached, as another isolate would.
    pub(crate) async fn report_elsewhere(&self, world: &World, origin: &str) {
        let url = format!("{}/__append", self.url);
        let question = json!({ "suspects": [origin] });
        let answer = world.client.post(url).json(&question).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// A purge with this address of the client and this token.
    pub(crate) fn purging(&self, world: &World, client: &str, token: &str) -> reqwest::RequestBuilder {
        let request = world.client.post(format!("{}/_tidewall/purge", self.url)).bearer_auth(token);
        request.header("cf-connecting-ip", client)
    }

    /// Logs a purge.
    pub(crate) async fn purge(&self, world: &World, body: &Value) -> reqwest::Response {
        let url = format!("{}/_tidewall/purge", self.url);
        world.client.post(url).bearer_auth(PURGE_TOKEN).json(body).send().await.unwrap()
    }

    /// What it has printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program itself: what npm has under its plain name only starts it.
fn program() -> PathBuf {
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "64" };
    root().join(format!("node_modules/@cloudflare/workerd-{system}-{processor}/bin/workerd"))
}
