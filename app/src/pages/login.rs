//! To log in, or sign up.

use form_urlencoded::Serializer;
use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use tidewall_api::account::{Credentials, EMAIL_CHARS_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};

use super::set_title;
use crate::account::Account;
use crate::client::{self, ClientError};
use crate::components::alert::Alert;
use crate::effect::effect;
use crate::{paths, program};

/// To log in, or sign up.
#[component]
pub fn LoginPage() -> impl IntoView {
    effect(|| set_title("Log in"));
    let account = expect_context::<Account>();
    let (email, password) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    // The shell is the same for every query; what depends on it follows when mounted.
    let (is_new, other_way) = (RwSignal::new(false), RwSignal::new(login_href(true, None)));
    // Before the app is there nothing takes what is sent, and a browser would put it into the URL.
    let (failed, busy) = (RwSignal::new(None::<ClientError>), RwSignal::new(true));
    effect(move || busy.set(false));
    let (lead, query) = (program::lead(), use_query_map());
    effect(move || {
        query.with(|query| {
            let asks_for_new = query.get_str("new").is_some();
            is_new.set(asks_for_new);
            other_way.set(login_href(!asks_for_new, query.get_str("next")));
        });
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (Some(email), Some(password)) = (email.get_untracked(), password.get_untracked()) else { return };
        let credentials = Credentials { email: email.value(), password: password.value() };
        busy.set(true);
        failed.set(None);
        let wants_new = is_new.get_untracked();
        leptos::task::spawn_local(async move {
            let answer = match wants_new {
                true => client::sign_up(&credentials).await,
                false => client::log_in(&credentials).await,
            };
            busy.set(false);
            match answer {
                Ok(user) => {
                    account.entered(user);
                    // Nobody is led away from a page that they have gone to meanwhile.
                    let Some(next) = query.try_with_untracked(|query| query.get("next")) else { return };
                    lead(paths::next_page(next.as_deref()));
                }
                Err(error) => failed.set(Some(error)),
            }
        });
    };
    let word = move |of_new: &'static str, of_known: &'static str| {
        move || if is_new.get() { of_new } else { of_known }
    };
    view! {
        <div class="narrow">
            <h1>{word("Make an account", "Log in")}</h1>
            <form class="form" method="post" on:submit=submit>
                <label>
                    "Email address"
                    <input
                        class="field"
                        type="email"
                        name="email"
                        autocomplete="username"
                        maxlength=EMAIL_CHARS_MAX.to_string()
                        required
                        node_ref=email
                    />
                </label>
                <label>
                    "Password"
                    <input
                        class="field"
                        type="password"
                        name="password"
                        autocomplete=word("new-password", "current-password")
                        minlength=PASSWORD_CHARS_MIN.to_string()
                        maxlength=PASSWORD_CHARS_MAX.to_string()
                        aria-describedby=move || is_new.get().then_some("password-rule")
                        required
                        node_ref=password
                    />
                    <span class="hint" id="password-rule" hidden=move || !is_new.get()>
                        {format!("At least {PASSWORD_CHARS_MIN} characters.")}
                    </span>
                </label>
                <Alert error=failed />
                <button class="button" type="submit" disabled=move || busy.get()>
                    {word("Make an account", "Log in")}
                </button>
            </form>
            <p class="aside">
                {word("You have an account?", "You have no account yet?")} " "
                <a class="inline" href=move || other_way.get()>
                    {word("Log in", "Make one")}
                </a>
            </p>
        </div>
    }
}

/// The page to log in on, or to make an account, which leads on to `next`.
fn login_href(is_new: bool, next: Option<&str>) -> String {
    let mut search = Serializer::new(String::new());
    if is_new {
        search.append_pair("new", "1");
    }
    if let Some(next) = next {
        search.append_pair("next", next);
    }
    match search.finish() {
        search if search.is_empty() => paths::LOGIN.to_owned(),
        search => format!("{}?{search}", paths::LOGIN),
    }
}
