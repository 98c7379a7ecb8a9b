//! A session's token is short-lived: how it is renewed, by one of all tabs.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::net::http::Method;
use js_sys::futures::{JsFuture, future_to_promise};
use js_sys::{Function, Promise, Reflect};
use leptos::prelude::window;
use leptos::wasm_bindgen::prelude::Closure;
use leptos::wasm_bindgen::{JsCast, JsValue};

use super::call::{Answer, Call};
use super::error::ClientError;
use crate::{paths, preload};

thread_local! {
    /// Who is to know that a session is over.
    static LOGGED_OUT: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
    /// A session that is being renewed.
    static RENEWAL: RefCell<Option<Promise>> = const { RefCell::new(None) };
}

/// Calls `told` when a session turns out to be over.
pub fn when_logged_out(told: impl Fn() + 'static) {
    LOGGED_OUT.set(Some(Rc::new(told)));
}

/// It is.
pub(super) fn tell_that_it_is_over() {
    if let Some(told) = LOGGED_OUT.with_borrow(Clone::clone) {
        told();
    }
}

/// What became of a session whose token was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// There is a new one.
    Renewed,
    /// It has ended.
    Over,
    /// That can't be said now.
    Failed,
}

impl Renewal {
    /// By the status of an answer; none: there was none.
    fn of(status: Option<u16>) -> Self {
        match status {
            Some(200) => Self::Renewed,
            Some(401 | 403) => Self::Over,
            _ => Self::Failed,
        }
    }
}

/// The name under which one of a browser's tabs renews the session.
const RENEWAL_LOCK: &str = "tidewall-renewal";

/// Renews the session; of several who ask at a time one does, in whichever tab, since a refresh token
/// works once.
pub(super) async fn renew() -> Renewal {
    let renewal = RENEWAL.with_borrow_mut(|renewal| {
        let begin = || {
            future_to_promise(async {
                let renewed = JsFuture::from(alone(|| future_to_promise(renew_now()))).await;
                RENEWAL.with_borrow_mut(|renewal| *renewal = None);
                renewed
            })
        };
        renewal.get_or_insert_with(begin).clone()
    });
    let status = JsFuture::from(renewal).await.ok().and_then(|status| status.as_f64());
    Renewal::of(status.map(|status| status as u16))
}

/// The status with which it was renewed, if there was an answer.
async fn renew_now() -> Result<JsValue, JsValue> {
    preload::forget();
    let status = |answer: Result<Answer, ClientError>| answer.ok().map(|answer| answer.status);
    // Another tab may have done it while this one waited for its turn.
    let mut renewed = status(Call::get(paths::ME_API).send().await);
    if renewed == Some(401) {
        renewed = status(Call::new(Method::POST, "/api/session/refresh").send().await);
    }
    Ok(renewed.map_or(JsValue::NULL, |status| JsValue::from_f64(status.into())))
}

/// Does it while no other tab does (Web Locks, section 3). A browser that has no locks does it at once.
fn alone(work: impl FnOnce() -> Promise + 'static) -> Promise {
    let navigator = Reflect::get(&window(), &"navigator".into()).ok();
    let locks = navigator.and_then(|navigator| Reflect::get(&navigator, &"locks".into()).ok());
    let request = locks.as_ref().and_then(|locks| Reflect::get(locks, &"request".into()).ok());
    match (locks, request.and_then(|request| request.dyn_into::<Function>().ok())) {
        (Some(locks), Some(request)) => {
            let work = Closure::once_into_js(move |_lock: JsValue| work());
            let waited = request.call2(&locks, &RENEWAL_LOCK.into(), &work);
            waited.map_or_else(|error| Promise::reject(&error), JsCast::unchecked_into)
        }
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_over_only_where_somebody_says_so() {
        for (status, renewal) in [
            (Some(200), Renewal::Renewed),
            (Some(401), Renewal::Over),
            (Some(403), Renewal::Over),
            (Some(503), Renewal::Failed),
            (Some(429), Renewal::Failed),
            (None, Renewal::Failed),
        ] {
            assert_eq!(Renewal::of(status), renewal, "{status:?}");
        }
    }
}
