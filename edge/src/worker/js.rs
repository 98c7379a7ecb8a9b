//! Small crossings between JavaScript and the core.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use js_sys::{Array, JSON, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Headers, WorkerGlobalScope};
use worker::Env;

use crate::fields::Fields;
use crate::time::Timestamp;

/// The edge's only clock. It stands still between I/O, as the runtime wants it.
pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(js_sys::Date::now() as u64)
}

/// The global scope.
pub(super) fn scope() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// A number from 0 to below `bound`.
pub(super) fn random_below(bound: usize) -> usize {
    (js_sys::Math::random() * bound as f64) as usize
}

/// A random number. JavaScript's are 53 bits, of which the lower ones are as good.
pub(super) fn random() -> u64 {
    (js_sys::Math::random() * 2_f64.powi(53)) as u64
}

/// Reads all fields in one crossing: as lines, for no field holds a line break.
pub(super) fn read_fields(headers: &Headers) -> Fields {
    let pairs = Array::from(headers);
    Fields::from_lines(&String::from(pairs.flat(1).join("\n")))
}

/// Writes all fields in one crossing: as JSON, by name, which the runtime reads several times
/// faster than pairs. A name that comes again, as that of a cookie may, is written by itself.
pub(super) fn write_fields(fields: &Fields) -> Result<Headers, JsValue> {
    let (mut by_name, mut again) = (BTreeMap::new(), Vec::new());
    for (name, value) in fields.iter() {
        match by_name.entry(name) {
            Entry::Vacant(place) => drop(place.insert(value)),
            Entry::Occupied(_) => again.push((name, value)),
        }
    }
    let json = serde_json::to_string(&by_name).map_err(|error| error.to_string())?;
    let headers = Headers::new_with_record_from_str_to_str(&JSON::parse(&json)?.unchecked_into())?;
    for (name, value) in again {
        headers.append(name, value)?;
    }
    Ok(headers)
}

/// A binding or variable; `None` where it isn't configured.
pub(super) fn binding(env: &Env, name: &str) -> Result<Option<JsValue>, JsValue> {
    let value = Reflect::get(env, &name.into())?;
    Ok((!value.is_undefined() && !value.is_null()).then_some(value))
}

/// A variable as text; one that is a list in `wrangler.toml` as JSON.
pub(super) fn variable(env: &Env, name: &str) -> Result<Option<String>, JsValue> {
    let Some(value) = binding(env, name)? else { return Ok(None) };
    match value.as_string() {
        Some(text) => Ok(Some(text)),
        None => Ok(JSON::stringify(&value)?.as_string()),
    }
}

/// What an exception says.
pub(super) fn message(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    }
}
