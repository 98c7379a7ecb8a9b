//! The job that makes products of a table's lines.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tidewall_api::product::ProductInput;

use super::ask::TABLE_BYTES_MAX;
use super::outcome::Outcome;
use super::storage;
use super::table::{HeaderError, Line, Table};
use crate::db::{DbError, Transaction};
use crate::files::{FileError, FileName, FileNameError, FileResult, FileStore, Unfinished};
use crate::notifications;
use crate::outbox::{Invalidation, Outbox};
use crate::queue::{Handler, JobContext, JobError, Outcome as Done, Progress};
use crate::shop::groups;

/// Lines that are added by one statement.
const LINES_PER_STATEMENT: usize = 1_000;

/// Makes products.
pub(in crate::shop) struct ImportHandler {
    pub(in crate::shop) files: FileStore,
    pub(in crate::shop) outbox: Outbox,
}

/// What the job is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::shop) struct Import {
    /// The table.
    pub(super) file: FileName,
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("a line could not be formatted")]
    Outcome(#[from] csv::Error),
    #[error("a file could not be read or written")]
    File(#[from] FileError),
    #[error(transparent)]
    Name(#[from] FileNameError),
}

impl Handler for ImportHandler {
    const KIND: &'static str = "product_import";
    type Payload = Import;
    type Output = FileResult;

    async fn run(&self, import: Import, job: JobContext) -> Result<Done<FileResult>, JobError> {
        let content = self.files.read_whole(&import.file, TABLE_BYTES_MAX).await;
        let content = content.map_err(|error| failed(error.into()))?;
        // All in one transaction: of an import that fails nothing is left, and one that is run
        // again does nothing again.
        job.complete(async |transaction| self.make(transaction, &content, &job).await.map_err(failed)).await
    }
}

fn failed(error: ImportError) -> JobError {
    match error {
        ImportError::Header(problem) => {
            JobError::discard(format!("the table can't be read: {problem}"), problem)
        }
        ImportError::File(FileError::NotFound(_)) => {
            JobError::discard("the table is gone; upload it again", error)
        }
        ImportError::Db(_) => JobError::retry("the database could not be written", error),
        ImportError::Outcome(_) | ImportError::File(_) | ImportError::Name(_) => {
            JobError::retry("a file could not be read or written", error)
        }
    }
}

impl ImportHandler {
    async fn make(
        &self,
        transaction: &Transaction,
        content: &[u8],
        job: &JobContext,
    ) -> Result<FileResult, ImportError> {
        let name = FileName::new(format!("{}-{}.csv", job.id, job.attempt))?;
        let mut file = self.files.begin(&name);
        let added = add(transaction, content, &mut file, &job.progress).await?;
        // Before the commit, which makes it the result; and before what others wait for.
        file.finish().await?;
        // There is no answer that could tell it as well.
        let _ = self.outbox.enqueue(transaction, added.invalidation()).await?;
        if let Some(owner) = job.owner {
            notifications::enqueue(transaction, owner, "import_done", &json!({ "job": job.id })).await?;
        }
        Ok(FileResult { file: name })
    }
}

/// What was added.
#[derive(Debug, Default)]
struct Added {
    /// None once there are too many to be named.
    products: Option<Vec<i64>>,
    categories: BTreeSet<String>,
}

/// Adds the products of all lines that are valid, and tells `file` what became of each.
async fn add(
    transaction: &Transaction,
    content: &[u8],
    file: &mut Unfinished,
    progress: &Progress,
) -> Result<Added, ImportError> {
    let mut table = Table::open(content)?;
    let mut outcome = Outcome::new()?;
    let mut added = Added { products: Some(Vec::new()), ..Added::default() };
    loop {
        let lines: Vec<Line> = table.by_ref().take(LINES_PER_STATEMENT).collect();
        if lines.is_empty() {
            file.write(&outcome.take()?).await?;
            return Ok(added);
        }
        let mut products = Vec::new();
        let mut told = Vec::new();
        for Line { number, product } in lines {
            told.push((number, product.map(|product| products.push(product))));
        }
        let ids = storage::insert(transaction, &products).await?;
        added.note(&ids, products);
        let mut ids = ids.into_iter();
        for (number, product) in told {
            match (product, &mut ids) {
                (Err(errors), _) => outcome.refused(number, &errors)?,
                (Ok(()), ids) => {
                    if let Some(id) = ids.next() {
                        outcome.created(number, id)?;
                    }
                }
            }
        }
        file.write(&outcome.take()?).await?;
        progress.set(table.position(), content.len() as u64);
    }
}

impl Added {
    fn note(&mut self, ids: &[i64], products: Vec<ProductInput>) {
        let Some(noted) = &mut self.products else { return };
        noted.extend(ids);
        self.categories.extend(products.into_iter().map(|product| product.category));
        if noted.len() + self.categories.len() > groups::NAMED_MAX {
            self.products = None;
            self.categories.clear();
        }
    }

    fn invalidation(self) -> Invalidation {
        match self.products {
            Some(products) => Invalidation::of_groups(groups::of_imported(&products, &self.categories)),
            None => Invalidation::default().and_path("/api/products").and_prefix("/api/products/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(count: i64, expected: &Invalidation) {
        let mut added = Added { products: Some(Vec::new()), ..Added::default() };
        for id in 1..=count {
            let product = ProductInput {
                name: "n".to_owned(),
                category: "garden".to_owned(),
                price_cents: 1,
                stock: 1,
                description: String::new(),
            };
            added.note(&[id], vec![product]);
        }
        assert_eq!(&added.invalidation(), expected, "{count}");
    }

    #[test]
    fn what_is_added_is_invalidated_by_name_while_there_are_few() {
        check(0, &Invalidation::default());
        check(2, &Invalidation::of_groups(["products", "category:garden", "product:1", "product:2"]));
    }

    #[test]
    fn of_many_everything_about_products_is() {
        let everything = Invalidation::default().and_path("/api/products").and_prefix("/api/products/");
        check(i64::try_from(groups::NAMED_MAX).unwrap(), &everything);
    }
}
