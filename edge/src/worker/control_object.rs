//! The control log's keeper: one Durable Object for the whole edge.
//!
//! The log is in memory, and written down in the object's SQLite before anybody hears
//! of an append: the runtime holds an answer back until what was written is safe. The
//! memory goes with the object; the next one reads the log again.
//!
//! As there is one of it, and it hears of all isolates, it also watches origins and keeps the
//! assets of earlier builds, by its alarm.

use std::cell::RefCell;
use std::time::Duration;

use futures::future::{join, join_all};
use js_sys::futures::JsFuture;
use tidewall_api::headers::TIDEWALL_DRAINING;
use wasm_bindgen::JsCast;
use web_sys::{RequestInit, RequestRedirect};
use worker::{
    DurableObject, Env, Request, Response, Result, SqlStorage, SqlStorageValue, State, durable_object,
};

use crate::balance::quorum::Quorum;
use crate::balance::watch::{PROBE_MAX, Probe, Watch};
use crate::config::{self, Origin};
use crate::control::entry::{Key, Mark};
use crate::control::exchange::{Answer, Logged, Question};
use crate::control::log::{Appended, Changes, Log, Write};
use crate::kept::{FILES_MAX, FILES_MAX_BESIDE};
use crate::worker::deadline::within;
use crate::worker::js;
use crate::worker::keeping::Keeping;
use crate::worker::reply::Body;

/// Positions are written as text: SQLite's integers are handed out as JavaScript
/// numbers, which end at 2^53. `writes` had the scopes themselves; to forget some costs hits.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS log (one INTEGER PRIMARY KEY CHECK (one = 1), first TEXT NOT NULL, head TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, mark TEXT NOT NULL) WITHOUT ROWID;
    DROP TABLE IF EXISTS writes;
    CREATE TABLE IF NOT EXISTS remembered (id INTEGER PRIMARY KEY, seq TEXT NOT NULL, write TEXT NOT NULL);
";

/// Time that a part of keeping assets may take, and while origins are to be looked at again.
const STEP_DEADLINE: Duration = Duration::from_secs(60);
const STEP_DEADLINE_BESIDE: Duration = Duration::from_secs(2);

/// The keeper.
#[durable_object(alarm)]
pub struct Control {
    state: State,
    env: Env,
    sql: SqlStorage,
    log: RefCell<Option<Log>>,
    /// Not written down: what is forgotten is reported again.
    watch: RefCell<Watch>,
    /// Nor is this.
    quorum: RefCell<Quorum>,
    keeping: Keeping,
}

impl DurableObject for Control {
    fn new(state: State, env: Env) -> Self {
        let sql = state.storage().sql();
        Self {
            state,
            env,
            sql,
            log: RefCell::new(None),
            watch: RefCell::default(),
            quorum: RefCell::default(),
            keeping: Keeping::default(),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let question: Question = serde_json::from_str(&request.text().await?)?;
        // First: what was seen before this trouble is no answer to it. What becomes of the watch is
        // no answer's concern.
        if let Err(error) = self.watch_for(&question.suspects).await {
            worker::console_warn!("origins can't be watched: {error}");
        }
        if question.build.as_deref().is_some_and(|build| self.keeping.heard(build))
            && let Err(error) = self.state.storage().set_alarm(0).await
        {
            worker::console_warn!("the site's assets can't be kept: {error}");
            self.keeping.unheard();
        }
        if !question.failing.is_empty()
            && let Ok(origins) = self.origins()
        {
            for origin in origins.iter().filter(|origin| question.failing.contains(&origin.id)) {
                self.quorum.borrow_mut().ejected(&origin.id, question.isolate, js::now());
            }
        }
        Response::from_json(&self.answer(question)?)
    }

    async fn alarm(&self) -> Result<Response> {
        let to_probe = self.watch.borrow().to_probe();
        let (files_max, deadline) = match to_probe.is_empty() {
            true => (FILES_MAX, STEP_DEADLINE),
            false => (FILES_MAX_BESIDE, STEP_DEADLINE_BESIDE),
        };
        let keeping = self.keeping.step(&self.sql, &self.env, files_max, deadline);
        let (probed, ()) = join(self.probe_all(&to_probe), keeping).await;
        let pauses = [self.watch.borrow().pause(js::now()), self.keeping.pause()];
        if let Some(pause) = pauses.into_iter().flatten().min() {
            self.state.storage().set_alarm(pause).await?;
        }
        probed?;
        Response::empty()
    }
}

/// Asks an origin whether it is ready.
async fn probe(url: &str) -> Probe {
    let init = RequestInit::new();
    init.set_redirect(RequestRedirect::Manual);
    let sent = js::scope().fetch_with_str_and_init(&format!("{url}/readyz"), &init);
    match within(PROBE_MAX, JsFuture::from(sent)).await {
        Some(Ok(answer)) => match answer.dyn_into::<web_sys::Response>() {
            Ok(answer) => {
                Body::of(&answer).discard();
                Probe::of(answer.status(), answer.headers().has(TIDEWALL_DRAINING).unwrap_or_default())
            }
            Err(_) => Probe::Unready,
        },
        Some(Err(_)) => Probe::Refused,
        None => Probe::Unready,
    }
}

impl Control {
    fn origins(&self) -> Result<Vec<Origin>> {
        let origins = js::variable(&self.env, "ORIGINS")?;
        config::origins(origins.as_deref()).map_err(|error| error.to_string().into())
    }

    /// Looks at origins.
    async fn probe_all(&self, ids: &[String]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let origins = self.origins()?;
        let probes = ids.iter().filter_map(|id| {
            let origin = origins.iter().find(|origin| origin.id == *id)?;
            Some(async move { (id, probe(&origin.url).await) })
        });
        for (id, probe) in join_all(probes).await {
            self.watch.borrow_mut().probed(id, probe, js::now());
        }
        Ok(())
    }

    /// Looks at origins that were reported.
    async fn watch_for(&self, reported: &[String]) -> Result<()> {
        if reported.is_empty() {
            return Ok(());
        }
        let mut has_new = false;
        for origin in self.origins()?.iter().filter(|origin| reported.contains(&origin.id)) {
            has_new |= self.watch.borrow_mut().report(&origin.id, js::now());
        }
        if has_new {
            self.state.storage().set_alarm(0).await?;
        }
        Ok(())
    }

    fn answer(&self, question: Question) -> Result<Answer> {
        let mut kept = self.log.borrow_mut();
        // Taken out while it is changed: should writing fail, the next question reads the
        // log again as it was written down.
        let mut log = match kept.take() {
            Some(log) => log,
            None => self.read()?,
        };
        let logged = match question.append {
            None => None,
            Some(append) => {
                let Appended { seq, previous, is_duplicate, changes } = log.append(append, js::now());
                self.write(&log, seq, &changes)?;
                Some(Logged { seq, previous, is_duplicate })
            }
        };
        let delta = log.since(question.known);
        *kept = Some(log);
        let mut verdicts = self.watch.borrow_mut().verdicts(js::now());
        verdicts.extend(self.quorum.borrow_mut().verdicts(js::now()));
        Ok(Answer { logged, delta, verdicts })
    }

    fn read(&self) -> Result<Log> {
        self.sql.exec(SCHEMA, None)?;
        let Some(row) = rows(&self.sql, "SELECT first, head FROM log")?.pop() else {
            let log = Log::begun(js::now());
            let (first, head) = (log.first().to_string(), log.head().to_string());
            self.sql.exec(
                "INSERT INTO log (one, first, head) VALUES (1, ?, ?)",
                vec![first.into(), head.into()],
            )?;
            return Ok(log);
        };
        let (first, head) = (number(&row, 0)?, number(&row, 1)?);
        let entries: Vec<(Key, Mark)> = rows(&self.sql, "SELECT key, mark FROM entries")?
            .iter()
            .map(|row| Ok((json(row, 0)?, json(row, 1)?)))
            .collect::<Result<_>>()?;
        let writes: Vec<(u64, Write)> = rows(&self.sql, "SELECT seq, write FROM remembered ORDER BY id")?
            .iter()
            .map(|row| Ok((number(row, 0)?, json(row, 1)?)))
            .collect::<Result<_>>()?;
        Ok(Log::restored(first, head, entries, writes))
    }

    /// Several statements without a wait between them are one transaction.
    fn write(&self, log: &Log, seq: u64, changes: &Changes) -> Result<()> {
        self.sql.exec("UPDATE log SET head = ?", vec![log.head().to_string().into()])?;
        for (key, mark) in &changes.raised {
            let row = vec![serde_json::to_string(key)?.into(), serde_json::to_string(mark)?.into()];
            self.sql.exec("INSERT OR REPLACE INTO entries (key, mark) VALUES (?, ?)", row)?;
        }
        for key in &changes.evicted {
            self.sql.exec("DELETE FROM entries WHERE key = ?", vec![serde_json::to_string(key)?.into()])?;
        }
        if changes.forgotten > 0 {
            self.sql.exec(
                "DELETE FROM remembered WHERE id IN (SELECT id FROM remembered ORDER BY id LIMIT ?)",
                vec![SqlStorageValue::Float(changes.forgotten as f64)],
            )?;
        }
        if let Some(write) = &changes.remembered {
            let row = vec![seq.to_string().into(), serde_json::to_string(write)?.into()];
            self.sql.exec("INSERT INTO remembered (seq, write) VALUES (?, ?)", row)?;
        }
        Ok(())
    }
}

/// What a query finds.
pub(super) fn rows(sql: &SqlStorage, query: &str) -> Result<Vec<Vec<SqlStorageValue>>> {
    sql.exec(query, None)?.raw().collect()
}

/// A column that holds text.
pub(super) fn text(row: &[SqlStorageValue], column: usize) -> Result<&str> {
    match row.get(column) {
        Some(SqlStorageValue::String(text)) => Ok(text),
        _ => Err("a table of the control log's keeper holds something else than text".into()),
    }
}

/// A column that holds a number, as text.
pub(super) fn number(row: &[SqlStorageValue], column: usize) -> Result<u64> {
    text(row, column)?.parse().map_err(|_| "a table of the control log's keeper holds a broken number".into())
}

fn json<T: serde::de::DeserializeOwned>(row: &[SqlStorageValue], column: usize) -> Result<T> {
    Ok(serde_json::from_str(text(row, column)?)?)
}
