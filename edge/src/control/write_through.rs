//! May the answer to a write be stored as the new state of what was written (W3)?

use crate::cache::target::Target;
use crate::control::entry::Scope;
use crate::control::log::Known;
use crate::control::view::{Subject, View};
use crate::fields::Fields;

/// A write that was logged.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Its position in the log.
    pub seq: u64,
    /// The scopes it invalidated, each with the position of its entry before.
    pub previous: Vec<(Scope, u64)>,
    /// How far the view had read when the write began.
    pub began_at: Known,
    /// Whether the answer may be one that was given before: the request had an
    /// `Idempotency-Key`, so that the origin may remember, or the log knew the write.
    pub may_be_old: bool,
}

/// The URL whose state the answer to a write holds: its `Content-Location`, where that is
/// of the same origin (RFC 9110, section 8.7; RFC 9111, section 4). `None` where it holds none.
pub fn represented(method: &str, target: &Target<'_>, status: u16, answer: &Fields) -> Option<String> {
    if !matches!(method, "PUT" | "POST" | "PATCH") || !matches!(status, 200 | 201) {
        return None;
    }
    let url = target.resolve(answer.get("content-location")?)?;
    Target::parse(&url).is_some_and(|other| target.is_same_origin(&other)).then_some(url)
}

/// Whether the body shows the last state: nothing about it was logged since the write
/// began but the write itself. Otherwise two writers may have crossed, and the one whose
/// answer came last need not be the one that committed last. `view` has read the log
/// past the write.
///
/// An answer that an origin remembers shows the state of the first time, and what came
/// after that may lie before `began_at`. And of a log that began after the write did,
/// nobody knows what the one before it said.
pub fn is_last(logged: &Logged, view: &View, subject: &Subject<'_>) -> bool {
    if logged.may_be_old || logged.began_at.first != view.known().first {
        return false;
    }
    view.latest(subject).all(|(scope, seq)| {
        let is_own = seq == logged.seq;
        let before = scope.filter(|_| is_own).and_then(|scope| {
            logged.previous.iter().find(|(own, _)| *own == scope).map(|(_, previous)| *previous)
        });
        before.unwrap_or(seq) <= logged.began_at.head
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::entry::{Mark, Severity};
    use crate::control::view::tests::delta;
    use crate::time::Timestamp;

    fn group(name: &str) -> Scope {
        Scope::Group(name.to_owned())
    }

    fn check(entries: &[(Scope, u64)], previous: &[(Scope, u64)], expected: bool) {
        let entries = entries
            .iter()
            .map(|(scope, seq)| (scope.clone(), Severity::Hard, Mark { seq: *seq, lsn: None }))
            .collect();
        let view = View::new(delta(900, entries), Timestamp::from_millis(0));
        let logged = Logged {
            seq: 500,
            previous: previous.to_vec(),
            began_at: Known { first: 100, head: 400 },
            may_be_old: false,
        };
        let groups = ["a".to_owned()];
        let subject = Subject { groups: &groups, uri: "http://h/a", path: "/a" };
        assert_eq!(is_last(&logged, &view, &subject), expected, "{previous:?}");
    }

    #[test]
    fn an_answer_holds_the_state_of_its_content_location() {
        let target = Target::parse("http://h/a/1").unwrap();
        let check = |method: &str, status, lines: &str, expected: Option<&str>| {
            let url = represented(method, &target, status, &Fields::from_lines(lines));
            assert_eq!(url.as_deref(), expected, "{method} {status} {lines}");
        };
        check("PUT", 200, "content-location\n/a/1", Some("http://h/a/1"));
        check("POST", 201, "content-location\n/a/2", Some("http://h/a/2"));
        check("PUT", 200, "", None);
        check("PUT", 200, "content-location\nhttp://other/a/1", None);
        check("PUT", 202, "content-location\n/a/1", None);
        check("DELETE", 200, "content-location\n/a/1", None);
    }

    #[test]
    fn a_write_alone_is_the_last() {
        check(&[(group("a"), 500)], &[(group("a"), 0)], true);
        check(&[(group("a"), 500)], &[(group("a"), 400)], true);
        check(&[(group("a"), 500), (group("b"), 600)], &[(group("a"), 300)], true);
    }

    #[test]
    fn a_write_that_another_crossed_is_not() {
        check(&[(group("a"), 500)], &[(group("a"), 401)], false);
        check(&[(group("a"), 501)], &[(group("a"), 0)], false);
        check(&[(group("a"), 500), (Scope::All, 450)], &[(group("a"), 0)], false);
        check(&[(group("a"), 500), (Scope::Prefix("/".to_owned()), 500)], &[(group("a"), 0)], false);
        check(&[(group("a"), 500), (Scope::Path("/a".to_owned()), 450)], &[(group("a"), 0)], false);
    }

    #[test]
    fn a_group_that_the_write_did_not_invalidate_says_nothing_of_it() {
        check(&[(group("a"), 450)], &[(group("b"), 0)], false);
        check(&[(group("a"), 300)], &[(group("b"), 0)], true);
    }

    #[test]
    fn a_write_from_before_the_log_or_told_again_is_not_the_last() {
        let view = View::new(
            delta(900, vec![(group("a"), Severity::Hard, Mark { seq: 500, lsn: None })]),
            Timestamp::from_millis(0),
        );
        let groups = ["a".to_owned()];
        let subject = Subject { groups: &groups, uri: "http://h/a", path: "/a" };
        let check = |first, may_be_old, expected| {
            let began_at = Known { first, head: 400 };
            let logged = Logged { seq: 500, previous: vec![(group("a"), 0)], began_at, may_be_old };
            assert_eq!(is_last(&logged, &view, &subject), expected, "{first} {may_be_old}");
        };
        check(100, false, true);
        check(99, false, false);
        check(100, true, false);
    }
}
