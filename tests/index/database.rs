//! A server, and a database of its own for each test.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime::Runtime;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};
use tokio_postgres::{Client, NoTls};

use crate::support::tidewall::{Folder, Running};

/// A server with a database that others are copied from.
pub(crate) struct Server {
    pub(crate) runtime: Runtime,
    stack: Running,
    numbers: AtomicU32,
    folder: Folder,
}

/// A database; it is gone when dropped.
pub(crate) struct Database<'a> {
    server: &'a Server,
    name: String,
    pub(crate) client: Client,
}

const BASE: &str = "base";

impl Server {
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        let asked = ["--no-edge", "--no-worker", "--origins", "1", "--replicas", "0", "--seed", "1000"];
        let stack = Running::dev(&folder.0, &asked);
        let server = Self { runtime: Runtime::new().unwrap(), stack, numbers: AtomicU32::new(0), folder };
        server.runtime.block_on(async {
            let all = connect(&server.url("postgres")).await;
            all.batch_execute(&format!("CREATE DATABASE {BASE}")).await.unwrap();
            let base = connect(&server.url(BASE)).await;
            base.batch_execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
            base.batch_execute(include_str!("base.sql")).await.unwrap();
            base.batch_execute("VACUUM ANALYZE").await.unwrap();
        });
        server
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let primary = self.stack.text("/primary");
        let (server, _) = primary.rsplit_once('/').unwrap();
        format!("{server}/{database}")
    }

    /// What the ready file says of the running stack.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.stack.text(pointer)
    }

    /// The stack's data directory.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A new database with all that the base has.
    pub(crate) async fn database(&self) -> Database<'_> {
        let name = format!("case_{}", self.numbers.fetch_add(1, Ordering::Relaxed));
        let all = connect(&self.url("postgres")).await;
        all.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {BASE}")).await.unwrap();
        let client = connect(&self.url(&name)).await;
        Database { server: self, name, client }
    }
}

impl Database<'_> {
    pub(crate) fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// The same for another role.
    pub(crate) fn url_of(&self, role: &str, password: &str) -> String {
        let url = self.url();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (_, place) = rest.split_once('@').unwrap();
        format!("{scheme}://{role}:{password}@{place}")
    }

    /// Runs a statement with values that are given as SQL, each time anew.
    pub(crate) async fn call(&self, sql: &str, values: &[String], times: u32) {
        call(&self.client, sql, values, times).await;
    }

    /// Ends the database.
    pub(crate) async fn drop(self) {
        let Self { server, name, client } = self;
        drop(client);
        let all = connect(&server.url("postgres")).await;
        all.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    }
}

/// Runs a statement with values that are given as SQL, each time anew.
pub(crate) async fn call(client: &Client, sql: &str, values: &[String], times: u32) {
    let statement = client.prepare(sql).await.unwrap();
    let each: Vec<_> = values.iter().map(|value| format!("({value})::text")).collect();
    let draw = format!("SELECT ARRAY[{}]::text[]", each.join(", "));
    for _ in 0..times {
        let drawn: Vec<String> = client.query_one(&draw, &[]).await.unwrap().get(0);
        let params: Vec<_> = drawn.into_iter().map(Text).collect();
        let params: Vec<_> = params.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
        client.query(&statement, &params).await.unwrap();
    }
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A value of any type, as text.
#[derive(Debug)]
struct Text(String);

impl ToSql for Text {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}
