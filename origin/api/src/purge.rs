//! What is said to the edge's `/_tidewall/purge`: which stored responses are out of date.

use serde::{Deserialize, Serialize};

/// One invalidation: everything that any of the lists names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Purge {
    /// Cache groups (RFC 9875), compared exactly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Paths, each with all its queries and variants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Beginnings of paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Everything there is.
    #[serde(skip_serializing_if = "is_false")]
    pub all: bool,
    /// Position in the WAL that a response must have been read at or past. Without
    /// one only the time of its exchange tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsn: Option<u64>,
    /// Stale from now on, but still of use while it is revalidated or its origin fails.
    #[serde(skip_serializing_if = "is_false")]
    pub soft: bool,
    /// The write it belongs to, as the value of
    /// [`TIDEWALL_WRITE`](crate::headers::TIDEWALL_WRITE): told twice it is logged once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<u64>,
}

/// The answer: it is in the control log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// At this position.
    pub seq: u64,
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_purge_is_written_as_the_contract_has_it() {
        let check = |purge: Purge, json: &str| {
            assert_eq!(serde_json::to_string(&purge).unwrap(), json);
            assert_eq!(serde_json::from_str::<Purge>(json).unwrap(), purge);
        };
        check(
            Purge { groups: vec!["a".to_owned()], lsn: Some(7), ..Purge::default() },
            r#"{"groups":["a"],"lsn":7}"#,
        );
        check(Purge { all: true, soft: true, ..Purge::default() }, r#"{"all":true,"soft":true}"#);
        check(
            Purge { paths: vec!["/a".to_owned()], prefixes: vec!["/b".to_owned()], ..Purge::default() },
            r#"{"paths":["/a"],"prefixes":["/b"]}"#,
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(serde_json::from_str::<Purge>(r#"{"tags":["a"]}"#).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_understood(
            groups in prop::collection::vec("\\PC{0,9}|(\r|\n|\0|\"|\\\\){0,3}", 0..4),
            paths in prop::collection::vec("/\\PC{0,9}", 0..4),
            flags: (bool, bool),
            lsn: Option<u64>,
            write: Option<u64>,
        ) {
            let (all, soft) = flags;
            let purge = Purge { groups, prefixes: paths.clone(), paths, all, lsn, soft, write };
            let said = serde_json::to_string(&purge).unwrap();
            prop_assert_eq!(serde_json::from_str::<Purge>(&said).unwrap(), purge);
        }
    }
}
