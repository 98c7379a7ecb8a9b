//! What a deployment would do, what it costs and what lacks, by what is known of the account. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use reqwest::Url;
use tidewall_api::advice::{Prices, Tool, Usage, bill};
use tidewall_edge::balance::policy::Policy;

use crate::wrangler::Deployed;

/// What is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// The version that gets the requests; `None` where the Worker isn't there yet.
    pub(super) current: Option<String>,
    /// Names of the secrets that the Worker has.
    pub(super) has_secrets: BTreeSet<String>,
    /// Names of the secrets that the environment has.
    pub(super) given_secrets: BTreeSet<String>,
    /// An earlier build lies here, whose assets go along.
    pub(super) has_earlier_build: bool,
    /// A database is named, whose schema is to be brought up to date first.
    pub(super) has_database: bool,
    /// All requests get the new version in one step.
    pub(super) at_once: bool,
    /// Per cent of the requests, step by step.
    pub(super) steps: Vec<u8>,
    /// What the edge says of the secrets that are given, if it refuses one.
    pub(super) refused_secret: Option<String>,
    /// A page is named that is asked meanwhile.
    pub(super) is_looked_at: bool,
    /// By whom the costs are reckoned.
    pub(super) users: u64,
}

/// What comes of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// In order.
    pub(super) steps: Vec<String>,
    /// What is good to know.
    pub(super) notes: Vec<String>,
    /// What has to be mended first.
    pub(super) problems: Vec<String>,
    /// Names of the secrets that go along.
    pub(super) secrets: Vec<String>,
    /// The Worker is made, or takes all requests in one step.
    pub(super) is_whole: bool,
}

/// The plan.
pub(super) fn plan(config: &Deployed, facts: &Facts) -> Plan {
    let mut plan = Plan { is_whole: facts.current.is_none() || facts.at_once, ..Plan::default() };
    let name = &config.name;
    for origin in &config.edge.origins {
        plan.problems.extend(unreachable(&origin.url).map(|why| format!("origin {}: {why}", origin.id)));
        if origin.url.starts_with("http://") {
            plan.notes
                .push(format!("origin {} is asked over plain HTTP: anybody between reads along", origin.id));
        }
    }
    plan.problems.extend(facts.refused_secret.clone());
    let is_sticky = config.edge.balance.iter().any(|route| route.policy == Policy::Sticky);
    let needed = [("PURGE_TOKEN", true), ("STICKY_SECRET", is_sticky)];
    for name in needed.into_iter().filter_map(|(name, is_needed)| is_needed.then_some(name)) {
        if facts.given_secrets.contains(name) {
            plan.secrets.push(name.to_owned());
        } else if !facts.has_secrets.contains(name) {
            plan.problems.push(format!(
                "the secret {name} lacks: set it in the environment, and it goes along; the origins need the same"
            ));
        }
    }

    if facts.has_database {
        plan.steps.push(
            "bring the database's schema up to date, to one that the running origins can use as well"
                .to_owned(),
        );
    }
    match &facts.current {
        None => {
            plan.steps.push(format!("make the Worker {name}, with the Durable Objects Control and Collapse"));
            plan.steps.push(format!("make the KV namespace {name}-cache"));
        }
        Some(current) => plan.notes.push(format!("what runs now, and is gone back to, is version {current}")),
    }
    for secret in &plan.secrets {
        plan.steps.push(format!("set the secret {secret}"));
    }
    plan.steps.push("send the site's files that are new, and the Worker".to_owned());
    if !plan.is_whole {
        let look = if facts.is_looked_at { "look whether it answers" } else { "wait" };
        for percent in facts.steps.iter().filter(|percent| **percent < 100) {
            plan.steps.push(format!("give the new version {percent} % of the requests, and {look}"));
        }
        plan.steps.push("give the new version all requests".to_owned());
    }
    if !facts.is_looked_at {
        plan.notes.push(
            "nobody looks whether the new version answers: pass --url with a page of the edge".to_owned(),
        );
    }

    if facts.current.is_some() && !facts.has_earlier_build {
        plan.notes.push(
            "no earlier build is known here: open tabs keep only those of its files that the edge has copied to KV; build where target/site lasts".to_owned(),
        );
    }
    if facts.current.is_some() {
        plan.notes.push(
            "a preview of a version shares KV, the control log and the origins with production: what it stores is served there, and what it writes is written".to_owned(),
        );
    }
    plan.notes.extend(costs(facts.users));
    plan
}

/// Why Cloudflare can't reach an origin.
fn unreachable(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    if host.parse::<IpAddr>().is_ok() {
        return Some(format!(
            "{host} is an address, and a Worker's request to one is refused (error 1003): name a host, with a DNS record"
        ));
    }
    if host == "localhost" || !host.contains('.') {
        return Some(format!(
            "{host} is known on this machine or network only: name a host that the world knows"
        ));
    }
    None
}

/// What the platform takes for so many users.
fn costs(users: u64) -> Vec<String> {
    let tools = BTreeSet::from([Tool::Cdn, Tool::Cache, Tool::LoadBalancer]);
    let usage = Usage { users: users as f64, ..Usage::default() };
    let prices = Prices::own();
    let bill = bill(&usage, &tools, &prices);
    let ours: Vec<_> = bill.lines.iter().filter(|line| line.source.starts_with("Cloudflare")).collect();
    let month: f64 = ours.iter().map(|line| line.month).sum();
    let parts: Vec<_> = ours.iter().map(|line| format!("{} ${:.2}", line.what, line.month)).collect();
    vec![format!(
        "about ${month:.2} a month for {users} users ({}); `tidewall cost` has the rest",
        parts.join(", ")
    )]
}

#[cfg(test)]
mod tests {
    use tidewall_edge::config::{Config, Vars};

    use super::*;

    fn deployed(urls: &[&str], policy: &str) -> Deployed {
        let named = |(id, url): (char, &&str)| serde_json::json!({ "id": id, "url": url });
        let origins: Vec<_> = ('a'..='z').zip(urls).map(named).collect();
        let balance = serde_json::json!([{ "path": "/", "policy": policy }]);
        let vars = Vars {
            origins: Some(serde_json::json!(origins).to_string()),
            balance: Some(balance.to_string()),
            sticky_secret: Some("x".repeat(64)),
            ..Vars::default()
        };
        Deployed { name: "shop".to_owned(), edge: Config::parse(&vars).unwrap() }
    }

    fn facts() -> Facts {
        let given_secrets = BTreeSet::from(["PURGE_TOKEN".to_owned()]);
        Facts { given_secrets, steps: vec![10, 100], users: 10_000, ..Facts::default() }
    }

    #[test]
    fn origins_that_the_platform_can_not_reach_are_problems() {
        let urls = ["http://127.0.0.1:8081", "https://[2001:db8::1]", "https://localhost", "https://db-host"];
        let problems = plan(&deployed(&urls, "round-robin"), &facts()).problems;
        assert_eq!(problems.len(), 4, "{problems:#?}");
        assert!(problems[0].contains("error 1003") && problems[2].contains("localhost"), "{problems:#?}");
        assert_eq!(plan(&deployed(&["https://a.example.com"], "round-robin"), &facts()).problems, [""; 0]);
    }

    #[test]
    fn a_secret_that_nobody_has_is_a_problem_and_one_that_is_given_goes_along() {
        let config = deployed(&["https://a.example.com"], "sticky");
        let found = plan(&config, &facts());
        assert_eq!(found.secrets, ["PURGE_TOKEN"]);
        assert!(found.problems.iter().any(|problem| problem.contains("STICKY_SECRET")), "{found:#?}");
        let has = BTreeSet::from(["PURGE_TOKEN".to_owned(), "STICKY_SECRET".to_owned()]);
        let found = plan(&config, &Facts { has_secrets: has, given_secrets: BTreeSet::new(), ..facts() });
        assert_eq!((found.problems.len(), found.secrets.len()), (0, 0), "{found:#?}");
    }

    #[test]
    fn what_is_made_is_said_and_a_first_time_has_no_steps() {
        let config = deployed(&["https://a.example.com"], "round-robin");
        let first = plan(&config, &Facts { has_database: true, ..facts() });
        assert!(first.is_whole);
        assert!(first.steps[0].contains("schema") && first.steps[2].contains("shop-cache"), "{first:#?}");
        let again = plan(&config, &Facts { current: Some("v1".into()), ..facts() });
        assert!(!again.is_whole && again.steps.iter().any(|step| step.contains("10 %")), "{again:#?}");
        assert!(again.notes.iter().any(|note| note.contains("--url")), "{again:#?}");
        let looked_at = Facts { current: Some("v1".into()), is_looked_at: true, ..facts() };
        assert!(plan(&config, &looked_at).steps.iter().any(|step| step.contains("look whether")));
        assert!(again.notes.iter().any(|note| note.contains("preview")), "{again:#?}");
        assert!(plan(&config, &Facts { current: Some("v1".into()), at_once: true, ..facts() }).is_whole);
    }

    #[test]
    fn costs_are_the_platforms_own() {
        let [cost] = &costs(10_000)[..] else { panic!("one line") };
        assert!(cost.starts_with("about $5.00 a month for 10000 users (edge $5.00"), "{cost}");
    }
}
