//! Every SQL statement over the pictures of products.

use crate::db::{Connection, DbError, HotStatement, Params, Transaction};

const EXISTS: &str = "SELECT FROM products WHERE id = $1";

/// Whether there is this product.
pub(super) async fn exists(connection: &Connection, product: i64) -> Result<bool, DbError> {
    Ok(connection.query_opt(EXISTS, &[&product]).await?.is_some())
}

const LOCK: &str =
    "SELECT category, coalesce(picture_job > $2, false) FROM products WHERE id = $1 FOR UPDATE";

const SHOW: &str = "UPDATE products SET picture = $2, picture_job = $3, updated_at = now() WHERE id = $1";

/// What came of showing a picture.
pub(super) enum Shown {
    /// It is shown by a product of this category.
    In(String),
    /// One that was uploaded later is shown already.
    Superseded,
    /// There is no such product any more.
    NoProduct,
}

/// Has a product show the picture that `job` made, unless a later job's is shown.
pub(super) async fn show(
    transaction: &Transaction,
    product: i64,
    picture: &str,
    job: i64,
) -> Result<Shown, DbError> {
    let Some(row) = transaction.query_opt(LOCK, &[&product, &job]).await? else {
        return Ok(Shown::NoProduct);
    };
    let read = || Ok((row.try_get(0)?, row.try_get(1)?));
    let (category, is_superseded): (String, bool) = read().map_err(|error| transaction.failed(error))?;
    if is_superseded {
        return Ok(Shown::Superseded);
    }
    let params: Params<'_> = &[&product, &picture, &job];
    transaction.execute(SHOW, params).await?;
    Ok(Shown::In(category))
}

/// What requests and jobs run.
pub(in crate::shop) fn hot_statements() -> Vec<HotStatement> {
    vec![
        HotStatement::new("whether there is a product", EXISTS, &["42"]),
        HotStatement::new("lock a product for its picture", LOCK, &["42", "1"]),
        HotStatement::new("show a product's picture", SHOW, &["42", "'a.jpeg'", "1"]),
    ]
}
