//! What a reader's bookmark asks of the copy it is served.

use tidewall_api::bookmark::{Bookmark, Seq, UNLOGGED_KEPT_S};
use tidewall_api::headers::{TIDEWALL_BOOKMARK, TW_BOOKMARK};

use crate::control::log::Known;
use crate::control::position::{Position, ReadAt};
use crate::cookies;
use crate::fields::Fields;

/// For how long a browser keeps its bookmark, in seconds: a day. What it has seen is
/// everywhere long before.
const KEPT_S: u32 = 24 * 60 * 60;

/// What a stored response must fulfil beside being valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing more.
    Nothing,
    /// Nothing more of what is valid: the view has seen all the reader has. What a soft
    /// invalidation made stale must have been read past it, as the invalidation could be
    /// the reader's own (S6).
    Seen {
        /// The position in the log.
        seq: u64,
        /// The position in the WAL.
        lsn: u64,
        /// The position in the WAL that it must have been read past whatever the log
        /// says; see [`Brought::straight_lsn`].
        straight_lsn: u64,
    },
    /// The view must be refreshed before anything can be said (S3).
    Refresh,
    /// It must have been read at this position or past it. What the reader has seen was
    /// never logged here: it wrote without the edge, or to a log that is lost.
    ReadPast {
        /// The position in the WAL.
        lsn: u64,
        /// Whether what was read on the primary counts as past it: it was asked for
        /// after a log began that is later than what the reader saw.
        or_on_primary: bool,
    },
    /// It must not come from a store at all: an invalidation by the reader is not in the
    /// log (S4), and could be of anything, its URI included.
    Unstored,
}

/// What a client brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Its bookmarks, merged.
    pub bookmark: Bookmark,
    /// The greatest LSN of those that have no position in the log: what it saw there, by a
    /// write past the edge, the log need not hold, however far the others are. 0 for none.
    pub straight_lsn: u64,
}

impl Brought {
    /// One bookmark alone.
    pub fn one(bookmark: Bookmark) -> Self {
        let straight_lsn = if bookmark.seq == Seq::At(0) { bookmark.lsn } else { 0 };
        Self { bookmark, straight_lsn }
    }

    /// With another.
    pub fn and(self, other: Bookmark) -> Self {
        let other = Self::one(other);
        Self {
            bookmark: self.bookmark.merged(other.bookmark),
            straight_lsn: self.straight_lsn.max(other.straight_lsn),
        }
    }

    /// What the client is to keep once it was told another. In one bookmark a position in
    /// the WAL alone would vanish beside one in the log, which may be later and not hold
    /// what the former is about: so that one counts as unlogged.
    pub fn kept(self, told: Bookmark) -> Bookmark {
        let Self { bookmark, straight_lsn } = self.and(told);
        let seq = match bookmark.seq {
            Seq::At(seq) if seq > 0 && straight_lsn > 0 => Seq::Unlogged,
            seq => seq,
        };
        Bookmark { seq, ..bookmark }
    }
}

/// No position at all.
pub const NOTHING: Bookmark = Bookmark::NOTHING;

/// Takes the bookmark out of a request: of the field and of the cookie, merged. What
/// can't be read is none. Neither is left behind: they are part of no cache key, and
/// the cookie makes nobody known.
pub fn take(request: &mut Fields) -> Brought {
    let mut brought = Brought::one(NOTHING);
    let mut take = |value: &str| {
        if let Ok(read) = value.trim().parse() {
            brought = brought.and(read);
        }
    };
    // Repeated fields were joined with commas.
    request.get(TIDEWALL_BOOKMARK).into_iter().flat_map(|value| value.split(',')).for_each(&mut take);
    request.remove(TIDEWALL_BOOKMARK);
    cookies::take(request, TW_BOOKMARK).iter().for_each(|value| take(value));
    brought
}

/// What an origin's answer tells of its own positions: the bookmark it gives, and
/// where its write can be seen. `None` where it tells nothing.
pub fn of_answer(answer: &Fields) -> Option<Bookmark> {
    let given: Option<Bookmark> = answer.get(TIDEWALL_BOOKMARK).and_then(|value| value.trim().parse().ok());
    let written = ReadAt::of(answer).lsn().map(Bookmark::of_lsn);
    match (given, written) {
        (Some(given), Some(written)) => Some(given.merged(written)),
        (given, written) => given.or(written),
    }
}

/// Gives a client its bookmark: a program in a field, a browser in a cookie.
pub fn tell(answer: &mut Fields, bookmark: Bookmark, is_secure: bool) {
    answer.set(TIDEWALL_BOOKMARK, bookmark.to_string());
    answer.push("set-cookie", &cookie(bookmark, is_secure));
}

/// The cookie that keeps a bookmark in a browser: the value of `Set-Cookie`.
fn cookie(bookmark: Bookmark, is_secure: bool) -> String {
    let kept_s = match bookmark.seq {
        Seq::At(_) => KEPT_S,
        Seq::Unlogged => UNLOGGED_KEPT_S,
    };
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{TW_BOOKMARK}={bookmark}; Path=/; Max-Age={kept_s}; HttpOnly; SameSite=Lax{secure}")
}

/// What a client asks of a view that has read so far; `was_refreshed` says that it has
/// just been refreshed for that.
pub fn demand(brought: Brought, known: Known, was_refreshed: bool) -> Demand {
    let Brought { bookmark: Bookmark { seq, lsn }, straight_lsn } = brought;
    match seq {
        Seq::Unlogged => Demand::Unstored,
        Seq::At(seq) if seq > known.head && !was_refreshed => Demand::Refresh,
        // Past the head of the log: that log is lost (P1).
        Seq::At(seq) if seq > known.head => Demand::Unstored,
        Seq::At(seq) if seq >= known.first => Demand::Seen { seq, lsn, straight_lsn },
        Seq::At(_) if lsn == 0 => Demand::Nothing,
        Seq::At(seq) => Demand::ReadPast { lsn, or_on_primary: seq > 0 && straight_lsn == 0 },
    }
}

impl Demand {
    /// Whether a response may be served to the reader.
    pub fn is_met(self, is_grouped: bool, position: Position) -> bool {
        match self {
            Self::Nothing | Self::Seen { straight_lsn: 0, .. } => true,
            Self::Refresh | Self::Unstored => false,
            Self::Seen { straight_lsn, .. } => is_read_past(straight_lsn, false, is_grouped, position),
            Self::ReadPast { lsn, or_on_primary } => is_read_past(lsn, or_on_primary, is_grouped, position),
        }
    }

    /// Whether a response that a soft invalidation made stale may be served to the
    /// reader, if its demand is met.
    pub fn allows_stale(self, position: Position) -> bool {
        match self {
            Self::Seen { seq, lsn, .. } => {
                position.fence.head >= seq && position.read_at.lsn().is_none_or(|read_at| read_at >= lsn)
            }
            Self::Nothing | Self::Refresh | Self::ReadPast { .. } | Self::Unstored => true,
        }
    }
}

fn is_read_past(lsn: u64, or_on_primary: bool, is_grouped: bool, position: Position) -> bool {
    match position.read_at {
        ReadAt::Lsn(read_at) => read_at >= lsn,
        ReadAt::Primary => or_on_primary,
        // In no group and without a position: not of the database.
        ReadAt::Unknown => !is_grouped,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bookmark(text: &str) -> Bookmark {
        text.parse().unwrap()
    }

    #[test]
    fn a_request_carries_its_bookmark_in_a_field_and_in_a_cookie() {
        let check = |lines: &str, expected: &str, left: &str| {
            let mut fields = Fields::from_lines(lines);
            assert_eq!(take(&mut fields).bookmark.to_string(), expected, "{lines}");
            assert_eq!(fields, Fields::from_lines(left), "{lines}");
        };
        check("accept\n*/*", "0.0", "accept\n*/*");
        check("tidewall-bookmark\n5.7", "5.7", "");
        check("tidewall-bookmark\n5.7, 6.1", "6.7", "");
        check("cookie\ntw_bookmark=5.7", "5.7", "");
        check("cookie\na=1; tw_bookmark=5.7; b=2", "5.7", "cookie\na=1; b=2");
        check("tidewall-bookmark\n4.9\ncookie\ntw_bookmark=-.7", "-.9", "");
        check("tidewall-bookmark\nx\ncookie\ntw_bookmark=1", "0.0", "");
        check("cookie\nxtw_bookmark=5.7", "0.0", "cookie\nxtw_bookmark=5.7");
    }

    #[test]
    fn a_browser_keeps_its_bookmark_for_a_day() {
        assert_eq!(
            cookie(bookmark("5.7"), true),
            "tw_bookmark=5.7; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            cookie(bookmark("-.7"), false),
            "tw_bookmark=-.7; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn a_bookmark_asks_for_what_the_view_cannot_vouch_for() {
        let known = Known { first: 100, head: 200 };
        let check = |text, was_refreshed, expected| {
            assert_eq!(
                demand(Brought::one(bookmark(text)), known, was_refreshed),
                expected,
                "{text} {was_refreshed}"
            );
        };
        check("0.0", false, Demand::Nothing);
        check("150.7", false, Demand::Seen { seq: 150, lsn: 7, straight_lsn: 0 });
        check("200.7", false, Demand::Seen { seq: 200, lsn: 7, straight_lsn: 0 });
        check("201.7", false, Demand::Refresh);
        check("201.7", true, Demand::Unstored);
        check("-.7", false, Demand::Unstored);
        check("0.7", false, Demand::ReadPast { lsn: 7, or_on_primary: false });
        check("99.7", false, Demand::ReadPast { lsn: 7, or_on_primary: true });
        check("99.0", false, Demand::Nothing);
    }

    #[test]
    fn a_position_that_is_in_the_wal_alone_counts_beside_one_in_the_log() {
        let known = Known { first: 100, head: 200 };
        let brought = Brought::one(bookmark("150.9")).and(bookmark("0.7"));
        assert_eq!((brought.bookmark, brought.straight_lsn), (bookmark("150.9"), 7));
        assert_eq!(demand(brought, known, false), Demand::Seen { seq: 150, lsn: 9, straight_lsn: 7 });
        let is_met = |read_at| {
            let position = Position { fence: known, read_at };
            demand(brought, known, false).is_met(true, position)
        };
        let met = [ReadAt::Lsn(7), ReadAt::Lsn(6), ReadAt::Primary, ReadAt::Unknown].map(is_met);
        assert_eq!(met, [true, false, false, false]);
    }

    #[test]
    fn a_client_keeps_that_it_saw_what_the_log_need_not_hold() {
        let check = |own, told, expected: &str| {
            assert_eq!(Brought::one(bookmark(own)).kept(bookmark(told)).to_string(), expected);
        };
        check("0.0", "150.7", "150.7");
        check("150.9", "160.7", "160.9");
        check("0.7", "0.8", "0.8");
        check("0.0", "0.8", "0.8");
        check("0.7", "150.8", "-.8");
        check("150.7", "0.8", "-.8");
        check("-.7", "150.8", "-.8");
    }

    #[test]
    fn a_demand_is_about_positions() {
        let at = |read_at| Position { fence: Known { first: 1, head: 1 }, read_at };
        let check = |demand: Demand, is_grouped, read_at, expected| {
            let is_met = demand.is_met(is_grouped, at(read_at));
            assert_eq!(is_met, expected, "{demand:?} {is_grouped} {read_at:?}");
        };
        let past = |or_on_primary| Demand::ReadPast { lsn: 7, or_on_primary };
        for is_grouped in [true, false] {
            check(Demand::Nothing, is_grouped, ReadAt::Unknown, true);
            check(Demand::Refresh, is_grouped, ReadAt::Primary, false);
            check(Demand::Unstored, is_grouped, ReadAt::Primary, false);
            check(past(false), is_grouped, ReadAt::Lsn(7), true);
            check(past(false), is_grouped, ReadAt::Lsn(6), false);
            check(past(false), is_grouped, ReadAt::Primary, false);
            check(past(true), is_grouped, ReadAt::Primary, true);
            check(past(true), is_grouped, ReadAt::Unknown, !is_grouped);
        }
    }

    #[test]
    fn what_is_stale_must_be_past_what_the_reader_saw() {
        let seen = Demand::Seen { seq: 5, lsn: 7, straight_lsn: 0 };
        let check = |fence, read_at, expected| {
            assert_eq!(
                seen.allows_stale(Position { fence: Known { first: 1, head: fence }, read_at }),
                expected,
                "{fence} {read_at:?}"
            );
        };
        check(5, ReadAt::Primary, true);
        check(5, ReadAt::Unknown, true);
        check(4, ReadAt::Primary, false);
        check(5, ReadAt::Lsn(7), true);
        check(5, ReadAt::Lsn(6), false);
    }

    proptest! {
        #[test]
        fn whatever_a_client_brings_nothing_of_it_is_left(
            field in "([0-9]{1,21}|-|\\.|,| |\\+|é){0,8}", cookie in "([0-9]{1,21}|-|\\.|,| |\"|é){0,8}",
        ) {
            let lines = format!("tidewall-bookmark\n{field}\ncookie\na=1; tw_bookmark={cookie}; b=2");
            let mut request = Fields::from_lines(&lines);
            let brought = take(&mut request);
            prop_assert_eq!(&request, &Fields::from_lines("cookie\na=1; b=2"));
            prop_assert!(brought.straight_lsn <= brought.bookmark.lsn);
            prop_assert_eq!(take(&mut request), Brought::one(NOTHING));
        }

        #[test]
        fn what_a_client_is_told_it_brings_again(seq in prop::option::of(any::<u64>()), lsn: u64) {
            let bookmark = Bookmark { seq: seq.map_or(Seq::Unlogged, Seq::At), lsn };
            let mut answer = Fields::default();
            tell(&mut answer, bookmark, true);
            let cookie = answer.get("set-cookie").unwrap().split(';').next().unwrap();
            let field = answer.get(TIDEWALL_BOOKMARK).unwrap();
            for lines in [format!("cookie\n{cookie}"), format!("tidewall-bookmark\n{field}")] {
                prop_assert_eq!(take(&mut Fields::from_lines(&lines)).bookmark, bookmark);
            }
        }
    }
}
