//! What an edge's answer to a purge means.

use serde::Deserialize;
use tidewall_api::purge::Purged;

/// Characters that are kept of what an edge says.
const REASON_CHARS_MAX: usize = 300;

/// What it means for what was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is in the edge's log.
    Accepted,
    /// It is not, and never will be.
    Refused(String),
    /// It is not yet.
    Failed(Failure),
}

/// Why an edge has not accepted a purge yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    /// What it said, or how it could not be reached.
    pub(super) detail: String,
}

/// The kinds of failures, as metrics tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reason {
    /// It didn't answer.
    Unreachable,
    /// Not in time.
    Timeout,
    /// It knows another token.
    Unauthorized,
    /// What answers there takes no purges.
    NotAnEdge,
    /// It can't now.
    Unable,
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Unauthorized => "unauthorized",
            Self::NotAnEdge => "not_an_edge",
            Self::Unable => "unable",
        }
    }

    /// What whoever runs it can do.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Unreachable | Self::Timeout => "is the edge running, and is EDGE_URL right?",
            Self::Unauthorized => "give the edge and the origins the same PURGE_TOKEN",
            Self::NotAnEdge => "EDGE_URL must name an edge that has a PURGE_TOKEN, without a path",
            Self::Unable => "see the edge's log",
        }
    }
}

/// The part of a problem (RFC 9457) that says what happened.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// What it means that an edge answered with this.
pub(super) fn judge(status: u16, body: &[u8]) -> Answer {
    let failed = |reason| Answer::Failed(Failure { reason, detail: said(status, body) });
    match status {
        200 if serde_json::from_slice::<Purged>(body).is_ok() => Answer::Accepted,
        // The request is in order, and what it says is not: again it would say the same.
        413 | 422 => Answer::Refused(said(status, body)),
        401 | 403 => failed(Reason::Unauthorized),
        408 | 429 | 500.. => failed(Reason::Unable),
        _ => failed(Reason::NotAnEdge),
    }
}

fn said(status: u16, body: &[u8]) -> String {
    let detail = serde_json::from_slice::<Problem>(body).map(|problem| problem.detail).unwrap_or_default();
    let detail: String = detail.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    if detail.is_empty() { format!("status {status}") } else { format!("status {status}: {detail}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(status: u16, body: &str, expected: &str) {
        let said = match judge(status, body.as_bytes()) {
            Answer::Accepted => "accepted".to_owned(),
            Answer::Refused(reason) => format!("refused: {reason}"),
            Answer::Failed(Failure { reason, detail }) => format!("{}: {detail}", reason.as_str()),
        };
        assert_eq!(said, expected, "{status} {body}");
    }

    #[test]
    fn a_position_in_the_log_alone_is_acceptance() {
        check(200, r#"{"seq":7}"#, "accepted");
        check(200, "", "not_an_edge: status 200");
        check(200, "<html>", "not_an_edge: status 200");
        check(204, "", "not_an_edge: status 204");
        check(202, r#"{"seq":7}"#, "not_an_edge: status 202");
    }

    #[test]
    fn what_can_not_be_understood_is_refused_for_good() {
        check(422, r#"{"detail":"no such field"}"#, "refused: status 422: no such field");
        check(413, "", "refused: status 413");
    }

    #[test]
    fn everything_else_is_tried_again() {
        check(401, r#"{"detail":"token"}"#, "unauthorized: status 401: token");
        check(403, "", "unauthorized: status 403");
        check(404, "", "not_an_edge: status 404");
        check(301, "", "not_an_edge: status 301");
        check(400, "", "not_an_edge: status 400");
        check(429, "", "unable: status 429");
        check(503, "", "unable: status 503");
    }

    #[test]
    fn of_what_is_said_a_line_is_kept() {
        check(500, r#"{"detail":"a\u0000\nb"}"#, "unable: status 500: ab");
        let long = format!(r#"{{"detail":"{}"}}"#, "é".repeat(1_000));
        check(500, &long, &format!("unable: status 500: {}", "é".repeat(REASON_CHARS_MAX)));
    }

    proptest! {
        #[test]
        fn whatever_an_edge_answers_a_short_line_of_it_is_kept(
            status: u16, bytes: Vec<u8>, detail in "(\\PC|\r|\n|\0|\x1b|\"|\\\\){0,400}",
        ) {
            for body in [bytes, serde_json::to_vec(&serde_json::json!({ "detail": detail })).unwrap()] {
                let said = match judge(status, &body) {
                    Answer::Accepted => String::new(),
                    Answer::Refused(reason) => reason,
                    Answer::Failed(failure) => failure.detail,
                };
                prop_assert!(!said.contains(char::is_control), "{said:?}");
                prop_assert!(said.chars().count() <= "status 65535: ".len() + REASON_CHARS_MAX);
            }
        }
    }
}
