//! Positions in the two logs, in words and numbers.

use serde::{Deserialize, Serialize};
use tidewall_api::bookmark::Bookmark;
use tidewall_api::headers::LSN_PRIMARY;

use crate::cache::envelope::Envelope;
use crate::control::bookmark::NOTHING;
use crate::control::entry::{Key, Mark, Scope, Severity};
use crate::control::position::{Position, ReadAt};
use crate::control::view::View;
use crate::judge::Judge;

/// What the isolate that answers knows of the control log, and what the reader has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewAccount {
    /// Up to where it has read; `None` where it never has.
    pub seq: Option<u64>,
    /// Where the log begins.
    pub first: Option<u64>,
    /// The greatest position in the WAL of any entry: where origins are asked to read.
    pub lsn: u64,
    /// Whether it may be used to answer from the store.
    pub is_current: bool,
    /// The reader's bookmark, where it has one.
    pub bookmark: Option<String>,
}

/// Where a response stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionAccount {
    /// In the control log, when its exchange with the origin began.
    pub fence: u64,
    /// Which control log that was: where it begins.
    pub log: u64,
    /// In the WAL: a number, or `primary`; `None` where the origin didn't say.
    pub lsn: Option<String>,
}

/// An entry of the control log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryAccount {
    /// What it is about: `group`, `uri`, `path`, `prefix` or `all`.
    pub scope: String,
    /// Which one.
    pub name: Option<String>,
    /// Whether it only makes stale.
    pub is_soft: bool,
    /// Its position in the control log.
    pub seq: u64,
    /// Its position in the WAL, where one was told.
    pub lsn: Option<u64>,
    /// Whether the response has reached it, and so isn't concerned.
    pub is_passed: bool,
}

impl ViewAccount {
    /// Of a view.
    pub fn of(view: Option<&View>, is_current: bool, bookmark: Bookmark) -> Self {
        Self {
            seq: view.map(View::seq),
            first: view.map(|view| view.known().first),
            lsn: view.map_or(0, View::lsn_max),
            is_current: is_current && view.is_some(),
            bookmark: (bookmark != NOTHING).then(|| bookmark.to_string()),
        }
    }
}

impl PositionAccount {
    /// Of a position.
    pub fn of(position: Position) -> Self {
        let lsn = match position.read_at {
            ReadAt::Unknown => None,
            ReadAt::Lsn(lsn) => Some(lsn.to_string()),
            ReadAt::Primary => Some(LSN_PRIMARY.to_owned()),
        };
        Self { fence: position.fence.head, log: position.fence.first, lsn }
    }
}

impl EntryAccount {
    /// Of all that are about a stored response.
    pub fn all(stored: &Envelope, judge: &Judge<'_>) -> Vec<Self> {
        let entries = judge.view.map(|view| view.entries(&judge.subject(&stored.groups)));
        entries.iter().flatten().map(|(key, mark)| Self::of(key, *mark, stored.position)).collect()
    }

    /// Of an entry, beside a response at `position`.
    pub fn of(key: &Key, mark: Mark, position: Position) -> Self {
        let name = match &key.scope {
            Scope::All => None,
            Scope::Uris(bucket) => Some(bucket.to_string()),
            Scope::Group(name) | Scope::Uri(name) | Scope::Path(name) | Scope::Prefix(name) => {
                Some(name.clone())
            }
        };
        Self {
            scope: key.scope.as_str().to_owned(),
            name,
            is_soft: key.severity == Severity::Soft,
            seq: mark.seq,
            lsn: mark.lsn,
            is_passed: mark.is_passed_by(position),
        }
    }
}
