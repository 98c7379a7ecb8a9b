//! Pages of earlier builds, which go on to load what those named.

use std::time::Duration;

use reqwest::{Method, Response};

use crate::built::{Built, decompress, text};
use crate::shelf::{Fault, Shelf};
use crate::support::poll;
use crate::support::tidewall::Folder;
use crate::workerd::{Setup, Workerd};
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("built::skew::clients_of_twenty_builds_load_all_of_their_own", clients_of_twenty_builds),
    ("built::skew::a_copy_that_was_cut_short_goes_on", a_copy_that_was_cut_short_goes_on),
    ("built::skew::what_is_kept_is_served_as_what_is_current", what_is_kept_is_served_as_what_is_current),
    ("built::skew::while_kv_fails_nobody_hears_that_nothing_is_there", while_kv_fails),
];

const BUILDS: usize = 20;
const DEADLINE: Duration = Duration::from_secs(60);
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// One edge, which serves one site after another.
struct Deployed<'a> {
    world: &'a World,
    kv: Shelf,
    cache_api: Shelf,
    objects: Folder,
    edge: Option<Workerd>,
}

impl<'a> Deployed<'a> {
    fn new(world: &'a World) -> Self {
        let (kv, cache_api) = (Shelf::start(&world.runtime), Shelf::start(&world.runtime));
        Self { world, kv, cache_api, objects: Folder::new(), edge: None }
    }

    /// Serves this site from now on, and is asked for a page of it.
    async fn deploy(&mut self, site: &Built) {
        drop(self.edge.take());
        let setup = Setup {
            origins: &[self.world.scripted().origin()],
            policy: "round-robin",
            kv: &self.kv,
            cache_api: &self.cache_api,
            variables: &[],
            objects: &self.objects.0,
            site: Some(site.folder()),
        };
        self.edge = Some(Workerd::start(self.world, &setup).await);
        assert_eq!(self.get("/", &[]).await.status(), 200);
    }

    /// Waits until all of a site is kept.
    async fn kept(&self, site: &Built) {
        let kept = poll::until_async(DEADLINE, || async {
            keys(site).iter().all(|key| self.kv.has(key)).then_some(())
        });
        assert!(kept.await.is_some(), "not kept:\n{}", self.edge.as_ref().unwrap().log());
    }

    async fn ask(&self, method: Method, path: &str, fields: &[(&str, &str)]) -> Response {
        let url = format!("{}{path}", self.edge.as_ref().unwrap().url);
        let request = self.world.client.request(method, url);
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.ask(Method::GET, path, fields).await
    }

    /// Loads all that a client of this site may come to want.
    async fn loads(&self, site: &Built) {
        for asset in site.manifest.assets.values() {
            for accept_encoding in ["br", "identity"] {
                let answer = self.get(&asset.path, &[("accept-encoding", accept_encoding)]).await;
                let build = &site.manifest.build;
                assert_eq!(answer.status(), 200, "{} of {build}", asset.path);
                let said = ["content-type", "cache-control", "x-content-type-options"];
                let expected = ["text/javascript", IMMUTABLE, "nosniff"];
                assert_eq!(said.map(|name| field(&answer, name)), expected, "{} of {build}", asset.path);
                let bytes = answer.bytes().await.unwrap();
                let whole = if accept_encoding == "br" { decompress(&bytes) } else { bytes.to_vec() };
                assert!(whole == site.read(&asset.path), "{} of {build}", asset.path);
            }
        }
    }
}

/// The keys of a site's assets, in all of their forms.
fn keys(site: &Built) -> Vec<String> {
    let assets = site.manifest.assets.values();
    assets.flat_map(|asset| ["kept", "kept.br"].map(|form| format!("{form}:{}", asset.path))).collect()
}

/// A build with chunks of its own, and one that all builds have. That one is copied first, so that
/// it is on record when the chunks are in KV: of the last a killed edge may not know that it is.
fn build(number: usize, chunks: usize) -> Built {
    let mut site = Built::new(&format!("build-{number}"));
    site.page("/", "/index.html", &format!("<!doctype html><title>{number}</title>"));
    site.asset("all.js", text(999, 20).as_bytes());
    for chunk in 0..chunks {
        site.asset(&format!("chunk-{chunk}.js"), text(number * 100 + chunk, 20).as_bytes());
    }
    site
}

fn clients_of_twenty_builds(world: &World) {
    world.run(async {
        let mut deployed = Deployed::new(world);
        let builds: Vec<Built> = (0..BUILDS).map(|number| build(number, 4)).collect();
        for site in &builds {
            deployed.deploy(site).await;
            deployed.kept(site).await;
        }
        for site in &builds {
            deployed.loads(site).await;
        }
        // What all have in common is copied once.
        let shared = &builds[0].manifest.assets["all.js"].path;
        let puts = deployed.kv.calls().iter().filter(|call| **call == format!("PUT /kept:{shared}")).count();
        assert_eq!(puts, 1);

        // An earlier build takes the place of the last.
        deployed.deploy(&builds[3]).await;
        for site in &builds {
            deployed.loads(site).await;
        }
        let missing = deployed.get("/assets/chunk-0.0000000000000000.js", &[("accept", "text/html")]).await;
        let said = ["cache-control", "content-type"].map(|name| field(&missing, name));
        assert_eq!(missing.status(), 404);
        assert_eq!(said, ["no-store", "application/problem+json"]);
    });
}

fn a_copy_that_was_cut_short_goes_on(world: &World) {
    world.run(async {
        let mut deployed = Deployed::new(world);
        let site = build(1, 60);
        deployed.deploy(&site).await;
        let begun = poll::until_async(DEADLINE, || async { (deployed.kv.len() > 10).then_some(()) });
        assert!(begun.await.is_some());
        deployed.deploy(&site).await;
        deployed.kept(&site).await;
        let mut puts = deployed.kv.calls();
        puts.retain(|call| call.starts_with("PUT /kept"));
        let all = puts.len();
        puts.sort();
        puts.dedup();
        assert_eq!(puts.len(), keys(&site).len());
        // But for the asset that was being copied.
        assert!(all <= puts.len() + 2, "{all} for {}", puts.len());
    });
}

fn what_is_kept_is_served_as_what_is_current(world: &World) {
    world.run(async {
        let mut deployed = Deployed::new(world);
        let (mut old, new) = (build(1, 1), build(2, 1));
        old.dictionary("chunk-0.js");
        let path = &old.manifest.assets["chunk-0.js"].path;
        let whole = old.read(path);
        let asked: [(Method, &[(&str, &str)]); 7] = [
            (Method::GET, &[("accept-encoding", "br")]),
            (Method::GET, &[]),
            (Method::HEAD, &[("accept-encoding", "br")]),
            (Method::GET, &[("range", "bytes=5-14"), ("accept-encoding", "br")]),
            (Method::GET, &[("range", "bytes=9999999-")]),
            (Method::GET, &[("if-none-match", "*")]),
            (Method::GET, &[("accept-encoding", "identity;q=0")]),
        ];
        let mut current = Vec::new();
        deployed.deploy(&old).await;
        for (method, fields) in &asked {
            current.push(told(deployed.ask(method.clone(), path, fields).await).await);
        }
        deployed.kept(&old).await;
        deployed.deploy(&new).await;
        for ((method, fields), current) in asked.iter().zip(current) {
            let kept = told(deployed.ask(method.clone(), path, fields).await).await;
            assert_eq!(kept, current, "{method} {fields:?}");
        }
        let part = deployed.get(path, &[("range", "bytes=5-14")]).await;
        assert_eq!((part.status().as_u16(), &part.bytes().await.unwrap()[..]), (206, &whole[5..15]));
        assert_eq!(
            field(&deployed.get(path, &[]).await, "use-as-dictionary"),
            "match=\"/assets/chunk-0.*.js\""
        );
    });
}

/// Status, fields and body, but for what each answer has of its own.
async fn told(answer: Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let status = answer.status().as_u16();
    let own = ["date", "x-request-id", "server-timing"];
    let fields = answer.headers().iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let mut fields: Vec<_> =
        fields.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    fields.sort();
    let body = answer.bytes().await.unwrap().to_vec();
    // A problem names its request.
    (status, fields, if status >= 400 { Vec::new() } else { body })
}

fn while_kv_fails(world: &World) {
    world.run(async {
        let mut deployed = Deployed::new(world);
        let (old, new) = (build(1, 1), build(2, 1));
        deployed.deploy(&old).await;
        deployed.kept(&old).await;
        deployed.deploy(&new).await;
        let path = &old.manifest.assets["chunk-0.js"].path;
        deployed.kv.fail(Fault::Fails);
        let failed = deployed.get(path, &[]).await;
        let said = ["cache-control", "retry-after", "content-type"].map(|name| field(&failed, name));
        assert_eq!(failed.status(), 503);
        assert_eq!(said, ["no-store", "5", "application/problem+json"]);
        deployed.loads(&new).await;
        deployed.kv.fail(Fault::None);
        deployed.loads(&old).await;
    });
}
