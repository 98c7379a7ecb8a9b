//! Somebody with a browser: keeps cookies, what steps have saved, and a bookmark.

use std::collections::BTreeMap;

use cookie::Cookie;
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::Value;
use tidewall_api::headers::TIDEWALL_BOOKMARK;

use super::answers::Answer;
use super::script::Step;
use crate::failure::Failure;

pub(super) struct Visitor {
    client: Client,
    cookies: BTreeMap<String, String>,
    saved: BTreeMap<String, String>,
    bookmark: Option<String>,
}

impl Visitor {
    /// Whose `{unique}` is this.
    pub(super) fn new(unique: String) -> Result<Self, Failure> {
        // A redirect is an answer like any other.
        let client = Client::builder().no_proxy().redirect(Policy::none()).build();
        let client = client.map_err(|error| Failure::new(format!("cannot ask the origins: {error}")))?;
        let saved = BTreeMap::from([("unique".to_owned(), unique)]);
        Ok(Self { client, cookies: BTreeMap::new(), saved, bookmark: None })
    }

    /// Takes a step at `origin`.
    pub(super) async fn ask(&self, origin: &str, step: &Step) -> Result<Answer, Failure> {
        let step = step.filled(&self.saved);
        let method = Method::from_bytes(step.method.as_bytes())
            .map_err(|_| Failure::new(format!("{:?} is no method", step.method)))?;
        let mut request = self.client.request(method, format!("{origin}{}", step.path));
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        if let Some(bookmark) = &self.bookmark {
            request = request.header(TIDEWALL_BOOKMARK, bookmark);
        }
        if let Some(json) = &step.json {
            request = request.json(json);
        }
        for (name, value) in &step.headers {
            request = request.header(name, value);
        }
        let unanswered = |error: reqwest::Error| {
            Failure::new(format!("{origin} gives no answer to {} {}: {error}", step.method, step.path))
        };
        let response = request.send().await.map_err(unanswered)?;
        let fields = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(unanswered)?.to_vec();
        Ok(Answer { status, fields, body })
    }

    /// Keeps what an answer says is to be kept.
    pub(super) fn learn(&mut self, step: &Step, answer: &Answer) {
        for set in answer.field(SET_COOKIE.as_str()).filter_map(|set| Cookie::parse(set).ok()) {
            let is_over = set.max_age().is_some_and(|age| age.is_zero() || age.is_negative());
            if is_over {
                self.cookies.remove(set.name());
            } else {
                self.cookies.insert(set.name().to_owned(), set.value().to_owned());
            }
        }
        // Each of its own writes is behind the one before.
        if let Some(bookmark) = answer.field(TIDEWALL_BOOKMARK).last() {
            self.bookmark = Some(bookmark.to_owned());
        }
        let json = answer.json();
        for (name, what) in &step.save {
            let value = match (what.starts_with('/'), &json) {
                (true, Some(json)) => json.pointer(what).map(|value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                }),
                (true, None) => None,
                (false, _) => answer.field(what).next().map(str::to_owned),
            };
            if let Some(value) = value {
                self.saved.insert(name.clone(), value);
            }
        }
    }
}
