//! What a stream of notifications has told, and what it asks for next. Pure.

use tidewall_api::notification::Notification;

/// How far a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The last number that was told; 0 for none.
    told: i64,
}

impl Cursor {
    /// One that has told up to `told`, of a user who was told up to `head`. `None` if the
    /// stream is to begin with what came last: nothing was told, or only by a database that
    /// had more than there is now, as after the loss of one.
    pub(crate) fn resume(told: Option<&str>, head: i64) -> Option<Self> {
        let told = told?.parse().ok()?;
        (0..=head).contains(&told).then_some(Self { told })
    }

    /// One that has told nothing of what comes after `told`.
    pub(crate) fn at(told: i64) -> Self {
        Self { told }
    }

    /// From where on there is something to read, if the user was told up to `head`.
    pub(crate) fn behind(&mut self, head: i64) -> Option<i64> {
        // Less than was told: numbers were lost with a database, and are given out again.
        self.told = self.told.min(head);
        (self.told < head).then_some(self.told)
    }

    /// `notification` is told.
    pub(crate) fn tell(&mut self, notification: &Notification) {
        self.told = self.told.max(notification.id);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stream_goes_on_where_it_stopped() {
        for (told, head, expected) in [
            (None, 7, None),
            (Some("5"), 7, Some(5)),
            (Some("7"), 7, Some(7)),
            (Some("0"), 7, Some(0)),
            (Some("8"), 7, None),
            (Some("-1"), 7, None),
            (Some("nonsense"), 7, None),
            (Some(""), 7, None),
        ] {
            let cursor = Cursor::resume(told, head);
            assert_eq!(cursor, expected.map(|told| Cursor { told }), "{told:?} of {head}");
        }
    }

    #[test]
    fn what_is_behind_is_read_and_nothing_twice() {
        let mut cursor = Cursor::at(5);
        assert_eq!(cursor.behind(5), None);
        assert_eq!(cursor.behind(7), Some(5));
        let notification =
            |id| Notification { id, kind: String::new(), body: ().into(), created_at: String::new() };
        cursor.tell(&notification(6));
        assert_eq!(cursor.behind(7), Some(6));
        cursor.tell(&notification(7));
        assert_eq!(cursor.behind(7), None);
    }

    #[test]
    fn numbers_that_are_given_out_again_are_told_again() {
        let mut cursor = Cursor::at(5);
        assert_eq!(cursor.behind(3), None);
        assert_eq!(cursor.behind(4), Some(3));
    }

    proptest! {
        #[test]
        fn no_id_whatever_leads_past_what_there_is(
            told in "([0-9]{1,20}|-|\\+| |é){0,3}", head in 0..=i64::MAX, later in 0..=i64::MAX,
        ) {
            if let Some(mut cursor) = Cursor::resume(Some(&told), head) {
                prop_assert!((0..=head).contains(&cursor.told));
                prop_assert!(cursor.behind(later).is_none_or(|from| (0..later).contains(&from)));
            }
        }
    }
}
