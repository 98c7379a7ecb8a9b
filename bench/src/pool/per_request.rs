//! What an application without a pool does: every request connects, asks and
//! leaves. It asks in one round trip, which is the least it can cost.

use tokio_postgres::NoTls;
use tokio_postgres::types::Type;

use super::product;
use crate::contest::Driven;
use crate::error::Reason;
use crate::load::Client;

pub(super) struct PerRequest {
    config: tokio_postgres::Config,
}

pub(super) async fn connect(url: &str) -> Result<Driven<PerRequest>, Reason> {
    Ok(Driven::new(PerRequest { config: url.parse()? }))
}

impl Client for PerRequest {
    async fn request(&self, task: u32, turn: u32) -> Result<(), Reason> {
        let id = product::id(task, turn);
        let (client, connection) = self.config.connect(NoTls).await?;
        let connection = tokio::spawn(connection);
        let row = client.query_typed_opt(product::SELECT, &[(&id, Type::INT8)]).await?;
        // Leaving is part of it: the connection says goodbye and closes.
        drop(client);
        connection.await??;
        product::check(row, id)
    }
}
