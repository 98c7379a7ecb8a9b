//! The SQL statements of reports.

use time::Date;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::buckets::Sales;
use super::layout::{ORDERS_MAX, Order};
use super::make::Of;
use super::range::DayRange;
use super::sheet::OrderLine;
use crate::db::{Connection, DbError, HotStatement, ReadConnection, Rows, Transaction};

/// The statements of one report: each of its kinds gets plans of its own.
struct Statements {
    count: &'static str,
    lines: &'static str,
    days: &'static str,
    first: &'static str,
}

/// Of the first orders each customer is looked up alone: joined, all that there are would be read
/// for those of a thousand orders.
const ALL: Statements = Statements {
    count: "SELECT count(*) FROM orders WHERE created_at >= $1 AND created_at < $2",
    lines: "
    SELECT o.id, o.created_at, o.status, u.name, u.email, o.total_cents
    FROM orders AS o JOIN users AS u ON u.id = o.user_id
    WHERE o.created_at >= $1 AND o.created_at < $2
    ORDER BY o.id",
    days: "
    SELECT (created_at AT TIME ZONE 'UTC')::date AS day,
        count(*) FILTER (WHERE status <> 'cancelled') AS orders,
        count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
        coalesce(sum(total_cents) FILTER (WHERE status <> 'cancelled'), 0)::bigint AS revenue_cents
    FROM orders WHERE created_at >= $1 AND created_at < $2
    GROUP BY day ORDER BY day",
    first: "
    SELECT o.id, o.created_at, o.status, u.name, u.email, o.total_cents
    FROM (
        SELECT id, created_at, status, user_id, total_cents FROM orders
        WHERE created_at >= $1 AND created_at < $2 ORDER BY created_at, id LIMIT $3
    ) AS o CROSS JOIN LATERAL (SELECT name, email FROM users WHERE id = o.user_id LIMIT 1) AS u
    ORDER BY o.created_at, o.id",
};

const OF_CUSTOMER: Statements = Statements {
    count: "SELECT count(*) FROM orders WHERE created_at >= $1 AND created_at < $2 AND user_id = $3",
    lines: "
    SELECT o.id, o.created_at, o.status, u.name, u.email, o.total_cents
    FROM orders AS o JOIN users AS u ON u.id = o.user_id
    WHERE o.created_at >= $1 AND o.created_at < $2 AND o.user_id = $3
    ORDER BY o.id",
    days: "
    SELECT (created_at AT TIME ZONE 'UTC')::date AS day,
        count(*) FILTER (WHERE status <> 'cancelled') AS orders,
        count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
        coalesce(sum(total_cents) FILTER (WHERE status <> 'cancelled'), 0)::bigint AS revenue_cents
    FROM orders WHERE created_at >= $1 AND created_at < $2 AND user_id = $3
    GROUP BY day ORDER BY day",
    first: "
    SELECT o.id, o.created_at, o.status, u.name, u.email, o.total_cents
    FROM (
        SELECT id, created_at, status, user_id, total_cents FROM orders
        WHERE created_at >= $1 AND created_at < $2 AND user_id = $4 ORDER BY created_at, id LIMIT $3
    ) AS o CROSS JOIN LATERAL (SELECT name, email FROM users WHERE id = o.user_id LIMIT 1) AS u
    ORDER BY o.created_at, o.id",
};

impl Statements {
    /// Those of a report, and the customer that they are told last.
    fn of(of: &Of) -> (Self, Option<&i64>) {
        match of {
            Of::All => (ALL, None),
            Of::Customer(customer) => (OF_CUSTOMER, Some(customer)),
        }
    }
}

fn params<'a>(first: &[&'a (dyn ToSql + Sync)], customer: Option<&'a i64>) -> Vec<&'a (dyn ToSql + Sync)> {
    let customer = customer.map(|customer| customer as &(dyn ToSql + Sync));
    first.iter().copied().chain(customer).collect()
}

/// How many orders a report has.
pub(super) async fn count(connection: &Connection, range: DayRange, of: &Of) -> Result<u64, DbError> {
    let (statements, customer) = Statements::of(of);
    let row = connection.query_one(statements.count, &params(&[&range.begin, &range.end], customer)).await?;
    let count: i64 = row.try_get(0).map_err(|error| connection.failed(error))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Its orders, one by one.
pub(super) async fn lines(connection: ReadConnection, range: DayRange, of: &Of) -> Result<Rows, DbError> {
    let (statements, customer) = Statements::of(of);
    connection.into_rows(statements.lines, &params(&[&range.begin, &range.end], customer)).await
}

/// What a row of [`lines`] says.
pub(super) fn line(row: &Row) -> OrderLine<'_> {
    OrderLine {
        id: row.get(0),
        created_at: row.get(1),
        status: row.get(2),
        customer: row.get(3),
        email: row.get(4),
        total_cents: row.get(5),
    }
}

/// What was ordered on each day that has orders.
pub(super) async fn days(
    connection: &Connection,
    range: DayRange,
    of: &Of,
) -> Result<Vec<(Date, Sales)>, DbError> {
    let (statements, customer) = Statements::of(of);
    let rows = connection.query(statements.days, &params(&[&range.begin, &range.end], customer)).await?;
    let read = |row: &Row| {
        let sales = Sales {
            orders: row.try_get("orders")?,
            cancelled: row.try_get("cancelled")?,
            revenue_cents: row.try_get("revenue_cents")?,
        };
        Ok((row.try_get("day")?, sales))
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

/// The first orders, as many as a document lists.
pub(super) async fn first(connection: &Connection, range: DayRange, of: &Of) -> Result<Vec<Order>, DbError> {
    let (statements, customer) = Statements::of(of);
    let limit = i64::try_from(ORDERS_MAX).unwrap_or(i64::MAX);
    let params = params(&[&range.begin, &range.end, &limit], customer);
    let rows = connection.query(statements.first, &params).await?;
    let read = |row: &Row| {
        Ok(Order {
            id: row.try_get("id")?,
            created_at: row.try_get("created_at")?,
            status: row.try_get("status")?,
            customer: row.try_get("name")?,
            email: row.try_get("email")?,
            total_cents: row.try_get("total_cents")?,
        })
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

/// What a report of one day runs.
const ADDRESS: &str = "SELECT email FROM users WHERE id = $1";

/// Where a user gets mail.
pub(super) async fn address(transaction: &Transaction, user: i64) -> Result<Option<String>, DbError> {
    let row = transaction.query_opt(ADDRESS, &[&user]).await?;
    row.map(|row| row.try_get(0)).transpose().map_err(|error| transaction.failed(error))
}

pub(in crate::shop) fn hot_statements() -> Vec<HotStatement> {
    let day: &[&str] = &["timestamptz '2026-10-01'", "timestamptz '2026-10-02'"];
    let first_of_day = &[day, &["1000"]].concat();
    let customers: &[&str] = &[day, &["4711"]].concat();
    let customers_first = &[day, &["1000", "4711"]].concat();
    vec![
        HotStatement::new("how many orders a report has", ALL.count, day),
        HotStatement::new("the lines of a report", ALL.lines, day),
        HotStatement::new("the days of a report", ALL.days, day),
        HotStatement::new("the first orders of a report", ALL.first, first_of_day),
        HotStatement::new("how many orders a customer's report has", OF_CUSTOMER.count, customers),
        HotStatement::new("the lines of a customer's report", OF_CUSTOMER.lines, customers),
        HotStatement::new("the days of a customer's report", OF_CUSTOMER.days, customers),
        HotStatement::new("the first orders of a customer's report", OF_CUSTOMER.first, customers_first),
    ]
}
