//! Stored responses in Workers KV. A store that fails costs speed, nothing else:
//! what can't be read is a miss, what can't be written is fetched again.

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

use crate::cache::envelope::{self, Envelope, PREFIX_BYTES};
use crate::worker::js;
use crate::worker::kv::Namespace;

/// Name of the binding.
const BINDING: &str = "CACHE";

/// Where responses are stored.
pub(super) struct Store(Namespace);

/// A stored response.
pub(super) struct Stored {
    pub(super) envelope: Envelope,
    pub(super) body: Uint8Array,
}

impl Store {
    /// The store, if one is bound.
    pub(super) fn bound(env: &Env) -> Result<Option<Self>, JsValue> {
        Ok(js::binding(env, BINDING)?.map(|binding| Self(binding.unchecked_into())))
    }

    /// What is stored under `key`, if it can be read.
    pub(super) async fn get(&self, key: &str) -> Option<Stored> {
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

    /// Stores a response. Whether that worked.
    pub(super) async fn put(&self, key: &str, envelope: &Envelope, body: &Uint8Array) -> bool {
        let put = async {
            let head = envelope.encode().map_err(|error| error.to_string())?;
            let head = Uint8Array::from(head.as_slice());
            let value = Uint8Array::new_with_length(head.length() + body.length());
            value.set(&head, 0);
            value.set(body, head.length());
            // Rounded up: the envelope knows the exact end, the store only cleans up.
            let left = envelope.lifetime().saturating_sub(envelope.age(envelope.response_time));
            self.0.put(key, &value, left.as_secs() + 1).await
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

fn read(value: &Uint8Array) -> Result<Stored, envelope::Broken> {
    let length = value.length();
    let prefix = value.subarray(0, PREFIX_BYTES as u32).to_vec();
    let head = envelope::head_bytes(&prefix, length as usize)?;
    let body_begins = (PREFIX_BYTES + head) as u32;
    let head = value.subarray(PREFIX_BYTES as u32, body_begins).to_vec();
    let envelope = Envelope::decode(&head, length as usize)?;
    Ok(Stored { envelope, body: value.subarray(body_begins, length) })
}
