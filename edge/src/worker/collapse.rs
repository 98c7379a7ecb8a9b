//! Meeting others who miss the same response, as one of them.

use std::rc::Rc;
use std::time::Duration;

use js_sys::futures::JsFuture;
use js_sys::{Reflect, Uint8Array};
use sha2::{Digest, Sha256};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::RequestInit;
use worker::{Env, ObjectNamespace};

use crate::cache::flight::{ALONE_FOR, Outcome};
use crate::cache::key::hexadecimal;
use crate::cache::privacy::Privacy;
use crate::worker::deadline::within;
use crate::worker::store::Stored;
use crate::worker::{Edge, js};

/// The binding's name in wrangler.toml.
const BINDING: &str = "COLLAPSE";
/// Objects are reached by HTTP; no one resolves this name.
const URL: &str = "https://collapse.tidewall.invalid";

/// Fields of an object's answer.
pub(super) const ROLE: &str = "tidewall-role";
pub(super) const GENERATION: &str = "tidewall-generation";
pub(super) const VARIANT: &str = "tidewall-variant";

/// Longest wait for others. Who has waited so long asks for itself.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest wait for one answer of an object, which then says at least that it is there.
pub(super) const ROUND: Duration = Duration::from_secs(1);
/// Time for the way there and back.
const WAY: Duration = Duration::from_secs(1);
/// For how long nobody is met after an object could not be reached.
const UNREACHABLE_FOR: Duration = Duration::from_secs(5);

/// Longest stored form, in bytes, that is handed over. What is longer is looked up in
/// the Cache API, where the leader has put it before it lands.
pub(super) const HANDED_BYTES_MAX: u32 = 256 * 1_024;

/// What there is to do.
pub(super) enum Joined {
    /// To ask an origin, for others as well.
    Leader(Leader),
    /// To use what another has stored.
    Landed {
        /// Its number.
        generation: u64,
        /// The key of the variant that it is, if it is one.
        variant: Option<String>,
        /// It, unless it is too long.
        stored: Option<Rc<Stored>>,
    },
    /// To use what may be used where the origins fail.
    OriginFailed {
        /// Who found out.
        generation: u64,
    },
    /// To ask an origin, for oneself.
    Alone,
}

/// Someone on whom others wait.
pub(super) struct Leader {
    env: Env,
    flight: String,
    object: String,
    generation: u64,
}

/// The flight about a key. Who may be one person has others to meet than who may not:
/// what it gets might not be for them.
pub(super) fn flight(key: &str, privacy: Privacy) -> String {
    let class = match privacy {
        Privacy::Anonymous => 'a',
        Privacy::Cookie => 'c',
        Privacy::Authorization | Privacy::PrivateField | Privacy::PrivateCookie => 'p',
    };
    format!("{class}{}", hexadecimal(&Sha256::digest(key.as_bytes())))
}

/// Whether a flight is not to be joined now.
pub(super) fn is_alone(edge: &Edge<'_>, flight: &str) -> bool {
    let now = js::now();
    edge.isolate.alone.borrow_mut().get(flight).is_some_and(|until| *until > now)
        || edge.isolate.collapse_failed_at.get().is_some_and(|at| now.since(at) < UNREACHABLE_FOR)
}

/// Joins a flight: answers once there is something to do. `refused` is the number of the
/// flight whose result could not be used; 0 at first.
pub(super) async fn join(edge: &Edge<'_>, flight: &str, refused: u64) -> Joined {
    if is_alone(edge, flight) {
        return Joined::Alone;
    }
    let failed_at = &edge.isolate.collapse_failed_at;
    if failed_at.get().is_some() {
        // One at a time finds out whether an object can be reached again.
        failed_at.set(Some(js::now()));
    }
    let object = object(edge, flight);
    let path = format!("/join?flight={flight}&refused={refused}");
    let begun = js::now();
    while js::now().since(begun) < WAIT_MAX {
        match within(ROUND + WAY, ask(edge.env, &object, &path, None)).await {
            Some(Ok(response)) => match read(edge, flight, &object, response).await {
                Ok(None) => failed_at.set(None),
                Ok(Some(joined)) => {
                    failed_at.set(None);
                    if matches!(joined, Joined::Alone) {
                        remember_alone(edge, flight);
                    }
                    return joined;
                }
                Err(error) => {
                    worker::console_warn!("what was landed can't be read: {}", js::message(&error));
                    return Joined::Alone;
                }
            },
            Some(Err(error)) => {
                worker::console_warn!("nobody to collapse with can be reached: {}", js::message(&error));
                failed_at.set(Some(js::now()));
                return Joined::Alone;
            }
            None => {
                failed_at.set(Some(js::now()));
                return Joined::Alone;
            }
        }
    }
    Joined::Alone
}

/// Meets nobody about this for a while.
fn remember_alone(edge: &Edge<'_>, flight: &str) {
    let until = js::now().after(ALONE_FOR);
    edge.isolate.alone.borrow_mut().put(flight, until, flight.len() + size_of_val(&until));
}

impl Leader {
    /// Tells those who wait. `stored` is the stored form of what was filled, and the key
    /// of the variant that it is, if it is one.
    pub(super) async fn land(self, outcome: Outcome, stored: Option<(Uint8Array, Option<String>)>) {
        let outcome = match outcome {
            Outcome::Filled => "filled",
            Outcome::Unstorable => "unstorable",
            Outcome::Failed => "failed",
            Outcome::OriginFailed => "origin-failed",
        };
        let (body, variant) = stored.unzip();
        let Self { env, flight, object, generation } = self;
        let variant = variant.flatten().unwrap_or_default();
        let path =
            format!("/land?flight={flight}&generation={generation}&outcome={outcome}&variant={variant}");
        if let Some(Err(error)) = within(WAY, ask(&env, &object, &path, body.as_ref())).await {
            worker::console_warn!("those who wait can't be told: {}", js::message(&error));
        }
    }
}

/// What an object says; `None` where there is nothing to do yet.
async fn read(
    edge: &Edge<'_>,
    flight: &str,
    object: &str,
    response: web_sys::Response,
) -> Result<Option<Joined>, JsValue> {
    let fields = js::read_fields(&response.headers());
    let generation = fields.get(GENERATION).and_then(|number| number.parse().ok()).unwrap_or(0);
    Ok(Some(match fields.get(ROLE) {
        Some("waiter") => return Ok(None),
        Some("leader") => {
            let (env, flight, object) = (edge.env.clone(), flight.to_owned(), object.to_owned());
            Joined::Leader(Leader { env, flight, object, generation })
        }
        Some("landed") => {
            let body = Uint8Array::new(&JsFuture::from(response.array_buffer()?).await?);
            let stored = Stored::decode(&body);
            let variant = fields.get(VARIANT).filter(|variant| !variant.is_empty()).map(str::to_owned);
            Joined::Landed { generation, variant, stored }
        }
        Some("origin-failed") => Joined::OriginFailed { generation },
        _ => Joined::Alone,
    }))
}

/// The object for a flight: one of some hundreds in each data centre, so that it is near, and
/// shares the Cache API with all who ask it.
fn object(edge: &Edge<'_>, flight: &str) -> String {
    let cf = Reflect::get(&edge.request.js, &"cf".into()).unwrap_or(JsValue::UNDEFINED);
    let colo = Reflect::get(&cf, &"colo".into()).ok().and_then(|colo| colo.as_string());
    format!("{}:{}", colo.unwrap_or_default(), &flight[..3])
}

async fn ask(
    env: &Env,
    object: &str,
    path: &str,
    body: Option<&Uint8Array>,
) -> Result<web_sys::Response, JsValue> {
    let Some(binding) = js::binding(env, BINDING)? else {
        return Err("there is no binding COLLAPSE: see durable_objects in wrangler.toml".into());
    };
    let namespace: ObjectNamespace = binding.unchecked_into();
    let stub = namespace.get_by_name(object)?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body_opt_u8_array(body);
    let request = web_sys::Request::new_with_str_and_init(&format!("{URL}{path}"), &init)?;
    let response = stub.fetch_with_request(request.into()).await?;
    if response.status_code() != 200 {
        return Err(format!("status {}", response.status_code()).into());
    }
    Ok(response.into())
}

/// A parameter of a query that this module wrote.
pub(super) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
