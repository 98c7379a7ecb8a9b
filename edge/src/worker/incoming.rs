//! A client's request, read once.

use tidewall_api::headers::X_REQUEST_ID;
use wasm_bindgen::JsValue;
use web_sys::Request;

use crate::fields::Fields;
use crate::request_id;
use crate::worker::js;

/// A client's request.
pub(super) struct Incoming {
    /// For its body, which goes on as it is.
    pub(super) js: Request,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) fields: Fields,
    /// The client's request id, or a new one.
    pub(super) id: String,
}

impl Incoming {
    pub(super) fn read(js: Request) -> Result<Self, JsValue> {
        let fields = js::read_fields(&js.headers());
        let id = match request_id::sane(fields.get(X_REQUEST_ID)) {
            Some(id) => id.to_owned(),
            None => js::scope().crypto()?.random_uuid(),
        };
        Ok(Self { method: js.method(), url: js.url(), fields, id, js })
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// GET or HEAD, which a cache or a site can answer.
    pub(super) fn is_read(&self) -> bool {
        self.method == "GET" || self.is_head()
    }

    /// Changes nothing at the origin, so it may be sent twice; RFC 9110, section 9.2.1.
    pub(super) fn is_safe(&self) -> bool {
        self.is_read() || self.method == "OPTIONS"
    }
}
