//! What is asked for: one product, by its key.

use tokio_postgres::Row;

use crate::error::Reason;

/// The statement of every contestant.
pub(crate) const SELECT: &str =
    "SELECT id, name, category, price_cents, stock, description FROM products WHERE id = $1";
/// How many there are: what the seed makes, with ids from 1.
pub(super) const COUNT: u32 = 10_000;

/// Prime, so that a task goes through all products in an order that is no index's.
const STRIDE: u32 = 7_919;
/// Prime, so that no two tasks ask for the same at the same time.
const TASK_STRIDE: u32 = 157;

/// The product of a task's request number `turn`.
pub(crate) fn id(task: u32, turn: u32) -> i64 {
    let offset = task.wrapping_mul(TASK_STRIDE).wrapping_add((turn % COUNT) * STRIDE);
    i64::from(1 + offset % COUNT)
}

/// Checks that it is the product that was asked for.
pub(crate) fn check(row: Option<Row>, id: i64) -> Result<(), Reason> {
    match row {
        Some(row) => check_id(row.try_get(0)?, id),
        None => Err(Reason::new(&format!("there is no product {id}"))),
    }
}

/// Checks the id of an answer.
pub(super) fn check_id(answered: i64, id: i64) -> Result<(), Reason> {
    if answered == id {
        return Ok(());
    }
    Err(Reason::new(&format!("product {answered} came in answer to a request for {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_task_asks_for_every_product() {
        for task in [0, 63] {
            let ids: BTreeSet<i64> = (0..COUNT).map(|turn| id(task, turn)).collect();
            assert_eq!(ids.len(), COUNT as usize);
            assert_eq!((ids.first(), ids.last()), (Some(&1), Some(&i64::from(COUNT))));
        }
    }

    #[test]
    fn tasks_ask_for_different_products() {
        let ids: BTreeSet<i64> = (0..64).map(|task| id(task, 5)).collect();
        assert_eq!(ids.len(), 64);
    }

    #[test]
    fn no_turn_overflows() {
        assert!((1..=i64::from(COUNT)).contains(&id(u32::MAX, u32::MAX)));
    }
}
