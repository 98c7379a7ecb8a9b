//! Where requests that miss the same response meet: a Durable Object for each part of
//! the keys in each data centre. It keeps nothing but what is in the air.
//!
//! `/join` answers once there is something to do; `/land` brings a leader's outcome, and
//! what it stored as its body, which those who wait get as it is.

use std::cell::RefCell;
use std::collections::HashMap;

use futures::channel::oneshot;
use futures::future::select;
use js_sys::Uint8Array;
use js_sys::futures::JsFuture;
use web_sys::ResponseInit;
use worker::{Delay, DurableObject, Env, Error, Request, Response, Result, State, durable_object};

use crate::cache::flight::{Flight, Outcome, Role};
use crate::fields::Fields;
use crate::time::Timestamp;
use crate::worker::collapse::{GENERATION, ROLE, VARIANT, WAIT_MAX, parameter};
use crate::worker::js;

/// Most flights of one object, beyond which those that are over are dropped.
const FLIGHTS_MAX: usize = 1_024;

/// The object.
#[durable_object(fetch)]
pub struct Collapse {
    flights: RefCell<HashMap<String, Flying>>,
}

#[derive(Default)]
struct Flying {
    flight: Flight,
    /// What the last leader stored, and the key of the variant that it is.
    stored: Option<(Uint8Array, String)>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl DurableObject for Collapse {
    fn new(_state: State, _env: Env) -> Self {
        Self { flights: RefCell::default() }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let url = request.url()?;
        let query = url.query().unwrap_or_default();
        let flight = parameter(query, "flight").ok_or_else(|| Error::from("no flight"))?.to_owned();
        let number = |name| parameter(query, name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
        match url.path() {
            "/join" => self.join(&flight, number("refused")).await,
            "/land" => {
                let outcome = match parameter(query, "outcome") {
                    Some("filled") => Outcome::Filled,
                    Some("unstorable") => Outcome::Unstorable,
                    Some("origin-failed") => Outcome::OriginFailed,
                    _ => Outcome::Failed,
                };
                let variant = parameter(query, "variant").unwrap_or_default().to_owned();
                let body = Uint8Array::new(&JsFuture::from(request.inner().array_buffer()?).await?);
                self.land(&flight, number("generation"), outcome, body, variant);
                Response::empty()
            }
            _ => Response::error("not found", 404),
        }
    }
}

impl Collapse {
    async fn join(&self, flight: &str, refused: u64) -> Result<Response> {
        let deadline = js::now().after(WAIT_MAX);
        loop {
            let now = js::now();
            let role = self.with(flight, |flying| flying.flight.join(refused, now));
            match role {
                Role::Leader { generation } => return told("leader", generation, None),
                Role::Alone => return told("alone", 0, None),
                Role::OriginFailed { generation } => return told("origin-failed", generation, None),
                Role::Landed { generation } => {
                    let stored = self.with(flight, |flying| flying.stored.clone());
                    return told("landed", generation, stored);
                }
                Role::Waiter { .. } if now >= deadline => return told("alone", 0, None),
                Role::Waiter { until } => self.wait(flight, until.min(deadline)).await,
            }
        }
    }

    /// Waits for a landing, at most until then.
    async fn wait(&self, flight: &str, until: Timestamp) {
        let (landed, waiting) = oneshot::channel();
        self.with(flight, |flying| flying.waiting.push(landed));
        select(waiting, Delay::from(until.since(js::now()))).await;
    }

    fn land(&self, flight: &str, generation: u64, outcome: Outcome, body: Uint8Array, variant: String) {
        self.with(flight, |flying| {
            if flying.flight.land(generation, outcome, js::now()) {
                flying.stored = (body.length() > 0).then_some((body, variant));
                for waiting in flying.waiting.drain(..) {
                    // One that is gone needs no word.
                    let _ = waiting.send(());
                }
            }
        });
    }

    fn with<T>(&self, flight: &str, act: impl FnOnce(&mut Flying) -> T) -> T {
        let mut flights = self.flights.borrow_mut();
        if flights.len() >= FLIGHTS_MAX && !flights.contains_key(flight) {
            let now = js::now();
            flights.retain(|_, flying| !flying.flight.is_over(now));
        }
        let flying = flights.entry(flight.to_owned()).or_default();
        flying.waiting.retain(|waiting| !waiting.is_canceled());
        act(flying)
    }
}

fn told(role: &str, generation: u64, stored: Option<(Uint8Array, String)>) -> Result<Response> {
    let mut fields = Fields::default();
    fields.set(ROLE, role);
    fields.set(GENERATION, generation.to_string());
    let (body, variant) = stored.unzip();
    if let Some(variant) = variant {
        fields.set(VARIANT, variant);
    }
    let init = ResponseInit::new();
    init.set_headers(&js::write_fields(&fields)?.into());
    // Handed on by JavaScript: it doesn't pass through Wasm.
    Ok(web_sys::Response::new_with_opt_js_u8_array_and_init(body.as_ref(), &init)?.into())
}
