//! The shop's reads, the more products there are: one product by its id, and the first page of all
//! of them with their number. The statements are the origin's own, through its pool, by one client;
//! the schema is that of its migrations, the rows are generated.
//!
//! Each number of products has a database of its own, so that all are measured in turn.

use std::time::Instant;

use tidewall_api::product::PER_PAGE_DEFAULT;
use tidewall_origin::db::{self, Db, DbSettings};
use tidewall_origin::shop;

use super::{Grows, Point, affordable};
use crate::catalog::Setting;
use crate::contest::order;
use crate::database::Own;
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};

/// How many products, and the database that has them.
const AMOUNTS: [(u32, &str); 4] = [
    (1_000, "bench_scale_thousand"),
    (10_000, "bench_scale_ten_thousand"),
    (100_000, "bench_scale_hundred_thousand"),
    (1_000_000, "bench_scale_million"),
];
/// The first so many, where it is to be quick.
const QUICK: usize = 2;

/// What the statements are called where the origin names them.
const READ: &str = "a product by its id";
const LIST: &str = "products by id";

/// How often each is done in a round.
const READS: u32 = 200;
const LISTS: u32 = 10;

pub(super) async fn run(setting: &Setting, rounds: u32) -> Result<Vec<Measurement>, Reason> {
    let (read, list) = (statement(READ)?, statement(LIST)?);
    let mut shops = Vec::new();
    for (products, database) in affordable(setting, &AMOUNTS, QUICK) {
        progress::tell(format!("scale, making {products} products"));
        shops.push(Shop::create(&setting.primary, database, *products).await?);
    }
    let mut reads = Point::at(shops.iter().map(|shop| shop.products));
    let mut lists = Point::at(shops.iter().map(|shop| shop.products));
    for round in 0..=rounds {
        progress::tell(format!("scale, products: round {round} of {rounds}"));
        for place in order(shops.len(), round) {
            let shop = &shops[place];
            let (read_ms, list_ms) = (shop.read(&read, round).await?, shop.list(&list).await?);
            // The first is to warm up.
            if round > 0 {
                reads[place].rounds.push(read_ms);
                lists[place].rounds.push(list_ms);
            }
        }
    }
    for shop in shops {
        shop.remove().await?;
    }
    let grows = |name, unit| Grows { name, unit, better: Better::Lower, of: "products" };
    Ok(vec![
        grows("scale/products-read", "ms a product, among the most").by(&reads)?,
        grows("scale/products-list", "ms a page with the total, of the most").by(&lists)?,
    ])
}

/// A statement of the origin's, by its name.
fn statement(name: &str) -> Result<String, Reason> {
    let found = shop::hot_statements().into_iter().find(|statement| statement.name == name);
    found
        .map(|statement| statement.sql)
        .ok_or_else(|| Reason::new(&format!("the origin has no statement called `{name}`")))
}

/// A shop with so many products.
struct Shop {
    products: u32,
    own: Own,
    db: Db,
}

impl Shop {
    async fn create(primary: &str, database: &'static str, products: u32) -> Result<Self, Reason> {
        let own = Own::create(primary, database).await?;
        let db = Db::new(DbSettings::parse(&own.url, &[])?);
        db::migrate(&db).await?;
        // Of the sizes that the seed's rows have.
        own.client
            .batch_execute(&format!(
                "INSERT INTO products (name, category, price_cents, stock, description)
                 SELECT (ARRAY['Classic', 'Compact', 'Everyday', 'Modern', 'Pure'])[1 + n % 5] || ' '
                         || (ARRAY['Alder', 'Birch', 'Cedar', 'Dune', 'Elm', 'Fjord', 'Hazel'])[1 + n % 7]
                         || ' Lamp ' || n,
                     'category-' || n % 40, 500 + (hashint4(n) & 2147483647) % 100000, n % 100,
                     repeat('Made to be used every day. ', 5)
                 FROM generate_series(1, {products}) AS n"
            ))
            .await?;
        // By themselves: neither runs in a transaction.
        own.client.batch_execute("VACUUM (ANALYZE)").await?;
        own.client.batch_execute("CHECKPOINT").await?;
        Ok(Self { products, own, db })
    }

    /// Milliseconds that a product takes, the mean of a round.
    async fn read(&self, sql: &str, round: u32) -> Result<f64, Reason> {
        let begun = Instant::now();
        for turn in 0..READS {
            // All over the table, others in each round.
            let id = i64::from((round * READS + turn).wrapping_mul(2_654_435_761) % self.products) + 1;
            let row = self.db.read(None).await?.query_opt(sql, &[&id]).await?;
            row.ok_or_else(|| Reason::new("a product is missing"))?;
        }
        Ok(begun.elapsed().as_secs_f64() * 1_000.0 / f64::from(READS))
    }

    /// Milliseconds that the first page takes, the mean of a round.
    async fn list(&self, sql: &str) -> Result<f64, Reason> {
        let (limit, offset) = (i64::from(PER_PAGE_DEFAULT), 0_i64);
        let begun = Instant::now();
        for _ in 0..LISTS {
            let rows = self.db.read(None).await?.query(sql, &[&limit, &offset]).await?;
            let total = rows.first().map(|row| row.try_get::<_, i64>("total")).transpose()?;
            if total != Some(i64::from(self.products)) {
                return Err(Reason::new("a page has another total than there are products"));
            }
        }
        Ok(begun.elapsed().as_secs_f64() * 1_000.0 / f64::from(LISTS))
    }

    async fn remove(self) -> Result<(), Reason> {
        drop(self.db);
        self.own.remove().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_has_the_statements() {
        assert!(statement(READ).unwrap().contains("WHERE id = $1"));
        let list = statement(LIST).unwrap();
        assert!(list.contains("count(*)") && list.contains("LIMIT $1 OFFSET $2"), "{list}");
        assert!(statement("products by smell").is_err());
    }
}
