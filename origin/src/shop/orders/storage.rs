//! Every SQL statement over orders.

use std::collections::HashMap;

use tidewall_api::order::{Order, OrderItem, OrderStatus};
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::checkout::CartLine;
use crate::db::{Connection, DbError, HotStatement, Params, Transaction};
use crate::timestamp::rfc3339;

/// The lines and their products, locked until the order is placed: products in the order of
/// their ids, so that two orders of the same ones don't wait for each other; and after them the
/// lines, as when a product is deleted, so that of two orders of the same cart the second finds
/// it empty.
const LOCK_CART: &str = "
    SELECT p.id, p.name, p.category, p.price_cents, p.stock, c.quantity
    FROM cart_items AS c JOIN products AS p ON p.id = c.product_id
    WHERE c.user_id = $1 ORDER BY p.id FOR NO KEY UPDATE OF p FOR UPDATE OF c";

/// What is in a user's cart. Nobody changes it, or its products, until the transaction ends.
pub(super) async fn lock_cart(transaction: &Transaction, user: i64) -> Result<Vec<CartLine>, DbError> {
    let rows = transaction.query(LOCK_CART, &[&user]).await?;
    let read = |row: &Row| {
        Ok(CartLine {
            product: row.try_get("id")?,
            name: row.try_get("name")?,
            category: row.try_get("category")?,
            price_cents: row.try_get("price_cents")?,
            stock: row.try_get("stock")?,
            quantity: row.try_get("quantity")?,
        })
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| transaction.failed(error))
}

const INSERT: &str = "
    INSERT INTO orders (user_id, status, total_cents) VALUES ($1, 'placed', $2)
    RETURNING id, status, total_cents, created_at";

const INSERT_ITEMS: &str = "
    INSERT INTO order_items (order_id, line, product_id, name, price_cents, quantity)
    SELECT $1, line, product_id, name, price_cents, quantity
    FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::integer[]) WITH ORDINALITY
        AS ordered (product_id, name, price_cents, quantity, line)";

/// Writes an order down.
pub(super) async fn insert(
    transaction: &Transaction,
    user: i64,
    total_cents: i64,
    cart: &[CartLine],
) -> Result<Order, DbError> {
    let row = transaction.query_one(INSERT, &[&user, &total_cents]).await?;
    let mut order = order(&row).map_err(|error| transaction.failed(error))?;
    let products: Vec<i64> = cart.iter().map(|line| line.product).collect();
    let names: Vec<&str> = cart.iter().map(|line| line.name.as_str()).collect();
    let prices: Vec<i64> = cart.iter().map(|line| line.price_cents).collect();
    let quantities: Vec<i32> = cart.iter().map(|line| line.quantity).collect();
    let params: Params<'_> = &[&order.id, &products, &names, &prices, &quantities];
    transaction.execute(INSERT_ITEMS, params).await?;
    order.items = cart
        .iter()
        .map(|line| OrderItem {
            product_id: Some(line.product),
            name: line.name.clone(),
            price_cents: line.price_cents,
            quantity: line.quantity,
        })
        .collect();
    Ok(order)
}

const TAKE: &str = "
    UPDATE products AS p SET stock = p.stock - ordered.quantity, updated_at = now()
    FROM unnest($1::bigint[], $2::integer[]) AS ordered (id, quantity) WHERE p.id = ordered.id";

const EMPTY: &str = "DELETE FROM cart_items WHERE user_id = $1 AND product_id = ANY($2)";

/// Takes what was ordered out of the stock, and out of the cart.
pub(super) async fn take(transaction: &Transaction, user: i64, cart: &[CartLine]) -> Result<(), DbError> {
    let products: Vec<i64> = cart.iter().map(|line| line.product).collect();
    let quantities: Vec<i32> = cart.iter().map(|line| line.quantity).collect();
    transaction.execute(TAKE, &[&products, &quantities]).await?;
    transaction.execute(EMPTY, &[&user, &products]).await.map(drop)
}

const LIST: &str = "
    SELECT total, page.*
    FROM (SELECT count(*) AS total FROM orders WHERE user_id = $1) AS counted
    LEFT JOIN (
        SELECT id, status, total_cents, created_at FROM orders
        WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3
    ) AS page ON true
    ORDER BY created_at DESC, id DESC";

/// A page of a user's orders, the newest first, and the number on all pages. One statement,
/// so both come from one snapshot; a page past the end is one row without an order.
pub(super) async fn list(
    connection: &Connection,
    user: i64,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Order>, i64), DbError> {
    let rows = connection.query(LIST, &[&user, &limit, &offset]).await?;
    let read = || {
        let total = rows.first().map_or(Ok(0), |row| row.try_get("total"))?;
        let there = |row: &&Row| !matches!(row.try_get::<_, Option<i64>>("id"), Ok(None));
        let orders = rows.iter().filter(there).map(order).collect::<Result<Vec<_>, _>>()?;
        Ok((orders, total))
    };
    let (mut orders, total): (_, i64) = read().map_err(|error| connection.failed(error))?;
    add_items(connection, &mut orders).await?;
    Ok((orders, total))
}

const FIND: &str = "
    SELECT id, status, total_cents, created_at FROM orders WHERE id = $1 AND user_id = $2";

/// An order of this user.
pub(super) async fn find(connection: &Connection, user: i64, id: i64) -> Result<Option<Order>, DbError> {
    let row = connection.query_opt(FIND, &[&id, &user]).await?;
    let found = row.map(|row| order(&row)).transpose().map_err(|error| connection.failed(error))?;
    let mut orders: Vec<Order> = found.into_iter().collect();
    add_items(connection, &mut orders).await?;
    Ok(orders.pop())
}

const ITEMS: &str = "
    SELECT order_id, product_id, name, price_cents, quantity FROM order_items
    WHERE order_id = ANY($1) ORDER BY order_id, line";

/// Adds to orders what was ordered, which doesn't change after they were placed.
async fn add_items(connection: &Connection, orders: &mut [Order]) -> Result<(), DbError> {
    if orders.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = orders.iter().map(|order| order.id).collect();
    let rows = connection.query(ITEMS, &[&ids]).await?;
    let mut items: HashMap<i64, Vec<OrderItem>> = HashMap::new();
    for row in &rows {
        let read = || {
            let item = OrderItem {
                product_id: row.try_get("product_id")?,
                name: row.try_get("name")?,
                price_cents: row.try_get("price_cents")?,
                quantity: row.try_get("quantity")?,
            };
            Ok((row.try_get("order_id")?, item))
        };
        let (order, item): (i64, OrderItem) = read().map_err(|error| connection.failed(error))?;
        items.entry(order).or_default().push(item);
    }
    for order in orders {
        order.items = items.remove(&order.id).unwrap_or_default();
    }
    Ok(())
}

/// An order, as yet without its items.
fn order(row: &Row) -> Result<Order, tokio_postgres::Error> {
    Ok(Order {
        id: row.try_get("id")?,
        // The table's check has no others.
        status: OrderStatus::parse(row.try_get("status")?).unwrap_or(OrderStatus::Placed),
        items: Vec::new(),
        total_cents: row.try_get("total_cents")?,
        created_at: rfc3339(row.try_get::<_, OffsetDateTime>("created_at")?),
    })
}

/// What requests run.
pub(in crate::shop) fn hot_statements() -> Vec<HotStatement> {
    let ids = "ARRAY[4711, 4712]::bigint[]";
    vec![
        HotStatement::new("lock a cart and its products", LOCK_CART, &["42"]),
        HotStatement::new("take from the stock", TAKE, &[ids, "ARRAY[1, 1]"]),
        HotStatement::new("take out of a cart what was ordered", EMPTY, &["42", ids]),
        HotStatement::new("a user's newest orders", LIST, &["4711", "24", "0"]),
        HotStatement::new("an order of a user", FIND, &["4711", "42"]),
        HotStatement::new("what was ordered", ITEMS, &[ids]),
    ]
}
