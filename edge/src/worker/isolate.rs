//! What one isolate remembers between requests.

use std::cell::{Cell, OnceCell, RefCell};
use std::num::NonZeroUsize;
use std::rc::Rc;

use tidewall_api::site::Index;
use wasm_bindgen::JsValue;
use worker::Env;

use crate::balance::again::Kept;
use crate::balance::balancer::Balancer;
use crate::cache::memory::{Bounds, Memory};
use crate::config::{Config, ConfigError, RESPONSE_DEADLINE, Vars};
use crate::control::purge_rate::PurgeRate;
use crate::counters::Counters;
use crate::refusals::Refusals;
use crate::time::Timestamp;
use crate::worker::control_log::ControlLog;
use crate::worker::hit::Names;
use crate::worker::store::Remembered;
use crate::worker::{js, store};

/// What an isolate notes of some keys: a few thousand at about 100 bytes each.
const NOTES: Bounds = Bounds {
    bytes_max: 512 * 1024,
    entry_bytes_max: 4 * 1024,
    entries_max: NonZeroUsize::new(4_096).unwrap(),
};

/// The memory of one isolate. Bindings and variables don't change in its lifetime.
pub(super) struct Isolate {
    pub(super) config: Result<Config, ConfigError>,
    pub(super) balancer: RefCell<Balancer>,
    pub(super) counters: RefCell<Counters>,
    pub(super) control: ControlLog,
    pub(super) refusals: RefCell<Refusals>,
    pub(super) purges: RefCell<PurgeRate>,
    /// Bodies of requests that are kept to be sent again.
    pub(super) kept: RefCell<Kept>,
    /// Flights that nobody joins, and until when.
    pub(super) alone: RefCell<Memory<Timestamp>>,
    /// When those who miss the same could not be met.
    pub(super) collapse_failed_at: Cell<Option<Timestamp>>,
    /// What is being revalidated in the background, by cache key, and since when.
    pub(super) revalidating: RefCell<Memory<Timestamp>>,
    pub(super) stored: Remembered,
    /// Whether anything is stored at all.
    pub(super) has_store: bool,
    /// What is in the site; read by the first request.
    pub(super) site: OnceCell<Rc<Index>>,
    /// Whether no site was deployed; known once the first request has looked.
    pub(super) has_no_site: Cell<bool>,
    /// What a hit reads of a request.
    pub(super) names: OnceCell<Names>,
}

thread_local! {
    static ISOLATE: OnceCell<Rc<Isolate>> = const { OnceCell::new() };
}

impl Isolate {
    /// This isolate's memory; begun by its first request.
    pub(super) fn get(env: &Env) -> Result<Rc<Self>, JsValue> {
        ISOLATE.with(|isolate| match isolate.get() {
            Some(isolate) => Ok(Rc::clone(isolate)),
            None => {
                let begun = Self::begin(env)?;
                Ok(Rc::clone(isolate.get_or_init(|| Rc::new(begun))))
            }
        })
    }

    /// This isolate's memory, if a request has begun it.
    pub(super) fn begun() -> Option<Rc<Self>> {
        ISOLATE.with(|isolate| isolate.get().map(Rc::clone))
    }

    fn begin(env: &Env) -> Result<Self, JsValue> {
        let config = Config::parse(&Vars {
            origins: js::variable(env, "ORIGINS")?,
            balance: js::variable(env, "BALANCE")?,
            origin_paths: js::variable(env, "ORIGIN_PATHS")?,
            client_address_field: js::variable(env, "CLIENT_ADDRESS_FIELD")?,
            private_cookies: js::variable(env, "PRIVATE_COOKIES")?,
            client_cache_control: js::variable(env, "CLIENT_CACHE_CONTROL")?,
            private_fields: js::variable(env, "PRIVATE_FIELDS")?,
            tracking_parameters: js::variable(env, "TRACKING_PARAMETERS")?,
            control_max_age_ms: js::variable(env, "CONTROL_MAX_AGE_MS")?,
            control_grace_ms: js::variable(env, "CONTROL_GRACE_MS")?,
            origin_deadline_ms: js::variable(env, "ORIGIN_DEADLINE_MS")?,
            sticky_secret: js::variable(env, "STICKY_SECRET")?,
            purge_token: js::variable(env, "PURGE_TOKEN")?,
        });
        let (origins, routes) =
            config.as_ref().map_or((0, &[][..]), |config| (config.origins.len(), &config.balance[..]));
        let first = js::random_below(origins);
        let balancer = Balancer::new(origins, routes, first, RESPONSE_DEADLINE, js::now());
        Ok(Self {
            config,
            balancer: RefCell::new(balancer),
            counters: RefCell::default(),
            control: ControlLog::new(js::random()),
            refusals: RefCell::default(),
            purges: RefCell::default(),
            kept: RefCell::default(),
            alone: RefCell::new(Memory::new(NOTES)),
            collapse_failed_at: Cell::new(None),
            revalidating: RefCell::new(Memory::new(NOTES)),
            stored: Remembered::default(),
            has_store: js::binding(env, store::BINDING)?.is_some(),
            site: OnceCell::new(),
            has_no_site: Cell::new(false),
            names: OnceCell::new(),
        })
    }
}
