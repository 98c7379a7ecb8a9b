//! The store as it is, looked at without a trace: nothing is promoted, counted, or kept
//! from being the next to go.

use std::rc::Rc;

use futures::future::join;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;

use crate::cache::envelope::Variants;
use crate::cache::level::Level;
use crate::explain::copies::{Held, Look, variants};
use crate::worker::deadline::within;
use crate::worker::js;
use crate::worker::store::{READ_DEADLINE, Store, Value, decode};

/// Why a level isn't asked that could be.
const RESTING: &str = "it was slow just now, and is left alone for a moment";

impl Store {
    /// What each level has for the URL whose key this is. `variant_key` makes a variant's
    /// key from the fields that select it.
    pub(in crate::worker) async fn inspect(
        &self,
        key: &str,
        variant_key: impl Fn(&[String]) -> String,
    ) -> Vec<Look> {
        let of_url = self.under(key).await;
        let variants = variants(&of_url).cloned();
        let of_variant = match &variants {
            None => None,
            Some(variants) => Some(self.under(&variant_key(&variants.selecting)).await),
        };
        let mut of_variant = of_variant.map(IntoIterator::into_iter);
        let levels = Level::ALL.into_iter().zip(of_url);
        levels
            .map(|(level, url)| Look { level, url, variant: of_variant.as_mut().and_then(Iterator::next) })
            .collect()
    }

    /// What each level has under a key.
    async fn under(&self, key: &str) -> [Held; 3] {
        let is_resting = |level| self.remembered().rests.borrow().is_resting(level, js::now());
        let cache_api = async {
            match &self.cache_api {
                None => Held::Unknown("there is none here".to_owned()),
                Some(_) if is_resting(Level::CacheApi) => Held::Unknown(RESTING.to_owned()),
                Some(cache_api) => held(within(READ_DEADLINE, cache_api.get(key)).await),
            }
        };
        let kv = async {
            match is_resting(Level::Kv) {
                true => Held::Unknown(RESTING.to_owned()),
                false => held(within(READ_DEADLINE, self.kv.get(key)).await),
            }
        };
        let (cache_api, kv) = join(cache_api, kv).await;
        [self.in_memory(key), cache_api, kv]
    }

    fn in_memory(&self, key: &str) -> Held {
        let (remembered, now) = (self.remembered(), js::now());
        if let Some(variants) = remembered.variants.borrow().peek(key).filter(|it| it.until > now) {
            return Held::Variants(Variants::clone(variants));
        }
        match remembered.responses.borrow().peek(key).filter(|it| it.envelope.useful_until() > now) {
            Some(stored) => Held::Response(Box::new(stored.envelope.clone())),
            None => Held::Nothing,
        }
    }
}

/// What came of reading a level.
fn held(read: Option<Result<Option<Uint8Array>, JsValue>>) -> Held {
    match read {
        None => Held::Unknown(format!("it took longer than {} ms", READ_DEADLINE.as_millis())),
        Some(Err(error)) => Held::Unknown(format!("it can't be read: {}", js::message(&error))),
        Some(Ok(None)) => Held::Nothing,
        Some(Ok(Some(value))) => match decode(&value) {
            Ok(Value::Response(stored)) => Held::Response(Box::new(stored.envelope.clone())),
            Ok(Value::Variants(variants)) => Held::Variants(Rc::unwrap_or_clone(variants)),
            Err(broken) => Held::Unknown(format!("what it has isn't to be used: {broken}")),
        },
    }
}
