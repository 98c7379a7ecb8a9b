//! The Workers KV binding, as far as it is needed. Values stay JavaScript's:
//! unlike `worker::kv`, nothing is copied into Wasm unless asked for.

use js_sys::futures::JsFuture;
use js_sys::{ArrayBuffer, JSON, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::ReadableStream;

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

    #[wasm_bindgen(method, catch, js_name = getWithMetadata)]
    fn get_both(this: &Namespace, key: &str, kind: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = delete)]
    fn delete_key(this: &Namespace, key: &str) -> Result<Promise, JsValue>;
}

impl Namespace {
    /// The value of `key`.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Uint8Array>, JsValue> {
        let value = JsFuture::from(self.get_as(key, "arrayBuffer")?).await?;
        Ok(value.dyn_into::<ArrayBuffer>().ok().map(|buffer| Uint8Array::new(&buffer)))
    }

    /// The value of `key` as a stream, and what was put beside it, as JSON.
    pub(super) async fn get_with_metadata(
        &self,
        key: &str,
    ) -> Result<Option<(ReadableStream, String)>, JsValue> {
        let both = JsFuture::from(self.get_both(key, "stream")?).await?;
        let Ok(value) = Reflect::get(&both, &"value".into())?.dyn_into::<ReadableStream>() else {
            return Ok(None);
        };
        let metadata = JSON::stringify(&Reflect::get(&both, &"metadata".into())?)?;
        Ok(Some((value, metadata.as_string().unwrap_or_default())))
    }

    /// Sets `key` for `ttl_s` seconds, or for the least that the store takes.
    pub(super) async fn put(&self, key: &str, value: &Uint8Array, ttl_s: u64) -> Result<(), JsValue> {
        // Exact: a lifetime is capped far below 2^53 seconds.
        self.set(key, value, "expirationTtl", &(ttl_s.max(TTL_S_MIN) as f64).into()).await
    }

    /// Sets `key` for ever, with JSON beside it.
    pub(super) async fn put_with_metadata(
        &self,
        key: &str,
        value: &Uint8Array,
        metadata: &str,
    ) -> Result<(), JsValue> {
        self.set(key, value, "metadata", &JSON::parse(metadata)?).await
    }

    async fn set(
        &self,
        key: &str,
        value: &Uint8Array,
        option: &str,
        setting: &JsValue,
    ) -> Result<(), JsValue> {
        if value.length() > VALUE_BYTES_MAX {
            return Err(format!("{key} has {} bytes, more than {VALUE_BYTES_MAX}", value.length()).into());
        }
        let options = Object::new();
        Reflect::set(&options, &option.into(), setting)?;
        JsFuture::from(self.put_with(key, value, &options)?).await?;
        Ok(())
    }

    /// Removes `key`.
    pub(super) async fn delete(&self, key: &str) -> Result<(), JsValue> {
        JsFuture::from(self.delete_key(key)?).await?;
        Ok(())
    }
}
