//! The assets of earlier builds, in KV: how they come there and go, and how one is read.

use std::cell::RefCell;
use std::time::Duration;

use js_sys::futures::JsFuture;
use js_sys::{ArrayBuffer, Uint8Array};
use tidewall_api::manifest::{Kept, Manifest};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::ReadableStream;
use worker::worker_sys::Fetcher;
use worker::{Env, Result, SqlStorage};

use crate::kept::ledger::{Build, Changes, Ledger, Named};
use crate::kept::pace::{Pace, Step};
use crate::kept::{self, PATHS_REMOVED_MAX, assets, forms, key, keys};
use crate::time::Timestamp;
use crate::worker::control_object::{number, rows, text};
use crate::worker::deadline::within;
use crate::worker::kv::Namespace;
use crate::worker::{js, site, store};

/// Numbers are written as text, as those of the log are.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS kept_builds (name TEXT PRIMARY KEY, turn TEXT NOT NULL, until TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS kept_assets (path TEXT PRIMARY KEY, turn TEXT NOT NULL, is_copied TEXT NOT NULL) WITHOUT ROWID;
";

/// Time that a file may take to be read or written.
const FILE_DEADLINE: Duration = Duration::from_secs(10);
/// Time that KV may take to answer a client. It may have to ask far away.
const READ_DEADLINE: Duration = Duration::from_secs(5);

/// What the keeper of the control log does beside that.
#[derive(Default)]
pub(super) struct Keeping {
    pace: RefCell<Pace>,
}

impl Keeping {
    /// An isolate serves this build. Whether there is something to be done at once.
    pub(super) fn heard(&self, build: &str) -> bool {
        self.pace.borrow_mut().heard(build, js::now())
    }

    /// There will be no alarm for what was heard.
    pub(super) fn unheard(&self) {
        self.pace.borrow_mut().unheard();
    }

    /// Time to the next part of the work, if any is left.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.pace.borrow().pause(js::now())
    }

    /// Does a part of the work, if it is time: copies so many files at most, and ends by the deadline.
    pub(super) async fn step(&self, sql: &SqlStorage, env: &Env, files_max: usize, deadline: Duration) {
        if !self.pace.borrow().is_due(js::now()) {
            return;
        }
        // What was done is on record, file by file.
        let step = within(deadline, step(sql, env, files_max)).await;
        let step = step.unwrap_or_else(|| Err("it took too long".into())).unwrap_or_else(|error| {
            worker::console_warn!("assets can't be kept: {error}");
            Step::Stuck
        });
        self.pace.borrow_mut().stepped(step, js::now());
    }
}

async fn step(sql: &SqlStorage, env: &Env, files_max: usize) -> Result<Step> {
    let (Some(site), Some(kv)) = (site::binding(env)?, namespace(env)?) else {
        return Ok(Step::Done(String::new()));
    };
    let manifest = site::read_manifest(&site).await?;
    if manifest.build.is_empty() {
        return Ok(Step::Done(String::new()));
    }
    let mut ledger = read(sql)?;
    let changes = ledger.is_served(&manifest.build, assets(&manifest).map(|(path, _)| path), js::now());
    write(sql, &changes)?;
    let (copied, is_whole) = copy(sql, &site, &kv, &manifest, &mut ledger, files_max).await?;
    if !is_whole {
        return Ok(if copied > 0 { Step::More } else { Step::Stuck });
    }
    let gone = ledger.gone(js::now());
    for path in gone.iter().take(PATHS_REMOVED_MAX) {
        // A build that names it again would else find a part of it.
        write(sql, &ledger.begins_to_go(path))?;
        for key in keys(path) {
            kv.delete(&key).await?;
        }
        write(sql, &ledger.removed(path, js::now()))?;
    }
    Ok(if gone.len() > PATHS_REMOVED_MAX { Step::More } else { Step::Done(manifest.build) })
}

/// Copies assets that are not in KV yet: how many, and whether they are all there now.
async fn copy(
    sql: &SqlStorage,
    site: &Fetcher,
    kv: &Namespace,
    manifest: &Manifest,
    ledger: &mut Ledger,
    files_max: usize,
) -> Result<(usize, bool)> {
    let (mut files, mut copied, mut is_whole) = (0, 0, true);
    for (path, kept) in assets(manifest) {
        if ledger.has(path) {
            continue;
        }
        let forms = forms(&kept);
        files += forms.len();
        // One is copied in any case.
        if files > files_max && files > forms.len() {
            return Ok((copied, false));
        }
        match copy_one(site, kv, path, &kept, &forms).await {
            Ok(()) => {
                write(sql, &ledger.copied(path))?;
                copied += 1;
            }
            Err(error) => {
                worker::console_warn!("{path} can't be kept: {}", js::message(&error));
                is_whole = false;
            }
        }
    }
    Ok((copied, is_whole))
}

async fn copy_one(
    site: &Fetcher,
    kv: &Namespace,
    path: &str,
    kept: &Kept,
    forms: &[kept::Form],
) -> std::result::Result<(), JsValue> {
    let metadata = serde_json::to_string(kept).map_err(|error| error.to_string())?;
    for form in forms {
        let file = format!("{path}{}", form.ending);
        let copying = async {
            let response = site::fetch(site, &file).await?;
            let bytes: ArrayBuffer = JsFuture::from(response.array_buffer()?).await?.unchecked_into();
            // Half a file must not pass for the whole.
            if response.status() != 200 || u64::from(bytes.byte_length()) != form.size {
                let (status, length) = (response.status(), bytes.byte_length());
                return Err(format!("{file}: status {status}, {length} bytes").into());
            }
            let key = key(path, form.ending).ok_or("its path is too long")?;
            kv.put_with_metadata(&key, &Uint8Array::new(&bytes), &metadata).await
        };
        within(FILE_DEADLINE, copying).await.unwrap_or_else(|| Err("it took too long".into()))?;
    }
    Ok(())
}

fn read(sql: &SqlStorage) -> Result<Ledger> {
    sql.exec(SCHEMA, None)?;
    let mut ledger = Ledger::default();
    for row in rows(sql, "SELECT name, turn, until FROM kept_builds")? {
        let build = Build { turn: number(&row, 1)?, until: Timestamp::from_millis(number(&row, 2)?) };
        ledger.restore_build(text(&row, 0)?.to_owned(), build);
    }
    for row in rows(sql, "SELECT path, turn, is_copied FROM kept_assets ORDER BY path")? {
        let named = Named { turn: number(&row, 1)?, is_copied: number(&row, 2)? == 1 };
        ledger.restore_asset(text(&row, 0)?.to_owned(), named);
    }
    Ok(ledger)
}

/// Several statements without a wait between them are one transaction.
fn write(sql: &SqlStorage, changes: &Changes) -> Result<()> {
    let put = |query: &str, name: &str, numbers: [u64; 2]| {
        let [one, other] = numbers.map(|number| number.to_string().into());
        sql.exec(query, vec![name.into(), one, other]).map(drop)
    };
    let remove = |query: &str, name: &str| sql.exec(query, vec![name.into()]).map(drop);
    for (name, build) in &changes.builds {
        let numbers = [build.turn, build.until.as_millis()];
        put("INSERT OR REPLACE INTO kept_builds (name, turn, until) VALUES (?, ?, ?)", name, numbers)?;
    }
    for name in &changes.forgotten_builds {
        remove("DELETE FROM kept_builds WHERE name = ?", name)?;
    }
    for (path, named) in &changes.assets {
        let numbers = [named.turn, u64::from(named.is_copied)];
        put("INSERT OR REPLACE INTO kept_assets (path, turn, is_copied) VALUES (?, ?, ?)", path, numbers)?;
    }
    for path in &changes.forgotten_assets {
        remove("DELETE FROM kept_assets WHERE path = ?", path)?;
    }
    Ok(())
}

/// What is kept of an asset, and the bytes of one of its forms.
pub(super) async fn find(
    env: &Env,
    path: &str,
    ending: &str,
) -> std::result::Result<Option<(Kept, ReadableStream)>, JsValue> {
    let (Some(kv), Some(key)) = (namespace(env)?, key(path, ending)) else { return Ok(None) };
    let found = within(READ_DEADLINE, kv.get_with_metadata(&key)).await;
    let Some((bytes, metadata)) = found.unwrap_or_else(|| Err("no answer within its deadline".into()))?
    else {
        return Ok(None);
    };
    let kept = serde_json::from_str(&metadata).map_err(|error| format!("metadata of {key}: {error}"))?;
    Ok(Some((kept, bytes)))
}

fn namespace(env: &Env) -> std::result::Result<Option<Namespace>, JsValue> {
    Ok(js::binding(env, store::BINDING)?.map(JsCast::unchecked_into))
}
