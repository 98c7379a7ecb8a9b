//! The list that the reader came from.

use leptos::prelude::*;

use crate::effect::effect;
use crate::paths;

/// Its path is kept there as long as the tab is open, since the way may lead through another
/// program's pages.
const KEY: &str = "tidewall-last-list";

/// The list seen last, in the context of the shop's pages.
#[derive(Clone, Copy, Debug)]
pub struct LastList(RwSignal<String>);

impl LastList {
    /// The one that this tab has shown last, or else the whole list.
    pub fn begin() -> Self {
        let list = Self(RwSignal::new(paths::LIST.to_owned()));
        effect(move || {
            let kept = storage().and_then(|storage| storage.get_item(KEY).ok().flatten());
            list.0.set(paths::next_page(kept.as_deref()).to_owned());
        });
        list
    }

    /// It was shown.
    pub fn shown(self, path: String) {
        if let Some(storage) = storage() {
            // Full, or forbidden: known to this document alone.
            let _ = storage.set_item(KEY, &path);
        }
        self.0.set(path);
    }

    /// Its path.
    pub fn path(self) -> String {
        self.0.get()
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().session_storage().ok().flatten()
}
