//! The tables, and what is done with them.

use std::time::Instant;

use tokio_postgres::{Client, Statement};

use crate::database::{self, Own};
use crate::error::Reason;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Case {
    table: Table,
    what: What,
}

/// A table, by its indexes besides the primary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Table {
    Bare,
    User,
    UserTime,
    Time,
    Three,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// Rows of one key.
    Lookup,
    /// A user's newest few.
    Newest,
    /// One row, committed.
    Insert,
    /// Many rows, in one transaction.
    InsertMany,
}

impl Case {
    pub(super) const LOOKUP_BARE: Self = Self { table: Table::Bare, what: What::Lookup };
    pub(super) const LOOKUP: Self = Self { table: Table::User, what: What::Lookup };
    pub(super) const NEWEST_BARE: Self = Self { table: Table::Bare, what: What::Newest };
    pub(super) const NEWEST_USER: Self = Self { table: Table::User, what: What::Newest };
    pub(super) const NEWEST: Self = Self { table: Table::UserTime, what: What::Newest };
    pub(super) const NEWEST_TIME: Self = Self { table: Table::Time, what: What::Newest };
    pub(super) const INSERT_BARE: Self = Self { table: Table::Bare, what: What::Insert };
    pub(super) const INSERT: Self = Self { table: Table::Three, what: What::Insert };
    pub(super) const MANY_BARE: Self = Self { table: Table::Bare, what: What::InsertMany };
    pub(super) const MANY: Self = Self { table: Table::Three, what: What::InsertMany };

    pub(super) const ALL: &[Self] = &[
        Self::LOOKUP_BARE,
        Self::LOOKUP,
        Self::NEWEST_BARE,
        Self::NEWEST_USER,
        Self::NEWEST,
        Self::NEWEST_TIME,
        Self::INSERT_BARE,
        Self::INSERT,
        Self::MANY_BARE,
        Self::MANY,
    ];

    pub(super) const fn sql(self) -> &'static str {
        match (self.what, self.table) {
            (What::Lookup, Table::Bare) => "SELECT * FROM bare WHERE user_id = $1",
            (What::Lookup, _) => "SELECT * FROM by_user WHERE user_id = $1",
            (What::Newest, Table::Bare) => {
                "SELECT * FROM bare WHERE user_id = $1 ORDER BY created_at DESC LIMIT 10"
            }
            (What::Newest, Table::User) => {
                "SELECT * FROM by_user WHERE user_id = $1 ORDER BY created_at DESC LIMIT 10"
            }
            (What::Newest, Table::UserTime) => {
                "SELECT * FROM by_user_and_time WHERE user_id = $1 ORDER BY created_at DESC LIMIT 10"
            }
            (What::Newest, _) => "SELECT * FROM by_time WHERE user_id = $1 ORDER BY created_at DESC LIMIT 10",
            (What::Insert, Table::Bare) => {
                "INSERT INTO bare (user_id, status, total, created_at) VALUES ($1, 'open', 5, now())"
            }
            (What::Insert, _) => {
                "INSERT INTO by_three (user_id, status, total, created_at) VALUES ($1, 'open', 5, now())"
            }
            (What::InsertMany, Table::Bare) => {
                "INSERT INTO bare (user_id, status, total, created_at)
                 SELECT (hashint4(n + $1) & 2147483647) % 50000, 'open', n, now() FROM generate_series(1, 5000) AS n"
            }
            (What::InsertMany, _) => {
                "INSERT INTO by_three (user_id, status, total, created_at)
                 SELECT (hashint4(n + $1) & 2147483647) % 50000, 'open', n, now() FROM generate_series(1, 5000) AS n"
            }
        }
    }

    /// How often it is done in a round: reads from end to end take long.
    const fn times(self) -> u32 {
        match (self.what, self.table) {
            (What::Lookup | What::Newest, Table::Bare | Table::Time) => 5,
            (What::InsertMany, _) => 2,
            _ => 100,
        }
    }
}

/// Rows that one statement of [`What::InsertMany`] inserts.
pub(super) const MANY: f64 = 5_000.0;
/// Users; each has as many rows as the others, on the average.
const USERS: u32 = 50_000;

/// Bytes of a table and its indexes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) table: f64,
    /// Of three indexes.
    pub(super) indexes: f64,
}

/// All of them, with statements that are prepared.
pub(super) struct Tables {
    client: Client,
    statements: Vec<(Case, Statement)>,
}

impl Tables {
    /// Makes them with so many rows each.
    pub(super) async fn create(own: &Own, rows: u32) -> Result<Self, Reason> {
        own.client
            .batch_execute(&format!(
                "CREATE TABLE bare (
                     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                     user_id integer NOT NULL, status text NOT NULL, total integer NOT NULL,
                     created_at timestamptz NOT NULL);
                 INSERT INTO bare (user_id, status, total, created_at)
                 SELECT (hashint4(n) & 2147483647) % {USERS}, (ARRAY['open', 'paid', 'sent'])[1 + n % 3], n % 10000,
                     now() - ({rows} - n) * interval '10 seconds'
                 FROM generate_series(1, {rows}) AS n"
            ))
            .await?;
        for (table, indexes) in [
            ("by_user", &["user_id"][..]),
            ("by_user_and_time", &["user_id, created_at DESC"]),
            ("by_time", &["created_at"]),
            ("by_three", &["user_id", "created_at", "status"]),
        ] {
            own.client
                .batch_execute(&format!(
                    "CREATE TABLE {table} (LIKE bare INCLUDING IDENTITY);
                     INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM bare ORDER BY id;
                     SELECT setval(pg_get_serial_sequence('{table}', 'id'), {rows});
                     ALTER TABLE {table} ADD PRIMARY KEY (id)"
                ))
                .await?;
            for columns in indexes {
                own.client.batch_execute(&format!("CREATE INDEX ON {table} ({columns})")).await?;
            }
        }
        own.client.batch_execute("VACUUM (ANALYZE)").await?;
        own.client.batch_execute("CHECKPOINT").await?;
        let client = database::connect(&own.url.parse()?).await?;
        let mut statements = Vec::new();
        for case in Case::ALL {
            statements.push((*case, client.prepare(case.sql()).await?));
        }
        Ok(Self { client, statements })
    }

    /// Milliseconds that a case takes, the mean of a round.
    pub(super) async fn run(&self, case: Case, round: u32) -> Result<f64, Reason> {
        let statement = self.statements.iter().find(|(own, _)| *own == case).map(|(_, statement)| statement);
        let statement = statement.ok_or_else(|| Reason::new("it was not prepared"))?;
        let begun = Instant::now();
        for time in 0..case.times() {
            // Other users in each round, the same for all cases.
            let user = (round * 7_919 + time * 104_729) % USERS;
            self.client.query(statement, &[&i32::try_from(user).unwrap_or_default()]).await?;
        }
        Ok(begun.elapsed().as_secs_f64() * 1_000.0 / f64::from(case.times()))
    }

    pub(super) async fn sizes(&self) -> Result<Sizes, Reason> {
        let sizes = "
            SELECT pg_table_size('by_three')::double precision,
                (pg_indexes_size('by_three') - pg_relation_size('by_three_pkey'))::double precision";
        let row = self.client.query_one(sizes, &[]).await?;
        Ok(Sizes { table: row.try_get(0)?, indexes: row.try_get(1)? })
    }
}
