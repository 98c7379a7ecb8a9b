//! Worlds that break one rule each: what the simulation must catch.

/// A rule left out, or done as one would at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// P1: it makes no difference which log a response was stored under.
    AnyLog,
    /// P1: a log that is begun anew doesn't ask how far the WAL is.
    LogWithoutFloor,
    /// P2: an entry has the positions of its last append.
    MarksOfLastAppend,
    /// P3: the position of a commit is asked before the commit.
    LsnBeforeCommit,
    /// P3: what was read on the primary claims the position flushed there.
    FlushLsnAsContent,
    /// P4: a replica's position is asked after the statements.
    LsnAfterSnapshot,
    /// P5: a 304 leaves the stored position as it is.
    KeepsOldPosition,
    /// P5: a 304 brings the greater of either position.
    MergesPositions,
    /// P6: nothing is appended when a replica was promoted.
    PromotionWithoutAll,
    /// P6: the first origin to see a promotion appends *all*, and no other.
    OnlyFirstOriginAppendsAll,
    /// P6: an origin reads from a replica on a former timeline.
    ReadsFormerTimeline,
    /// S1: the fence is not compared.
    LsnOnly,
    /// S1: the LSN is not compared.
    FenceOnly,
    /// S1: the fence is that of the view when the answer is there.
    FenceOfAnswer,
    /// S1: what is behind an invalidation is stored all the same.
    StoresUnjudged,
    /// S2: a view is used however old it is.
    ViewNeverExpires,
    /// S2: a view's age counts from when its refresh was answered.
    AgeFromAnswer,
    /// S2: a reader is content with a refresh that was sent long before it came.
    JoinsAnyRefresh,
    /// S2: without a view, what is stored is served.
    ServesWithoutView,
    /// S3: the view is not refreshed for a bookmark.
    NoRefreshForBookmark,
    /// S4: what could not be logged leaves no trace in the bookmark.
    UnloggedIsForgotten,
    /// S4: what could not be logged keeps only grouped responses from its bearer.
    UnloggedMeansGrouped,
    /// S5: an origin is told the reader's LSN alone.
    NoLsnOnFill,
    /// S6: what is invalidated is served while it is revalidated.
    ServesFencedWhileRevalidating,
    /// S6: what is invalidated is served instead of an error.
    ServesFencedOnError,
    /// S6: what a soft invalidation by the reader itself made stale is served to it.
    ServesStaleToItsWriter,
    /// S7: waiters take what the leader got.
    WaitersTrustLeader,
    /// S7: the leader releases its waiters before it stores.
    ReleasesBeforeStoring,
    /// S7: whoever waited for an answer that is no good to it asks the origin itself.
    WaitersAllLead,
    /// W1: a write's answer is handed on before it is logged.
    AnswersBeforeAppending,
    /// P6: a write is named by its transaction though a lost primary may have given out the
    /// same id.
    NamesWritesAfterPromotion,
    /// W2: there is no outbox.
    NoOutbox,
    /// W2: the outbox's LSN is asked before the row was seen.
    OutboxLsnBeforeRow,
    /// W2: the log takes a write twice.
    LogsTwice,
    /// W3: the answer to a write is always stored.
    StoresEveryWrite,
    /// W3: an answer that the origin may remember is stored like any other.
    StoresKeyedWrite,
    /// W4: what is evicted is forgotten.
    ForgetsEvicted,
    /// W5: a negative answer is in no group.
    NegativeWithoutGroup,
    /// W6: the bookmark that came last is kept.
    LastBookmarkWins,
    /// W6: a finished job's answer has no bookmark.
    JobWithoutBookmark,
    /// W6: a bookmark of the WAL alone leaves no trace beside one of the log.
    WalBookmarkVanishes,
}
