//! The peer `sqlx`. By default it pings a connection whenever it is taken; here
//! it doesn't, as the others don't. It also pings each that is given back, which
//! can't be turned off. It prepares and keeps statements by itself.

use sqlx::Row as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use super::{CONNECTIONS, product};
use crate::contest::Driven;
use crate::error::Reason;
use crate::load::Client;

pub(super) struct Sqlx {
    pool: PgPool,
}

pub(super) async fn connect(url: &str) -> Result<Driven<Sqlx>, Reason> {
    let options: PgConnectOptions = url.parse()?;
    let connections = u32::try_from(CONNECTIONS)?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    Ok(Driven::new(Sqlx { pool }))
}

impl Client for Sqlx {
    async fn request(&self, task: u32, turn: u32) -> Result<(), Reason> {
        let id = product::id(task, turn);
        match sqlx::query(product::SELECT).bind(id).fetch_optional(&self.pool).await? {
            Some(row) => product::check_id(row.try_get(0)?, id),
            None => product::check(None, id),
        }
    }
}
