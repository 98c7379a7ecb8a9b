//! What a month costs is made of. Prices are public list prices of 2025 in US dollars; change
//! them here for another provider.

use super::bill::{Edge, Prices, Visits};

/// The article's month.
pub(super) const USERS_A_DAY: u32 = 100_000;
/// Its days.
pub(super) const DAYS: u32 = 30;

/// What leaves the origin: the first 10 TB a month out of Amazon EC2 to the internet
/// (aws.amazon.com/ec2/pricing/on-demand, "Data Transfer OUT", us-east-1).
const ORIGIN_PER_GB: f64 = 0.09;

/// The edge as it is deployed: Cloudflare Workers' paid plan
/// (developers.cloudflare.com/workers/platform/pricing). What leaves it costs nothing; the Worker
/// runs first, so every request counts. CPU time is not in here: 30 million milliseconds a month
/// are included, and a request of the site takes a fraction of one.
pub(super) const OWN: Prices = Prices {
    origin_per_gb: ORIGIN_PER_GB,
    edge: Edge { base: 5.0, per_gb: 0.0, requests_included: 10e6, per_million_requests: 0.30 },
};

/// The article tells both sums and not what they are made of. At the price above $900 are
/// 10,000 GB, which is 3.3 MB a visit; $180 are a fifth of it: the edge serves 80 %, at no cost
/// for each GB and none for requests.
pub(super) const ARTICLE: Prices = Prices {
    origin_per_gb: ORIGIN_PER_GB,
    edge: Edge { base: 0.0, per_gb: 0.0, requests_included: f64::INFINITY, per_million_requests: 0.0 },
};
/// Bytes of the article's visit.
pub(super) const ARTICLE_VISIT_BYTES: f64 = 10e12 / 3e6;
/// Share of them that its CDN serves.
pub(super) const ARTICLE_EDGE_SHARE: f64 = 0.8;
/// The article's sums, without a CDN and with one.
pub(super) const ARTICLE_BILLS: [f64; 2] = [900.0, 180.0];

/// A month in which nobody comes twice.
pub(super) const NEW: Visits = Visits { first: 1.0, repeat: 0.0, changed: 0.0 };
/// A month in which all come every day, and the style sheet is changed once a week: how many of
/// a user's visits are of which kind, as shares.
pub(super) const RETURNING: Visits = Visits { first: 1.0 / 30.0, repeat: 25.0 / 30.0, changed: 4.0 / 30.0 };
