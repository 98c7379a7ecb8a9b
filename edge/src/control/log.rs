//! The log itself, as its one keeper holds it.
//!
//! For each scope there is one [entry](super::entry): later appends raise its mark, so
//! the log is as long as the number of different scopes, and that is bounded. What is
//! evicted is not forgotten: its mark is folded into that of *all*, which every response
//! must pass (W4). So what is evicted costs hits, never a stale answer. URIs, of which
//! anybody can make up any number, have a bound of their own, and are folded into that of
//! the thousandth part of all URIs that they are in.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::cache::key::hexadecimal;
use crate::control::entry::{Key, Mark, Scope, Severity};
use crate::time::Timestamp;

/// Most entries, beside buckets of URIs. A new isolate reads them all: mostly some 60
/// bytes each, so 600 KB.
pub const ENTRIES_MAX: usize = 10_000;

/// Most URIs among them.
pub const URIS_MAX: usize = 2_000;

/// Most prefixes. Each is compared with each path, unlike the others, which are
/// looked up.
pub const PREFIXES_MAX: usize = 64;

/// For how long a write is remembered, so that it is logged once: in-band with its
/// answer, and from the outbox. In milliseconds. What comes later is logged again,
/// which costs hits only; and the ids of a restored database meet no old ones.
pub const WRITE_REMEMBERED_MS: u64 = 10 * 60 * 1_000;

/// Most writes that are remembered.
pub const WRITES_MAX: usize = 20_000;

/// Most bytes of all entries. A new follower reads them all, within its deadline.
pub const BYTES_MAX: usize = 2 * 1024 * 1024;

/// What an entry takes beside its name.
const ENTRY_BYTES: usize = 64;

/// How long a log may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most entries; at least two, which are those of *all*.
    pub entries_max: usize,
    /// Most URIs among them.
    pub uris_max: usize,
    /// Most prefixes among them.
    pub prefixes_max: usize,
    /// Most bytes of all of them.
    pub bytes_max: usize,
}

/// The log.
#[derive(Debug)]
pub struct Log {
    first: u64,
    head: u64,
    bounds: Bounds,
    entries: HashMap<Key, Mark>,
    /// The same entries by age, the oldest first.
    by_seq: BTreeSet<(u64, Key)>,
    /// How many of them are single URIs.
    uris: usize,
    /// And how many are buckets of URIs, which have a bound in themselves.
    buckets: usize,
    /// What all take.
    bytes: usize,
    writes: HashMap<Write, Remembered>,
    writes_by_age: VecDeque<(u64, Write)>,
}

/// How a write was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Remembered {
    seq: u64,
    /// Whether it was said where in the WAL it can be seen.
    has_lsn: bool,
}

/// One write of an origin, by what it invalidates: should two databases use the same
/// id, they hardly do so for the same scopes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Write {
    /// The origin's id of it.
    pub id: u64,
    /// A digest of its scopes, less URIs, which only the answer to the client knows: they
    /// may be many, and so are the writes that are remembered.
    pub scopes: String,
}

/// What is to be appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// What is out of date. Nothing is fine: then it only tells the position.
    pub scopes: Vec<Scope>,
    /// In which way.
    pub severity: Severity,
    /// Where in the WAL the write can be seen.
    pub lsn: Option<u64>,
    /// The origin's id of the write. It must tell timelines apart, too: after a promotion
    /// transaction ids are given out again.
    pub write: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its position, or that of its first appearance.
    pub seq: u64,
    /// For each scope the position of its entry before, hard or soft; 0 for none.
    pub previous: Vec<u64>,
    /// Whether it was in the log already.
    pub is_duplicate: bool,
    /// What is to be written down before anybody hears of it.
    pub changes: Changes,
}

/// What an append changes in the stored form of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Entries as they are now.
    pub raised: Vec<(Key, Mark)>,
    /// Entries that are gone.
    pub evicted: Vec<Key>,
    /// The write that is remembered from now on.
    pub remembered: Option<Write>,
    /// How many of the oldest writes are forgotten.
    pub forgotten: usize,
}

/// How far a follower has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The log's first position, which tells one log from another.
    pub first: u64,
    /// The head it has read to.
    pub head: u64,
}

/// What a follower reads: everything, or what is new since a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The log's first position.
    pub first: u64,
    /// Its last.
    pub head: u64,
    /// Whether the entries are all there are, and what the follower had is void.
    pub is_whole: bool,
    /// Entries raised since.
    pub entries: Vec<(Key, Mark)>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            entries_max: ENTRIES_MAX,
            uris_max: URIS_MAX,
            prefixes_max: PREFIXES_MAX,
            bytes_max: BYTES_MAX,
        }
    }
}

impl Log {
    /// A new log. Its first position is the time, which also tells it from others: what was
    /// stored under a lost one is a miss (P1).
    ///
    /// It doesn't know how far the WAL was. Whoever loses a log by force (its storage was
    /// deleted) purges everything at the position that the primary has by then.
    pub fn begun(now: Timestamp) -> Self {
        let first = now.as_millis().max(1);
        Self::restored(first, first, Vec::new(), Vec::new())
    }

    /// The log as it was written down. `writes` are in the order in which they came, each
    /// with its position.
    pub fn restored(first: u64, head: u64, entries: Vec<(Key, Mark)>, writes: Vec<(u64, Write)>) -> Self {
        let by_seq = entries.iter().map(|(key, mark)| (mark.seq, key.clone())).collect();
        let of = |is_such: fn(&Scope) -> bool| entries.iter().filter(|(key, _)| is_such(&key.scope)).count();
        let uris = of(|scope| matches!(scope, Scope::Uri(_)));
        let buckets = of(|scope| matches!(scope, Scope::Uris(_)));
        Self {
            first,
            head,
            bounds: Bounds::default(),
            bytes: entries.iter().map(|(key, _)| bytes(key)).sum(),
            entries: entries.into_iter().collect(),
            by_seq,
            uris,
            buckets,
            // Where it isn't known a second appearance is logged again, which costs hits only.
            writes: writes
                .iter()
                .map(|(seq, write)| (write.clone(), Remembered { seq: *seq, has_lsn: false }))
                .collect(),
            writes_by_age: writes.into(),
        }
    }

    /// The same log, and how long it may become.
    pub fn bounded(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// Its first position.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Its last position.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Appends an invalidation.
    pub fn append(&mut self, append: Append, now: Timestamp) -> Appended {
        let mut changes = Changes { forgotten: self.forget_writes(now), ..Changes::default() };
        let previous = append.scopes.iter().map(|scope| self.position(scope)).collect();
        let write = append.write.map(|id| Write { id, scopes: identifying(&append.scopes) });
        if let Some(known) = write.as_ref().and_then(|write| self.writes.get_mut(write)) {
            // Without a position the entry stops nothing that was read behind the write, so it is
            // raised by the one that has it. Of two that have one each lies past the commit.
            let is_first_with_lsn = append.lsn.is_some() && !known.has_lsn;
            known.has_lsn |= is_first_with_lsn;
            let seq = known.seq;
            // What only one of the two names is new all the same.
            let is_unknown = |scope: &&Scope| is_first_with_lsn || matches!(scope, Scope::Uri(_));
            let unknown: Vec<_> = append.scopes.iter().filter(is_unknown).cloned().collect();
            if unknown.is_empty() {
                return Appended { seq, previous, is_duplicate: true, changes };
            }
            let seq = self.advance(now);
            self.raise_all(unknown, append.severity, Mark { seq, lsn: append.lsn }, &mut changes);
            return Appended { seq, previous, is_duplicate: true, changes };
        }

        let seq = self.advance(now);
        if append.scopes.contains(&Scope::All) && append.severity == Severity::Hard {
            // As after a promotion: a primary that is lost may have used the ids of writes to come.
            changes.forgotten += self.writes_by_age.len();
            self.writes.clear();
            self.writes_by_age.clear();
        }
        self.raise_all(append.scopes, append.severity, Mark { seq, lsn: append.lsn }, &mut changes);
        if let Some(write) = write {
            self.writes.insert(write.clone(), Remembered { seq, has_lsn: append.lsn.is_some() });
            self.writes_by_age.push_back((seq, write.clone()));
            changes.remembered = Some(write);
        }
        Appended { seq, previous, is_duplicate: false, changes }
    }

    /// What a follower lacks. One of another log, or of none, gets everything.
    pub fn since(&self, known: Option<Known>) -> Delta {
        let known = known.filter(|known| known.first == self.first && known.head <= self.head);
        let from = known.map_or(0, |known| known.head + 1);
        let newer = self.by_seq.iter().rev().take_while(|(seq, _)| *seq >= from);
        let mut entries: Vec<_> =
            newer.filter_map(|(_, key)| Some((key.clone(), *self.entries.get(key)?))).collect();
        if known.is_some() {
            // What was folded into these keeps its old position.
            for severity in [Severity::Hard, Severity::Soft] {
                let key = Key { scope: Scope::All, severity };
                if let Some(mark) = self.entries.get(&key).filter(|mark| mark.seq < from) {
                    entries.push((key, *mark));
                }
            }
        }
        Delta { first: self.first, head: self.head, is_whole: known.is_none(), entries }
    }

    /// The next position: at least the time (P1).
    fn advance(&mut self, now: Timestamp) -> u64 {
        self.head = (self.head + 1).max(now.as_millis());
        self.head
    }

    /// Position of the latest entry for a scope.
    fn position(&self, scope: &Scope) -> u64 {
        let of = |severity| {
            let key = Key { scope: scope.clone(), severity };
            self.entries.get(&key).map_or(0, |mark| mark.seq)
        };
        of(Severity::Hard).max(of(Severity::Soft))
    }

    fn raise_all(&mut self, scopes: Vec<Scope>, severity: Severity, mark: Mark, changes: &mut Changes) {
        let is_prefix = |key: &Key| matches!(key.scope, Scope::Prefix(_));
        let is_uri = |key: &Key| matches!(key.scope, Scope::Uri(_));
        let mut has_prefix = false;
        for scope in scopes {
            let key = Key { scope, severity };
            has_prefix |= is_prefix(&key);
            self.raise(key, mark, changes);
        }
        while has_prefix
            && self.entries.keys().filter(|key| is_prefix(key)).count() > self.bounds.prefixes_max
        {
            self.fold_oldest(is_prefix, changes);
        }
        while self.uris > self.bounds.uris_max {
            self.fold_oldest(is_uri, changes);
        }
        let is_bucket = |key: &Key| matches!(key.scope, Scope::Uris(_));
        while self.uris > 0 && self.bytes > self.bounds.bytes_max {
            // Anybody can make up long ones, and they fold into a thousandth of all.
            self.fold_oldest(is_uri, changes);
        }
        while self.entries.len() - self.buckets > self.bounds.entries_max.max(2)
            || self.bytes > self.bounds.bytes_max
        {
            self.fold_oldest(|key| key.scope != Scope::All && !is_bucket(key), changes);
        }
        // An entry may have been raised, and folded at once.
        changes.raised.retain(|(key, _)| self.entries.contains_key(key));
    }

    fn raise(&mut self, key: Key, mark: Mark, changes: &mut Changes) {
        let earlier = self.entries.get(&key).copied();
        let raised = earlier.unwrap_or_default().raised_by(mark);
        if let Some(earlier) = earlier {
            self.by_seq.remove(&(earlier.seq, key.clone()));
        }
        self.by_seq.insert((raised.seq, key.clone()));
        let is_new = self.entries.insert(key.clone(), raised).is_none();
        self.bytes += if is_new { bytes(&key) } else { 0 };
        match key.scope {
            Scope::Uri(_) => self.uris += usize::from(is_new),
            Scope::Uris(_) => self.buckets += usize::from(is_new),
            _ => {}
        }
        changes.raised.retain(|(other, _)| *other != key);
        changes.raised.push((key, raised));
    }

    /// Folds the oldest entry of a kind into a wider one.
    fn fold_oldest(&mut self, is_of_kind: impl Fn(&Key) -> bool, changes: &mut Changes) {
        let Some(oldest) = self.by_seq.iter().find(|(_, key)| is_of_kind(key)).cloned() else { return };
        self.by_seq.remove(&oldest);
        let (_, key) = oldest;
        if let Some(mark) = self.entries.remove(&key) {
            self.bytes -= bytes(&key);
            self.uris -= usize::from(matches!(key.scope, Scope::Uri(_)));
            let wider = Key { scope: key.scope.wider(), severity: key.severity };
            self.raise(wider, mark, changes);
        }
        changes.evicted.push(key);
    }

    fn forget_writes(&mut self, now: Timestamp) -> usize {
        let before = self.writes_by_age.len();
        while let Some((seq, write)) = self.writes_by_age.front() {
            let is_old = seq + WRITE_REMEMBERED_MS < now.as_millis();
            if !is_old && self.writes_by_age.len() < WRITES_MAX {
                break;
            }
            self.writes.remove(write);
            self.writes_by_age.pop_front();
        }
        before - self.writes_by_age.len()
    }
}

/// What tells a write's scopes, in any order, from those of others.
fn identifying(scopes: &[Scope]) -> String {
    let scopes: BTreeSet<_> = scopes.iter().filter(|scope| !matches!(scope, Scope::Uri(_))).collect();
    // Names and numbers, which can always be written.
    let written = serde_json::to_vec(&scopes).unwrap_or_default();
    hexadecimal(&Sha256::digest(written)[..16])
}

/// About what an entry takes where it is kept and where it is sent. *All* and the buckets,
/// into which others are folded, have a bound in themselves.
fn bytes(key: &Key) -> usize {
    let name = match &key.scope {
        Scope::All | Scope::Uris(_) => return 0,
        Scope::Group(name) | Scope::Uri(name) | Scope::Path(name) | Scope::Prefix(name) => name,
    };
    ENTRY_BYTES + name.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::entry::tests::scope;

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn log_from(first: u64) -> Log {
        Log::restored(first, first, Vec::new(), Vec::new())
    }

    fn group(name: &str) -> Scope {
        Scope::Group(name.to_owned())
    }

    fn hard(scope: Scope) -> Key {
        Key { scope, severity: Severity::Hard }
    }

    fn append(scopes: &[Scope]) -> Append {
        Append { scopes: scopes.to_vec(), severity: Severity::Hard, lsn: None, write: None }
    }

    fn of_write(scopes: &[Scope], id: u64) -> Append {
        Append { write: Some(id), ..append(scopes) }
    }

    #[test]
    fn positions_rise_and_are_at_least_the_time() {
        let mut log = log_from(1_000);
        assert_eq!((log.first(), log.head()), (1_000, 1_000));
        let mut seqs = Vec::new();
        for now in [1_000, 1_000, 5_000, 4_000] {
            seqs.push(log.append(append(&[group("a")]), ms(now)).seq);
        }
        assert_eq!(seqs, [1_001, 1_002, 5_000, 5_001]);
    }

    #[test]
    fn a_follower_reads_what_is_new() {
        let mut log = log_from(1_000);
        log.append(append(&[group("a")]), ms(2_000));
        let known = Known { first: 1_000, head: log.head() };
        assert_eq!(log.since(Some(known)).entries, []);
        log.append(append(&[group("b")]), ms(3_000));
        let delta = log.since(Some(known));
        assert_eq!((delta.head, delta.is_whole), (3_000, false));
        assert_eq!(delta.entries, [(hard(group("b")), Mark { seq: 3_000, lsn: None })]);
    }

    #[test]
    fn a_follower_of_another_log_gets_everything() {
        let mut log = log_from(5_000);
        log.append(append(&[group("a")]), ms(6_000));
        for known in [None, Some(Known { first: 1, head: 1 }), Some(Known { first: 5_000, head: 6_001 })] {
            let delta = log.since(known);
            assert!(delta.is_whole, "{known:?}");
            assert_eq!(delta.entries.len(), 1, "{known:?}");
        }
    }

    #[test]
    fn an_append_tells_what_was_logged_before() {
        let mut log = log_from(1_000);
        log.append(append(&[group("a")]), ms(2_000));
        log.append(Append { severity: Severity::Soft, ..append(&[group("a")]) }, ms(3_000));
        let appended = log.append(append(&[group("b"), group("a")]), ms(4_000));
        assert_eq!(appended.previous, [0, 3_000]);
    }

    #[test]
    fn a_write_is_logged_once() {
        let mut log = log_from(1_000);
        let first = log.append(of_write(&[group("b"), group("a")], 7), ms(2_000));
        let second = log.append(of_write(&[group("a"), group("b")], 7), ms(3_000));
        assert!(!first.is_duplicate && second.is_duplicate);
        assert_eq!(second.seq, first.seq);
        assert_eq!(log.head(), 2_000);
        // Another write, or the same number for other groups.
        assert!(!log.append(of_write(&[group("a"), group("b")], 8), ms(3_000)).is_duplicate);
        assert!(!log.append(of_write(&[group("a")], 7), ms(3_000)).is_duplicate);
    }

    #[test]
    fn a_uri_that_only_the_answer_knows_is_logged_even_of_a_known_write() {
        let mut log = log_from(1_000);
        log.append(of_write(&[group("a")], 7), ms(2_000));
        let uri = Scope::Uri("http://h/a".to_owned());
        let answer = log.append(of_write(&[group("a"), uri.clone()], 7), ms(3_000));
        assert!(answer.is_duplicate);
        assert_eq!(answer.seq, 3_000);
        assert_eq!(answer.changes.raised, [(hard(uri), Mark { seq: 3_000, lsn: None })]);
    }

    #[test]
    fn a_position_that_comes_second_counts_and_a_third_does_not() {
        let mut log = log_from(1_000);
        let mark = |log: &Log| log.entries[&hard(group("a"))];
        let at = |lsn| Append { lsn, ..of_write(&[group("a")], 7) };
        let in_band = log.append(at(None), ms(2_000));
        assert_eq!(mark(&log), Mark { seq: in_band.seq, lsn: None });
        let outbox = log.append(at(Some(500)), ms(3_000));
        assert!(outbox.is_duplicate && outbox.seq > in_band.seq);
        assert_eq!(mark(&log), Mark { seq: outbox.seq, lsn: Some(500) });
        let again = log.append(at(Some(600)), ms(4_000));
        assert_eq!((again.seq, mark(&log).lsn), (in_band.seq, Some(500)));
    }

    #[test]
    fn writes_are_forgotten_when_everything_is_invalid() {
        let mut log = Log::begun(ms(1_000));
        log.append(of_write(&[group("a")], 7), ms(2_000));
        let everything = log.append(append(&[Scope::All]), ms(3_000));
        assert_eq!(everything.changes.forgotten, 1);
        assert!(!log.append(of_write(&[group("a")], 7), ms(4_000)).is_duplicate);
    }

    #[test]
    fn a_write_is_forgotten_after_a_time() {
        let mut log = log_from(1_000);
        log.append(of_write(&[group("a")], 7), ms(2_000));
        let again = log.append(of_write(&[group("a")], 7), ms(2_001 + WRITE_REMEMBERED_MS));
        assert!(!again.is_duplicate);
        assert_eq!(again.changes.forgotten, 1);
    }

    #[test]
    fn what_is_evicted_must_still_be_passed_by_all() {
        let mut log = log_from(1);
        for n in 0..=ENTRIES_MAX as u64 {
            let lsn = Some(1_000_000 - n);
            log.append(Append { lsn, ..append(&[group(&n.to_string())]) }, ms(10 + n));
        }
        assert!(log.entries.len() <= ENTRIES_MAX);
        let all = log.entries[&hard(Scope::All)];
        assert_eq!(all, Mark { seq: 11, lsn: Some(1_000_000) });
        // A follower that has read everything is told of it, too.
        let delta = log.since(Some(Known { first: 1, head: log.head() }));
        assert_eq!(delta.entries, [(hard(Scope::All), all)]);
    }

    #[test]
    fn entries_with_long_names_are_folded_before_they_are_many() {
        let bounds = Bounds { bytes_max: 10_000, ..Bounds::default() };
        let mut log = log_from(1_000).bounded(bounds);
        for n in 0..100_u64 {
            log.append(append(&[group(&format!("{n:01000}"))]), ms(2_000 + n));
            let kept: usize = log.entries.keys().map(bytes).sum();
            assert!(kept <= 10_000 && kept == log.bytes, "{kept}, {}", log.bytes);
        }
        assert!(log.entries.contains_key(&hard(Scope::All)), "what was folded counts for all");
        assert_eq!(log.entries.len(), 10);
    }

    #[test]
    fn uris_have_a_bound_of_their_own_and_push_out_nothing_else() {
        let mut log = log_from(1);
        log.append(append(&[group("a")]), ms(5));
        let uri = |n: u64| Scope::Uri(format!("http://h/{n}"));
        for n in 0..3 * URIS_MAX as u64 {
            log.append(append(&[uri(n)]), ms(10 + n));
        }
        assert_eq!(log.uris, URIS_MAX);
        assert_eq!(log.entries[&hard(group("a"))].seq, 5);
        assert!(!log.entries.contains_key(&hard(Scope::All)));
        // Each that was evicted is in its bucket.
        for n in 0..2 * URIS_MAX as u64 {
            assert!(log.entries[&hard(uri(n).wider())].seq >= 10 + n, "{n}");
        }
        let restored = Log::restored(1, log.head(), log.entries.clone().into_iter().collect(), Vec::new());
        assert_eq!((restored.uris, restored.buckets), (log.uris, log.buckets));
    }

    #[test]
    fn prefixes_have_a_bound_of_their_own() {
        let mut log = log_from(1);
        let mut changes = Changes::default();
        for n in 0..=PREFIXES_MAX as u64 {
            changes = log.append(append(&[Scope::Prefix(format!("/{n}"))]), ms(10 + n)).changes;
        }
        let oldest = hard(Scope::Prefix("/0".to_owned()));
        assert_eq!(changes.evicted, [oldest]);
        assert_eq!(log.entries[&hard(Scope::All)].seq, 10);
    }

    #[test]
    fn what_was_written_down_is_the_log() {
        let mut log = log_from(1_000);
        let mut entries: HashMap<Key, Mark> = HashMap::new();
        let mut writes = Vec::new();
        for n in 0..200_u64 {
            let scopes = [group(&(n % 7).to_string()), Scope::Prefix(format!("/{}", n % 90))];
            let Appended { seq, changes, .. } = log.append(of_write(&scopes, n % 150), ms(1_000 + 5 * n));
            for key in changes.evicted {
                entries.remove(&key);
            }
            entries.extend(changes.raised);
            writes.extend(changes.remembered.map(|write| (seq, write)));
            writes.drain(..changes.forgotten);
        }
        assert_eq!(entries, log.entries);
        let restored = Log::restored(log.first(), log.head(), entries.into_iter().collect(), writes);
        assert_eq!(restored.since(None), log.since(None));
        let seqs = |log: &Log| -> HashMap<Write, u64> {
            log.writes.iter().map(|(write, known)| (write.clone(), known.seq)).collect()
        };
        assert_eq!(seqs(&restored), seqs(&log));
    }

    proptest! {
        #[test]
        fn no_appends_whatever_make_a_log_longer_than_it_may_become(
            appends in prop::collection::vec(
                (prop::collection::vec(scope(), 0..6), any::<(bool, Option<u64>, Option<u8>)>()),
                0..20,
            ),
            known: (u64, u64),
        ) {
            let bounds = Bounds { entries_max: 5, uris_max: 2, prefixes_max: 2, bytes_max: 400 };
            let mut log = log_from(1).bounded(bounds);
            for (scopes, (is_soft, lsn, write)) in appends {
                let severity = if is_soft { Severity::Soft } else { Severity::Hard };
                let before = log.head();
                log.append(Append { scopes, severity, lsn, write: write.map(u64::from) }, ms(5));
                prop_assert!(log.head() >= before);
                prop_assert!(log.entries.len() - log.buckets <= 5 && log.uris <= 2 && log.bytes <= 400);
                prop_assert_eq!(log.entries.len(), log.by_seq.len());
                let prefixes = log.entries.keys().filter(|key| matches!(key.scope, Scope::Prefix(_)));
                prop_assert!(prefixes.count() <= 2);
            }
            let delta = log.since(Some(Known { first: known.0, head: known.1 }));
            prop_assert!(delta.entries.len() <= log.entries.len());
        }
    }
}
