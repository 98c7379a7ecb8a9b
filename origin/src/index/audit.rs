//! What is wrong with the indexes that are there.

use super::condition::Key;
use super::facts::{ForeignKey, Index, Need, Scans};

/// What to do about an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It can be dropped.
    Drop(Reason),
    /// It is to be built anew while others go on.
    Rebuild(Rebuild),
    /// It looks as if it could be dropped, and this speaks against it.
    Keep(String),
    /// It can't be said.
    Unknown(String),
}

/// Why an index can be dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Another one is the same.
    Duplicate(String),
    /// Another one begins with the same keys.
    Prefix(String),
    /// Nobody has used it for so many days.
    Unused(u32),
}

/// Why an index is to be built anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rebuild {
    /// Its last build was broken off; nobody reads it and everybody writes it.
    Invalid,
    /// It is so many times the size that it needs, in tenths.
    Bloated(u32),
}

/// Statistics that are younger say nothing about what isn't used: something may run once a week.
const UNUSED_DAYS: f64 = 7.0;
/// A larger share of waste, and of at least so many bytes, is worth a rebuild.
const BLOAT_MIN: f64 = 2.0;
const BLOAT_BYTES_MIN: f64 = 10.0 * 1024.0 * 1024.0;

/// What there is to say of `indexes`, by their places. Each is looked at with those that are left
/// by then, so that of two that do the same one stays.
pub(super) fn audit(indexes: &[Index], foreign_keys: &[ForeignKey]) -> Vec<(usize, Finding)> {
    let mut left: Vec<usize> = (0..indexes.len()).collect();
    let mut findings = Vec::new();
    // The least needed first: what something rests on can take over from what nothing rests on.
    let mut order = left.clone();
    order.sort_by_key(|place| match indexes.get(*place).and_then(|index| index.need) {
        None => 0,
        Some(Need::Unique) => 1,
        Some(_) => 2,
    });
    for place in order {
        let Some(index) = indexes.get(place) else { continue };
        let others: Vec<_> =
            left.iter().filter(|other| **other != place).filter_map(|other| indexes.get(*other)).collect();
        let finding = look(index, &others, foreign_keys);
        if matches!(finding, Some(Finding::Drop(_))) {
            left.retain(|other| *other != place);
        }
        findings.extend(finding.map(|finding| (place, finding)));
    }
    findings.sort_by_key(|(place, _)| *place);
    findings
}

fn look(index: &Index, others: &[&Index], foreign_keys: &[ForeignKey]) -> Option<Finding> {
    if index.is_being_built {
        return Some(Finding::Unknown("it is being built just now".to_owned()));
    }
    if index.is_part {
        // It is dropped and built with the index of the partitioned table.
        return None;
    }
    if !index.is_valid {
        return Some(match index.need {
            None | Some(Need::Unique) => Finding::Rebuild(Rebuild::Invalid),
            Some(need) => Finding::Keep(format!("it is invalid, and {}", need.as_str())),
        });
    }
    if let Some(reason) = others.iter().find_map(|other| redundant(index, other)) {
        return Some(match index.need {
            // The other one keeps the same unique.
            None | Some(Need::Unique) => Finding::Drop(reason),
            Some(need) => Finding::Keep(need.as_str().to_owned()),
        });
    }
    if let Some(anew) = index.bytes_anew
        && index.bytes >= anew * BLOAT_MIN
        && index.bytes - anew >= BLOAT_BYTES_MIN
    {
        return Some(Finding::Rebuild(Rebuild::Bloated((index.bytes / anew * 10.0) as u32)));
    }
    let is_of_foreign_key = || {
        let served = |key: &&ForeignKey| key.is_served_by(index);
        let by_another = |key: &ForeignKey| others.iter().any(|other| key.is_served_by(other));
        foreign_keys.iter().filter(served).any(|key| !by_another(key))
    };
    match (index.scans, index.need) {
        (Scans::Counted { scans: 0, .. }, None) if is_of_foreign_key() => {
            Some(Finding::Keep("without it, deleting a referenced row reads the whole table".to_owned()))
        }
        (Scans::Counted { scans: 0, days }, None) if days >= UNUSED_DAYS => {
            Some(Finding::Drop(Reason::Unused(days as u32)))
        }
        (Scans::Counted { scans: 0, days }, None) => Some(Finding::Unknown(format!(
            "it was not used in the {days:.1} days that are counted; ask again after {UNUSED_DAYS:.0}"
        ))),
        (Scans::Unknown, None) => {
            Some(Finding::Unknown("a server doesn't say how often it was used, or since when".to_owned()))
        }
        _ => None,
    }
}

/// `other` does all that `index` does.
fn redundant(index: &Index, other: &Index) -> Option<Reason> {
    let same_rows = other.table == index.table && other.predicate == index.predicate;
    let same_kind = other.kind == index.kind && other.order.starts_with(&index.order);
    if !same_rows || !same_kind || !other.is_valid || other.is_being_built || other.is_part {
        return None;
    }
    let carries = |name: &String| {
        other.include.contains(name)
            || other.keys.iter().any(|ordered| ordered.key == Key::Column(name.clone()))
    };
    if !index.include.iter().all(carries) || (index.is_unique && !other.is_unique) {
        return None;
    }
    if other.keys == index.keys {
        return Some(match other.include.len() == index.include.len() {
            true => Reason::Duplicate(other.name.clone()),
            false => Reason::Prefix(other.name.clone()),
        });
    }
    // Of a longer one a unique one would be another constraint.
    let is_longer = index.is_btree && other.keys.starts_with(&index.keys) && !index.is_unique;
    is_longer.then(|| Reason::Prefix(other.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::access::Ordered;
    use crate::index::facts::Need;

    fn index(name: &str, keys: &[&str]) -> Index {
        let ordered = |key: &&str| Ordered {
            key: Key::Column((*key).to_owned()),
            descending: false,
            nulls_first: false,
        };
        Index {
            schema: "public".to_owned(),
            name: name.to_owned(),
            table: ("public".to_owned(), "orders".to_owned()),
            is_btree: true,
            kind: "btree f t".to_owned(),
            order: vec!["1 2".to_owned(); keys.len()],
            is_usual: true,
            is_being_built: false,
            is_part: false,
            keys: keys.iter().map(ordered).collect(),
            include: Vec::new(),
            predicate: None,
            is_valid: true,
            is_unique: false,
            is_pattern: false,
            need: None,
            bytes: 5e7,
            entries: 1e6,
            bytes_anew: Some(4e7),
            scans: Scans::Counted { scans: 5, days: 30.0 },
        }
    }

    fn check(indexes: &[Index], expected: &[(usize, Finding)]) {
        assert_eq!(audit(indexes, &[]), expected);
    }

    fn drop(place: usize, reason: fn(String) -> Reason, other: &str) -> (usize, Finding) {
        (place, Finding::Drop(reason(other.to_owned())))
    }

    #[test]
    fn an_index_whose_keys_another_one_begins_with_can_go() {
        let (a, ab) = (index("a", &["user_id"]), index("ab", &["user_id", "created_at"]));
        check(&[a.clone(), ab.clone()], &[drop(0, Reason::Prefix, "ab")]);
        let narrow = Index { predicate: Some("x".to_owned()), ..ab.clone() };
        check(&[a, narrow], &[]);
        check(&[index("b", &["created_at"]), ab], &[]);
    }

    #[test]
    fn of_two_that_are_the_same_one_stays_and_it_is_the_one_that_is_needed() {
        check(&[index("one", &["a"]), index("two", &["a"])], &[drop(0, Reason::Duplicate, "two")]);
        let needed = Index { need: Some(Need::Constraint), ..index("one", &["a"]) };
        check(&[needed.clone(), index("two", &["a"])], &[drop(1, Reason::Duplicate, "one")]);
        check(&[index("two", &["a"]), needed], &[drop(0, Reason::Duplicate, "one")]);
    }

    #[test]
    fn what_finds_rows_otherwise_is_not_the_same() {
        let other_order = Index { order: vec!["1 3".to_owned()], ..index("c", &["a"]) };
        check(&[index("a", &["a"]), other_order], &[]);
        let other_kind = Index { kind: "gin f t".to_owned(), is_btree: false, ..index("g", &["a"]) };
        check(&[index("a", &["a"]), other_kind], &[]);
    }

    #[test]
    fn what_is_being_built_and_what_is_part_of_another_is_left_alone() {
        let building = Index { is_being_built: true, is_valid: false, ..index("a", &["a"]) };
        assert!(matches!(audit(&[building], &[])[..], [(0, Finding::Unknown(_))]));
        check(&[Index { is_part: true, ..index("a", &["a"]) }, index("ab", &["a", "b"])], &[]);
    }

    #[test]
    fn what_something_rests_on_stays() {
        for need in [Need::PrimaryKey, Need::ReplicaIdentity, Need::Referenced] {
            let all = [Index { need: Some(need), ..index("a", &["a"]) }, index("ab", &["a", "b"])];
            check(&all, &[(0, Finding::Keep(need.as_str().to_owned()))]);
        }
        let unique = Index { is_unique: true, need: Some(Need::Unique), ..index("a", &["a"]) };
        check(&[unique, index("ab", &["a", "b"])], &[]);
    }

    #[test]
    fn a_foreign_keys_only_index_stays_and_of_two_one() {
        let unused = |name, keys: &[&str]| Index {
            scans: Scans::Counted { scans: 0, days: 30.0 },
            ..index(name, keys)
        };
        let key =
            ForeignKey { table: ("public".to_owned(), "orders".to_owned()), columns: vec!["a".to_owned()] };
        let found = |indexes: &[Index]| audit(indexes, std::slice::from_ref(&key));
        assert!(matches!(found(&[unused("a", &["a"])])[..], [(0, Finding::Keep(_))]));
        assert!(matches!(found(&[unused("b", &["b", "a"])])[..], [(0, Finding::Drop(Reason::Unused(30)))]));
        let two = found(&[unused("ac", &["a", "c"]), unused("ad", &["a", "d"])]);
        assert!(matches!(two[..], [(0, Finding::Drop(_)), (1, Finding::Keep(_))]), "{two:?}");
    }

    #[test]
    fn an_index_is_unused_only_after_a_week_and_at_all_servers() {
        let of = |scans| audit(&[Index { scans, ..index("a", &["a"]) }], &[]);
        assert_eq!(of(Scans::Counted { scans: 0, days: 30.0 }), [(0, Finding::Drop(Reason::Unused(30)))]);
        assert!(matches!(of(Scans::Counted { scans: 0, days: 6.9 })[..], [(0, Finding::Unknown(_))]));
        assert!(matches!(of(Scans::Unknown)[..], [(0, Finding::Unknown(_))]));
        assert_eq!(of(Scans::Counted { scans: 1, days: 30.0 }), []);
    }

    #[test]
    fn what_was_broken_off_or_is_mostly_empty_is_built_anew() {
        let invalid = Index { is_valid: false, ..index("a", &["a"]) };
        check(&[invalid], &[(0, Finding::Rebuild(Rebuild::Invalid))]);
        let bloated = Index { bytes: 9e7, bytes_anew: Some(3e7), ..index("a", &["a"]) };
        check(&[bloated], &[(0, Finding::Rebuild(Rebuild::Bloated(30)))]);
        check(&[Index { bytes: 9e5, bytes_anew: Some(3e5), ..index("a", &["a"]) }], &[]);
    }
}
