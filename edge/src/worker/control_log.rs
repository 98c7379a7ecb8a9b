//! This isolate's view of the control log, and how it is kept up.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use wasm_bindgen::{JsCast, JsValue};
use worker::{Context, Delay, Env, Method, ObjectNamespace, Request, RequestInit};

use crate::control::bookmark::{Brought, Demand, demand};
use crate::control::exchange::{Answer, Logged, Question};
use crate::control::log::{Append, Known};
use crate::control::view::{Currency, Limits, View};
use crate::time::Timestamp;
use crate::worker::deadline::within;
use crate::worker::isolate::Isolate;
use crate::worker::js;

/// The binding's name in wrangler.toml.
const BINDING: &str = "CONTROL";
/// There is one object of its class.
const NAME: &str = "control";
/// Objects are reached by HTTP; no one resolves this name.
const URL: &str = "https://control.tidewall.invalid/";

/// Time that the keeper has to answer a question. It may be on another continent, and
/// may have to be started.
const DEADLINE: Duration = Duration::from_secs(2);
/// For how long nobody waits for a keeper that has just failed: what is slow must not
/// make each request slow.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How often a request looks whether the refresh of another has come: it may not wait
/// for another's I/O, only for a timer of its own.
const LOOK_EVERY: Duration = Duration::from_millis(4);
/// For how long it does so before it asks for itself.
const LOOK_FOR: Duration = Duration::from_millis(100);

/// The view, and what is being done about it.
#[derive(Default)]
pub(super) struct ControlLog {
    view: RefCell<Option<View>>,
    /// When a refresh was sent that hasn't come back.
    refreshing_since: Cell<Option<Timestamp>>,
    /// When the keeper last failed to answer, since it last did.
    failed_at: Cell<Option<Timestamp>>,
}

/// What one request may believe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Whether the view may be used to answer from the store.
    pub(super) has_view: bool,
    /// What the reader's bookmark asks for.
    pub(super) demand: Demand,
}

impl ControlLog {
    /// Looks at the view, as it may be used. Short: it must not be held over a wait.
    pub(super) fn with<T>(&self, look: impl FnOnce(Option<&View>) -> T) -> T {
        look(self.view.borrow().as_ref())
    }

    /// Position of the view: the fence of an exchange that begins now. Without a view no
    /// answer can be stored.
    pub(super) fn fence(&self) -> Option<Known> {
        self.with(|view| view.map(View::known))
    }

    /// Takes in an answer of the keeper.
    fn apply(&self, answer: Answer, sent_at: Timestamp) -> Option<Logged> {
        let mut view = self.view.borrow_mut();
        match &mut *view {
            Some(view) => view.apply(answer.delta, sent_at),
            None if answer.delta.is_whole => *view = Some(View::new(answer.delta, sent_at)),
            // A part of the log is no view of it.
            None => {}
        }
        answer.logged
    }

    fn currency(&self, limits: Limits, now: Timestamp) -> Currency {
        self.with(|view| view.map_or(Currency::Expired, |view| view.currency(limits, now)))
    }

    /// What a request may believe where the view is fit for it as it is, and where it is
    /// nobody's turn to refresh it.
    pub(super) fn standing(&self, limits: Limits, brought: Brought, now: Timestamp) -> Option<Standing> {
        match self.currency(limits, now) {
            Currency::Current => {}
            Currency::RefreshAhead if self.is_refreshing(now) => {}
            Currency::RefreshAhead | Currency::RefreshFirst | Currency::Expired => return None,
        }
        let demand = self.demand(brought, false);
        (demand != Demand::Refresh).then_some(Standing { has_view: true, demand })
    }

    /// Whether a refresh was sent that may still come back.
    fn is_refreshing(&self, now: Timestamp) -> bool {
        self.refreshing_since.get().is_some_and(|since| now.since(since) < DEADLINE)
    }

    fn demand(&self, brought: Brought, was_refreshed: bool) -> Demand {
        // Without a view nothing is served at all.
        self.with(|view| view.map_or(Demand::Nothing, |view| demand(brought, view.known(), was_refreshed)))
    }
}

/// Makes the view fit for a reader (S2, S3), and says what it is good for.
pub(super) async fn consult(
    isolate: &Rc<Isolate>,
    env: &Env,
    context: &Context,
    limits: Limits,
    brought: Brought,
) -> Standing {
    let control = &isolate.control;
    let arrived = js::now();
    let needs = || match control.currency(limits, arrived) {
        currency @ (Currency::RefreshFirst | Currency::Expired) => currency,
        currency if control.demand(brought, false) == Demand::Refresh => match currency {
            Currency::Current | Currency::RefreshAhead => Currency::RefreshFirst,
            currency => currency,
        },
        currency => currency,
    };
    let mut was_refreshed = false;
    match needs() {
        Currency::Current => {}
        Currency::RefreshAhead => refresh_ahead(isolate, env, context),
        Currency::RefreshFirst | Currency::Expired => {
            let is_hopeless = control.failed_at.get().is_some_and(|at| arrived.since(at) < RETRY_AFTER);
            if is_hopeless {
                refresh_ahead(isolate, env, context);
            } else if let Waited::ForNothing = wait_for_another(control, arrived, limits, needs).await {
                was_refreshed = refresh(isolate, env).await;
            }
        }
    }
    Standing {
        has_view: was_refreshed || control.currency(limits, arrived) != Currency::Expired,
        demand: control.demand(brought, was_refreshed),
    }
}

/// What came of waiting for another request's refresh.
enum Waited {
    /// The view is fit now.
    ForView,
    /// Nobody refreshes it, or not soon enough, or not far enough.
    ForNothing,
}

/// Waits for a refresh that another request has sent, if that was late enough for this one.
async fn wait_for_another(
    control: &ControlLog,
    arrived: Timestamp,
    limits: Limits,
    needs: impl Fn() -> Currency,
) -> Waited {
    let is_late_enough = |sent: Timestamp| sent > arrived || arrived.since(sent) < limits.max_age;
    let is_new = |sent: Timestamp| js::now().since(sent) < LOOK_FOR;
    while control.refreshing_since.get().is_some_and(|sent| is_late_enough(sent) && is_new(sent))
        && js::now().since(arrived) < LOOK_FOR
    {
        Delay::from(LOOK_EVERY).await;
        if matches!(needs(), Currency::Current | Currency::RefreshAhead) {
            return Waited::ForView;
        }
    }
    Waited::ForNothing
}

/// Refreshes the view once the answer is out, unless that is being done.
fn refresh_ahead(isolate: &Rc<Isolate>, env: &Env, context: &Context) {
    if isolate.control.is_refreshing(js::now()) {
        return;
    }
    // At once: others must see it.
    isolate.control.refreshing_since.set(Some(js::now()));
    let (isolate, env) = (Rc::clone(isolate), env.clone());
    context.wait_until(async move {
        refresh(&isolate, &env).await;
    });
}

/// Reads what the view lacks. `false`: the log is out of reach.
async fn refresh(isolate: &Isolate, env: &Env) -> bool {
    isolate.control.refreshing_since.set(Some(js::now()));
    let outcome = ask(isolate, env, None).await;
    isolate.control.refreshing_since.set(None);
    outcome.is_ok()
}

/// Appends to the log, and reads what the view lacks.
///
/// # Errors
/// The log is out of reach; whether it took the entry isn't known.
pub(super) async fn append(isolate: &Isolate, env: &Env, append: Append) -> Result<Logged, JsValue> {
    let logged = ask(isolate, env, Some(append)).await?;
    logged.ok_or_else(|| "the control log answered without a position".into())
}

async fn ask(isolate: &Isolate, env: &Env, append: Option<Append>) -> Result<Option<Logged>, JsValue> {
    let control = &isolate.control;
    let known = control.with(|view| view.map(View::known));
    let sent_at = js::now();
    let answer = match within(DEADLINE, put(env, &Question { known, append })).await {
        Some(Ok(answer)) => answer,
        failed => {
            control.failed_at.set(Some(js::now()));
            let error = match failed {
                Some(Err(error)) => error,
                _ => "no answer within its deadline".into(),
            };
            worker::console_warn!("the control log is out of reach: {}", js::message(&error));
            return Err(error);
        }
    };
    control.failed_at.set(None);
    Ok(control.apply(answer, sent_at))
}

async fn put(env: &Env, question: &Question) -> Result<Answer, JsValue> {
    let Some(binding) = js::binding(env, BINDING)? else {
        return Err("there is no binding CONTROL: see durable_objects in wrangler.toml".into());
    };
    let namespace: ObjectNamespace = binding.unchecked_into();
    let stub = namespace.get_by_name(NAME)?;
    let body = serde_json::to_string(question).map_err(|error| error.to_string())?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(body.into()));
    let mut response = stub.fetch_with_request(Request::new_with_init(URL, &init)?).await?;
    let text = response.text().await?;
    if response.status_code() != 200 {
        return Err(format!("status {}", response.status_code()).into());
    }
    Ok(serde_json::from_str(&text).map_err(|error| error.to_string())?)
}
