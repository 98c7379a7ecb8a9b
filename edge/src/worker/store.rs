//! Stored responses in Workers KV. A store that fails costs speed, nothing else:
//! what can't be read is a miss, what can't be written is fetched again.

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

use crate::cache::envelope::{self, Envelope, PREFIX_BYTES, Record, Variants};
use crate::time::Timestamp;
use crate::worker::js;
use crate::worker::kv::Namespace;

/// Name of the binding.
const BINDING: &str = "CACHE";

/// Where responses are stored.
#[derive(Clone)]
pub(super) struct Store(Namespace);

/// A stored response.
pub(super) struct Stored {
    pub(super) envelope: Envelope,
    pub(super) body: Uint8Array,
}

/// What lies under a key.
pub(super) enum Found {
    Response(Stored),
    Variants(Variants),
}

impl Store {
    /// The store, if one is bound.
    pub(super) fn bound(env: &Env) -> Result<Option<Self>, JsValue> {
        Ok(js::binding(env, BINDING)?.map(|binding| Self(binding.unchecked_into())))
    }

    /// What is stored under `key`, if it can be read.
    pub(super) async fn get(&self, key: &str) -> Option<Found> {
        match self.0.get(key).await {
            Ok(value) => read(&value?)
                .inspect_err(|broken| worker::console_warn!("stored response {key} is not used: {broken}"))
                .ok(),
            Err(error) => {
                worker::console_warn!("the cache's store can't be read: {}", js::message(&error));
                None
            }
        }
    }

    /// Stores a response as long as it is of use. Whether that worked.
    pub(super) async fn put(&self, key: &str, envelope: Envelope, body: &Uint8Array) -> bool {
        let (now, until) = (envelope.response_time, envelope.useful_until());
        self.write(key, Record::Response(envelope), Some(body), now, until).await
    }

    /// Stores what tells variants apart. Whether that worked.
    pub(super) async fn put_variants(&self, key: &str, variants: Variants, now: Timestamp) -> bool {
        let until = variants.until;
        self.write(key, Record::Variants(variants), None, now, until).await
    }

    async fn write(
        &self,
        key: &str,
        record: Record,
        body: Option<&Uint8Array>,
        now: Timestamp,
        until: Timestamp,
    ) -> bool {
        let put = async {
            let head = record.encode().map_err(|error| error.to_string())?;
            let head = Uint8Array::from(head.as_slice());
            let value = Uint8Array::new_with_length(head.length() + body.map_or(0, Uint8Array::length));
            value.set(&head, 0);
            if let Some(body) = body {
                value.set(body, head.length());
            }
            // Rounded up: the record knows the exact end, the store only cleans up.
            self.0.put(key, &value, until.since(now).as_secs() + 1).await
        };
        put.await
            .inspect_err(|error| {
                worker::console_warn!("the cache's store can't be written: {}", js::message(error))
            })
            .is_ok()
    }

    /// Removes what is stored under `key`.
    pub(super) async fn delete(&self, key: &str) {
        if let Err(error) = self.0.delete(key).await {
            worker::console_warn!("the cache's store can't be written: {}", js::message(&error));
        }
    }
}

fn read(value: &Uint8Array) -> Result<Found, envelope::Broken> {
    let length = value.length();
    let prefix = value.subarray(0, PREFIX_BYTES as u32).to_vec();
    let head = envelope::head_bytes(&prefix, length as usize)?;
    let body_begins = (PREFIX_BYTES + head) as u32;
    let head = value.subarray(PREFIX_BYTES as u32, body_begins).to_vec();
    Ok(match Record::decode(&head, length as usize)? {
        Record::Response(envelope) => {
            Found::Response(Stored { envelope, body: value.subarray(body_begins, length) })
        }
        Record::Variants(variants) => Found::Variants(variants),
    })
}
