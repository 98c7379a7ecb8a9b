//! An isolate's view of the control log, and what it says of stored responses.

use std::collections::HashMap;
use std::time::Duration;

use crate::control::entry::{Key, Mark, Scope, Severity, uri_bucket};
use crate::control::log::{Bounds, Delta, Known};
use crate::control::position::Position;
use crate::time::Timestamp;

/// A view: the log up to a position.
#[derive(Clone, Debug)]
pub struct View {
    known: Known,
    /// When its last refresh was sent; it may lack what was appended after that.
    as_of: Timestamp,
    bounds: Bounds,
    groups: HashMap<String, Marks>,
    uris: HashMap<String, Marks>,
    uri_buckets: HashMap<u16, Marks>,
    paths: HashMap<String, Marks>,
    prefixes: Vec<(String, Marks)>,
    all: Marks,
    /// The greatest LSN of any entry: where the origins must read so that what they
    /// read can be stored (S5).
    lsn_max: u64,
}

/// The two entries that a scope may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks {
    hard: Mark,
    soft: Mark,
}

/// What an entry is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The response's cache groups.
    pub groups: &'a [String],
    /// Its cache key.
    pub uri: &'a str,
    /// Its path.
    pub path: &'a str,
}

/// What the log says of a response that it doesn't forbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Nothing.
    Valid,
    /// That it was to be stale from this time on.
    StaleSince(Timestamp),
}

/// Why a response must not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invalidated {
    /// It is of another log: that one was lost, and this one begun in its place (P1).
    BeforeLog,
    /// Everything was purged, or an entry that was evicted could be about it.
    All,
    /// One of its groups was invalidated.
    Group,
    /// Its URI was written to.
    Uri,
    /// Its path was purged.
    Path,
    /// The beginning of its path was purged.
    Prefix,
}

impl Invalidated {
    /// The reason's name, a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BeforeLog => "before-log",
            Self::All => "invalidated-all",
            Self::Group => "invalidated-group",
            Self::Uri => "invalidated-uri",
            Self::Path => "invalidated-path",
            Self::Prefix => "invalidated-prefix",
        }
    }
}

/// Whether a view may be used at a time (S2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Currency {
    /// It may.
    Current,
    /// It may, and it is time to refresh it, so that nobody has to wait later.
    RefreshAhead,
    /// It has to be refreshed first; where the log is out of reach, it may be used.
    RefreshFirst,
    /// It has to be refreshed first, and where the log is out of reach there is none.
    Expired,
}

/// How long a view may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Age up to which it is used as it is: `control_max_age`.
    pub max_age: Duration,
    /// Age up to which it is used while the log is out of reach: `control_grace`.
    pub grace: Duration,
}

impl View {
    /// A first view.
    pub fn new(delta: Delta, sent_at: Timestamp) -> Self {
        let mut view = Self {
            known: Known { first: delta.first, head: delta.head },
            as_of: sent_at,
            bounds: Bounds::default(),
            groups: HashMap::new(),
            uris: HashMap::new(),
            uri_buckets: HashMap::new(),
            paths: HashMap::new(),
            prefixes: Vec::new(),
            all: Marks::default(),
            lsn_max: 0,
        };
        view.raise(delta.entries);
        view
    }

    /// The same view, and how long its log may become; the view may become twice as long.
    pub fn bounded(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// Takes in what was read from the log by a request that was sent at `sent_at`.
    /// Answers may arrive in another order than they were asked for: an old one
    /// changes nothing.
    pub fn apply(&mut self, delta: Delta, sent_at: Timestamp) {
        if delta.first != self.known.first {
            // Of two logs the one that was heard of last is there.
            if delta.is_whole && sent_at > self.as_of {
                *self = Self::new(delta, sent_at).bounded(self.bounds);
            }
            return;
        }
        // A delta may have been read for an older position than ours, never for a later one.
        self.known.head = self.known.head.max(delta.head);
        self.as_of = self.as_of.max(sent_at);
        self.raise(delta.entries);
    }

    /// How far it has read.
    pub fn known(&self) -> Known {
        self.known
    }

    /// Its position: the fence of exchanges that begin now.
    pub fn seq(&self) -> u64 {
        self.known.head
    }

    /// The greatest LSN of its entries; 0 for none.
    pub fn lsn_max(&self) -> u64 {
        self.lsn_max
    }

    /// Whether it may be used for a request that came at `now`. Its age counts from when
    /// its refresh was sent: what was appended after that it may lack. One that was
    /// refreshed since the request came is as young as can be.
    pub fn currency(&self, limits: Limits, now: Timestamp) -> Currency {
        let age = now.since(self.as_of);
        if self.as_of > now || age < limits.max_age / 2 {
            Currency::Current
        } else if age < limits.max_age {
            Currency::RefreshAhead
        } else if age < limits.grace {
            Currency::RefreshFirst
        } else {
            Currency::Expired
        }
    }

    /// Whether a response at this position may be used, or stored (S1).
    pub fn judge(&self, subject: &Subject<'_>, position: Position) -> Result<Validity, Invalidated> {
        if position.fence.first != self.known.first {
            return Err(Invalidated::BeforeLog);
        }
        let mut stale_since = None;
        for (marks, reason) in self.applicable(subject) {
            if !marks.hard.is_passed_by(position) {
                return Err(reason);
            }
            if !marks.soft.is_passed_by(position) {
                // Positions are times (P1); of several the first counts.
                let since = Timestamp::from_millis(marks.soft.seq);
                stale_since = Some(stale_since.map_or(since, |earlier: Timestamp| earlier.min(since)));
            }
        }
        Ok(stale_since.map_or(Validity::Valid, Validity::StaleSince))
    }

    /// The position of the latest entry, hard or soft, of each scope that a response is
    /// in; without the scope where it is one that no answer to a request invalidates.
    pub(super) fn latest<'a>(
        &'a self,
        subject: &'a Subject<'a>,
    ) -> impl Iterator<Item = (Option<Scope>, u64)> + 'a {
        let groups =
            subject.groups.iter().map(|group| (Some(Scope::Group(group.clone())), self.groups.get(group)));
        let uri = (Some(Scope::Uri(subject.uri.to_owned())), self.uris.get(subject.uri));
        let bucket = self.uri_buckets.get(&uri_bucket(subject.uri));
        let wide = [self.paths.get(subject.path), bucket, Some(&self.all)];
        let wide = wide.into_iter().chain(self.prefixes_of(subject.path).map(Some));
        groups
            .chain([uri])
            .chain(wide.map(|marks| (None, marks)))
            .map(|(scope, marks)| (scope, marks.map_or(0, Marks::seq)))
    }

    fn applicable<'a>(
        &'a self,
        subject: &'a Subject<'a>,
    ) -> impl Iterator<Item = (&'a Marks, Invalidated)> + 'a {
        let groups = subject.groups.iter().map(|group| (self.groups.get(group), Invalidated::Group));
        let single = [
            (Some(&self.all), Invalidated::All),
            (self.uris.get(subject.uri), Invalidated::Uri),
            (self.uri_buckets.get(&uri_bucket(subject.uri)), Invalidated::Uri),
            (self.paths.get(subject.path), Invalidated::Path),
        ];
        let prefixes = self.prefixes_of(subject.path).map(|marks| (marks, Invalidated::Prefix));
        single.into_iter().chain(groups).filter_map(|(marks, reason)| Some((marks?, reason))).chain(prefixes)
    }

    fn prefixes_of<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Marks> + 'a {
        self.prefixes.iter().filter(|(prefix, _)| path.starts_with(prefix.as_str())).map(|(_, marks)| marks)
    }

    /// The entries about a response.
    pub fn entries(&self, subject: &Subject<'_>) -> Vec<(Key, Mark)> {
        let groups = subject.groups.iter().map(|group| (Scope::Group(group.clone()), self.groups.get(group)));
        let uri = (Scope::Uri(subject.uri.to_owned()), self.uris.get(subject.uri));
        let path = (Scope::Path(subject.path.to_owned()), self.paths.get(subject.path));
        let prefixes = self.prefixes.iter().filter(|(prefix, _)| subject.path.starts_with(prefix.as_str()));
        let prefixes = prefixes.map(|(prefix, marks)| (Scope::Prefix(prefix.clone()), Some(marks)));
        let bucket = uri_bucket(subject.uri);
        let uris = (Scope::Uris(bucket), self.uri_buckets.get(&bucket));
        let all = (Scope::All, Some(&self.all));
        groups
            .chain([uri, uris, path])
            .chain(prefixes)
            .chain([all])
            .filter_map(|(scope, marks)| Some((scope, marks?)))
            .flat_map(|(scope, marks)| marks.entries(scope))
            .collect()
    }

    /// The newest entries, the last one first; at most so many. Without those of single URIs, of which
    /// each unsafe request makes one (RFC 9111, section 4.4).
    pub fn newest(&self, count: usize) -> Vec<(Key, Mark)> {
        let named = |map: &HashMap<String, Marks>, scope: fn(String) -> Scope| {
            map.iter().map(|(name, marks)| (scope(name.clone()), *marks)).collect::<Vec<_>>()
        };
        let mut all = named(&self.groups, Scope::Group);
        all.extend(named(&self.paths, Scope::Path));
        all.extend(self.prefixes.iter().map(|(prefix, marks)| (Scope::Prefix(prefix.clone()), *marks)));
        all.push((Scope::All, self.all));
        let mut entries: Vec<_> = all.into_iter().flat_map(|(scope, marks)| marks.entries(scope)).collect();
        entries.sort_by(|(key, mark), (other_key, other)| other.seq.cmp(&mark.seq).then(key.cmp(other_key)));
        entries.truncate(count);
        entries
    }

    fn raise(&mut self, entries: Vec<(Key, Mark)>) {
        for (Key { scope, severity }, mark) in entries {
            self.lsn_max = self.lsn_max.max(mark.lsn.unwrap_or(0));
            self.marks(scope).raise(severity, mark);
        }
        // The log folds entries into *all* as well; a view that lives long would keep
        // what the log has evicted.
        if self.uris.len() > 2 * self.bounds.uris_max {
            self.fold_oldest_uris(self.bounds.uris_max);
        }
        if self.len() > 2 * self.bounds.entries_max {
            self.fold_oldest(self.bounds.entries_max);
        }
        if self.prefixes.len() > 2 * self.bounds.prefixes_max {
            self.fold_oldest_prefixes(self.bounds.prefixes_max);
        }
    }

    fn marks(&mut self, scope: Scope) -> &mut Marks {
        match scope {
            Scope::All => &mut self.all,
            Scope::Prefix(prefix) => {
                let index = self.prefixes.iter().position(|(known, _)| *known == prefix);
                let index = index.unwrap_or_else(|| {
                    self.prefixes.push((prefix, Marks::default()));
                    self.prefixes.len() - 1
                });
                &mut self.prefixes[index].1
            }
            Scope::Group(group) => self.groups.entry(group).or_default(),
            Scope::Uri(uri) => self.uris.entry(uri).or_default(),
            Scope::Uris(bucket) => self.uri_buckets.entry(bucket).or_default(),
            Scope::Path(path) => self.paths.entry(path).or_default(),
        }
    }

    fn len(&self) -> usize {
        self.groups.len() + self.paths.len()
    }

    /// Keeps about `left` entries, and folds the older ones into *all* (W4).
    fn fold_oldest(&mut self, left: usize) {
        let maps = [&mut self.groups, &mut self.paths];
        let mut seqs: Vec<u64> = maps.iter().flat_map(|map| map.values().map(Marks::seq)).collect();
        seqs.sort_unstable();
        let Some(first_kept) = seqs.len().checked_sub(left).and_then(|index| seqs.get(index)).copied() else {
            return;
        };
        for map in maps {
            map.retain(|_, marks| {
                let is_kept = marks.seq() >= first_kept;
                if !is_kept {
                    self.all.raise(Severity::Hard, marks.hard);
                    self.all.raise(Severity::Soft, marks.soft);
                }
                is_kept
            });
        }
    }
}

impl View {
    /// The same for URIs, into their buckets.
    fn fold_oldest_uris(&mut self, left: usize) {
        let mut seqs: Vec<u64> = self.uris.values().map(Marks::seq).collect();
        seqs.sort_unstable();
        let first_kept = seqs.len().checked_sub(left).and_then(|index| seqs.get(index)).copied();
        let buckets = &mut self.uri_buckets;
        self.uris.retain(|uri, marks| {
            let is_kept = first_kept.is_none_or(|first_kept| marks.seq() >= first_kept);
            if !is_kept {
                let bucket = buckets.entry(uri_bucket(uri)).or_default();
                bucket.raise(Severity::Hard, marks.hard);
                bucket.raise(Severity::Soft, marks.soft);
            }
            is_kept
        });
    }

    /// The same for prefixes, each of which is compared with each path.
    fn fold_oldest_prefixes(&mut self, left: usize) {
        self.prefixes.sort_unstable_by_key(|(_, marks)| std::cmp::Reverse(marks.seq()));
        for (_, marks) in self.prefixes.split_off(left) {
            self.all.raise(Severity::Hard, marks.hard);
            self.all.raise(Severity::Soft, marks.soft);
        }
    }
}

impl Marks {
    fn raise(&mut self, severity: Severity, mark: Mark) {
        let own = match severity {
            Severity::Hard => &mut self.hard,
            Severity::Soft => &mut self.soft,
        };
        *own = own.raised_by(mark);
    }

    fn seq(&self) -> u64 {
        self.hard.seq.max(self.soft.seq)
    }

    /// As the log has them.
    fn entries(self, scope: Scope) -> impl Iterator<Item = (Key, Mark)> {
        let both = [(Severity::Hard, self.hard), (Severity::Soft, self.soft)];
        both.into_iter()
            .filter(|(_, mark)| mark.seq > 0)
            .map(move |(severity, mark)| (Key { scope: scope.clone(), severity }, mark))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::entry::tests::scope;
    use crate::control::log::ENTRIES_MAX;
    use crate::control::position::ReadAt;

    const LIMITS: Limits = Limits { max_age: Duration::from_secs(1), grace: Duration::from_secs(5) };

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    pub(in crate::control) fn delta(head: u64, entries: Vec<(Scope, Severity, Mark)>) -> Delta {
        let entries =
            entries.into_iter().map(|(scope, severity, mark)| (Key { scope, severity }, mark)).collect();
        Delta { first: 100, head, is_whole: false, entries }
    }

    fn seq(seq: u64) -> Mark {
        Mark { seq, lsn: None }
    }

    fn subject(groups: &[String]) -> Subject<'_> {
        Subject { groups, uri: "http://h/a/b?c", path: "/a/b" }
    }

    fn at(fence: u64) -> Position {
        Position { fence: Known { first: 100, head: fence }, read_at: ReadAt::Unknown }
    }

    #[test]
    fn the_newest_entries_come_first() {
        let entries = vec![
            (Scope::Group("g".to_owned()), Severity::Hard, seq(101)),
            (Scope::All, Severity::Soft, seq(103)),
            (Scope::Uri("http://h/a".to_owned()), Severity::Hard, seq(103)),
            (Scope::Path("/a".to_owned()), Severity::Hard, seq(102)),
        ];
        let view = View::new(delta(103, entries), ms(0));
        let newest = |count| -> Vec<_> { view.newest(count).into_iter().map(|(_, mark)| mark.seq).collect() };
        assert_eq!((newest(9), newest(2)), (vec![103, 102, 101], vec![103, 102]));
    }

    #[test]
    fn a_response_is_valid_that_passed_every_entry_about_it() {
        let groups = ["g".to_owned(), "h".to_owned()];
        let check = |scope: Scope, expected| {
            let view = View::new(delta(300, vec![(scope.clone(), Severity::Hard, seq(200))]), ms(0));
            assert_eq!(view.judge(&subject(&groups), at(199)), expected, "{scope:?}");
            assert_eq!(view.judge(&subject(&groups), at(200)), Ok(Validity::Valid), "{scope:?}");
        };
        let text = str::to_owned;
        check(Scope::All, Err(Invalidated::All));
        check(Scope::Group(text("h")), Err(Invalidated::Group));
        check(Scope::Group(text("H")), Ok(Validity::Valid));
        check(Scope::Uri(text("http://h/a/b?c")), Err(Invalidated::Uri));
        check(Scope::Uri(text("http://h/a/b")), Ok(Validity::Valid));
        check(Scope::Uri(text("http://h/a/b?c")).wider(), Err(Invalidated::Uri));
        check(Scope::Uris(1_023), Ok(Validity::Valid));
        check(Scope::Path(text("/a/b")), Err(Invalidated::Path));
        check(Scope::Path(text("/a")), Ok(Validity::Valid));
        check(Scope::Prefix(text("/a")), Err(Invalidated::Prefix));
        check(Scope::Prefix(text("/a/bc")), Ok(Validity::Valid));
    }

    #[test]
    fn the_entries_about_a_response_are_those_it_is_judged_by() {
        let entry = |scope, severity| (scope, severity, seq(200));
        let text = str::to_owned;
        let about = [
            entry(Scope::Group(text("g")), Severity::Soft),
            entry(Scope::Uri(text("http://h/a/b?c")), Severity::Hard),
            entry(Scope::Path(text("/a/b")), Severity::Hard),
            entry(Scope::Prefix(text("/a")), Severity::Hard),
            entry(Scope::All, Severity::Soft),
        ];
        let others = [Scope::Group(text("h")), Scope::Path(text("/a")), Scope::Prefix(text("/b"))];
        let others = others.map(|scope| entry(scope, Severity::Hard));
        let view = View::new(delta(300, [&about[..], &others[..]].concat()), ms(0));
        let found = view.entries(&subject(&[text("g")]));
        let expected = about.map(|(scope, severity, mark)| (Key { scope, severity }, mark));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_response_of_another_log_is_a_miss() {
        let view = View::new(delta(300, vec![]), ms(0));
        // Whichever came first, and however far it was: clocks differ.
        for first in [99, 101] {
            let fence = Known { first, head: 300 };
            let position = Position { fence, read_at: ReadAt::Primary };
            assert_eq!(view.judge(&subject(&[]), position), Err(Invalidated::BeforeLog));
        }
        assert_eq!(view.judge(&subject(&[]), at(100)), Ok(Validity::Valid));
    }

    #[test]
    fn a_soft_purge_makes_stale_and_a_hard_one_wins() {
        let groups = ["g".to_owned()];
        let mut view =
            View::new(delta(300, vec![(Scope::Group("g".to_owned()), Severity::Soft, seq(200))]), ms(0));
        assert_eq!(view.judge(&subject(&groups), at(150)), Ok(Validity::StaleSince(ms(200))));
        view.apply(delta(301, vec![(Scope::All, Severity::Hard, seq(160))]), ms(1));
        assert_eq!(view.judge(&subject(&groups), at(150)), Err(Invalidated::All));
        assert_eq!(view.judge(&subject(&groups), at(170)), Ok(Validity::StaleSince(ms(200))));
    }

    #[test]
    fn answers_of_the_log_may_arrive_in_any_order() {
        let new = delta(300, vec![(Scope::All, Severity::Hard, Mark { seq: 300, lsn: Some(7) })]);
        let old = delta(200, vec![(Scope::All, Severity::Hard, Mark { seq: 200, lsn: Some(9) })]);
        let mut view = View::new(new, ms(50));
        view.apply(old, ms(40));
        assert_eq!((view.seq(), view.lsn_max(), view.as_of), (300, 9, ms(50)));
        assert_eq!(view.judge(&subject(&[]), at(299)), Err(Invalidated::All));
    }

    #[test]
    fn of_two_logs_the_one_that_was_heard_of_last_is_there() {
        let of_log = |first| Delta { first, head: first, is_whole: true, entries: vec![] };
        let mut view = View::new(of_log(1_000), ms(0));
        view.apply(of_log(2_000), ms(10));
        assert_eq!(view.known(), Known { first: 2_000, head: 2_000 });
        view.apply(of_log(1_000), ms(9));
        assert_eq!((view.known().first, view.as_of), (2_000, ms(10)));
        // A part of a log is no view of it.
        view.apply(Delta { is_whole: false, ..of_log(3_000) }, ms(19));
        assert_eq!(view.known().first, 2_000);
        view.apply(of_log(1_500), ms(20));
        assert_eq!((view.known().first, view.as_of), (1_500, ms(20)));
    }

    #[test]
    fn a_view_is_refreshed_ahead_then_first_and_then_it_is_none() {
        let view = View::new(delta(300, vec![]), ms(1_000));
        let check = |now, expected| assert_eq!(view.currency(LIMITS, ms(now)), expected, "{now}");
        check(1_000, Currency::Current);
        check(1_499, Currency::Current);
        check(1_500, Currency::RefreshAhead);
        check(1_999, Currency::RefreshAhead);
        check(2_000, Currency::RefreshFirst);
        check(5_999, Currency::RefreshFirst);
        check(6_000, Currency::Expired);
        let at_once = Limits { max_age: Duration::ZERO, ..LIMITS };
        assert_eq!(view.currency(at_once, ms(1_000)), Currency::RefreshFirst);
        assert_eq!(view.currency(at_once, ms(999)), Currency::Current);
    }

    #[test]
    fn a_view_has_a_bound_and_forgets_nothing() {
        let mut view = View::new(delta(100, vec![]), ms(0));
        for n in 0..=2 * ENTRIES_MAX as u64 {
            let scope = Scope::Group(n.to_string());
            view.apply(delta(200 + n, vec![(scope, Severity::Hard, seq(200 + n))]), ms(n));
        }
        assert!(view.len() <= 2 * ENTRIES_MAX);
        let groups = ["0".to_owned()];
        assert!(view.judge(&subject(&groups), at(199)).is_err());
    }

    #[test]
    fn a_view_folds_prefixes_too() {
        let bounds = Bounds { prefixes_max: 2, ..Bounds::default() };
        let mut view = View::new(delta(100, vec![]), ms(0)).bounded(bounds);
        for n in 0..=4 {
            let scope = Scope::Prefix(format!("/{n}"));
            view.apply(delta(200 + n, vec![(scope, Severity::Hard, seq(200 + n))]), ms(n));
        }
        let folded = Subject { groups: &[], uri: "http://h/0", path: "/0" };
        assert_eq!(view.judge(&folded, at(199)), Err(Invalidated::All));
        let kept = Subject { groups: &[], uri: "http://h/4", path: "/4" };
        assert_eq!(view.judge(&kept, at(203)), Err(Invalidated::Prefix));
        assert_eq!(view.prefixes.len(), 2);
    }

    proptest! {
        #[test]
        fn no_answer_whatever_makes_a_view_grow_without_end(
            deltas in prop::collection::vec(
                (any::<(u64, u64, bool)>(), prop::collection::vec((scope(), any::<(u64, Option<u64>)>()), 0..9)),
                0..9,
            ),
        ) {
            let bounds = Bounds { entries_max: 3, uris_max: 2, prefixes_max: 2, bytes_max: 400 };
            let mut view = View::new(delta(100, vec![]), ms(0)).bounded(bounds);
            // One answer is taken in whole, however long: its log has a bound.
            let mut most = 0;
            for ((first, head, is_whole), entries) in deltas {
                // Of this log or of another one.
                let first = if first % 2 == 0 { 100 } else { first };
                let severity = if first % 4 < 2 { Severity::Hard } else { Severity::Soft };
                let entry = |(scope, (seq, lsn))| (Key { scope, severity }, Mark { seq, lsn });
                let entries: Vec<_> = entries.into_iter().map(entry).collect();
                most = most.max(entries.len());
                view.apply(Delta { first, head, is_whole, entries }, ms(head));
                prop_assert!(view.len() <= 6 + most && view.uris.len() <= 4 + most);
                prop_assert!(view.prefixes.len() <= 4 + most);
                let groups = ["a".to_owned()];
                let _ = view.judge(&subject(&groups), at(head));
                let _ = view.currency(LIMITS, ms(first));
                prop_assert!(view.newest(3).len() <= 3);
            }
        }
    }
}
