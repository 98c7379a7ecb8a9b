//! `tidewall audit`: axe and Lighthouse on every page, as it is deployed, before a system that
//! runs on this machine for it.

mod figures;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tidewall_app::paths;
use tokio::process::Command;

use crate::audit::figures::Audit;
use crate::cli::{AuditArgs, DevArgs};
use crate::data::DataDir;
use crate::failure::{Failure, IoContext};
use crate::leftovers::Records;
use crate::listen::listen;
use crate::progress::Progress;
use crate::workspace::{Flavor, Workspace};
use crate::{dev, npm, ready};

/// Where screenshots and reports are left.
const OUTPUT: &str = "target/audit";
/// Where in there the system is meanwhile.
const SYSTEM: &str = "system";
/// Where what looks comes from.
const FOLDER: &str = "audit";
/// Orders of the system that is looked at.
const ORDERS: u32 = 2_000;
/// Time that all of it may take.
const WITHIN: Duration = Duration::from_mins(40);
/// Between these lines README.md has the figures.
const MARKERS: [&str; 2] = ["<!-- audit -->", "<!-- /audit -->"];

/// A page, for what looks at it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    path: String,
    /// Who looks; the last of them with Lighthouse.
    readers: &'static [&'static str],
    /// It asks to be in no search engine.
    is_private: bool,
    /// It is what a 404 shows.
    is_missing: bool,
}

/// What the program that looks is told. Has no `Debug`: it holds a password.
#[derive(Serialize)]
struct Asked<'a> {
    edge: &'a str,
    staff: &'a crate::origins::Staff,
    pages: &'a [Page],
    /// The browser's program.
    chrome: String,
    folder: String,
    runs: u8,
}

/// Looks, prints what is there, and says what is not good enough.
///
/// # Errors
/// What keeps it from looking; and what is not good enough.
pub(crate) async fn run(args: &AuditArgs, progress: &Progress) -> Result<(), Failure> {
    let pages = pages(&args.pages)?;
    if args.readme && (!args.pages.is_empty() || args.runs == 0) {
        return Err(Failure::new("README.md has the figures of all pages: pass --readme without --page"));
    }
    let workspace = Workspace::find()?;
    npm::ensure(&workspace, progress).await?;
    let tools = npm::in_cache(&workspace, FOLDER, progress).await?;
    let script = tools.join("audit.mjs");
    fs::copy(workspace.join(FOLDER).join("audit.mjs"), &script).or_fail("copy to", &script)?;
    let output = args.output.clone().unwrap_or_else(|| workspace.join(OUTPUT));
    let data = output.join(SYSTEM);
    let stack = DevArgs::of_its_own(data.clone(), 1, ORDERS);
    let look = async |running| look(&workspace, &script, &output, &pages, running, args.runs, progress).await;
    dev::with_stack(stack, Flavor::Release, progress, look).await?;
    DataDir::open(&data)?.remove()?;
    let audit = Audit::read(&output.join("audit.json"))?;
    progress.result(&audit.table());
    progress.step(format!("screenshots and reports are in {}", output.display()));
    if args.readme {
        write_readme(&workspace.join("README.md"), &audit.table())?;
    }
    match audit.missed() {
        missed if missed.is_empty() => Ok(()),
        missed => {
            Err(Failure::new(format!("{} figures are missed", missed.len())).with_output(missed.join("\n")))
        }
    }
}

async fn look(
    workspace: &Workspace,
    script: &Path,
    output: &Path,
    pages: &[Page],
    running: ready::Stack,
    runs: u8,
    progress: &Progress,
) -> Result<(), Failure> {
    let edge = running.edge.as_deref().ok_or_else(|| Failure::new("the system has no edge"))?;
    // Whoever has brought the system up has this folder.
    for entry in fs::read_dir(output).or_fail("read", output)?.flatten() {
        let is_ours = |end: &str| entry.path().extension().is_some_and(|extension| extension == end);
        if ["png", "html", "json"].into_iter().any(is_ours) {
            fs::remove_file(entry.path()).or_fail("remove", &entry.path())?;
        }
    }
    let asked = Asked {
        edge,
        staff: &running.staff,
        pages,
        chrome: npm::chromium(workspace).await?.display().to_string(),
        folder: output.display().to_string(),
        runs,
    };
    let asked = serde_json::to_vec(&asked)
        .map_err(|error| Failure::new(format!("cannot say what is to be looked at: {error}")))?;
    let mut command = Command::new(workspace.npm_program("node"));
    command
        .arg(script)
        .env("PATH", npm::path_with_node(workspace)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let records: &Records = workspace.children();
    listen(&mut command, "the audit", &asked, WITHIN, records, progress).await
}

/// The pages that are `asked` for; all where none is.
fn pages(asked: &[String]) -> Result<Vec<Page>, Failure> {
    const ALL: &[&str] = &["guest", "staff"];
    let page = |path: &str, readers, is_private| Page {
        path: path.to_owned(),
        readers,
        is_private,
        is_missing: path == paths::NOT_FOUND,
    };
    // Whom a page is for looks last.
    let guests_too: &[&str] = &["staff", "guest"];
    let all = vec![
        page(paths::LIST, guests_too, false),
        page(&paths::product(1), guests_too, false),
        page(paths::CART, ALL, true),
        page(paths::ORDERS, ALL, true),
        page(paths::REPORTS, ALL, true),
        page(paths::LOGIN, &["guest"], true),
        page(paths::LAB, guests_too, false),
        page(paths::TOOLKIT, guests_too, false),
        page(paths::OPS, ALL, true),
        page(paths::NOT_FOUND, &["guest"], true),
    ];
    if let Some(unknown) = asked.iter().find(|path| all.iter().all(|page| page.path != **path)) {
        let known: Vec<&str> = all.iter().map(|page| page.path.as_str()).collect();
        return Err(Failure::new(format!("there is no page {unknown}; there are {}", known.join(", "))));
    }
    Ok(all.into_iter().filter(|page| asked.is_empty() || asked.contains(&page.path)).collect())
}

/// Puts the table where README.md has the figures.
fn write_readme(path: &Path, table: &str) -> Result<(), Failure> {
    let text = fs::read_to_string(path).or_fail("read", path)?;
    let written = between(&text, table).ok_or_else(|| {
        Failure::new(format!("{} has no {} and {}", path.display(), MARKERS[0], MARKERS[1]))
    })?;
    fs::write(path, written).or_fail("write", path)
}

fn between(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(MARKERS[0])?;
    let (_, after) = rest.split_once(MARKERS[1])?;
    Some(format!("{before}{}\n{}\n{}{after}", MARKERS[0], table.trim_end(), MARKERS[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_app_is_looked_at() {
        let looked_at: Vec<String> = pages(&[]).unwrap().into_iter().map(|page| page.path).collect();
        let product = paths::product(1);
        let routes = [
            paths::LIST,
            product.as_str(),
            paths::CART,
            paths::ORDERS,
            paths::REPORTS,
            paths::LOGIN,
            paths::LAB,
            paths::TOOLKIT,
            paths::OPS,
            paths::NOT_FOUND,
        ];
        assert_eq!(looked_at, routes);
    }

    #[test]
    fn a_page_that_there_is_not_is_refused_with_those_there_are() {
        let failure = pages(&["/labs".to_owned()]).unwrap_err().to_string();
        assert!(failure.starts_with("there is no page /labs; there are /, /products/1, "), "{failure}");
    }

    #[test]
    fn the_table_takes_the_place_of_the_one_before() {
        let text = "a\n<!-- audit -->\nold\n<!-- /audit -->\nb\n";
        assert_eq!(between(text, "new\n").unwrap(), "a\n<!-- audit -->\nnew\n<!-- /audit -->\nb\n");
        assert_eq!(between("a\n", "new"), None);
    }
}
