//! Effects, compiled once.

use leptos::prelude::Effect;

/// Does `work` once the view is mounted, and whenever a signal that it has read changes. As
/// `Effect::new`, which would compile all that runs an effect anew for each closure.
pub fn effect(work: impl FnMut() + 'static) {
    boxed(Box::new(work));
}

fn boxed(mut work: Box<dyn FnMut()>) {
    Effect::new(move |_: Option<()>| work());
}
