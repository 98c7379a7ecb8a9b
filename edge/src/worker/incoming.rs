//! A client's request, read once.

use tidewall_api::headers::X_REQUEST_ID;
use wasm_bindgen::JsValue;
use web_sys::{Request, Url};

use crate::balance::sticky::TW_ORIGIN;
use crate::cache::invalidation;
use crate::cache::privacy::PrivateNames;
use crate::cache::target::{Target, normal_escapes};
use crate::control::bookmark::{self, Brought, NOTHING};
use crate::cookies;
use crate::fields::Fields;
use crate::request_id;
use crate::worker::js;

/// What the edge doesn't say where it asks for itself.
const PERSONAL: [&str; 4] = ["authorization", "cache-control", "cookie", "range"];

/// A client's request.
#[derive(Clone)]
pub(super) struct Incoming {
    /// For its body, which goes on as it is.
    pub(super) js: Request,
    pub(super) method: String,
    /// As the URL Standard writes it: dot segments resolved, the host in lower case; and with
    /// its escapes in one way. It is what origins are asked for, whose URLs the runtime writes so; it must be what paths
    /// are decided by, too. `None` where host and path make no URL.
    pub(super) url: Option<String>,
    /// Its fields, less the edge's own cookies and the bookmark.
    pub(super) fields: Fields,
    /// What its client has seen.
    pub(super) brought: Brought,
    /// The cookies that name the origin it was sent to before, unread.
    pub(super) kept: Vec<String>,
    /// The client's request id, or a new one.
    pub(super) id: String,
    /// Whether the edge asks for itself, so that nobody waits for the answer.
    pub(super) is_background: bool,
    /// Whether the Cache API was asked for its URL already, and had nothing.
    pub(super) was_looked_for: bool,
}

impl Incoming {
    pub(super) fn read(js: Request) -> Result<Self, JsValue> {
        let mut fields = js::read_fields(&js.headers());
        let brought = bookmark::take(&mut fields);
        let kept = cookies::take(&mut fields, TW_ORIGIN);
        let id = match request_id::sane(fields.get(X_REQUEST_ID)) {
            Some(id) => id.to_owned(),
            None => js::scope().crypto()?.random_uuid(),
        };
        let url = Url::new(&js.url()).ok().map(|url| normal_escapes(&url.href()).into_owned());
        Ok(Self {
            method: js.method(),
            url,
            fields,
            brought,
            kept,
            id,
            js,
            is_background: false,
            was_looked_for: false,
        })
    }

    /// What is asked for; `None` where that can't be.
    pub(super) fn target(&self) -> Option<Target<'_>> {
        Target::of_request(self.url.as_deref()?)
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
        invalidation::is_safe(&self.method)
    }

    /// The same question once more, asked by the edge itself for everyone: with nothing
    /// of one person's, and for the whole.
    pub(super) fn in_background(&self, private: &PrivateNames) -> Self {
        let mut fields = self.fields.clone();
        fields.retain(|name| !PERSONAL.contains(&name) && !private.fields.iter().any(|field| field == name));
        Self {
            js: Clone::clone(&self.js),
            method: "GET".to_owned(),
            url: self.url.clone(),
            fields,
            brought: Brought::one(NOTHING),
            kept: Vec::new(),
            id: self.id.clone(),
            is_background: true,
            was_looked_for: false,
        }
    }
}
