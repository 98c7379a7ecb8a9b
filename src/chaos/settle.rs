//! What is so once all is quiet again, by the database itself.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::ledger::Losses;
use super::load::Acknowledged;
use crate::failure::Failure;
use crate::loopback;
use crate::postgres::{connect_foreign, refused};
use crate::ready::Stack;
use crate::service::Supervisor;

/// Time that the servers have to be back, with replicas that follow.
const BACK_MAX: Duration = Duration::from_secs(60);
/// Time that jobs have to end: longer than a lost worker's lease.
const JOBS_MAX: Duration = Duration::from_secs(90);
/// How often is looked.
const POLL: Duration = Duration::from_millis(100);

/// Time that all parts have to be up after a fault: an origin that failed is left alone for a while.
const UP_MAX: Duration = Duration::from_secs(180);

/// Waits until every part runs and every origin is asked again, so that no fault is looked at with
/// another's consequences.
///
/// # Errors
/// That doesn't come to be within three minutes.
pub(super) async fn all_is_up(stack: &Stack, supervisor: &Supervisor) -> Result<(), Failure> {
    drop(primary(stack).await?);
    let edge = stack.edge.as_deref().unwrap_or_default();
    let client = loopback::client()?;
    let up = async {
        for turn in 1_u32.. {
            // Who is on probation is up once it has answered.
            let page = format!("{edge}/api/products?page={}&sort=name", turn % 80 + 1);
            let _ = client.get(page).send().await;
            let status =
                client.get(format!("{edge}/_tidewall/status")).bearer_auth(&stack.purge_token).send().await;
            let status: Value = match status {
                Ok(status) => status.json().await.unwrap_or_default(),
                Err(_) => Value::Null,
            };
            let origins = status["origins"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_up = origins.len() == stack.origins.len() && origins.iter().all(|it| it["state"] == "up");
            if is_up && supervisor.all_run() {
                return;
            }
            sleep(POLL).await;
        }
    };
    timeout(UP_MAX, up).await.map_err(|_| Failure::new("after an earlier fault not all parts are up again"))
}

/// The primary, once all replicas follow it.
///
/// # Errors
/// They don't within a minute.
async fn primary(stack: &Stack) -> Result<Client, Failure> {
    let replicas = i64::try_from(stack.replicas.len()).unwrap_or(i64::MAX);
    let following = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
    let back = async {
        loop {
            if let Ok(client) = connect_foreign(&stack.primary).await
                && let Ok(row) = client.query_one(following, &[]).await
                && row.get::<_, i64>(0) >= replicas
            {
                return client;
            }
            sleep(POLL).await;
        }
    };
    timeout(BACK_MAX, back).await.map_err(|_| Failure::new("the primary and its replicas are not back"))
}

/// What was acknowledged, and isn't so once the servers are back.
///
/// # Errors
/// They don't come back, or refuse.
pub(super) async fn losses(stack: &Stack, acknowledged: &Acknowledged) -> Result<Losses, Failure> {
    let primary = &primary(stack).await?;
    let no = |error: tokio_postgres::Error| refused("the primary", &error);
    let mut losses = Losses::default();
    for (product, price) in &acknowledged.prices {
        let row = primary.query_opt("SELECT price_cents FROM products WHERE id = $1", &[product]).await;
        let now = row.map_err(no)?.map(|row| row.get::<_, i64>(0));
        losses.writes_lost += u64::from(now.is_none_or(|now| now < *price));
    }

    let customer = &acknowledged.customer;
    let orders = primary.query("SELECT id FROM orders WHERE user_id = $1", &[customer]).await.map_err(no)?;
    let orders: BTreeSet<i64> = orders.iter().map(|row| row.get(0)).collect();
    let placed: BTreeSet<i64> = acknowledged.orders.iter().copied().collect();
    losses.orders_lost = count(placed.difference(&orders));
    // Each was asked for until it was acknowledged, so there are no others.
    losses.orders_doubled = count(orders.difference(&placed));
    let (product, before) = acknowledged.stocked;
    let stock = primary.query_one("SELECT stock::bigint FROM products WHERE id = $1", &[&product]).await;
    let gone = before - stock.map_err(no)?.get::<_, i64>(0);
    losses.stock_wrong = gone.abs_diff(i64::try_from(orders.len()).unwrap_or(i64::MAX));

    until_jobs_end(primary, acknowledged).await?;
    let jobs = "SELECT id, state = 'completed' FROM jobs WHERE owner_id = $1 AND kind = 'report'";
    let jobs = primary.query(jobs, &[customer]).await.map_err(no)?;
    let done: BTreeSet<i64> = jobs.iter().filter(|row| row.get::<_, bool>(1)).map(|row| row.get(0)).collect();
    let all: BTreeSet<i64> = jobs.iter().map(|row| row.get(0)).collect();
    let asked: BTreeSet<i64> = acknowledged.jobs.iter().copied().collect();
    losses.jobs_lost = count(asked.difference(&done));
    // What each job does besides its file: its owner is told once.
    let told = "SELECT count(*), count(DISTINCT body->>'job') FROM notifications
        WHERE user_id = $1 AND kind = 'report_done'";
    let told = primary.query_one(told, &[customer]).await.map_err(no)?;
    let twice = told.get::<_, i64>(0).abs_diff(told.get::<_, i64>(1));
    losses.jobs_doubled = count(all.difference(&asked)) + twice;
    Ok(losses)
}

async fn until_jobs_end(primary: &Client, acknowledged: &Acknowledged) -> Result<(), Failure> {
    let open = "SELECT count(*) FROM jobs WHERE owner_id = $1 AND kind = 'report' AND finished_at IS NULL";
    let ended = async {
        loop {
            let row = primary.query_one(open, &[&acknowledged.customer]).await;
            let row = row.map_err(|error| refused("the primary", &error))?;
            if row.get::<_, i64>(0) == 0 {
                return Ok(());
            }
            sleep(POLL).await;
        }
    };
    // Those that didn't end are counted as lost.
    timeout(JOBS_MAX, ended).await.unwrap_or(Ok(()))
}

fn count<'a>(ids: impl Iterator<Item = &'a i64>) -> u64 {
    u64::try_from(ids.count()).unwrap_or(u64::MAX)
}
