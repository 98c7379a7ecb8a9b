//! The built site, served from the assets binding.

use std::rc::Rc;

use js_sys::futures::JsFuture;
use tidewall_api::manifest::{FILE_NAME, Manifest, VERSION};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Headers, RequestInit, Response};
use worker::worker_sys::Fetcher;

use crate::fields::Fields;
use crate::problems;
use crate::security;
use crate::worker::reply::{Body, Reply};
use crate::worker::{Edge, js};

/// Name of the binding.
const BINDING: &str = "ASSETS";

/// What may be asked of a file.
const ALLOW: &str = "GET, HEAD";

/// For a file whose name changes with its content: a year, the longest that means
/// anything to caches, and no revalidation (RFC 8246).
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// For a file that keeps its name: kept, but never used unasked.
const REVALIDATED: &str = "no-cache";

/// The site's table of contents, read once per isolate. `None` without a site.
pub(super) async fn manifest(edge: &Edge<'_>) -> Option<Result<Rc<Manifest>, JsValue>> {
    if let Some(manifest) = edge.isolate.manifest.get() {
        return Some(Ok(Rc::clone(manifest)));
    }
    let assets = match binding(edge) {
        Ok(Some(assets)) => assets,
        Ok(None) => {
            edge.isolate.has_no_site.set(true);
            return None;
        }
        Err(error) => return Some(Err(error)),
    };
    let read = read_manifest(edge, &assets).await;
    Some(read.map(|manifest| Rc::clone(edge.isolate.manifest.get_or_init(|| Rc::new(manifest)))))
}

/// A page of the site.
pub(super) async fn page(edge: &Edge<'_>, file: &str) -> Result<Reply, JsValue> {
    let mut reply = serve(edge, file, REVALIDATED).await?;
    if reply.status == 404 {
        return Err(format!("the manifest names {file}, which is not in the site").into());
    }
    security::protect_page(&mut reply.fields);
    Ok(reply)
}

/// The page that says that there is none. Nobody may keep it: there may be one soon.
pub(super) async fn not_found_page(edge: &Edge<'_>, file: &str) -> Result<Reply, JsValue> {
    let mut reply = page(edge, file).await?;
    if reply.status == 200 {
        reply.status = 404;
        reply.fields.remove("etag");
        reply.fields.set("cache-control", "no-store");
    }
    Ok(reply)
}

/// An immutable file.
pub(super) async fn asset(edge: &Edge<'_>) -> Result<Reply, JsValue> {
    serve(edge, edge.target.path, IMMUTABLE).await
}

/// Any other file.
pub(super) async fn file(edge: &Edge<'_>) -> Result<Reply, JsValue> {
    serve(edge, edge.target.path, REVALIDATED).await
}

async fn serve(edge: &Edge<'_>, file: &str, cache_control: &str) -> Result<Reply, JsValue> {
    let request = edge.request;
    if !request.is_read() {
        let mut reply = Reply::problem(problems::method_not_allowed(ALLOW), &request.id);
        reply.fields.set("allow", ALLOW);
        return Ok(reply);
    }
    let assets = binding(edge)?.ok_or("the assets binding is gone")?;
    let response = fetch(edge, &assets, file, &request.method, request.fields.get("if-none-match")).await?;
    let status = response.status();
    if status != 200 && status != 304 {
        return Ok(Reply::problem(problems::not_found(), &request.id));
    }
    let theirs = js::read_fields(&response.headers());
    let mut fields = Fields::default();
    for name in ["content-type", "content-length", "etag"] {
        if let Some(value) = theirs.get(name) {
            fields.set(name, value);
        }
    }
    fields.set("cache-control", cache_control);
    security::protect_file(&mut fields);
    Ok(Reply { status, fields, body: Body::of(&response) })
}

async fn read_manifest(edge: &Edge<'_>, assets: &Fetcher) -> Result<Manifest, JsValue> {
    let response = fetch(edge, assets, &format!("/{FILE_NAME}"), "GET", None).await?;
    if response.status() != 200 {
        return Err(format!("{FILE_NAME}: status {}", response.status()).into());
    }
    let text = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| format!("{FILE_NAME}: {error}"))?;
    if manifest.version != VERSION {
        return Err(format!("{FILE_NAME}: version {}, expected {VERSION}", manifest.version).into());
    }
    Ok(manifest)
}

async fn fetch(
    edge: &Edge<'_>,
    assets: &Fetcher,
    file: &str,
    method: &str,
    if_none_match: Option<&str>,
) -> Result<Response, JsValue> {
    let init = RequestInit::new();
    init.set_method(method);
    if let Some(condition) = if_none_match {
        let headers = Headers::new()?;
        headers.set("if-none-match", condition)?;
        init.set_headers(&headers);
    }
    let url = format!("{}://{}{file}", edge.target.scheme, edge.target.host);
    JsFuture::from(assets.fetch_with_str_and_init(&url, &init)?).await?.dyn_into()
}

fn binding(edge: &Edge<'_>) -> Result<Option<Fetcher>, JsValue> {
    Ok(js::binding(edge.env, BINDING)?.map(JsCast::unchecked_into))
}
