//! The Workers KV binding, as far as the cache needs it. Values stay JavaScript's:
//! unlike `worker::kv`, nothing is copied into Wasm unless asked for.

use js_sys::futures::JsFuture;
use js_sys::{ArrayBuffer, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

/// Least time to live that the store takes:
/// <https://developers.cloudflare.com/kv/api/write-key-value-pairs/#expiring-keys>.
const TTL_S_MIN: u64 = 60;

/// Largest value that the store takes: <https://developers.cloudflare.com/kv/platform/limits/>.
const VALUE_BYTES_MAX: u32 = 25 * 1024 * 1024;

#[wasm_bindgen]
extern "C" {
    /// `KVNamespace`.
    #[derive(Clone)]
    pub(super) type Namespace;

    #[wasm_bindgen(method, catch, js_name = get)]
    fn get_as(this: &Namespace, key: &str, kind: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = put)]
    fn put_with(
        this: &Namespace,
        key: &str,
        value: &Uint8Array,
        options: &Object,
    ) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = delete)]
    fn delete_key(this: &Namespace, key: &str) -> Result<Promise, JsValue>;
}

impl Namespace {
    /// The value of `key`.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Uint8Array>, JsValue> {
        let value = JsFuture::from(self.get_as(key, "arrayBuffer")?).await?;
        Ok(value.dyn_into::<ArrayBuffer>().ok().map(|buffer| Uint8Array::new(&buffer)))
    }

    /// Sets `key` for `ttl_s` seconds, or for the least that the store takes.
    pub(super) async fn put(&self, key: &str, value: &Uint8Array, ttl_s: u64) -> Result<(), JsValue> {
        if value.length() > VALUE_BYTES_MAX {
            return Err(format!("{key} has {} bytes, more than {VALUE_BYTES_MAX}", value.length()).into());
        }
        let options = Object::new();
        // Exact: a lifetime is capped far below 2^53 seconds.
        Reflect::set(&options, &"expirationTtl".into(), &(ttl_s.max(TTL_S_MIN) as f64).into())?;
        JsFuture::from(self.put_with(key, value, &options)?).await?;
        Ok(())
    }

    /// Removes `key`.
    pub(super) async fn delete(&self, key: &str) -> Result<(), JsValue> {
        JsFuture::from(self.delete_key(key)?).await?;
        Ok(())
    }
}
