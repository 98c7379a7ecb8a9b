//! Sales of days, put together so that a chart of them can be read.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Duration};

use super::range::DayRange;

/// Most bars of days or weeks: two months, or more than a year. Bars of months are as many as
/// the range has.
const BARS_MAX: i64 = 62;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[day padding:none] [month repr:short] [year]");
const DAY_ALONE: &[BorrowedFormatItem<'_>] = format_description!("[day padding:none]");
const DAY_OF_MONTH: &[BorrowedFormatItem<'_>] = format_description!("[day padding:none] [month repr:short]");
const WEEKDAY: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short] [day padding:none] [month repr:short] [year]");
const MONTH: &[BorrowedFormatItem<'_>] = format_description!("[month repr:long] [year]");
const MONTH_SHORT: &[BorrowedFormatItem<'_>] = format_description!("[month repr:short] [year]");

/// What was ordered in some time. What was cancelled was not sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sales {
    /// Orders, less those that were cancelled.
    pub(super) orders: i64,
    /// Those that were.
    pub(super) cancelled: i64,
    /// What the orders came to.
    pub(super) revenue_cents: i64,
}

/// How much time a bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Day,
    /// From Monday.
    Week,
    Month,
}

/// The sales of one bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) first: Date,
    pub(super) last: Date,
    pub(super) sales: Sales,
}

impl Sales {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            orders: self.orders.saturating_add(other.orders),
            cancelled: self.cancelled.saturating_add(other.cancelled),
            revenue_cents: self.revenue_cents.saturating_add(other.revenue_cents),
        }
    }

    /// What an order came to; nothing where there is none.
    pub(super) fn average_cents(self) -> Option<i64> {
        self.revenue_cents.checked_div(self.orders)
    }
}

impl Step {
    /// The finest in which `range` has few enough bars.
    pub(super) fn of(range: DayRange) -> Self {
        let days = (range.end - range.begin).whole_days();
        match days {
            _ if days <= BARS_MAX => Self::Day,
            _ if days <= BARS_MAX * 7 => Self::Week,
            _ => Self::Month,
        }
    }

    /// As in "revenue per week".
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The last day of the step that `day` is in.
    fn last(self, day: Date) -> Date {
        let days = match self {
            Self::Day => 0,
            Self::Week => 6 - i64::from(day.weekday().number_days_from_monday()),
            Self::Month => i64::from(day.month().length(day.year()) - day.day()),
        };
        day.saturating_add(Duration::days(days))
    }
}

/// The range in steps, each with what was sold; the first and the last may be cut off.
pub(super) fn buckets(range: DayRange, step: Step, days: &[(Date, Sales)]) -> Vec<Bucket> {
    let end = range.end.date();
    let mut buckets = Vec::new();
    let mut first = range.begin.date();
    while first < end {
        let whole = step.last(first);
        let last = if whole < end { whole } else { end.previous_day().unwrap_or(end) };
        let sold = days.iter().filter(|(day, _)| (first..=last).contains(day));
        let sales = sold.fold(Sales::default(), |sum, (_, sales)| sum.and(*sales));
        buckets.push(Bucket { first, last, sales });
        let Some(next) = last.next_day() else { break };
        first = next;
    }
    buckets
}

impl Bucket {
    /// What it is called in a table.
    pub(super) fn label(&self, step: Step) -> String {
        let Self { first, last, .. } = *self;
        let is_whole_month = first.day() == 1 && step.last(first) == last;
        match step {
            Step::Day => format(first, WEEKDAY),
            Step::Month if is_whole_month => format(first, MONTH),
            Step::Week | Step::Month => span(first, last),
        }
    }

    /// What it is called below a chart.
    pub(super) fn label_short(&self, step: Step) -> String {
        format(self.first, if step == Step::Month { MONTH_SHORT } else { DAY_OF_MONTH })
    }
}

/// Days in words: `5 – 11 Jan 2026`.
pub(super) fn span(first: Date, last: Date) -> String {
    let begin = match first {
        _ if first == last => return format(last, DAY),
        _ if first.year() != last.year() => DAY,
        _ if first.month() != last.month() => DAY_OF_MONTH,
        _ => DAY_ALONE,
    };
    format!("{} – {}", format(first, begin), format(last, DAY))
}

fn format(day: Date, format: &[BorrowedFormatItem<'_>]) -> String {
    day.format(format).unwrap_or_else(|_| unreachable!("every day has the format's components"))
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn range(from: Date, to: Date) -> DayRange {
        let end = to.next_day().unwrap();
        DayRange { begin: from.midnight().assume_utc(), end: end.midnight().assume_utc() }
    }

    fn check(from: Date, to: Date, count: usize, labels: &[&str]) {
        let range = range(from, to);
        let step = Step::of(range);
        let buckets = buckets(range, step, &[]);
        assert_eq!(buckets.len(), count, "{from} to {to}");
        assert_eq!((buckets[0].first, buckets[count - 1].last), (from, to), "the whole range is shown");
        for (before, after) in buckets.iter().zip(&buckets[1..]) {
            assert_eq!(before.last.next_day(), Some(after.first), "nothing is left out or shown twice");
        }
        let first: Vec<_> = buckets.iter().take(labels.len()).map(|bucket| bucket.label(step)).collect();
        assert_eq!(first, labels);
    }

    #[test]
    fn a_range_has_so_many_bars_that_they_can_be_read() {
        check(date!(2026 - 01 - 01), date!(2026 - 01 - 01), 1, &["Thu 1 Jan 2026"]);
        check(date!(2026 - 01 - 01), date!(2026 - 03 - 03), 62, &["Thu 1 Jan 2026", "Fri 2 Jan 2026"]);
        check(
            date!(2026 - 01 - 01),
            date!(2026 - 03 - 04),
            10,
            &[
                "1 – 4 Jan 2026",
                "5 – 11 Jan 2026",
                "12 – 18 Jan 2026",
                "19 – 25 Jan 2026",
                "26 Jan – 1 Feb 2026",
            ],
        );
        check(date!(2025 - 12 - 29), date!(2026 - 12 - 31), 53, &["29 Dec 2025 – 4 Jan 2026"]);
        check(date!(2024 - 02 - 10), date!(2026 - 01 - 31), 24, &["10 – 29 Feb 2024", "March 2024"]);
        check(date!(2016 - 01 - 01), date!(2025 - 12 - 31), 120, &["January 2016"]);
    }

    #[test]
    fn each_day_is_in_one_bar() {
        let day = |orders| Sales { orders, cancelled: 1, revenue_cents: orders * 100 };
        let range = range(date!(2026 - 01 - 01), date!(2026 - 01 - 12));
        let days = [
            (date!(2025 - 12 - 31), day(64)),
            (date!(2026 - 01 - 01), day(1)),
            (date!(2026 - 01 - 04), day(2)),
            (date!(2026 - 01 - 05), day(4)),
            (date!(2026 - 01 - 12), day(8)),
            (date!(2026 - 01 - 13), day(32)),
        ];
        let orders: Vec<_> =
            buckets(range, Step::Week, &days).iter().map(|bucket| bucket.sales.orders).collect();
        assert_eq!(orders, [3, 4, 8]);
        let total = buckets(range, Step::Month, &days)[0].sales;
        assert_eq!(total, Sales { orders: 15, cancelled: 4, revenue_cents: 1_500 });
        assert_eq!((total.average_cents(), Sales::default().average_cents()), (Some(100), None));
    }

    #[test]
    fn days_are_told_in_words() {
        for (first, last, expected) in [
            (date!(2026 - 01 - 05), date!(2026 - 01 - 05), "5 Jan 2026"),
            (date!(2026 - 01 - 05), date!(2026 - 01 - 11), "5 – 11 Jan 2026"),
            (date!(2026 - 01 - 05), date!(2026 - 02 - 01), "5 Jan – 1 Feb 2026"),
            (date!(2025 - 12 - 29), date!(2026 - 01 - 04), "29 Dec 2025 – 4 Jan 2026"),
        ] {
            assert_eq!(span(first, last), expected);
        }
    }
}
