//! Answers with the site what no route answers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tidewall_api::site::{self, Answer, Index, Outcome, respond};

use super::file::{self, Broken};
use super::label::Label;
use super::store::Site;
use crate::http::api_version;
use crate::http::error::ApiError;
use crate::http::problems::{self, ForPeople};

const AVAILABLE_DICTIONARY: HeaderName = HeaderName::from_static("available-dictionary");

/// Sees to it that handlers know the site as it is now.
pub(in crate::http) async fn keep_current(
    State(site): State<Site>,
    request: Request,
    next: Next,
) -> Response {
    site.look_if_due().await;
    next.run(request).await
}

/// Answers what is asked of the site.
pub(in crate::http) async fn serve(State(site): State<Site>, request: Request) -> Response {
    let path = request.uri().path();
    // Who asks the API for what it doesn't have is told so as by the API.
    if path.starts_with(api_version::PREFIX) {
        return problems::unknown_path().await.into_response();
    }
    site.look().await;
    let method = request.method().as_str();
    let fields = Fields::of(request.headers());
    let index = site.index();
    let mut answered = answer(&site, &index, &fields.request(method, path)).await;
    if answered.is_err() {
        // It may have been built again between the look and the file.
        site.look().await;
        let newer = site.index();
        if !Arc::ptr_eq(&index, &newer) {
            answered = answer(&site, &newer, &fields.request(method, path)).await;
        }
    }
    let mut response = answered.unwrap_or_else(|broken| ApiError::internal(broken).into_response());
    if let Some(label) = Label::of(&site.index(), path) {
        response.extensions_mut().insert(label);
    }
    response
}

/// The fields that the site is asked with, each in one line (RFC 9110, section 5.3).
struct Fields([Option<String>; 6]);

impl Fields {
    fn of(request: &HeaderMap) -> Self {
        let names = [ACCEPT, ACCEPT_ENCODING, AVAILABLE_DICTIONARY, IF_NONE_MATCH, IF_RANGE, RANGE];
        Self(names.map(|name| {
            let lines: Vec<_> =
                request.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
            (!lines.is_empty()).then(|| lines.join(", "))
        }))
    }

    fn request<'a>(&'a self, method: &'a str, path: &'a str) -> site::Request<'a> {
        let [accept, accept_encoding, available_dictionary, if_none_match, if_range, range] =
            self.0.each_ref().map(Option::as_deref);
        site::Request {
            method,
            path,
            accept,
            accept_encoding,
            available_dictionary,
            if_none_match,
            if_range,
            range,
        }
    }
}

async fn answer(site: &Site, index: &Index, request: &site::Request<'_>) -> Result<Response, Broken> {
    let answer = respond(index, request);
    let length = answer.field("content-length").and_then(|length| length.parse().ok());
    let Answer { outcome, status, fields, body } = answer;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in fields {
        // What the manifest says of itself is sent as far as a field can carry it.
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().append(name, value);
        }
    }
    if outcome == Outcome::NotFoundPage {
        response.extensions_mut().insert(ForPeople);
    }
    match body {
        site::Body::Empty => {}
        site::Body::Text(text) => *response.body_mut() = Body::from(text),
        // `problems` writes it out, with the request's id.
        site::Body::Problem(problem) => {
            response.extensions_mut().insert(problem);
        }
        site::Body::File(sent) => {
            let bytes = file::body(&site.path(&sent.file), sent.range, length).await;
            *response.body_mut() = bytes.map_err(|source| Broken { named: sent.file, source })?;
        }
    }
    Ok(response)
}
