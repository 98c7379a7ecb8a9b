//! Every SQL statement over products.

use tidewall_api::product::{Product, ProductInput, ProductSort};
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::list::ListQuery;
use crate::db::{Connection, DbError, HotStatement, Params, Transaction};
use crate::shop::images::Pictures;
use crate::timestamp::rfc3339;

/// A product as it is stored.
pub(in crate::shop) struct ProductRow {
    pub(super) id: i64,
    pub(super) category: String,
    name: String,
    price_cents: i64,
    stock: i32,
    description: String,
    updated_at: OffsetDateTime,
    /// One of its own.
    picture: Option<String>,
}

impl ProductRow {
    pub(in crate::shop) fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            category: row.try_get("category")?,
            name: row.try_get("name")?,
            price_cents: row.try_get("price_cents")?,
            stock: row.try_get("stock")?,
            description: row.try_get("description")?,
            updated_at: row.try_get("updated_at")?,
            picture: row.try_get("picture")?,
        })
    }

    /// As readers see it.
    pub(in crate::shop) fn view(self, pictures: &Pictures) -> Product {
        Product {
            image: match &self.picture {
                Some(own) => crate::shop::pictures::path(own),
                None => pictures.path(self.id).to_owned(),
            },
            id: self.id,
            name: self.name,
            category: self.category,
            price_cents: self.price_cents,
            stock: self.stock,
            description: self.description,
            updated_at: rfc3339(self.updated_at),
        }
    }
}

const FIND: &str = "
    SELECT id, name, category, price_cents, stock, description, updated_at, picture FROM products WHERE id = $1";

/// The product with this id.
pub(super) async fn find(connection: &Connection, id: i64) -> Result<Option<ProductRow>, DbError> {
    let row = connection.query_opt(FIND, &[&id]).await?;
    row.map(|row| ProductRow::read(&row)).transpose().map_err(|error| connection.failed(error))
}

/// One page and the number of products on all pages. One statement, so both come
/// from one snapshot; a page past the end is one row without a product.
pub(super) async fn list(
    connection: &Connection,
    query: &ListQuery,
) -> Result<(Vec<ProductRow>, i64), DbError> {
    let pattern = query.search.as_deref().map(contains_pattern);
    let (limit, offset) = (i64::from(query.per_page), query.offset());
    let sql = list_sql(query.category.is_some(), pattern.is_some(), query.sort);
    let mut params: Vec<&(dyn ToSql + Sync)> = Vec::new();
    if let Some(category) = &query.category {
        params.push(category);
    }
    if let Some(pattern) = &pattern {
        params.push(pattern);
    }
    params.push(&limit);
    params.push(&offset);
    let rows = connection.query(&sql, &params).await?;
    let read = || {
        let total = rows.first().map_or(Ok(0), |row| row.try_get("total"))?;
        let products = rows
            .iter()
            .filter_map(|row| match row.try_get::<_, Option<i64>>("id") {
                Ok(Some(_)) => Some(ProductRow::read(row)),
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            })
            .collect::<Result<_, _>>()?;
        Ok((products, total))
    };
    read().map_err(|error| connection.failed(error))
}

/// A statement for each combination, so that each gets a plan of its own: the
/// usual `$1 IS NULL OR category = $1` hides the condition from the planner.
fn list_sql(by_category: bool, by_search: bool, sort: ProductSort) -> String {
    let mut conditions = Vec::new();
    if by_category {
        conditions.push("category = $1".to_owned());
    }
    if by_search {
        conditions.push(format!("name ILIKE ${}", conditions.len() + 1));
    }
    let (limit, offset) = (conditions.len() + 1, conditions.len() + 2);
    let filter =
        if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    let order = match sort {
        ProductSort::Id => "id",
        ProductSort::Name => "lower(name), id",
        ProductSort::Price => "price_cents, id",
        ProductSort::PriceDesc => "price_cents DESC, id",
        ProductSort::Newest => "id DESC",
    };
    format!(
        "SELECT total, page.*
         FROM (SELECT count(*) AS total FROM products {filter}) AS counted
         LEFT JOIN (
             SELECT id, name, category, price_cents, stock, description, updated_at, picture
             FROM products {filter} ORDER BY {order} LIMIT ${limit} OFFSET ${offset}
         ) AS page ON true
         ORDER BY {order}"
    )
}

/// An ILIKE pattern for what contains `text` as it stands.
fn contains_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

const INSERT: &str = "
    INSERT INTO products (name, category, price_cents, stock, description) VALUES ($1, $2, $3, $4, $5)
    RETURNING id, name, category, price_cents, stock, description, updated_at, picture";

/// Adds a product.
pub(super) async fn insert(transaction: &Transaction, input: &ProductInput) -> Result<ProductRow, DbError> {
    let ProductInput { name, category, price_cents, stock, description } = input;
    let row = transaction.query_one(INSERT, &[name, category, price_cents, stock, description]).await?;
    ProductRow::read(&row).map_err(|error| transaction.failed(error))
}

const REPLACE: &str = "
    WITH before AS (SELECT id, category FROM products WHERE id = $1 FOR UPDATE)
    UPDATE products AS p
    SET name = $2, category = $3, price_cents = $4, stock = $5, description = $6, updated_at = now()
    FROM before WHERE p.id = before.id
    RETURNING p.id, p.name, p.category, p.price_cents, p.stock, p.description, p.updated_at,
        p.picture, before.category AS left_category";

/// Replaces a product; its new state, and the category it was in.
pub(super) async fn replace(
    transaction: &Transaction,
    id: i64,
    input: &ProductInput,
) -> Result<Option<(ProductRow, String)>, DbError> {
    let ProductInput { name, category, price_cents, stock, description } = input;
    let params: Params<'_> = &[&id, name, category, price_cents, stock, description];
    let row = transaction.query_opt(REPLACE, params).await?;
    let read = |row: Row| Ok((ProductRow::read(&row)?, row.try_get("left_category")?));
    row.map(read).transpose().map_err(|error| transaction.failed(error))
}

const DELETE: &str = "DELETE FROM products WHERE id = $1 RETURNING category";

/// Deletes a product; the category it was in.
pub(super) async fn delete(transaction: &Transaction, id: i64) -> Result<Option<String>, DbError> {
    let row = transaction.query_opt(DELETE, &[&id]).await?;
    row.map(|row| row.try_get(0)).transpose().map_err(|error| transaction.failed(error))
}

/// What requests run.
pub(in crate::shop) fn hot_statements() -> Vec<HotStatement> {
    let mut all = vec![
        HotStatement::new("a product by its id", FIND, &["42"]),
        HotStatement::new("replace a product", REPLACE, &["42", "'n'", "'c'", "1", "1", "''"]),
        HotStatement::new("delete a product", DELETE, &["42"]),
    ];
    for sort in ProductSort::ALL {
        for (by_category, by_search) in [(false, false), (true, false), (false, true), (true, true)] {
            let filters = [(by_category, "'garden'"), (by_search, "'%bench%'"), (true, "24"), (true, "0")];
            let example: Vec<_> =
                filters.iter().filter(|(is_given, _)| *is_given).map(|(_, value)| *value).collect();
            let name = format!(
                "products by {}{}{}",
                sort.as_str(),
                if by_category { ", of a category" } else { "" },
                if by_search { ", by a part of the name" } else { "" }
            );
            all.push(HotStatement::new(name, list_sql(by_category, by_search, sort), &example));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_takes_its_text_as_it_stands() {
        assert_eq!(contains_pattern("chair"), "%chair%");
        assert_eq!(contains_pattern(r"50%_\"), r"%50\%\_\\%");
    }

    #[test]
    fn parameters_are_numbered_in_the_order_they_are_given() {
        for (by_category, by_search, expected) in [
            (false, false, "LIMIT $1 OFFSET $2"),
            (true, false, "WHERE category = $1 ORDER BY id LIMIT $2 OFFSET $3"),
            (false, true, "WHERE name ILIKE $1 ORDER BY id LIMIT $2 OFFSET $3"),
            (true, true, "WHERE category = $1 AND name ILIKE $2 ORDER BY id LIMIT $3 OFFSET $4"),
        ] {
            let sql = list_sql(by_category, by_search, ProductSort::Id);
            assert!(sql.contains(expected), "{sql}");
        }
    }
}
