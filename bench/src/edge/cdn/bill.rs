//! What a month costs.

/// What has a price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prices {
    /// A GB that leaves the origin.
    pub(super) origin_per_gb: f64,
    /// The edge.
    pub(super) edge: Edge,
}

/// What the edge costs in a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    /// In any case.
    pub(super) base: f64,
    /// A GB that leaves it.
    pub(super) per_gb: f64,
    /// Requests that cost nothing more.
    pub(super) requests_included: f64,
    /// A million of the others.
    pub(super) per_million_requests: f64,
}

/// What a visit takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Visit {
    /// Bytes that leave the origin.
    pub(super) origin_bytes: f64,
    /// Bytes that leave the edge.
    pub(super) edge_bytes: f64,
    /// Requests to the edge.
    pub(super) edge_requests: f64,
}

/// Of which kinds visits are, as shares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Visits {
    /// Of somebody who has nothing.
    pub(super) first: f64,
    /// Of somebody who has everything.
    pub(super) repeat: f64,
    /// Of somebody who has everything but a change.
    pub(super) changed: f64,
}

const BYTES_PER_GB: f64 = 1e9;

impl Visits {
    /// What a visit takes on average, of what the three kinds take.
    pub(super) fn average(self, [first, repeat, changed]: [Visit; 3]) -> Visit {
        let average = |of: fn(Visit) -> f64| {
            self.first * of(first) + self.repeat * of(repeat) + self.changed * of(changed)
        };
        Visit {
            origin_bytes: average(|visit| visit.origin_bytes),
            edge_bytes: average(|visit| visit.edge_bytes),
            edge_requests: average(|visit| visit.edge_requests),
        }
    }
}

impl Prices {
    /// So many visits that take so much, at the origin alone.
    pub(super) fn without_edge(&self, visits: f64, visit: Visit) -> f64 {
        visits * visit.origin_bytes / BYTES_PER_GB * self.origin_per_gb
    }

    /// The same with the edge before the origin.
    pub(super) fn with_edge(&self, visits: f64, visit: Visit) -> f64 {
        let edge = &self.edge;
        let requests = (visits * visit.edge_requests - edge.requests_included).max(0.0);
        self.without_edge(visits, visit)
            + edge.base
            + visits * visit.edge_bytes / BYTES_PER_GB * edge.per_gb
            + requests / 1e6 * edge.per_million_requests
    }
}

#[cfg(test)]
mod tests {
    use super::super::prices::{
        ARTICLE, ARTICLE_BILLS, ARTICLE_EDGE_SHARE, ARTICLE_VISIT_BYTES, DAYS, NEW, RETURNING, USERS_A_DAY,
    };
    use super::*;

    const PRICES: Prices = Prices {
        origin_per_gb: 0.10,
        edge: Edge { base: 5.0, per_gb: 0.01, requests_included: 10e6, per_million_requests: 0.50 },
    };

    fn check(visits: f64, visit: Visit, without: f64, with: f64) {
        let bills = [PRICES.without_edge(visits, visit), PRICES.with_edge(visits, visit)];
        assert!(
            bills.iter().zip([without, with]).all(|(bill, expected)| (bill - expected).abs() < 1e-6),
            "{bills:?}"
        );
    }

    #[test]
    fn a_bill_is_made_of_bytes_and_requests() {
        let origin = Visit { origin_bytes: 1e6, ..Visit::default() };
        check(0.0, origin, 0.0, 5.0);
        check(1e6, origin, 100.0, 105.0);
        check(1e6, Visit { edge_bytes: 1e6, ..Visit::default() }, 0.0, 15.0);
        let requests = |edge_requests| Visit { edge_requests, ..Visit::default() };
        check(1e6, requests(10.0), 0.0, 5.0);
        check(1e6, requests(30.0), 0.0, 15.0);
    }

    #[test]
    fn the_articles_sums_follow_from_the_articles_prices() {
        let visits = f64::from(USERS_A_DAY) * f64::from(DAYS);
        let alone = Visit { origin_bytes: ARTICLE_VISIT_BYTES, ..Visit::default() };
        let shared = Visit {
            origin_bytes: ARTICLE_VISIT_BYTES * (1.0 - ARTICLE_EDGE_SHARE),
            edge_bytes: ARTICLE_VISIT_BYTES * ARTICLE_EDGE_SHARE,
            edge_requests: 100.0,
        };
        let bills = [ARTICLE.without_edge(visits, alone), ARTICLE.with_edge(visits, shared)];
        assert!(bills.iter().zip(ARTICLE_BILLS).all(|(bill, told)| (bill - told).abs() < 1e-6), "{bills:?}");
    }

    #[test]
    fn a_visit_is_on_average_what_its_kinds_are() {
        let visit = |bytes| Visit { origin_bytes: bytes, edge_bytes: 2.0 * bytes, edge_requests: bytes };
        let visits = Visits { first: 0.5, repeat: 0.25, changed: 0.25 };
        assert_eq!(visits.average([visit(100.0), visit(0.0), visit(20.0)]), visit(55.0));
    }

    #[test]
    fn kinds_of_visits_are_all_there_are() {
        for visits in [NEW, RETURNING] {
            assert!((visits.first + visits.repeat + visits.changed - 1.0).abs() < 1e-9, "{visits:?}");
        }
    }
}
