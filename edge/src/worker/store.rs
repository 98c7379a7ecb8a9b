//! Stored responses, on three levels: the isolate's memory, the Cache API, Workers KV.
//!
//! - Asked in this order: the first copy that is accepted is the answer, and is put
//!   on the levels before, so that it is nearer the next time.
//! - Written in this order: to memory at once, before the client has its answer, to the
//!   others once it has.
//!
//! A level that fails costs speed, nothing else: what can't be read in time is a miss,
//! what can't be written is fetched again.

mod inspect;

use std::cell::{OnceCell, RefCell};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{LocalBoxFuture, join};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Delay, Env};

use crate::cache::envelope::{self, Envelope, PREFIX_BYTES, Record, Variants};
use crate::cache::level::Level;
use crate::cache::memory::{Bounds, Memory};
use crate::cache::removals::{Mark, Removals};
use crate::cache::rest::Rests;
use crate::cache::write_rate::{Turn, WriteRate};
use crate::fields::Fields;
use crate::time::Timestamp;
use crate::worker::cache_api::CacheApi;
use crate::worker::deadline::within;
use crate::worker::hit::Prepared;
use crate::worker::isolate::Isolate;
use crate::worker::js;
use crate::worker::kv::Namespace;

/// Name of the binding.
pub(super) const BINDING: &str = "CACHE";

/// What an isolate keeps of responses: an eighth of the 128 MB it may use, as the
/// requests in hand, with bodies of a megabyte each, need most of it. One response is
/// at most a sixteenth, so that a few large ones don't push out all that is hot.
const RESPONSES: Bounds = Bounds {
    bytes_max: 16 * 1024 * 1024,
    entry_bytes_max: 1024 * 1024,
    entries_max: NonZeroUsize::new(16_384).unwrap(),
};

/// What it keeps of what tells variants apart: some thousand URLs, of which one takes
/// about 200 bytes.
const VARIANTS: Bounds = Bounds {
    bytes_max: 1024 * 1024,
    entry_bytes_max: 64 * 1024,
    entries_max: NonZeroUsize::new(4_096).unwrap(),
};

/// What an entry takes in memory beside its key, its fields and its body: the envelope,
/// JavaScript's object, a place in the map.
const ENTRY_BYTES: usize = 512;

/// Longest wait for one level. An origin that is well answers sooner; KV takes this
/// long, if at all, only for what nobody has asked for in a while.
pub(super) const READ_DEADLINE: Duration = Duration::from_millis(500);

/// The store, as one request sees it.
#[derive(Clone)]
pub(super) struct Store {
    isolate: Rc<Isolate>,
    cache_api: Option<CacheApi>,
    kv: Namespace,
}

/// What an isolate remembers of the store.
pub(super) struct Remembered {
    responses: RefCell<Memory<Rc<Stored>>>,
    /// By the URL's key, so that a variant is asked for directly.
    variants: RefCell<Memory<Rc<Variants>>>,
    writes: RefCell<WriteRate>,
    removals: RefCell<Removals>,
    rests: RefCell<Rests>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            responses: RefCell::new(Memory::new(RESPONSES)),
            variants: RefCell::new(Memory::new(VARIANTS)),
            writes: RefCell::default(),
            removals: RefCell::default(),
            rests: RefCell::default(),
        }
    }
}

impl Remembered {
    /// Bytes that responses take in memory.
    pub(super) fn bytes(&self) -> usize {
        self.responses.borrow().bytes()
    }
}

/// A stored response, read once however often it is used.
pub(super) struct Stored {
    pub(super) envelope: Envelope,
    /// JavaScript's, and never copied into Wasm.
    pub(super) body: Uint8Array,
    /// Until when it is of any use.
    until: Timestamp,
    to_client: OnceCell<Fields>,
    /// What a hit from memory sends, once there was one.
    pub(super) prepared: OnceCell<Prepared>,
}

impl Stored {
    pub(super) fn new(envelope: Envelope, body: Uint8Array) -> Self {
        let until = envelope.useful_until();
        Self { envelope, body, until, to_client: OnceCell::new(), prepared: OnceCell::new() }
    }

    /// Its fields as clients get them.
    pub(super) fn to_client(&self) -> &Fields {
        self.to_client.get_or_init(|| self.envelope.to_client())
    }

    /// Its stored form.
    pub(super) fn encode(&self) -> Result<Uint8Array, JsValue> {
        encode(&Record::Response(self.envelope.clone()), Some(&self.body))
    }

    /// Reads a stored form, if it is one of a response.
    pub(super) fn decode(value: &Uint8Array) -> Option<Rc<Self>> {
        match decode(value) {
            Ok(Value::Response(stored)) => Some(stored),
            Ok(Value::Variants(_)) | Err(_) => None,
        }
    }

    /// About what it takes in memory. The fields count for four: as they were stored, as
    /// clients get them, the same as JavaScript has them ready, and the head that lies
    /// before a body that was read.
    fn bytes(&self) -> usize {
        ENTRY_BYTES + 4 * self.envelope.fields_bytes() + self.body.length() as usize
    }
}

/// What a lookup came to.
#[derive(Default)]
pub(super) struct Found {
    /// The first copy that was accepted, else the newest that there is.
    pub(super) copy: Option<FoundCopy>,
    /// What tells the URL's variants apart, where it has any.
    pub(super) variants: Option<Rc<Variants>>,
    /// Puts it on nearer levels, once the client has its answer.
    pub(super) work: Option<LocalBoxFuture<'static, ()>>,
}

/// A copy of a response.
#[derive(Clone)]
pub(super) struct FoundCopy {
    pub(super) stored: Rc<Stored>,
    /// Where it was.
    pub(super) level: Level,
}

/// Where among a URL's variants a response belongs.
pub(super) struct Place {
    /// The variant's own key.
    pub(super) key: String,
    /// What tells the variants apart, where that is to be written anew.
    pub(super) variants: Option<Variants>,
}

/// A response that is in memory, and on its way to the other levels.
pub(super) struct Put {
    pub(super) stored: Rc<Stored>,
    /// The key of the variant that it is, if it is one.
    pub(super) variant: Option<String>,
    /// Puts it where others nearby find it.
    pub(super) near: LocalBoxFuture<'static, ()>,
    /// Puts it where everyone finds it.
    pub(super) far: LocalBoxFuture<'static, ()>,
}

/// What lies under a key.
enum Value {
    Response(Rc<Stored>),
    Variants(Rc<Variants>),
}

/// What is to lie under a key on the levels below memory.
struct Write {
    key: String,
    value: Value,
    /// Its stored form, made once for all levels.
    encoded: OnceCell<Uint8Array>,
}

impl Write {
    fn new(key: &str, value: Value) -> Self {
        Self { key: key.to_owned(), value, encoded: OnceCell::new() }
    }

    fn encoded(&self) -> Result<&Uint8Array, JsValue> {
        if let Some(encoded) = self.encoded.get() {
            return Ok(encoded);
        }
        let encoded = self.value.encode()?;
        Ok(self.encoded.get_or_init(|| encoded))
    }
}

/// What a look for one key on all levels came to.
enum Looked {
    Accepted(FoundCopy),
    /// The newest of those that were not.
    Refused(Option<FoundCopy>),
    /// Not a response, but what tells several apart.
    Variants(Rc<Variants>, Level),
}

impl Store {
    /// The store, if one is bound.
    pub(super) fn bound(isolate: &Rc<Isolate>, env: &Env) -> Result<Option<Self>, JsValue> {
        let Some(kv) = js::binding(env, BINDING)? else { return Ok(None) };
        let isolate = Rc::clone(isolate);
        Ok(Some(Self { isolate, cache_api: CacheApi::default(), kv: kv.unchecked_into() }))
    }

    /// Looks for a response to the URL whose key this is. `variant_key` makes a variant's
    /// key from the fields that select it. `accept` says whether to look no further: a
    /// copy elsewhere may be newer.
    ///
    /// What is in memory costs no I/O; a hit costs at most one read of KV, and a second
    /// one where the isolate didn't know yet that the URL has variants.
    pub(super) async fn find(
        &self,
        levels: &[Level],
        key: &str,
        variant_key: impl Fn(&[String]) -> String,
        mut accept: impl FnMut(&Envelope) -> bool,
    ) -> Found {
        let mark = self.remembered().removals.borrow().mark();
        let mut writes = Vec::new();
        let known = self.known_variants(key);
        let variants = match known {
            Some(known) => known,
            None => match self.look(levels, key, &mut accept).await {
                Looked::Accepted(copy) => {
                    writes.extend(self.promote(key, &copy, mark));
                    return self.found(Some(copy), None, writes, mark);
                }
                Looked::Refused(newest) => return self.found(newest, None, writes, mark),
                Looked::Variants(variants, level) => {
                    if !self.remembered().is_removed_since(key, mark) {
                        self.remembered().keep_variants(key, &variants);
                    }
                    if level == Level::Kv {
                        writes.push(Write::new(key, Value::Variants(Rc::clone(&variants))));
                    }
                    variants
                }
            },
        };
        // Where the URL's own key was looked for already, its variant's was not.
        let levels = if *levels == Level::BUT_CACHE_API { &Level::ALL } else { levels };
        let variant_key = variant_key(&variants.selecting);
        let copy = match self.look(levels, &variant_key, &mut accept).await {
            Looked::Accepted(copy) => {
                writes.extend(self.promote(&variant_key, &copy, mark));
                Some(copy)
            }
            Looked::Refused(newest) => newest,
            // A digest that is another URL's key as well.
            Looked::Variants(..) => None,
        };
        self.found(copy, Some(variants), writes, mark)
    }

    /// Stores a response to the URL whose key this is, or one of its variants: in memory
    /// at once, elsewhere by the work that is returned.
    pub(super) fn put(&self, key: &str, place: Option<Place>, stored: Stored) -> Put {
        let stored = Rc::new(stored);
        let remembered = self.remembered();
        let mark = remembered.removals.borrow().mark();
        let value = Value::Response(Rc::clone(&stored));
        let variant = place.as_ref().map(|place| place.key.clone());
        let writes = match place {
            None => {
                remembered.variants.borrow_mut().remove(key);
                remembered.keep(key, &stored);
                vec![Write::new(key, value)]
            }
            Some(Place { key: variant_key, variants }) => {
                remembered.responses.borrow_mut().remove(key);
                remembered.keep(&variant_key, &stored);
                let variants = variants.map(|variants| {
                    let variants = Rc::new(variants);
                    remembered.keep_variants(key, &variants);
                    Write::new(key, Value::Variants(variants))
                });
                [Write::new(&variant_key, value)].into_iter().chain(variants).collect()
            }
        };
        self.isolate.counters.borrow_mut().stored();
        let writes = Rc::new(writes);
        let (store, written) = (self.clone(), Rc::clone(&writes));
        let near = async move { store.write_to_cache_api(&written, mark).await }.boxed_local();
        let store = self.clone();
        let far = async move { store.write_to_kv(&writes, mark).await }.boxed_local();
        Put { stored, variant, near, far }
    }

    /// Keeps in memory what another has stored: a response to the URL whose key this is, or
    /// the variant with this key.
    pub(super) fn keep(&self, key: &str, variant: Option<(&str, &[String])>, stored: &Rc<Stored>) {
        let remembered = self.remembered();
        let place = variant.map_or(key, |(variant, _)| variant);
        if !remembered.keep_newest(place, stored) {
            return;
        }
        let Some((_, selecting)) = variant else { return };
        let until = stored.envelope.useful_until();
        let earlier = remembered.variants.borrow().peek(key).map(Rc::clone);
        let variants = Variants::with(earlier.as_deref(), selecting, until);
        if let Some(variants) = variants {
            remembered.keep_variants(key, &Rc::new(variants));
        }
    }

    /// Removes what is stored under `key`: from memory at once, from elsewhere by the
    /// work that is returned. It saves others from asking in vain; what must not be used
    /// any more is told by the control log, since other isolates have copies as well.
    pub(super) fn delete(&self, key: &str) -> LocalBoxFuture<'static, ()> {
        let remembered = self.remembered();
        remembered.removals.borrow_mut().note(key);
        remembered.responses.borrow_mut().remove(key);
        remembered.variants.borrow_mut().remove(key);
        let (store, key) = (self.clone(), key.to_owned());
        async move {
            join(store.delete_from(Level::CacheApi, &key), store.delete_from(Level::Kv, &key)).await;
        }
        .boxed_local()
    }

    fn remembered(&self) -> &Remembered {
        &self.isolate.stored
    }

    fn known_variants(&self, key: &str) -> Option<Rc<Variants>> {
        let known = self.remembered().variants.borrow_mut().get(key).map(Rc::clone);
        known.filter(|variants| variants.until > js::now())
    }

    fn found(
        &self,
        copy: Option<FoundCopy>,
        variants: Option<Rc<Variants>>,
        writes: Vec<Write>,
        mark: Mark,
    ) -> Found {
        let work = (!writes.is_empty()).then(|| {
            let store = self.clone();
            async move { store.write_to_cache_api(&writes, mark).await }.boxed_local()
        });
        Found { copy, variants, work }
    }

    /// Looks for `key` level by level.
    async fn look(&self, levels: &[Level], key: &str, accept: &mut impl FnMut(&Envelope) -> bool) -> Looked {
        let mut newest: Option<FoundCopy> = None;
        for &level in levels {
            let stored = match self.read(level, key).await {
                None => continue,
                Some(Value::Variants(variants)) => return Looked::Variants(variants, level),
                Some(Value::Response(stored)) => stored,
            };
            let copy = FoundCopy { stored, level };
            if accept(&copy.stored.envelope) {
                return Looked::Accepted(copy);
            }
            let time = |copy: &FoundCopy| copy.stored.envelope.response_time;
            if newest.as_ref().is_none_or(|newest| time(newest) < time(&copy)) {
                newest = Some(copy);
            }
        }
        Looked::Refused(newest)
    }

    /// Puts a copy that was found into memory, if nothing newer came there meanwhile;
    /// what is left to be written elsewhere.
    fn promote(&self, key: &str, copy: &FoundCopy, mark: Mark) -> Option<Write> {
        if copy.level == Level::Memory || !self.remembered().promote(key, &copy.stored, mark) {
            return None;
        }
        let value = Value::Response(Rc::clone(&copy.stored));
        (copy.level == Level::Kv).then(|| Write::new(key, value))
    }

    async fn read(&self, level: Level, key: &str) -> Option<Value> {
        let remembered = self.remembered();
        if remembered.rests.borrow().is_resting(level, js::now()) {
            return None;
        }
        let read = match level {
            Level::Memory => return remembered.response(key, js::now()).map(Value::Response),
            Level::CacheApi => within(READ_DEADLINE, self.cache_api.as_ref()?.get(key)).await,
            Level::Kv => within(READ_DEADLINE, self.kv.get(key)).await,
        };
        let name = level.as_str();
        if read.is_some() {
            remembered.rests.borrow_mut().was_quick(level);
        }
        match read {
            Some(Ok(value)) => decode(&value?)
                .inspect_err(|broken| worker::console_warn!("{name} has {key}, but not to be used: {broken}"))
                .ok(),
            Some(Err(error)) => {
                worker::console_warn!("{name} can't be read: {}", js::message(&error));
                None
            }
            None => {
                worker::console_warn!("{name} took longer than {} ms", READ_DEADLINE.as_millis());
                remembered.was_slow(level, js::now());
                None
            }
        }
    }

    async fn write_to_cache_api(&self, writes: &[Write], mark: Mark) {
        for write in writes {
            self.write(Level::CacheApi, write, mark).await;
        }
    }

    async fn write_to_kv(&self, writes: &[Write], mark: Mark) {
        for write in writes {
            let turn = self.remembered().writes.borrow_mut().take(&write.key, js::now());
            match turn {
                Turn::Now => self.write(Level::Kv, write, mark).await,
                Turn::Never => {}
                Turn::After(wait) => {
                    Delay::from(wait).await;
                    let newest = self.remembered().newest(write);
                    self.write(Level::Kv, newest.as_ref().unwrap_or(write), mark).await;
                }
            }
        }
    }

    /// Writes to one level, unless the key was removed since the write began.
    async fn write(&self, level: Level, write: &Write, mark: Mark) {
        let key = &write.key;
        if self.remembered().is_removed_since(key, mark) {
            return;
        }
        let left_s = write.value.until().since(js::now()).as_secs();
        let written = async {
            match (level, &self.cache_api) {
                // The end there is the end, so it isn't rounded up.
                (Level::CacheApi, Some(cache_api)) if left_s > 0 => {
                    cache_api.put(key, write.encoded()?, left_s).await
                }
                // The value knows its exact end; KV only cleans up.
                (Level::Kv, _) => self.kv.put(key, write.encoded()?, left_s + 1).await,
                _ => Ok(()),
            }
        };
        if let Err(error) = written.await {
            worker::console_warn!("{} can't be written: {}", level.as_str(), js::message(&error));
        }
        if self.remembered().is_removed_since(key, mark) {
            self.delete_from(level, key).await;
        }
    }

    async fn delete_from(&self, level: Level, key: &str) {
        let removed = match (level, &self.cache_api) {
            (Level::Kv, _) => {
                self.remembered().writes.borrow_mut().note(key, js::now());
                self.kv.delete(key).await
            }
            (Level::CacheApi, Some(cache_api)) => cache_api.delete(key).await,
            _ => Ok(()),
        };
        if let Err(error) = removed {
            worker::console_warn!("{} can't remove {key}: {}", level.as_str(), js::message(&error));
        }
    }
}

impl Remembered {
    /// Whether the URL with this key has variants.
    pub(super) fn has_variants(&self, key: &str, now: Timestamp) -> bool {
        self.variants.borrow().peek(key).is_some_and(|variants| variants.until > now)
    }

    /// When a look into the Cache API begins, unless it is left alone.
    pub(super) fn look_nearby(&self, now: Timestamp) -> Option<Mark> {
        let is_resting = self.rests.borrow().is_resting(Level::CacheApi, now);
        (!is_resting).then(|| self.removals.borrow().mark())
    }

    /// Leaves a level alone that took too long.
    pub(super) fn was_slow(&self, level: Level, now: Timestamp) {
        self.rests.borrow_mut().was_slow(level, now);
    }

    /// Keeps a response that was found elsewhere, by a look that began at `mark`, if nothing
    /// newer came meanwhile; `false` where that was so, or it was removed.
    pub(super) fn promote(&self, key: &str, stored: &Rc<Stored>, mark: Mark) -> bool {
        !self.is_removed_since(key, mark) && self.keep_newest(key, stored)
    }

    /// Keeps a response, if none that is there is newer; `false` where one is.
    fn keep_newest(&self, key: &str, stored: &Rc<Stored>) -> bool {
        let there = self.responses.borrow().peek(key).map(|there| there.envelope.response_time);
        let is_newest = there.is_none_or(|there| there <= stored.envelope.response_time);
        if is_newest {
            self.keep(key, stored);
        }
        is_newest
    }

    /// A response, while it is of any use.
    pub(super) fn response(&self, key: &str, now: Timestamp) -> Option<Rc<Stored>> {
        let mut responses = self.responses.borrow_mut();
        let stored = Rc::clone(responses.get(key)?);
        if stored.until <= now {
            responses.remove(key);
            return None;
        }
        Some(stored)
    }

    fn keep(&self, key: &str, stored: &Rc<Stored>) {
        self.responses.borrow_mut().put(key, Rc::clone(stored), key.len() + stored.bytes());
    }

    fn keep_variants(&self, key: &str, variants: &Rc<Variants>) {
        let names: usize = variants.selecting.iter().map(|name| name.len() + size_of::<String>()).sum();
        self.variants.borrow_mut().put(key, Rc::clone(variants), key.len() + names + size_of::<Variants>());
    }

    fn is_removed_since(&self, key: &str, mark: Mark) -> bool {
        self.removals.borrow().is_removed_since(key, mark)
    }

    /// What has come in the place of what is to be written.
    fn newest(&self, write: &Write) -> Option<Write> {
        let key = &write.key;
        let newest = match &write.value {
            Value::Response(_) => Value::Response(Rc::clone(self.responses.borrow().peek(key)?)),
            Value::Variants(_) => Value::Variants(Rc::clone(self.variants.borrow().peek(key)?)),
        };
        Some(Write::new(key, newest))
    }
}

impl Value {
    /// Until when it is of use.
    fn until(&self) -> Timestamp {
        match self {
            Self::Response(stored) => stored.until,
            Self::Variants(variants) => variants.until,
        }
    }

    /// Its stored form.
    fn encode(&self) -> Result<Uint8Array, JsValue> {
        match self {
            Self::Response(stored) => stored.encode(),
            Self::Variants(variants) => encode(&Record::Variants(Variants::clone(variants)), None),
        }
    }
}

fn encode(record: &Record, body: Option<&Uint8Array>) -> Result<Uint8Array, JsValue> {
    let head = record.encode().map_err(|error| error.to_string())?;
    let head = Uint8Array::from(head.as_slice());
    let value = Uint8Array::new_with_length(head.length() + body.map_or(0, Uint8Array::length));
    value.set(&head, 0);
    if let Some(body) = body {
        value.set(body, head.length());
    }
    Ok(value)
}

/// Reads a stored form. Its body stays where it is.
fn decode(value: &Uint8Array) -> Result<Value, envelope::Broken> {
    let length = value.length();
    let prefix = value.subarray(0, PREFIX_BYTES as u32).to_vec();
    let head = envelope::head_bytes(&prefix, length as usize)?;
    let body_begins = (PREFIX_BYTES + head) as u32;
    let head = value.subarray(PREFIX_BYTES as u32, body_begins).to_vec();
    Ok(match Record::decode(&head, length as usize)? {
        Record::Response(envelope) => {
            Value::Response(Rc::new(Stored::new(envelope, value.subarray(body_begins, length))))
        }
        Record::Variants(variants) => Value::Variants(Rc::new(variants)),
    })
}
