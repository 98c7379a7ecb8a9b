//! Jobs that are enqueued again and again, by the calendar.

use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use croner::{Cron, Direction};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use time::OffsetDateTime;

use super::job::NewJob;

/// A firing that is later than this was missed: nothing that runs is late by so much.
const MISSED_AFTER: Duration = Duration::from_mins(1);
/// Firings that are made up for at once; earlier ones are left out.
const FIRINGS_MAX: usize = 1_000;

type Make = Arc<dyn Fn(OffsetDateTime) -> Result<NewJob, serde_json::Error> + Send + Sync>;

/// When a job is enqueued, and which.
#[derive(Clone)]
pub struct Schedule {
    name: &'static str,
    cron: Cron,
    zone: TimeZone,
    missed: Missed,
    make: Make,
}

/// What is done about firings for which no worker was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// They are left out.
    Skip,
    /// One, for the last of them.
    Once,
    /// Each of them is made up for, up to a thousand.
    All,
}

/// A schedule that can't be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The pattern.
    #[error("schedule `{name}`: `{pattern}` is no cron pattern such as `30 3 * * MON`: {why}")]
    Pattern {
        /// Of the schedule.
        name: &'static str,
        /// As given.
        pattern: String,
        /// What is wrong.
        why: String,
    },
    /// The time zone.
    #[error("schedule `{name}`: there is no time zone `{zone}`; write it like `Europe/Berlin`")]
    Zone {
        /// Of the schedule.
        name: &'static str,
        /// As given.
        zone: String,
    },
}

impl Schedule {
    /// Enqueues what `make` makes of each firing's time, whenever `pattern` says in the time zone
    /// `zone`. The name identifies it among all workers: one of them fires it.
    ///
    /// Where clocks are put forward, a fixed time that doesn't exist that day fires when the gap
    /// ends; where they are put back, one that comes twice fires once.
    ///
    /// # Errors
    /// The pattern or the time zone.
    pub fn new(
        name: &'static str,
        pattern: &str,
        zone: &str,
        missed: Missed,
        make: impl Fn(OffsetDateTime) -> Result<NewJob, serde_json::Error> + Send + Sync + 'static,
    ) -> Result<Self, ScheduleError> {
        let cron = Cron::from_str(pattern).map_err(|error| ScheduleError::Pattern {
            name,
            pattern: pattern.to_owned(),
            why: error.to_string(),
        })?;
        let zone = TimeZone::get(zone).map_err(|_| ScheduleError::Zone { name, zone: zone.to_owned() })?;
        Ok(Self { name, cron, zone, missed, make: Arc::new(make) })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn make(&self, at: OffsetDateTime) -> Result<NewJob, serde_json::Error> {
        (self.make)(at)
    }

    /// The firings that are due at `now`, the earliest first, if all up to `fired` were made.
    pub(super) fn due(&self, fired: OffsetDateTime, now: OffsetDateTime) -> Vec<OffsetDateTime> {
        let (Some(fired), Some(now)) = (self.zoned(fired), self.zoned(now)) else { return Vec::new() };
        let limit = if self.missed == Missed::All { FIRINGS_MAX } else { 1 };
        let firings =
            self.cron.iter_from(now.clone(), Direction::Backward).take_while(|at| *at > fired).take(limit);
        let is_missed = |at: &Zoned| {
            let late = now.timestamp().duration_since(at.timestamp());
            Duration::try_from(late).is_ok_and(|late| late > MISSED_AFTER)
        };
        let mut firings: Vec<_> = firings
            .filter(|at| self.missed != Missed::Skip || !is_missed(at))
            .filter_map(|at| OffsetDateTime::from_unix_timestamp_nanos(at.timestamp().as_nanosecond()).ok())
            .collect();
        firings.reverse();
        firings
    }

    /// When it fires next after `now`.
    pub(super) fn next(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let next = self.cron.find_next_occurrence(&self.zoned(now)?, false).ok()?;
        OffsetDateTime::from_unix_timestamp_nanos(next.timestamp().as_nanosecond()).ok()
    }

    fn zoned(&self, at: OffsetDateTime) -> Option<Zoned> {
        let at = Timestamp::from_nanosecond(at.unix_timestamp_nanos()).ok()?;
        Some(at.to_zoned(self.zone.clone()))
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, missed, .. } = self;
        f.debug_struct("Schedule").field("name", name).field("missed", missed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::queue::priority::Priority;

    fn schedule(pattern: &str, zone: &str, missed: Missed) -> Result<Schedule, ScheduleError> {
        let make = |_| {
            Ok(NewJob {
                kind: "k",
                version: 1,
                payload: serde_json::Value::Null,
                secrets: &[],
                attempts_max: 1,
                owner: None,
                priority: Priority::Normal,
                run_at: None,
                delay: Duration::ZERO,
                lane: None,
                unique: None,
            })
        };
        Schedule::new("s", pattern, zone, missed, make)
    }

    fn check(
        pattern: &str,
        zone: &str,
        missed: Missed,
        fired: OffsetDateTime,
        now: OffsetDateTime,
        expected: &str,
    ) {
        let due = schedule(pattern, zone, missed).unwrap().due(fired, now);
        let due: Vec<_> = due.into_iter().map(crate::timestamp::rfc3339).collect();
        assert_eq!(
            due.join(" ").replace(":00.000Z", ""),
            expected,
            "{pattern} {zone} {missed:?} {fired} {now}"
        );
    }

    const NOON: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    #[test]
    fn a_schedule_fires_once_its_time_has_come_and_not_again() {
        let hourly = |fired, now| check("0 * * * *", "UTC", Missed::Once, fired, now, "2026-11-24T12:00");
        hourly(datetime!(2026-11-24 11:00 UTC), NOON);
        hourly(datetime!(2026-11-24 11:59:59 UTC), datetime!(2026-11-24 12:00:30 UTC));
        check("0 * * * *", "UTC", Missed::Once, NOON, datetime!(2026-11-24 12:59:59 UTC), "");
        check("0 * * * *", "UTC", Missed::Once, NOON, NOON, "");
    }

    #[test]
    fn missed_firings_are_left_out_made_once_or_all_made() {
        let since = datetime!(2026-11-24 09:00 UTC);
        let late = datetime!(2026-11-24 12:30 UTC);
        check("0 * * * *", "UTC", Missed::Skip, since, late, "");
        check(
            "0 * * * *",
            "UTC",
            Missed::Skip,
            since,
            datetime!(2026-11-24 12:00:59 UTC),
            "2026-11-24T12:00",
        );
        check("0 * * * *", "UTC", Missed::Once, since, late, "2026-11-24T12:00");
        check(
            "0 * * * *",
            "UTC",
            Missed::All,
            since,
            late,
            "2026-11-24T10:00 2026-11-24T11:00 2026-11-24T12:00",
        );
        let all = schedule("* * * * *", "UTC", Missed::All).unwrap();
        let due = all.due(datetime!(2026-01-01 00:00 UTC), NOON);
        assert_eq!((due.len(), due.last()), (FIRINGS_MAX, Some(&NOON)));
    }

    #[test]
    fn the_time_is_that_of_the_zone_through_its_changes() {
        // Winter: an hour ahead of UTC; summer: two.
        check(
            "30 3 * * *",
            "Europe/Berlin",
            Missed::Once,
            datetime!(2026-01-10 00:00 UTC),
            datetime!(2026-01-10 12:00 UTC),
            "2026-01-10T02:30",
        );
        check(
            "30 3 * * *",
            "Europe/Berlin",
            Missed::Once,
            datetime!(2026-07-10 00:00 UTC),
            datetime!(2026-07-10 12:00 UTC),
            "2026-07-10T01:30",
        );
        // 29 March 2026: 02:30 doesn't exist. 25 October 2026: it comes twice.
        for (begin, end) in [
            (datetime!(2026-03-28 12:00 UTC), datetime!(2026-03-29 12:00 UTC)),
            (datetime!(2026-10-24 12:00 UTC), datetime!(2026-10-25 12:00 UTC)),
        ] {
            let fired = schedule("30 2 * * *", "Europe/Berlin", Missed::All).unwrap().due(begin, end);
            assert_eq!(fired.len(), 1, "{fired:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_or_zone_is_refused() {
        let name = |error: ScheduleError| match error {
            ScheduleError::Pattern { .. } => "pattern",
            ScheduleError::Zone { .. } => "zone",
        };
        for (pattern, zone, expected) in [
            ("every day", "UTC", "pattern"),
            ("61 * * * *", "UTC", "pattern"),
            ("0 0 * * *", "Berlin", "zone"),
        ] {
            assert_eq!(schedule(pattern, zone, Missed::Skip).map_err(name).err(), Some(expected));
        }
    }

    proptest! {
        /// However the looks are spread, each firing comes once, and none is left out.
        #[test]
        fn looks_at_any_times_fire_each_time_once(
            pauses in proptest::collection::vec(1i64..4_000, 1..40),
            zone in prop_oneof![Just("UTC"), Just("America/New_York"), Just("Asia/Kathmandu")],
        ) {
            let schedule = schedule("*/7 * * * *", zone, Missed::All).unwrap();
            let begin = datetime!(2026-10-31 20:00 UTC);
            let (mut fired, mut all) = (begin, Vec::new());
            for pause in pauses {
                let now = fired + time::Duration::seconds(pause);
                all.extend(schedule.due(fired, now));
                fired = now;
            }
            prop_assert_eq!(all, schedule.due(begin, fired));
        }

        /// What fires next is what is due then, and nothing before.
        #[test]
        fn nothing_is_due_before_the_next_firing(offset in 0i64..10_000_000) {
            let schedule = schedule("13 4 * * *", "Europe/Berlin", Missed::All).unwrap();
            let now = datetime!(2026-01-01 00:00 UTC) + time::Duration::seconds(offset);
            let next = schedule.next(now).unwrap();
            prop_assert_eq!(schedule.due(now, next), vec![next]);
            prop_assert!(schedule.due(now, next - time::Duration::seconds(1)).is_empty());
        }
    }
}
