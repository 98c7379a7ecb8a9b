//! The peer `bb8`, with `bb8-postgres`. By default it asks a connection an empty
//! query whenever it is taken; here it doesn't, as the others don't. It has no
//! statement cache, so each connection is kept with its statement.

use bb8::{ManageConnection, Pool};
use bb8_postgres::PostgresConnectionManager;
use tokio_postgres::{Client as PgClient, NoTls, Statement};

use super::{CONNECTIONS, product};
use crate::contest::Driven;
use crate::error::Reason;
use crate::load::Client;

pub(super) struct Bb8 {
    pool: Pool<Prepared>,
}

pub(super) async fn connect(url: &str) -> Result<Driven<Bb8>, Reason> {
    let manager = Prepared(PostgresConnectionManager::new(url.parse()?, NoTls));
    let connections = u32::try_from(CONNECTIONS)?;
    let pool = Pool::builder().max_size(connections).test_on_check_out(false).build(manager).await?;
    Ok(Driven::new(Bb8 { pool }))
}

/// Connections with the statement prepared.
#[derive(Debug)]
struct Prepared(PostgresConnectionManager<NoTls>);

impl ManageConnection for Prepared {
    type Connection = (PgClient, Statement);
    type Error = tokio_postgres::Error;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let client = self.0.connect().await?;
        let statement = client.prepare(product::SELECT).await?;
        Ok((client, statement))
    }

    async fn is_valid(&self, (client, _): &mut Self::Connection) -> Result<(), Self::Error> {
        self.0.is_valid(client).await
    }

    fn has_broken(&self, (client, _): &mut Self::Connection) -> bool {
        self.0.has_broken(client)
    }
}

impl Client for Bb8 {
    async fn request(&self, task: u32, turn: u32) -> Result<(), Reason> {
        let id = product::id(task, turn);
        let connection = self.pool.get().await?;
        let (client, statement) = &*connection;
        product::check(client.query_opt(statement, &[&id]).await?, id)
    }
}
