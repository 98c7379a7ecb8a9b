//! Where requests that miss the same response meet: a Durable Object for each part of
//! the keys in each data centre. It keeps nothing but what is in the air.
//!
//! `/join` answers once there is something to do, or soon that there is nothing yet; `/land` brings a leader's outcome, and
//! what it stored as its body, which those who wait get as it is.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use futures::channel::oneshot;
use futures::future::select;
use js_sys::Uint8Array;
use js_sys::futures::JsFuture;
use web_sys::ResponseInit;
use worker::{Delay, DurableObject, Env, Error, Request, Response, Result, State, durable_object};

use crate::cache::flight::{Flight, Outcome, Role};
use crate::cache::flights::Flights;
use crate::cache::memory::{Bounds, Memory};
use crate::cache::target::Target;
use crate::fields::Fields;
use crate::time::Timestamp;
use crate::worker::collapse::{GENERATION, HANDED_BYTES_MAX, ROLE, ROUND, VARIANT, parameter};
use crate::worker::js;

/// What is kept of what leaders stored, until those who come a little late have it, too: by
/// all objects together, as many of them may share one isolate's memory. What had to make
/// room is told without, and found where the leader put it.
const HANDED: Bounds = Bounds {
    bytes_max: 8 * 1024 * 1024,
    entry_bytes_max: 2 * HANDED_BYTES_MAX as usize,
    entries_max: NonZeroUsize::new(4_096).unwrap(),
};

thread_local! {
    /// By object and flight: what was stored, and the key of the variant that it is.
    static STORED: RefCell<Memory<(Uint8Array, String)>> = RefCell::new(Memory::new(HANDED));
}

/// The object.
#[durable_object(fetch)]
pub struct Collapse {
    id: String,
    flights: RefCell<Flights<Vec<oneshot::Sender<()>>>>,
}

impl DurableObject for Collapse {
    fn new(state: State, _env: Env) -> Self {
        Self { id: state.id().to_string(), flights: RefCell::default() }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        // Not by the crate `url`, whose tables of host names are a fifth of the Worker.
        let url = request.inner().url();
        let Target { path, query, .. } = Target::parse(&url).ok_or_else(|| Error::from("no URL"))?;
        let query = query.unwrap_or_default();
        let flight = parameter(query, "flight").ok_or_else(|| Error::from("no flight"))?.to_owned();
        let number = |name| parameter(query, name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
        match path {
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
        let deadline = js::now().after(ROUND);
        loop {
            let now = js::now();
            let role = self.with(flight, |flight, _| flight.join(refused, now)).unwrap_or(Role::Alone);
            match role {
                Role::Leader { generation } => return told("leader", generation, None),
                Role::Alone => return told("alone", 0, None),
                Role::OriginFailed { generation } => return told("origin-failed", generation, None),
                Role::Landed { generation } => return told("landed", generation, self.stored(flight)),
                Role::Waiter { .. } if now >= deadline => return told("waiter", 0, None),
                Role::Waiter { until } => self.wait(flight, until.min(deadline)).await,
            }
        }
    }

    /// Waits for a landing, at most until then.
    async fn wait(&self, flight: &str, until: Timestamp) {
        let (landed, waiting) = oneshot::channel();
        self.with(flight, |_, others| others.push(landed));
        select(waiting, Delay::from(until.since(js::now()))).await;
    }

    fn land(&self, flight: &str, generation: u64, outcome: Outcome, body: Uint8Array, variant: String) {
        self.with(flight, |known, waiting| {
            if known.land(generation, outcome, js::now()) {
                self.store(flight, body, variant);
                for waiting in waiting.drain(..) {
                    // One that is gone needs no word.
                    let _ = waiting.send(());
                }
            }
        });
    }

    /// What the last leader stored, if it is still there.
    fn stored(&self, flight: &str) -> Option<(Uint8Array, String)> {
        STORED.with_borrow_mut(|stored| stored.get(&self.key(flight)).cloned())
    }

    fn store(&self, flight: &str, body: Uint8Array, variant: String) {
        let (key, bytes) = (self.key(flight), body.length() as usize);
        STORED.with_borrow_mut(|stored| match bytes {
            0 => drop(stored.remove(&key)),
            _ => stored.put(&key, (body, variant), key.len() + bytes),
        });
    }

    fn key(&self, flight: &str) -> String {
        format!("{}:{flight}", self.id)
    }

    /// A flight and those who wait for it; `None` where there are too many.
    fn with<T>(
        &self,
        flight: &str,
        act: impl FnOnce(&mut Flight, &mut Vec<oneshot::Sender<()>>) -> T,
    ) -> Option<T> {
        let mut flights = self.flights.borrow_mut();
        let flying = flights.get(flight, js::now())?;
        flying.known.retain(|waiting| !waiting.is_canceled());
        Some(act(&mut flying.flight, &mut flying.known))
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
