//! The peer that Tidewall's pool is built on, by itself.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::NoTls;

use super::{CONNECTIONS, product};
use crate::contest::Driven;
use crate::error::Reason;
use crate::load::Client;

pub(super) struct Deadpool {
    pool: Pool,
}

pub(super) async fn connect(url: &str) -> Result<Driven<Deadpool>, Reason> {
    // Its default.
    let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let pool =
        Pool::builder(Manager::from_config(url.parse()?, NoTls, config)).max_size(CONNECTIONS).build()?;
    Ok(Driven::new(Deadpool { pool }))
}

impl Client for Deadpool {
    async fn request(&self, task: u32, turn: u32) -> Result<(), Reason> {
        let id = product::id(task, turn);
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(product::SELECT).await?;
        product::check(client.query_opt(&statement, &[&id]).await?, id)
    }
}
