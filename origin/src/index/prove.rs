//! Proves candidates: builds each on a copy, and measures what the statements take with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::IndexError;
use super::candidate::Candidate;
use super::choose::Reading;
use super::facts::Name;
use super::plan::Node;
use super::scratch::{Built, Scratch};
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
    tests: Vec<Option<Test>>,
}

/// A statement that is run on copies.
struct Test {
    sql: String,
    parameters: u32,
    tables: BTreeSet<Name>,
    /// Sets of values. Empty: what its parameters stand for isn't known, so it is planned and not run.
    sets: Vec<Vec<Option<String>>>,
    now: Reading,
    /// Milliseconds by the planner's units, where it isn't run.
    ms_per_cost: f64,
}

/// Each set of values is run so often; the least counts: whatever disturbs a run makes it longer.
const RUNS: usize = 3;
/// Longest a statement may take on a copy.
const RUN_MAX: Duration = Duration::from_secs(20);
/// A name for what is tried, which no index has.
fn trial_name(place: usize) -> String {
    format!("tidewall_trial_{place}")
}

impl<'a> Bench<'a> {
    /// Measures `works` as they are. The second: what can't be measured, and why.
    pub(super) async fn start(
        session: &'a Session,
        scratch: &'a Scratch<'a>,
        works: &[Work],
    ) -> Result<(Self, Vec<(String, String)>), IndexError> {
        let mut bench = Self { session, scratch, tests: Vec::new() };
        let mut unknown = Vec::new();
        for work in works {
            let test = match bench.test(work).await? {
                Ok(test) => Some(test),
                Err(why) => {
                    unknown.push((work.statement.name.clone(), why));
                    None
                }
            };
            bench.tests.push(test);
        }
        Ok((bench, unknown))
    }

    async fn test(&self, work: &Work) -> Result<Result<Test, String>, IndexError> {
        let Some(sql) = self.scratch.on(&work.parsed) else {
            return Ok(Err("it reads what can't be copied, such as a view".to_owned()));
        };
        let parameters = work.parsed.parameters;
        let plan = match self.session.plan(&sql, parameters).await {
            Ok(plan) => plan,
            Err(refused) => return Ok(Err(refused.describe())),
        };
        let tables: BTreeSet<Name> =
            work.statement.accesses.iter().map(|access| access.table.clone()).collect();
        let is_sampled =
            tables.iter().any(|table| self.scratch.copied(table).is_some_and(|copy| copy.share < 1.0));
        if is_sampled && plan.shape() != work.plan.shape() {
            return Ok(Err("a sample of its tables is planned otherwise than the whole".to_owned()));
        }
        let sets = match &work.sources {
            Ok(sources) => self.scratch.draw(sources).await?,
            Err(_) => Vec::new(),
        };
        let ms_per_cost = work.statement.mean_ms / work.plan.cost.max(1e-9);
        let now = Reading { cost: plan.cost, ms: plan.cost * ms_per_cost };
        let mut test = Test { sql, parameters, tables, sets, now, ms_per_cost };
        match self.measure(&test).await {
            Ok(now) => test.now = now,
            Err(Refused::TooLong) => test.now.ms = RUN_MAX.as_secs_f64() * 1_000.0,
            Err(refused) => return Ok(Err(refused.describe())),
        }
        Ok(Ok(test))
    }

    /// What each statement takes as it is; none: it can't be said.
    pub(super) fn now(&self) -> Vec<Option<Reading>> {
        self.tests.iter().map(|test| test.as_ref().map(|test| test.now)).collect()
    }

    /// Whether the times were measured, and not reckoned from the planner's cost.
    pub(super) fn is_run(&self, place: usize) -> bool {
        self.tests.get(place).is_some_and(|test| test.as_ref().is_some_and(|test| !test.sets.is_empty()))
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
                Some(test) if test.tables.contains(&candidate.table) => {
                    self.with(test, &[name.as_str()]).await
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
        let mut readings = Vec::new();
        let mut used = BTreeSet::new();
        for test in &self.tests {
            let Some(test) = test else {
                readings.push(None);
                continue;
            };
            for (place, name) in names.iter().enumerate() {
                if self.uses(test, &[name.as_str()]).await {
                    used.insert(place);
                }
            }
            let all: Vec<_> = names.iter().map(String::as_str).collect();
            readings.push(Some(self.with(test, &all).await.unwrap_or(test.now)));
        }
        for name in &names {
            self.scratch.unbuild(name).await?;
        }
        Ok((readings, used))
    }

    /// What a statement takes with these indexes. `None`: it uses none of them.
    async fn with(&self, test: &Test, indexes: &[&str]) -> Option<Reading> {
        if !self.uses(test, indexes).await {
            return None;
        }
        match self.measure(test).await {
            Ok(reading) => Some(reading),
            // Chosen for being cheap, whatever it takes.
            Err(Refused::TooLong) => {
                Some(Reading { cost: test.now.cost * 0.99, ms: RUN_MAX.as_secs_f64() * 1_000.0 })
            }
            Err(Refused::Because(_)) => None,
        }
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
                let run = self.session.run(&test.sql, set, RUN_MAX).await?;
                plan_cost = run.plan.cost;
                least = least.min(run.ms * self.scale(test, &run.plan));
                // A long one is disturbed by little.
                if run.ms > 500.0 {
                    break;
                }
            }
            (cost, ms) = (cost + plan_cost, ms + least);
        }
        let count = test.sets.len() as f64;
        Ok(Reading { cost: cost / count, ms: ms / count })
    }

    /// How many times longer it takes on the whole tables, where copies are samples: what reads a
    /// table from end to end, or much of it, by the share; what reads a few rows, as long.
    fn scale(&self, test: &Test, plan: &Node) -> f64 {
        /// More rows than that grow with the table.
        const FEW_ROWS: f64 = 200.0;
        let share = test.tables.iter().filter_map(|table| self.scratch.copied(table)).map(|copy| copy.share);
        let share = share.fold(1.0, f64::min);
        let mut scans = plan.all().into_iter().filter(|node| node.is_scan());
        let is_growing = scans
            .any(|node| node.kind.contains("Seq Scan") || node.actual_rows.unwrap_or_default() > FEW_ROWS);
        if is_growing { 1.0 / share } else { 1.0 }
    }
}

/// The tables that are to be copied, with their rows.
pub(super) fn tables(works: &[Work], rows: &BTreeMap<Name, f64>) -> BTreeMap<Name, f64> {
    let names = works.iter().flat_map(|work| &work.statement.accesses).map(|access| &access.table);
    names.filter_map(|name| Some((name.clone(), *rows.get(name)?))).collect()
}
