//! The limit: as many connections as a pool has, dealt out to the tasks once and
//! for all. Nobody waits for a connection or gives one back; tasks that share
//! one send their requests one behind the other without waiting for the answers.

use tokio_postgres::{Client as PgClient, Statement};

use super::{CONNECTIONS, product};
use crate::contest::Driven;
use crate::database;
use crate::error::Reason;
use crate::load::Client;

pub(super) struct Shared {
    connections: Vec<(PgClient, Statement)>,
}

pub(super) async fn connect(url: &str) -> Result<Driven<Shared>, Reason> {
    let config = url.parse()?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = database::connect(&config).await?;
        let statement = client.prepare(product::SELECT).await?;
        connections.push((client, statement));
    }
    Ok(Driven::new(Shared { connections }))
}

impl Client for Shared {
    async fn request(&self, task: u32, turn: u32) -> Result<(), Reason> {
        let id = product::id(task, turn);
        let mine = usize::try_from(task)? % self.connections.len();
        let (client, statement) = &self.connections[mine];
        product::check(client.query_opt(statement, &[&id]).await?, id)
    }
}
