//! The bench `index`: the article's cases on a table of a million rows. A lookup without an index
//! and with one; a user's newest rows with several indexes, one of which makes it slower; rows
//! inserted with no index and with three; what indexes take in bytes; and how long the advisor needs
//! to find the right one.
//!
//! Each set of indexes has a table of its own with the same rows, so nothing has to be built or dropped
//! between rounds, and all are measured in turn. What the rounds insert is a tenth of a table at most.

mod results;
mod tables;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tidewall_origin::index::{Question, advise};
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use crate::catalog::Setting;
use crate::contest::order;
use crate::database::Own;
use crate::effort::Effort;
use crate::error::{BenchError, Reason};
use crate::progress;
use crate::report::Measurement;
use tables::{Case, Tables};

/// Rows of each table.
const ROWS: u32 = 1_000_000;
/// Enough to see that everything can be measured.
const ROWS_QUICK: u32 = 50_000;
/// Time that connections to the tables have to end, and how often is looked.
const ENDED_MAX: Duration = Duration::from_secs(30);
const ENDED_POLL: Duration = Duration::from_millis(20);
/// Rounds that count; each runs every case.
const ROUNDS: u32 = 10;

/// Measures what indexes do.
///
/// # Errors
/// The server refuses.
pub async fn run(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    let is_full = setting.effort.rounds >= Effort::FULL.rounds;
    let measured = measure(setting, if is_full { ROWS } else { ROWS_QUICK }).await;
    measured.map_err(|reason| BenchError::Contestant { name: "indexes".to_owned(), reason })?
}

type Results = Result<Vec<Measurement>, BenchError>;

async fn measure(setting: &Setting, rows: u32) -> Result<Results, Reason> {
    progress::tell("index, making the tables");
    let own = Own::create(&setting.primary, "bench_index").await?;
    let tables = Tables::create(&own, rows).await?;
    let mut figures: BTreeMap<Case, Vec<f64>> = BTreeMap::new();
    let rounds = setting.effort.rounds.min(ROUNDS);
    progress::tell("index, warming up");
    for case in Case::ALL {
        tables.run(*case, 0).await?;
    }
    for round in 0..rounds {
        progress::tell(format!("index: round {} of {rounds}", round + 1));
        for place in order(Case::ALL.len(), round) {
            let case = Case::ALL[place];
            figures.entry(case).or_default().push(tables.run(case, round + 1).await?);
        }
    }
    let sizes = tables.sizes().await?;
    progress::tell("index, asking the advisor");
    drop(tables);
    forget_load(&own.client).await?;
    let advised = advised(&own, rows).await?;
    own.remove().await?;
    Ok(results::all(&figures, &sizes, advised))
}

/// Forgets what was written for the bench, which is no load of a product: by it these tables would be written
/// to all the time.
async fn forget_load(client: &Client) -> Result<(), Reason> {
    // A connection counts what it has done when it ends, at the latest.
    let others = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let ended = async {
        while client.query_one(others, &[]).await?.try_get::<_, i64>(0)? > 0 {
            sleep(ENDED_POLL).await;
        }
        Ok::<(), tokio_postgres::Error>(())
    };
    timeout(ENDED_MAX, ended)
        .await
        .map_err(|_| Reason::new("somebody else uses the tables of the bench"))??;
    for statement in ["SELECT pg_stat_force_next_flush()", "SELECT pg_stat_reset()", "ANALYZE"] {
        client.batch_execute(statement).await?;
    }
    Ok(())
}

/// How long the advisor takes for the two statements on a table without indexes.
///
/// # Errors
/// It doesn't find what is measured to be the best.
async fn advised(own: &Own, rows: u32) -> Result<Duration, Reason> {
    let question = Question {
        primary: vec![own.url.parse()?],
        replicas: Vec::new(),
        statements: Some([Case::LOOKUP_BARE, Case::NEWEST_BARE].map(|case| case.sql().to_owned()).to_vec()),
        sample_rows: f64::from(rows) * 2.0,
        apply: false,
    };
    let begun = Instant::now();
    let advice = advise(&question, std::future::pending()).await?;
    let took = begun.elapsed();
    let is_found =
        advice.proposals.iter().any(|proposal| proposal.columns.first().is_some_and(|key| key == "user_id"));
    if is_found {
        return Ok(took);
    }
    let said = serde_json::to_string(&advice)?;
    Err(Reason::new(&format!("the advisor does not find the index that is the best; it says {said}")))
}
