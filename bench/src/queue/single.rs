//! Jobs one by one: each call commits one job, on 20 connections at once. No
//! worker runs meanwhile.

use super::CONNECTIONS;
use super::field::{Entry, Field};
use super::results;
use super::scale::Scale;
use crate::error::BenchError;
use crate::report::Measurement;

pub(super) async fn run(field: &mut Field, scale: &Scale) -> Result<Vec<Measurement>, BenchError> {
    let measure = async |entry: &mut Entry| entry.contestant.enqueue_singly(scale.round, CONNECTIONS).await;
    field.rounds("one by one, warming up", 1, |_| true, measure).await?;
    let outcome = field.rounds("one by one", scale.rounds, |_| true, measure).await?;
    Ok(vec![results::enqueue_single(&outcome)?])
}
