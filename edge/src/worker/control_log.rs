//! This isolate's view of the control log, and how it is kept up.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Context, Delay, Env, Method, ObjectNamespace, Request, RequestInit};

use crate::control::bookmark::{Brought, Demand, demand};
use crate::control::exchange::{Answer, Logged, Question};
use crate::control::log::{Append, Known};
use crate::control::refresh::{Number, Refreshes, Step, Want};
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
/// Longest wait for the refreshes of others. Who has waited so long is not answered from
/// what the bookmark is past.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The view, and what is being done about it.
#[derive(Default)]
pub(super) struct ControlLog {
    view: RefCell<Option<View>>,
    refreshes: Cell<Refreshes>,
    /// When the keeper last failed to answer, since it last did.
    failed_at: Cell<Option<Timestamp>>,
    /// Origins that there is trouble with, and of which the keeper doesn't know yet.
    suspects: RefCell<Vec<String>>,
    /// And those that were ejected for their answers.
    failing: RefCell<Vec<String>>,
    /// By which the keeper tells this isolate from others.
    isolate: u64,
    /// Whether the keeper knows which build the isolate serves.
    has_told_build: Cell<bool>,
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
    /// Of an isolate that is known by this random number.
    pub(super) fn new(isolate: u64) -> Self {
        Self { isolate, ..Self::default() }
    }

    /// Looks at the view, as it may be used. Short: it must not be held over a wait.
    pub(super) fn with<T>(&self, look: impl FnOnce(Option<&View>) -> T) -> T {
        look(self.view.borrow().as_ref())
    }

    /// Position of the view: the fence of an exchange that begins now. Without a view no
    /// answer can be stored.
    pub(super) fn fence(&self) -> Option<Known> {
        self.with(|view| view.map(View::known))
    }

    /// The last question that was sent.
    pub(super) fn last_sent(&self) -> Number {
        self.refreshes.get().last_sent()
    }

    /// Tells the keeper with the next question that there is trouble with this origin.
    pub(super) fn report(&self, id: &str) {
        note_once(&self.suspects, id);
    }

    /// Tells it with the next question that this origin was ejected for its answers.
    pub(super) fn report_failing(&self, id: &str) {
        note_once(&self.failing, id);
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
        self.refreshes.get().under_way_since().is_some_and(|since| now.since(since) < DEADLINE)
    }

    /// Why the view has to be refreshed for a request that arrived then, if it has to.
    fn want(&self, limits: Limits, brought: Brought, arrived: Timestamp) -> Option<Want> {
        match self.currency(limits, arrived) {
            Currency::RefreshFirst | Currency::Expired => {
                Some(Want::Younger { arrived, max_age: limits.max_age })
            }
            Currency::Current | Currency::RefreshAhead => {
                (self.demand(brought, false) == Demand::Refresh).then_some(Want::Further)
            }
        }
    }

    /// Whether the keeper has failed just now, and nobody asks it.
    fn is_resting(&self, now: Timestamp) -> bool {
        self.failed_at.get().is_some_and(|at| now.since(at) < RETRY_AFTER)
    }

    /// Whether the keeper has failed, and nobody should wait for it: it is left alone, or
    /// another request is just finding out whether it answers again.
    fn is_hopeless(&self, now: Timestamp) -> bool {
        self.is_resting(now) || (self.failed_at.get().is_some() && self.is_refreshing(now))
    }

    /// A question was not answered in time.
    fn failed(&self, number: Number) {
        // Where one that was sent later is answered, that says more.
        if self.refreshes.get().seen() < number {
            self.failed_at.set(Some(js::now()));
        }
    }

    /// A question is sent.
    fn sent(&self, now: Timestamp) -> Number {
        let mut refreshes = self.refreshes.get();
        let number = refreshes.send(now);
        self.refreshes.set(refreshes);
        number
    }

    /// The answer to a question is here, or won't come.
    fn came_back(&self, number: Number, is_answered: bool) {
        let mut refreshes = self.refreshes.get();
        refreshes.came_back(number, is_answered);
        self.refreshes.set(refreshes);
    }

    fn demand(&self, brought: Brought, was_refreshed: bool) -> Demand {
        // Without a view nothing is served at all.
        self.with(|view| view.map_or(Demand::Nothing, |view| demand(brought, view.known(), was_refreshed)))
    }
}

fn note_once(ids: &RefCell<Vec<String>>, id: &str) {
    let mut ids = ids.borrow_mut();
    if !ids.iter().any(|known| known == id) {
        ids.push(id.to_owned());
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
    let arrived = Arrived { at: js::now(), after: control.last_sent() };
    let has_reports = !control.suspects.borrow().is_empty();
    if has_reports || control.currency(limits, arrived.at) == Currency::RefreshAhead {
        refresh_ahead(isolate, env, context);
    }
    let was_refreshed = match control.want(limits, brought, arrived.at) {
        None => false,
        Some(_) if control.is_hopeless(arrived.at) => {
            refresh_ahead(isolate, env, context);
            false
        }
        Some(_) => catch_up(isolate, env, context, limits, brought, arrived).await,
    };
    Standing {
        has_view: was_refreshed || control.currency(limits, arrived.at) != Currency::Expired,
        demand: control.demand(brought, was_refreshed),
    }
}

/// Follows the log for a request that goes by nothing in it: so that the isolate hears of
/// origins, and tells what it has seen of them, whatever it is asked for. Waits for nothing.
/// `sent` is the last question there was when the request arrived: one is enough for each.
pub(super) fn follow(isolate: &Rc<Isolate>, env: &Env, context: &Context, limits: Limits, sent: Number) {
    let control = &isolate.control;
    let has_reports = !control.suspects.borrow().is_empty();
    let is_old = control.currency(limits, js::now()) != Currency::Current;
    if has_reports || (is_old && control.last_sent() == sent) {
        refresh_ahead(isolate, env, context);
    }
}

/// Tells the keeper which build of the site the isolate serves, where nothing else did: so that
/// its assets are kept though no request is about the log. Waits for nothing.
pub(super) fn tell_build(isolate: &Rc<Isolate>, env: &Env, context: &Context) {
    if !isolate.control.has_told_build.get() && build(isolate).is_some() {
        refresh_ahead(isolate, env, context);
    }
}

/// The build that the isolate serves.
fn build(isolate: &Isolate) -> Option<&str> {
    let build = &isolate.site.get()?.manifest().build;
    (!build.is_empty()).then_some(build)
}

/// When a request arrived.
#[derive(Clone, Copy)]
struct Arrived {
    at: Timestamp,
    /// The last refresh that had been sent by then.
    after: Number,
}

/// Sends a refresh, or waits for that of another ([`refresh`](crate::control::refresh)).
/// Whether the view has seen all that was logged when the request arrived.
async fn catch_up(
    isolate: &Rc<Isolate>,
    env: &Env,
    context: &Context,
    limits: Limits,
    brought: Brought,
    arrived: Arrived,
) -> bool {
    let control = &isolate.control;
    loop {
        // What others have sent since may have made it fit.
        let Some(want) = control.want(limits, brought, arrived.at) else { return false };
        let now = js::now();
        match control.refreshes.get().step(arrived.after, want, now) {
            Step::Seen => return true,
            _ if control.is_hopeless(now) || now.since(arrived.at) > WAIT_MAX => return false,
            Step::Send => {
                // Who has no view at all has nothing else to go by.
                let wait_max = if control.fence().is_some() { WAIT_MAX } else { DEADLINE };
                let (number, answered) = refresh(isolate, env, context);
                let answered = within(wait_max, answered).await;
                if answered.is_none() {
                    control.failed(number);
                }
                return matches!(answered, Some(Ok(true)));
            }
            Step::Wait(wait) => Delay::from(wait).await,
        }
    }
}

/// Refreshes the view once the answer is out, unless that is being done.
fn refresh_ahead(isolate: &Rc<Isolate>, env: &Env, context: &Context) {
    let now = js::now();
    if !isolate.control.is_refreshing(now) && !isolate.control.is_resting(now) {
        // It is said in the log if it fails.
        let (_number, _answered) = refresh(isolate, env, context);
    }
}

/// Refreshes the view, though its client may leave meanwhile: others wait for it. Says
/// whether it was.
fn refresh(isolate: &Rc<Isolate>, env: &Env, context: &Context) -> (Number, oneshot::Receiver<bool>) {
    // At once: others must see it.
    let number = isolate.control.sent(js::now());
    let (isolate, env) = (Rc::clone(isolate), env.clone());
    let (tell, answered) = oneshot::channel();
    context.wait_until(async move {
        let outcome = ask(&isolate, &env, number, None).await;
        // Nobody may wait for it.
        let _ = tell.send(outcome.is_ok());
    });
    (number, answered)
}

/// Appends to the log, and reads what the view lacks.
///
/// # Errors
/// The log is out of reach; whether it took the entry isn't known.
pub(super) async fn append(isolate: &Isolate, env: &Env, append: Append) -> Result<Logged, JsValue> {
    let number = isolate.control.sent(js::now());
    let logged = ask(isolate, env, number, Some(append)).await?;
    logged.ok_or_else(|| "the control log answered without a position".into())
}

/// Asks the keeper, which refreshes the view as well, whatever it is asked.
async fn ask(
    isolate: &Isolate,
    env: &Env,
    number: Number,
    append: Option<Append>,
) -> Result<Option<Logged>, JsValue> {
    let control = &isolate.control;
    let known = control.with(|view| view.map(View::known));
    let sent_at = js::now();
    let question = Question {
        known,
        append,
        suspects: control.suspects.borrow().clone(),
        failing: control.failing.borrow().clone(),
        isolate: control.isolate,
        build: build(isolate).map(str::to_owned),
    };
    let answer = match within(DEADLINE, put(env, &question)).await {
        Some(Ok(answer)) => answer,
        failed => {
            control.came_back(number, false);
            control.failed(number);
            let error = match failed {
                Some(Err(error)) => error,
                _ => "no answer within its deadline".into(),
            };
            worker::console_warn!("the control log is out of reach: {}", js::message(&error));
            return Err(error);
        }
    };
    control.failed_at.set(None);
    control.has_told_build.set(question.build.is_some());
    control.suspects.borrow_mut().retain(|id| !question.suspects.contains(id));
    control.failing.borrow_mut().retain(|id| !question.failing.contains(id));
    if let Ok(config) = &isolate.config {
        isolate.balancer.borrow_mut().told(&config.origins, &answer.verdicts, js::now());
    }
    let logged = control.apply(answer, sent_at);
    control.came_back(number, true);
    Ok(logged)
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
