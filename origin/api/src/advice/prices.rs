//! What things cost. The table is data, and can be replaced by one of your own.

use serde::{Deserialize, Serialize};

/// A price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Dollars.
    pub price: f64,
    /// For what.
    pub unit: String,
    /// So many units cost nothing more.
    #[serde(default)]
    pub included: f64,
    /// CPUs, of a machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Who says so.
    pub source: String,
}

/// A sum that the article tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Of what.
    pub what: String,
    /// Dollars a month.
    pub price: f64,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// When they were so, and in what.
    pub as_of: String,
    /// A machine for the application.
    pub server: Price,
    /// A machine with PostgreSQL.
    pub database: Price,
    /// A GB of its storage.
    pub storage_gb: Price,
    /// A GB that leaves the server.
    pub egress_gb: Price,
    /// The edge, in any case.
    pub edge: Price,
    /// A million requests to it.
    pub edge_requests: Price,
    /// A million answers that it reads from KV.
    pub kv_reads: Price,
    /// A million answers that it writes there.
    pub kv_writes: Price,
    /// The article's own sums, for comparison.
    #[serde(default)]
    pub article: Vec<Told>,
}

/// The table that is compiled in.
const TABLE: &str = include_str!("prices.json");

impl Prices {
    /// Reads a table, as JSON.
    ///
    /// # Errors
    /// It isn't one: what is wrong, and in which line.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The table that is compiled in, as text: where one of your own begins.
    pub fn text() -> &'static str {
        TABLE
    }

    /// The table that is compiled in.
    #[expect(clippy::missing_panics_doc, clippy::expect_used, reason = "a test reads it")]
    pub fn own() -> Self {
        Self::read(TABLE).expect("the table that is compiled in can be read")
    }
}

impl Price {
    /// So many units, in dollars.
    pub fn of(&self, units: f64) -> f64 {
        (units - self.included).max(0.0) * self.price
    }

    /// CPUs of a machine.
    pub(super) fn cpus(&self) -> f64 {
        self.cpus.unwrap_or(1.0).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_that_is_compiled_in_is_one_and_names_its_sources() {
        let prices = Prices::own();
        let all = [&prices.server, &prices.database, &prices.storage_gb, &prices.egress_gb, &prices.edge];
        assert!(all.iter().all(|price| price.price > 0.0 && !price.source.is_empty()));
        assert_eq!(prices.article.len(), 2);
    }

    #[test]
    fn a_table_with_a_wrong_name_says_where() {
        let wrong = TABLE.replace("\"kv_reads\"", "\"kv_read\"");
        let error = Prices::read(&wrong).unwrap_err().to_string();
        assert!(error.contains("kv_read") && error.contains("line"), "{error}");
    }

    #[test]
    fn what_is_included_costs_nothing_more() {
        let price = Prices::own().edge_requests;
        assert!(price.of(10.0).abs() < 1e-9 && (price.of(20.0) - 3.0).abs() < 1e-9);
    }
}
