//! The rim: where the Workers runtime calls in, and the decisions of the core are
//! carried out. Clock, randomness and I/O are here and nowhere else.
//!
//! It works on `web_sys` types. What costs is each crossing between JavaScript and
//! Wasm, so header fields cross as one string, and bodies not at all.

mod body;
mod cache_api;
mod cached;
mod circumstances;
mod collapse;
mod collapse_object;
mod control_log;
mod control_object;
mod deadline;
mod explain;
mod hit;
mod incoming;
mod interface;
mod isolate;
mod js;
mod keeping;
mod kv;
mod origin;
mod proxy;
mod reply;
mod site;
mod store;
mod write_through;
mod written;

use core::net::IpAddr;
use std::rc::Rc;

use tidewall_api::site::Index;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Context, Env, wasm_bindgen_futures, worker_sys};

use crate::cache::target::{Target, normal_escapes};
use crate::config::Config;
use crate::problems;
use crate::route::{Route, Site, route};
use crate::timing::Timings;
use incoming::Incoming;
use isolate::Isolate;
use reply::Reply;

/// What there is to answer one request with.
struct Edge<'a> {
    isolate: &'a Rc<Isolate>,
    config: &'a Config,
    env: &'a Env,
    request: &'a Incoming,
    target: Target<'a>,
}

impl<'a> Edge<'a> {
    fn new(isolate: &'a Rc<Isolate>, env: &'a Env, request: &'a Incoming) -> Result<Self, JsValue> {
        let config = isolate.config.as_ref().map_err(|error| JsValue::from(error.to_string()))?;
        let target = request.target().ok_or("the request has no URL")?;
        Ok(Self { isolate, config, env, request, target })
    }

    /// The client's address, where the platform tells it.
    fn client_address(&self) -> Option<IpAddr> {
        self.config.client_address_field.read(&self.request.fields)
    }
}

/// Does nothing. As before each call, a new instance begins first if the last one trapped.
#[wasm_bindgen]
#[expect(unreachable_pub, reason = "exported to JavaScript")]
pub fn renew() {}

/// Answers a request. `was_looked_for` says that the Cache API was asked for its URL, and
/// had nothing.
#[wasm_bindgen]
#[expect(unreachable_pub, reason = "exported to JavaScript")]
pub async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: worker_sys::Context,
    was_looked_for: bool,
) -> Result<web_sys::Response, JsValue> {
    let mut request = Incoming::read(request)?;
    // It was looked for under the URL as it came.
    request.was_looked_for =
        was_looked_for && request.url.as_deref() == Some(&*normal_escapes(&request.js.url()));
    let context = Context::new(context);
    let mut timings = Timings::default();
    let response = match answer(&request, &env, &context, &mut timings).await {
        Ok(reply) => reply.into_response(&request, &timings),
        Err(error) => Err(error),
    };
    response.or_else(|error| {
        worker::console_error!("request {} failed: {}", request.id, js::message(&error));
        Reply::problem(problems::internal(), &request.id).into_response(&request, &timings)
    })
}

async fn answer(
    request: &Incoming,
    env: &Env,
    context: &Context,
    timings: &mut Timings,
) -> Result<Reply, JsValue> {
    let isolate = Isolate::get(env)?;
    if request.target().is_none() {
        return Ok(Reply::problem(problems::bad_target(), &request.id));
    }
    let edge = Edge::new(&isolate, env, request)?;

    let index = site::index(&edge).await;
    let site = site_of(index.as_ref());
    match (route(edge.target.path, site, &edge.config.origin_paths), site) {
        (Route::Origin, _) => {
            let sent = edge.isolate.control.last_sent();
            let reply = proxy::answer(&edge, context, timings).await;
            control_log::follow(edge.isolate, edge.env, context, edge.config.control, sent);
            reply
        }
        (Route::Site | Route::Nothing, Site::Built(index)) => {
            control_log::tell_build(edge.isolate, edge.env, context);
            site::answer(&edge, index).await
        }
        (Route::Status, _) => interface::status(&edge),
        (Route::Purge, _) => interface::purge(&edge).await,
        (Route::Explain, _) => interface::explain(&edge, context, timings).await,
        (Route::NotFound, _) => Ok(Reply::problem(problems::not_found(), &request.id)),
        (Route::SiteBroken | Route::Site | Route::Nothing, _) => {
            Ok(Reply::problem(problems::internal(), &request.id))
        }
    }
}

/// The site, as far as there is one.
fn site_of(index: Option<&Result<Rc<Index>, JsValue>>) -> Site<'_> {
    match index {
        None => Site::Absent,
        Some(Ok(index)) => Site::Built(index),
        Some(Err(error)) => {
            worker::console_error!("the site's manifest can't be used: {}", js::message(error));
            Site::Broken
        }
    }
}
