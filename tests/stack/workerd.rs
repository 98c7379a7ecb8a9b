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

const READY_DEADLINE: Duration = Duration::from_secs(60);
const PURGE_TOKEN: &str = "of this test alone";

/// What an edge is to be.
pub(crate) struct Setup<'a> {
    /// The only origin.
    pub(crate) origin: &'a str,
    pub(crate) kv: &'a Shelf,
    pub(crate) cache_api: &'a Shelf,
    /// Where its Durable Objects keep what they know: for one edge at a time.
    pub(crate) objects: &'a Path,
}

impl Setup<'_> {
    /// It all, as workerd reads it: <https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp>.
    fn config(&self) -> String {
        let wrangler: toml::Table =
            fs::read_to_string(root().join("wrangler.toml")).unwrap().parse().unwrap();
        let compatibility_date = wrangler["compatibility_date"].as_str().unwrap();
        // JSON's strings are Cap'n Proto's.
        let origins = json!(json!([{ "id": "a", "url": self.origin }]).to_string());
        let paths = json!(json!(["/"]).to_string());
        let (kv, cache_api) = (&self.kv.address, &self.cache_api.address);
        let objects = json!(self.objects);
        format!(
            r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "kv", external = (address = "{kv}", http = ())),
    (name = "cache-api", external = (address = "{cache_api}", http = ())),
    (name = "objects", disk = (path = {objects}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", http = (), service = "edge")],
);
const edge :Workerd.Worker = (
  compatibilityDate = "{compatibility_date}",
  modules = [
    (name = "index.js", esModule = embed "index.js"),
    (name = "index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  bindings = [
    (name = "CACHE", kvNamespace = "kv"),
    (name = "CONTROL", durableObjectNamespace = "Control"),
    (name = "ORIGINS", text = {origins}),
    (name = "ORIGIN_PATHS", text = {paths}),
    (name = "PURGE_TOKEN", text = "{PURGE_TOKEN}"),
  ],
  cacheApiOutbound = "cache-api",
  durableObjectNamespaces = [(className = "Control", uniqueKey = "control", enableSql = true)],
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
        let folder = Folder::new();
        for file in ["index.js", "index_bg.wasm"] {
            fs::copy(root().join("target/dev/edge").join(file), folder.join(file)).unwrap();
        }
        fs::write(folder.join("config.capnp"), setup.config()).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
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
