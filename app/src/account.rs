//! Who reads the page.

use std::time::Duration;

use gloo_timers::future::sleep;
use leptos::prelude::*;
use tidewall_api::account::User;

use crate::client;
use crate::effect::effect;

/// Who, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Not asked yet.
    Unknown,
    /// Nobody in particular.
    Guest,
    /// Somebody who is logged in.
    Known(User),
}

/// Who reads the page, in the context of everything in the app.
#[derive(Clone, Copy, Debug)]
pub struct Account(RwSignal<Who>);

/// Who reads is asked again after so long, where there was no answer.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// In the browser's storage while somebody is logged in, so that guests aren't asked about. The session
/// itself is in cookies that no script reads.
pub(crate) const MARK: &str = "tidewall-logged-in";

impl Account {
    /// Asks when the page is mounted.
    pub fn begin() -> Self {
        let account = Self(RwSignal::new(Who::Unknown));
        effect(move || {
            client::when_logged_out(move || account.left());
            account.look_again();
        });
        account
    }

    /// Asks who it is by now.
    pub fn look_again(self) {
        if !is_marked() {
            self.0.set(Who::Guest);
            return;
        }
        leptos::task::spawn_local(async move {
            loop {
                match client::get_me().await {
                    Ok(user) => return self.entered(user),
                    Err(error) if error.is_logged_out() => return self.left(),
                    // It will be known later.
                    Err(_) => sleep(ASK_AGAIN).await,
                }
            }
        });
    }

    /// Who.
    pub fn who(self) -> Who {
        self.0.get()
    }

    /// Whoever is logged in.
    pub fn user(self) -> Option<User> {
        match self.0.get() {
            Who::Known(user) => Some(user),
            Who::Unknown | Who::Guest => None,
        }
    }

    /// Somebody has logged in.
    pub fn entered(self, user: User) {
        mark(true);
        self.0.set(Who::Known(user));
    }

    /// They have logged out, or their session has ended.
    pub fn left(self) {
        mark(false);
        self.0.set(Who::Guest);
    }
}

/// Browsers that keep nothing ask each time somebody logs in.
fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

fn is_marked() -> bool {
    storage().and_then(|storage| storage.get_item(MARK).ok().flatten()).is_some()
}

fn mark(is_logged_in: bool) {
    if let Some(storage) = storage() {
        // Full, or forbidden: as if there were none.
        let _ = if is_logged_in { storage.set_item(MARK, "1") } else { storage.remove_item(MARK) };
    }
}
