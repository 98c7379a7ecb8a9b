//! `tidewall check stateless`: whether any origin serves any request of anybody's session.
//!
//! A session is replayed at one origin, which says what each of its steps comes to. Then it is
//! replayed with the origins shuffled: each write goes to another origin than the one before,
//! each read to all of them. A step that comes to something else, or a read that not all
//! answer alike, depends on the origin: one of them remembers what the others don't know.
//!
//! - `script`: a session's steps, and what they take from earlier answers. Pure.
//! - `answers`: whether answers are alike. Pure.
//! - `visitor`: a client that keeps cookies, a token and a bookmark.

mod answers;
mod script;
mod visitor;

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cli::CheckStatelessArgs;
use crate::failure::{Failure, IoContext};
use crate::progress::Progress;
use crate::workspace::Workspace;
use crate::{data, ready};
use answers::Answer;
use script::{Script, Step};
use visitor::Visitor;

/// The demo shop's session: sign up, fill the cart, order, ask for a report, log out.
const SHOP: &str = include_str!("shop.json");
/// How often it is replayed with the origins shuffled.
const REPLAYS: usize = 5;
/// How long answers may differ until that isn't a replica's lag any more.
const LAG_MAX: Duration = Duration::from_secs(2);
/// How often they are looked at meanwhile.
const LAG_POLL: Duration = Duration::from_millis(200);

/// What is read of a ready file.
#[derive(Deserialize)]
struct Ready {
    origins: Vec<ReadyOrigin>,
}

#[derive(Deserialize)]
struct ReadyOrigin {
    url: String,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    stateless: bool,
    origins: Vec<String>,
    steps: Vec<Finding>,
}

/// What was found of one step.
#[derive(Debug, Serialize)]
struct Finding {
    method: String,
    path: String,
    /// What it comes to at one origin.
    status: u16,
    /// What it came to elsewhere, if that was something else.
    depends: Option<String>,
}

/// Replays the session, and prints what depends on the origin.
///
/// # Errors
/// There are no two origins, one doesn't answer, the session can't be read, or an answer
/// depends on the origin.
pub(super) async fn run(args: &CheckStatelessArgs, progress: &Progress) -> Result<(), Failure> {
    let origins = origins(args)?;
    let script = match &args.session {
        Some(path) => Script::parse(&fs::read_to_string(path).or_fail("read", path)?)
            .map_err(|error| Failure::new(format!("{} is no session: {error}", path.display())))?,
        None => Script::parse(SHOP).map_err(Failure::new)?,
    };
    let random = data::random_u32()?;
    let mut steps = alone(&script, &origins[0], random).await?;
    for replay in 0..REPLAYS {
        shuffled(&script, &origins, random, replay, &mut steps).await?;
    }
    let report = Report { stateless: steps.iter().all(|step| step.depends.is_none()), origins, steps };
    if args.json {
        let json = serde_json::to_string_pretty(&report)
            .map_err(|error| Failure::new(format!("cannot write the report as JSON: {error}")))?;
        progress.result(&json);
    } else {
        progress.result(&text(&report));
    }
    if report.stateless {
        return Ok(());
    }
    let depends = report.steps.iter().filter(|step| step.depends.is_some());
    let named: Vec<_> = depends.map(|step| format!("{} {}", step.method, step.path)).collect();
    Err(Failure::new(format!(
        "the answer to {} depends on the origin; keep what it goes by in the database or in a signed token",
        named.join(", ")
    )))
}

/// The origins that were named, else those of the ready file, else those of what runs in the
/// default data directory.
fn origins(args: &CheckStatelessArgs) -> Result<Vec<String>, Failure> {
    let origins: Vec<String> = if args.origins.is_empty() {
        let path = match &args.ready_file {
            Some(path) => path.clone(),
            None => Workspace::find()?.join(data::FOLDER).join(ready::FILE),
        };
        let ready: Ready = ready::read(&path, "start `tidewall dev`, or name the origins with --origin")?;
        ready.origins.into_iter().map(|origin| origin.url).collect()
    } else {
        args.origins.iter().map(|url| url.trim_end_matches('/').to_owned()).collect()
    };
    if origins.len() < 2 {
        return Err(Failure::new("one origin alone depends on nothing; name two or more with --origin"));
    }
    Ok(origins)
}

/// Replays the session at one origin.
async fn alone(script: &Script, origin: &str, random: u32) -> Result<Vec<Finding>, Failure> {
    let mut visitor = Visitor::new(format!("{random:08x}-alone"))?;
    let mut findings = Vec::new();
    for step in &script.steps {
        let answer = visitor.ask(origin, step).await?;
        visitor.learn(step, &answer);
        findings.push(Finding {
            method: step.method.clone(),
            path: step.path.clone(),
            status: answer.status,
            depends: None,
        });
    }
    Ok(findings)
}

/// Replays it with the origins shuffled, and adds what differs.
async fn shuffled(
    script: &Script,
    origins: &[String],
    random: u32,
    replay: usize,
    findings: &mut [Finding],
) -> Result<(), Failure> {
    let mut visitor = Visitor::new(format!("{random:08x}-{replay}"))?;
    let mut turn = replay;
    for (step, finding) in script.steps.iter().zip(findings) {
        // Never the one that had the step before.
        let skipped = usize::try_from(data::random_u32()?).unwrap_or_default() % (origins.len() - 1);
        turn = (turn + 1 + skipped) % origins.len();
        let origin = &origins[turn];
        let answer = visitor.ask(origin, step).await?;
        let mut depends = (answer.status != finding.status).then(|| {
            format!("{} at {origin}, {} when all of it is at {}", answer.status, finding.status, origins[0])
        });
        if depends.is_none() && step.is_read() {
            depends = compared(&mut visitor, step, &answer, origin, origins).await?;
        }
        visitor.learn(step, &answer);
        if finding.depends.is_none() {
            finding.depends = depends;
        }
    }
    Ok(())
}

/// Asks every origin what `origin` has answered; how one differs, if one does.
async fn compared(
    visitor: &mut Visitor,
    step: &Step,
    first: &Answer,
    origin: &str,
    origins: &[String],
) -> Result<Option<String>, Failure> {
    let begun = tokio::time::Instant::now();
    let mut first = first.clone();
    loop {
        // What changes from one time to the next at the same origin tells nothing.
        let again = visitor.ask(origin, step).await?;
        let mut difference = None;
        for other in origins.iter().filter(|other| *other != origin) {
            let answer = visitor.ask(other, step).await?;
            if let Some(how) = answers::difference(&first, &again, &answer) {
                difference = Some(format!("{other} differs from {origin}: {how}"));
                break;
            }
        }
        if difference.is_none() || begun.elapsed() > LAG_MAX {
            return Ok(difference);
        }
        tokio::time::sleep(LAG_POLL).await;
        first = visitor.ask(origin, step).await?;
    }
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!("a session at {}", report.origins.join(", "))];
    for step in &report.steps {
        let Finding { method, path, status, depends } = step;
        match depends {
            None => lines.push(format!("  same     {status}  {method} {path}")),
            Some(how) => lines.push(format!("  DEPENDS  {status}  {method} {path}: {how}")),
        }
    }
    lines.push(if report.stateless {
        format!("any origin serves any request: {REPLAYS} replays with the origins shuffled came to the same")
    } else {
        "not any origin serves any request".to_owned()
    });
    lines.join("\n")
}
