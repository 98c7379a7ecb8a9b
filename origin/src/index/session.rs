//! A connection of the advisor: what the server plans, and what it takes.

use std::time::Duration;

use serde_json::Value;
use tidewall_api::postgres::{Authorities, Encryption};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Row};

use super::IndexError;
use super::plan::Node;

/// By which the server's administrators know it.
const APPLICATION: &str = "tidewall index";

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Read, and nothing else.
    Look,
    /// Make and drop tables and indexes of its own.
    Build,
}

/// Settings of the session. They are given when it begins, since a pooler that lends one server
/// connection to many would leave them to others: such a one refuses them, or is found out.
const OPTIONS: &str = "-c statement_timeout=60000 -c lock_timeout=2000 \
    -c idle_in_transaction_session_timeout=60000 -c standard_conforming_strings=on \
    -c client_min_messages=warning -c jit=off";

/// A connection.
pub(crate) struct Session {
    client: Client,
    driver: JoinHandle<()>,
    encryption: Encryption,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Why a statement has no plan or took no time.
#[derive(Debug)]
pub(super) enum Refused {
    /// It took longer than it may.
    TooLong,
    /// The server's reason, without what it quotes.
    Because(String),
}

impl Refused {
    /// In words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::TooLong => "it took longer than it may".to_owned(),
            Self::Because(why) => format!("the server refuses it: {why}"),
        }
    }

    pub(super) fn of_error(error: &IndexError) -> Self {
        match error {
            IndexError::Statement(error) => Self::of(error),
            other => Self::Because(other.to_string()),
        }
    }

    fn of(error: &tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&SqlState::QUERY_CANCELED) => Self::TooLong,
            // Its message may quote values.
            Some(code) => Self::Because(format!("SQLSTATE {}", code.code())),
            None => Self::Because("the connection was lost".to_owned()),
        }
    }
}

/// What running a statement once came to.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) plan: Node,
    /// In the server.
    pub(super) ms: f64,
}

const PREPARED: &str = "tidewall_statement";

impl Session {
    /// Connects. `server` names it in errors.
    pub(crate) async fn connect(config: &Config, server: &str, purpose: Purpose) -> Result<Self, IndexError> {
        let mut config = config.clone();
        let read_only = if purpose == Purpose::Look { " -c default_transaction_read_only=on" } else { "" };
        let own = config.get_options().unwrap_or_default().to_owned();
        config.options(format!("{own} {OPTIONS}{read_only}"));
        config.application_name(APPLICATION).connect_timeout(Duration::from_secs(5));
        let encryption = Authorities::of_environment().encryption()?;
        let connected = config.connect(encryption.clone()).await;
        let (client, connection) = connected
            .map_err(|source| IndexError::Connect { server: server.to_owned(), source: Box::new(source) })?;
        let driver = tokio::spawn(async move {
            // What it ends with, the statements under way are told as well.
            let _ended = connection.await;
        });
        let session = Self { client, driver, encryption };
        let timeout: String = session.row("SHOW statement_timeout", &[]).await?.get(0);
        if timeout != "1min" {
            return Err(IndexError::Pooler { server: server.to_owned() });
        }
        // Its own statements are nobody's workload, and a server that builds for a client that is gone
        // needn't: as far as the role may say so, and the platform can do it.
        for setting in ["pg_stat_statements.track = 'none'", "client_connection_check_interval = '1s'"] {
            let _set = session.batch(&format!("SET {setting}")).await;
        }
        Ok(session)
    }

    /// Ends what the server does for this session at the moment.
    pub(super) async fn cancel(&self) {
        // It may have ended.
        let _cancelled = self.client.cancel_token().cancel_query(self.encryption.clone()).await;
    }

    /// Whether all functions of these names only read, and do the same each time: what is run more
    /// often than people do must change nothing. One that isn't there is of a special form of SQL.
    pub(super) async fn are_pure(&self, functions: &[String]) -> Result<bool, IndexError> {
        let volatile = "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = ANY ($1) AND provolatile = 'v')";
        Ok(!self.row(volatile, &[&functions]).await?.get::<_, bool>(0))
    }

    /// Statements of the advisor's own.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), IndexError> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// A statement that may be refused, such as one that builds an index.
    pub(super) async fn command(&self, sql: &str) -> Result<(), Refused> {
        self.client.batch_execute(sql).await.map_err(|error| Refused::of(&error))
    }

    /// Rows of the catalogues.
    pub(crate) async fn rows(
        &self,
        sql: &str,
        params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, IndexError> {
        Ok(self.client.query(sql, params).await?)
    }

    /// The one row of a query that gives one.
    pub(crate) async fn row(
        &self,
        sql: &str,
        params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Row, IndexError> {
        Ok(self.client.query_one(sql, params).await?)
    }

    /// The plan of a statement whatever its parameters are.
    pub(super) async fn plan(&self, sql: &str, parameters: u32) -> Result<Node, Refused> {
        let values = vec![None; parameters as usize];
        self.explain(sql, &values, "force_generic_plan", "VERBOSE").await.map(|run| run.plan)
    }

    /// The plan of a statement with values.
    pub(super) async fn plan_with(&self, sql: &str, values: &[Option<String>]) -> Result<Node, Refused> {
        self.explain(sql, values, "force_custom_plan", "VERBOSE").await.map(|run| run.plan)
    }

    /// Runs a statement, and undoes what it did. One that only reads can't do anything.
    pub(super) async fn run(
        &self,
        sql: &str,
        values: &[Option<String>],
        is_write: bool,
        time_max: Duration,
    ) -> Result<Run, Refused> {
        let mode = if is_write { "READ WRITE" } else { "READ ONLY" };
        let begin = format!("BEGIN {mode}; SET LOCAL statement_timeout = {}", time_max.as_millis().max(1));
        self.client.batch_execute(&begin).await.map_err(|error| Refused::of(&error))?;
        let run = self.explain(sql, values, "force_custom_plan", "ANALYZE, TIMING OFF, VERBOSE").await;
        self.client.batch_execute("ROLLBACK").await.map_err(|error| Refused::of(&error))?;
        run
    }

    async fn explain(
        &self,
        sql: &str,
        values: &[Option<String>],
        mode: &str,
        options: &str,
    ) -> Result<Run, Refused> {
        let refused = |error: tokio_postgres::Error| Refused::of(&error);
        // By the extended protocol: that takes one statement, whatever the text holds.
        self.client.execute(&format!("PREPARE {PREPARED} AS {sql}"), &[]).await.map_err(refused)?;
        let explained = self.explain_prepared(values, mode, options).await;
        // Refused in a transaction that has failed; the end of that doesn't forget it either.
        let forgotten = self.client.batch_execute(&format!("DEALLOCATE {PREPARED}")).await;
        if forgotten.is_err() {
            self.client
                .batch_execute(&format!("ROLLBACK; DEALLOCATE {PREPARED}; BEGIN"))
                .await
                .map_err(refused)?;
        }
        let explained = explained.map_err(refused)?;
        let ms = explained.pointer("/0/Execution Time").and_then(Value::as_f64).unwrap_or_default();
        let plan = Node::read(explained);
        plan.map(|plan| Run { plan, ms })
            .ok_or_else(|| Refused::Because("an unknown kind of plan".to_owned()))
    }

    async fn explain_prepared(
        &self,
        values: &[Option<String>],
        mode: &str,
        options: &str,
    ) -> Result<Value, tokio_postgres::Error> {
        self.client.batch_execute(&format!("SET plan_cache_mode = {mode}")).await?;
        let values: Vec<_> = values.iter().map(|value| literal(value.as_deref())).collect();
        let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
        let explain = format!("EXPLAIN ({options}, FORMAT JSON) EXECUTE {PREPARED}{values}");
        Ok(self.client.query_one(&explain, &[]).await?.get(0))
    }
}

/// A value as SQL has it (with `standard_conforming_strings`).
fn literal(value: Option<&str>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_within_its_quotes() {
        assert_eq!(literal(Some("o'clock\\")), "'o''clock\\'");
        assert_eq!(literal(None), "NULL");
    }
}
