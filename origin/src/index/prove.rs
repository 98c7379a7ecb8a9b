//! Proves candidates: builds each on a copy, and measures what the statements take with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::IndexError;
use super::candidate::Candidate;
use super::choose::Reading;
use super::facts::{Name, Table};
use super::plan::Node;
use super::scratch::{Built, Scratch, Size};
use super::session::{Refused, Session};
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
    scratch: &'a Scratch<'a>,
    /// For each statement. `Err`: why nothing can be said of it.
    tests: Vec<Result<Test, String>>,
    ends_at: Instant,
}

/// A statement that is run on copies.
struct Test {
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
        scratch: &'a Scratch<'a>,
        works: &[&Work],
    ) -> Result<Self, IndexError> {
        let mut bench = Self { session, scratch, tests: Vec::new(), ends_at: Instant::now() + TRIALS_MAX };
        for work in works {
            let test = bench.test(work).await?;
            if let Ok(test) = &test
                && test.is_write
            {
                scratch.vacuum(&test.tables).await?;
            }
            bench.tests.push(test);
        }
        Ok(bench)
    }

    /// There is no time left.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.ends_at
    }

    async fn test(&self, work: &Work) -> Result<Result<Test, String>, IndexError> {
        let Some(sql) = self.scratch.on(&work.parsed) else {
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
        if !plan.is_within(self.scratch.schema()) {
            return Ok(
                Err("it reads what can't be copied, such as a view or a partitioned table".to_owned()),
            );
        }
        let tables: BTreeSet<Name> =
            work.statement.accesses.iter().map(|access| access.table.clone()).collect();
        let sampled =
            tables.iter().filter_map(|table| self.scratch.copied(table)).filter(|copy| copy.share < 1.0);
        match sampled.count() {
            0 => {}
            1 if plan.shape() == work.plan.shape() => {}
            1 => return Ok(Err("a sample of its table is planned otherwise than the whole".to_owned())),
            // Rows of the one seldom belong to rows of the other.
            _ => return Ok(Err("samples of several of its tables don't belong together".to_owned())),
        }
        let sets = match &work.sources {
            Ok(sources) => match self.scratch.draw(sources).await {
                Ok(sets) => sets,
                Err(error) => return Ok(Err(Refused::of_error(&error).describe())),
            },
            Err(_) => Vec::new(),
        };
        let ms_per_cost = work.statement.mean_ms / plan.cost.max(1e-9);
        let now = Reading { cost: plan.cost, ms: work.statement.mean_ms };
        let is_write = work.parsed.is_write;
        let mut test = Test { sql, is_write, parameters, tables, sets, now, ms_per_cost };
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

    /// Tries a candidate by itself. `Err`: why it can't be built.
    pub(super) async fn try_alone(&self, candidate: &Candidate) -> Result<Result<Trial, String>, IndexError> {
        let name = trial_name(0);
        let built = match self.scratch.build(candidate, &name).await {
            Ok(built) => built,
            Err(refused) => {
                self.scratch.unbuild(&name).await?;
                return Ok(Err(match candidate.is_unique {
                    true => format!("its values may not be unique: {}", refused.describe()),
                    false => refused.describe(),
                }));
            }
        };
        let mut with = Vec::new();
        for test in &self.tests {
            with.push(match test {
                Ok(test) if test.tables.contains(&candidate.table) => {
                    self.with(test, &[name.as_str()]).await?
                }
                _ => None,
            });
        }
        self.scratch.unbuild(&name).await?;
        Ok(Ok(Trial { built, with }))
    }

    /// Tries candidates together: what each statement takes, and which of them are used by any.
    pub(super) async fn try_together(
        &self,
        candidates: &[&Candidate],
    ) -> Result<(Vec<Option<Reading>>, BTreeSet<usize>), IndexError> {
        let names: Vec<_> = (0..candidates.len()).map(trial_name).collect();
        for (candidate, name) in candidates.iter().zip(&names) {
            if let Err(refused) = self.scratch.build(candidate, name).await {
                return Err(IndexError::Refused(refused.describe()));
            }
        }
        let all: Vec<_> = names.iter().map(String::as_str).collect();
        let mut readings = Vec::new();
        let mut used = BTreeSet::new();
        for test in &self.tests {
            let Ok(test) = test else {
                readings.push(None);
                continue;
            };
            for (place, name) in names.iter().enumerate() {
                if self.uses(test, &[name.as_str()]).await {
                    used.insert(place);
                }
            }
            readings.push(Some(self.with(test, &all).await?.unwrap_or(test.now)));
        }
        for name in &names {
            self.scratch.unbuild(name).await?;
        }
        Ok((readings, used))
    }

    /// What a statement takes with these indexes. `None`: it uses none of them.
    async fn with(&self, test: &Test, indexes: &[&str]) -> Result<Option<Reading>, IndexError> {
        if !self.uses(test, indexes).await {
            return Ok(None);
        }
        let measured = self.measure(test).await;
        if test.is_write {
            self.scratch.vacuum(&test.tables).await?;
        }
        Ok(match measured {
            Ok(reading) => Some(reading),
            // Chosen for being cheap, whatever it takes.
            Err(Refused::TooLong) => {
                Some(Reading { cost: test.now.cost * 0.99, ms: RUN_MAX.as_secs_f64() * 1_000.0 })
            }
            Err(Refused::Because(_)) => None,
        })
    }

    /// Any of its plans goes by one of the indexes.
    async fn uses(&self, test: &Test, indexes: &[&str]) -> bool {
        let uses = |plan: &Node| {
            plan.all().iter().any(|node| node.index.as_deref().is_some_and(|index| indexes.contains(&index)))
        };
        if test.sets.is_empty() {
            return self.session.plan(&test.sql, test.parameters).await.is_ok_and(|plan| uses(&plan));
        }
        for set in &test.sets {
            if self.session.plan_with(&test.sql, set).await.is_ok_and(|plan| uses(&plan)) {
                return true;
            }
        }
        false
    }

    /// Mean over the sets of values.
    async fn measure(&self, test: &Test) -> Result<Reading, Refused> {
        if test.sets.is_empty() {
            let plan = self.session.plan(&test.sql, test.parameters).await?;
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
        let share = test.tables.iter().filter_map(|table| self.scratch.copied(table)).map(|copy| copy.share);
        let share = share.fold(1.0, f64::min);
        let mut scans = plan.all().into_iter().filter(|node| node.is_scan());
        let is_growing = scans.any(|node| {
            node.kind.contains("Seq Scan") || node.actual_rows.unwrap_or_default() / share > FEW_ROWS
        });
        if is_growing { 1.0 / share } else { 1.0 }
    }
}

/// The tables of `works`, with their sizes.
pub(super) fn tables(works: &[&Work], known: &BTreeMap<Name, Table>) -> BTreeMap<Name, Size> {
    let names = works.iter().flat_map(|work| &work.statement.accesses).map(|access| &access.table);
    names
        .filter_map(|name| known.get(name))
        .map(|table| (table.name.clone(), Size { rows: table.rows, bytes: table.bytes }))
        .collect()
}
