//! What is known of the servers, and what follows: which one is the primary, and
//! which replicas may serve.
//!
//! Roles are found, not configured, so that a promotion needs no new settings:
//! - The primary is the server that doesn't replay another one's log; of several
//!   the one on the greatest timeline, since each promotion begins a new one. A
//!   server on a lesser timeline was left behind: it never is the primary again,
//!   even while it answers, until it follows the new one.
//! - A replica may serve while it can be reached, replays, is on the primary's
//!   timeline, and isn't too far behind.

use std::time::Instant;

use super::lag::LogEnd;
use super::lsn::Lsn;

/// What one look at a server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// When it was asked, so that everything read later is at or past `lsn`.
    pub(super) asked_at: Instant,
    /// It replays another server's log.
    pub(super) in_recovery: bool,
    /// Which branch of the log it is on; each promotion begins a new one. `None`
    /// where it isn't allowed to be asked.
    pub(super) timeline: Option<u32>,
    /// The end of its log: flushed on a primary, replayed on a replica.
    pub(super) lsn: Option<Lsn>,
    /// On a replica, up to where it has the log, replayed or not.
    pub(super) received: Option<Lsn>,
    /// Its replay was paused by hand.
    pub(super) paused: bool,
}

/// Whether a server can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Contact {
    /// It was not looked at yet.
    #[default]
    Unknown,
    /// The last look was answered, and nothing failed since.
    Reached,
    /// A connection failed since; the next look tells.
    Doubtful,
    /// The last look failed.
    Lost,
}

/// Why a server serves no reads of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out {
    /// Not looked at yet.
    Unknown,
    /// It doesn't answer.
    Unreachable,
    /// It is on another branch of the log than the primary.
    OtherTimeline,
    /// Its replay was paused.
    Paused,
    /// It is behind by too many bytes and for too long.
    Lagging,
}

impl Out {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Unreachable => "unreachable",
            Self::OtherTimeline => "other_timeline",
            Self::Paused => "paused",
            Self::Lagging => "lagging",
        }
    }
}

/// A server's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Takes writes.
    Primary,
    /// Takes reads.
    Replica,
    /// Takes nothing now.
    Out(Out),
}

impl Standing {
    pub(super) const ALL: [Self; 7] = [
        Self::Primary,
        Self::Replica,
        Self::Out(Out::Unknown),
        Self::Out(Out::Unreachable),
        Self::Out(Out::OtherTimeline),
        Self::Out(Out::Paused),
        Self::Out(Out::Lagging),
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Out(out) => out.as_str(),
        }
    }
}

/// A replica that may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replica {
    /// Which server.
    pub(super) index: usize,
    /// What it had replayed, at least, at `asked_at`.
    pub(super) replayed: Lsn,
    /// When that was asked.
    pub(super) asked_at: Instant,
}

/// What follows from what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// The server that takes writes, if one is known.
    pub(super) primary: Option<usize>,
    /// Whether that one answered when last looked at.
    pub(super) primary_contact: Contact,
    /// The replicas that may serve.
    pub(super) replicas: Vec<Replica>,
    /// Each server's part.
    pub(super) standings: Vec<Standing>,
    /// Up to where the log goes, as far as is known.
    pub(super) end: Option<Lsn>,
    /// Every server was looked at, so that one which isn't here isn't anywhere.
    pub(super) is_complete: bool,
}

/// Where who takes writes is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// There.
    At(usize),
    /// It doesn't answer, or no server is it.
    Nowhere,
    /// A server wasn't looked at yet.
    Unknown,
}

impl View {
    /// Where the primary is.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        match self.primary {
            Some(index) if self.primary_contact != Contact::Lost => Whereabouts::At(index),
            None if !self.is_complete => Whereabouts::Unknown,
            Some(_) | None => Whereabouts::Nowhere,
        }
    }

    /// Nobody who waits for anything would find it here and not there.
    pub(super) fn tells_the_same_as(&self, other: &Self) -> bool {
        let replayed = |view: &Self| -> Vec<_> {
            view.replicas.iter().map(|replica| (replica.index, replica.replayed)).collect()
        };
        (self.primary, self.primary_contact, self.is_complete)
            == (other.primary, other.primary_contact, other.is_complete)
            && self.standings == other.standings
            && replayed(self) == replayed(other)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    contact: Contact,
    last: Option<Sighting>,
}

/// Everything that was seen so far.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    servers: Vec<Known>,
    log_end: LogEnd,
    primary: Option<usize>,
}

impl Survey {
    /// Of `servers`, none of which was looked at yet.
    pub(super) fn new(servers: usize) -> Self {
        Self { servers: vec![Known::default(); servers], log_end: LogEnd::default(), primary: None }
    }

    /// The server answered a look.
    pub(super) fn saw(&mut self, index: usize, sighting: Sighting) {
        self.servers[index] = Known { contact: Contact::Reached, last: Some(sighting) };
        let primary = self.find_primary();
        if primary != self.primary {
            self.primary = primary;
            self.log_end.forget();
        }
        if primary == Some(index)
            && let Some(end) = sighting.lsn
        {
            self.log_end.saw(end, sighting.asked_at);
        }
    }

    /// A connection to the server failed.
    pub(super) fn doubt(&mut self, index: usize) {
        let contact = &mut self.servers[index].contact;
        if *contact == Contact::Reached {
            *contact = Contact::Doubtful;
        }
    }

    /// The server didn't answer a look.
    pub(super) fn lost(&mut self, index: usize) {
        self.servers[index].contact = Contact::Lost;
    }

    /// The greatest timeline that any server has begun or follows.
    fn timeline(&self) -> Option<u32> {
        self.servers.iter().filter_map(|known| known.last?.timeline).max()
    }

    fn find_primary(&self) -> Option<usize> {
        let timeline = self.timeline();
        let is_primary = |index: &usize| {
            self.servers[*index].last.is_some_and(|last| !last.in_recovery && last.timeline == timeline)
        };
        // Two that were promoted apart from each other share a number: then it stays as it was.
        self.primary.filter(is_primary).or_else(|| (0..self.servers.len()).find(is_primary))
    }

    fn standing(&self, index: usize, now: Instant) -> Standing {
        let Known { contact, last } = self.servers[index];
        if self.primary == Some(index) {
            return Standing::Primary;
        }
        let last = match (contact, last) {
            (Contact::Unknown, _) => return Standing::Out(Out::Unknown),
            (Contact::Doubtful | Contact::Lost, _) | (_, None) => return Standing::Out(Out::Unreachable),
            (Contact::Reached, Some(last)) => last,
        };
        if !last.in_recovery || last.timeline != self.timeline() {
            return Standing::Out(Out::OtherTimeline);
        }
        if last.paused {
            return Standing::Out(Out::Paused);
        }
        match last.lsn {
            None => Standing::Out(Out::Unknown),
            Some(replayed) if self.log_end.is_lagging(replayed, now) => Standing::Out(Out::Lagging),
            Some(_) => Standing::Replica,
        }
    }

    /// What follows.
    pub(super) fn view(&self, now: Instant) -> View {
        let standings: Vec<_> = (0..self.servers.len()).map(|index| self.standing(index, now)).collect();
        let replicas = (standings.iter().zip(&self.servers).enumerate())
            .filter(|(_, (standing, _))| **standing == Standing::Replica)
            .filter_map(|(index, (_, known))| {
                let last = known.last?;
                Some(Replica { index, replayed: last.lsn?, asked_at: last.asked_at })
            })
            .collect();
        let seen = self.servers.iter().filter_map(|known| known.last);
        let replayed = seen.filter_map(|last| last.lsn.max(last.received)).max();
        View {
            primary: self.primary,
            primary_contact: self.primary.map(|index| self.servers[index].contact).unwrap_or_default(),
            replicas,
            end: self.log_end.latest().max(replayed),
            is_complete: self.servers.iter().all(|known| known.contact != Contact::Unknown),
            standings,
        }
    }

    /// Log that the primary has and the replica has not replayed, and not even
    /// received; `None` where one of them isn't known.
    pub(super) fn lag_bytes(&self, index: usize) -> Option<(u64, u64)> {
        let Known { contact, last } = self.servers[index];
        let last = last.filter(|last| contact == Contact::Reached && last.in_recovery)?;
        let end = self.log_end.latest()?;
        let received = last.received.max(last.lsn)?;
        Some((end.bytes_since(last.lsn?), end.bytes_since(received)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A primary's sighting, as `timeline:lsn`, or a replica's, as `<timeline:lsn`;
    /// `<timeline:lsn!` where it is paused.
    fn sighting(text: &str, now: Instant) -> Sighting {
        let in_recovery = text.starts_with('<');
        let paused = text.ends_with('!');
        let (timeline, lsn) = text.trim_matches(['<', '!']).split_once(':').unwrap();
        let lsn = lsn.parse().ok().map(Lsn::new);
        Sighting {
            asked_at: now,
            in_recovery,
            timeline: timeline.parse().ok(),
            lsn,
            received: lsn.filter(|_| in_recovery),
            paused,
        }
    }

    /// Servers in order; `-` is lost, `?` was not looked at, `text~` is in doubt since.
    fn survey(servers: &[&str], now: Instant) -> Survey {
        let mut survey = Survey::new(servers.len());
        for (index, text) in servers.iter().enumerate() {
            see(&mut survey, index, text, now);
        }
        survey
    }

    fn see(survey: &mut Survey, index: usize, text: &str, now: Instant) {
        match text {
            "?" => {}
            "-" => survey.lost(index),
            text => {
                survey.saw(index, sighting(text.trim_end_matches('~'), now));
                if text.ends_with('~') {
                    survey.doubt(index);
                }
            }
        }
    }

    fn check(servers: &[&str], standings: &[&str]) {
        let now = Instant::now();
        let view = survey(servers, now).view(now);
        let found: Vec<_> = view.standings.iter().map(|standing| standing.as_str()).collect();
        assert_eq!(found, standings, "{servers:?}");
        let replicas: Vec<_> = view.replicas.iter().map(|replica| replica.index).collect();
        let expected: Vec<_> = (0..servers.len()).filter(|index| standings[*index] == "replica").collect();
        assert_eq!(replicas, expected, "{servers:?}");
    }

    /// The tests of timelines can fail: where these aren't told, who was left behind serves.
    #[test]
    fn without_timelines_who_was_left_behind_would_serve() {
        check(&["1:100", "2:90", "<1:95"], &["other_timeline", "primary", "other_timeline"]);
        check(&[":100", ":90", "<:95"], &["primary", "other_timeline", "replica"]);
    }

    #[test]
    fn a_primary_is_missing_once_every_server_was_looked_at() {
        let now = Instant::now();
        for (servers, expected) in [
            (&["?", "<1:5", "<1:5"][..], Whereabouts::Unknown),
            (&["1:5", "?", "?"], Whereabouts::At(0)),
            (&["1:5~", "?", "?"], Whereabouts::At(0)),
            (&["<1:5", "2:6", "?"], Whereabouts::At(1)),
            (&["<1:5", "<1:5", "<1:5"], Whereabouts::Nowhere),
            (&["-", "?", "<1:5"], Whereabouts::Unknown),
            (&["-", "<1:5", "<1:5"], Whereabouts::Nowhere),
        ] {
            assert_eq!(survey(servers, now).view(now).whereabouts(), expected, "{servers:?}");
        }
        let mut survey = survey(&["1:5", "?", "?"], now);
        survey.lost(0);
        assert_eq!(survey.view(now).whereabouts(), Whereabouts::Nowhere);
    }

    #[test]
    fn a_look_that_found_nothing_new_wakes_nobody() {
        let (start, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let view = |servers: &[&str], now| survey(servers, now).view(now);
        let before = view(&["1:9", "<1:7"], start);
        assert!(before.tells_the_same_as(&view(&["1:9", "<1:7"], later)));
        assert!(!before.tells_the_same_as(&view(&["1:9", "<1:8"], later)));
        assert!(!before.tells_the_same_as(&view(&["1:9", "<1:7!"], later)));
        assert!(!before.tells_the_same_as(&view(&["-", "<1:7"], later)));
    }

    #[test]
    fn one_primary_and_its_replicas_are_told_apart() {
        check(&["1:100", "<1:100", "<1:90"], &["primary", "replica", "replica"]);
        check(&["<1:100", "1:100"], &["replica", "primary"]);
    }

    #[test]
    fn what_was_not_seen_serves_nothing() {
        check(&["?", "?"], &["unknown", "unknown"]);
        check(&["-", "<1:5"], &["unreachable", "replica"]);
        check(&["1:9", "<1:5~"], &["primary", "unreachable"]);
        check(&["1:9", "<1:"], &["primary", "unknown"]);
    }

    #[test]
    fn the_primary_is_who_was_one_last_even_if_it_is_gone() {
        let now = Instant::now();
        let mut survey = survey(&["1:9", "<1:9"], now);
        survey.lost(0);
        let view = survey.view(now);
        assert_eq!((view.primary, view.primary_contact), (Some(0), Contact::Lost));
        assert_eq!(view.replicas.len(), 1, "reads go on");
    }

    #[test]
    fn a_paused_replica_serves_nothing() {
        check(&["1:9", "<1:9!"], &["primary", "paused"]);
    }

    #[test]
    fn a_promoted_replica_is_the_primary_and_the_old_one_never_again() {
        check(&["1:100", "2:90", "<1:95"], &["other_timeline", "primary", "other_timeline"]);
        check(&["-", "2:90", "<2:90"], &["unreachable", "primary", "replica"]);
        check(&["1:100", "2:90", "<2:90"], &["other_timeline", "primary", "replica"]);
        // It has come to follow the new one.
        check(&["<2:100", "2:100"], &["replica", "primary"]);
    }

    #[test]
    fn a_primary_that_others_have_left_behind_is_none() {
        // Whom they follow isn't among the servers that are known here.
        check(&["1:100", "<2:90"], &["other_timeline", "replica"]);
        assert_eq!(survey(&["1:100", "<2:90"], Instant::now()).view(Instant::now()).primary, None);
    }

    #[test]
    fn of_two_promoted_apart_from_each_other_the_first_stays() {
        let now = Instant::now();
        let mut survey = survey(&["-", "<1:9", "2:9"], now);
        see(&mut survey, 1, "2:9", now);
        assert_eq!(survey.view(now).primary, Some(2));
        assert_eq!(survey.view(now).standings[1], Standing::Out(Out::OtherTimeline));
    }

    #[test]
    fn a_replica_that_lags_serves_nothing_until_it_is_well() {
        let start = Instant::now();
        let mut survey = survey(&["1:0", "<1:0"], start);
        let mib = 1024 * 1024;
        for second in 1..=30 {
            let now = start + Duration::from_secs(second);
            survey.saw(0, sighting(&format!("1:{}", second * 10 * mib), now));
            survey.saw(1, sighting("<1:0", now));
        }
        let now = start + Duration::from_secs(30);
        assert_eq!(survey.view(now).standings[1], Standing::Out(Out::Lagging));
        assert_eq!(survey.lag_bytes(1), Some((300 * mib, 300 * mib)));
        survey.saw(1, sighting(&format!("<1:{}", 290 * mib), now));
        assert_eq!(survey.view(now).standings[1], Standing::Replica);
    }

    #[test]
    fn the_logs_end_is_the_furthest_that_anyone_has_seen() {
        let now = Instant::now();
        assert_eq!(survey(&["?", "?"], now).view(now).end, None);
        assert_eq!(survey(&["-", "<1:7"], now).view(now).end, Some(Lsn::new(7)));
        assert_eq!(survey(&["1:9", "<1:7"], now).view(now).end, Some(Lsn::new(9)));
    }

    #[test]
    fn the_view_is_complete_once_every_server_was_looked_at() {
        let now = Instant::now();
        assert!(!survey(&["<1:9", "?"], now).view(now).is_complete);
        assert!(survey(&["<1:9", "-"], now).view(now).is_complete);
    }

    #[test]
    fn where_timelines_may_not_be_asked_roles_are_found_all_the_same() {
        check(&[":9", "<:9"], &["primary", "replica"]);
    }
}
