//! May a response be used for a reader, as far as the logs are concerned?

use crate::control::bookmark::Demand;
use crate::control::position::Position;
use crate::control::view::{Invalidated, Subject, Validity, View};

/// Why a stored response must not be used: not fresh, not stale, not instead of an
/// error (S6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fenced {
    /// The control log is out of reach, so nobody knows what was invalidated (S2).
    NoView,
    /// It was invalidated after it was read.
    Invalidated(Invalidated),
    /// The reader has seen what it doesn't show (S3, S4).
    BehindBookmark,
}

impl Fenced {
    /// The reason's name, a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoView => "no-view",
            Self::Invalidated(reason) => reason.as_str(),
            Self::BehindBookmark => "behind-bookmark",
        }
    }
}

/// The one decision on positions. Without a reader, such as when a response is to be
/// stored, the demand is [`Demand::Nothing`].
pub fn servable(
    view: Option<&View>,
    demand: Demand,
    subject: &Subject<'_>,
    position: Position,
) -> Result<Validity, Fenced> {
    let view = view.ok_or(Fenced::NoView)?;
    let validity = view.judge(subject, position).map_err(Fenced::Invalidated)?;
    let is_met = demand.is_met(!subject.groups.is_empty(), position);
    if is_met && (validity == Validity::Valid || demand.allows_stale(position)) {
        Ok(validity)
    } else {
        Err(Fenced::BehindBookmark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::entry::{Mark, Scope, Severity};
    use crate::control::log::Known;
    use crate::control::position::ReadAt;
    use crate::control::view::tests::delta;
    use crate::time::Timestamp;

    #[test]
    fn view_log_and_bookmark_must_all_agree() {
        let entry = (Scope::Path("/a".to_owned()), Severity::Hard, Mark { seq: 200, lsn: None });
        let view = View::new(delta(300, vec![entry]), Timestamp::from_millis(0));
        let groups = ["g".to_owned()];
        let subject = Subject { groups: &groups, uri: "http://h/a", path: "/a" };
        let at = |fence| Position { fence: Known { first: 100, head: fence }, read_at: ReadAt::Primary };
        let check = |view, demand, fence, expected: Result<(), &str>| {
            let decision = servable(view, demand, &subject, at(fence)).map(|_| ()).map_err(Fenced::as_str);
            assert_eq!(decision, expected);
        };
        check(Some(&view), Demand::Nothing, 200, Ok(()));
        check(None, Demand::Nothing, 200, Err("no-view"));
        check(Some(&view), Demand::Nothing, 199, Err("invalidated-path"));
        check(Some(&view), Demand::Unstored, 200, Err("behind-bookmark"));
    }

    #[test]
    fn what_a_soft_invalidation_made_stale_is_not_for_its_author() {
        let entry = (Scope::Group("g".to_owned()), Severity::Soft, Mark { seq: 200, lsn: None });
        let view = View::new(delta(300, vec![entry]), Timestamp::from_millis(0));
        let groups = ["g".to_owned()];
        let subject = Subject { groups: &groups, uri: "http://h/a", path: "/a" };
        let position = Position { fence: Known { first: 100, head: 150 }, read_at: ReadAt::Primary };
        let stale = Ok(Validity::StaleSince(Timestamp::from_millis(200)));
        let check = |demand, expected| {
            assert_eq!(servable(Some(&view), demand, &subject, position), expected, "{demand:?}");
        };
        check(Demand::Nothing, stale);
        check(Demand::Seen { seq: 140, lsn: 0, straight_lsn: 0 }, stale);
        check(Demand::Seen { seq: 200, lsn: 0, straight_lsn: 0 }, Err(Fenced::BehindBookmark));
    }
}
