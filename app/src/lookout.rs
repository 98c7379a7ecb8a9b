//! Looks for a newer build of the site while a page is open; [`crate::builds`] says when, and
//! what comes of it.

use gloo::events::EventListener;
use js_sys::Date;
use leptos::prelude::*;

use crate::builds::{Builds, Occasion};
use crate::client;
use crate::effect::effect;

/// Looks for newer builds. In the context of everything in the app.
#[derive(Clone, Copy, Debug)]
pub struct Lookout(RwSignal<Builds>);

impl Lookout {
    /// Begins when the page is mounted, for the life of the document.
    pub fn begin() -> Self {
        let lookout = Self(RwSignal::default());
        effect(move || {
            lookout.0.set(Builds::new(own_build(), Date::now()));
            let returned = EventListener::new(&window(), "visibilitychange", move |_| {
                if !document().hidden() {
                    lookout.look(Occasion::Return);
                }
            });
            // Among what nobody handles is a part of the app that can't be loaded any more.
            let broke =
                EventListener::new(&window(), "unhandledrejection", move |_| lookout.look(Occasion::Reason));
            returned.forget();
            broke.forget();
        });
        lookout
    }

    /// Looks, if it is time to.
    pub fn look(self, occasion: Occasion) {
        let looks = self.0.try_update_untracked(|builds| builds.look(occasion, Date::now()));
        if looks != Some(true) {
            return;
        }
        leptos::task::spawn_local(async move {
            // Where nobody answers there is nothing to offer, and the next occasion comes.
            if let Some(served) = client::get_build().await {
                self.0.try_update(|builds| builds.saw(served));
            }
        });
    }

    /// Whether a newer build is offered.
    pub fn offers(self) -> bool {
        self.0.with(Builds::offers)
    }

    /// The reader goes on with the page as it is.
    pub fn decline(self) {
        self.0.update(Builds::decline);
    }
}

/// The build that the document says it is of.
fn own_build() -> String {
    let meta = document().query_selector("meta[name=tidewall-build]").ok().flatten();
    meta.and_then(|meta| meta.get_attribute("content")).unwrap_or_default()
}

/// Loads the document anew, which has its newest version.
pub fn reload() {
    // Refused only to documents that are shown no more.
    let _ = window().location().reload();
}
