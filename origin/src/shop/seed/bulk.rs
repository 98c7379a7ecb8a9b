//! Loading many rows at once: secondary indexes and foreign keys are taken off
//! before and put back after, when each is built or checked in one pass instead
//! of row by row. All inside the caller's transaction, so a load that is broken
//! off leaves them as they were.

use crate::db::{DbError, Transaction};

/// Foreign keys of the tables, and indexes that belong to no constraint, as
/// statements that drop them and make them again.
const FOREIGN_KEYS: &str = "
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
           format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint
    WHERE contype = 'f' AND conrelid = ANY ($1::text[]::regclass[])
    ORDER BY oid";
const INDEXES: &str = "
    SELECT format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
    FROM pg_index
    WHERE indrelid = ANY ($1::text[]::regclass[])
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY indexrelid";

/// What was taken off and waits to be put back.
#[must_use = "the tables lack their indexes and foreign keys until they are put back"]
pub(super) struct TakenOff {
    restore: Vec<String>,
}

/// Takes indexes and foreign keys off `tables`.
pub(super) async fn take_off(transaction: &Transaction, tables: &[&str]) -> Result<TakenOff, DbError> {
    let mut restore = Vec::new();
    // Foreign keys first, and so put back last, when the indexes are there.
    let mut last = Vec::new();
    for (statements, restore) in [(FOREIGN_KEYS, &mut last), (INDEXES, &mut restore)] {
        for row in transaction.query(statements, &[&tables]).await? {
            transaction.batch(row.get(0)).await?;
            restore.push(row.get(1));
        }
    }
    restore.append(&mut last);
    Ok(TakenOff { restore })
}

impl TakenOff {
    /// Puts everything back.
    pub(super) async fn put_back(self, transaction: &Transaction) -> Result<(), DbError> {
        for statement in self.restore {
            transaction.batch(&statement).await?;
        }
        Ok(())
    }
}
