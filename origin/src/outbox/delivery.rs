//! Which rows an edge is told next.

use std::collections::BTreeSet;
use std::time::Duration;

use tidewall_api::purge::Purge;

/// A row waits so long, so that the write's own answer is there first: then the edge
/// has acted already, and drops what the row says.
pub(super) const HEAD_START: Duration = Duration::from_millis(200);
/// So many due rows, and they are told together. Together they can't name their writes,
/// and what their answers have said is done a second time; so as long as the edge keeps
/// up each is told alone.
const TOGETHER_FROM: usize = 20;
/// Names in one purge, unless a single row has more: a request of some ten kilobytes.
const NAMES_MAX: usize = 500;

/// A row that waits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Waiting {
    pub(super) id: i64,
    /// Its transaction.
    pub(super) write: Option<u64>,
    pub(super) purge: Purge,
    /// For how long it has waited.
    pub(super) age: Duration,
}

/// What is told at once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Delivery {
    /// Of these rows, in order.
    pub(super) ids: Vec<i64>,
    pub(super) purge: Purge,
}

/// The rows that are due. Behind one that isn't none is, whatever its own age: the
/// order is that of the rows.
pub(super) fn due(waiting: &[Waiting]) -> &[Waiting] {
    let end = waiting.iter().position(|row| row.age < HEAD_START).unwrap_or(waiting.len());
    &waiting[..end]
}

/// The next of the `due` rows for an edge that is done with some of them. Rows up to
/// `alone_until` are told one by one.
pub(super) fn next(due: &[Waiting], is_done: impl Fn(i64) -> bool, alone_until: i64) -> Option<Delivery> {
    let mut rows = due.iter().filter(|row| !is_done(row.id)).peekable();
    let first = *rows.peek()?;
    let rows: Vec<_> = rows.collect();
    if rows.len() < TOGETHER_FROM || first.id <= alone_until {
        let purge = Purge { write: first.write, ..first.purge.clone() };
        return Some(Delivery { ids: vec![first.id], purge });
    }
    let mut union = Union::default();
    let mut ids = Vec::new();
    for row in rows {
        // What is only stale and what is out of date can't be said in one.
        if row.purge.soft != first.purge.soft
            || (union.names() + names(&row.purge) > NAMES_MAX && !ids.is_empty())
        {
            break;
        }
        union.add(&row.purge);
        ids.push(row.id);
    }
    // A single one may name its write all the same.
    let write = first.write.filter(|_| ids.len() == 1);
    Some(Delivery { ids, purge: Purge { soft: first.purge.soft, write, ..union.purge() } })
}

fn names(purge: &Purge) -> usize {
    purge.groups.len() + purge.paths.len() + purge.prefixes.len()
}

/// Everything that any of several purges names.
#[derive(Default)]
struct Union<'a> {
    groups: BTreeSet<&'a str>,
    paths: BTreeSet<&'a str>,
    prefixes: BTreeSet<&'a str>,
    all: bool,
}

impl<'a> Union<'a> {
    fn names(&self) -> usize {
        self.groups.len() + self.paths.len() + self.prefixes.len()
    }

    fn add(&mut self, purge: &'a Purge) {
        self.groups.extend(purge.groups.iter().map(String::as_str));
        self.paths.extend(purge.paths.iter().map(String::as_str));
        self.prefixes.extend(purge.prefixes.iter().map(String::as_str));
        self.all |= purge.all;
    }

    fn purge(self) -> Purge {
        let strings = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        Purge {
            groups: strings(self.groups),
            paths: strings(self.paths),
            prefixes: strings(self.prefixes),
            all: self.all,
            ..Purge::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A due row whose id is also its write, from `a`, `/a`, `/a*`, `all` and `soft`.
    fn row(id: i64, text: &str) -> Waiting {
        let mut purge = Purge::default();
        for word in text.split_whitespace() {
            match word {
                "all" => purge.all = true,
                "soft" => purge.soft = true,
                prefix if prefix.ends_with('*') => {
                    purge.prefixes.push(prefix.trim_end_matches('*').to_owned())
                }
                path if path.starts_with('/') => purge.paths.push(path.to_owned()),
                group => purge.groups.push(group.to_owned()),
            }
        }
        Waiting { id, write: Some(id.unsigned_abs()), purge, age: HEAD_START }
    }

    fn many(texts: impl IntoIterator<Item = &'static str>) -> Vec<Waiting> {
        (1..).zip(texts).map(|(id, text)| row(id, text)).collect()
    }

    fn backlog(text: &'static str) -> Vec<Waiting> {
        many(std::iter::repeat_n(text, TOGETHER_FROM))
    }

    fn show(delivery: Option<Delivery>) -> String {
        let Some(Delivery { ids, purge }) = delivery else { return "nothing".to_owned() };
        format!("{}-{}: {}", ids[0], ids[ids.len() - 1], serde_json::to_string(&purge).unwrap())
    }

    #[test]
    fn a_row_is_told_alone_and_names_its_write() {
        let rows = many(["a b", "c"]);
        assert_eq!(show(next(&rows, |_| false, 0)), r#"1-1: {"groups":["a","b"],"write":1}"#);
        assert_eq!(show(next(&rows, |id| id == 1, 0)), r#"2-2: {"groups":["c"],"write":2}"#);
        assert_eq!(show(next(&rows, |_| true, 0)), "nothing");
    }

    #[test]
    fn a_row_whose_write_has_no_name_has_none_here() {
        let unnamed = Waiting { write: None, ..row(1, "all") };
        assert_eq!(show(next(&[unnamed], |_| false, 0)), r#"1-1: {"all":true}"#);
    }

    #[test]
    fn many_rows_are_told_together_and_name_no_write() {
        let mut rows = backlog("a b");
        rows[3] = row(4, "c /x /y* b");
        assert_eq!(
            show(next(&rows, |_| false, 0)),
            r#"1-20: {"groups":["a","b","c"],"paths":["/x"],"prefixes":["/y"]}"#
        );
        assert_eq!(
            show(next(&rows, |id| id == 1, 0)),
            r#"2-2: {"groups":["a","b"],"write":2}"#,
            "19 are few"
        );
        rows[3].purge.all = true;
        assert!(show(next(&rows, |_| false, 0)).contains(r#""all":true"#));
    }

    #[test]
    fn after_a_refusal_rows_are_told_one_by_one() {
        let rows = backlog("a");
        assert_eq!(show(next(&rows, |_| false, 20)), r#"1-1: {"groups":["a"],"write":1}"#);
        let rows = many(std::iter::repeat_n("a", TOGETHER_FROM + 1));
        assert_eq!(show(next(&rows, |id| id == 1, 1)), r#"2-21: {"groups":["a"]}"#);
    }

    #[test]
    fn stale_and_out_of_date_are_never_told_in_one() {
        let mut rows = backlog("a");
        rows[2] = row(3, "a soft");
        assert_eq!(show(next(&rows, |_| false, 0)), r#"1-2: {"groups":["a"]}"#);
        let mut rows = backlog("a");
        rows[0] = row(1, "a soft");
        assert_eq!(show(next(&rows, |_| false, 0)), r#"1-1: {"groups":["a"],"soft":true,"write":1}"#);
    }

    #[test]
    fn a_purge_has_a_bound_that_a_single_row_may_exceed() {
        let groups = |first: usize, count: usize| (first..first + count).map(|n| format!("g{n}")).collect();
        let mut rows = backlog("");
        for (index, row) in rows.iter_mut().enumerate() {
            row.purge.groups = groups(index * 100, 100);
        }
        assert_eq!(next(&rows, |_| false, 0).unwrap().ids, [1, 2, 3, 4, 5]);
        rows[0].purge.groups = groups(0, NAMES_MAX + 1);
        let large = next(&rows, |_| false, 0).unwrap();
        assert_eq!(
            (large.ids, large.purge.groups.len(), large.purge.write),
            (vec![1], NAMES_MAX + 1, Some(1))
        );
    }

    #[test]
    fn what_is_behind_a_young_row_is_not_due_either() {
        let mut rows = many(["a", "a", "a"]);
        assert_eq!(due(&rows).len(), 3);
        rows[1].age = HEAD_START - Duration::from_millis(1);
        assert_eq!(due(&rows).len(), 1);
        rows[0].age = Duration::ZERO;
        assert_eq!(due(&rows), []);
        assert_eq!(due(&[]), []);
    }
}
