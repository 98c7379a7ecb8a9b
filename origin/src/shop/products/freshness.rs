//! For how long answers about products are kept. The answer to a PUT says the same as that
//! to a GET, so that a cache may store it in its place.

use std::time::Duration;

use crate::http::caching::CachePolicy;
use crate::shop::groups;

/// While a shared cache fetches a new answer it may serve the old one for so long.
pub(in crate::shop) const STALE_WHILE_REVALIDATE: Duration = Duration::from_secs(60);
/// While no origin answers, a catalogue of an hour ago is better than none.
pub(in crate::shop) const STALE_IF_ERROR: Duration = Duration::from_secs(60 * 60);
/// That there is no such product is remembered briefly: enough to shield the
/// database from a crawler, and its creation invalidates it anyway.
const MISSING_MAX_AGE: Duration = Duration::from_secs(5);

/// Of a list.
pub(super) fn of_list(max_age: Duration, category: Option<&str>) -> CachePolicy {
    of(max_age, groups::list(category))
}

/// Of one product.
pub(super) fn of_product(max_age: Duration, id: i64) -> CachePolicy {
    of(max_age, groups::product(id))
}

/// Of the answer that there is none of this id. In the same group: who creates it
/// takes this back.
pub(super) fn of_missing(id: i64) -> CachePolicy {
    CachePolicy {
        max_age: MISSING_MAX_AGE,
        stale_while_revalidate: None,
        stale_if_error: None,
        groups: vec![groups::product(id)],
    }
}

fn of(max_age: Duration, group: String) -> CachePolicy {
    CachePolicy {
        max_age,
        stale_while_revalidate: Some(STALE_WHILE_REVALIDATE),
        stale_if_error: Some(STALE_IF_ERROR),
        groups: vec![group],
    }
}
