//! The SQL statement over what was sold.

use tidewall_api::analytics::{CategorySales, DailySales, DaySales};
use tokio_postgres::Row;

use crate::db::{Connection, DbError};

/// The last days that have orders, and their sums. Days without any are none of them, so
/// that a shop which has slept for a year still has a month to show. What was cancelled
/// was not sold.
const DAILY: &str = "
    WITH sold AS MATERIALIZED (
        SELECT id, (created_at AT TIME ZONE 'UTC')::date AS day FROM orders WHERE status <> 'cancelled'
    ), last_days AS (
        SELECT DISTINCT day FROM sold ORDER BY day DESC LIMIT $1
    )
    SELECT to_char(day, 'YYYY-MM-DD') AS day, category, count(DISTINCT sold.id) AS orders,
        sum(quantity)::bigint AS units, sum(quantity * item.price_cents)::bigint AS revenue_cents
    FROM last_days JOIN sold USING (day)
    JOIN order_items AS item ON item.order_id = sold.id
    LEFT JOIN products AS product ON product.id = item.product_id
    GROUP BY day, category
    ORDER BY day DESC, category NULLS LAST";

/// The sales of the last `days` days that have any.
pub(super) async fn daily(connection: &Connection, days: u32) -> Result<DailySales, DbError> {
    let rows = connection.query(DAILY, &[&i64::from(days)]).await?;
    let read = |row: &Row| {
        let sales = CategorySales {
            category: row.try_get("category")?,
            orders: row.try_get("orders")?,
            units: row.try_get("units")?,
            revenue_cents: row.try_get("revenue_cents")?,
        };
        Ok((row.try_get("day")?, sales))
    };
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>();
    Ok(by_day(rows.map_err(|error| connection.failed(error))?))
}

/// Rows of one day follow each other.
fn by_day(rows: Vec<(String, CategorySales)>) -> DailySales {
    let mut days: Vec<DaySales> = Vec::new();
    for (day, sales) in rows {
        match days.last_mut().filter(|last| last.day == day) {
            Some(last) => last.categories.push(sales),
            None => days.push(DaySales { day, categories: vec![sales] }),
        }
    }
    DailySales { days }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_day_are_told_together() {
        let row = |day: &str, category: Option<&str>| {
            let category = category.map(str::to_owned);
            (day.to_owned(), CategorySales { category, orders: 1, units: 2, revenue_cents: 3 })
        };
        let sales = by_day(vec![
            row("2026-01-02", Some("garden")),
            row("2026-01-02", None),
            row("2026-01-01", Some("garden")),
        ]);
        let told: Vec<_> = sales.days.iter().map(|day| (day.day.as_str(), day.categories.len())).collect();
        assert_eq!(told, [("2026-01-02", 2), ("2026-01-01", 1)]);
        assert_eq!(by_day(Vec::new()).days, []);
    }
}
