//! Tidewall's pool, as an origin uses it: a read through the router, which has
//! no replicas here, so it is the pool of the primary.

use tidewall_origin::db::{Db, DbSettings};

use super::product;
use crate::contest::Driven;
use crate::error::Reason;
use crate::load::Client;

pub(super) struct Tidewall {
    db: Db,
}

pub(super) async fn connect(url: &str) -> Result<Driven<Tidewall>, Reason> {
    Ok(Driven::new(Tidewall { db: Db::new(DbSettings::parse(url, &[])?) }))
}

impl Client for Tidewall {
    async fn request(&self, task: u32, turn: u32) -> Result<(), Reason> {
        let id = product::id(task, turn);
        let row = self.db.read(None).await?.query_opt(product::SELECT, &[&id]).await?;
        product::check(row, id)
    }
}
