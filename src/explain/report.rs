//! An explanation on a page of text.

use std::fmt::Write as _;

use tidewall_api::headers::LSN_PRIMARY;
use tidewall_edge::explain::copies::{CopyAccount, LevelAccount};
use tidewall_edge::explain::fresh::FreshAccount;
use tidewall_edge::explain::key::KeyAccount;
use tidewall_edge::explain::reason::Reason;
use tidewall_edge::explain::standing::{EntryAccount, PositionAccount, ViewAccount};
use tidewall_edge::explain::{Decision, Explanation};

/// Width of the column of names.
const NAMES: usize = 18;

/// The report: what becomes of the request, then section by section why.
pub(super) fn of(explanation: &Explanation) -> String {
    let mut report = Report(format!("GET {}\n\n  {}\n", explanation.url, explanation.summary));
    if let Some(account) = &explanation.key {
        key(&mut report, account);
    }
    if !explanation.levels.is_empty() {
        report.section("Stored copies");
        explanation.levels.iter().for_each(|account| level(&mut report, account));
    }
    if let Some(account) = &explanation.view {
        view(&mut report, account);
    }
    if let Some(account) = &explanation.decision {
        decision(&mut report, account);
    }
    if let Some(account) = &explanation.fresh {
        fresh(&mut report, account);
    }
    let reasons = explanation.reasons();
    if !reasons.is_empty() {
        report.section("Advice");
        for Reason { name, advice, .. } in reasons {
            report.row(name, &advice.sentence);
        }
    }
    report.0
}

struct Report(String);

impl Report {
    fn section(&mut self, title: &str) {
        let _ = writeln!(self.0, "\n{title}");
    }

    fn row(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "  {name:<NAMES$}{}{value}", if name.len() < NAMES { "" } else { " " });
    }
}

fn key(report: &mut Report, account: &KeyAccount) {
    report.section("Key");
    let digest = if account.is_digest { " (the URL is too long to be it)" } else { "" };
    report.row("stored under", &format!("{}{digest}", account.key));
    if !account.dropped.is_empty() {
        report.row("dropped", &account.dropped.join("&"));
    }
    if account.is_sorted {
        report.row("sorted", &account.query);
    }
    if let Some(variant) = &account.variant {
        for (name, value) in &variant.selected_by {
            report.row("variant of", &format!("{name}: {}", value.as_deref().unwrap_or("(not sent)")));
        }
    }
}

fn level(report: &mut Report, account: &LevelAccount) {
    let name = account.level.as_str();
    match (&account.copy, &account.unknown, &account.varies_by) {
        (Some(account_of_copy), ..) => {
            let (status, bytes, age_s) =
                (account_of_copy.status, account_of_copy.body_bytes, account_of_copy.age_s);
            let decides = if account.is_decisive { "; this one decides" } else { "" };
            report.row(name, &format!("a {status} of {bytes} bytes, {age_s} s old{decides}"));
            copy(report, account_of_copy);
        }
        (None, Some(why), _) => report.row(name, &format!("not known: {why}")),
        (None, None, Some(names)) => {
            report.row(name, &format!("no such variant, only what tells them apart: {}", names.join(", ")));
        }
        (None, None, None) => report.row(name, "nothing"),
    }
}

fn copy(report: &mut Report, account: &CopyAccount) {
    match (&account.usable, &account.reason) {
        (Some(basis), _) => {
            report.row("", &format!("may be used: {basis}, ttl {} s", account.ttl_s.unwrap_or(0)))
        }
        (None, Some(reason)) => report.row("", &format!("may not be used: {} ({})", reason.why, reason.name)),
        (None, None) => {}
    }
    report.row("", &account.lifetime.words());
    groups(report, "", &account.groups);
    report.row("", &position(&account.position));
    account.entries.iter().for_each(|entry| report.row("", &words(entry)));
}

fn groups(report: &mut Report, name: &str, groups: &[String]) {
    if !groups.is_empty() {
        report.row(name, &format!("in the groups {}", groups.join(", ")));
    }
}

fn position(account: &PositionAccount) -> String {
    let read = match account.lsn.as_deref() {
        None => String::new(),
        Some(LSN_PRIMARY) => ", read on the primary".to_owned(),
        Some(lsn) => format!(", read at LSN {lsn}"),
    };
    format!("fence {}{read}", account.fence)
}

fn words(entry: &EntryAccount) -> String {
    let EntryAccount { scope, name, is_soft, seq, lsn, is_passed } = entry;
    let name = name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    let lsn = lsn.map(|lsn| format!(", LSN {lsn}")).unwrap_or_default();
    let passed = match (is_passed, is_soft) {
        (true, _) => "it is past that",
        (false, true) => "stale since then",
        (false, false) => "out of date since then",
    };
    format!("log: {scope}{name} at {seq}{lsn}; {passed}")
}

fn view(report: &mut Report, account: &ViewAccount) {
    report.section("View");
    match account.seq {
        Some(seq) => {
            report.row("control log", &format!("read up to {seq}, from {}", account.first.unwrap_or(0)))
        }
        None => report.row("control log", "never read"),
    }
    if !account.is_current {
        report.row("", "too old to answer from the store");
    }
    if account.lsn > 0 {
        report.row("origins read at", &format!("{} or later", account.lsn));
    }
    if let Some(bookmark) = &account.bookmark {
        report.row("reader has seen", bookmark);
    }
}

fn decision(report: &mut Report, account: &Decision) {
    report.section("Decision");
    report.row("Cache-Status", &account.cache_status);
    if let Some(reason) = &account.reason {
        report.row("because", &reason.why);
    }
    for (name, value) in &account.conditions {
        report.row("asks with", &format!("{name}: {value}"));
    }
    if account.bridges_errors {
        report.row("if origins fail", "what is stored is the answer");
    }
}

fn fresh(report: &mut Report, account: &FreshAccount) {
    report.section("Fresh answer");
    if let Some(why) = &account.failure {
        report.row("none", why);
        return;
    }
    if let (Some(origin), Some(status)) = (&account.origin, account.status) {
        report.row(&format!("origin {origin}"), &status.to_string());
    }
    account.fields.iter().for_each(|(name, value)| report.row(name, value));
    match (&account.reason, &account.lifetime) {
        (Some(reason), _) => report.row("would be stored", &format!("no: {} ({})", reason.why, reason.name)),
        (None, Some(lifetime)) => report.row("would be stored", &format!("yes: {}", lifetime.words())),
        (None, None) => {}
    }
    if !account.varies_by.is_empty() {
        report.row("", &format!("as a variant by {}", account.varies_by.join(", ")));
    }
    groups(report, "", &account.groups);
    if let Some(account) = &account.position {
        report.row("", &position(account));
    }
    if account.is_stored && !account.has_validator {
        report.row("", "without ETag or Last-Modified: once stale it is fetched whole");
    }
}
