//! Errors as RFC 9457 problem details.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Media type of a [`Problem`]; RFC 9457, section 3.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Every error answer's body; RFC 9457, section 3.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A stable name for this kind of problem, such as `/problems/not-found`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words, the same for each occurrence.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What happened this time, and what to do.
    pub detail: String,
    /// The request's id, to be quoted when asking for help.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
    /// For a failed validation: what is wrong with each field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub errors: BTreeMap<String, String>,
}

impl Problem {
    /// A problem of the kind `/problems/{slug}`.
    pub fn new(status: u16, slug: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{slug}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            request_id: None,
            errors: BTreeMap::new(),
        }
    }
}

/// Nobody answers the path.
pub fn not_found() -> Problem {
    Problem::new(404, "not-found", "Not found", "There is nothing at this address.")
}

/// The path is there, but not for this method.
pub fn method_not_allowed(allow: &str) -> Problem {
    let detail = format!("This address answers {allow} only.");
    Problem::new(405, "method-not-allowed", "Method not allowed", detail)
}

/// The client takes none of the content codings that there are.
pub fn coding_not_acceptable() -> Problem {
    let detail = "There is no form of this file that Accept-Encoding allows; don't exclude `identity`.";
    Problem::new(406, "not-acceptable", "Not acceptable", detail)
}

/// The client asked for bytes that are not there.
pub fn range_not_satisfiable(length: u64) -> Problem {
    let detail = format!("The range lies beyond the end: there are {length} bytes.");
    Problem::new(416, "range-not-satisfiable", "Range not satisfiable", detail)
}
