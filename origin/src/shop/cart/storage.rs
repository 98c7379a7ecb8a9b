//! Every SQL statement over carts but those of an order.

use tokio_postgres::Row;

use crate::db::{Connection, DbError, HotStatement, Params, Transaction};
use crate::shop::products::ProductRow;

/// A line of a cart.
pub(super) struct Line {
    pub(super) product: ProductRow,
    pub(super) quantity: i32,
}

impl Line {
    fn read(rows: &[Row]) -> Result<Vec<Self>, tokio_postgres::Error> {
        let read = |row| Ok(Self { product: ProductRow::read(row)?, quantity: row.try_get("quantity")? });
        rows.iter().map(read).collect()
    }
}

const LINES: &str = "
    SELECT p.id, p.name, p.category, p.price_cents, p.stock, p.description, p.updated_at, p.picture, c.quantity
    FROM cart_items AS c JOIN products AS p ON p.id = c.product_id
    WHERE c.user_id = $1 ORDER BY c.added_at, p.id";

/// What is in a user's cart.
pub(super) async fn lines(connection: &Connection, user: i64) -> Result<Vec<Line>, DbError> {
    let rows = connection.query(LINES, &[&user]).await?;
    Line::read(&rows).map_err(|error| connection.failed(error))
}

/// The same, within a transaction that changes it.
pub(super) async fn lines_now(transaction: &Transaction, user: i64) -> Result<Vec<Line>, DbError> {
    let rows = transaction.query(LINES, &[&user]).await?;
    Line::read(&rows).map_err(|error| transaction.failed(error))
}

const LOCK: &str = "SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE";

/// Has others who change this cart wait, so that nobody overlooks what they put in.
pub(super) async fn lock(transaction: &Transaction, user: i64) -> Result<(), DbError> {
    transaction.query_opt(LOCK, &[&user]).await.map(drop)
}

/// Nothing is put in where there is no such product, nor while it is being deleted.
const PUT: &str = "
    INSERT INTO cart_items (user_id, product_id, quantity)
    SELECT $1, id, $3 FROM products WHERE id = $2 FOR KEY SHARE
    ON CONFLICT (user_id, product_id) DO UPDATE SET quantity = excluded.quantity";

/// Has so many of a product in the cart; `false` if there is no such product.
pub(super) async fn put(
    transaction: &Transaction,
    user: i64,
    product: i64,
    quantity: i32,
) -> Result<bool, DbError> {
    let params: Params<'_> = &[&user, &product, &quantity];
    Ok(transaction.execute(PUT, params).await? == 1)
}

const REMOVE: &str = "DELETE FROM cart_items WHERE user_id = $1 AND product_id = $2";

/// Takes a product out of the cart.
pub(super) async fn remove(transaction: &Transaction, user: i64, product: i64) -> Result<(), DbError> {
    transaction.execute(REMOVE, &[&user, &product]).await.map(drop)
}

/// In the order in which an order locks them.
const CLEAR: &str = "
    WITH lines AS (
        SELECT user_id, product_id FROM cart_items WHERE user_id = $1 ORDER BY product_id FOR UPDATE
    )
    DELETE FROM cart_items AS c USING lines
    WHERE c.user_id = lines.user_id AND c.product_id = lines.product_id";

/// Empties the cart.
pub(super) async fn clear(transaction: &Transaction, user: i64) -> Result<(), DbError> {
    transaction.execute(CLEAR, &[&user]).await.map(drop)
}

/// What requests run.
pub(in crate::shop) fn hot_statements() -> Vec<HotStatement> {
    vec![
        HotStatement::new("what is in a cart", LINES, &["42"]),
        HotStatement::new("lock a cart", LOCK, &["42"]),
        HotStatement::new("put into a cart", PUT, &["42", "4711", "1"]),
        HotStatement::new("take out of a cart", REMOVE, &["42", "4711"]),
        HotStatement::new("empty a cart", CLEAR, &["42"]),
    ]
}
