//! The Cache API, as far as the cache needs it: the copies of one data centre.
//!
//! What is kept there is a value in our own form inside a plain 200, under a URL of
//! our own: the platform ignores `Vary`, refuses parts and has its own opinion on
//! age, and none of that is to decide on a response. Where it doesn't work, such as on
//! `*.workers.dev`, nothing is ever found.

use js_sys::futures::JsFuture;
use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Response, ResponseInit};

use crate::cache::key::cache_api_url;
use crate::fields::Fields;
use crate::worker::js;

#[wasm_bindgen]
extern "C" {
    /// `Cache`.
    #[derive(Clone)]
    pub(super) type CacheApi;

    #[wasm_bindgen(method, catch, js_name = match)]
    fn match_url(this: &CacheApi, url: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = put)]
    fn put_response(this: &CacheApi, url: &str, response: &Response) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = delete)]
    fn delete_url(this: &CacheApi, url: &str) -> Result<Promise, JsValue>;
}

impl CacheApi {
    /// `caches.default`, where there is one.
    pub(super) fn default() -> Option<Self> {
        let caches = Reflect::get(&js::scope(), &"caches".into()).ok()?;
        let cache = Reflect::get(&caches, &"default".into()).ok()?;
        cache.is_object().then(|| cache.unchecked_into())
    }

    /// The value of `key`.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Uint8Array>, JsValue> {
        let found = JsFuture::from(self.match_url(&cache_api_url(key))?).await?;
        let Ok(response) = found.dyn_into::<Response>() else { return Ok(None) };
        let buffer = JsFuture::from(response.array_buffer()?).await?;
        Ok(Some(Uint8Array::new(&buffer)))
    }

    /// Sets `key` for `ttl_s` seconds.
    pub(super) async fn put(&self, key: &str, value: &Uint8Array, ttl_s: u64) -> Result<(), JsValue> {
        let mut fields = Fields::default();
        fields.set("cache-control", format!("max-age={ttl_s}"));
        fields.set("content-type", "application/octet-stream");
        let init = ResponseInit::new();
        init.set_headers(&js::write_fields(&fields)?.into());
        let response = Response::new_with_opt_js_u8_array_and_init(Some(value), &init)?;
        JsFuture::from(self.put_response(&cache_api_url(key), &response)?).await?;
        Ok(())
    }

    /// Removes `key`.
    pub(super) async fn delete(&self, key: &str) -> Result<(), JsValue> {
        JsFuture::from(self.delete_url(&cache_api_url(key))?).await?;
        Ok(())
    }
}
