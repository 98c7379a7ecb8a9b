//! How plain workerd runs a Worker, without wrangler and without an account: its configuration, as text.
//!
//! Beside the Worker stand what Cloudflare has for it: the namespace in KV (a Worker that comes with
//! workerd, on a Durable Object of its own), the Durable Objects and the site, on this machine's disk; and
//! the way to the origins. The format:
//! <https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp>.

use std::fmt::Write as _;
// An address is no socket: it comes without I/O.
use core::net::SocketAddr;

/// The classes of Durable Objects of the edge, and the bindings of their namespaces.
pub const OBJECTS: [(&str, &str); 2] = [("Control", "CONTROL"), ("Collapse", "COLLAPSE")];
/// The files of the built Worker, the module first, and what they are to workerd.
pub const FILES: [(&str, &str); 2] = [("index.js", "esModule"), ("index_bg.wasm", "wasm")];
/// The class in which workerd keeps KV.
pub const KV_CLASS: &str = "KVNamespace";

/// The Cache API of one machine, before a KV that is as near: nothing is kept, as on `*.workers.dev`.
const NO_CACHE: &str = "export default { fetch: ({ method }) => method === 'GET' \
    ? new Response(null, { status: 504, headers: { 'CF-Cache-Status': 'MISS' } }) \
    : new Response(null, { status: method === 'PUT' ? 204 : 404 }) };";

/// What a Worker is to have.
#[derive(Clone, Debug)]
pub struct Deployment<'a> {
    /// Which changes of the runtime are in force, as `compatibility_date` of wrangler.toml.
    pub compatibility_date: &'a str,
    /// Files in the configuration's folder, the main module first, and what they are to workerd.
    pub modules: &'a [(&'a str, &'a str)],
    /// Names and values, as JSON.
    pub variables: &'a [(String, String)],
    /// Names of variables that workerd takes from its environment.
    pub secrets: &'a [&'a str],
    /// Classes of Durable Objects, and the bindings of their namespaces.
    pub objects: &'a [(&'a str, &'a str)],
    /// A folder that is there, where they and KV are kept.
    pub state: &'a str,
    /// The folder of the site that it serves, if any.
    pub site: Option<&'a str>,
    /// Who keeps KV and the Cache API instead, if anybody.
    pub stores: Option<[SocketAddr; 2]>,
    /// Where it answers.
    pub address: SocketAddr,
}

impl Deployment<'_> {
    /// The configuration. Its services are experimental, so workerd is to be run with `--experimental`.
    pub fn config(&self) -> String {
        let date = quoted(self.compatibility_date);
        let mut services = vec![
            "(name = \"edge\", worker = .edge)".to_owned(),
            // Where the origins are is the owner's to say.
            "(name = \"origins\", network = (allow = [\"public\", \"private\", \"local\"], \
             tlsOptions = (trustBrowserCas = true)))"
                .to_owned(),
            format!("(name = \"state\", disk = (path = {}, writable = true))", quoted(self.state)),
        ];
        let mut bindings = Vec::new();
        let kv = match self.stores {
            Some([kv, cache]) => {
                for (name, address) in [("kv", kv), ("cache", cache)] {
                    services.push(format!(
                        "(name = \"{name}\", external = (address = \"{address}\", http = ()))"
                    ));
                }
                "\"kv\"".to_owned()
            }
            None => {
                services.push("(name = \"kv\", worker = .kv)".to_owned());
                services.push("(name = \"cache\", worker = .cache)".to_owned());
                format!("(name = \"kv\", props = (json = {}))", quoted(r#"{"namespace":"CACHE"}"#))
            }
        };
        bindings.push(format!("(name = \"CACHE\", kvNamespace = {kv})"));
        if let Some(site) = self.site {
            let config = quoted(r#"{"html_handling":"none","not_found_handling":"none"}"#);
            services.push(format!(
                "(name = \"site\", assets = (path = {}, config = {config}, userWorker = \"edge\"))",
                quoted(site)
            ));
            bindings.push(
                "(name = \"ASSETS\", service = (name = \"site\", entrypoint = \"AssetWorker\"))".to_owned(),
            );
        }
        let variables = self.variables.iter();
        bindings.extend(
            variables.map(|(name, value)| format!("(name = {}, json = {})", quoted(name), quoted(value))),
        );
        let secrets = self.secrets.iter().map(|name| quoted(name));
        bindings.extend(secrets.map(|name| format!("(name = {name}, fromEnvironment = {name})")));
        let mut namespaces = Vec::new();
        for (class, binding) in self.objects {
            let [class, binding] = [class, binding].map(|name| quoted(name));
            bindings.push(format!("(name = {binding}, durableObjectNamespace = {class})"));
            namespaces.push(format!("(className = {class}, uniqueKey = {class}, enableSql = true)"));
        }
        let objects = match namespaces.is_empty() {
            true => String::new(),
            false => format!(
                "durableObjectNamespaces = [{}],\n  durableObjectStorage = (localDisk = \"state\"),",
                list(&namespaces)
            ),
        };
        let modules: Vec<_> = self
            .modules
            .iter()
            .map(|(name, kind)| format!("(name = {0}, {kind} = embed {0})", quoted(name)))
            .collect();
        let mut config = format!(
            r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [{services}],
  sockets = [(name = "http", address = "{address}", http = (), service = "edge")],
);
const edge :Workerd.Worker = (
  compatibilityDate = {date},
  modules = [{modules}],
  bindings = [{bindings}],
  {objects}
  cacheApiOutbound = "cache",
  globalOutbound = "origins",
);
"#,
            services = list(&services),
            address = self.address,
            modules = list(&modules),
            bindings = list(&bindings),
        );
        if self.stores.is_none() {
            // Writing to a String can't fail.
            let _ = write!(
                config,
                r#"const kv :Workerd.Worker = (
  compatibilityDate = {date},
  modules = [(name = "kv.js", bundled = "/workerd/kv.js")],
  bindings = [
    (name = "SHARD", durableObjectNamespace = "{KV_CLASS}"),
    (name = "BLOBS", service = "state"),
  ],
  durableObjectNamespaces = [(className = "{KV_CLASS}", uniqueKey = "{KV_CLASS}", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
);
const cache :Workerd.Worker = (
  compatibilityDate = {date},
  modules = [(name = "cache.js", esModule = {})],
);
"#,
                quoted(NO_CACHE)
            );
        }
        config
    }
}

/// The folder, in `node_modules/@cloudflare`, of the package that has workerd for machines of a system and a
/// processor, as [`std::env::consts`] names them; `None` where there is none. The program is `bin/workerd` in it: what npm has under its plain name only
/// starts that.
pub fn package(system: &str, processor: &str) -> Option<&'static str> {
    match (system, processor) {
        ("linux", "x86_64") => Some("workerd-linux-64"),
        ("linux", "aarch64") => Some("workerd-linux-arm64"),
        ("macos", "x86_64") => Some("workerd-darwin-64"),
        ("macos", "aarch64") => Some("workerd-darwin-arm64"),
        _ => None,
    }
}

/// One to a line.
fn list(items: &[String]) -> String {
    items.iter().fold(String::from("\n"), |list, item| list + "    " + item + ",\n") + "  "
}

/// A text as Cap'n Proto's language writes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment<'a>() -> Deployment<'a> {
        Deployment {
            compatibility_date: "2026-11-01",
            modules: &FILES,
            variables: &[],
            secrets: &["PURGE_TOKEN"],
            objects: &OBJECTS,
            state: "/state",
            site: None,
            stores: None,
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
        }
    }

    #[test]
    fn secrets_come_from_the_environment_and_all_that_lasts_is_in_one_folder() {
        let config = deployment().config();
        assert!(config.contains(r#"(name = "PURGE_TOKEN", fromEnvironment = "PURGE_TOKEN")"#), "{config}");
        assert!(config.contains(r#"disk = (path = "/state", writable = true)"#), "{config}");
        assert_eq!(config.matches("writable").count(), 1);
        assert_eq!(config.matches("localDisk = \"state\"").count(), 2, "its objects, and KV's");
        assert!(!config.contains("ASSETS"), "without a site there are none");
    }

    #[test]
    fn a_site_is_served_as_it_lies_there() {
        let config = Deployment { site: Some("/site"), ..deployment() }.config();
        assert!(
            config.contains(r#"assets = (path = "/site", config = "{\"html_handling\":\"none\""#),
            "{config}"
        );
        assert!(config.contains(r#"service = (name = "site", entrypoint = "AssetWorker")"#), "{config}");
    }

    #[test]
    fn stores_of_somebody_else_take_the_place_of_its_own() {
        let stores = [2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let config = Deployment { stores: Some(stores), ..deployment() }.config();
        assert!(config.contains(r#"(name = "CACHE", kvNamespace = "kv")"#), "{config}");
        assert!(
            config.contains(r#"(name = "kv", external = (address = "127.0.0.1:2", http = ()))"#),
            "{config}"
        );
        assert!(!config.contains(KV_CLASS), "{config}");
    }

    #[test]
    fn a_text_in_quotes_stays_one() {
        assert_eq!(quoted(r#"["a\b"]"#), r#""[\"a\\b\"]""#);
    }
}
