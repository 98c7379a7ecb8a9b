//! A shop's worth of rows, for demonstrations and measurements.
//!
//! - `catalog`, `people`: the words. `rows`: rows made of them. All pure.
//! - `copy`: rows as PostgreSQL takes them fastest; `bulk`: tables made ready for many.
//!
//! All of it is one transaction: a seed that is killed leaves nothing, and is
//! done again from the beginning.

mod bulk;
mod catalog;
mod copy;
mod people;
mod rows;

use std::pin::pin;
use std::time::Instant;

use bytes::Bytes;
use clap::Args;
use futures::SinkExt as _;
use tokio::sync::mpsc;
use tokio_postgres::CopyInSink;

use crate::db::{Db, DbError, Transaction};
use copy::Rows;
use rows::{PRODUCTS, SeedOrder, SeedProduct};

/// What to seed.
#[derive(Clone, Debug, Args)]
pub struct SeedArgs {
    /// How many orders to make, beside 10,000 products and 20,000 users
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=ORDERS_MAX))]
    pub orders: u32,
    /// The address of the account for those who work here, which is made, or given this
    /// password, where STAFF_PASSWORD holds one
    #[arg(long, value_name = "ADDRESS", default_value = "staff@example.com")]
    pub staff_email: String,
}

/// A hundred times the largest measurement; more is a typing error.
const ORDERS_MAX: i64 = 100_000_000;
/// Orders made and sent at a time: some megabytes.
const ORDERS_PER_PART: u32 = 20_000;
/// How often progress is told.
const ORDERS_PER_LINE: u32 = 100_000;
/// Held while seeding, so that of two seeds the second finds the first one's rows.
/// An arbitrary number.
const ADVISORY_LOCK: i64 = 0x7469_6465_7365_6564;
/// Tables whose indexes and foreign keys are put back after loading.
const BULK_TABLES: [&str; 2] = ["orders", "order_items"];

const COPY_PRODUCTS: &str = "COPY products (id, name, category, price_cents, stock, description, updated_at)
    FROM STDIN WITH (FORMAT binary)";
const COPY_USERS: &str = "COPY users (id, email, name, created_at) FROM STDIN WITH (FORMAT binary)";
const COPY_ORDERS: &str =
    "COPY orders (id, user_id, status, total_cents, created_at) FROM STDIN WITH (FORMAT binary)";
const COPY_ITEMS: &str = "COPY order_items (order_id, line, product_id, name, price_cents, quantity)
    FROM STDIN WITH (FORMAT binary)";
/// Rows with ids of their own don't move the sequences that give the next ones.
const MOVE_SEQUENCES: &str = "
    SELECT setval(pg_get_serial_sequence('products', 'id'), (SELECT max(id) FROM products)),
           setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users)),
           setval(pg_get_serial_sequence('orders', 'id'), greatest((SELECT max(id) FROM orders), 1),
               EXISTS (SELECT FROM orders))";

/// Why the demo's rows could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// There are no tables yet.
    #[error("the database has no tables yet; run `tidewall-origin migrate` first")]
    NotMigrated,
    /// The database gave no answer.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The rows could not be made.
    #[error("the rows could not be made")]
    Make(#[from] tokio::task::JoinError),
}

/// Fills the shop. Does nothing if there is anything in it already.
pub async fn seed(db: &Db, args: &SeedArgs) -> Result<(), SeedError> {
    let begun = Instant::now();
    let migrated = "SELECT to_regclass('order_items') IS NOT NULL";
    if !db.writer().await?.query_one(migrated, &[]).await?.get::<_, bool>(0) {
        return Err(SeedError::NotMigrated);
    }
    if !db.write(async |transaction| fill(transaction, args, begun).await).await?.value {
        tracing::info!("the shop already has rows; nothing was done");
        return Ok(());
    }
    // Counts and lists are read from the indexes alone where the rows are known to
    // be visible to all, which only this finds out; it runs in no transaction.
    db.writer().await?.batch("VACUUM (ANALYZE) products, users, orders, order_items").await?;
    tracing::info!(orders = args.orders, elapsed_ms = elapsed_ms(begun), "seeded");
    Ok(())
}

/// Fills the shop, unless there is anything in it: `false`.
async fn fill(transaction: &Transaction, args: &SeedArgs, begun: Instant) -> Result<bool, SeedError> {
    transaction.query_one("SELECT pg_advisory_xact_lock($1)", &[&ADVISORY_LOCK]).await?;
    let filled = "SELECT EXISTS (SELECT FROM products) OR EXISTS (SELECT FROM users)";
    if transaction.query_one(filled, &[]).await?.get(0) {
        return Ok(false);
    }
    let products = rows::products();
    copy_all(transaction, COPY_PRODUCTS, products_copy(&products)).await?;
    copy_all(transaction, COPY_USERS, users_copy()).await?;
    tracing::info!(products = products.len(), users = rows::USERS, "copied");
    let taken_off = bulk::take_off(transaction, &BULK_TABLES).await?;
    copy_orders(transaction, products, args.orders, begun).await?;
    tracing::info!(elapsed_ms = elapsed_ms(begun), "building indexes and checking references");
    taken_off.put_back(transaction).await?;
    transaction.query_one(MOVE_SEQUENCES, &[]).await?;
    Ok(true)
}

fn elapsed_ms(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn products_copy(products: &[SeedProduct]) -> Bytes {
    let mut rows = Rows::new();
    for product in products {
        rows.row(7)
            .int8(product.id)
            .text(&product.name)
            .text(product.category)
            .int8(product.price_cents)
            .int4(product.stock)
            .text(&product.description)
            .timestamptz(product.updated_at);
    }
    rows.end()
}

fn users_copy() -> Bytes {
    let mut rows = Rows::new();
    for user in rows::users() {
        rows.row(4).int8(user.id).text(&user.email).text(&user.name).timestamptz(user.created_at);
    }
    rows.end()
}

/// Some orders and their items, as two streams.
struct OrdersPart {
    orders: Bytes,
    items: Bytes,
    /// Orders up to here are in this part or an earlier one.
    until: u32,
}

/// Makes orders on one core while the server takes in the ones before on another.
async fn copy_orders(
    transaction: &Transaction,
    products: Vec<SeedProduct>,
    orders: u32,
    begun: Instant,
) -> Result<(), SeedError> {
    let (sender, mut parts) = mpsc::channel(2);
    let maker = tokio::task::spawn_blocking(move || {
        for from in (0..orders).step_by(ORDERS_PER_PART as usize) {
            let until = orders.min(from + ORDERS_PER_PART);
            // Nobody takes them any more if the copying has failed.
            if sender.blocking_send(orders_part(&products, from, until, orders)).is_err() {
                break;
            }
        }
    });
    while let Some(OrdersPart { orders: order_rows, items, until }) = parts.recv().await {
        copy_all(transaction, COPY_ORDERS, order_rows).await?;
        copy_all(transaction, COPY_ITEMS, items).await?;
        if until.is_multiple_of(ORDERS_PER_LINE) || until == orders {
            tracing::info!(orders = until, of = orders, elapsed_ms = elapsed_ms(begun), "copied");
        }
    }
    Ok(maker.await?)
}

fn orders_part(products: &[SeedProduct], from: u32, until: u32, of: u32) -> OrdersPart {
    let mut orders = Rows::new();
    let mut items = Rows::new();
    for index in from..until {
        let order = rows::order(index, of, PRODUCTS);
        let total_cents = push_items(&mut items, &order, products);
        orders
            .row(5)
            .int8(order.id)
            .int8(order.user_id)
            .text(order.status)
            .int8(total_cents)
            .timestamptz(order.created_at);
    }
    OrdersPart { orders: orders.end(), items: items.end(), until }
}

/// Adds an order's items; what they cost together.
fn push_items(items: &mut Rows, order: &SeedOrder, products: &[SeedProduct]) -> i64 {
    let mut total_cents = 0;
    for (line, item) in (1..).zip(&order.items) {
        let product = &products[item.product];
        total_cents += product.price_cents * i64::from(item.quantity);
        items
            .row(6)
            .int8(order.id)
            .int4(line)
            .int8(product.id)
            .text(&product.name)
            .int8(product.price_cents)
            .int4(item.quantity);
    }
    total_cents
}

async fn copy_all(transaction: &Transaction, sql: &str, rows: Bytes) -> Result<(), DbError> {
    let sink: CopyInSink<Bytes> = transaction.copy_in(sql).await?;
    let mut sink = pin!(sink);
    sink.send(rows).await.map_err(|error| transaction.failed(error))?;
    sink.finish().await.map_err(|error| transaction.failed(error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_costs_what_its_items_cost_which_is_never_nothing() {
        let products = rows::products();
        for index in 0..10_000 {
            let order = rows::order(index, 10_000, PRODUCTS);
            let total_cents = push_items(&mut Rows::new(), &order, &products);
            let dearest = order.items.iter().map(|item| products[item.product].price_cents).max();
            assert!(total_cents > 0 && Some(total_cents) >= dearest, "order {index} costs {total_cents}");
        }
    }
}
