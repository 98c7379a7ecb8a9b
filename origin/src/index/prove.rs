//! Proves candidates: builds each on a copy, and measures what the statements take with it. What can't be
//! run on a copy is planned on the tables themselves, where HypoPG lets the planner believe in an index.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::IndexError;
use super::candidate::Candidate;
use super::choose::Reading;
use super::facts::{Name, Table};
use super::hypothetical::Hypothetical;
use super::plan::Node;
use super::scratch::{Built, Copied, Scratch, Size};
use super::session::{Refused, Session};
use super::values::Source;
use super::work::Work;

/// What was found about a candidate.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) built: Built,
    /// For each statement what it takes with it; none: the planner doesn't use it.
    pub(super) with: Vec<Option<Reading>>,
}

/// What is measured, and how it is now.
pub(super) struct Bench<'a> {
    session: &'a Session,
    /// `None`: nothing may be copied.
    scratch: Option<&'a Scratch<'a>>,
    hypothetical: Option<&'a Hypothetical<'a>>,
    /// For each statement. `Err`: why nothing can be said of it.
    tests: Vec<Result<Test, String>>,
    ends_at: Instant,
}

/// A statement that is tried.
struct Test {
    on: On,
    /// As it is on the copies, or on the tables themselves.
    sql: String,
    is_write: bool,
    parameters: u32,
    tables: BTreeSet<Name>,
    /// Sets of values. Empty: it is planned and not run.
    sets: Vec<Vec<Option<String>>>,
    now: Reading,
    /// Milliseconds of the planner's units, where it isn't run.
    ms_per_cost: f64,
}

/// What a statement is tried on.
enum On {
    /// Copies of all rows.
    Copies,
    /// A sample. The text is that of the statement on the table itself, where the planner has to agree.
    Sample(String),
    /// The tables themselves, with indexes that are made up: it is planned and not run.
    Tables,
}

/// A candidate that can be tried.
struct Tried {
    built: Built,
    /// What plans call it: on the copy, and on the table itself.
    on_copy: Option<String>,
    on_table: Option<String>,
}

/// Milliseconds that an index adds to writing a row, where none was built: two or three times what
/// copies show, so that nothing is advised for being thought cheap.
const WRITE_MS: f64 = 0.01;

/// Each set of values is run so often; the least counts: whatever disturbs a run makes it longer.
const RUNS: usize = 3;
/// Longest a statement may take on a copy.
const RUN_MAX: Duration = Duration::from_secs(20);
/// A run that takes longer is disturbed by little: once is enough.
const LONG_MS: f64 = 500.0;
/// All trials together; what is left then is for another time.
const TRIALS_MAX: Duration = Duration::from_mins(15);

/// A name for what is tried, which no index has.
fn trial_name(place: usize) -> String {
    format!("tidewall_trial_{place}")
}

impl<'a> Bench<'a> {
    /// Measures `works` as they are.
    pub(super) async fn start(
        session: &'a Session,
        scratch: Option<&'a Scratch<'a>>,
        hypothetical: Option<&'a Hypothetical<'a>>,
        works: &[&Work],
    ) -> Result<Self, IndexError> {
        let ends_at = Instant::now() + TRIALS_MAX;
        let mut bench = Self { session, scratch, hypothetical, tests: Vec::new(), ends_at };
        for work in works {
            let test = match bench.test_on_copies(work).await? {
                Err(_) if hypothetical.is_some() => Ok(bench.test_on_tables(work)),
                test => test,
            };
            if let Ok(test) = &test {
                bench.clear_away(test).await?;
            }
            bench.tests.push(test);
        }
        Ok(bench)
    }

    /// What a writing statement has left in the copies.
    async fn clear_away(&self, test: &Test) -> Result<(), IndexError> {
        match self.scratch {
            Some(scratch) if test.is_write => scratch.vacuum(&test.tables).await,
            _ => Ok(()),
        }
    }

    /// The copy of a table.
    pub(super) fn copied(&self, table: &Name) -> Option<&Copied> {
        self.scratch?.copied(table)
    }

    /// Values for parameters, from the copies. None: nothing was copied.
    pub(super) async fn draw(&self, sources: &[Source]) -> Result<Vec<Vec<Option<String>>>, IndexError> {
        match self.scratch {
            Some(scratch) => scratch.draw(sources).await,
            None => Ok(Vec::new()),
        }
    }

    /// It isn't run: its time is reckoned by what it took and what the planner thinks of it.
    fn test_on_tables(&self, work: &Work) -> Test {
        Test {
            on: On::Tables,
            sql: work.text.clone(),
            is_write: work.parsed.is_write,
            parameters: work.parsed.parameters,
            tables: work.statement.accesses.iter().map(|access| access.table.clone()).collect(),
            sets: Vec::new(),
            now: Reading { cost: work.plan.cost, ms: work.statement.mean_ms },
            ms_per_cost: work.statement.mean_ms / work.plan.cost.max(1e-9),
        }
    }

    /// There is no time left.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.ends_at
    }

    async fn test_on_copies(&self, work: &Work) -> Result<Result<Test, String>, IndexError> {
        let Some(scratch) = self.scratch else { return Ok(Err("nothing may be copied".to_owned())) };
        let Some(sql) = scratch.on(&work.parsed) else {
            return Ok(
                Err("it reads what can't be copied, such as a view or a partitioned table".to_owned()),
            );
        };
        let parameters = work.parsed.parameters;
        let plan = match self.session.plan(&sql, parameters).await {
            Ok(plan) => plan,
            Err(refused) => return Ok(Err(refused.describe())),
        };
        // Whatever its text was understood as, nothing else is touched.
        if !plan.is_within(scratch.schema()) {
            return Ok(
                Err("it reads what can't be copied, such as a view or a partitioned table".to_owned()),
            );
        }
        let mut test = self.test_on_tables(work);
        let sampled = test
            .tables
            .iter()
            .filter_map(|table| self.copied(table).map(|copy| copy.share))
            .filter(|share| *share < 1.0);
        test.on = match sampled.count() {
            0 => On::Copies,
            1 if plan.shape() == work.plan.shape() => On::Sample(work.text.clone()),
            1 => return Ok(Err("a sample of its table is planned otherwise than the whole".to_owned())),
            // Rows of the one seldom belong to rows of the other.
            _ => return Ok(Err("samples of several of its tables don't belong together".to_owned())),
        };
        test.sql = sql;
        test.sets = match &work.sources {
            Ok(sources) => match scratch.draw(sources).await {
                Ok(sets) => sets,
                Err(error) => return Ok(Err(Refused::of_error(&error).describe())),
            },
            Err(_) => Vec::new(),
        };
        test.ms_per_cost = work.statement.mean_ms / plan.cost.max(1e-9);
        test.now.cost = plan.cost;
        match self.measure(&test).await {
            Ok(now) => test.now = now,
            Err(Refused::TooLong) => test.now.ms = RUN_MAX.as_secs_f64() * 1_000.0,
            Err(refused) => return Ok(Err(refused.describe())),
        }
        Ok(Ok(test))
    }

    /// What each statement takes as it is; none: it can't be said.
    pub(super) fn now(&self) -> Vec<Option<Reading>> {
        self.tests.iter().map(|test| test.as_ref().ok().map(|test| test.now)).collect()
    }

    /// Why nothing can be said of a statement.
    pub(super) fn why_not(&self, place: usize) -> Option<&str> {
        self.tests.get(place)?.as_ref().err().map(String::as_str)
    }

    /// Whether the times were measured, and not reckoned from the planner's cost.
    pub(super) fn is_run(&self, place: usize) -> bool {
        self.tests.get(place).is_some_and(|test| test.as_ref().is_ok_and(|test| !test.sets.is_empty()))
    }

    /// Whether it was tried on the tables themselves, by the planner's opinion alone.
    pub(super) fn is_on_tables(&self, place: usize) -> bool {
        self.tests
            .get(place)
            .is_some_and(|test| test.as_ref().is_ok_and(|test| matches!(test.on, On::Tables)))
    }

    /// Builds a candidate on the copy of its table, if there is one, and has the planner believe in it
    /// on the table itself, if it can be made to. `Err`: why it can't be built.
    async fn build(&self, candidate: &Candidate, name: &str) -> Result<Tried, String> {
        let scratch = self.scratch.filter(|scratch| scratch.copied(&candidate.table).is_some());
        let built = match scratch {
            Some(scratch) => Some(scratch.build(candidate, name).await.map_err(|refused| {
                let why = refused.describe();
                if candidate.is_unique { format!("its values may not be unique: {why}") } else { why }
            })?),
            None if candidate.is_unique => {
                return Err("its table can't be copied: whether its values are unique isn't known".to_owned());
            }
            None => None,
        };
        // What it doesn't know, such as some kinds of index, is left to the copy.
        let made = match self.hypothetical {
            Some(hypothetical) => hypothetical.make(candidate).await.ok(),
            None => None,
        };
        let reckoned = made.as_ref().map(|made| Built { bytes: made.bytes, write_ms: WRITE_MS });
        Ok(Tried {
            on_copy: built.map(|_| name.to_owned()),
            on_table: made.map(|made| made.name),
            built: built.or(reckoned).ok_or_else(|| "its table was not copied".to_owned())?,
        })
    }

    async fn unbuild(&self, name: &str) -> Result<(), IndexError> {
        if let Some(scratch) = self.scratch {
            scratch.unbuild(name).await?;
        }
        match self.hypothetical {
            Some(hypothetical) => hypothetical.forget().await,
            None => Ok(()),
        }
    }

    /// Tries a candidate by itself. `Err`: why it can't be built.
    pub(super) async fn try_alone(&self, candidate: &Candidate) -> Result<Result<Trial, String>, IndexError> {
        let name = trial_name(0);
        let tried = match self.build(candidate, &name).await {
            Ok(tried) => tried,
            Err(why) => {
                self.unbuild(&name).await?;
                return Ok(Err(why));
            }
        };
        let mut with = Vec::new();
        for test in &self.tests {
            with.push(match test {
                Ok(test) if test.tables.contains(&candidate.table) => {
                    self.with(test, std::slice::from_ref(&tried)).await?
                }
                _ => None,
            });
        }
        self.unbuild(&name).await?;
        Ok(Ok(Trial { built: tried.built, with }))
    }

    /// Tries candidates together: what each statement takes, and which of them are used by any.
    pub(super) async fn try_together(
        &self,
        candidates: &[&Candidate],
    ) -> Result<(Vec<Option<Reading>>, BTreeSet<usize>), IndexError> {
        let names: Vec<_> = (0..candidates.len()).map(trial_name).collect();
        let mut all = Vec::new();
        for (candidate, name) in candidates.iter().zip(&names) {
            all.push(self.build(candidate, name).await.map_err(IndexError::Refused)?);
        }
        let mut readings = Vec::new();
        let mut used = BTreeSet::new();
        for test in &self.tests {
            let Ok(test) = test else {
                readings.push(None);
                continue;
            };
            for (place, tried) in all.iter().enumerate() {
                if self.uses(test, std::slice::from_ref(tried)).await {
                    used.insert(place);
                }
            }
            readings.push(Some(self.with(test, &all).await?.unwrap_or(test.now)));
        }
        for name in &names {
            self.unbuild(name).await?;
        }
        Ok((readings, used))
    }

    /// What a statement takes with these indexes. `None`: it uses none of them.
    async fn with(&self, test: &Test, indexes: &[Tried]) -> Result<Option<Reading>, IndexError> {
        if !self.uses(test, indexes).await {
            return Ok(None);
        }
        let measured = self.measure(test).await;
        self.clear_away(test).await?;
        Ok(match measured {
            Ok(reading) => Some(reading),
            // Chosen for being cheap, whatever it takes.
            Err(Refused::TooLong) => {
                Some(Reading { cost: test.now.cost * 0.99, ms: RUN_MAX.as_secs_f64() * 1_000.0 })
            }
            Err(Refused::Because(_)) => None,
        })
    }

    /// Any of its plans goes by one of the indexes, on the whole table as well as on a sample of it.
    async fn uses(&self, test: &Test, indexes: &[Tried]) -> bool {
        let on_copies: Vec<_> = indexes.iter().filter_map(|tried| tried.on_copy.as_deref()).collect();
        let on_tables: Vec<_> = indexes.iter().filter_map(|tried| tried.on_table.as_deref()).collect();
        match (&test.on, self.hypothetical) {
            (On::Copies, _) | (On::Sample(_), None) => {
                goes_by(self.session, test, &test.sql, &on_copies).await
            }
            (On::Tables, None) => false,
            (On::Tables, Some(hypothetical)) => {
                goes_by(hypothetical.session(), test, &test.sql, &on_tables).await
            }
            (On::Sample(whole), Some(hypothetical)) => {
                goes_by(self.session, test, &test.sql, &on_copies).await
                    // What can't be made up can't be asked about.
                    && (on_tables.len() < on_copies.len()
                        || goes_by(hypothetical.session(), test, whole, &on_tables).await)
            }
        }
    }

    /// Mean over the sets of values.
    async fn measure(&self, test: &Test) -> Result<Reading, Refused> {
        if test.sets.is_empty() {
            let session = match (&test.on, self.hypothetical) {
                (On::Tables, Some(hypothetical)) => hypothetical.session(),
                _ => self.session,
            };
            let plan = session.plan(&test.sql, test.parameters).await?;
            return Ok(Reading { cost: plan.cost, ms: plan.cost * test.ms_per_cost });
        }
        let (mut cost, mut ms) = (0.0, 0.0);
        for set in &test.sets {
            let mut least = f64::INFINITY;
            let mut plan_cost = 0.0;
            for _ in 0..RUNS {
                let run = self.session.run(&test.sql, set, test.is_write, RUN_MAX).await?;
                plan_cost = run.plan.cost;
                least = least.min(run.ms * self.scale(test, &run.plan));
                if run.ms > LONG_MS {
                    break;
                }
            }
            (cost, ms) = (cost + plan_cost, ms + least);
        }
        let count = test.sets.len() as f64;
        Ok(Reading { cost: cost / count, ms: ms / count })
    }

    /// How many times longer it takes on the whole tables, where a copy is a sample: what reads a
    /// table from end to end, or much of it, by the share; what reads a few rows, as long.
    fn scale(&self, test: &Test, plan: &Node) -> f64 {
        /// More rows than that, of the whole table, are read one after the other.
        const FEW_ROWS: f64 = 200.0;
        let share = test
            .tables
            .iter()
            .filter_map(|table| self.copied(table).map(|copy| copy.share))
            .fold(1.0, f64::min);
        let mut scans = plan.all().into_iter().filter(|node| node.is_scan());
        let is_growing = scans.any(|node| {
            node.kind.contains("Seq Scan") || node.actual_rows.unwrap_or_default() / share > FEW_ROWS
        });
        if is_growing { 1.0 / share } else { 1.0 }
    }
}

/// Whether a plan of a statement goes by one of the indexes: with any of the values that it is run
/// with, or whatever they are.
async fn goes_by(session: &Session, test: &Test, sql: &str, indexes: &[&str]) -> bool {
    let uses = |plan: &Node| {
        plan.all().iter().any(|node| node.index.as_deref().is_some_and(|index| indexes.contains(&index)))
    };
    if test.sets.is_empty() {
        return session.plan(sql, test.parameters).await.is_ok_and(|plan| uses(&plan));
    }
    for set in &test.sets {
        if session.plan_with(sql, set).await.is_ok_and(|plan| uses(&plan)) {
            return true;
        }
    }
    false
}

/// The tables of `works`, with their sizes.
pub(super) fn tables(works: &[&Work], known: &BTreeMap<Name, Table>) -> BTreeMap<Name, Size> {
    let names = works.iter().flat_map(|work| &work.statement.accesses).map(|access| &access.table);
    names
        .filter_map(|name| known.get(name))
        .map(|table| (table.name.clone(), Size { rows: table.rows, bytes: table.bytes }))
        .collect()
}
