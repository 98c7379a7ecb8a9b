//! What goes on when the document is left by a link, and shown again by the back button.

use gloo::events::{EventListener, EventListenerOptions, EventListenerPhase};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::{Element, MouseEvent, PageTransitionEvent};

use crate::account::Account;
use crate::basket::Basket;
use crate::effect::effect;

/// Notified when the document is shown again as it was left, maybe long ago (HTML, section 7.4.6.2,
/// "reactivate"): what it shows may be of the past.
#[derive(Clone, Copy, Debug)]
pub struct Returned(Trigger);

impl Returned {
    /// Listens from the moment the page is mounted. Who reads is asked anew as well.
    pub fn begin(account: Account) -> Self {
        let returned = Self(Trigger::new());
        effect(move || {
            let shown = EventListener::new(&window(), "pageshow", move |event| {
                if event.dyn_ref::<PageTransitionEvent>().is_some_and(PageTransitionEvent::persisted) {
                    account.look_again();
                    returned.0.notify();
                }
            });
            shown.forget();
        });
        returned
    }

    /// Whoever follows it does again what it does.
    pub fn track(self) {
        self.0.track();
    }
}

/// Holds back a link that leads out of the document until the cart's changes have arrived: with the
/// document they would go. Who clicks once more on it insists.
pub fn hold_back_until_settled(basket: Basket) {
    let held = StoredValue::new(None::<String>);
    effect(move || {
        if basket.is_settled()
            && let Some(href) = held.try_update_value(Option::take).flatten()
        {
            // Refused only to documents that are shown no more.
            let _ = window().location().assign(&href);
        }
    });
    effect(move || {
        let options = EventListenerOptions {
            phase: EventListenerPhase::Capture,
            ..EventListenerOptions::enable_prevent_default()
        };
        let clicked = EventListener::new_with_options(&window(), "click", options, move |event| {
            let Some(href) = leads_out(event).filter(|_| !untrack(|| basket.is_settled())) else { return };
            if held.with_value(|held| held.as_ref() != Some(&href)) {
                event.prevent_default();
                held.set_value(Some(href));
            }
        });
        clicked.forget();
    });
}

/// Where a click leads in this tab, where the browser and not the router goes there.
fn leads_out(event: &web_sys::Event) -> Option<String> {
    let click = event.dyn_ref::<MouseEvent>()?;
    if click.button() != 0 || click.ctrl_key() || click.meta_key() || click.shift_key() || click.alt_key() {
        return None;
    }
    let clicked: Element = click.target()?.dyn_into().ok()?;
    let link = clicked.closest("a[rel=external][href^='/']:not([download])").ok()??;
    link.get_attribute("href")
}
