//! One answer's life on a page: pending, then ready or failed, and again when
//! what is asked for changes. A newer question aborts the older one's request,
//! so answers never overtake each other.

use std::future::Future;

use leptos::prelude::*;
use web_sys::{AbortController, AbortSignal};

use crate::builds::Occasion;
use crate::client::ClientError;
use crate::effect::effect;
use crate::leaving::Returned;
use crate::lookout::Lookout;

/// What there is to show.
#[derive(Clone, Debug, PartialEq)]
pub enum Loaded<T> {
    /// Nothing yet.
    Pending,
    /// The answer; while the loader is busy, that of the question before.
    Ready(T),
    /// Why there is none.
    Failed(ClientError),
}

/// Keeps an answer up to date with a question.
#[derive(Debug)]
pub struct Loader<T: Send + Sync + 'static> {
    latest: RwSignal<Loaded<T>>,
    busy: RwSignal<bool>,
    retry: Trigger,
}

impl<T: Send + Sync + 'static> Clone for Loader<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Loader<T> {}

impl<T: Clone + PartialEq + Send + Sync + 'static> Loader<T> {
    /// What there is, for who doesn't follow it.
    pub fn get_untracked(self) -> Loaded<T> {
        self.latest.get_untracked()
    }

    /// Shows what is known to be so, or is to be.
    pub fn replace(self, known: T) {
        self.show(Loaded::Ready(known));
    }

    /// Asks by `fetch` for what `question` says, from the moment the page is
    /// mounted and whenever it changes; what is `known` already is shown meanwhile.
    pub fn new<Q, F>(
        question: impl Fn() -> Q + 'static,
        known: impl Fn(&Q) -> Option<T> + 'static,
        fetch: impl Fn(Q, AbortSignal) -> F + 'static,
    ) -> Self
    where
        Q: 'static,
        F: Future<Output = Result<T, ClientError>> + 'static,
    {
        let loader =
            Self { latest: RwSignal::new(Loaded::Pending), busy: RwSignal::new(true), retry: Trigger::new() };
        let lookout = use_context::<Lookout>();
        let returned = use_context::<Returned>();
        let request = StoredValue::new_local(None::<AbortController>);
        let abort = move || {
            if let Some(controller) = request.try_update_value(Option::take).flatten() {
                controller.abort();
            }
        };
        effect(move || {
            loader.retry.track();
            if let Some(returned) = returned {
                returned.track();
            }
            let question = question();
            abort();
            // Every browser that runs wasm has it.
            let Ok(controller) = AbortController::new() else { return };
            let signal = controller.signal();
            request.set_value(Some(controller));
            loader.begin(known(&question));
            let answer = fetch(question, signal.clone());
            leptos::task::spawn_local(async move {
                let answer = answer.await;
                if signal.aborted() {
                    return;
                }
                if let (Some(lookout), Err(ClientError::Outdated)) = (lookout, &answer) {
                    lookout.look(Occasion::Reason);
                }
                loader.end(answer);
            });
        });
        on_cleanup(abort);
        loader
    }

    /// What there is to show.
    pub fn get(&self) -> Loaded<T> {
        self.latest.get()
    }

    /// Reads what there is to show.
    pub fn with<U>(&self, read: impl FnOnce(&Loaded<T>) -> U) -> U {
        self.latest.with(read)
    }

    /// `true` while what is shown is not an answer to the question.
    pub fn busy(&self) -> bool {
        self.busy.get()
    }

    /// Asks once more.
    pub fn retry(&self) {
        self.retry.notify();
    }

    fn begin(&self, known: Option<T>) {
        self.busy.set(known.is_none());
        match known {
            Some(answer) => self.show(Loaded::Ready(answer)),
            None if self.latest.with_untracked(|latest| matches!(latest, Loaded::Failed(_))) => {
                self.show(Loaded::Pending);
            }
            None => {}
        }
    }

    fn end(&self, answer: Result<T, ClientError>) {
        self.busy.set(false);
        self.show(answer.map_or_else(Loaded::Failed, Loaded::Ready));
    }

    /// What is the same is not rendered again: focus and scroll stay.
    fn show(&self, next: Loaded<T>) {
        if self.latest.with_untracked(|latest| *latest != next) {
            self.latest.set(next);
        }
    }
}
