//! Looks at everything that was named, twice where a rate is needed, an interval apart.

use std::time::Duration;

use reqwest::{Client, Url};
use serde_json::Value;
use tidewall_api::advice::{Database, Edge, Evidence, Host, InPlace, Tool, Traffic};
use tokio::time::{Instant, sleep};

use super::database::{Look, Watched};
use super::exposition::{self, Sample};
use super::{AdviseError, Question, counters, log, machine};
use crate::index::IndexError;
use crate::telemetry::chain;

/// Time that a page of counters has.
const DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of one.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Share of a log's lines that may be of another form.
const UNREAD_SHARE: f64 = 0.05;
/// Whose jobs can be read.
const OWN_QUEUE: &str = "Tidewall";
/// Where an edge tells its state.
const STATUS: &str = "/_tidewall/status";

/// Looks. Ends early when `stop` does.
///
/// # Errors
/// There is nothing to look at, or a file or the database that was named can't be read.
pub async fn look(question: &Question, stop: impl Future<Output = ()>) -> Result<Evidence, AdviseError> {
    if question.is_empty() {
        return Err(AdviseError::Nothing);
    }
    tokio::select! {
        looked = look_at_all(question) => looked,
        () = stop => Err(AdviseError::Stopped),
    }
}

async fn look_at_all(question: &Question) -> Result<Evidence, AdviseError> {
    let mut evidence =
        Evidence { users: question.users, in_place: question.in_place.clone(), ..Evidence::default() };
    // A file that can't be read is known at once.
    if let Some(path) = &question.access_log {
        let traffic = log::read(path).await?;
        tell_unread(&traffic, &mut evidence.unknown);
        evidence.traffic = Some(traffic);
    }
    let client = Client::builder().timeout(DEADLINE).no_proxy().build().unwrap_or_default();
    let servers = match Servers::begin(question, &mut evidence.unknown).await {
        Ok(servers) => servers,
        // The log has been read, and says something by itself.
        Err(error) if evidence.traffic.is_some() => {
            if matches!(error, IndexError::Pooler { .. }) {
                let how = "a pooler stands before the database".to_owned();
                evidence.in_place.push(InPlace { tool: Tool::Pool, how });
            }
            evidence.unknown.push(chain(&error).to_string());
            Servers::default()
        }
        Err(error) => return Err(error.into()),
    };
    let before = pages(&client, &question.origins).await;
    let (ticks, begun) = (machine::ticks(), Instant::now());
    let watched = match &servers.primary {
        Some(primary) => primary.watch(sleep(question.interval)).await?,
        None => {
            sleep(question.interval_needed()).await;
            Watched::default()
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    let load = ticks.zip(machine::ticks()).and_then(|(earlier, later)| later.load_since(earlier));
    let after = pages(&client, &question.origins).await;
    tell_origins(question, before, after, seconds, &mut evidence);
    if question.is_host {
        let has_database = servers.primary.as_ref().map_or_else(machine::runs_database, Look::is_here);
        match (machine::cpus(), load) {
            (Some(cpus), Some(load)) => evidence.host = Some(Host { cpus, used: load * cpus, has_database }),
            _ => {
                let why = "how busy the CPUs are isn't known here: this isn't Linux, or a part of its CPUs";
                evidence.unknown.push(why.to_owned());
            }
        }
    }
    match &question.edge {
        Some((url, Some(token))) => look_at_edge(&client, url, token, &mut evidence).await,
        Some((url, None)) => {
            evidence
                .unknown
                .push(format!("the edge {} tells nothing without its TIDEWALL_PURGE_TOKEN", place(url)));
        }
        None => {}
    }
    servers.end(watched, question, &mut evidence).await?;
    Ok(evidence)
}

/// Of a log that isn't understood as a whole.
fn tell_unread(traffic: &Traffic, unknown: &mut Vec<String>) {
    let unread = traffic.unread as f64;
    let share = unread / (unread + traffic.requests()).max(1.0);
    if share >= UNREAD_SHARE {
        unknown.push(format!(
            "{:.0} % of the access log's lines are of another form, and were left out",
            share * 100.0
        ));
    }
}

/// What the origins' counters say.
fn tell_origins(
    question: &Question,
    before: Vec<Result<Vec<Sample>, String>>,
    after: Vec<Result<Vec<Sample>, String>>,
    seconds: f64,
    evidence: &mut Evidence,
) {
    if question.origins.is_empty() {
        return;
    }
    let mut answered = Vec::new();
    for (origin, looks) in question.origins.iter().zip(before.into_iter().zip(after)) {
        match looks {
            (Ok(before), Ok(after)) => answered.push((before, after)),
            (Err(why), _) | (_, Err(why)) => {
                evidence.unknown.push(format!("no counters of {}: {why}", place(origin)));
            }
        }
    }
    if answered.is_empty() {
        return;
    }
    evidence.origins = u32::try_from(answered.len()).ok();
    let kept = answered
        .iter()
        .flat_map(|(_, after)| after)
        .filter(|sample| sample.name == "tidewall_db_connections");
    if kept.clone().next().is_some() {
        let kept: f64 = kept.map(|sample| sample.value).sum();
        let how = format!("the origins keep {kept:.0} connections to the database");
        evidence.in_place.push(InPlace { tool: Tool::Pool, how });
    }
    if evidence.traffic.is_none() {
        evidence.traffic = Some(counters::between(&answered, seconds));
    }
}

/// A URL without what may be secret in it.
fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl Question {
    /// A log alone has been read; nothing comes of waiting.
    fn interval_needed(&self) -> Duration {
        if self.origins.is_empty() && !self.is_host { Duration::ZERO } else { self.interval }
    }
}

/// The servers of a database, after the first look.
#[derive(Default)]
struct Servers {
    primary: Option<Look>,
    replicas: Vec<Look>,
}

impl Servers {
    async fn begin(question: &Question, unknown: &mut Vec<String>) -> Result<Self, IndexError> {
        let mut servers = Self::default();
        let mut failed = None;
        for config in &question.primary {
            match Look::begin(config, "the database", true).await {
                Ok(look) if look.takes_writes().await? => {
                    servers.primary = Some(look);
                    break;
                }
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        }
        if servers.primary.is_none() && !question.primary.is_empty() {
            return Err(failed.unwrap_or(IndexError::NoPrimary));
        }
        for (number, config) in (1..).zip(&question.replicas) {
            match Look::begin(config, &format!("replica {number}"), false).await {
                Ok(look) => servers.replicas.push(look),
                Err(error) => unknown.push(chain(&error).to_string()),
            }
        }
        Ok(servers)
    }

    async fn end(
        self,
        watched: Watched,
        question: &Question,
        evidence: &mut Evidence,
    ) -> Result<(), AdviseError> {
        let Some(primary) = self.primary else { return Ok(()) };
        let cpus = question.database_cpus.or_else(|| primary.is_here().then(machine::cpus).flatten());
        let queues = primary.queues().await?;
        if !queues.is_empty() {
            let how = format!("jobs of {} are in the database", queues.join(" and "));
            evidence.in_place.push(InPlace { tool: Tool::Queue, how });
            if queues.iter().any(|queue| queue == OWN_QUEUE) {
                evidence.jobs = primary.jobs().await?;
                if evidence.jobs.is_none() {
                    evidence.unknown.push("how long jobs take isn't known: GRANT SELECT ON jobs".to_owned());
                }
            }
        }
        let (database, unknown) = primary.end(watched, cpus).await?;
        evidence.unknown.extend(unknown);
        let mut read_ms = Vec::new();
        for replica in self.replicas {
            match replica.end(Watched::default(), None).await {
                Ok((seen, unknown)) => {
                    read_ms.push(seen.read_ms);
                    evidence.unknown.extend(unknown);
                }
                // It was lost meanwhile.
                Err(error) => {
                    read_ms.push(None);
                    evidence.unknown.push(chain(&error).to_string());
                }
            }
        }
        // What one of them doesn't tell isn't known of all.
        let replicas_ms = if read_ms.is_empty() { None } else { read_ms.into_iter().sum() };
        evidence.database = Some(Database { replicas_ms, ..database });
        Ok(())
    }
}

/// What the counters of each origin say, or why they don't.
async fn pages(client: &Client, origins: &[Url]) -> Vec<Result<Vec<Sample>, String>> {
    let mut pages = Vec::new();
    for origin in origins {
        let mut url = origin.clone();
        url.set_path("/metrics");
        pages.push(text(client.get(url)).await.map(|page| exposition::read(&page)));
    }
    pages
}

async fn text(request: reqwest::RequestBuilder) -> Result<String, String> {
    let failed = |error: reqwest::Error| chain(&error.without_url()).to_string();
    let mut answer = request.send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(failed)? {
        body.extend_from_slice(&part);
        if body.len() > BYTES_MAX {
            return Err("its answer doesn't end".to_owned());
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// What an edge says: it is there, and how often its cache answers.
async fn look_at_edge(client: &Client, url: &Url, token: &str, evidence: &mut Evidence) {
    let mut status = url.clone();
    status.set_path(STATUS);
    let told = text(client.get(status).bearer_auth(token)).await;
    let status: Value = match told.map(|text| serde_json::from_str(&text)) {
        Ok(Ok(status)) => status,
        Ok(Err(_)) => Value::Null,
        Err(error) => return evidence.unknown.push(format!("no state of the edge {}: {error}", place(url))),
    };
    let count = |pointer: &str| status.pointer(pointer).and_then(Value::as_f64);
    let Some((hits, misses)) = count("/cache/hits").zip(count("/cache/misses")) else {
        return evidence.unknown.push(format!("{} answers with no state of an edge", place(url)));
    };
    evidence.edge = Some(Edge { hits, misses });
    evidence.in_place.push(InPlace { tool: Tool::Cdn, how: "the edge answers for files".to_owned() });
    if hits > 0.0 {
        evidence.in_place.push(InPlace { tool: Tool::Cache, how: "the edge keeps answers".to_owned() });
    }
}
