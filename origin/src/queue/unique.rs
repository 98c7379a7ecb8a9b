//! Jobs of which there is to be one.

/// A key that only one job of a kind has at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unique {
    pub(super) key: String,
    pub(super) on_conflict: OnConflict,
}

/// What becomes of a new job whose key another one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The new one is dropped. The key is held until the first has ended: while it waits and
    /// while it runs.
    Drop,
    /// The first takes the payload, the priority and the time of the new one. The key is held
    /// until its first attempt begins: what comes then is a job of its own.
    Replace,
    /// The first is kept as it is, and the new one dropped. The key is held until its first
    /// attempt begins: what comes then is a job of its own, so a change that the attempt may have
    /// missed is looked at once more.
    Keep,
}

impl Unique {
    /// Only one job with `key`.
    pub fn new(key: impl Into<String>, on_conflict: OnConflict) -> Self {
        Self { key: key.into(), on_conflict }
    }

    /// The key is held until the job has ended.
    pub(super) fn to_end(&self) -> bool {
        self.on_conflict == OnConflict::Drop
    }
}
