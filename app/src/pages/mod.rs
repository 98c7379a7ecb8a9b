//! What a path shows.

pub mod advice;
pub mod cart;
pub mod edit;
pub mod lab;
pub mod last_list;
pub mod list;
pub mod login;
pub mod not_found;
pub mod ops;
pub mod orders;
pub mod product;
pub mod related;
pub mod reports;
pub mod toolkit;

use leptos::prelude::*;

/// The shop's name, which ends every title.
pub const SHOP: &str = "Tidewall shop";

/// Names the document after what it shows.
fn set_title(subject: &str) {
    document().set_title(&title(subject));
}

/// A document's title.
pub fn title(subject: &str) -> String {
    if subject.is_empty() { SHOP.to_owned() } else { format!("{subject} · {SHOP}") }
}
