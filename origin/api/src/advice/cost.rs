//! What a month costs: of one tool more, and of a whole product with some of the seven.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::prices::Prices;
use super::rules::{MONTH, a_month_of};
use super::stage;
use super::verdict::Tool;

const GB: f64 = 1e9;
const MILLION: f64 = 1e6;
/// Share of a machine's CPUs that may be in use at the busiest hour (as the rules have it).
const LOAD_MAX: f64 = 0.7;
/// Share of files that an edge answers for.
const EDGE_SHARE: f64 = 0.95;

/// What a tool costs a month: from, to, in dollars. Below zero it saves.
pub(super) fn of(tool: Tool, evidence: &Evidence, prices: &Prices) -> Option<[f64; 2]> {
    let requests = |files: bool| -> Option<f64> {
        let traffic = evidence.traffic.as_ref()?;
        let all: f64 =
            traffic.routes.iter().filter(|route| !files || route.is_static).map(|route| route.requests).sum();
        a_month_of(all, traffic.seconds?)
    };
    // Every request runs the Worker, so one that is there for files costs nothing more for answers.
    let edge = |requests: f64| prices.edge.price + prices.edge_requests.of(requests / MILLION);
    match tool {
        Tool::Cdn => {
            let traffic = evidence.traffic.as_ref()?;
            let saved = a_month_of(traffic.bytes()?.0, traffic.seconds?)? / GB * prices.egress_gb.price;
            let edge = edge(requests(true)?);
            Some([edge - saved * 0.99, edge - saved * 0.6])
        }
        Tool::Cache => {
            let all = requests(false)?;
            let most =
                edge(all) + prices.kv_reads.of(all / MILLION) + prices.kv_writes.of(all * 0.1 / MILLION);
            Some([edge(all), most])
        }
        // The edge balances; without one, a provider's balancer costs about as much as the edge.
        Tool::LoadBalancer => {
            Some([prices.server.price, prices.server.price + edge(requests(false).unwrap_or_default())])
        }
        Tool::Index => Some([0.0, evidence.database.as_ref()?.bytes? / GB * prices.storage_gb.price]),
        Tool::ReadReplica => {
            let bytes = evidence.database.as_ref().and_then(|database| database.bytes).unwrap_or_default();
            let replica = prices.database.price + bytes / GB * prices.storage_gb.price;
            Some([replica, replica])
        }
        Tool::Pool => Some([0.0, prices.server.price]),
        // In the same database; a worker of its own, if the servers have no time for the jobs.
        Tool::Queue => Some([0.0, prices.server.price]),
    }
}

/// How a product is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Users of a month.
    pub users: f64,
    /// Requests of one in a month, without files.
    pub requests: f64,
    /// Bytes of an answer.
    pub answer_bytes: f64,
    /// Files of one in a month.
    pub files: f64,
    /// Bytes of a file.
    pub file_bytes: f64,
    /// Milliseconds of a server's CPU for a request.
    pub server_ms: f64,
    /// Milliseconds of a database's CPU for a request.
    pub database_ms: f64,
    /// Share of the requests that only read.
    pub read_share: f64,
    /// Share of these that a cache answers.
    pub hit_share: f64,
    /// Seconds of background work for one user in a month.
    pub job_seconds: f64,
    /// Bytes of the database for one user.
    pub row_bytes: f64,
    /// How many times the mean the busiest hour has.
    pub peak: f64,
}

impl Default for Usage {
    /// A shop's: ten visits of thirty requests and twenty files.
    fn default() -> Self {
        Self {
            users: 1_000.0,
            requests: 300.0,
            answer_bytes: 5_000.0,
            files: 200.0,
            file_bytes: 50_000.0,
            server_ms: 5.0,
            database_ms: 5.0,
            read_share: 0.9,
            hit_share: 0.8,
            job_seconds: 3.0,
            row_bytes: 100_000.0,
            peak: 5.0,
        }
    }
}

impl Usage {
    /// What can't be, in words. `None`: nothing.
    pub fn refused(&self) -> Option<String> {
        let Self { users, requests, answer_bytes, files, file_bytes, server_ms, database_ms, .. } = self;
        let amounts = [users, requests, answer_bytes, files, file_bytes, server_ms, database_ms];
        let amounts = amounts.into_iter().chain([&self.job_seconds, &self.row_bytes, &self.peak]);
        if amounts.into_iter().any(|amount| !amount.is_finite() || *amount < 0.0) {
            return Some("an amount is below zero".to_owned());
        }
        let shares = [("read_share", self.read_share), ("hit_share", self.hit_share)];
        let wrong = shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share));
        wrong.map(|(name, share)| format!("{name} is {share}, and shares are from 0 to 1"))
    }
}

/// One thing that is paid for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What.
    pub what: String,
    /// How many, of which unit.
    pub amount: f64,
    /// Of which unit.
    pub unit: String,
    /// Dollars a month.
    pub month: f64,
    /// Who says what it costs.
    pub source: String,
}

/// A month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bill {
    /// The article's stage of so many users.
    pub stage: u8,
    /// Tools that are in use.
    pub tools: Vec<Tool>,
    /// What is paid for.
    pub lines: Vec<Line>,
    /// Dollars a month.
    pub month: f64,
    /// Of these, for each thousand users.
    pub thousand_users: f64,
    /// What is more than one machine can do, and which tool shares it.
    pub short: Vec<String>,
}

/// What a month costs with these tools.
pub fn bill(usage: &Usage, tools: &BTreeSet<Tool>, prices: &Prices) -> Bill {
    let has = |tool| tools.contains(&tool);
    let requests = usage.users * usage.requests;
    let files = usage.users * usage.files;
    let hits = if has(Tool::Cache) { requests * usage.read_share * usage.hit_share } else { 0.0 };
    let files_from_edge = if has(Tool::Cdn) { files * EDGE_SHARE } else { 0.0 };
    let answered = requests - hits;
    let mut short = Vec::new();
    let mut lines = Vec::new();
    let mut line = |what: &str, amount: f64, unit: &str, month: f64, source: &str| {
        if amount > 0.0 {
            let (what, unit, source) = (what.to_owned(), unit.to_owned(), source.to_owned());
            lines.push(Line { what, amount, unit, month, source });
        }
    };

    let busiest = |count: f64, ms: f64| count / MONTH * usage.peak * ms / 1_000.0 / LOAD_MAX;
    // Without a queue the same work is done while somebody waits, on the same CPUs.
    let jobs = usage.users * usage.job_seconds / MONTH * usage.peak / LOAD_MAX;
    let cpus = busiest(answered, usage.server_ms) + if has(Tool::Queue) { 0.0 } else { jobs };
    let servers = machines(cpus, prices.server.cpus(), has(Tool::LoadBalancer).then_some(2.0));
    if servers.is_short {
        short.push(format!("{cpus:.1} CPUs are more than one server has: a load balancer shares them"));
    }
    line("servers", servers.count, "machines", servers.count * prices.server.price, &prices.server.source);
    let workers = if has(Tool::Queue) { machines(jobs, prices.server.cpus(), Some(1.0)).count } else { 0.0 };
    line("workers", workers, "machines", workers * prices.server.price, &prices.server.source);

    let reads = busiest(answered * usage.read_share, usage.database_ms);
    let writes = busiest(answered * (1.0 - usage.read_share), usage.database_ms);
    let own = prices.database.cpus();
    let replicas = if has(Tool::ReadReplica) { (reads / own).ceil().max(1.0) } else { 0.0 };
    let primary = if replicas > 0.0 { writes } else { reads + writes };
    if primary > own {
        let who = match replicas > 0.0 {
            true => "writes, which no tool shares: a larger machine",
            false => "a cache or read replicas take reads off",
        };
        short.push(format!("{primary:.1} CPUs are more than the primary has: {who}"));
    }
    let databases = 1.0 + replicas;
    line("databases", databases, "machines", databases * prices.database.price, &prices.database.source);
    let stored = usage.users * usage.row_bytes / GB * databases;
    line("storage", stored, "GB", prices.storage_gb.of(stored), &prices.storage_gb.source);

    let sent = (answered * usage.answer_bytes + (files - files_from_edge) * usage.file_bytes) / GB;
    line("traffic of the servers", sent, "GB", prices.egress_gb.of(sent), &prices.egress_gb.source);
    if [Tool::Cdn, Tool::Cache].into_iter().any(has) {
        let asked = (requests + if has(Tool::Cdn) { files } else { 0.0 }) / MILLION;
        line("edge", 1.0, "plan", prices.edge.price, &prices.edge.source);
        line(
            "requests to the edge",
            asked,
            "million",
            prices.edge_requests.of(asked),
            &prices.edge_requests.source,
        );
    }
    if has(Tool::Cache) {
        let (read, written) = (hits / MILLION, answered * usage.read_share / MILLION);
        line("answers read from KV", read, "million", prices.kv_reads.of(read), &prices.kv_reads.source);
        line(
            "answers written to KV",
            written,
            "million",
            prices.kv_writes.of(written),
            &prices.kv_writes.source,
        );
    }
    let month: f64 = lines.iter().map(|line| line.month).sum();
    Bill {
        stage: stage::of(usage.users).number,
        tools: tools.iter().copied().collect(),
        lines,
        month,
        thousand_users: month / usage.users.max(1.0) * 1_000.0,
        short,
    }
}

struct Machines {
    count: f64,
    is_short: bool,
}

/// Machines for so many CPUs: one, or as many as it takes from `least` on where they share the work.
fn machines(cpus: f64, each: f64, least: Option<f64>) -> Machines {
    match least {
        Some(least) => Machines { count: (cpus / each).ceil().max(least), is_short: false },
        None => Machines { count: 1.0, is_short: cpus > each },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn month(usage: &Usage, tools: &[Tool]) -> Bill {
        bill(usage, &tools.iter().copied().collect(), &Prices::own())
    }

    #[test]
    fn one_server_and_one_database_are_enough_for_few() {
        let bill = month(&Usage::default(), &[]);
        assert_eq!((bill.stage, bill.short.len()), (2, 0));
        let counts: Vec<_> = bill.lines.iter().map(|line| (line.what.as_str(), line.amount)).collect();
        assert_eq!(&counts[..2], [("servers", 1.0), ("databases", 1.0)]);
    }

    #[test]
    fn the_articles_files_cost_what_it_tells() {
        // 10 TB a month: $900 from the server, a fifth of it with four of five files from near by.
        let usage = Usage { users: 1.0, requests: 0.0, files: 1.0, file_bytes: 10e12, ..Usage::default() };
        let traffic = |bill: &Bill| {
            bill.lines.iter().find(|line| line.what.starts_with("traffic")).map_or(0.0, |line| line.month)
        };
        let told: Vec<f64> = Prices::own().article.iter().map(|told| told.price).collect();
        assert!((traffic(&month(&usage, &[])) - told[0]).abs() < 1.0);
        assert!(traffic(&month(&usage, &[Tool::Cdn])) <= told[1]);
    }

    #[test]
    fn what_one_machine_cannot_do_is_said_until_a_tool_shares_it() {
        let usage = Usage { users: 1_000_000.0, ..Usage::default() };
        assert_eq!(month(&usage, &[]).short.len(), 2);
        let all = month(&usage, &Tool::ALL);
        assert_eq!(all.short, Vec::<String>::new());
        assert!(all.month < month(&usage, &[Tool::LoadBalancer, Tool::ReadReplica]).month);
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_the_lines_and_grows_with_the_users(users in 1.0..1e7, more in 1.0..10.0, set in 0_usize..128) {
            let tools: Vec<_> =
                Tool::ALL.into_iter().enumerate().filter(|(place, _)| set >> place & 1 == 1).map(|(_, tool)| tool).collect();
            let one = month(&Usage { users, ..Usage::default() }, &tools);
            let other = month(&Usage { users: users * more, ..Usage::default() }, &tools);
            let sum: f64 = one.lines.iter().map(|line| line.month).sum();
            prop_assert!((sum - one.month).abs() < 1e-6);
            prop_assert!(other.month + 1e-6 >= one.month);
        }
    }
}
