//! The one decision: what is sent for a request.

use super::accept_encoding::AcceptEncoding;
use super::answer::{Answer, Body, Outcome, Sent};
use super::coding::{Coding, Form, chosen};
use super::entry::Entry;
use super::index::{Found, Index};
use super::request::{Request, wants_html};
use crate::entity_tag::{is_named, strongly_equal};
use crate::manifest::Kept;
use crate::problem::{self, Problem};
use crate::range::{Part, content_range, requested};

/// What may be asked of a file.
const ALLOW: &str = "GET, HEAD";
/// Nobody may keep an error: there may be something soon.
const NO_STORE: &str = "no-store";

/// The site's answer to a request.
pub fn respond(index: &Index, request: &Request<'_>) -> Answer {
    match index.find(request.path) {
        Found::File(entry) => read(entry, request),
        Found::Build(build) => named_build(build, request),
        Found::UnknownAsset => error(Outcome::UnknownAsset, problem::not_found()),
        Found::Nothing => match &index.manifest().not_found {
            Some(page) if request.is_read() && wants_html(request.accept) => {
                not_found(Entry::page(page), request)
            }
            _ => error(Outcome::NotFound, problem::not_found()),
        },
    }
}

/// The answer to a request for an asset of an earlier build, which lies elsewhere under the
/// same names.
pub fn respond_kept(kept: &Kept, request: &Request<'_>) -> Answer {
    read(Entry::kept(request.path, kept), request)
}

fn read(entry: Entry<'_>, request: &Request<'_>) -> Answer {
    if !request.is_read() {
        return method_not_allowed();
    }
    let accepted = AcceptEncoding::read(request.accept_encoding);
    let part = match accepted.identity() {
        Some(_) => part(&entry, request),
        // Only the bytes as they are have parts.
        None => Part::Whole,
    };
    let identity = || Some(Form { coding: Coding::Identity, size: entry.file.size });
    let form = match part {
        Part::Whole => chosen(entry.file, entry.deltas, &accepted, request.available_dictionary),
        Part::Bytes(_) | Part::Unsatisfiable => identity(),
    };
    let Some(form) = form else { return not_acceptable(&entry) };
    let tag = entry.tag(&form.coding.tag());
    if let (Some(tag), Some(condition)) = (&tag, request.if_none_match)
        && is_named(condition, tag)
    {
        let fields = tagged(Some(tag), entry.fields());
        return Answer { outcome: Outcome::NotModified, status: 304, fields, body: Body::Empty };
    }
    match part {
        Part::Whole => sent(Outcome::Whole, 200, &entry, &form, tag.as_deref(), request),
        Part::Unsatisfiable => unsatisfiable(entry.file.size),
        Part::Bytes(bytes) => {
            let length = bytes.end - bytes.start;
            let mut fields = vec![
                ("content-type", entry.file.content_type.clone()),
                ("content-length", length.to_string()),
                ("content-range", content_range(Some(&bytes), entry.file.size)),
            ];
            fields.extend(tagged(tag.as_deref(), entry.fields()));
            let file = entry.path.to_owned();
            let body = Body::File(Sent { file, range: Some(bytes), is_encoded: false });
            Answer { outcome: Outcome::Part, status: 206, fields, body }
        }
    }
}

/// The part that is asked for of the bytes as they are, unless the client's part is one of
/// other bytes (RFC 9110, section 13.1.5). A HEAD has no parts (section 14.2).
fn part(entry: &Entry<'_>, request: &Request<'_>) -> Part {
    let Some(range) = request.range.filter(|_| request.method == "GET") else { return Part::Whole };
    let is_unchanged = match request.if_range {
        None => true,
        Some(condition) => entry.tag("").is_some_and(|tag| strongly_equal(condition.trim(), &tag)),
    };
    if is_unchanged { requested(range, entry.file.size) } else { Part::Whole }
}

fn sent(
    outcome: Outcome,
    status: u16,
    entry: &Entry<'_>,
    form: &Form,
    tag: Option<&str>,
    request: &Request<'_>,
) -> Answer {
    let mut fields = vec![("content-type", entry.file.content_type.clone())];
    fields.extend(form.coding.name().map(|name| ("content-encoding", name.to_owned())));
    fields.push(("content-length", form.size.to_string()));
    fields.extend(tagged(tag, entry.fields()));
    let file = format!("{}{}", entry.path, form.coding.ending());
    let body = match request.method {
        "HEAD" => Body::Empty,
        _ => Body::File(Sent { file, range: None, is_encoded: form.coding != Coding::Identity }),
    };
    Answer { outcome, status, fields, body }
}

/// The page that says that there is nothing.
fn not_found(entry: Entry<'_>, request: &Request<'_>) -> Answer {
    let accepted = AcceptEncoding::read(request.accept_encoding);
    let Some(form) = chosen(entry.file, entry.deltas, &accepted, None) else {
        return error(Outcome::NotFound, problem::not_found());
    };
    let mut answer = sent(Outcome::NotFoundPage, 404, &entry, &form, None, request);
    for (name, value) in &mut answer.fields {
        if *name == "cache-control" {
            NO_STORE.clone_into(value);
        }
    }
    answer
}

/// The build's name, for pages of an earlier one.
fn named_build(build: &str, request: &Request<'_>) -> Answer {
    if !request.is_read() {
        return method_not_allowed();
    }
    let is_plain =
        !build.is_empty() && build.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let tag = is_plain.then(|| format!("\"{build}\""));
    let same =
        vec![("cache-control", "no-cache".to_owned()), ("x-content-type-options", "nosniff".to_owned())];
    if let (Some(tag), Some(condition)) = (&tag, request.if_none_match)
        && is_named(condition, tag)
    {
        let fields = tagged(Some(tag), same);
        return Answer { outcome: Outcome::NotModified, status: 304, fields, body: Body::Empty };
    }
    // A text can always be written.
    let text = format!("{{\"build\":{}}}", serde_json::to_string(build).unwrap_or_default());
    let mut fields =
        vec![("content-type", "application/json".to_owned()), ("content-length", text.len().to_string())];
    fields.extend(tagged(tag.as_deref(), same));
    let body = if request.method == "HEAD" { Body::Empty } else { Body::Text(text) };
    Answer { outcome: Outcome::Whole, status: 200, fields, body }
}

fn tagged(tag: Option<&str>, fields: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    tag.map(|tag| ("etag", tag.to_owned())).into_iter().chain(fields).collect()
}

fn method_not_allowed() -> Answer {
    let mut answer = error(Outcome::MethodNotAllowed, problem::method_not_allowed(ALLOW));
    answer.fields.push(("allow", ALLOW.to_owned()));
    answer
}

fn unsatisfiable(size: u64) -> Answer {
    let mut answer = error(Outcome::Unsatisfiable, problem::range_not_satisfiable(size));
    answer.fields.push(("content-range", content_range(None, size)));
    answer
}

fn not_acceptable(entry: &Entry<'_>) -> Answer {
    let mut answer = error(Outcome::NotAcceptable, problem::coding_not_acceptable());
    answer.fields.extend(entry.fields().into_iter().filter(|(name, _)| *name == "vary"));
    answer
}

fn error(outcome: Outcome, problem: Problem) -> Answer {
    let fields = vec![
        ("content-type", problem::CONTENT_TYPE.to_owned()),
        ("cache-control", NO_STORE.to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
    ];
    Answer { outcome, status: problem.status, fields, body: Body::Problem(problem) }
}
