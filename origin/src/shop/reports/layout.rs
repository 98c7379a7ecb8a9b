//! A report's pages: what stands where. Numbers in, drawing instructions out.

use tidewall_api::format::{count, price};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::axis;
use super::buckets::{Bucket, Sales, Step, buckets, span};
use super::page::{Align, HEIGHT, Ink, Mark, Page, Rect, Text, WIDTH, Weight};
use super::range::DayRange;

/// Most orders that are listed, some twenty pages. Who wants all wants to calculate with them.
pub(super) const ORDERS_MAX: usize = 1_000;

const LEFT: f32 = 48.0;
const RIGHT: f32 = WIDTH - 48.0;
const TOP: f32 = 64.0;
/// No row is below it.
const BOTTOM: f32 = HEIGHT - 64.0;
const FOOTER: f32 = HEIGHT - 36.0;

const ROW: f32 = 15.0;
/// From a row's top to its baseline.
const BASELINE: f32 = 10.5;
const SIZE: f32 = 8.0;
/// Between two columns.
const GAP: f32 = 8.0;

/// A chart's room for the amounts beside it, and its height.
const GUTTER: f32 = 56.0;
const CHART: f32 = 150.0;
/// Most labels below a chart that don't touch.
const LABELS_MAX: usize = 10;
/// Widest bar: a single one is no wall.
const BAR_MAX: f32 = 36.0;

const MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");

/// What a report tells.
pub(super) struct Contents {
    /// What it is about.
    pub(super) title: &'static str,
    pub(super) range: DayRange,
    /// When its numbers were read.
    pub(super) made_at: OffsetDateTime,
    /// What was ordered on each day that has orders.
    pub(super) days: Vec<(Date, Sales)>,
    /// The first orders, at most [`ORDERS_MAX`].
    pub(super) orders: Vec<Order>,
}

/// One order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: i64,
    pub(super) created_at: OffsetDateTime,
    pub(super) status: String,
    pub(super) customer: String,
    pub(super) email: String,
    pub(super) total_cents: i64,
}

/// A column: what it is called, how wide it is, and on which side it is aligned.
struct Column {
    name: &'static str,
    width: f32,
    align: Align,
}

const fn column(name: &'static str, width: f32, align: Align) -> Column {
    Column { name, width, align }
}

/// Widths of a table come to that of the page.
const PERIODS: [Column; 5] = [
    column("Period", 179.28, Align::Left),
    column("Orders", 70.0, Align::Right),
    column("Cancelled", 70.0, Align::Right),
    column("Average order", 80.0, Align::Right),
    column("Revenue", 100.0, Align::Right),
];
const ORDERS: [Column; 6] = [
    column("Order", 46.0, Align::Left),
    column("Placed (UTC)", 84.0, Align::Left),
    column("Status", 54.0, Align::Left),
    column("Customer", 116.0, Align::Left),
    column("E-mail", 133.28, Align::Left),
    column("Total", 66.0, Align::Right),
];

/// The pages of a report.
pub(super) fn pages(contents: &Contents) -> Vec<Page> {
    let step = Step::of(contents.range);
    let buckets = buckets(contents.range, step, &contents.days);
    let total = buckets.iter().fold(Sales::default(), |sum, bucket| sum.and(bucket.sales));
    let mut sheet = Sheet { done: Vec::new(), page: Page::default(), y: TOP };
    head(&mut sheet, contents, total);
    chart(&mut sheet, step, &buckets);
    periods(&mut sheet, step, &buckets, total);
    orders(&mut sheet, &contents.orders, total);
    sheet.finish(contents)
}

fn head(sheet: &mut Sheet, contents: &Contents, total: Sales) {
    let Contents { title, range, made_at, .. } = contents;
    sheet.y += 12.0;
    sheet.text(LEFT, 22.0, Weight::Bold, Ink::Text, Align::Left, *title);
    sheet.y += 20.0;
    sheet.text(LEFT, 10.5, Weight::Regular, Ink::Text, Align::Left, days(*range));
    let made = format!("Made {} UTC", minute(*made_at));
    sheet.text(RIGHT, SIZE, Weight::Regular, Ink::Label, Align::Right, made);
    sheet.y += 14.0;
    sheet.rule(LEFT, Ink::Line);
    sheet.y += 22.0;
    let average = total.average_cents().map_or_else(|| "–".to_owned(), price);
    let figures = [
        ("Revenue", price(total.revenue_cents)),
        ("Orders", count(total.orders.unsigned_abs())),
        ("Average order", average),
        ("Cancelled", count(total.cancelled.unsigned_abs())),
    ];
    let width = (RIGHT - LEFT) / 4.0;
    let mut x = LEFT;
    for (label, figure) in figures {
        sheet.cell(x, width - GAP, (SIZE, Weight::Regular, Ink::Label), Align::Left, label);
        sheet.y += 19.0;
        sheet.cell(x, width - GAP, (15.0, Weight::Bold, Ink::Text), Align::Left, figure);
        sheet.y -= 19.0;
        x += width;
    }
    sheet.y += 56.0;
}

fn chart(sheet: &mut Sheet, step: Step, buckets: &[Bucket]) {
    let heading = format!("Revenue per {}", step.noun());
    sheet.text(LEFT, 11.0, Weight::Bold, Ink::Text, Align::Left, heading);
    sheet.y += 18.0;
    let highest = buckets.iter().map(|bucket| bucket.sales.revenue_cents).max().unwrap_or(0);
    let ticks = axis::ticks(highest);
    let top = ticks.last().copied().unwrap_or(1).max(1);
    let height = |cents: i64| CHART * (cents.max(0) as f64 / top as f64) as f32;
    let (left, base) = (LEFT + GUTTER, sheet.y + CHART);
    for cents in ticks {
        sheet.y = base - height(cents);
        sheet.rule(left, Ink::Line);
        sheet.y += 2.8;
        // Lines are at whole dollars.
        let amount = price(cents);
        let amount = amount.strip_suffix(".00").unwrap_or(&amount);
        sheet.text(left - GAP, SIZE - 0.5, Weight::Regular, Ink::Label, Align::Right, amount);
    }
    let place = (RIGHT - left) / buckets.len().max(1) as f32;
    let width = (place * 0.72).min(BAR_MAX);
    let every = buckets.len().div_ceil(LABELS_MAX).max(1);
    sheet.y = base + 13.0;
    for (index, bucket) in buckets.iter().enumerate() {
        let middle = left + place * (index as f32 + 0.5);
        let height = height(bucket.sales.revenue_cents);
        if height > 0.0 {
            let (x, y) = (middle - width / 2.0, base - height);
            sheet.page.marks.push(Mark::Rect(Rect { x, y, width, height, ink: Ink::Bar }));
        }
        if index % every == 0 {
            let label = bucket.label_short(step);
            sheet.text(middle, SIZE - 0.5, Weight::Regular, Ink::Label, Align::Centre, label);
        }
    }
    sheet.y = base + 44.0;
}

fn periods(sheet: &mut Sheet, step: Step, buckets: &[Bucket], total: Sales) {
    let row = |label: String, sales: Sales| {
        let average = sales.average_cents().map_or_else(|| "–".to_owned(), price);
        [
            label,
            count(sales.orders.unsigned_abs()),
            count(sales.cancelled.unsigned_abs()),
            average,
            price(sales.revenue_cents),
        ]
    };
    sheet.heading(&format!("By {}", step.noun()), None, &PERIODS);
    for bucket in buckets {
        sheet.row(&PERIODS, Weight::Regular, Ink::Text, row(bucket.label(step), bucket.sales));
    }
    sheet.row(&PERIODS, Weight::Bold, Ink::Text, row("Total".to_owned(), total));
    sheet.y += 34.0;
}

fn orders(sheet: &mut Sheet, orders: &[Order], total: Sales) {
    let all = total.orders.saturating_add(total.cancelled);
    let listed = i64::try_from(orders.len()).unwrap_or(i64::MAX);
    let note = match listed {
        0 => "There are none.".to_owned(),
        _ if listed < all => {
            format!(
                "The first {} of {}. The report as CSV has them all.",
                count(listed.unsigned_abs()),
                count(all.unsigned_abs())
            )
        }
        _ => "What was cancelled is grey, and not in the revenue.".to_owned(),
    };
    sheet.heading("Orders", Some(&note), if orders.is_empty() { &[] } else { &ORDERS });
    for order in orders {
        let ink = if order.status == "cancelled" { Ink::Label } else { Ink::Text };
        let cells = [
            order.id.to_string(),
            minute(order.created_at),
            order.status.clone(),
            order.customer.clone(),
            order.email.clone(),
            price(order.total_cents),
        ];
        sheet.row(&ORDERS, Weight::Regular, ink, cells);
    }
}

fn days(range: DayRange) -> String {
    let end = range.end.date();
    span(range.begin.date(), end.previous_day().unwrap_or(end))
}

fn minute(moment: OffsetDateTime) -> String {
    moment.format(MINUTE).unwrap_or_else(|_| unreachable!("every moment has the format's components"))
}

/// Pages that are filled from the top.
struct Sheet {
    done: Vec<Page>,
    page: Page,
    /// Where the next thing goes.
    y: f32,
}

/// Size, weight and ink.
type Face = (f32, Weight, Ink);

impl Sheet {
    fn text(&mut self, x: f32, size: f32, weight: Weight, ink: Ink, align: Align, text: impl Into<String>) {
        self.cell(x, RIGHT - LEFT, (size, weight, ink), align, text);
    }

    fn cell(&mut self, x: f32, width_max: f32, face: Face, align: Align, text: impl Into<String>) {
        let (size, weight, ink) = face;
        let text = Text { x, y: self.y, width_max, size, weight, ink, align, text: text.into() };
        self.page.marks.push(Mark::Text(text));
    }

    /// A line across the page from `x`.
    fn rule(&mut self, x: f32, ink: Ink) {
        let line = Rect { x, y: self.y, width: RIGHT - x, height: 0.6, ink };
        self.page.marks.push(Mark::Rect(line));
    }

    /// A table's heading and its columns, on the page of its first rows.
    fn heading(&mut self, heading: &str, note: Option<&str>, columns: &[Column]) {
        const HEADING: f32 = 18.0;
        if self.y + HEADING + 4.0 * ROW > BOTTOM {
            self.turn();
        }
        self.y += 4.0;
        self.text(LEFT, 11.0, Weight::Bold, Ink::Text, Align::Left, heading);
        if let Some(note) = note {
            self.text(RIGHT, SIZE, Weight::Regular, Ink::Label, Align::Right, note);
        }
        self.y += HEADING - 4.0;
        self.columns(columns);
    }

    fn columns(&mut self, columns: &[Column]) {
        let names = columns.iter().map(|column| column.name.to_owned());
        self.cells(columns, (SIZE - 0.5, Weight::Regular, Ink::Label), names);
        self.rule(LEFT, Ink::Label);
    }

    /// A row, on a new page with the columns' names where there is no room for it.
    fn row<const N: usize>(&mut self, columns: &[Column; N], weight: Weight, ink: Ink, cells: [String; N]) {
        if self.y + ROW > BOTTOM {
            self.turn();
            self.columns(columns);
        }
        self.cells(columns, (SIZE, weight, ink), cells);
        self.rule(LEFT, Ink::Line);
    }

    fn cells(&mut self, columns: &[Column], face: Face, cells: impl IntoIterator<Item = String>) {
        self.y += BASELINE;
        let mut x = LEFT;
        for (column, cell) in columns.iter().zip(cells) {
            let at = if column.align == Align::Right { x + column.width } else { x };
            self.cell(at, column.width - GAP, face, column.align, cell);
            x += column.width;
        }
        self.y += ROW - BASELINE;
    }

    fn turn(&mut self) {
        self.done.push(std::mem::take(&mut self.page));
        self.y = TOP;
    }

    /// All pages, with their numbers.
    fn finish(mut self, contents: &Contents) -> Vec<Page> {
        self.turn();
        let pages = std::mem::take(&mut self.done);
        let of = pages.len();
        let about = format!("{}, {}", contents.title, days(contents.range));
        let numbered = pages.into_iter().enumerate().map(|(index, page)| {
            (self.page, self.y) = (page, FOOTER);
            let number = format!("Page {} of {of}", index + 1);
            self.text(LEFT, SIZE - 0.5, Weight::Regular, Ink::Label, Align::Left, about.as_str());
            self.text(RIGHT, SIZE - 0.5, Weight::Regular, Ink::Label, Align::Right, number);
            std::mem::take(&mut self.page)
        });
        numbered.collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use time::macros::{date, datetime};

    use super::*;

    fn range(from: Date, to: Date) -> DayRange {
        let end = to.next_day().unwrap();
        DayRange { begin: from.midnight().assume_utc(), end: end.midnight().assume_utc() }
    }

    /// A report of `orders` a day, of which it lists as many as it may.
    pub(in super::super) fn example(from: Date, to: Date, orders: i64) -> Contents {
        let range = range(from, to);
        let mut days = Vec::new();
        let mut day = from;
        while day <= to && orders > 0 {
            let wave = (i64::from(day.ordinal()) * 37) % 61;
            days.push((day, Sales { orders, cancelled: 1, revenue_cents: orders * (4_000 + wave * 100) }));
            day = day.next_day().unwrap();
        }
        let all = days.len() * usize::try_from(orders + 1).unwrap();
        let order = |index: usize| Order {
            id: 1_000 + index as i64,
            created_at: range.begin,
            status: ["placed", "cancelled", "delivered"][index % 3].to_owned(),
            customer: "Ada King".to_owned(),
            email: "ada@example.com".to_owned(),
            total_cents: 1_999 + index as i64,
        };
        let orders = (0..all.min(ORDERS_MAX)).map(order).collect();
        Contents { title: "Orders", range, made_at: datetime!(2026-11-29 09:00 UTC), days, orders }
    }

    fn texts(page: &Page) -> Vec<&str> {
        let marks = page.marks.iter();
        marks
            .filter_map(|mark| match mark {
                Mark::Text(text) => Some(text.text.as_str()),
                Mark::Rect(_) => None,
            })
            .collect()
    }

    fn has(page: &Page, text: &str) -> bool {
        texts(page).contains(&text)
    }

    fn check(contents: &Contents, expected_pages: usize) -> Vec<Page> {
        let pages = pages(contents);
        assert_eq!(pages.len(), expected_pages);
        for (index, page) in pages.iter().enumerate() {
            assert!(has(page, &format!("Page {} of {expected_pages}", index + 1)));
            for mark in &page.marks {
                let (left, right, top, bottom) = match mark {
                    Mark::Rect(Rect { x, y, width, height, .. }) => (*x, x + width, *y, y + height),
                    Mark::Text(Text { x, y, size, .. }) => (*x, *x, y - size, *y),
                };
                let edge = if matches!(mark, Mark::Text(text) if text.y == FOOTER) { FOOTER } else { BOTTOM };
                assert!(
                    left >= LEFT - 0.01 && right <= RIGHT + 0.01 && top >= 36.0 && bottom <= edge + 1.0,
                    "{mark:?} on page {} is outside",
                    index + 1
                );
            }
        }
        pages
    }

    #[test]
    fn a_report_of_nothing_is_one_page_that_says_so() {
        let pages = check(&example(date!(2026 - 01 - 01), date!(2026 - 01 - 07), 0), 1);
        for text in ["Orders", "1 – 7 Jan 2026", "$0.00", "–", "Revenue per day", "There are none."] {
            assert!(has(&pages[0], text), "{text}");
        }
    }

    #[test]
    fn totals_are_of_all_that_was_not_cancelled() {
        let mut contents = example(date!(2026 - 01 - 01), date!(2026 - 01 - 02), 1);
        contents.days = vec![
            (date!(2026 - 01 - 01), Sales { orders: 1_234, cancelled: 2, revenue_cents: 123_400_000 }),
            (date!(2026 - 01 - 02), Sales { orders: 1, cancelled: 0, revenue_cents: 99 }),
        ];
        let pages = check(&contents, 1);
        for text in ["$1,234,000.99", "1,235", "$999.19", "2", "Thu 1 Jan 2026", "$1,234,000.00", "$0.99"] {
            assert!(has(&pages[0], text), "{text}");
        }
    }

    #[test]
    fn bars_are_as_high_as_their_revenue() {
        let mut contents = example(date!(2026 - 01 - 01), date!(2026 - 01 - 03), 1);
        let sales = |revenue_cents| Sales { orders: 1, cancelled: 0, revenue_cents };
        contents.days = vec![(date!(2026 - 01 - 01), sales(20_000)), (date!(2026 - 01 - 03), sales(10_000))];
        let pages = check(&contents, 1);
        let bars: Vec<_> = pages[0]
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Rect(rect) if rect.ink == Ink::Bar => Some(rect),
                _ => None,
            })
            .collect();
        assert_eq!(bars.iter().map(|bar| bar.height).collect::<Vec<_>>(), [CHART, CHART / 2.0]);
        assert!((bars[0].y + bars[0].height - bars[1].y - bars[1].height).abs() < 0.01, "on one line");
    }

    #[test]
    fn of_too_many_orders_the_first_are_listed_and_the_rest_is_pointed_to() {
        let contents = example(date!(2026 - 01 - 01), date!(2026 - 12 - 31), 100);
        assert_eq!(contents.orders.len(), ORDERS_MAX);
        let pages = check(&contents, 24);
        let note = "The first 1,000 of 36,865. The report as CSV has them all.";
        assert!(pages.iter().any(|page| has(page, note)));
        assert!(has(pages.last().unwrap(), "1999"), "the last one that is listed");
    }

    #[test]
    fn each_page_of_a_table_has_its_columns() {
        let pages = check(&example(date!(2026 - 01 - 01), date!(2026 - 03 - 03), 3), 8);
        assert!(has(&pages[0], "Period") && has(&pages[1], "Period") && has(&pages[1], "Total"));
        for page in &pages[2..] {
            assert!(has(page, "Customer"), "{:?}", texts(page));
        }
    }
}
