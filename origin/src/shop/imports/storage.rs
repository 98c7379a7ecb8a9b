//! Every SQL statement of imports.

use tidewall_api::product::ProductInput;
use tokio_postgres::Row;

use crate::db::{DbError, HotStatement, Params, Transaction};

/// A second attempt waits here while the first one's transaction is open.
const INSERT: &str = "
    INSERT INTO products (name, category, price_cents, stock, description)
    SELECT name, category, price_cents, stock, description
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::text[])
        WITH ORDINALITY AS added (name, category, price_cents, stock, description, position)
    ORDER BY position
    RETURNING id";

/// Adds products; their ids, in the same order.
pub(super) async fn insert(
    transaction: &Transaction,
    products: &[ProductInput],
) -> Result<Vec<i64>, DbError> {
    let names: Vec<_> = products.iter().map(|product| product.name.as_str()).collect();
    let categories: Vec<_> = products.iter().map(|product| product.category.as_str()).collect();
    let prices: Vec<_> = products.iter().map(|product| product.price_cents).collect();
    let stocks: Vec<_> = products.iter().map(|product| product.stock).collect();
    let descriptions: Vec<_> = products.iter().map(|product| product.description.as_str()).collect();
    let params: Params<'_> = &[&names, &categories, &prices, &stocks, &descriptions];
    let rows = transaction.query(INSERT, params).await?;
    let ids = rows.iter().map(|row: &Row| row.try_get(0)).collect::<Result<_, _>>();
    ids.map_err(|error| transaction.failed(error))
}

/// What jobs run.
pub(in crate::shop) fn hot_statements() -> Vec<HotStatement> {
    let one: &[&str] = &["ARRAY['n']", "ARRAY['c']", "ARRAY[1::bigint]", "ARRAY[1]", "ARRAY['']"];
    vec![HotStatement::new("add imported products", INSERT, one)]
}
