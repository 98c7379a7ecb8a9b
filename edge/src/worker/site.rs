//! The built site, from the assets binding.

use std::rc::Rc;

use js_sys::futures::JsFuture;
use js_sys::{ArrayBuffer, Reflect, Uint8Array};
use tidewall_api::manifest::{Encodings, FILE_NAME, Manifest, VERSION};
use tidewall_api::site::{Answer, Body as Told, Index, Outcome, Request, Sent, respond, respond_kept};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ReadableStream, Response};
use worker::Env;
use worker::worker_sys::Fetcher;

use crate::fields::Fields;
use crate::kept::may_be_kept;
use crate::problems;
use crate::worker::incoming::Incoming;
use crate::worker::reply::{Body, Reply};
use crate::worker::{Edge, js, keeping};

/// Name of the binding.
const BINDING: &str = "ASSETS";
/// The binding is reached by HTTP; no one resolves this name.
const URL: &str = "https://assets.tidewall.invalid";

/// Seconds after which whoever found KV out of reach may ask again.
const RETRY_AFTER_S: &str = "5";

/// What is in the site, read once per isolate. `None` without a site.
pub(super) async fn index(edge: &Edge<'_>) -> Option<Result<Rc<Index>, JsValue>> {
    if let Some(index) = edge.isolate.site.get() {
        return Some(Ok(Rc::clone(index)));
    }
    let assets = match binding(edge.env) {
        Ok(Some(assets)) => assets,
        Ok(None) => {
            edge.isolate.has_no_site.set(true);
            return None;
        }
        Err(error) => return Some(Err(error)),
    };
    let manifest = read_manifest(&assets).await;
    let index = |manifest| Rc::clone(edge.isolate.site.get_or_init(|| Rc::new(Index::new(manifest))));
    Some(manifest.map(index))
}

/// The site's answer.
pub(super) async fn answer(edge: &Edge<'_>, index: &Index) -> Result<Reply, JsValue> {
    let accept_encoding = accept_encoding(edge.request);
    let request = asked(edge, accept_encoding.as_deref());
    let answer = respond(index, &request);
    if answer.outcome == Outcome::UnknownAsset && edge.request.is_read() {
        return kept(edge, &request, answer).await;
    }
    let body = match &answer.body {
        Told::File(sent) => {
            let assets = binding(edge.env)?.ok_or("the assets binding is gone")?;
            let response = fetch(&assets, &sent.file).await?;
            if response.status() != 200 {
                let status = response.status();
                return Err(format!("{FILE_NAME} names {}: status {status}", sent.file).into());
            }
            part(sent, response.body().ok_or("a file without a body")?).await?
        }
        _ => Body::Empty,
    };
    Ok(reply(answer, body, &edge.request.id))
}

/// The answer with an asset of an earlier build; `unknown` where none is kept.
async fn kept(edge: &Edge<'_>, request: &Request<'_>, unknown: Answer) -> Result<Reply, JsValue> {
    match find_kept(edge, request).await {
        Ok(Some((answer, body))) => Ok(reply(answer, body, &edge.request.id)),
        Ok(None) => Ok(reply(unknown, Body::Empty, &edge.request.id)),
        Err(error) => {
            worker::console_warn!("{} can't be looked for: {}", request.path, js::message(&error));
            let mut reply = Reply::problem(problems::asset_out_of_reach(), &edge.request.id);
            reply.fields.set("retry-after", RETRY_AFTER_S);
            Ok(reply)
        }
    }
}

async fn find_kept(edge: &Edge<'_>, request: &Request<'_>) -> Result<Option<(Answer, Body)>, JsValue> {
    let path = request.path;
    if !may_be_kept(path) {
        return Ok(None);
    }
    let Some((mut kept, whole)) = keeping::find(edge.env, path, "").await? else { return Ok(None) };
    let mut answer = respond_kept(&kept, request);
    if let Told::File(sent) = &answer.body
        && let Some(ending) = sent.file.strip_prefix(path).filter(|ending| !ending.is_empty())
    {
        if let Some((_, encoded)) = keeping::find(edge.env, path, ending).await? {
            Body::Stream(whole).discard();
            return Ok(Some((answer, Body::Encoded(encoded))));
        }
        // KV may know of one key before it does of another.
        kept.file.encodings = Encodings::default();
        answer = respond_kept(&kept, request);
    }
    let body = match &answer.body {
        Told::File(sent) => part(sent, whole).await?,
        _ => {
            Body::Stream(whole).discard();
            Body::Empty
        }
    };
    Ok(Some((answer, body)))
}

/// An answer of the policy with the bytes of the file that it names.
fn reply(answer: Answer, file: Body, request_id: &str) -> Reply {
    let mut fields = Fields::default();
    for (name, value) in &answer.fields {
        fields.push(name, value);
    }
    let body = match answer.body {
        Told::Problem(problem) => {
            let mut reply = Reply::problem(problem, request_id);
            reply.fields = fields;
            return reply;
        }
        Told::Text(text) => Body::Text(text),
        Told::Empty => Body::Empty,
        Told::File(_) => file,
    };
    Reply { status: answer.status, fields, body }
}

/// What is to be sent of a file. A part is cut out of the whole: neither binding knows ranges.
async fn part(sent: &Sent, file: ReadableStream) -> Result<Body, JsValue> {
    let Some(range) = &sent.range else {
        return Ok(if sent.is_encoded { Body::Encoded(file) } else { Body::Stream(file) });
    };
    let whole = Response::new_with_opt_readable_stream(Some(&file))?;
    let whole: ArrayBuffer = JsFuture::from(whole.array_buffer()?).await?.unchecked_into();
    let whole = Uint8Array::new(&whole);
    match (u32::try_from(range.start), u32::try_from(range.end)) {
        (Ok(start), Ok(end)) if end <= whole.length() => Ok(Body::Bytes(whole.subarray(start, end))),
        _ => Err(format!("{} is shorter than {FILE_NAME} says", sent.file).into()),
    }
}

/// What of a request decides about the answer.
fn asked<'a>(edge: &'a Edge<'_>, accept_encoding: Option<&'a str>) -> Request<'a> {
    let fields = &edge.request.fields;
    Request {
        method: &edge.request.method,
        path: edge.target.path,
        accept: fields.get("accept"),
        accept_encoding,
        available_dictionary: fields.get("available-dictionary"),
        if_none_match: fields.get("if-none-match"),
        if_range: fields.get("if-range"),
        range: fields.get("range"),
    }
}

/// What the client said in `Accept-Encoding`. The platform writes the field anew, and tells
/// the client's own words beside the request; where it doesn't, the field is as it came.
fn accept_encoding(request: &Incoming) -> Option<String> {
    let beside = Reflect::get(&request.js, &"cf".into()).ok();
    let said = beside
        .filter(JsValue::is_object)
        .and_then(|cf| Reflect::get(&cf, &"clientAcceptEncoding".into()).ok());
    let said = said.and_then(|said| said.as_string());
    said.or_else(|| request.fields.get("accept-encoding").map(str::to_owned))
}

/// The manifest of the site that is bound here.
pub(super) async fn read_manifest(assets: &Fetcher) -> Result<Manifest, JsValue> {
    let response = fetch(assets, &format!("/{FILE_NAME}")).await?;
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

/// A file of the site.
pub(super) async fn fetch(assets: &Fetcher, file: &str) -> Result<Response, JsValue> {
    let init = web_sys::RequestInit::new();
    JsFuture::from(assets.fetch_with_str_and_init(&format!("{URL}{file}"), &init)?).await?.dyn_into()
}

/// The binding; `None` without a site.
pub(super) fn binding(env: &Env) -> Result<Option<Fetcher>, JsValue> {
    Ok(js::binding(env, BINDING)?.map(JsCast::unchecked_into))
}
